//! What can go wrong with an index. Every message is one line: the cause, and what to do.

use std::fmt;

/// What kind of failure an [`IndexError`] is: what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The server or the file cannot be reached.
    Unreachable,
    /// The server or the file system refuses the user.
    AccessDenied,
    /// TLS: the server has none, its certificate is not accepted, or one of ours cannot be used.
    Tls,
    /// There is no index there, and this is not the command that makes one.
    Missing,
    /// What is there is not an index, or a server that cannot hold one.
    Unfit,
    /// The index has tables of another version than this bintrail's.
    OtherVersion,
    /// Another stream writes for this source.
    Locked,
    /// The disk or the table is full.
    Full,
    /// The index can only be read.
    ReadOnly,
    /// Held up by somebody else: busy, deadlock, lock timeout.
    Busy,
    /// The connection broke, or nothing came back in time. Whether the last write is in the
    /// index is known only after the next attach.
    Lost,
    /// A row is larger than the index takes.
    TooLarge,
    /// The batch breaks a rule of the index: a fault in bintrail.
    Batch,
    /// A question names a column that is not there.
    NoSuchColumn,
    /// A question names a table that is not there, or several.
    NoSuchTable,
    /// Anything else, a constraint for example.
    Other,
}

/// A failure of the index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct IndexError {
    kind: ErrorKind,
    message: String,
}

/// The result of everything here.
pub type Result<T, E = IndexError> = std::result::Result<T, E>;

impl IndexError {
    pub(crate) fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        let mut message = message.to_string();
        // Servers and libraries put line breaks into theirs.
        if message.contains(['\n', '\r']) {
            message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        Self { kind, message }
    }

    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// May it go away by itself? Then the caller waits, attaches again and goes on from the
    /// checkpoint that the attach returns; it must not write the failed batch again.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Unreachable | ErrorKind::Busy | ErrorKind::Lost
        )
    }

    /// May it pass, if only because somebody mends the index? Then a stream that is under way waits, as for one
    /// that is away.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.is_retriable()
            || matches!(
                self.kind,
                ErrorKind::Full | ErrorKind::ReadOnly | ErrorKind::AccessDenied
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_waits_for_what_somebody_can_mend_without_it() {
        use ErrorKind as K;
        for kind in [K::Full, K::ReadOnly, K::AccessDenied] {
            let error = IndexError::new(kind, "");
            assert!(error.may_pass() && !error.is_retriable(), "{kind:?}");
        }
        for kind in [K::Unreachable, K::Busy, K::Lost] {
            let error = IndexError::new(kind, "");
            assert!(error.may_pass() && error.is_retriable(), "{kind:?}");
        }
        for kind in [
            K::Tls,
            K::Missing,
            K::Unfit,
            K::OtherVersion,
            K::Locked,
            K::TooLarge,
            K::Batch,
            K::Other,
        ] {
            assert!(!IndexError::new(kind, "").may_pass(), "{kind:?}");
        }
    }

    #[test]
    fn a_message_is_one_line() {
        let error = IndexError::new(ErrorKind::Other, "first\n  second\r\nthird");
        assert_eq!(error.to_string(), "first second third");
    }
}
