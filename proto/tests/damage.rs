//! Real binlogs, cut short, with a bit flipped, and in pieces: damage is an error with its place, never a
//! panic or another row, and pieces are the same events.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use bintrail_proto::binlog::checksum::Checksum;
use bintrail_proto::binlog::decoder::{Decoder, EventData};
use bintrail_proto::binlog::file::{MAGIC, event_len};
use bintrail_proto::binlog::header::{EventType, HEADER_LEN};
use bintrail_proto::binlog::rows::{RowBuf, RowsEvent};
use bintrail_proto::binlog::table_map::TableMap;
use bintrail_proto::packet::{Framer, write};
use bintrail_proto::{Error, Kind};
use bytes::{Buf, BytesMut};

const SMALL: [&str; 6] = [
    "mysql97/full-metadata/binlog",
    "mysql97/geometry/binlog",
    "control/mysql-bin.000001",
    "control/mysql-bin.000002",
    "mysql56/v1-rows/binlog",
    "mariadb/full-metadata/binlog",
];

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file's events, cut by hand.
fn events(file: &[u8]) -> Vec<&[u8]> {
    let mut rest = file.strip_prefix(&MAGIC).unwrap();
    let mut events = Vec::new();
    while !rest.is_empty() {
        let size = u32::from_le_bytes(rest[9..13].try_into().unwrap());
        let (event, behind) = rest.split_at(usize::try_from(size).unwrap());
        events.push(event);
        rest = behind;
    }
    events
}

/// The rows that an event's body gives, and what ends them if it is an error.
fn rows(kind: EventType, body: &[u8], table: &TableMap) -> (Vec<String>, Option<Error>) {
    let mut found = Vec::new();
    let event = match RowsEvent::parse(kind, body) {
        Ok(event) => event,
        Err(error) => return (found, Some(error)),
    };
    let mut buf = RowBuf::default();
    let mut rows = event.rows(table, &mut buf).unwrap();
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                let values = [row.before, row.after].map(|image| {
                    image.map(|image| image.fields().map(|(_, field)| field).collect::<Vec<_>>())
                });
                found.push(format!("{values:?}"));
            }
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error)),
        }
    }
}

/// What a decoder says of each event, rows included.
#[derive(Default)]
struct Reading {
    tables: HashMap<u64, TableMap>,
    said: Vec<String>,
}

impl Reading {
    fn event(&mut self, decoder: &mut Decoder, bytes: &[u8]) -> Result<(), Error> {
        let event = decoder.decode(bytes)?;
        self.said.push(format!("{event:?}"));
        match &event.data {
            EventData::TableMap(map) => {
                let table = map.compile()?;
                self.tables.insert(table.table_id, table);
            }
            EventData::Rows(header) => {
                let table = &self.tables[&header.table_id];
                let (rows, error) = rows(event.header.event_type, event.body, table);
                self.said.extend(rows);
                if let Some(error) = error {
                    return Err(error);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads a file in pieces of `step` bytes; returns how many bytes are left.
    fn file(&mut self, file: &[u8], step: usize) -> Result<usize, Error> {
        let mut decoder = Decoder::for_file();
        let mut buffer = BytesMut::new();
        for piece in file.strip_prefix(&MAGIC).unwrap().chunks(step) {
            buffer.extend_from_slice(piece);
            while let Some(len) = event_len(&buffer)?.filter(|len| *len <= buffer.len()) {
                self.event(&mut decoder, &buffer[..len])?;
                buffer.advance(len);
            }
        }
        Ok(buffer.len())
    }
}

fn whole(file: &[u8]) -> Reading {
    let mut reading = Reading::default();
    assert_eq!(reading.file(file, usize::MAX), Ok(0));
    assert!(reading.said.len() > 3);
    reading
}

#[test]
fn a_file_cut_at_any_byte_gives_its_whole_events() {
    for name in SMALL {
        let file = file(name);
        let whole = whole(&file);
        let mut starts = vec![MAGIC.len()];
        for event in events(&file) {
            starts.push(starts[starts.len() - 1] + event.len());
        }
        for len in MAGIC.len()..file.len() {
            let mut cut = Reading::default();
            let left = cut.file(&file[..len], usize::MAX).unwrap();
            // The place of the damage: where the event starts that is not all there.
            assert!(starts.contains(&(len - left)), "{name} at {len}");
            assert!(left < file.len() - (len - left));
            assert!(whole.said.starts_with(&cut.said), "{name} at {len}");
        }
    }
}

#[test]
fn an_event_cut_at_any_byte_is_an_error() {
    for name in SMALL {
        let file = file(name);
        let mut decoder = Decoder::for_file();
        for event in events(&file) {
            for len in 0..event.len() {
                let error = decoder.clone().decode(&event[..len]).unwrap_err();
                assert_eq!(error.what, "event header");
                if len < HEADER_LEN {
                    assert_eq!(error.kind, Kind::Truncated);
                    assert!(error.offset <= len);
                } else {
                    assert_eq!(error.offset, 9, "the field that tells the size");
                }
            }
            decoder.decode(event).unwrap();
        }
    }
}

/// A body that ends early, though its size and checksum are right: what a faulty server would send.
#[test]
fn rows_cut_at_any_byte_are_the_first_rows() {
    let mut checked = 0;
    for name in SMALL {
        let file = file(name);
        let mut decoder = Decoder::for_file();
        let mut tables = HashMap::new();
        for event in events(&file) {
            let event = decoder.decode(event).unwrap();
            match &event.data {
                EventData::TableMap(map) => {
                    for len in 0..event.body.len() {
                        match TableMap::parse(&event.body[..len]) {
                            Err(error) => assert!(error.offset <= len),
                            // What it leaves out is optional.
                            Ok(cut) => {
                                let whole = map.compile().unwrap();
                                assert_eq!(cut.columns.len(), whole.columns.len());
                                for (cut, whole) in cut.columns.iter().zip(&whole.columns) {
                                    assert_eq!(cut.column_type, whole.column_type);
                                    assert!(cut.name.is_none() || cut.name == whole.name);
                                    assert!(
                                        cut.unsigned.is_none() || cut.unsigned == whole.unsigned
                                    );
                                }
                            }
                        }
                    }
                    tables.insert(map.table_id, map.compile().unwrap());
                }
                EventData::Rows(header) => {
                    let (kind, table) = (event.header.event_type, &tables[&header.table_id]);
                    let (all, error) = rows(kind, event.body, table);
                    assert_eq!(error, None);
                    for len in 0..event.body.len() {
                        let (found, error) = rows(kind, &event.body[..len], table);
                        assert!(all.starts_with(&found), "{name} at {len}");
                        match error {
                            Some(error) => {
                                assert_eq!(error.kind, Kind::Truncated);
                                assert!(error.offset <= len, "{error:?} at {len}");
                            }
                            // Cut between two rows, it is an event of less of them.
                            None => assert!(found.len() < all.len()),
                        }
                        checked += 1;
                    }
                }
                _ => {}
            }
        }
    }
    assert!(checked > 500, "{checked}");
}

#[test]
fn a_flipped_bit_is_caught_by_the_checksum() {
    // Without checksums, nothing shows it.
    for name in SMALL
        .into_iter()
        .filter(|name| *name != "mysql56/v1-rows/binlog")
    {
        let file = file(name);
        let mut decoder = Decoder::for_file();
        for event in events(&file) {
            let describes = event[4] == EventType::FORMAT_DESCRIPTION_EVENT.0;
            for bit in 0..event.len() * 8 {
                let mut flipped = event.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let mut flipped_decoder = decoder.clone();
                let error = match flipped_decoder.decode(&flipped) {
                    Err(error) => error,
                    Ok(decoded) => {
                        // The server clears the in-use flag without another checksum. A description that, by the
                        // algorithm or by a version before 5.6.1, now says that there are no checksums has none
                        // to hold it to: those of dumps have stale bytes in its place.
                        let says_none = matches!(
                            &decoded.data,
                            EventData::FormatDescription(description)
                                if description.checksum != Some(Checksum::Crc32)
                        );
                        assert!(
                            describes && (bit == 17 * 8 || says_none),
                            "{name} at bit {bit}"
                        );
                        continue;
                    }
                };
                assert!(error.offset <= event.len());
                let in_header = (4..13).contains(&(bit / 8)) && error.what == "event header";
                // A flip of the type may make a description of any event.
                let in_description =
                    (describes || bit / 8 == 4) && error.what == "Format_description_event";
                assert!(
                    matches!(error.kind, Kind::Checksum { .. }) || in_header || in_description,
                    "{name}: {error:?} at bit {bit}"
                );
            }
            decoder.decode(event).unwrap();
        }
    }
}

#[test]
fn a_file_in_pieces_gives_the_same_events() {
    for name in SMALL.into_iter().chain(["mysql97/types/binlog"]) {
        let file = file(name);
        let whole = whole(&file);
        for step in (1..40).chain([64, 1000, 4096]) {
            let mut pieces = Reading::default();
            assert_eq!(pieces.file(&file, step), Ok(0));
            assert_eq!(pieces.said, whole.said, "{name} by {step}");
        }
    }
}

/// As a server sends it: each event in a packet behind the byte of an OK packet.
#[test]
fn a_dump_in_pieces_gives_the_same_events() {
    for name in SMALL.into_iter().chain(["mysql97/types/binlog"]) {
        let file = file(name);
        let (mut wire, mut sequence) = (Vec::new(), 0);
        for event in events(&file) {
            sequence = write(&[&[0], event].concat(), sequence, &mut wire);
        }
        let read = |step: usize| {
            let mut reading = Reading::default();
            let mut decoder = Decoder::for_dump(Checksum::Crc32);
            let mut framer = Framer::new(1 << 20);
            let mut buffer = BytesMut::new();
            for piece in wire.chunks(step) {
                buffer.extend_from_slice(piece);
                while let Some(payload) = framer.next_payload(&mut buffer).unwrap() {
                    reading.event(&mut decoder, &payload[1..]).unwrap();
                }
            }
            assert!(buffer.is_empty());
            reading.said
        };
        let whole = read(usize::MAX);
        for step in (1..40).chain([64, 1000, 4096]) {
            assert_eq!(read(step), whole, "{name} by {step}");
        }
    }
}
