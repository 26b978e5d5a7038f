//! What is asked for.

use std::ops::Range;

use super::image::{Image, changed_columns};
use crate::index::Result;
use crate::index::convert::damaged;
use crate::index::record::{EventType, Micros};

/// Which row changes are asked for: those that fit everything that is given.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Of this source.
    pub source_id: Option<u32>,
    /// Of tables in this schema.
    pub schema: Option<String>,
    /// Of tables of this name.
    pub table: Option<String>,
    /// Of rows that had or got one of these keys, as `pk_values` has them.
    pub keys: Vec<String>,
    /// Of one of these kinds.
    pub event_types: Vec<EventType>,
    /// Of the transaction with this GTID.
    pub gtid: Option<String>,
    /// Committed then or later.
    pub since: Option<Micros>,
    /// Committed before.
    pub until: Option<Micros>,
    /// Made by this session of the source.
    pub connection_id: Option<u32>,
    /// Updates that changed this column.
    pub changed_column: Option<String>,
    /// Where a column has this value before or after.
    pub values: Vec<(String, String)>,
    /// With an id among these.
    pub ids: Option<Range<u64>>,
    /// At most so many.
    pub limit: Option<u64>,
    /// Newest first.
    pub newest_first: bool,
    /// Those that come behind the one of this id, in the order asked for: the next page of an answer.
    pub behind: Option<u64>,
}

impl Question {
    /// Do images tell whether a row change fits?
    pub(super) const fn is_about_images(&self) -> bool {
        self.changed_column.is_some() || !self.values.is_empty()
    }

    /// May images be looked at before anything else of the rows is read?
    pub(super) const fn may_sift(&self) -> bool {
        self.is_about_images() && self.connection_id.is_none()
    }

    /// Has a row with these images the values asked for, and changed the column?
    pub(super) fn fits_images(&self, before: Option<&str>, after: Option<&str>) -> Result<bool> {
        let before = before.map(Image::parse).transpose().map_err(damaged)?;
        let after = after.map(Image::parse).transpose().map_err(damaged)?;
        if let Some(column) = &self.changed_column {
            let (Some(before), Some(after)) = (&before, &after) else {
                return Ok(false);
            };
            let mut changed = changed_columns(before, after);
            if !changed.any(|name| name.eq_ignore_ascii_case(column)) {
                return Ok(false);
            }
        }
        Ok(self.values.iter().all(|(column, value)| {
            let has = |image: &Option<Image<'_>>| {
                image.as_ref().is_some_and(|image| image.has(column, value))
            };
            has(&before) || has(&after)
        }))
    }
}
