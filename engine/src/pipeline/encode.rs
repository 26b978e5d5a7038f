//! Raw row events to the texts that the index stores.

use std::sync::Arc;

use bintrail_proto::Error;
use bintrail_proto::binlog::header::EventType as BinlogEventType;
use bintrail_proto::binlog::rows::{Row, RowBuf, RowsEvent, RowsKind};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::image::{self, ImageWriter};
use crate::index::record::{Batch, EventType, Micros, RowChange};
use crate::table::Table;

/// A rows event that is still to be decoded, and what its rows need to know.
#[derive(Debug)]
pub struct RawRows {
    /// The rows event's type.
    pub event_type: BinlogEventType,
    /// The rows event's body.
    pub body: Bytes,
    /// The table it belongs to.
    pub table: Arc<Table>,
    /// That table's id in the index.
    pub table_id: u32,
    /// The transaction it belongs to.
    pub transaction_id: u64,
    /// When that was committed.
    pub committed_at: Micros,
    /// The id of its first row; the others follow.
    pub first_change_id: u64,
}

/// Encodes rows events; holds what is reused from row to row.
#[derive(Debug, Default)]
pub struct Encoder {
    images: ImageWriter,
    row: RowBuf,
}

impl Encoder {
    /// Appends the rows of `raw` to `batch`, in order.
    ///
    /// # Errors
    /// When the event cannot be read. It was counted before it came here, so that this is a fault of
    /// ours or of the memory, never of the source.
    pub fn encode(&mut self, raw: &RawRows, batch: &mut Batch) -> Result<(), Error> {
        let event = RowsEvent::parse(raw.event_type, &raw.body)?;
        let event_type = match event.kind {
            RowsKind::Write => EventType::Insert,
            RowsKind::Update => EventType::Update,
            RowsKind::Delete => EventType::Delete,
        };
        let mut rows = event.rows(&raw.table.map, &mut self.row)?;
        let mut change_id = raw.first_change_id;
        while let Some(row) = rows.next()? {
            let changed = match (row.before, row.after) {
                (Some(before), Some(after)) => image::changed(before, after),
                _ => 0,
            };
            let texts = encode_row(&mut self.images, &raw.table, row, &mut batch.text);
            batch.rows.push(RowChange {
                change_id,
                committed_at: raw.committed_at,
                table_id: raw.table_id,
                transaction_id: raw.transaction_id,
                event_type,
                pk_hash: texts.pk_hash,
                pk_values: texts.pk_values,
                row_before: texts.before,
                row_after: texts.after,
                new_key: texts.new_key,
                changed,
            });
            change_id = change_id.wrapping_add(1);
        }
        Ok(())
    }

    /// Values kept as raw bytes because they could not be read as their column's type, since the last call.
    pub fn take_undecodable(&mut self) -> u64 {
        std::mem::take(&mut self.images.undecodable)
    }

    /// Documents left out because their changes, which are all that was logged, could not be applied, since the last
    /// call.
    pub fn take_unpatched(&mut self) -> u64 {
        std::mem::take(&mut self.images.unpatched)
    }
}

type TextRange = std::ops::Range<usize>;

struct RowTexts {
    pk_hash: [u8; 8],
    pk_values: Option<TextRange>,
    before: Option<TextRange>,
    after: Option<TextRange>,
    new_key: Option<([u8; 8], TextRange)>,
}

fn encode_row(
    images: &mut ImageWriter,
    table: &Table,
    row: Row<'_>,
    text: &mut Vec<u8>,
) -> RowTexts {
    let mut range_of = |image| {
        let start = text.len();
        images.write_image(text, table, image);
        start..text.len()
    };
    let before = row.before.map(&mut range_of);
    let after = row.after.map(&mut range_of);

    // A row is known by the key it had; a new row by the key it has.
    let start = text.len();
    let has_key = row
        .before
        .or(row.after)
        .is_some_and(|image| images.write_key(text, table, image));
    let end = text.len();
    let pk_values = has_key.then_some(start..end);
    // Without a key, by all of it.
    let identity = pk_values
        .clone()
        .or_else(|| before.clone().or_else(|| after.clone()));
    let pk_hash = hash(
        identity
            .and_then(|range| text.get(range))
            .unwrap_or_default(),
    );
    let start = text.len();
    let new_key = match (row.before, row.after) {
        (Some(old), Some(new)) if images.write_new_key(text, table, old, new) => {
            let range = start..text.len();
            let hash = hash(text.get(range.clone()).unwrap_or_default());
            Some((hash, range))
        }
        _ => None,
    };
    RowTexts {
        pk_hash,
        pk_values,
        before,
        after,
        new_key,
    }
}

fn hash(text: &[u8]) -> [u8; 8] {
    let digest = Sha256::digest(text);
    digest.first_chunk::<8>().copied().unwrap_or_default()
}
