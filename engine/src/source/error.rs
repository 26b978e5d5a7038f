//! What can go wrong between here and a source server.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bintrail_proto::response::ServerError;
use bintrail_proto::session;

use crate::tls::{TlsSetupError, explain};

/// Why a connection failed, by what its user can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host's name does not resolve.
    #[error("host {host} is unknown: {cause}")]
    UnknownHost {
        /// The name.
        host: String,
        /// The resolver's error.
        cause: io::Error,
    },
    /// None of the host's addresses takes a connection.
    #[error("{address} is unreachable: {cause}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// The last address's error.
        cause: io::Error,
    },
    /// The server took the connection, but was not done with the handshake in time.
    #[error("{address} did not finish the handshake in {}s", after.as_secs_f32())]
    HandshakeTimeout {
        /// Host and port.
        address: String,
        /// The connect timeout.
        after: Duration,
    },
    /// The file with the password cannot be read.
    #[error("the password file {}: {error}", path.display())]
    PasswordFile {
        /// Which file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Wrong user or password, or an account that may not come from here.
    #[error("{0}")]
    AccessDenied(ServerError),
    /// The account needs an authentication plugin that is not supported.
    #[error("the account uses the authentication plugin {0}, which is not supported")]
    UnsupportedAuthPlugin(String),
    /// The server's key for encrypting the password is of no use.
    #[error("the server's RSA key cannot be used: {0}")]
    RsaKey(&'static str),
    /// The password of the account has expired.
    #[error("{0}")]
    PasswordExpired(ServerError),
    /// The account is locked.
    #[error("{0}")]
    AccountLocked(ServerError),
    /// The account needs the password in clear, and there is no TLS to protect it.
    #[error("the account uses {0}, which sends the password in clear, and TLS is not on")]
    PasswordInClear(&'static str),
    /// The account needs more than one proof.
    #[error("the account needs multi-factor authentication, which is not supported")]
    MultiFactor,
    /// TLS is required, and the server does not offer it.
    #[error("ssl-mode demands TLS, but the server does not offer it")]
    TlsNotOffered,
    /// The server takes no connection without TLS.
    #[error("{0}")]
    TlsDemanded(ServerError),
    /// A certificate or key of ours cannot be used.
    #[error("{0}")]
    TlsSetup(#[from] TlsSetupError),
    /// The TLS handshake failed; nothing was sent in clear instead.
    #[error("TLS handshake failed: {0}")]
    TlsFailed(String),
    /// The account lacks a privilege, which the message names.
    #[error("{0}")]
    PrivilegeMissing(ServerError),
    /// Another replica is connected with this server id.
    #[error("another replica uses the same server id: {0}")]
    ServerIdClash(String),
    /// The server no longer has binlogs that hold the start position.
    #[error("the server has purged the binlogs that hold the start position: {0}")]
    PositionPurged(ServerError),
    /// The server never had the start position.
    #[error("the server does not know the start position: {0}")]
    PositionUnknown(ServerError),
    /// The server has no more of a binary log than the beginning of an event.
    #[error("a binary log ends there inside an event: {0}")]
    LogCutOff(ServerError),
    /// Another error of the server's.
    #[error("{0}")]
    Server(ServerError),
    /// The connection broke.
    #[error("the connection to the server is lost: {}", broke_by(.0))]
    Lost(io::Error),
    /// The server sent nothing for too long.
    #[error("the server has sent nothing for {}s", after.as_secs_f32())]
    Silent {
        /// The read timeout.
        after: Duration,
    },
    /// A second connection came to another server than the first.
    #[error("the same address led to the server {before}, and a moment later to {now}")]
    Elsewhere {
        /// The first one's uuid, or its id.
        before: String,
        /// The second one's.
        now: String,
    },
    /// The source's binary logs are not what they were when the dump began.
    #[error("{0}: were its binary logs reset?")]
    Astray(String),
    /// The server took too long over several questions together.
    #[error("the server has not answered {what} in {}s", after.as_secs_f32())]
    NoAnswer {
        /// Which ones, and what sets the limit.
        what: &'static str,
        /// The limit.
        after: Duration,
    },
    /// The server sent what the protocol does not allow, or the client asked what it cannot express.
    #[error("protocol error: {0}")]
    Protocol(#[from] bintrail_proto::Error),
}

/// What broke a connection. Its end is told in many ways, by TLS with advice to programmers.
fn broke_by(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the other side has closed it".to_owned(),
        _ => error.to_string(),
    }
}

impl Error {
    /// Does the server refuse the user, as long as nobody gives it another password, unlocks it or grants it something?
    pub(crate) const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::AccessDenied(_)
                | Self::PasswordExpired(_)
                | Self::AccountLocked(_)
                | Self::PrivilegeMissing(_)
                | Self::PasswordFile { .. }
        )
    }

    /// Does this text, a source's error as [`crate::Error`] prints it, tell of such a refusal?
    pub(crate) fn is_told_refusal(text: &str) -> bool {
        let code = text.split_once(" (error ").and_then(|(_, rest)| {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        });
        text.contains(": the password file ")
            || code.is_some_and(|code| {
                let (sql_state, message) = Default::default();
                let error = ServerError {
                    code,
                    sql_state,
                    message,
                };
                Self::from_server(error).is_refusal()
            })
    }

    /// Sorts an ERR packet by its code, and 1236 by its text: one code stands for everything that can be
    /// wrong with a dump.
    pub(crate) fn from_server(error: ServerError) -> Self {
        match error.code {
            // ER_DBACCESS_DENIED_ERROR, ER_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR
            1044 | 1045 | 1698 => Self::AccessDenied(error),
            // ER_MUST_CHANGE_PASSWORD, ER_MUST_CHANGE_PASSWORD_LOGIN
            1820 | 1862 => Self::PasswordExpired(error),
            // ER_ACCOUNT_HAS_BEEN_LOCKED, ER_USER_ACCESS_DENIED_FOR_USER_ACCOUNT_BLOCKED_BY_PASSWORD_LOCK;
            // MariaDB's ER_USER_IS_BLOCKED, ER_ACCOUNT_HAS_BEEN_LOCKED
            3118 | 3955 | 4150 | 4151 => Self::AccountLocked(error),
            // ER_SECURE_TRANSPORT_REQUIRED
            3159 => Self::TlsDemanded(error),
            // ER_SPECIFIC_ACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR
            1227 | 1142 => Self::PrivilegeMissing(error),
            // ER_SOURCE_HAS_PURGED_REQUIRED_GTIDS
            1789 => Self::PositionPurged(error),
            1236 => Self::from_dump(error),
            // MariaDB's ER_SLAVE_SAME_ID, a number that MySQL may give to something else.
            4052 if error.message.contains("same server_uuid/server_id") => {
                Self::ServerIdClash(error.to_string())
            }
            _ => Self::Server(error),
        }
    }

    /// Sorts what breaks a connection that is being made: TLS says why it does so.
    pub(crate) fn in_handshake(error: io::Error) -> Self {
        explain(&error).map_or(Self::Lost(error), Self::TlsFailed)
    }

    fn from_dump(error: ServerError) -> Self {
        let says = |parts: &[&str]| parts.iter().any(|part| error.message.contains(part));
        if says(&["with the same server_uuid"]) {
            Self::ServerIdClash(error.to_string())
        } else if says(&[
            "purged required binary logs",
            "Could not find first log file name",
            "Could not find GTID state requested by slave",
        ]) {
            Self::PositionPurged(error)
        } else if says(&["binlog truncated in the middle of event"]) {
            Self::LogCutOff(error)
        } else if says(&[
            // What a running dump gets when the binary logs are reset.
            "could not find next log",
            // The same, when a file of the same name is there again.
            "I/O error reading log event",
            // From the middle of an event on.
            "bogus data in log event",
            "log event entry exceeded max_allowed_packet",
            "impossible position",
            "position > file size",
            "has more GTIDs than",
            "which is not in the master's binlog",
            "is missing the GTID",
        ]) {
            Self::PositionUnknown(error)
        } else {
            Self::Server(error)
        }
    }
}

impl From<session::Error> for Error {
    fn from(error: session::Error) -> Self {
        match error {
            session::Error::Server(error) => Self::from_server(error),
            session::Error::UnsupportedPlugin(name) => Self::UnsupportedAuthPlugin(name),
            session::Error::NeedsTls(name) => Self::PasswordInClear(name),
            session::Error::MultiFactor => Self::MultiFactor,
            session::Error::TlsNotOffered => Self::TlsNotOffered,
            session::Error::Protocol(error) => Self::Protocol(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_known_by_its_text() {
        let address = || "db:3306".to_owned();
        let told = |error| crate::Error::Source {
            address: address(),
            error,
        };
        let server = |code| {
            told(Error::from_server(ServerError {
                code,
                sql_state: "28000".to_owned(),
                message: "No (at all)".to_owned(),
            }))
        };
        let path = PathBuf::from("/run/password");
        let error = || io::ErrorKind::NotFound.into();
        for (error, refusal) in [
            (server(1045), true),
            (server(1227), true),
            (server(1820), true),
            (server(4151), true),
            (
                told(Error::PasswordFile {
                    path,
                    error: error(),
                }),
                true,
            ),
            (server(1053), false),
            (server(1040), false),
            (told(Error::Lost(error())), false),
        ] {
            assert_eq!(error.is_refusal(), refusal, "{error}");
            assert_eq!(
                Error::is_told_refusal(&error.to_string()),
                refusal,
                "{error}"
            );
        }
    }

    #[test]
    fn an_end_is_told_in_one_way() {
        let close_notify = "peer closed connection without sending TLS close_notify: https://…";
        for error in [
            io::ErrorKind::UnexpectedEof.into(),
            io::Error::new(io::ErrorKind::UnexpectedEof, close_notify),
        ] {
            assert_eq!(
                Error::Lost(error).to_string(),
                "the connection to the server is lost: the other side has closed it"
            );
        }
    }
}
