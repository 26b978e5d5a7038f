//! Is a start in the middle of a file one between transactions? The first event from there tells.

use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
use bintrail_proto::binlog::format_description::Flavor as Family;

use crate::error::Error;
use crate::index::record::Place;
use crate::pipeline::statement::{Statement, classify};
use crate::source::server::{self, Server};

/// The first events of a dump from somewhere.
#[derive(Debug)]
pub(super) struct Footing {
    /// Each transaction begins with a GTID, be it an anonymous one.
    by_gtids: bool,
}

/// What an event tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ground {
    Nothing,
    /// It stands between transactions, or begins one.
    Firm,
    /// It is part of one.
    Inside,
}

impl Footing {
    pub(super) fn of(server: &Server) -> Self {
        Self {
            by_gtids: server.has_gtids(),
        }
    }

    pub(super) fn judge(&mut self, event: &Event<'_>) -> Ground {
        match &event.data {
            EventData::FormatDescription(format) => {
                // Before MySQL 5.7, there were no anonymous ones.
                self.by_gtids |= format.flavor() == Family::MariaDb
                    || format.server_version.numbers >= (5, 7, 0);
                Ground::Nothing
            }
            EventData::Rotate(_) if event.header.is_artificial() => Ground::Nothing,
            EventData::Query(_) if self.by_gtids => Ground::Inside,
            EventData::Query(query) => match classify(&String::from_utf8_lossy(query.statement)) {
                Statement::Commit
                | Statement::Rollback
                | Statement::RollbackTo
                | Statement::Inside => Ground::Inside,
                _ => Ground::Firm,
            },
            EventData::Xid(_)
            | EventData::XaPrepare(_)
            | EventData::TableMap(_)
            | EventData::Rows(_)
            | EventData::RowsQuery(_)
            | EventData::Compressed(_)
            | EventData::TransactionPayload(_) => Ground::Inside,
            EventData::Other => Ground::Nothing,
            _ => Ground::Firm,
        }
    }

    /// A start at `place` is refused, and told where the transaction begins that it is in.
    pub(super) async fn refuse(&self, server: &Server, server_id: u32, place: &Place) -> Error {
        let (file, position) = place;
        let begins = self.begins(server, server_id, place).await;
        let (begins, give) = match begins {
            Ok(Some(at)) => (format!(", which begins at {at}"), at.to_string()),
            _ => (String::new(), "a place between transactions".to_owned()),
        };
        Error::NoSuchPlace {
            address: server::address(server.options()),
            problem: format!(
                "position {position} of {file} is inside a transaction{begins}, and a part of one would be taken for a \
                 whole one; give --start-pos {give}"
            ),
        }
    }

    /// Where the last transaction begins that does so before `place`.
    async fn begins(
        &self,
        server: &Server,
        server_id: u32,
        (file, position): &Place,
    ) -> Result<Option<u64>, Error> {
        let (mut events, checksum) = server.dump_to_end(server_id, &(file.clone(), 4)).await?;
        let mut decoder = Decoder::for_dump(checksum);
        let mut frames = Vec::new();
        let mut begins = None;
        loop {
            let more = events.next_frames(&mut frames).await;
            more.map_err(|error| server.error(error))?;
            if frames.is_empty() {
                return Ok(begins);
            }
            for frame in frames.drain(..) {
                let event = decoder.decode(&frame);
                let event = event.map_err(|error| server.error(error.into()))?;
                if decoder.position() > *position {
                    return Ok(begins);
                }
                match &event.data {
                    EventData::Gtid(_) | EventData::MariadbGtid(_) => begins = Some(event.start),
                    EventData::Query(query) if !self.by_gtids => {
                        let sql = String::from_utf8_lossy(query.statement);
                        if matches!(classify(&sql), Statement::Begin) {
                            begins = Some(event.start);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}
