//! Events on their way into batches.

use std::sync::Arc;

use bintrail_proto::binlog::decoder::{Event, EventData};
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::Session;
use super::files::Events;
use super::footing::Ground;
use crate::error::Error;
use crate::index::own;
use crate::pipeline::assemble::{Entry, Need};
use crate::schema::Named;
use crate::source::server::source_error;
use crate::stream::resume::Hole;
use crate::stream::write::Job;

const BEHIND_THE_END: bintrail_proto::Error = bintrail_proto::Error::new(
    "TRANSACTION_PAYLOAD_EVENT",
    bintrail_proto::Kind::Invalid("an event behind the end of its transaction"),
);

impl Session<'_> {
    /// Takes in the events of `frames`, and empties it. What is left of them when it is told to stop
    /// is read again.
    pub(super) async fn take(
        &mut self,
        frames: &mut Vec<Bytes>,
        queue: &mpsc::Sender<Job>,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), Error> {
        // Back in its place unless the session ends here.
        let mut unpacker = std::mem::take(&mut self.unpacker);
        for frame in frames.drain(..) {
            self.assembler.read(frame.len());
            let position = self.decoder.position();
            let event = self.decoder.decode(&frame);
            let mut event = event.map_err(|error| self.damaged(position, error))?;
            if let Events::Dump { seam, host, .. } = &mut self.events {
                seam.follow(&event)
                    .map_err(|error| source_error(host, error))?;
                if let EventData::Heartbeat(heartbeat) = &mut event.data
                    && heartbeat.position.is_none()
                {
                    heartbeat.position = seam.reached(event.header.log_pos, event.end);
                    event.end = heartbeat.position.unwrap_or(event.end);
                }
                let (assembler, server) = (&self.assembler, &self.server);
                self.hole = Hole::shown_by(
                    &event,
                    seam.now(),
                    assembler.gtids(),
                    || assembler.checkpoint(),
                    || {
                        let server = server.as_ref();
                        server.map_or_else(String::new, |server| server.identity().server_uuid)
                    },
                );
                if self.hole.is_some() {
                    break;
                }
            }
            if let Some(passed) = &self.passed {
                if passed.holds(&event) {
                    continue;
                }
                if passed.ends_with(&event) {
                    self.passed = None;
                }
            }
            if let (Some(footing), Some(server)) = (&mut self.footing, &self.server) {
                match footing.judge(&event) {
                    Ground::Nothing => {}
                    Ground::Firm => self.footing = None,
                    Ground::Inside => {
                        let (file, start) = self.assembler.place();
                        let place = (file.to_owned(), start);
                        return Err(footing.refuse(server, self.server_id, &place).await);
                    }
                }
            }
            if let Events::Files(files) = &mut self.events
                && files.known.holds(&event)
            {
                continue;
            }
            let more = match &event.data {
                EventData::Compressed(compressed) => {
                    let mut inflated = Vec::new();
                    let inflate = compressed.inflate(&mut inflated);
                    inflate.map_err(|error| self.damaged(position, error))?;
                    let body = Bytes::from(inflated);
                    let plain = event.with_body(compressed.event_type, &body);
                    let plain = plain.map_err(|error| self.damaged(position, error))?;
                    self.take_event(&plain, Some(&body), queue, stop).await?
                }
                EventData::TransactionPayload(payload) => {
                    let events = unpacker.events(payload);
                    let mut events = events.map_err(|error| self.damaged(position, error))?;
                    let mut begun = false;
                    let mut more = true;
                    while more {
                        let packed = events
                            .next()
                            .map_err(|error| self.damaged(position, error))?;
                        let Some(packed) = packed else { break };
                        // A checkpoint behind a transaction stands behind its payload, and would leave these out.
                        if begun && !self.assembler.in_transaction() {
                            return Err(self.damaged(position, BEHIND_THE_END));
                        }
                        let packed = self.decoder.decode_packed(packed, &event);
                        let packed = packed.map_err(|error| self.damaged(position, error))?;
                        more = self.take_event(&packed, None, queue, stop).await?;
                        begun = true;
                    }
                    more
                }
                _ => self.take_event(&event, Some(&frame), queue, stop).await?,
            };
            if !more {
                break;
            }
        }
        self.unpacker = unpacker;
        Ok(())
    }

    /// Takes in an event. Returns `false` when told to stop in the middle of it.
    async fn take_event(
        &mut self,
        event: &Event<'_>,
        frame: Option<&Bytes>,
        queue: &mpsc::Sender<Job>,
        stop: &watch::Receiver<bool>,
    ) -> Result<bool, Error> {
        if let EventData::Query(query) = &event.data {
            let file = self.assembler.file();
            if let Some(concern) = self.names.pass(query, event, file).await? {
                self.assembler
                    .forget_tables(|schema, table| concern.names(schema, table));
            }
        }
        match self.assembler.handle(event, frame) {
            Need::Nothing => {}
            Need::Table(map) => {
                let place = (self.assembler.file().to_owned(), event.start);
                let server_table_id = map.table_id;
                if own::is_own(&map.table)
                    && let Some(server) = &mut self.server
                    && server
                        .indexes()
                        .await?
                        .iter()
                        .any(|schema| **schema == *map.schema)
                {
                    self.assembler.leave_out_index(&map.schema);
                    self.assembler
                        .define(event.body, server_table_id, Entry::Filtered);
                    return Ok(true);
                }
                let resolve = self.names.resolve(map, place, self.server.as_mut(), stop);
                let vitals = &self.vitals;
                let Some(Named { table, table_id }) = vitals.busy(resolve).await? else {
                    return Ok(false);
                };
                let table = Arc::new(table);
                self.assembler
                    .define(event.body, server_table_id, Entry::Kept { table, table_id });
            }
            Need::Prepared(xid) => {
                let holds = self.index.holds_prepared(self.source_id, &xid);
                if !self.vitals.busy(holds).await? {
                    self.assembler.miss_prepared(&xid, event);
                }
            }
        }
        let pending = self.assembler.pending();
        let full = pending.row_count >= self.batch_size && queue.capacity() > 0;
        let large = pending.weight >= self.budget.batch && !pending.is_empty();
        if full || large {
            self.hand_on(queue).await?;
        }
        Ok(true)
    }

    /// The event at `position` cannot be read.
    fn damaged(&self, position: u64, error: bintrail_proto::Error) -> Error {
        Error::Binlog {
            file: self.assembler.file().to_owned(),
            position,
            error,
            remedy: match &self.events {
                Events::Dump { .. } => "it is read again from the source",
                Events::Files(_) => {
                    "the file is damaged: copy it again from the source, and run this again"
                }
            },
        }
    }
}
