//! Tables as the stream knows them.

use std::sync::Arc;

use crate::index::record::KnownBy;
use crate::pipeline::tables::Columns;
use crate::table::Table;

/// A table as the stream knows it: kept, or left out.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Kept {
        table: Arc<Table>,
        table_id: u32,
    },
    Filtered,
    /// Its definition could not be read: its rows are counted as skipped.
    Unreadable,
}

impl Entry {
    /// Would it be the same if it were asked for again? Names that are not known may have come to be.
    pub(super) fn is_certain(&self) -> bool {
        match self {
            Self::Kept { table, .. } => table.version.known_by != KnownBy::Position,
            Self::Filtered | Self::Unreadable => true,
        }
    }
}

impl Columns for Entry {
    fn columns(&self) -> usize {
        match self {
            Self::Kept { table, .. } => table.map.columns.len(),
            Self::Filtered | Self::Unreadable => 0,
        }
    }
}
