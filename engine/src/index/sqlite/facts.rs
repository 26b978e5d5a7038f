//! What can be learnt of an index's file without changing it.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::OptionalExtension;
use rustix::fs::{Access, access, statvfs};

use super::fault::Fault;
use super::lock::lock_path;
use super::store::Store;
use crate::index::Writer;
use crate::index::error::{ErrorKind, IndexError, Result};

/// An index's file and the place where it is, or will be.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Why it cannot be written there.
    pub(crate) unwritable: Option<io::Error>,
    /// Bytes that are free for it; `None` when that is not known.
    pub(crate) free: Option<u64>,
    /// Its bytes, with what waits in the write-ahead log; `None` when there is no file yet.
    pub(crate) size: Option<u64>,
    /// Does the file hold an index?
    pub(crate) has_index: bool,
    /// Who writes for the source.
    pub(crate) writer: Option<String>,
}

/// The directory of an index.
pub(crate) fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Looks; `source` is the `server_uuid` of a source, where it is known.
pub(crate) async fn facts(path: &Path, source: Option<&str>) -> Result<Facts> {
    let (path, source) = (path.to_owned(), source.map(str::to_owned));
    tokio::task::spawn_blocking(move || look(&path, source.as_deref()))
        .await
        .map_err(|panic| IndexError::new(ErrorKind::Other, panic))?
}

fn look(path: &Path, source: Option<&str>) -> Result<Facts> {
    let directory = directory(path);
    // SQLite makes files beside it.
    let writable = |at: &Path| access(at, Access::WRITE_OK | Access::READ_OK).err();
    let exists = path.exists();
    let unwritable = writable(&directory).or_else(|| writable(path).filter(|_| exists));
    let mut facts = Facts {
        unwritable: unwritable.map(io::Error::from),
        free: free(&directory),
        size: None,
        has_index: false,
        writer: None,
    };
    if !exists {
        return Ok(facts);
    }
    facts.size = Some(size(path));
    let store = match Store::open(path, false) {
        Ok(store) => store,
        Err(fault) => {
            let error = fault.at(path);
            return match error.kind() {
                ErrorKind::Missing => Ok(facts),
                _ => Err(error),
            };
        }
    };
    facts.has_index = true;
    if let Some(source) = source {
        facts.writer = writer(&store, source).map_err(|fault| fault.at(path))?;
    }
    Ok(facts)
}

fn writer(store: &Store, source: &str) -> Result<Option<String>, Fault> {
    let source_id = store
        .connection()
        .query_row(
            "SELECT source_id FROM sources WHERE server_uuid = ?1",
            [source],
            |row| row.get(0),
        )
        .optional()?;
    Ok(
        match source_id.map(|source_id| writer_of(store.path(), source_id)) {
            Some(Writer::Is(who)) => Some(who),
            _ => None,
        },
    )
}

/// Bytes of an index's file, with what waits in the write-ahead log.
pub(super) fn size(path: &Path) -> u64 {
    let mut log = OsString::from(path);
    log.push("-wal");
    let size = |path: &Path| path.metadata().map_or(0, |file| file.len());
    size(path).saturating_add(size(Path::new(&log)))
}

/// Bytes that are free in a directory; `None` when that is not known.
pub(super) fn free(directory: &Path) -> Option<u64> {
    let system = statvfs(directory).ok()?;
    Some(system.f_bavail.saturating_mul(system.f_frsize))
}

/// Who holds the lock of a source's one writer.
pub(super) fn writer_of(path: &Path, source_id: u32) -> Writer {
    let mut file = match File::open(lock_path(path, source_id)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Writer::None,
        Err(_) => return Writer::Unknown,
    };
    // Shared, and for an instant: whoever asks likewise is not in the way, and a writer tries again.
    match file.try_lock_shared() {
        Ok(()) => Writer::None,
        Err(TryLockError::Error(_)) => Writer::Unknown,
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only to name it.
            let _ = Read::by_ref(&mut file).take(20).read_to_string(&mut holder);
            Writer::Is(match holder.trim() {
                "" => "another process".to_owned(),
                pid => format!("process {pid}"),
            })
        }
    }
}
