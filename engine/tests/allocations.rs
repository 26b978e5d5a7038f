//! In the steady state, decoding and encoding rows allocates nothing.
//!
//! Each test goes through a whole binlog a few times, so that every buffer has the size it needs, and then
//! once more with the allocations counted: there must be none at all, not for a row, an event or a file.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::sync::Arc;

use allocation_counter::measure;
use bintrail_engine::filter::Filter;
use bintrail_engine::index::record::Batch;
use bintrail_engine::pipeline::encode::{Encoder, RawRows};
use bintrail_engine::print::{Format, Printer};
use bintrail_engine::table::Table;
use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
use bintrail_proto::binlog::file::event_len;
use bintrail_proto::binlog::jsonb::Style;
use bintrail_proto::binlog::rows::{Image, RowBuf};
use bintrail_proto::binlog::transaction_payload::{TransactionPayload, Unpacker};
use bintrail_proto::binlog::value::{Value, float};
use bytes::Bytes;

/// Every binlog that `scripts/gen-goldens` makes: all column types, wide and narrow tables, names in the
/// events and none.
fn binlogs() -> Vec<(String, Vec<u8>)> {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/tests/data/mysql97");
    let mut binlogs: Vec<_> = fs::read_dir(&goldens)
        .unwrap_or_else(|error| panic!("{}: {error}", goldens.display()))
        .map(|case| case.unwrap())
        .map(|case| {
            let binlog = fs::read(case.path().join("binlog")).unwrap();
            (case.file_name().into_string().unwrap(), binlog)
        })
        .collect();
    binlogs.sort();
    assert!(binlogs.iter().any(|(name, _)| name == "types"));
    assert!(binlogs.iter().any(|(name, _)| name == "workloads"));
    binlogs
}

/// Hands every event of a binlog to `take`, those in payloads too.
fn events(binlog: &[u8], unpacker: &mut Unpacker, mut take: impl FnMut(&Event<'_>)) {
    let mut decoder = Decoder::for_file();
    let mut rest = binlog.strip_prefix(b"\xfebin").unwrap();
    while !rest.is_empty() {
        let (event, behind) = rest.split_at(event_len(rest).unwrap().unwrap());
        let event = decoder.decode(event).unwrap();
        if let EventData::TransactionPayload(payload) = &event.data {
            let mut events = unpacker.events(payload).unwrap();
            while let Some(packed) = events.next().unwrap() {
                take(&decoder.decode_packed(packed, &event).unwrap());
            }
        }
        take(&event);
        rest = behind;
    }
}

/// The tables of a binlog, in the order of the events that describe them.
fn tables(binlog: &[u8]) -> Vec<Arc<Table>> {
    let mut tables = Vec::new();
    events(binlog, &mut Unpacker::default(), |event| {
        if let EventData::TableMap(map) = &event.data {
            let table = Table::from_event(map.compile().unwrap().into(), (String::new(), 0));
            tables.push(Arc::new(table));
        }
    });
    tables
}

/// The table of a rows event: the last one with its number before it.
struct Current<'t> {
    tables: &'t [Arc<Table>],
    next: usize,
    by_id: HashMap<u64, &'t Arc<Table>>,
}

impl<'t> Current<'t> {
    fn new(tables: &'t [Arc<Table>]) -> Self {
        let (next, by_id) = (0, HashMap::new());
        Self {
            tables,
            next,
            by_id,
        }
    }

    fn see(&mut self, event: &Event<'_>) {
        match &event.data {
            EventData::FormatDescription(_) => self.next = 0,
            EventData::TableMap(map) => {
                self.by_id.insert(map.table_id, &self.tables[self.next]);
                self.next += 1;
            }
            _ => {}
        }
    }
}

/// Runs `pass`, which returns how many rows it read, until its buffers have grown, and then once counted.
#[track_caller]
fn assert_allocates_nothing(name: &str, mut pass: impl FnMut() -> usize) {
    let rows = pass();
    assert!(rows > 0, "{name} has no rows");
    assert_eq!(pass(), rows);
    let mut counted = 0;
    let allocations = measure(|| counted = pass()).count_total;
    assert_eq!(counted, rows);
    assert_eq!(allocations, 0, "{name}: allocations in {rows} rows");
}

#[test]
fn an_allocation_is_seen() {
    assert_eq!(measure(|| {}).count_total, 0);
    assert_eq!(measure(|| drop(black_box(Box::new(1)))).count_total, 1);
    let mut grows = Vec::with_capacity(1);
    grows.push(black_box(1));
    assert_eq!(measure(|| grows.push(black_box(2))).count_total, 1);
}

/// Reads a value to its end: what is lazy is worked out, into buffers that are there to be used again.
fn read(value: Value<'_>, out: &mut Vec<u8>, text: &mut String) {
    match value {
        Value::Float(n) => float::write_float(out, n).unwrap(),
        Value::Double(n) => float::write_double(out, n).unwrap(),
        Value::Decimal(decimal) => decimal.write_to(out).unwrap(),
        Value::Bit(bit) => bit.write_to(out),
        Value::Year(year) => year.write_to(out),
        Value::Date(date) => date.write_to(out),
        Value::Time(time) => time.write_to(out),
        Value::DateTime(datetime) => datetime.write_to(out),
        Value::Timestamp(timestamp) => timestamp.write_to(out),
        Value::Text(bytes, charset) => {
            // Some of the texts are not valid in their character set, on purpose.
            let _ = black_box(charset.to_utf8(bytes, text));
        }
        Value::Json(json) => json.write_json(Style::MySql, out).unwrap(),
        value => {
            black_box(value);
        }
    }
}

fn read_image(image: Image<'_>, out: &mut Vec<u8>, text: &mut String) {
    for (column, field) in image.fields() {
        out.clear();
        if let Some(value) = field.value(column).unwrap() {
            read(value, out, text);
        }
    }
}

#[test]
fn decoding() {
    for (name, binlog) in binlogs() {
        let tables = tables(&binlog);
        let mut current = Current::new(&tables);
        let mut unpacker = Unpacker::default();
        let (mut buf, mut out, mut text) = (RowBuf::default(), Vec::new(), String::new());
        assert_allocates_nothing(&name, || {
            let mut count = 0;
            events(&binlog, &mut unpacker, |event| {
                current.see(event);
                if let EventData::Rows(rows) = &event.data {
                    let table = &current.by_id[&rows.table_id].map;
                    let mut rows = rows.rows(table, &mut buf).unwrap();
                    while let Some(row) = rows.next().unwrap() {
                        for image in [row.before, row.after].into_iter().flatten() {
                            read_image(image, &mut out, &mut text);
                        }
                        count += 1;
                    }
                }
            });
            count
        });
    }
}

#[test]
fn encoding_for_the_index() {
    for (name, binlog) in binlogs() {
        let tables = tables(&binlog);
        let mut current = Current::new(&tables);
        let mut raw = Vec::new();
        events(&binlog, &mut Unpacker::default(), |event| {
            current.see(event);
            if let EventData::Rows(rows) = &event.data {
                raw.push(RawRows {
                    event_type: event.header.event_type,
                    body: Bytes::copy_from_slice(event.body),
                    table: Arc::clone(current.by_id[&rows.table_id]),
                    table_id: 1,
                    transaction_id: 1,
                    committed_at: 1,
                    first_change_id: 1,
                });
            }
        });
        let (mut encoder, mut batch) = (Encoder::default(), Batch::default());
        assert_allocates_nothing(&name, || {
            batch.text.clear();
            batch.rows.clear();
            for raw in &raw {
                encoder.encode(raw, &mut batch).unwrap();
            }
            batch.rows.len()
        });
    }
}

/// A payload takes the memory of a chunk of it, and no more than once, however large it is.
#[test]
fn unpacking() {
    let mut event = vec![0; 1000];
    event[4] = 2;
    event[9..13].copy_from_slice(&1000_u32.to_le_bytes());
    for count in [10_000, 100_000] {
        let packed = zstd::bulk::compress(&event.repeat(count), 1).unwrap();
        let len = u32::try_from(packed.len()).unwrap().to_le_bytes();
        let body = [&[2, 1, 0, 1, 9, 0xFE][..], &len, &[0; 5], &packed].concat();
        let payload = TransactionPayload::parse(&body).unwrap();
        let mut unpacker = Unpacker::default();
        let mut pass = || {
            let mut found = 0;
            let mut events = unpacker.events(&payload).unwrap();
            while let Some(packed) = events.next().unwrap() {
                assert_eq!(packed.len(), event.len());
                found += 1;
            }
            assert_eq!(found, count);
        };
        assert!(measure(&mut pass).bytes_max < 200_000);
        assert_eq!(measure(&mut pass).count_total, 0);
    }
}

/// A sink that counts lines.
struct Lines<'c>(&'c mut usize);

impl io::Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        *self.0 += bytes.iter().filter(|&&byte| byte == b'\n').count();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn printing_json() {
    for (name, binlog) in binlogs() {
        let mut lines = 0;
        let counter = Lines(&mut lines);
        let filter = Filter::new(&[], &[]);
        let mut printer = Printer::new(counter, Format::Json, filter);
        let mut unpacker = Unpacker::default();
        let mut pass = || {
            events(&binlog, &mut unpacker, |event| {
                match event.data {
                    // A new file's first event would have the tables, which are compiled once, forgotten.
                    EventData::FormatDescription(_) => return,
                    // A definition is read once, and has no rows.
                    EventData::Query(query) if query.statement.starts_with(b"CREATE") => return,
                    _ => {}
                }
                if let Some(map) = printer.handle(event).unwrap() {
                    let table = Table::from_event(map.into(), (String::new(), 0));
                    printer.define(event, table);
                }
            });
            // So that each pass fills its buffer in the same way.
            printer.flush().unwrap();
        };
        pass();
        pass();
        let allocations = measure(&mut pass).count_total;
        drop(printer);
        assert!(lines > 0 && lines % 3 == 0, "{name} has {lines} rows");
        assert_eq!(allocations, 0, "{name}");
    }
}
