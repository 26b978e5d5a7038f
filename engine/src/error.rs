//! Everything that can stop a command, by what its user can do about it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::dsn::DsnError;
use crate::index::{ErrorKind, IndexError};
use crate::source;

/// Why a command stopped. Each prints as one line: what happened, where, and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A DSN cannot be read.
    #[error("{what}: {error}")]
    Dsn {
        /// Which one.
        what: &'static str,
        /// What is wrong with it.
        error: DsnError,
    },
    /// Options that cannot go together, or have no such value.
    #[error("{0}")]
    Usage(String),
    /// The source refused, broke off or cannot be reached.
    #[error("source {address}: {error}{}", remedy(error))]
    Source {
        /// Host and port; and the user, where that is refused.
        address: String,
        /// What happened.
        error: source::Error,
    },
    /// The source does not have the events from a place on.
    #[error(
        "source {address} cannot send its events from {place} on: {error}{}",
        remedy(error)
    )]
    Place {
        /// Host and port.
        address: String,
        /// File and position, or GTID set.
        place: String,
        /// What it says.
        error: source::Error,
    },
    /// The source's binary logs are not those that were read.
    #[error(
        "source {address}: {evidence}, so its binary logs were reset, restored from a backup or lost in a crash; start \
         again with --reset, and with --start-file naming its first file to leave nothing of it out"
    )]
    Rewound {
        /// Host and port.
        address: String,
        /// What shows it.
        evidence: String,
    },
    /// The source has purged what was not read yet, and it is not to be passed over.
    #[error(
        "source {address}: {lost}; it is lost to this stream: start again without --no-gap-fill to have this recorded \
         and to go on behind it"
    )]
    Gap {
        /// Host and port.
        address: String,
        /// What is lost.
        lost: String,
    },
    /// Another server is to take over, and does not have all that was read.
    #[error(
        "source {address}: it lacks {missing}, which the index has: it is behind the server before, or never had them; \
         bring it up to date, or name another server in --source-dsn"
    )]
    Behind {
        /// Host and port.
        address: String,
        /// The transactions that it lacks.
        missing: String,
    },
    /// The source has sent transactions that it has not committed.
    #[error(
        "source {address}: it has not committed {missing} yet, which it has sent and still has in its binary log: a \
         semi-synchronous source waits for its replicas between the two; the stream goes on once they have confirmed"
    )]
    Pending {
        /// Host and port.
        address: String,
        /// The transactions.
        missing: String,
    },
    /// The source commits without logging.
    #[error(
        "source {address}: it has stopped writing its binary log, after an error that its own error log tells of \
         (binlog_error_action=IGNORE_ERROR): what it commits is lost to this stream until it is started again; set \
         binlog_error_action=ABORT_SERVER where it has that"
    )]
    NotLogging {
        /// Host and port.
        address: String,
    },
    /// A start at a place that its binary logs do not have.
    #[error("source {address}: {problem}")]
    NoSuchPlace {
        /// Host and port.
        address: String,
        /// What it has instead.
        problem: String,
    },
    /// A start behind transactions that the source never had.
    #[error(
        "source {address}: it has never committed {missing} of --start-gtid: is this another server's set? Give one of \
         its own (SELECT @@GLOBAL.gtid_executed), or none to start where it is now"
    )]
    Uncommitted {
        /// Host and port.
        address: String,
        /// The transactions that it lacks.
        missing: String,
    },
    /// The source is not set up so that its changes can be captured.
    #[error("source {address}: {problem}")]
    SourceSetup {
        /// Host and port.
        address: String,
        /// What is wrong, and the statement that mends it.
        problem: String,
    },
    /// The index.
    #[error("index: {0}")]
    Index(#[from] IndexError),
    /// The index has taken nothing for too long.
    #[error(
        "index: nothing was written for {}s (--write-timeout): {cause}; started again, the stream goes on from its \
         checkpoint",
        after.as_secs_f32()
    )]
    WriteTimeout {
        /// The limit.
        after: Duration,
        /// What was wrong with the last attempt.
        cause: String,
    },
    /// `status` tells of lost changes that nobody has taken note of yet.
    #[error("changes were lost: {0}")]
    RecordedGap(String),
    /// `status` was asked to fail when a stream is late.
    #[error("the index is late: {0}")]
    Late(String),
    /// A file cannot be read.
    #[error("{}: {error}{}", path.display(), file_remedy(error))]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// What could be printed was.
    #[error(
        "row changes of {events} events are left out, or parts of them, or may be wrong; the warnings say which, and why"
    )]
    LeftOut {
        /// How many events.
        events: u64,
    },
    /// Bytes that are no binlog, or a damaged one.
    #[error("{file} at position {position}: {error}; {remedy}")]
    Binlog {
        /// The binlog file.
        file: String,
        /// Where the event starts that cannot be read.
        position: u64,
        /// What is wrong.
        error: bintrail_proto::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// Binlog files that cannot be indexed, or not into this index.
    #[error("binlog files: {0}")]
    Files(String),
    /// The server that `recover` changes refused, broke off or cannot be reached.
    #[error("target {address}: {error}{}{}", target_remedy(error), semicolon(done))]
    Target {
        /// Host and port.
        address: String,
        /// What happened.
        error: source::Error,
        /// What was changed before; empty where nothing was begun.
        done: String,
    },
    /// Rows of the target are not as they should be, and so nothing more was done.
    #[error("conflict: {0}")]
    Conflicts(String),
    /// Rows of the target were not as they should be, and were left alone; all else was done.
    #[error(
        "{0} left alone, as their rows are not as they should be; all else is done (--on-conflict skip)"
    )]
    LeftAlone(String),
    /// What is asked for cannot be done exactly.
    #[error("refused: {0}")]
    Refused(String),
    /// A fault of bintrail itself.
    #[error("internal error: {0}; please report it")]
    Internal(String),
    /// What is to be offered on the network cannot be where that was asked for.
    #[error(
        "cannot listen on {address} ({flag}): {error}; is another there? Give each an address of its own"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Who says so.
        flag: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// Output that cannot be written.
    #[error("output: {0}")]
    Output(io::Error),
}

/// What to do about a failure of the source link.
pub(crate) fn remedy(error: &source::Error) -> &'static str {
    use source::Error as E;
    match error {
        E::UnknownHost { .. } => "; check the host in --source-dsn",
        E::Unreachable { .. } => {
            "; check that the server runs and that host and port in --source-dsn are right"
        }
        E::HandshakeTimeout { .. } => {
            "; check that it is a MySQL or MariaDB server that listens at host and port of --source-dsn"
        }
        E::AccessDenied(_) => {
            "; check user and password in --source-dsn and, where the account has a REQUIRE, --ssl-mode and --ssl-cert"
        }
        E::PasswordExpired(_) => {
            "; give the account a new one with ALTER USER … IDENTIFIED BY …, or let it never expire with PASSWORD EXPIRE NEVER"
        }
        E::AccountLocked(_) => "; unlock it with ALTER USER … ACCOUNT UNLOCK",
        E::PasswordInClear(_) => "; set --ssl-mode to required or, better, verify-identity",
        E::MultiFactor | E::UnsupportedAuthPlugin(_) => {
            "; give this stream an account of its own that uses caching_sha2_password (MariaDB: ed25519)"
        }
        E::TlsNotOffered => {
            "; give the server a certificate (ssl_cert, ssl_key), or set --ssl-mode=preferred where the way to it is \
             safe without TLS"
        }
        E::TlsDemanded(_) => "; set --ssl-mode=required, or one that verifies",
        E::PrivilegeMissing(_) => {
            "; GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO this user, and SELECT on the tables it captures"
        }
        E::ServerIdClash(_) => "; give this stream a --server-id of its own",
        E::Elsewhere { .. } => "; name each server's own address, --source-dsn takes several",
        E::PositionPurged(_) => {
            "; what was purged is lost to this stream: start again with --reset, from the source's present position \
             or with --start-gtid or --start-file"
        }
        E::PositionUnknown(_) => {
            "; check --start-file, --start-pos and --start-gtid, or start again with --reset if the source's \
             binary logs were reset"
        }
        E::LogCutOff(_) => {
            "; what that file held behind it is lost to every replica, as after a crash of the source: to have this recorded \
             and to go on with the next file, start again with --reset and that one (SHOW BINARY LOGS) as --start-file"
        }
        E::Server(error) if error.message.contains("AUTO_POSITION") => {
            "; the source has had transactions without a GTID: go on with --reset, and --start-file and --start-pos as \
             `bintrail status` has them"
        }
        E::Server(error) if error.message.contains("GTID_MODE = ON") => {
            "; SET GLOBAL gtid_mode = ON_PERMISSIVE on the source until the stream has read these"
        }
        _ => "",
    }
}

/// What to do about a failure of the link to `recover`'s target.
fn target_remedy(error: &source::Error) -> &'static str {
    use source::Error as E;
    match error {
        E::UnknownHost { .. } => "; check the host in --target-dsn",
        E::Unreachable { .. } => {
            "; check that the server runs and that host and port in --target-dsn are right"
        }
        E::HandshakeTimeout { .. } => {
            "; check that it is a MySQL or MariaDB server that listens at host and port of --target-dsn"
        }
        E::AccessDenied(_) => {
            "; check user and password in --target-dsn, and the user's privileges"
        }
        E::PasswordInClear(_) => "; set --target-ssl-mode to required or, better, verify-identity",
        E::TlsNotOffered => "; give the server a certificate, or set --target-ssl-mode=preferred",
        E::TlsDemanded(_) => "; set --target-ssl-mode=required, or one that verifies",
        E::PrivilegeMissing(_) => {
            "; GRANT SELECT, INSERT, UPDATE, DELETE on the tables to the user in --target-dsn"
        }
        // ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK
        E::Server(error) if matches!(error.code, 1205 | 1213) => "; run it again",
        _ => "",
    }
}

/// What to do about a file.
fn file_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "; check its name, which counts from the working directory unless it begins with /"
        }
        io::ErrorKind::PermissionDenied => "; let the user that bintrail runs as read it",
        io::ErrorKind::IsADirectory => "; name a file in it",
        _ => "",
    }
}

fn semicolon(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("; {text}")
    }
}

impl Error {
    /// The exit code of a command that stops with this error. `docs/exit-codes.md` lists them.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        use source::Error as E;
        match self {
            Self::Internal(_) => 1,
            Self::Usage(_) | Self::Dsn { .. } => 2,
            Self::RecordedGap(_) => 3,
            Self::Late(_) => 4,
            Self::Source { error, .. } => match error {
                E::UnknownHost { .. } | E::Unreachable { .. } | E::HandshakeTimeout { .. } => 10,
                E::AccessDenied(_)
                | E::PasswordExpired(_)
                | E::AccountLocked(_)
                | E::PasswordInClear(_)
                | E::MultiFactor
                | E::UnsupportedAuthPlugin(_)
                | E::RsaKey(_) => 11,
                E::TlsNotOffered | E::TlsDemanded(_) | E::TlsSetup(_) | E::TlsFailed(_) => 12,
                E::PrivilegeMissing(_) => 13,
                E::PasswordFile { .. } => 31,
                E::ServerIdClash(_) => 16,
                _ => 17,
            },
            Self::SourceSetup { .. } | Self::NotLogging { .. } => 14,
            Self::Pending { .. } => 17,
            Self::Place { .. }
            | Self::Rewound { .. }
            | Self::Gap { .. }
            | Self::Behind { .. }
            | Self::NoSuchPlace { .. }
            | Self::Uncommitted { .. } => 15,
            Self::Index(error) => match error.kind() {
                ErrorKind::Unreachable | ErrorKind::Lost | ErrorKind::Busy => 20,
                ErrorKind::AccessDenied => 21,
                ErrorKind::Missing => 22,
                ErrorKind::Unfit | ErrorKind::OtherVersion => 23,
                ErrorKind::Locked => 24,
                ErrorKind::Full | ErrorKind::TooLarge => 25,
                ErrorKind::ReadOnly => 26,
                ErrorKind::Batch | ErrorKind::Other => 27,
                ErrorKind::Tls => 28,
                ErrorKind::NoSuchColumn | ErrorKind::NoSuchTable => 2,
            },
            Self::WriteTimeout { .. } => 29,
            Self::Binlog { .. } | Self::LeftOut { .. } => 30,
            Self::File { .. } => 31,
            Self::Output(_) => 32,
            Self::Listen { .. } => 33,
            Self::Files(_) => 34,
            Self::Refused(_) => 41,
            Self::Conflicts(_) => 42,
            Self::LeftAlone(_) => 43,
            Self::Target { error, .. } => match error {
                E::UnknownHost { .. } | E::Unreachable { .. } | E::HandshakeTimeout { .. } => 50,
                E::AccessDenied(_)
                | E::PasswordExpired(_)
                | E::AccountLocked(_)
                | E::PasswordInClear(_)
                | E::MultiFactor
                | E::UnsupportedAuthPlugin(_)
                | E::RsaKey(_) => 51,
                E::TlsNotOffered | E::TlsDemanded(_) | E::TlsSetup(_) | E::TlsFailed(_) => 52,
                E::PrivilegeMissing(_) => 53,
                E::Lost(_) | E::Silent { .. } => 54,
                _ => 55,
            },
        }
    }

    /// Is it about the source that was asked, so that another may do?
    pub(crate) const fn is_of_source(&self) -> bool {
        matches!(
            self,
            Self::Source { .. }
                | Self::SourceSetup { .. }
                | Self::Place { .. }
                | Self::Rewound { .. }
                | Self::Gap { .. }
                | Self::Behind { .. }
                | Self::Pending { .. }
                | Self::NotLogging { .. }
                | Self::NoSuchPlace { .. }
                | Self::Uncommitted { .. }
        )
    }

    /// Can the index note it? Not one that is away, nor of a source that is another stream's.
    pub(crate) fn can_be_noted(&self) -> bool {
        !matches!(self, Self::Index(error) if error.is_retriable() || error.kind() == ErrorKind::Locked)
    }

    /// Does the source refuse the user, as long as nobody mends that?
    pub(crate) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Source { error, .. } if error.is_refusal())
    }

    /// Did the source close the connection without a word?
    pub(crate) fn is_hang_up(&self) -> bool {
        matches!(self, Self::Source { error: source::Error::Lost(error), .. }
            if error.kind() == io::ErrorKind::UnexpectedEof)
    }

    /// May it go away while a stream waits, so that it goes on from its checkpoint?
    #[must_use]
    pub fn may_pass(&self) -> bool {
        use source::Error as E;
        match self {
            // What is wrong with a dump (1236) stays wrong; a server that shuts down comes back.
            Self::Source {
                error: E::Server(error),
                ..
            } => error.code != 1236,
            Self::Source { error, .. } => matches!(
                error,
                E::UnknownHost { .. }
                    | E::Unreachable { .. }
                    | E::HandshakeTimeout { .. }
                    | E::Lost(_)
                    | E::Silent { .. }
                    | E::NoAnswer { .. }
                    | E::Elsewhere { .. }
                    | E::Astray(_)
                    | E::Protocol(_)
            ),
            Self::Index(error) => error.may_pass(),
            Self::Behind { .. } | Self::Pending { .. } | Self::NotLogging { .. } => true,
            // What came over the wire is damaged; what the source sends next time may not be.
            Self::Binlog { .. } => true,
            _ => false,
        }
    }
}
