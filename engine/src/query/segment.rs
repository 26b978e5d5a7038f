//! Runs of ids.

use super::plan::Path;
use super::{SESSION_RUN, WINDOW};
use crate::index::places::BLOCK_BITS;

/// Ids from one up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Segment {
    pub(crate) const fn is_empty(self) -> bool {
        self.from >= self.to
    }

    /// Cuts off the ids to look at next.
    pub(super) fn window(&mut self, newest_first: bool) -> Self {
        let width = WINDOW.min(self.to.saturating_sub(self.from));
        if newest_first {
            let cut = self.to.saturating_sub(width);
            let window = Self { from: cut, ..*self };
            self.to = cut;
            window
        } else {
            let cut = self.from.saturating_add(width);
            let window = Self { to: cut, ..*self };
            self.from = cut;
            window
        }
    }

    /// Is this run of ids next to it, and may it be read with it in one go?
    pub(super) const fn takes(self, run: Self, path: &Path) -> bool {
        let all = if self.from < run.from {
            run.to - self.from
        } else {
            self.to - run.from
        };
        (self.to == run.from || self.from == run.to)
            && (matches!(path, Path::Blocks) || all <= SESSION_RUN << BLOCK_BITS)
    }

    /// Only what comes behind a row, when there is one.
    pub(super) fn behind(self, row: Option<u64>, newest_first: bool) -> Self {
        match row {
            Some(row) if newest_first => Self {
                to: self.to.min(row),
                ..self
            },
            Some(row) => Self {
                from: self.from.max(row.saturating_add(1)),
                ..self
            },
            None => self,
        }
    }

    /// Takes back what of a window comes behind a row.
    pub(super) fn give_back(&mut self, window: Self, row: u64, newest_first: bool) {
        if newest_first {
            *self = Self {
                to: row,
                from: self.from.min(window.from),
            };
        } else {
            *self = Self {
                from: row.saturating_add(1),
                to: self.to.max(window.to),
            };
        }
    }
}
