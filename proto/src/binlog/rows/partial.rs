//! Documents of PARTIAL_UPDATE_ROWS_EVENT, made whole.

use crate::binlog::json_diff::{JsonDiffs, Patcher};
use crate::binlog::jsonb::Jsonb;
use crate::binlog::table_map::{TableMap, bit};
use crate::error::{Error, Kind};

use super::Span;

/// A document that an update logs by its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentChange<'r> {
    /// Its column, from 0.
    pub column: usize,
    /// The changes.
    pub diffs: JsonDiffs<'r>,
    /// Does the image have the changed document? Not so when the changes do not fit the document before them, or
    /// when the before image leaves that out (`binlog_row_image=MINIMAL`).
    pub applied: Result<(), Error>,
}

/// The changed documents of one row. Reused from row to row.
#[derive(Debug, Clone, Default)]
pub(super) struct Partial {
    pub(super) changes: Vec<Change>,
    /// The documents, one behind the other. Spans of them count from the end of the event's rows.
    pub(super) patched: Vec<u8>,
    patcher: Patcher,
}

/// A [`DocumentChange`], by where it stands.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) column: u16,
    pub(super) diffs: Span,
    pub(super) applied: Result<(), Error>,
}

/// Bytes of documents that stay allocated from row to row.
const MAX_KEPT: usize = 1 << 20;

impl Partial {
    /// Puts the changed documents in place of the changes: `changed` tells for each JSON column whether `after`
    /// has changes.
    pub(super) fn patch(
        &mut self,
        table: &TableMap,
        changed: &[u8],
        data: &[u8],
        before: &[Span],
        after: &mut [Span],
    ) {
        self.changes.clear();
        self.patched.clear();
        self.patched.shrink_to(MAX_KEPT);
        for (number, &column) in table.json_columns.iter().enumerate() {
            let place = usize::from(column);
            let Some(span) = after.get_mut(place).filter(|_| bit(changed, number)) else {
                continue;
            };
            let Some(diffs) = span.bytes(data) else {
                continue;
            };
            let document = before.get(place).and_then(|span| span.bytes(data));
            let (diffs_at, start) = (*span, self.patched.len());
            let applied = match document {
                None => Err(Error::new(
                    "JSON diff",
                    Kind::Invalid("the before image does not have its document"),
                )),
                Some(document) => {
                    let (document, diffs) = (Jsonb::new(document), JsonDiffs::new(diffs));
                    self.patcher.apply(document, diffs, &mut self.patched)
                }
            };
            let patched = applied.and_then(|()| {
                let len = self.patched.len().saturating_sub(start);
                Span::new(data.len().saturating_add(start), len).ok_or(Error::new(
                    "JSON diff",
                    Kind::Unsupported("a row with 4 GiB of documents"),
                ))
            });
            *span = patched.unwrap_or(Span::ABSENT);
            self.changes.push(Change {
                column,
                diffs: diffs_at,
                applied: patched.map(drop),
            });
        }
    }
}

impl Span {
    /// The bytes in the event's rows; `None` where there is no value.
    fn bytes(self, data: &[u8]) -> Option<&[u8]> {
        match self {
            Self::NULL | Self::ABSENT => None,
            Self { start, len } => {
                let start = start as usize;
                data.get(start..start.wrapping_add(len as usize))
            }
        }
    }
}
