//! What a source still has of its binary logs, and whether they are the ones that were read.

use std::time::Duration;

use bintrail_proto::binlog::decoder::{Decoder, EventData};

use super::server::{Server, dump, parse_set, quote, source_error, text};
use crate::error::Error;
use crate::gtids::Gtids;
use crate::index::record::Flavor;
use crate::stream::Start;

/// Events of a new dump among which a file's first one is.
const MAX_FIRST_EVENTS: usize = 16;

/// A binary log as the source lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) name: String,
    pub(crate) size: u64,
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
                tracing::warn!(
                    %error,
                    "cannot see whether the source's binary logs were purged or reset; \
                     GRANT REPLICATION CLIENT ON *.* to the user"
                );
                return Ok(None);
            }
            rows => rows?,
        };
        let files = rows.rows.iter().filter_map(|row| {
            Some(LogFile {
                name: text(row, 0)?,
                size: text(row, 1)?.parse().ok()?,
            })
        });
        Ok(Some(files.collect()))
    }

    /// Its GTIDs. `oldest` is its oldest binary log, which MariaDB is asked about.
    pub(crate) async fn held(&mut self, oldest: Option<&str>) -> Result<Held, Error> {
        let flavor = self.flavor();
        let sql = match (flavor, oldest) {
            (Flavor::MySql, _) => {
                "SELECT @@GLOBAL.gtid_executed, @@GLOBAL.gtid_purged".to_owned()
            }
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

    /// When a binary log was begun, as its first event says; `None` when the source does not send it.
    pub(crate) async fn begun(&mut self, file: &str, server_id: u32) -> Result<Option<u32>, Error> {
        let from = Start::Position(file.to_owned(), 4);
        let (mut events, checksum) = dump(self.options(), server_id, &from, self.flavor()).await?;
        let mut decoder = Decoder::for_dump(checksum);
        let mut frames = Vec::new();
        let mut seen = 0;
        while seen < MAX_FIRST_EVENTS {
            match events.next_frames(&mut frames).await {
                Ok(_) if !frames.is_empty() => {}
                // It will say the same, and why, when the stream itself asks for this file.
                Ok(_) | Err(super::Error::PositionPurged(_) | super::Error::PositionUnknown(_)) => {
                    return Ok(None);
                }
                Err(error) => return Err(source_error(self.options(), error)),
            }
            for frame in frames.drain(..) {
                seen += 1;
                let Ok(event) = decoder.decode(&frame) else {
                    return Ok(None);
                };
                if let EventData::FormatDescription(_) = event.data {
                    return Ok(Some(event.header.timestamp).filter(|time| *time != 0));
                }
            }
        }
        Ok(None)
    }

    /// How long it keeps its binary logs, where there is a limit; and the most bytes that it keeps of them.
    pub(crate) fn retention(&self) -> (Option<Duration>, Option<u64>) {
        let settings = &self.settings;
        let seconds = match (settings.expire_seconds, settings.expire_days) {
            // MySQL has either; MariaDB both, with the same meaning.
            (Some(seconds), _) if seconds > 0.0 => Some(seconds),
            (_, Some(days)) if days > 0.0 => Some(days * 86_400.0),
            _ => None,
        };
        let age = seconds
            .filter(|_| settings.auto_purge)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        (age, settings.max_total_size.filter(|size| *size > 0))
    }
}
