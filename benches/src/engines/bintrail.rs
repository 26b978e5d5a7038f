//! bintrail: `bintrail-proto` to typed values, and `bintrail-engine`'s images, rows as JSON text.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;

use bintrail_engine::image::ImageWriter;
use bintrail_engine::table::Table;
use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
use bintrail_proto::binlog::rows::{Field, Image, RowBuf};
use bintrail_proto::binlog::table_map::TableMap;
use bintrail_proto::binlog::transaction_payload::Unpacker;
use bintrail_proto::binlog::value::Value;

use crate::events::Events;
use crate::{Counts, Result};

pub(super) fn typed(path: &Path) -> Result<Counts> {
    let mut rows = Rows::<Typed>::default();
    rows.file(path)?;
    Ok(rows.take_counts())
}

pub(super) fn json(path: &Path) -> Result<Counts> {
    let mut rows = Rows::<Json>::default();
    rows.file(path)?;
    Ok(rows.take_counts())
}

/// What is done with the images of rows.
pub trait Take: Default {
    /// What it keeps of a table.
    type Table;

    /// A table that comes up for the first time.
    fn compile(map: TableMap) -> Self::Table;

    /// The wire's description of the table.
    fn map(table: &Self::Table) -> &TableMap;

    /// An image of a row.
    fn image(&mut self, table: &Self::Table, image: Image<'_>, counts: &mut Counts) -> Result<()>;
}

/// Decodes files, and may be used again for the next one.
pub struct Rows<T: Take> {
    decoder: Decoder,
    unpacker: Unpacker,
    decoded: Decoded<T>,
}

/// The part that events of a payload go to as others do.
struct Decoded<T: Take> {
    tables: BTreeMap<u64, (Box<[u8]>, T::Table)>,
    buf: RowBuf,
    take: T,
    counts: Counts,
}

impl<T: Take> Default for Rows<T> {
    fn default() -> Self {
        Self::new(Decoder::for_file())
    }
}

impl<T: Take> Rows<T> {
    /// For files, or for what a server sends.
    pub fn new(decoder: Decoder) -> Self {
        Self {
            decoder,
            unpacker: Unpacker::default(),
            decoded: Decoded {
                tables: BTreeMap::new(),
                buf: RowBuf::default(),
                take: T::default(),
                counts: Counts::default(),
            },
        }
    }

    /// What has been read since the last call.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.decoded.counts)
    }

    /// Reads a file.
    fn file(&mut self, path: &Path) -> Result<()> {
        let mut events = Events::open(path)?;
        while let Some(event) = events.next_event()? {
            self.event(event)?;
        }
        Ok(())
    }

    /// Reads an event.
    #[inline]
    pub fn event(&mut self, event: &[u8]) -> Result<()> {
        let event = self.decoder.decode(event)?;
        let EventData::TransactionPayload(payload) = &event.data else {
            return self.decoded.event(&event);
        };
        let mut packed = self.unpacker.events(payload)?;
        while let Some(inner) = packed.next()? {
            let inner = self.decoder.decode_packed(inner, &event)?;
            self.decoded.event(&inner)?;
        }
        Ok(())
    }
}

impl<T: Take> Decoded<T> {
    #[inline]
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        match &event.data {
            EventData::TableMap(map) => {
                // A table map is repeated for each statement, and says the same nearly always.
                let known = self.tables.get(&map.table_id);
                if known.is_none_or(|(body, _)| **body != *map.body) {
                    let table = (map.body.into(), T::compile(map.compile()?));
                    self.tables.insert(map.table_id, table);
                }
            }
            EventData::Rows(rows) => {
                let (_, table) = self
                    .tables
                    .get(&rows.table_id)
                    .ok_or("rows without a table map")?;
                let mut rows = rows.rows(T::map(table), &mut self.buf)?;
                while let Some(row) = rows.next()? {
                    self.counts.rows += 1;
                    if let Some(image) = row.before {
                        self.take.image(table, image, &mut self.counts)?;
                    }
                    if let Some(image) = row.after {
                        self.take.image(table, image, &mut self.counts)?;
                    }
                }
            }
            EventData::Other => return Err(format!("{}", event.header.event_type).into()),
            _ => {}
        }
        Ok(())
    }
}

/// Typed values.
#[derive(Debug, Default)]
pub struct Typed;

impl Take for Typed {
    type Table = TableMap;

    fn compile(map: TableMap) -> TableMap {
        map
    }

    fn map(table: &TableMap) -> &TableMap {
        table
    }

    #[inline]
    fn image(&mut self, _: &TableMap, image: Image<'_>, counts: &mut Counts) -> Result<()> {
        for (column, field) in image.fields() {
            match field {
                Field::Absent => continue,
                Field::Null => counts.nulls += 1,
                Field::Bytes(bytes) => Value::visit(column, bytes, |value: Value<'_>| {
                    black_box(&value);
                })?,
            }
            counts.values += 1;
        }
        Ok(())
    }
}

/// Rows as JSON text.
#[derive(Debug, Default)]
pub struct Json {
    writer: ImageWriter,
    text: Vec<u8>,
}

impl Take for Json {
    type Table = Table;

    fn compile(map: TableMap) -> Table {
        Table::from_event(map.into(), (String::new(), 0))
    }

    fn map(table: &Table) -> &TableMap {
        &table.map
    }

    #[inline]
    fn image(&mut self, table: &Table, image: Image<'_>, counts: &mut Counts) -> Result<()> {
        self.text.clear();
        self.writer.write_image(&mut self.text, table, image);
        black_box(&self.text);
        // The writer does not count.
        for (_, field) in image.fields() {
            counts.values += u64::from(field != Field::Absent);
            counts.nulls += u64::from(field == Field::Null);
        }
        Ok(())
    }
}
