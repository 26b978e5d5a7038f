//! `bintrail decode` and `bintrail tail`: row changes as text, from binlog files or a live source.

use std::io::{self, Write};
use std::sync::Arc;

use bintrail_proto::binlog::decoder::{Event, EventData};
use bintrail_proto::binlog::format_description::Flavor;
use bintrail_proto::binlog::header::EventType;
use bintrail_proto::binlog::rows::{RowBuf, RowsEvent, RowsKind};
use bintrail_proto::binlog::table_map::TableMap;
use bintrail_proto::binlog::value::int::write_uint;

use crate::clock;
use crate::error::Error;
use crate::filter::Filter;
use crate::gtids::AnyGtid;
use crate::image::ImageWriter;
use crate::index::record::KnownBy;
use crate::json;
use crate::pipeline::tables::Tables;
use crate::render::mysqlbinlog;
use crate::table::Table;

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
    /// Events that may hold row changes and could not be printed.
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
            skipped: 0,
        }
    }

    /// The events from here on are those of `file`.
    pub fn start_file(&mut self, file: &str) {
        file.clone_into(&mut self.file);
        self.set_gtid(None);
        self.committed_at = None;
        self.tables.clear();
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
            EventData::FormatDescription(_) => self.tables.clear(),
            EventData::Gtid(gtid) => {
                self.tables.tidy();
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
                self.tables.tidy();
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
                        self.skip(event, &error.to_string());
                    }
                }
            }
            EventData::Xid(_) => self.tables.tidy(),
            EventData::Rows(rows) => self.rows(rows, event)?,
            EventData::Other if may_hold_rows(event.header.event_type) => {
                self.skip(event, "events of this type are not read yet");
            }
            _ => {}
        }
        Ok(None)
    }

    /// Names the table that [`handle`](Self::handle) returned for `event`.
    pub fn define(&mut self, event: &Event<'_>, table: Table) {
        let table_id = table.map.table_id;
        self.tables
            .define(table_id, event.body, Some(Arc::new(table)));
    }

    fn rows(&mut self, rows: &RowsEvent<'_>, event: &Event<'_>) -> Result<(), Error> {
        let table = match self.tables.get(rows.table_id) {
            Some(Some(table)) => Arc::clone(table),
            Some(None) => return Ok(()),
            None => {
                self.skip(
                    event,
                    "its table's TABLE_MAP_EVENT is not there or cannot be read",
                );
                return Ok(());
            }
        };
        let written = match self.format {
            Format::Json => self.write_json(rows, event, &table),
            Format::Mysqlbinlog => {
                mysqlbinlog::write_rows(&mut self.lines, &table.map, rows, &mut self.row)
            }
        };
        // The rows before a fault are good.
        if self.lines.len() >= CHUNK {
            self.write_lines().map_err(Error::Output)?;
        }
        if let Err(error) = written {
            self.skip(event, &error.to_string());
        }
        if std::mem::take(&mut self.images.unpatched) > 0 {
            self.skip(
                event,
                "a JSON document is left out: its changes do not fit the row before it, or that leaves it out, too",
            );
        }
        Ok(())
    }

    /// Writes the rows to `lines`.
    fn write_json(
        &mut self,
        rows: &RowsEvent<'_>,
        event: &Event<'_>,
        table: &Table,
    ) -> Result<(), bintrail_proto::Error> {
        self.write_prefix(rows.kind, event, table);
        let mut rows = rows.rows(&table.map, &mut self.row)?;
        let lines = &mut self.lines;
        while let Some(row) = rows.next()? {
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
        Ok(())
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

    fn skip(&mut self, event: &Event<'_>, why: &str) {
        self.skipped = self.skipped.saturating_add(1);
        if self.skipped.is_power_of_two() {
            tracing::warn!(
                file = self.file,
                position = event.start,
                event = event.header.event_type.name(),
                skipped = self.skipped,
                why,
                "row changes are left out"
            );
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

/// Events that carry row changes in a form that is not read.
pub(crate) fn may_hold_rows(event_type: EventType) -> bool {
    matches!(
        event_type,
        EventType::PRE_GA_WRITE_ROWS_EVENT
            | EventType::PRE_GA_UPDATE_ROWS_EVENT
            | EventType::PRE_GA_DELETE_ROWS_EVENT
    )
}
