//! SQLite's errors as the index's.

use std::path::Path;

use rusqlite::{ErrorCode, ffi};

use super::super::error::{ErrorKind, IndexError};

/// What went wrong in the thread of the index, before the file's name is put to it.
#[derive(Debug)]
pub(super) enum Fault {
    /// Ready to be shown.
    Index(IndexError),
    /// From SQLite.
    Sqlite(rusqlite::Error),
}

impl From<IndexError> for Fault {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Fault {
    /// The error for people.
    pub(super) fn at(self, path: &Path) -> IndexError {
        let error = match self {
            Self::Index(error) => return error,
            Self::Sqlite(error) => error,
        };
        let path = path.display();
        let full = error.sqlite_error().is_some_and(|error| {
            // What a disk without room makes of the file that is shared by the index's readers.
            error.code == ErrorCode::DiskFull || error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
        });
        let (kind, cause) = match error.sqlite_error_code() {
            _ if full => (
                ErrorKind::Full,
                "there is no room for the index {}: free some space on its disk",
            ),
            Some(ErrorCode::CannotOpen) => (
                ErrorKind::Unreachable,
                "cannot open the index {}: its directory must exist and be writable",
            ),
            Some(ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => (
                ErrorKind::AccessDenied,
                "the index {} may not be used: give this user access to the file",
            ),
            Some(ErrorCode::ReadOnly) => (
                ErrorKind::ReadOnly,
                "the index {} cannot be written: make the file and its directory writable",
            ),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                ErrorKind::Busy,
                "the index {} is held by another process: end its transaction",
            ),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (
                ErrorKind::Unfit,
                "{} is not an index, or a damaged one: name another file, or restore it",
            ),
            Some(ErrorCode::TooBig) => (
                ErrorKind::TooLarge,
                "a row is larger than the index {} takes: leave its table out with --tables",
            ),
            Some(ErrorCode::SystemIoFailure) => (
                ErrorKind::Other,
                "the index {} cannot be read or written: look after its disk, and the room on it",
            ),
            _ => (ErrorKind::Other, "the index {} does not take this"),
        };
        let cause = cause.replace("{}", &path.to_string());
        IndexError::new(kind, format!("{cause} ({error})"))
    }
}
