//! Rows events of MySQL 5.1 to 5.5, and the events of statements, as MySQL 5.6 writes them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::{BTreeMap, HashMap};

use bintrail_proto::binlog::checksum::Checksum;
use bintrail_proto::binlog::decoder::{Decoder, EventData};
use bintrail_proto::binlog::file::event_len;
use bintrail_proto::binlog::rows::RowBuf;

#[test]
fn rows_are_read_and_statements_are_named_and_passed_over() {
    let file = include_bytes!("data/mysql56/v1-rows/binlog");
    let mut decoder = Decoder::for_file();
    let (mut rest, mut tables) = (&file[4..], HashMap::new());
    let (mut events, mut rows, mut buf) = (BTreeMap::new(), 0, RowBuf::default());
    while let Some(len) = event_len(rest).unwrap() {
        let (event, behind) = rest.split_at(len);
        let event = decoder.decode(event).unwrap();
        match &event.data {
            EventData::FormatDescription(format) => {
                assert_eq!(format.checksum, Some(Checksum::None));
            }
            EventData::TableMap(map) => {
                tables.insert(map.table_id, map.compile().unwrap());
            }
            EventData::Rows(header) => {
                let mut read = header.rows(&tables[&header.table_id], &mut buf).unwrap();
                while read.next().unwrap().is_some() {
                    rows += 1;
                }
            }
            _ => {}
        }
        let other = matches!(event.data, EventData::Other);
        *events
            .entry((event.header.event_type.name(), other))
            .or_insert(0) += 1;
        rest = behind;
    }
    // As mariadb-binlog counts them.
    let count = |name, other| events.get(&(name, other)).copied().unwrap_or(0);
    assert_eq!(count("WRITE_ROWS_EVENT_V1", false), 2);
    assert_eq!(count("UPDATE_ROWS_EVENT_V1", false), 4);
    assert_eq!(count("DELETE_ROWS_EVENT_V1", false), 3);
    for name in [
        "INTVAR_EVENT",
        "RAND_EVENT",
        "EXECUTE_LOAD_QUERY_EVENT",
        "BEGIN_LOAD_QUERY_EVENT",
    ] {
        assert_eq!(count(name, true), 1, "{name}");
    }
    assert_eq!(count("USER_VAR_EVENT", true), 2);
    assert!(events.keys().all(|(name, _)| *name != "UNKNOWN_EVENT"));
    // As many as `expected` has.
    let expected = include_bytes!("data/mysql56/v1-rows/expected");
    let changes = expected.split(|byte| *byte == b'\n');
    let changes = changes.filter(|line| {
        let verbs = [&b"### INSERT"[..], b"### UPDATE", b"### DELETE"];
        verbs.iter().any(|verb| line.starts_with(verb))
    });
    assert_eq!(rows, changes.count());
}

/// All the types that are named and not read are passed over by their length, whatever is in them.
#[test]
fn events_that_are_not_read() {
    let mut decoder = Decoder::for_dump(Checksum::None);
    // Start, LOAD and its files, variables, rows before 5.1.18, INCIDENT, IGNORABLE, group replication's.
    let unread = [
        1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 20, 21, 22, 26, 28, 36, 37, 200,
    ];
    let mut position = 4_u32;
    for kind in unread {
        for body in [&b""[..], b"\x01\x00\x05lost!"] {
            let size = 19 + u32::try_from(body.len()).unwrap();
            position += size;
            let mut event = vec![0, 0, 0, 0, kind, 7, 0, 0, 0];
            event.extend_from_slice(&size.to_le_bytes());
            event.extend_from_slice(&position.to_le_bytes());
            event.extend_from_slice(&[0, 0]);
            event.extend_from_slice(body);
            let decoded = decoder.decode(&event).unwrap();
            assert!(matches!(decoded.data, EventData::Other), "{kind}");
            assert_eq!((decoded.header.event_type.0, decoded.body), (kind, body));
            assert_eq!(decoded.end, u64::from(position));
        }
    }
}
