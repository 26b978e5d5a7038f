//! What a source still has of its binary logs, and whether they are the ones that were read.

use std::sync::atomic::{AtomicBool, Ordering};

use bintrail_proto::binlog::decoder::{Decoder, EventData};
use bytes::Bytes;

use super::dump::{process_mark, replica_uuid};
use super::server::{Server, address, log_order, parse_set, quote, source_error, text};
use crate::error::Error;
use crate::gtids::Gtids;
use crate::index::record::{Flavor, Place};
use crate::stream::Start;

/// Bytes in front of an encrypted file, which its size counts and positions do not.
const ENCRYPTION_HEADER: u64 = 512;

/// Events of a new dump among which a file's first one is.
const MAX_FIRST_EVENTS: usize = 16;

/// A binary log as the source lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) name: String,
    /// The position that it ends at.
    pub(crate) size: u64,
}

impl LogFile {
    fn of(row: &[Option<Bytes>]) -> Option<Self> {
        let size: u64 = text(row, 1)?.parse().ok()?;
        let header = match text(row, 2).as_deref() {
            Some("Yes") => ENCRYPTION_HEADER,
            _ => 0,
        };
        Some(Self {
            name: text(row, 0)?,
            size: size.saturating_sub(header),
        })
    }
}

/// How a binary log was begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    /// When, in seconds of the epoch.
    pub(crate) at: u32,
    /// When the one before it was full or flushed: not at a start of the server, nor at a reset.
    pub(crate) behind_another: bool,
}

/// The transactions that are, and those that are no longer, in a source's binary logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// All that it has committed.
    pub(crate) executed: Gtids,
    /// Those of them that no file holds any more.
    pub(crate) purged: Gtids,
}

impl Server {
    /// Its binary logs, oldest first; `None` when the user may not see them.
    pub(crate) async fn binary_logs(&mut self) -> Result<Option<Vec<LogFile>>, Error> {
        let rows = match self.query("SHOW BINARY LOGS").await {
            Err(Error::Source {
                error: super::Error::PrivilegeMissing(error),
                ..
            }) => {
                // Once: it is asked for each time that a stream connects anew.
                static SAID: AtomicBool = AtomicBool::new(false);
                if !SAID.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        %error,
                        "cannot see whether the source's binary logs were purged or reset; \
                         GRANT REPLICATION CLIENT ON *.* to the user"
                    );
                }
                return Ok(None);
            }
            // ER_NO_BINARY_LOGGING
            Err(Error::Source {
                error: super::Error::Server(error),
                ..
            }) if error.code == 1381 => return Err(self.not_logging()),
            rows => rows?,
        };
        let files = rows.rows.iter().filter_map(|row| LogFile::of(row));
        Ok(Some(files.collect()))
    }

    /// Is it known without any event that one begins, or will begin, there? In the middle of a file only the next event
    /// tells, and the server sends it at once.
    ///
    /// # Errors
    /// When the source has no such place.
    pub(crate) async fn has_place(&mut self, file: &str, position: u64) -> Result<bool, Error> {
        let Some(logs) = self.binary_logs().await? else {
            return Ok(false);
        };
        place_among(&logs, file, position).map_err(|problem| Error::NoSuchPlace {
            address: address(self.options()),
            problem,
        })
    }

    /// Its GTIDs. `oldest` is its oldest binary log, which MariaDB is asked about.
    pub(crate) async fn held(&mut self, oldest: Option<&str>) -> Result<Held, Error> {
        let flavor = self.flavor();
        let sql = match (flavor, oldest) {
            (Flavor::MySql, _) => "SELECT @@GLOBAL.gtid_executed, @@GLOBAL.gtid_purged".to_owned(),
            (Flavor::MariaDb, Some(oldest)) => format!(
                "SELECT @@GLOBAL.gtid_binlog_pos, BINLOG_GTID_POS({}, 4)",
                quote(oldest)
            ),
            (Flavor::MariaDb, None) => "SELECT @@GLOBAL.gtid_binlog_pos, ''".to_owned(),
        };
        let rows = self.query(&sql).await?;
        let row = rows.rows.first().map_or(&[][..], Vec::as_slice);
        let set = |column| parse_set(&text(row, column).unwrap_or_default(), flavor);
        Ok(Held {
            executed: set(0)?,
            purged: set(1)?,
        })
    }

    /// What MariaDB has logged up to a place; `None` where it has no such place, or the place lies beyond 4 GiB.
    pub(crate) async fn logged_up_to(
        &mut self,
        (file, position): &Place,
    ) -> Result<Option<Gtids>, Error> {
        let flavor = self.flavor();
        let sql = format!("SELECT BINLOG_GTID_POS({}, {position})", quote(file));
        let rows = self.query(&sql).await?;
        let set = rows.rows.first().and_then(|row| text(row, 0));
        set.map(|set| parse_set(&set, flavor)).transpose()
    }

    /// How a binary log was begun, as its first event says; `None` when the source does not send it.
    pub(crate) async fn begun(
        &mut self,
        file: &str,
        server_id: u32,
    ) -> Result<Option<Begun>, Error> {
        let from = Start::Position(file.to_owned(), 4);
        let (mut events, checksum) = self.dump(server_id, &from).await?;
        let mut decoder = Decoder::for_dump(checksum);
        let mut frames = Vec::new();
        let mut seen = 0;
        while seen < MAX_FIRST_EVENTS {
            match events.next_frames(&mut frames).await {
                Ok(_) if !frames.is_empty() => {}
                // It will say the same, and why, when the stream itself asks for this file.
                Ok(_)
                | Err(
                    super::Error::PositionPurged(_)
                    | super::Error::PositionUnknown(_)
                    | super::Error::LogCutOff(_),
                ) => {
                    return Ok(None);
                }
                Err(error) => return Err(source_error(self.options(), error)),
            }
            for frame in frames.drain(..) {
                seen += 1;
                let Ok(event) = decoder.decode(&frame) else {
                    return Ok(None);
                };
                if let EventData::FormatDescription(format) = &event.data {
                    let begun = Begun {
                        at: event.header.timestamp,
                        behind_another: format.created == 0,
                    };
                    return Ok(Some(begun).filter(|begun| begun.at != 0));
                }
            }
        }
        Ok(None)
    }

    /// Is another process's replica of this id, or of the uuid that goes with it, connected to a server that may not have told
    /// the one before that it was pushed out (MySQL before 5.7)? The newest ones, which tell, do not know the statement.
    /// A dump of this process may be there still, when it was not the server that closed it.
    pub(crate) async fn serves_another(&mut self, server_id: u32) -> Result<bool, Error> {
        if self.flavor() == Flavor::MariaDb {
            return Ok(false);
        }
        let rows = match self.query("SHOW SLAVE HOSTS").await {
            Err(Error::Source {
                // ER_PARSE_ERROR
                error: super::Error::Server(error),
                ..
            }) if error.code == 1064 => return Ok(false),
            rows => rows?,
        };
        let (id, uuid) = (server_id.to_string(), replica_uuid(server_id));
        let mark = process_mark().to_string();
        let is = |row: &Vec<_>, at, what: &String| text(row, at).as_ref() == Some(what);
        Ok(rows
            .rows
            .iter()
            .any(|row| (is(row, 0, &id) || is(row, 4, &uuid)) && !is(row, 2, &mark)))
    }
}

/// Is the place the beginning of a file, or the end of all that is in it? Or why there is no such place.
fn place_among(logs: &[LogFile], file: &str, position: u64) -> Result<bool, String> {
    if let Some(log) = logs.iter().find(|log| log.name == file) {
        return if position <= log.size {
            Ok(position == 4 || position == log.size)
        } else {
            Err(format!(
                "its {file} ends at {}, before position {position}",
                log.size
            ))
        };
    }
    let (Some(first), Some(last)) = (logs.first(), logs.last()) else {
        return Err(format!("it has no {file}, and no other binary log"));
    };
    let there = if logs.len() == 1 {
        format!("its only binary log is {}", first.name)
    } else {
        format!("its binary logs are {} to {}", first.name, last.name)
    };
    let purged = base(&first.name) == base(file) && log_order(file, 0) < log_order(&first.name, 0);
    let why = if purged {
        "what is older it has purged"
    } else {
        "it never had this one, or has it no more"
    };
    Err(format!("it has no {file}: {there}; {why}"))
}

/// What the names of a server's files have in common. Under another one (`log_bin` was changed) they are counted anew.
pub(crate) fn base(file: &str) -> Option<&str> {
    Some(file.rsplit_once('.')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_compared_to_positions() {
        let size = |cells: &[&'static str]| {
            let row: Vec<_> = cells.iter().map(|cell| Some(Bytes::from(*cell))).collect();
            LogFile::of(&row).map(|log| log.size)
        };
        assert_eq!(size(&["log.000007", "1234"]), Some(1234));
        assert_eq!(size(&["log.000007", "1234", "No"]), Some(1234));
        assert_eq!(size(&["log.000007", "1746", "Yes"]), Some(1234));
        assert_eq!(size(&["log.000007", "much"]), None);
    }

    #[test]
    fn a_place_that_is_there_and_why_one_is_not() {
        let logs: Vec<LogFile> = [("log.000007", 1000), ("log.000008", 500)]
            .map(|(name, size)| LogFile {
                name: name.to_owned(),
                size,
            })
            .into();
        let place = |file, position| place_among(&logs, file, position);
        assert_eq!(place("log.000007", 4), Ok(true));
        assert_eq!(place("log.000008", 500), Ok(true));
        assert_eq!(place("log.000008", 300), Ok(false));
        assert_eq!(
            place("log.000008", 501).unwrap_err(),
            "its log.000008 ends at 500, before position 501"
        );
        for (file, why) in [
            ("log.000006", "what is older it has purged"),
            ("log.000009", "it never had this one, or has it no more"),
            ("other.000001", "it never had this one, or has it no more"),
            ("nonsense", "it never had this one, or has it no more"),
        ] {
            assert_eq!(
                place(file, 4).unwrap_err(),
                format!("it has no {file}: its binary logs are log.000007 to log.000008; {why}")
            );
        }
        let only = place_among(&logs[1..], "x.000001", 4).unwrap_err();
        assert!(
            only.contains("its only binary log is log.000008; it never"),
            "{only}"
        );
        assert_eq!(
            place_among(&[], "x.000001", 4).unwrap_err(),
            "it has no x.000001, and no other binary log"
        );
    }
}
