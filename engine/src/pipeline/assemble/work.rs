//! What goes to the index at once.

use bintrail_proto::binlog::rows::RowsKind;

use crate::index::record::{Batch, RowChange};
use crate::pipeline::encode::RawRows;
use crate::table::Table;

/// Rows on their way to the encoder, and what goes to the index with them.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) rows: Vec<RawRows>,
    /// Rows in `rows`.
    pub(crate) row_count: u64,
    /// About as many bytes as this takes in memory on its way to the index: what is encoded from `rows`, and all that
    /// was read since the first of them, of which they may keep the whole.
    pub(crate) weight: u64,
    /// All but the rows themselves.
    pub(crate) batch: Batch,
}

impl Work {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.batch.transactions.is_empty()
            && self.batch.xa_decided.is_empty()
            && self.batch.schema_changes.is_empty()
            && self.batch.discard_from.is_none()
    }
}

/// About as many bytes as a rows event and what is encoded from it take in memory.
pub(super) fn weight(body: usize, rows: u64, kind: RowsKind, table: &Table) -> u64 {
    let images = match kind {
        RowsKind::Update => 2,
        RowsKind::Write | RowsKind::Delete => 1,
    };
    let fixed = images * table.fixed_len + size_of::<RowChange>() as u64;
    // Bytes may be twice as long in base64 or in UTF-8.
    let body = (body as u64).saturating_mul(3);
    rows.saturating_mul(fixed)
        .saturating_add(body)
        .saturating_add(size_of::<RawRows>() as u64)
}
