use bintrail_proto::binlog::decoder::Decoder;

use super::*;
use crate::index::record::Flavor;
use crate::table::Table;

fn event(event_type: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(19 + body.len()).unwrap();
    let mut event = vec![1, 0, 0, 0, event_type, 1, 0, 0, 0];
    event.extend(size.to_le_bytes());
    // Where it ends: nobody asks.
    event.extend([1, 0, 0, 0, 0, 0]);
    event.extend(body);
    event
}

/// An assembler, and a decoder for a file of MySQL 9.7 without checksums.
fn begin() -> (Assembler, Decoder) {
    let checkpoint = Checkpoint {
        mode: Mode::Position,
        binlog_file: "binlog.000001".to_owned(),
        binlog_position: 4,
        binlog_created: None,
        gtid_set: String::new(),
        next_change_id: 1,
        events_indexed: 0,
        last_event_time: None,
        server_id: 1,
        lag_seconds: None,
        capture_skips: CaptureSkips::default(),
    };
    let gtids = Gtids::parse("", Flavor::MySql).unwrap();
    let assembler = Assembler::new(Filter::default(), &checkpoint, gtids);
    let mut decoder = Decoder::for_file();
    let mut format = vec![4, 0];
    format.extend(b"9.7.4");
    format.resize(2 + 50 + 4, 0);
    format.push(19);
    // No checksums, and room for this event's own.
    format.resize(format.len() + 42 + 5, 0);
    decoder.decode(&event(15, &format)).unwrap();
    (assembler, decoder)
}

/// A QUERY_EVENT with these status variables.
fn statement(status: &[u8], sql: &str) -> Vec<u8> {
    let mut body = vec![0; 11];
    body.extend(u16::try_from(status.len()).unwrap().to_le_bytes());
    body.extend(status);
    body.push(0);
    body.extend(sql.as_bytes());
    event(2, &body)
}

#[test]
fn an_xa_transaction_is_asked_for_where_its_prepare_was_not_seen() {
    let (mut assembler, mut decoder) = begin();
    let mut missing = |events: &[Vec<u8>]| {
        let mut missing = Vec::new();
        for event in events {
            let event = decoder.decode(event).unwrap();
            if let Need::Prepared(xid) = assembler.handle(&event, None) {
                assembler.miss_prepared(&xid, &event);
                missing.push(xid);
            }
        }
        missing
    };
    // Without any row that is kept.
    let prepare = event(38, b"\0\x01\0\0\0\x01\0\0\0\0\0\0\0a");
    let start = statement(b"", "XA START X'61',X'',1");
    let commit = statement(b"", "XA COMMIT X'61',X'',1");
    let rollback = statement(b"", "XA ROLLBACK X'61',X'',1");
    let both = [start.clone(), prepare.clone(), commit.clone()];
    assert!(missing(&both).is_empty());
    assert_eq!(missing(std::slice::from_ref(&commit)), ["X'61',X'',1"]);
    assert!(missing(std::slice::from_ref(&rollback)).is_empty());
    assert_eq!(missing(&[start, prepare, rollback, commit]).len(), 1);
    assert_eq!(assembler.skips.0["xa_prepared_before"].count, 2);
}

/// The GTIDs in front of the next file have it too.
#[test]
fn an_incident_ends_behind_its_gtid() {
    let (mut assembler, mut decoder) = begin();
    let mut gtid = vec![0];
    gtid.extend([7; 16]);
    gtid.extend(3_u64.to_le_bytes());
    for event in [event(33, &gtid), event(26, &[1, 0, 0])] {
        assembler.handle(&decoder.decode(&event).unwrap(), None);
    }
    assert!(!assembler.in_transaction());
    let checkpoint = assembler.checkpoint();
    assert!(checkpoint.gtid_set.ends_with(":3"), "{checkpoint:?}");
    assert_eq!(checkpoint.capture_skips.0["incident"].count, 1);
}

#[test]
fn statements_count_by_the_schemas_that_they_change() {
    let (mut assembler, mut decoder) = begin();
    for (status, count) in [
        (&b"\x0C\x01mysql\0"[..], 0),
        (b"\x0C\x02mysql\0d\0", 1),
        (b"\x0C\x01\0", 2),
        (b"\x0C\xFE", 3),
        (b"", 4),
    ] {
        for sql in ["INSERT INTO t VALUES (1)", "CREATE TABLE t (a INT)"] {
            let event = statement(status, sql);
            assembler.handle(&decoder.decode(&event).unwrap(), None);
        }
        let skip = assembler.skips.0.get("statement_dml");
        assert_eq!(skip.map_or(0, |skip| skip.count), count, "{status:?}");
    }
}

/// Tables of 4096 columns, each with one row, in one transaction.
#[test]
fn tables_of_statements_that_ended_are_not_kept() {
    let (mut assembler, mut decoder) = begin();
    let mut kept = Vec::new();
    for number in 1..200_u64 {
        let id = number.to_le_bytes();
        let mut map = id[..6].to_vec();
        map.extend(b"\x01\0\x01d\0\x01t\0\xfc\0\x10");
        map.extend([1; 4096]);
        map.push(0);
        map.extend([0xff; 512]);
        let map = event(19, &map);
        let map = decoder.decode(&map).unwrap();
        let Need::Table(table) = assembler.handle(&map, None) else {
            panic!("table {number} is known");
        };
        let table = Arc::new(Table::from_event(table.into(), (String::new(), 0)));
        kept.push(Arc::downgrade(&table));
        assembler.define(map.body, number, Entry::Kept { table, table_id: 1 });

        let mut rows = id[..6].to_vec();
        rows.extend(b"\x01\0\x02\0\xfc\0\x10");
        rows.extend([0xff; 512]);
        // All of them are NULL.
        rows.extend([0xff; 512]);
        let rows = event(30, &rows);
        assembler.handle(&decoder.decode(&rows).unwrap(), None);
        // The rows go to the index, and with them what they need.
        assert_eq!(assembler.take().row_count, 1);
    }
    assert!(assembler.in_transaction());
    let kept = kept.iter().filter(|table| table.strong_count() > 0);
    assert!((1..100).contains(&kept.count()));
}
