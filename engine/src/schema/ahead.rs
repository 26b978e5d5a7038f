//! What lies between the stream and the end of the source's binlog: the statements that may have given
//! tables other columns since.

use std::collections::VecDeque;

use bintrail_proto::binlog::decoder::{Decoder, EventData};
use bintrail_proto::binlog::header::EventType;

use super::concern::{Concern, Folded};
use super::{Place, is_before};
use crate::error::Error;
use crate::source::replication::Progress;
use crate::source::server::Server;

/// Statements remembered. What lies behind the last of them is read again when it is asked for.
const MAX_STATEMENTS: usize = 4096;

/// The stretch of the binlog that was read ahead of the stream.
#[derive(Debug)]
pub(super) struct Ahead {
    /// The server id to read it under.
    server_id: u32,
    /// Where the stretch ends; `None` before there is any.
    end: Option<Place>,
    /// The statements in it that concern tables, in order, and where they begin.
    statements: VecDeque<(Place, Concern)>,
}

impl Ahead {
    pub(super) const fn new(server_id: u32) -> Self {
        Self {
            server_id,
            end: None,
            statements: VecDeque::new(),
        }
    }

    /// Does a statement behind `place`, and before `until` or else the end of the binlog, concern this table?
    pub(super) async fn concerns(
        &mut self,
        (schema, table): (&Folded, &Folded),
        place: &Place,
        until: Option<&Place>,
        server: &Server,
    ) -> Result<bool, Error> {
        while self
            .statements
            .front()
            .is_some_and(|(at, _)| !is_before(place, at))
        {
            self.statements.pop_front();
        }
        if self
            .statements
            .iter()
            .any(|(_, concern)| concern.has(schema, table))
        {
            return Ok(true);
        }
        let from = match self.end.take() {
            Some(end) if !is_before(&end, place) => end,
            _ => place.clone(),
        };
        if until.is_some_and(|until| !is_before(&from, until)) {
            self.end = Some(from);
            return Ok(false);
        }
        let (mut events, checksum) = server.dump_to_end(self.server_id, &from).await?;
        let mut decoder = Decoder::for_dump(checksum);
        let mut here = from.clone();
        self.end = Some(from);
        let mut frames = Vec::new();
        let mut inflated = Vec::new();
        let mut remember = true;
        let found = 'read: loop {
            match events.next_frames(&mut frames).await {
                Ok(Progress::Events) => {}
                Ok(Progress::End) => break false,
                Err(error) => return Err(server.error(error)),
            }
            for frame in frames.drain(..) {
                let position = decoder.position();
                let mut event = decoder.decode(&frame);
                // Rows are of no interest here, compressed or not.
                if let Ok(plain) = &event
                    && let EventData::Compressed(compressed) = &plain.data
                    && compressed.event_type == EventType::QUERY_EVENT
                {
                    event = event.and_then(|event| event.inflate(&mut inflated));
                }
                let event = event.map_err(|error| Error::Binlog {
                    file: here.0.clone(),
                    position,
                    error,
                    remedy: "it is read again from the source",
                })?;
                here.1 = event.end;
                match &event.data {
                    EventData::Rotate(rotate) => here = (rotate.file.to_owned(), rotate.position),
                    // What TRANSACTION_PAYLOAD_EVENT holds need not be looked at: the one statement in there is
                    // CREATE TABLE, of a table that another statement has dropped or renamed before.
                    EventData::Query(query) => {
                        let concern = Concern::of(query);
                        let at = (here.0.clone(), event.start);
                        if concern != Concern::Nothing && is_before(place, &at) {
                            let found = concern.has(schema, table);
                            remember &= self.statements.len() < MAX_STATEMENTS;
                            if remember {
                                self.statements.push_back((at, concern));
                            }
                            if found {
                                break 'read true;
                            }
                        }
                    }
                    _ => {}
                }
                if until.is_some_and(|until| !is_before(&here, until)) {
                    break 'read false;
                }
            }
        };
        if remember {
            self.end = Some(here);
        }
        Ok(found)
    }
}
