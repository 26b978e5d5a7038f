//! What leaves the assembler: batches, and the place that they bring the index to.

use super::{Assembler, Work};
use crate::clock;
use crate::index::record::Checkpoint;

impl Assembler {
    pub(super) fn recount(&mut self) {
        let first_kept = self.work.rows.first().map(|rows| rows.first_change_id);
        let end = self
            .open
            .as_ref()
            .map_or(self.next_change_id, |open| open.transaction_id);
        self.work.row_count = first_kept.map_or(0, |first| end.saturating_sub(first));
    }

    /// Takes what is pending, with a checkpoint when the stream has a new place to resume from.
    pub(crate) fn take(&mut self) -> Work {
        let checkpoint = (!self.unproven && (self.moved || self.wanted)).then(|| self.checkpoint());
        self.moved = false;
        self.wanted = false;
        self.quiet = false;
        if let Some(open) = &mut self.open {
            open.flushed |= open.row_count > 0;
        }
        let mut work = std::mem::take(&mut self.work);
        work.batch.checkpoint = checkpoint;
        work
    }

    /// Takes what is pending up to the last whole transaction: nothing follows.
    pub(crate) fn take_last(&mut self) -> Work {
        if let Some(open) = &self.open {
            let open_id = open.transaction_id;
            self.work.rows.retain(|rows| rows.transaction_id != open_id);
            self.recount();
        }
        self.take()
    }

    /// How long ago what was read last was committed; 0 when the source has had nothing since the
    /// last checkpoint; `None` before it has told.
    fn lag_seconds(&self) -> Option<f64> {
        let newest = match &self.open {
            Some(open) => Some(open.committed_at),
            // What was read by the session before says nothing of this one.
            None if !self.heard => return None,
            None if self.caught_up || self.quiet && !self.moved => None,
            None => self.boundary.last_event_time,
        };
        Some(newest.map_or(0.0, |time| clock::seconds_between(time, clock::now())))
    }

    /// The place to resume from, as of the last whole transaction.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let boundary = &self.boundary;
        Checkpoint {
            mode: self.mode,
            binlog_file: boundary.file.clone(),
            binlog_position: boundary.position,
            binlog_created: boundary.created,
            gtid_set: boundary.gtid_set.to_string(),
            next_change_id: self
                .open
                .as_ref()
                .map_or(self.next_change_id, |open| open.transaction_id),
            events_indexed: boundary.events_indexed,
            last_event_time: boundary.last_event_time,
            server_id: self.server_id,
            lag_seconds: self.lag_seconds(),
            capture_skips: self.skips.clone(),
        }
    }
}
