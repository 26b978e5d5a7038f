//! The errors of a MySQL server and its driver as the index's.

use mysql_async::{DriverError, Error, IoError, ServerError, TlsError};

use super::super::error::{ErrorKind, IndexError};
use crate::tls::{TlsSetupError, explain, explain_tls};

/// The server's name in messages: `host:port/database`.
pub(super) type Place = str;

/// What went wrong, before the server's name is put to it.
#[derive(Debug)]
pub(super) enum Fault {
    /// Ready to be shown.
    Index(IndexError),
    /// From the server or its driver.
    MySql(Error),
    /// No answer in time.
    Timeout,
}

impl From<IndexError> for Fault {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::MySql(error)
    }
}

impl From<TlsSetupError> for Fault {
    fn from(error: TlsSetupError) -> Self {
        Self::Index(IndexError::new(ErrorKind::Tls, error))
    }
}

/// What TLS says is wrong, when it is TLS.
fn tls(error: &Error) -> Option<String> {
    match error {
        Error::Io(IoError::Tls(TlsError::Tls(error))) => Some(explain_tls(error)),
        Error::Io(IoError::Tls(error)) => Some(error.to_string()),
        Error::Io(IoError::Io(error)) => explain(error),
        _ => None,
    }
}

impl Fault {
    /// The number of the server's error, when it is one.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::MySql(Error::Server(error)) => Some(error.code),
            _ => None,
        }
    }

    /// The error for people; `connected` tells a broken connection from one never made.
    pub(super) fn at(self, place: &Place, connected: bool) -> IndexError {
        let error = match self {
            Self::Index(error) => return error,
            Self::MySql(Error::Server(error)) => return server(place, &error),
            Self::Timeout => "no answer in time".to_owned(),
            Self::MySql(Error::Driver(DriverError::NoClientSslFlagFromServer)) => {
                return IndexError::new(
                    ErrorKind::Tls,
                    format!(
                        "the index server {place} has no TLS: give it a certificate (ssl_cert, ssl_key), or set \
                         --index-ssl-mode=preferred"
                    ),
                );
            }
            Self::MySql(Error::Driver(
                ref error @ (DriverError::UnknownAuthPlugin { .. }
                | DriverError::CleartextPluginDisabled
                | DriverError::MysqlOldPasswordDisabled),
            )) => {
                return IndexError::new(
                    ErrorKind::AccessDenied,
                    format!(
                        "the index {place} authenticates the user in a way that is not supported: ALTER USER … IDENTIFIED \
                         WITH caching_sha2_password BY … ({error})"
                    ),
                );
            }
            Self::MySql(error) => match tls(&error) {
                Some(text) => {
                    return IndexError::new(
                        ErrorKind::Tls,
                        format!("TLS to the index {place} failed: {text}"),
                    );
                }
                // The driver says it once for each of its layers.
                None => match error.to_string().replace("Input/output error: ", "") {
                    text if text.contains("close_notify") => "it closed the connection".to_owned(),
                    text => text,
                },
            },
        };
        if connected {
            IndexError::new(
                ErrorKind::Lost,
                format!("lost the connection to the index {place}: see that it runs ({error})"),
            )
        } else {
            IndexError::new(
                ErrorKind::Unreachable,
                format!(
                    "cannot reach the index {place}: see that it runs and that host, port and \
                     TLS settings are right ({error})"
                ),
            )
        }
    }
}

/// What an error number means, for errors and for the warnings of a load alike.
fn server(place: &Place, error: &ServerError) -> IndexError {
    let (kind, remedy) = match error.code {
        1820 | 1862 => (
            ErrorKind::AccessDenied,
            "does not let the user in before its expired password is renewed: ALTER USER … IDENTIFIED BY …",
        ),
        3118 | 3955 => (
            ErrorKind::AccessDenied,
            "does not let the user in, whose account is locked: ALTER USER … ACCOUNT UNLOCK",
        ),
        3159 => (
            ErrorKind::Tls,
            "takes no connection without TLS: set --index-ssl-mode=required, or one that verifies",
        ),
        1045 | 1698 => (
            ErrorKind::AccessDenied,
            // The server does not tell a client that knows of one factor only why it is refused.
            "does not let the user in: check user and password and, where the account has a REQUIRE, \
             --index-ssl-cert; an account with a second factor is refused like this too, because multi-factor \
             authentication is not supported",
        ),
        1044 | 1142 | 1143 | 1227 | 1370 | 1410 => (
            ErrorKind::AccessDenied,
            "refuses the user: GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, CREATE VIEW, ALTER, DROP on its database",
        ),
        1129 | 1130 => (
            ErrorKind::Unreachable,
            "refuses this host: allow it in the user's account, or FLUSH HOSTS",
        ),
        1049 | 1051 | 1146 => (
            ErrorKind::Missing,
            "is not there: name another database, or make one with `bintrail init` or \
             `bintrail stream`",
        ),
        3 | 1021 | 1026 | 1114 => (ErrorKind::Full, "has no room: free some on its disk"),
        // "Got error 28": what the storage engine hands on from the system.
        1030 if error.message.contains("28") => {
            (ErrorKind::Full, "has no room: free some on its disk")
        }
        1036 | 1290 | 1792 | 1836 => (
            ErrorKind::ReadOnly,
            "takes no writes: clear its read_only, or name the writable server",
        ),
        1040 | 1203 | 1205 | 1213 | 1226 | 3572 => (
            ErrorKind::Busy,
            "is busy: it goes on when others let it, or raise its limits",
        ),
        1053 | 1077..=1079 | 1152 | 1158..=1161 | 1184 | 1317 | 1927 | 3169 | 4031 => {
            (ErrorKind::Lost, "ended the connection: see that it runs")
        }
        1118 | 1153 | 1301 => (
            ErrorKind::TooLarge,
            "does not take a row of this size: raise its max_allowed_packet, or leave the \
             table out with --tables",
        ),
        _ => (ErrorKind::Other, "does not take this"),
    };
    IndexError::new(kind, format!("the index {place} {remedy} ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_go_away_by_itself_is_retriable() {
        let error = |code| {
            Fault::MySql(Error::Server(ServerError {
                code,
                message: "why\nso".into(),
                state: "HY000".into(),
            }))
            .at("db:3306/i", true)
        };
        for (code, retriable) in [
            (1205, true),
            (1213, true),
            (1053, true),
            (1040, true),
            (1114, false),
            (1062, false),
            (1045, false),
            (1290, false),
        ] {
            assert_eq!(error(code).is_retriable(), retriable, "{code}");
            assert!(!error(code).to_string().contains('\n'));
        }
        assert_eq!(error(1114).kind(), ErrorKind::Full);
        assert!(Fault::Timeout.at("db:3306/i", true).is_retriable());
    }
}
