use std::collections::HashMap;

use bintrail_proto::binlog::checksum::Checksum;
use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
use bintrail_proto::binlog::format_description::FormatDescription;
use bintrail_proto::binlog::header::{EventType, HEADER_LEN};
use bintrail_proto::binlog::rows::{Field, RowBuf, RowsEvent};
use bintrail_proto::binlog::table_map::TableMap;
use bintrail_proto::binlog::transaction_payload::Unpacker;
use bintrail_proto::gtid_set::GtidSet;

use crate::values;

/// The decoder over any events, as of a file or of a dump.
///
/// Input: flags (1 a dump, 2 sizes and checksums are made right, 4 a dump has checksums), and the events.
pub fn event(data: &[u8]) {
    let [flags, rest @ ..] = data else { return };
    let (dump, repair) = (flags & 1 != 0, flags & 2 != 0);
    let checksum = match flags & 4 {
        4 if dump => Checksum::Crc32,
        _ => Checksum::None,
    };
    let mut decoder = match dump {
        true => Decoder::for_dump(checksum),
        false => Decoder::for_file(),
    };
    let mut seen = Seen::default();
    for_each(rest, repair.then_some(checksum), |event| {
        let before = decoder.position();
        match decoder.decode(event) {
            Ok(decoded) => {
                if dump {
                    assert!(decoded.start <= decoded.end);
                } else {
                    assert_eq!(decoded.start, before);
                    assert_eq!(decoded.end - decoded.start, event.len() as u64);
                    assert_eq!(decoder.position(), decoded.end);
                }
                seen.check(&decoder, &decoded, event);
            }
            Err(error) => {
                super::check_error(&error, event.len());
                assert_eq!(decoder.position(), before);
            }
        }
    });
}

/// Calls `each` with the events of `bytes`, 256 of them at most. With a checksum algorithm, which
/// FORMAT_DESCRIPTION_EVENT changes, their sizes and checksums are made right before.
pub(crate) fn for_each(bytes: &[u8], mut repair: Option<Checksum>, mut each: impl FnMut(&[u8])) {
    let mut rest = bytes;
    for _ in 0..256 {
        if rest.is_empty() {
            break;
        }
        let (event, behind) = cut(rest);
        rest = behind;
        let mut event = event.to_vec();
        if let Some(checksum) = &mut repair {
            mend(&mut event, *checksum);
            let describes = event.get(4) == Some(&EventType::FORMAT_DESCRIPTION_EVENT.0);
            let body = event.get(HEADER_LEN..).unwrap_or_default();
            if describes
                && let Ok(description) = FormatDescription::parse(body)
                && let Some(algorithm) = description.checksum
            {
                *checksum = algorithm;
            }
        }
        each(&event);
    }
}

/// The event at the front of `bytes`, by its size, or all of them.
fn cut(bytes: &[u8]) -> (&[u8], &[u8]) {
    let size = bytes.get(9..13).map_or(usize::MAX, |size| {
        u32::from_le_bytes(size.try_into().unwrap()) as usize
    });
    match size {
        HEADER_LEN.. => bytes.split_at(size.min(bytes.len())),
        _ => (bytes, &[]),
    }
}

/// Gives an event its size and its checksum, so that a fuzzer need not find them.
fn mend(event: &mut [u8], checksum: Checksum) {
    if event.len() < HEADER_LEN + 4 {
        return;
    }
    let size = event.len() as u32;
    event[9..13].copy_from_slice(&size.to_le_bytes());
    let at = event.len() - 4;
    let describes = event[4] == EventType::FORMAT_DESCRIPTION_EVENT.0;
    // Of a description it is there whatever the algorithm, which stands in front of it.
    if describes || checksum == Checksum::Crc32 {
        let in_use = event[17] & u8::from(describes);
        event[17] ^= in_use;
        let crc = crc32fast::hash(&event[..at]);
        event[at..].copy_from_slice(&crc.to_le_bytes());
        event[17] ^= in_use;
    }
}

/// Is `part` a part of `whole`, in memory?
fn is_within(part: &[u8], whole: &[u8]) -> bool {
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    part.start == part.end || whole.start <= part.start && part.end <= whole.end
}

#[derive(Default)]
struct Seen {
    tables: HashMap<u64, TableMap>,
    buf: RowBuf,
    unpacker: Unpacker,
}

impl Seen {
    fn check(&mut self, decoder: &Decoder, event: &Event<'_>, bytes: &[u8]) {
        assert!(is_within(event.body, bytes));
        assert_eq!(event.header.event_size as usize, bytes.len());
        let within = |part: &[u8]| assert!(is_within(part, bytes));
        match &event.data {
            EventData::FormatDescription(description) => {
                within(description.server_version.text.as_bytes());
            }
            EventData::Rotate(rotate) => within(rotate.file.as_bytes()),
            EventData::Gtid(gtid) => {
                if let Some(gtid) = gtid.gtid {
                    assert_eq!(gtid.to_string().parse(), Ok(gtid));
                }
            }
            EventData::PreviousGtids(previous) => {
                let mut again = Vec::new();
                previous.set.encode(&mut again);
                assert_eq!(GtidSet::decode(&again).as_ref(), Ok(&previous.set));
                assert!(previous.set.intervals().count() * 16 <= bytes.len());
            }
            EventData::Query(query) => {
                within(query.schema);
                within(query.statement);
            }
            EventData::XaPrepare(prepare) => {
                within(prepare.xid.gtrid);
                within(prepare.xid.bqual);
            }
            EventData::TableMap(map) => match map.compile() {
                Ok(table) => {
                    assert_eq!(table.table_id, map.table_id);
                    assert_eq!((&*table.schema, &*table.table), (map.schema, map.table));
                    assert!(table.columns.len() <= event.body.len());
                    let names = table.columns.iter().filter_map(|c| c.name.as_deref());
                    assert!(names.map(str::len).sum::<usize>() <= event.body.len());
                    self.tables.insert(table.table_id, table);
                }
                Err(error) => super::check_error(&error, event.body.len()),
            },
            EventData::Rows(rows) => {
                if let Some(table) = self.tables.get(&rows.table_id) {
                    check_rows(table, rows, &mut self.buf, event.body);
                }
            }
            EventData::MariadbGtid(gtid) => {
                if let Some(xid) = gtid.xid {
                    within(xid.gtrid);
                    within(xid.bqual);
                }
            }
            EventData::MariadbGtidList(list) => {
                assert!(list.gtids().count() * 16 <= event.body.len());
            }
            EventData::BinlogCheckpoint(checkpoint) => within(checkpoint.file.as_bytes()),
            EventData::Compressed(compressed) => {
                let mut body = Vec::new();
                if compressed.inflate(&mut body).is_ok() {
                    assert!(body.len() / 1033 <= event.body.len());
                }
            }
            EventData::TransactionPayload(payload) => {
                within(payload.payload());
                let mut unpacker = std::mem::take(&mut self.unpacker);
                let mut events = unpacker.events(payload).unwrap();
                for _ in 0..256 {
                    let Ok(Some(packed)) = events.next() else {
                        break;
                    };
                    if let Ok(decoded) = decoder.decode_packed(packed, event) {
                        assert_eq!((decoded.start, decoded.end), (event.start, event.end));
                        self.check(decoder, &decoded, packed);
                    }
                }
                self.unpacker = unpacker;
            }
            EventData::RowsQuery(query) => within(query.statement),
            EventData::Heartbeat(heartbeat) => within(heartbeat.file.as_bytes()),
            EventData::Xid(_) | EventData::Stop | EventData::Other => {}
        }
    }
}

/// Reads all rows: as many as are counted, every value where the event is, none of them twice.
pub(crate) fn check_rows(table: &TableMap, event: &RowsEvent<'_>, buf: &mut RowBuf, body: &[u8]) {
    let counted = event.count(table);
    let mut rows = match event.rows(table, buf) {
        Ok(rows) => rows,
        Err(error) => {
            assert!(counted.is_err());
            return super::check_error(&error, body.len());
        }
    };
    let (mut number, mut taken) = (0, 0);
    let failed = loop {
        match rows.next() {
            Ok(None) => break None,
            Err(error) => break Some(error),
            Ok(Some(row)) => {
                number += 1;
                for image in [row.before, row.after].into_iter().flatten() {
                    assert_eq!(image.fields().count(), table.columns.len());
                    let mut changed = Vec::new();
                    for change in image.changes() {
                        assert!(is_within(change.diffs.as_bytes(), body));
                        assert_eq!(
                            image.field(change.column) == Field::Absent,
                            change.applied.is_err()
                        );
                        changed.push(change.column);
                    }
                    for (place, (column, field)) in image.fields().enumerate() {
                        assert_eq!(image.field(place), field);
                        let Field::Bytes(bytes) = field else { continue };
                        if !changed.contains(&place) {
                            assert!(is_within(bytes, body));
                            taken += bytes.len();
                        }
                        let _ = values::print(column, bytes);
                    }
                }
            }
        }
    };
    assert!(taken <= body.len());
    assert!(rows.next().unwrap().is_none(), "an end, once it has come");
    match failed {
        None => assert_eq!(counted, Ok(number)),
        Some(error) => {
            assert_eq!(counted, Err(error));
            super::check_error(&error, body.len());
        }
    }
}
