//! WRITE_ROWS, UPDATE_ROWS and DELETE_ROWS events, v1 (23–25) and v2 (30–32), and PARTIAL_UPDATE_ROWS_EVENT (39).

mod image;
mod old_fractions;
mod partial;

pub use image::{Field, Image, Row};
pub use partial::DocumentChange;

use crate::error::{Error, Fault, Kind, Parsed, read, read_prefix};
use crate::primitive::{bytes, int_lenenc, int2, int6, length, rest};

use super::column::Width;
use super::extra_row_info::{self, Partition};
use super::header::EventType;
use super::table_map::{MAX_COLUMNS, TableMap, bit};
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
/// and such a document's value is [`JsonDiffs`](super::json_diff::JsonDiffs).
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
    /// Their length, less than that of [`Span::ABSENT`].
    end: u32,
}

/// Which columns an image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Present<'a> {
    bitmap: &'a [u8],
    count: usize,
}

impl<'a> Present<'a> {
    /// The bits behind the last column say nothing.
    fn new(bitmap: &'a [u8], columns: usize) -> Self {
        let ones = |byte: &u8| byte.count_ones() as usize;
        let count = match bitmap.split_last() {
            Some((last, whole)) if !columns.is_multiple_of(8) => {
                let used = last & !(u8::MAX << (columns % 8));
                whole.iter().map(ones).sum::<usize>() + ones(&used)
            }
            _ => bitmap.iter().map(ones).sum(),
        };
        Self { bitmap, count }
    }
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
            Ok((input, Present::new(bitmap, columns)))
        };
        let (mut input, before) = present(rest_of_input)?;
        let mut after = before;
        if kind == RowsKind::Update {
            (input, after) = present(input)?;
        }
        let Some(end) = u32::try_from(input.len())
            .ok()
            .filter(|&end| end < Span::ABSENT.len)
        else {
            return Err(Fault::at(
                input,
                Kind::Unsupported("a rows event of 4 GiB or more"),
            ));
        };
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
                end,
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
    /// [`Kind::Invalid`] when `table` has another number of columns than the event; for MariaDB's temporal types of
    /// before 10.1, when the rows do not add up.
    pub fn rows<'b>(&self, table: &'b TableMap, buf: &'b mut RowBuf) -> Result<Rows<'b>, Error>
    where
        'a: 'b,
    {
        self.check(table)?;
        buf.before.resize(self.columns, Span::ABSENT);
        buf.after.resize(self.columns, Span::ABSENT);
        Ok(Rows {
            event: *self,
            table,
            at: 0,
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
        let (mut at, mut count) = (0, u64::from(self.is_row_of_no_bytes()));
        while at < self.end {
            (at, _) = self.carve_row(table, at, |_| {}, |_| {})?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    fn check(&self, table: &TableMap) -> Result<(), Error> {
        if self.columns != table.columns.len() {
            return Err(Error::new(
                WHAT,
                Kind::Invalid("its column count is not that of its TABLE_MAP_EVENT"),
            ));
        }
        if self.rows.is_empty() && self.before.count == 0 && self.kind != RowsKind::Write {
            return Err(self.fault(
                0,
                Kind::Unsupported(
                    "rows without any column, of which nothing tells how many there are",
                ),
            ));
        }
        if table.may_have_old_fractions() && !self.add_up(table) {
            return Err(self.fault(
                0,
                Kind::Unsupported(
                    "fractions in the temporal format of MariaDB before 10.1, of which nobody tells how wide they are",
                ),
            ));
        }
        Ok(())
    }

    /// Finds the values of the row at `start`; returns where the next one starts, and which of the JSON columns
    /// are logged by their changes.
    #[inline(always)]
    fn carve_row(
        &self,
        table: &TableMap,
        start: u32,
        before: impl FnMut(Span),
        after: impl FnMut(Span),
    ) -> Result<(u32, &'a [u8]), Error> {
        let mut at = start;
        let mut changed = &[][..];
        if self.kind != RowsKind::Write {
            at = self.carve(table, self.before, at, before)?;
        }
        if self.partial {
            (at, changed) = self.carve_changed(table, at)?;
        }
        if self.kind != RowsKind::Delete {
            at = self.carve(table, self.after, at, after)?;
        }
        if at == start {
            return Err(self.fault(at, Kind::Invalid("a row of no bytes")));
        }
        Ok((at, changed))
    }

    /// What a partial update has in front of its after image: a bit for each JSON column, or nothing.
    fn carve_changed(&self, table: &TableMap, at: u32) -> Result<(u32, &'a [u8]), Error> {
        const PARTIAL_JSON_UPDATES: u64 = 1;
        let input = self.rows.get(at as usize..).unwrap_or_default();
        let parsed = read_prefix(WHAT, input, |input| {
            let (rest, options) = int_lenenc(input)?;
            let bits = match options {
                0 => 0,
                PARTIAL_JSON_UPDATES => table.json_columns.len().div_ceil(8),
                _ => return Err(Fault::at(input, Kind::Unsupported("this row value option"))),
            };
            bytes(bits)(rest)
        });
        let (rest, changed) = parsed.map_err(|error| self.fault(at, error.kind))?;
        let taken = input.len().saturating_sub(rest.len());
        let (_, end) = self.take(at, taken)?;
        Ok((end, changed))
    }

    /// Finds the values of the image at `start`; returns where it ends.
    #[inline(always)]
    fn carve(
        &self,
        table: &TableMap,
        present: Present<'_>,
        start: u32,
        mut found: impl FnMut(Span),
    ) -> Result<u32, Error> {
        let all_present = present.count == self.columns;
        let (nulls, mut at) = self.take(start, present.count.div_ceil(8))?;
        // The NULL bits, a byte at a time.
        let mut nulls = nulls.iter();
        let (mut null_bits, mut mask) = (0, 0_u8);
        for (number, &width) in table.widths.iter().enumerate() {
            if !all_present && !bit(present.bitmap, number) {
                found(Span::ABSENT);
                continue;
            }
            mask = mask.wrapping_shl(1);
            if mask == 0 {
                mask = 1;
                null_bits = nulls.next().copied().unwrap_or(0);
            }
            if null_bits & mask != 0 {
                found(Span::NULL);
                continue;
            }
            let span = self.value(width, at)?;
            at = span.end();
            found(span);
        }
        Ok(at)
    }

    /// `len` bytes at `at`, and where they end.
    #[inline]
    fn take(&self, at: u32, len: usize) -> Result<(&'a [u8], u32), Error> {
        let taken = u32::try_from(len).ok().and_then(|len| {
            let end = at.checked_add(len)?;
            Some((self.rows.get(at as usize..end as usize)?, end))
        });
        taken.ok_or_else(|| self.fault(at, Kind::Truncated))
    }

    /// Where the value of this width at `at` stands.
    #[inline(always)]
    fn value(&self, width: Width, at: u32) -> Result<Span, Error> {
        let found = match width {
            Width::Fixed(len) => Some((at, u32::from(len))),
            Width::Prefixed(prefix) => self.prefixed(prefix, at),
        };
        // No value starts behind the end, and so none that fits ends beyond a u32.
        match found {
            Some((start, len)) if len <= self.end.wrapping_sub(start) => Ok(Span { start, len }),
            _ => Err(self.fault(at, Kind::Truncated)),
        }
    }

    /// A little-endian length of 1 to 4 bytes at `at`, and where it ends.
    #[inline]
    fn prefixed(&self, prefix: u8, at: u32) -> Option<(u32, u32)> {
        let rest = self.rows.get(at as usize..)?;
        let len = match prefix {
            1 => u32::from(*rest.first()?),
            2 => u32::from(u16::from_le_bytes(*rest.first_chunk()?)),
            3 => {
                let [a, b, c] = *rest.first_chunk()?;
                u32::from_le_bytes([a, b, c, 0])
            }
            _ => u32::from_le_bytes(*rest.first_chunk()?),
        };
        Some((at.checked_add(u32::from(prefix))?, len))
    }

    #[cold]
    fn fault(&self, at: u32, kind: Kind) -> Error {
        Error {
            what: "row",
            kind,
            offset: at as usize,
        }
    }
}

/// Where a value stands in the event's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// Lengths that no value has, since all rows of an event are shorter.
    const NULL: Self = Self {
        start: 0,
        len: u32::MAX,
    };
    const ABSENT: Self = Self {
        start: 0,
        len: u32::MAX - 1,
    };

    /// For documents that a partial update makes, which stand behind the rows' end.
    fn new(start: usize, len: usize) -> Option<Self> {
        let span = Self {
            start: u32::try_from(start).ok()?,
            len: u32::try_from(len).ok()?,
        };
        (span.len < Self::ABSENT.len).then_some(span)
    }

    /// Where a value of the event's rows ends, which is not behind their end.
    #[inline]
    const fn end(self) -> u32 {
        self.start.wrapping_add(self.len)
    }
}

/// Where the values of one row stand. Reused from row to row and from event to event.
#[derive(Debug, Clone, Default)]
pub struct RowBuf {
    before: Vec<Span>,
    after: Vec<Span>,
    partial: Partial,
}

/// Puts spans into `slots`, one after another; there are as many as columns.
#[inline]
fn into_slots(slots: &mut [Span]) -> impl FnMut(Span) {
    let mut slots = slots.iter_mut();
    move |span| {
        if let Some(slot) = slots.next() {
            *slot = span;
        }
    }
}

/// Reads the rows of an event in order.
#[derive(Debug)]
pub struct Rows<'b> {
    event: RowsEvent<'b>,
    table: &'b TableMap,
    /// Where the next row starts.
    at: u32,
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
        if !self.advance()? {
            return Ok(None);
        }
        let (event, table, data) = (&self.event, self.table, self.event.rows);
        let RowBuf {
            before,
            after,
            partial,
        } = &*self.buf;
        let partial = event.partial.then_some(partial);
        let image = |spans, partial| Image {
            table,
            data,
            spans,
            partial,
        };
        Ok(Some(Row {
            before: (event.kind != RowsKind::Write).then(|| image(before.as_slice(), None)),
            after: (event.kind != RowsKind::Delete).then(|| image(after.as_slice(), partial)),
        }))
    }

    /// Finds the values of the next row; `false` behind the last one.
    fn advance(&mut self) -> Result<bool, Error> {
        if self.at >= self.event.end && !self.no_bytes {
            return Ok(false);
        }
        let RowBuf {
            before,
            after,
            partial,
        } = &mut *self.buf;
        if std::mem::take(&mut self.no_bytes) {
            after.fill(Span::ABSENT);
            return Ok(true);
        }
        let (event, table) = (&self.event, self.table);
        match event.carve_row(table, self.at, into_slots(before), into_slots(after)) {
            Ok((end, changed)) => {
                self.at = end;
                if event.partial {
                    partial.patch(table, changed, event.rows, before, after);
                }
                Ok(true)
            }
            Err(error) => {
                self.at = event.end;
                Err(error)
            }
        }
    }
}
