//! WRITE_ROWS, UPDATE_ROWS and DELETE_ROWS events, v1 (23–25) and v2 (30–32), and PARTIAL_UPDATE_ROWS_EVENT (39).

mod partial;

pub use partial::DocumentChange;

use crate::error::{Error, Fault, Kind, Parsed, read, read_prefix};
use crate::primitive::{bytes, int_lenenc, int2, int6, length, rest};

use super::column::Width;
use super::extra_row_info::{self, Partition};
use super::header::EventType;
use super::json_diff::JsonDiffs;
use super::table_map::{Column, MAX_COLUMNS, TableMap, bit};
use super::value::Value;
use partial::Partial;

/// What a rows event does to its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsKind {
    /// Inserts them: each row is an after image.
    Write,
    /// Changes them: each row is a before and an after image.
    Update,
    /// Deletes them: each row is a before image.
    Delete,
}

/// A rows event: its header fields, and its rows still unread.
///
/// ```text
/// int<6>      table_id
/// int<2>      flags
/// v2 only:    int<2> length of the extra data, itself included, and that data
/// int<lenenc> column count
/// string<n>   columns present in the (first) image, 1 bit each
/// update:     string<n> columns present in the after image
/// string<EOF> rows: for each image, a NULL bit for each column present, then the values
/// ```
///
/// PARTIAL_UPDATE_ROWS_EVENT is an update v2. In its rows an after image has in front
///
/// ```text
/// int<lenenc> 1: some documents are logged by their changes; 0: none is
/// if 1:       string<n> is it this one? 1 bit for each JSON column of the table
/// ```
///
/// and such a document's value is [`JsonDiffs`].
///
/// Source: MySQL source documentation, `mysql::binlog::event::Rows_event`; WL#5917 for v2, WL#2955 for
/// partial updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsEvent<'a> {
    /// What it does.
    pub kind: RowsKind,
    /// Which [`TableMap`] it belongs to.
    pub table_id: u64,
    /// `Rows_event::STMT_END_F` (1): the statement's last event; and others.
    pub flags: u16,
    /// Which partition of the table the rows are in.
    pub partition: Option<Partition>,
    /// Some documents are logged by their changes.
    partial: bool,
    columns: usize,
    before: Present<'a>,
    after: Present<'a>,
    rows: &'a [u8],
}

/// Which columns an image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Present<'a> {
    bitmap: &'a [u8],
    count: usize,
}

const WHAT: &str = "rows event";

impl<'a> RowsEvent<'a> {
    /// The statement's last rows event: its table maps are no longer needed.
    pub const FLAG_STMT_END: u16 = 1;

    /// What events of this type do to rows, and whether their header is v2's; `None` for types that are not
    /// read here.
    #[must_use]
    pub const fn kind_of(event_type: EventType) -> Option<(RowsKind, bool)> {
        Some(match event_type {
            EventType::WRITE_ROWS_EVENT => (RowsKind::Write, true),
            EventType::UPDATE_ROWS_EVENT | EventType::PARTIAL_UPDATE_ROWS_EVENT => {
                (RowsKind::Update, true)
            }
            EventType::DELETE_ROWS_EVENT => (RowsKind::Delete, true),
            EventType::WRITE_ROWS_EVENT_V1 => (RowsKind::Write, false),
            EventType::UPDATE_ROWS_EVENT_V1 => (RowsKind::Update, false),
            EventType::DELETE_ROWS_EVENT_V1 => (RowsKind::Delete, false),
            _ => return None,
        })
    }

    /// Reads the body of an event of type `event_type`; the rows stay unread.
    ///
    /// # Errors
    /// What does not fit the layout; [`Kind::Unsupported`] for other types.
    pub fn parse(event_type: EventType, body: &'a [u8]) -> Result<Self, Error> {
        let Some((kind, v2)) = Self::kind_of(event_type) else {
            return Err(Error::new(WHAT, Kind::Unsupported("this event type")));
        };
        let mut event = read(WHAT, body, |input| Self::fields(kind, v2, input))?;
        event.partial = matches!(event_type, EventType::PARTIAL_UPDATE_ROWS_EVENT);
        Ok(event)
    }

    fn fields(kind: RowsKind, v2: bool, input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, table_id) = int6(input)?;
        let (mut input, flags) = int2(input)?;
        let mut partition = None;
        if v2 {
            let (rest, extra_len) = int2(input)?;
            let Some(extra_len) = extra_len.checked_sub(2) else {
                return Err(Fault::invalid(
                    input,
                    "the extra data's length leaves itself out",
                ));
            };
            let (rest, extra) = bytes(usize::from(extra_len))(rest)?;
            partition = extra_row_info::partition(kind, extra, rest)?;
            input = rest;
        }
        let (rest_of_input, columns) = int_lenenc(input)?;
        let columns = length(input, columns)?;
        if columns > MAX_COLUMNS {
            return Err(Fault::invalid(input, "more than 4096 columns"));
        }
        let present = |input| {
            let (input, bitmap) = bytes(columns.div_ceil(8))(input)?;
            let count = (0..columns).filter(|&number| bit(bitmap, number)).count();
            Ok((input, Present { bitmap, count }))
        };
        let (mut input, before) = present(rest_of_input)?;
        let mut after = before;
        if kind == RowsKind::Update {
            (input, after) = present(input)?;
        }
        let (input, rows) = rest(input)?;
        Ok((
            input,
            Self {
                kind,
                table_id,
                flags,
                partition,
                partial: false,
                columns,
                before,
                after,
                rows,
            },
        ))
    }

    /// Is its row one without any bytes? That is how an INSERT that names no column is logged
    /// with `binlog_row_image=MINIMAL`; the server lets such an event have one row only.
    #[must_use]
    pub const fn is_row_of_no_bytes(&self) -> bool {
        self.rows.is_empty() && matches!(self.kind, RowsKind::Write) && self.before.count == 0
    }

    /// Reads the rows one by one into `buf`, which is there to be reused: nothing is allocated once it
    /// has grown to the table's column count.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when `table` has another number of columns than the event.
    pub fn rows<'b>(&self, table: &'b TableMap, buf: &'b mut RowBuf) -> Result<Rows<'b>, Error>
    where
        'a: 'b,
    {
        self.check(table)?;
        Ok(Rows {
            event: *self,
            table,
            rest: self.rows,
            no_bytes: self.is_row_of_no_bytes(),
            buf,
        })
    }

    /// Counts the rows, by the lengths of their values.
    ///
    /// # Errors
    /// Those that reading the rows would give.
    pub fn count(&self, table: &TableMap) -> Result<u64, Error> {
        self.check(table)?;
        let (mut rest, mut count) = (self.rows, u64::from(self.is_row_of_no_bytes()));
        while !rest.is_empty() {
            rest = self.carve_row(table, rest, |_, _| {})?.0;
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    fn check(&self, table: &TableMap) -> Result<(), Error> {
        if self.columns == table.columns.len() {
            Ok(())
        } else {
            Err(Error::new(
                WHAT,
                Kind::Invalid("its column count is not that of its TABLE_MAP_EVENT"),
            ))
        }
    }

    /// Finds the values of the row at the front of `input`; returns what is behind it, and which of the JSON
    /// columns are logged by their changes.
    fn carve_row(
        &self,
        table: &TableMap,
        input: &'a [u8],
        mut found: impl FnMut(Side, Span),
    ) -> Result<(&'a [u8], &'a [u8]), Error> {
        let mut rest = input;
        let mut changed = &[][..];
        if self.kind != RowsKind::Write {
            rest = self.carve(table, self.before, rest, |span| found(Side::Before, span))?;
        }
        if self.partial {
            (rest, changed) = self.carve_changed(table, rest)?;
        }
        if self.kind != RowsKind::Delete {
            rest = self.carve(table, self.after, rest, |span| found(Side::After, span))?;
        }
        if rest.len() == input.len() {
            return Err(self.fault(input, Kind::Invalid("a row of no bytes")));
        }
        Ok((rest, changed))
    }

    /// What a partial update has in front of its after image: a bit for each JSON column, or nothing.
    fn carve_changed(
        &self,
        table: &TableMap,
        input: &'a [u8],
    ) -> Result<(&'a [u8], &'a [u8]), Error> {
        const PARTIAL_JSON_UPDATES: u64 = 1;
        let parsed = read_prefix(WHAT, input, |input| {
            let (rest, options) = int_lenenc(input)?;
            let bits = match options {
                0 => 0,
                PARTIAL_JSON_UPDATES => table.json_columns.len().div_ceil(8),
                _ => return Err(Fault::at(input, Kind::Unsupported("this row value option"))),
            };
            bytes(bits)(rest)
        });
        parsed.map_err(|error| self.fault(input, error.kind))
    }

    #[inline]
    fn carve(
        &self,
        table: &TableMap,
        present: Present<'_>,
        input: &'a [u8],
        mut found: impl FnMut(Span),
    ) -> Result<&'a [u8], Error> {
        let all_present = present.count == self.columns;
        let null_bytes = present.count.div_ceil(8);
        let truncated = |at| self.fault(at, Kind::Truncated);
        let (nulls, mut rest) = input
            .split_at_checked(null_bytes)
            .ok_or_else(|| truncated(input))?;
        let mut slot = 0_usize;
        for (number, width) in table.widths.iter().enumerate() {
            if !all_present && !bit(present.bitmap, number) {
                found(Span::ABSENT);
                continue;
            }
            let is_null = bit(nulls, slot);
            slot = slot.wrapping_add(1);
            if is_null {
                found(Span::NULL);
                continue;
            }
            let at = rest;
            let len = match *width {
                Width::Fixed(len) => usize::from(len),
                Width::Prefixed(prefix) => {
                    let (len, behind) = prefixed(prefix, rest).ok_or_else(|| truncated(at))?;
                    rest = behind;
                    len
                }
            };
            let start = self.rows.len().wrapping_sub(rest.len());
            (_, rest) = rest.split_at_checked(len).ok_or_else(|| truncated(at))?;
            found(Span::new(start, len).ok_or_else(|| {
                self.fault(at, Kind::Unsupported("a rows event of 4 GiB or more"))
            })?);
        }
        Ok(rest)
    }

    #[cold]
    fn fault(&self, at: &[u8], kind: Kind) -> Error {
        Error {
            what: "row",
            kind,
            offset: self.rows.len().saturating_sub(at.len()),
        }
    }
}

/// A little-endian length of 1 to 4 bytes at the front of `input`, and what is behind it.
#[inline]
fn prefixed(prefix: u8, input: &[u8]) -> Option<(usize, &[u8])> {
    Some(match prefix {
        1 => input
            .split_first()
            .map(|(&len, rest)| (usize::from(len), rest))?,
        2 => input
            .split_first_chunk::<2>()
            .map(|(len, rest)| (usize::from(u16::from_le_bytes(*len)), rest))?,
        3 => {
            let ([a, b, c], rest) = input.split_first_chunk::<3>()?;
            (
                usize::try_from(u32::from_le_bytes([*a, *b, *c, 0])).ok()?,
                rest,
            )
        }
        _ => {
            let (len, rest) = input.split_first_chunk::<4>()?;
            (usize::try_from(u32::from_le_bytes(*len)).ok()?, rest)
        }
    })
}

#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

/// Where a value stands in the event's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// Lengths that no value has, since an event is less than 4 GiB.
    const NULL: Self = Self {
        start: 0,
        len: u32::MAX,
    };
    const ABSENT: Self = Self {
        start: 0,
        len: u32::MAX - 1,
    };

    #[inline]
    fn new(start: usize, len: usize) -> Option<Self> {
        let span = Self {
            start: u32::try_from(start).ok()?,
            len: u32::try_from(len).ok()?,
        };
        (span.len < Self::ABSENT.len).then_some(span)
    }
}

/// Where the values of one row stand. Reused from row to row and from event to event.
#[derive(Debug, Clone, Default)]
pub struct RowBuf {
    before: Vec<Span>,
    after: Vec<Span>,
    partial: Partial,
}

/// Reads the rows of an event in order.
#[derive(Debug)]
pub struct Rows<'b> {
    event: RowsEvent<'b>,
    table: &'b TableMap,
    rest: &'b [u8],
    /// The row of no bytes is still to come.
    no_bytes: bool,
    buf: &'b mut RowBuf,
}

impl<'b> Rows<'b> {
    /// The next row; `None` behind the last one.
    ///
    /// The lengths of all its values have been checked when it is returned.
    ///
    /// # Errors
    /// [`Kind::Truncated`] when a value passes the event's end; the rows behind it are lost then, and
    /// the next call gives `None`.
    #[expect(
        clippy::should_implement_trait,
        reason = "the row borrows from this, which an Iterator's item cannot"
    )]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Row<'_>>, Error> {
        if self.rest.is_empty() && !self.no_bytes {
            return Ok(None);
        }
        let RowBuf {
            before,
            after,
            partial,
        } = &mut *self.buf;
        before.clear();
        after.clear();
        if std::mem::take(&mut self.no_bytes) {
            after.resize(self.table.columns.len(), Span::ABSENT);
            let image = Image {
                table: self.table,
                data: &[],
                spans: after.as_slice(),
                partial: None,
            };
            return Ok(Some(Row {
                before: None,
                after: Some(image),
            }));
        }
        let carved = self
            .event
            .carve_row(self.table, self.rest, |side, span| match side {
                Side::Before => before.push(span),
                Side::After => after.push(span),
            });
        let changed = match carved {
            Ok((rest, changed)) => {
                self.rest = rest;
                changed
            }
            Err(error) => {
                self.rest = &[];
                return Err(error);
            }
        };
        let (table, data) = (self.table, self.event.rows);
        let mut after_partial = None;
        if self.event.partial {
            partial.patch(table, changed, data, before, after);
            after_partial = Some(&*partial);
        }
        let image = |spans, partial| Image {
            table,
            data,
            spans,
            partial,
        };
        Ok(Some(Row {
            before: (self.event.kind != RowsKind::Write).then(|| image(before.as_slice(), None)),
            after: (self.event.kind != RowsKind::Delete)
                .then(|| image(after.as_slice(), after_partial)),
        }))
    }
}

/// One changed row.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    /// The row as it was: of an UPDATE or DELETE.
    pub before: Option<Image<'r>>,
    /// The row as it is now: of an INSERT or UPDATE.
    pub after: Option<Image<'r>>,
}

/// The values of a row at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Image<'r> {
    table: &'r TableMap,
    data: &'r [u8],
    spans: &'r [Span],
    /// Of an after image in PARTIAL_UPDATE_ROWS_EVENT.
    partial: Option<&'r Partial>,
}

/// A column in an [`Image`], its value's bytes still as the event has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'r> {
    /// The image leaves the column out (`binlog_row_image` MINIMAL or NOBLOB).
    Absent,
    /// NULL.
    Null,
    /// The value's bytes, without their length.
    Bytes(&'r [u8]),
}

impl<'r> Image<'r> {
    /// The table that the image belongs to.
    #[must_use]
    pub const fn table(&self) -> &'r TableMap {
        self.table
    }

    /// Column `number`, from 0; absent behind the last one.
    #[must_use]
    #[inline]
    pub fn field(&self, number: usize) -> Field<'r> {
        self.spans
            .get(number)
            .map_or(Field::Absent, |span| self.resolve(*span))
    }

    /// All columns of the table, in order.
    #[inline]
    pub fn fields(&self) -> impl Iterator<Item = (&'r Column, Field<'r>)> + use<'r> {
        let image = *self;
        self.table
            .columns
            .iter()
            .zip(self.spans)
            .map(move |(column, span)| (column, image.resolve(*span)))
    }

    #[inline]
    fn resolve(&self, span: Span) -> Field<'r> {
        match span {
            Span::NULL => Field::Null,
            Span::ABSENT => Field::Absent,
            Span { start, len } => {
                let (start, len) = (start as usize, len as usize);
                // Carved from the same data, so it is always there, unless it was made by a partial update.
                let bytes = self.data.get(start..start.wrapping_add(len));
                Field::Bytes(bytes.unwrap_or_else(|| self.patched(start, len)))
            }
        }
    }

    #[cold]
    fn patched(&self, start: usize, len: usize) -> &'r [u8] {
        let patched = self.partial.map_or(&[][..], |partial| &partial.patched);
        let start = start.wrapping_sub(self.data.len());
        patched
            .get(start..start.wrapping_add(len))
            .unwrap_or_default()
    }

    /// The documents that PARTIAL_UPDATE_ROWS_EVENT logs by their changes, in column order. In the image they are
    /// whole, but for those whose changes could not be applied: they are absent.
    pub fn changes(&self) -> impl Iterator<Item = DocumentChange<'r>> + use<'r> {
        let data = self.data;
        let changes = self.partial.map_or(&[][..], |partial| &partial.changes);
        changes.iter().map(move |change| {
            let Span { start, len } = change.diffs;
            let (start, len) = (start as usize, len as usize);
            let bytes = data.get(start..start.wrapping_add(len));
            DocumentChange {
                column: change.column.into(),
                diffs: JsonDiffs::new(bytes.unwrap_or_default()),
                applied: change.applied,
            }
        })
    }
}

impl<'r> Field<'r> {
    /// The value that the bytes are in `column`; `None` when absent.
    ///
    /// # Errors
    /// Bytes that no value of the column's type has.
    #[inline]
    pub fn value(self, column: &Column) -> Result<Option<Value<'r>>, Error> {
        Ok(match self {
            Self::Absent => None,
            Self::Null => Some(Value::Null),
            Self::Bytes(bytes) => Some(Value::decode(column, bytes)?),
        })
    }
}
