//! `bintrail decode` and `bintrail tail`: row changes as text, from binlog files or a live source.

mod notes;

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::sync::Arc;

use bintrail_proto::binlog::column::ColumnType;
use bintrail_proto::binlog::decoder::{Event, EventData};
use bintrail_proto::binlog::format_description::Flavor;
use bintrail_proto::binlog::query::Query;
use bintrail_proto::binlog::rows::{RowBuf, RowsEvent, RowsKind};
use bintrail_proto::binlog::table_map::{Column, TableMap};
use bintrail_proto::binlog::value::int::write_uint;

use crate::clock;
use crate::error::Error;
use crate::filter::Filter;
use crate::gtids::AnyGtid;
use crate::image::ImageWriter;
use crate::index::record::KnownBy;
use crate::json;
use crate::pipeline::statement::{Statement, classify};
use crate::pipeline::tables::Tables;
use crate::pipeline::unread::Unread;
use crate::render::mysqlbinlog;
use crate::schema::decode;
use crate::table::Table;
use notes::{Note, Notes};

/// How row changes are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line for each row change.
    Json,
    /// The `###` lines of `mysqlbinlog -vv --base64-output=decode-rows`.
    Mysqlbinlog,
}

/// Written at once, so that an output needs no buffer of its own, which would be one copy more.
const CHUNK: usize = 64 * 1024;

/// The most tables of which it is remembered that something was said of them.
const MOST_TOLD: usize = 1000;

/// Prints the row changes of events that are handed to it in order. What it holds back is written by
/// [`flush`](Self::flush), or when it is dropped.
#[derive(Debug)]
pub struct Printer<W: Write> {
    out: W,
    format: Format,
    filter: Filter,
    images: ImageWriter,
    row: RowBuf,
    /// Lines that are not written yet, all of them whole.
    lines: Vec<u8>,
    /// The part of a line that is the same for all rows of an event.
    prefix: Vec<u8>,
    file: String,
    /// As it stands in a line: in quotes, or `null`.
    gtid: Vec<u8>,
    committed_at: Option<i64>,
    /// `None` for one that is left out.
    tables: Tables<Option<Arc<Table>>>,
    /// The transaction that is open has rows.
    has_rows: bool,
    notes: Notes,
    /// Tables of which it was said that the binlog does not describe their types whole.
    told: HashSet<(Box<str>, Box<str>)>,
    /// By a table's number, its events whose rows may be wrong as long as no other event of it shows that they are not,
    /// and where the first of them stands.
    doubts: BTreeMap<u64, (u64, String)>,
    /// Events of which row changes are left out, or parts of them, or may be wrong.
    pub skipped: u64,
}

impl<W: Write> Printer<W> {
    /// A printer onto `out` for the tables that `filter` keeps.
    pub fn new(out: W, format: Format, filter: Filter) -> Self {
        Self {
            out,
            format,
            filter,
            images: ImageWriter::default(),
            row: RowBuf::default(),
            lines: Vec::new(),
            prefix: Vec::new(),
            file: String::new(),
            gtid: b"null".to_vec(),
            committed_at: None,
            tables: Tables::default(),
            has_rows: false,
            notes: Notes::default(),
            told: HashSet::new(),
            doubts: BTreeMap::new(),
            skipped: 0,
        }
    }

    /// The events from here on are those of `file`.
    pub fn start_file(&mut self, file: &str) {
        file.clone_into(&mut self.file);
        self.set_gtid(None);
        self.committed_at = None;
        self.has_rows = false;
        self.clear_tables();
    }

    fn clear_tables(&mut self) {
        self.note_doubts();
        self.tables.clear();
    }

    /// Nothing shows any more that these rows are right.
    fn note_doubts(&mut self) {
        for (count, first) in std::mem::take(&mut self.doubts).into_values() {
            self.notes.add(Note::OldFractions, count, || first);
            self.skipped = self.skipped.saturating_add(count);
        }
    }

    fn set_gtid(&mut self, gtid: Option<AnyGtid>) {
        self.gtid.clear();
        // Writing to memory cannot fail.
        let _ = match gtid {
            Some(gtid) => write!(self.gtid, "\"{gtid}\""),
            None => write!(self.gtid, "null"),
        };
    }

    /// The file that the events come from.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Prints what `event` changes. A table that comes up for the first time is returned: the next call must be
    /// [`define`](Self::define).
    ///
    /// # Errors
    /// [`Error::Output`] when the output cannot be written.
    pub fn handle(&mut self, event: &Event<'_>) -> Result<Option<TableMap>, Error> {
        match &event.data {
            EventData::Rotate(rotate) if event.start == event.end => self.start_file(rotate.file),
            EventData::FormatDescription(_) => self.clear_tables(),
            EventData::Gtid(gtid) => {
                self.between_transactions();
                self.set_gtid(gtid.gtid.map(AnyGtid::MySql));
                self.committed_at = gtid
                    .committed
                    .map(|times| {
                        if times.original == 0 {
                            times.immediate
                        } else {
                            times.original
                        }
                    })
                    .and_then(|micros| i64::try_from(micros).ok());
            }
            EventData::MariadbGtid(gtid) => {
                self.between_transactions();
                self.set_gtid(Some(AnyGtid::MariaDb(gtid.gtid)));
                self.committed_at = None;
            }
            EventData::TableMap(map) => {
                // Other names than the event's own may be others since, and so may MariaDB's own types, of which
                // no event tells.
                let mysql = map.flavor == Flavor::MySql;
                let certain = |table: &Option<Arc<Table>>| match table {
                    Some(table) => mysql && table.version.known_by == KnownBy::RowMetadata,
                    None => true,
                };
                if self.tables.knows(map, certain) {
                    return Ok(None);
                }
                if !self.filter.keeps(map.schema, map.table) {
                    self.tables.define(map.table_id, map.body, None);
                    return Ok(None);
                }
                match map.compile() {
                    Ok(table) => return Ok(Some(table)),
                    Err(error) => {
                        self.tables.forget(map.table_id);
                        self.note(Note::Unreadable, event, Some(&error));
                    }
                }
            }
            EventData::Xid(_) | EventData::XaPrepare(_) => self.between_transactions(),
            EventData::Query(query) => self.query(query, event),
            EventData::Rows(rows) => {
                self.rows(rows, event)?;
                if rows.flags & RowsEvent::FLAG_STMT_END != 0 {
                    self.tables.tidy();
                }
            }
            EventData::Other => {
                if let Some(unread) = Unread::of(&event.header) {
                    let note = match unread {
                        Unread::Incident => Note::Incident,
                        Unread::Statement => Note::Statement,
                        Unread::OldRows => Note::OldRows,
                        Unread::Unknown => Note::UnknownEvent,
                    };
                    self.note(note, event, None);
                }
            }
            _ => {}
        }
        Ok(None)
    }

    /// Names the table that [`handle`](Self::handle) returned for `event`.
    pub fn define(&mut self, event: &Event<'_>, table: Table) {
        if self.format == Format::Json {
            self.tell_what_is_not_known(&table.map, event);
        }
        let table_id = table.map.table_id;
        if self.doubts.contains_key(&table_id) || self.doubts.len() >= MOST_TOLD {
            self.note_doubts();
        }
        self.tables
            .define(table_id, event.body, Some(Arc::new(table)));
    }

    /// Says, once for each table, that what is printed of it may not be what it holds.
    fn tell_what_is_not_known(&mut self, map: &TableMap, event: &Event<'_>) {
        if self.told.len() >= MOST_TOLD || map.columns.iter().all(is_described) {
            return;
        }
        if self.told.insert((map.schema.clone(), map.table.clone())) {
            tracing::warn!(
                table = format!("{}.{}", map.schema, map.table),
                at = format!("{}:{}", self.file, event.start),
                "the events of this table tell neither which numbers are unsigned nor the character sets: numbers are \
                 printed as signed, text as bytes, and BINARY without the zero bytes at its end; `tail` and `stream` \
                 ask the server, and binlog_row_metadata=FULL (MariaDB 10.5, MySQL 8.0) has later events tell"
            );
            if self.told.len() == MOST_TOLD {
                tracing::warn!("there are many such tables: no others are named");
            }
        }
    }

    fn between_transactions(&mut self) {
        self.has_rows = false;
        self.tables.tidy();
    }

    fn query(&mut self, query: &Query<'_>, event: &Event<'_>) {
        let sql = String::from_utf8_lossy(query.statement);
        let logs_no_rows = match classify(&sql) {
            Statement::Begin | Statement::Commit => {
                self.between_transactions();
                false
            }
            statement @ (Statement::Rollback | Statement::RollbackTo) => {
                if self.has_rows {
                    self.note(Note::RolledBackInPart, event, None);
                }
                if statement == Statement::Rollback {
                    self.between_transactions();
                }
                false
            }
            Statement::XaRollback(_) => {
                self.note(Note::XaRolledBack, event, None);
                false
            }
            Statement::Dml => true,
            Statement::Ddl(ddl) => {
                let mut scratch = String::new();
                let sql = decode(query, &mut scratch).unwrap_or(&sql);
                ddl.fills_a_table(sql, query.status.sql_mode)
            }
            _ => false,
        };
        if logs_no_rows && self.filter.keeps_statement(&query.status) {
            self.note(Note::Statement, event, None);
        }
    }

    fn rows(&mut self, rows: &RowsEvent<'_>, event: &Event<'_>) -> Result<(), Error> {
        let table = match self.tables.get(rows.table_id) {
            Some(Some(table)) => Arc::clone(table),
            Some(None) => return Ok(()),
            None => {
                self.note(Note::NoTable, event, None);
                return Ok(());
            }
        };
        self.has_rows = true;
        if self.format == Format::Json {
            self.write_prefix(rows.kind, event, &table);
        }
        let mut undecodable = None;
        // The rows before a fault are good.
        match self.write_rows(rows, &table, &mut undecodable)? {
            Err(error) => self.note(Note::Unreadable, event, Some(&error)),
            Ok(()) if table.leaves_in_doubt(rows) => self.doubt(&table.map, event),
            Ok(()) => {
                self.doubts.remove(&rows.table_id);
            }
        }
        if std::mem::take(&mut self.images.undecodable) > 0 || undecodable.is_some() {
            self.note(Note::Undecodable, event, undecodable.as_ref());
        }
        if std::mem::take(&mut self.images.unpatched) > 0 {
            self.note(Note::Unpatched, event, None);
        }
        Ok(())
    }

    /// Writes the rows to `lines`, and those on when they are many. A row that the format has no place for is left
    /// out, and why is put in `undecodable`.
    fn write_rows(
        &mut self,
        event: &RowsEvent<'_>,
        table: &Table,
        undecodable: &mut Option<bintrail_proto::Error>,
    ) -> Result<Result<(), bintrail_proto::Error>, Error> {
        let lines = &mut self.lines;
        if self.format == Format::Mysqlbinlog && mysqlbinlog::write_front(lines, &table.map, event)
        {
            return Ok(Ok(()));
        }
        let mut rows = match event.rows(&table.map, &mut self.row) {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(error)),
        };
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                Err(error) => return Ok(Err(error)),
            };
            match self.format {
                Format::Json => {
                    lines.extend_from_slice(&self.prefix);
                    for (key, image) in [
                        (&b"\"before\":"[..], row.before),
                        (b",\"after\":", row.after),
                    ] {
                        lines.extend_from_slice(key);
                        match image {
                            Some(image) => self.images.write_image(lines, table, image),
                            None => lines.extend_from_slice(b"null"),
                        }
                    }
                    lines.extend_from_slice(b"}\n");
                }
                Format::Mysqlbinlog => {
                    if let Err(error) = mysqlbinlog::write_row(lines, &table.map, event.kind, row) {
                        undecodable.get_or_insert(error);
                    }
                }
            }
            if lines.len() >= CHUNK {
                let written = self.out.write_all(lines);
                // Also when they are not: what part of them is out is not known.
                lines.clear();
                written.map_err(Error::Output)?;
            }
        }
        Ok(Ok(()))
    }

    fn write_prefix(&mut self, kind: RowsKind, event: &Event<'_>, table: &Table) {
        let committed_at = self
            .committed_at
            .unwrap_or_else(|| i64::from(event.header.timestamp).saturating_mul(1_000_000));
        let out = &mut self.prefix;
        out.clear();
        out.extend_from_slice(b"{\"file\":");
        json::write_string(out, &self.file);
        out.extend_from_slice(b",\"start_pos\":");
        write_uint(out, event.start);
        out.extend_from_slice(b",\"end_pos\":");
        write_uint(out, event.end);
        out.extend_from_slice(b",\"timestamp\":\"");
        out.extend_from_slice(&clock::rfc3339_bytes(committed_at));
        out.extend_from_slice(b"\",\"gtid\":");
        out.extend_from_slice(&self.gtid);
        out.extend_from_slice(b",\"schema\":");
        json::write_string(out, &table.map.schema);
        out.extend_from_slice(b",\"table\":");
        json::write_string(out, &table.map.table);
        let kind: &[u8] = match kind {
            RowsKind::Write => b",\"type\":\"INSERT\",",
            RowsKind::Update => b",\"type\":\"UPDATE\",",
            RowsKind::Delete => b",\"type\":\"DELETE\",",
        };
        out.extend_from_slice(kind);
    }

    fn doubt(&mut self, map: &TableMap, event: &Event<'_>) {
        let first = || {
            let at = format!("{}:{}", self.file, event.start);
            let table = format!("{}.{}", map.schema, map.table);
            tracing::warn!(
                table,
                at,
                "{}; others of the table may show that they had none",
                Note::OldFractions.text()
            );
            (0, at)
        };
        let (count, _) = self.doubts.entry(map.table_id).or_insert_with(first);
        *count = count.saturating_add(1);
    }

    fn note(&mut self, note: Note, event: &Event<'_>, error: Option<&bintrail_proto::Error>) {
        let first = || format!("{}:{}", self.file, event.start);
        let count = self.notes.add(note, 1, first);
        if note.is_loss() {
            self.skipped = self.skipped.saturating_add(1);
        }
        // The first, then ever rarer.
        if count.is_power_of_two() {
            tracing::warn!(
                at = format!("{}:{}", self.file, event.start),
                event = event.header.event_type.name(),
                count,
                error = error.map(tracing::field::display),
                "{}",
                note.text()
            );
        }
    }

    /// Says of each kind of event with row changes that were left out, may be wrong or may never have come to be, how many
    /// there were: once nothing more follows.
    pub fn report(&mut self) {
        self.note_doubts();
        for (note, count, first) in self.notes.iter() {
            tracing::warn!(count, first, why = note.text(), "{}", note.outcome());
        }
    }

    /// Hands on what this and the output hold back.
    ///
    /// # Errors
    /// The output's.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write_lines()?;
        self.out.flush()
    }

    fn write_lines(&mut self) -> io::Result<()> {
        let written = self.out.write_all(&self.lines);
        // Also when they are not: what part of them is out is not known.
        self.lines.clear();
        written
    }
}

impl<W: Write> Drop for Printer<W> {
    fn drop(&mut self) {
        // What fails here has failed before, or the caller did not ask.
        let _ = self.write_lines();
    }
}

/// Is all known that its values depend on?
fn is_described(column: &Column) -> bool {
    match column.column_type {
        ColumnType::String { .. }
        | ColumnType::VarChar { .. }
        | ColumnType::Blob { .. }
        | ColumnType::VarCharCompressed { .. }
        | ColumnType::BlobCompressed { .. } => column.collation.is_some(),
        ColumnType::Tiny
        | ColumnType::Short
        | ColumnType::Int24
        | ColumnType::Long
        | ColumnType::LongLong => column.unsigned.is_some(),
        _ => true,
    }
}
