//! Binlogs of MariaDB against what the server itself says of them: `scripts/gen-goldens` makes both.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;

use bintrail_proto::binlog::checksum::Checksum;
use bintrail_proto::binlog::column::ColumnType;
use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
use bintrail_proto::binlog::format_description::{Flavor, FormatDescription};
use bintrail_proto::binlog::header::{EventHeader, EventType};
use bintrail_proto::binlog::mariadb::gtid_set::MariadbGtidSet;
use bintrail_proto::binlog::rows::{Field, RowBuf};
use bintrail_proto::binlog::table_map::TableMap;
use bintrail_proto::binlog::value::Value;
use bintrail_proto::binlog::value::charset::Charset;
use sha2::{Digest, Sha256};

fn data(name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/data", name]
        .iter()
        .collect();
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(name: &str) -> String {
    String::from_utf8_lossy(&data(name)).into_owned()
}

/// Hands all events of a file to `take`, as `decoder` reads them.
fn read(case: &str, mut decoder: Decoder, mut take: impl FnMut(&Event<'_>)) {
    let binlog = data(&format!("{case}/binlog"));
    let mut rest = binlog.strip_prefix(b"\xfebin").unwrap();
    let mut inflated = Vec::new();
    while !rest.is_empty() {
        let size = EventHeader::parse(rest).unwrap().event_size as usize;
        let (event, behind) = rest.split_at(size);
        take(
            &decoder
                .decode(event)
                .unwrap()
                .inflate(&mut inflated)
                .unwrap(),
        );
        rest = behind;
    }
}

const CASES: [&str; 7] = [
    "mariadb/types",
    "mariadb/gtid-list",
    "mariadb/full-metadata",
    "mariadb/compressed",
    "mariadb/old-temporal",
    "mariadb/old-fractions",
    "mariadb11/positions",
];

/// `SHOW BINLOG EVENTS`, for the file and for a dump of the same events: where each event starts and
/// ends, its type, and the GTID in it.
#[test]
fn events_are_what_the_server_says() {
    for case in CASES {
        let events = text(&format!("{case}/events"));
        let shown: Vec<Vec<&str>> = events
            .lines()
            .map(|line| line.split('\t').collect())
            .collect();
        for live in [false, true] {
            let decoder = if live {
                Decoder::for_dump(Checksum::Crc32)
            } else {
                Decoder::for_file()
            };
            let mut at = 0;
            let mut reached = MariadbGtidSet::new();
            read(case, decoder, |event| {
                // The ROTATE that ended the file came later.
                let Some(line) = shown.get(at) else {
                    assert_eq!(event.header.event_type, EventType::ROTATE_EVENT, "{case}");
                    return;
                };
                let context = format!("{case} {line:?}, live: {live}");
                assert_eq!(event.start.to_string(), line[0], "{context}");
                if let Some(next) = shown.get(at + 1) {
                    assert_eq!(event.end.to_string(), next[0], "{context}");
                }
                let info = line[4];
                match &event.data {
                    EventData::MariadbGtid(gtid) => {
                        assert_eq!(line[1], "Gtid", "{context}");
                        assert!(info.ends_with(&format!("GTID {}", gtid.gtid)), "{context}");
                        let begins = info.starts_with("BEGIN") || info.starts_with("XA START");
                        assert_eq!(gtid.is_standalone(), !begins, "{context}");
                        if case.starts_with("mariadb11") {
                            assert!(gtid.thread_id.is_some(), "{context}");
                        }
                        reached.update(gtid.gtid);
                    }
                    EventData::MariadbGtidList(list) => {
                        // Shown in another order.
                        let gtids = info.trim_matches(['[', ']']).split_terminator(',');
                        let gtids: BTreeSet<_> = gtids.map(str::to_owned).collect();
                        let listed = list.gtids().map(|gtid| gtid.to_string());
                        assert_eq!(listed.collect::<BTreeSet<_>>(), gtids, "{context}");
                        reached = list.position();
                    }
                    EventData::BinlogCheckpoint(checkpoint) => {
                        assert_eq!(checkpoint.file, info, "{context}");
                    }
                    EventData::RowsQuery(query) => {
                        let statement = String::from_utf8_lossy(query.statement);
                        assert_eq!(line[1], "Annotate_rows", "{context}");
                        let plain = info.replace("\\n", "\n").replace("\\t", "\t");
                        let shown = plain.replace("\\\\", "\\");
                        assert!(
                            statement == shown || case == "mariadb/types",
                            "{context}: {statement}"
                        );
                    }
                    EventData::Query(query) => {
                        assert!(line[1].starts_with("Query"), "{context}");
                        assert_eq!(event.header.event_type, EventType::QUERY_EVENT);
                        if line[1] == "Query_compressed" {
                            let statement = String::from_utf8_lossy(query.statement);
                            assert!(info.ends_with(&*statement), "{context}: {statement}");
                        }
                    }
                    EventData::Rows(_) => {
                        assert!(line[1].contains("_rows_"), "{context}");
                    }
                    EventData::TableMap(_) => assert_eq!(line[1], "Table_map", "{context}"),
                    EventData::Xid(_) => assert_eq!(line[1], "Xid", "{context}"),
                    EventData::XaPrepare(_) => assert_eq!(line[1], "XA_prepare", "{context}"),
                    EventData::FormatDescription(_) => assert_eq!(line[1], "Format_desc"),
                    other => panic!("{context}: {other:?}"),
                }
                at += 1;
            });
            assert_eq!(at, shown.len(), "{case}");
            assert!(!reached.is_empty(), "{case}");
            if case == "mariadb/gtid-list" {
                let selected = text("mariadb/gtid-list/selected");
                assert_eq!(reached, selected.trim().parse().unwrap());
            }
        }
    }
}

#[test]
fn every_case_is_read() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut found = Vec::new();
    for kind in ["mariadb", "mariadb11"] {
        for case in fs::read_dir(root.join(kind)).unwrap() {
            let case = case.unwrap();
            if case.path().is_dir() {
                found.push(format!("{kind}/{}", case.file_name().display()));
            }
        }
    }
    let mut cases = CASES;
    cases.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, cases);
}

fn tables(case: &str) -> HashMap<String, TableMap> {
    let mut tables = HashMap::new();
    read(case, Decoder::for_file(), |event| {
        if let EventData::TableMap(map) = &event.data {
            tables.insert(map.table.to_owned(), map.compile().unwrap());
        }
    });
    tables
}

#[test]
fn full_metadata_of_columns_that_mysql_does_not_count() {
    let selected = text("mariadb/full-metadata/selected");
    let selected: Vec<&str> = selected.lines().collect();
    let tables = tables("mariadb/full-metadata");
    let charsets: Vec<&str> = tables["charsets"]
        .columns
        .iter()
        .map(|column| match column.charset() {
            None | Some(Charset::Binary) => "-",
            Some(charset) => charset.name(),
        })
        .collect();
    assert_eq!(charsets.join(","), selected[0]);
    let unsigned: Vec<&str> = tables["signs"]
        .columns
        .iter()
        .map(|column| match column.unsigned {
            Some(true) => "1",
            _ => "0",
        })
        .collect();
    assert_eq!(unsigned.join(","), selected[1]);
    assert!(tables.values().all(TableMap::has_names));
    assert_eq!(tables["charsets"].primary_key.as_deref(), Some(&[1, 0][..]));
    assert_eq!(tables["charsets"].columns[3].geometry_type, Some(1));
}

/// UUID, INET6 and compressed strings, as `SELECT` gives them.
#[test]
fn values_that_only_mariadb_has() {
    let selected = text("mariadb/types/selected");
    let mut shown: Vec<Vec<String>> = Vec::new();
    let mut maps: HashMap<u64, TableMap> = HashMap::new();
    let (mut buf, mut scratch) = (RowBuf::default(), Vec::new());
    read("mariadb/types", Decoder::for_file(), |event| {
        match &event.data {
            EventData::TableMap(map) if matches!(map.table, "natives" | "compressions") => {
                let mut table = map.compile().unwrap();
                if map.table == "natives" {
                    table.columns[1].column_type = ColumnType::Uuid;
                    table.columns[2].column_type = ColumnType::Inet6;
                }
                maps.insert(map.table_id, table);
            }
            EventData::Rows(rows) if maps.contains_key(&rows.table_id) => {
                let mut rows = rows.rows(&maps[&rows.table_id], &mut buf).unwrap();
                while let Some(row) = rows.next().unwrap() {
                    let fields = row.after.unwrap().fields();
                    shown.push(
                        fields
                            .map(|(column, field)| {
                                let Field::Bytes(_) = field else {
                                    return "NULL".to_owned();
                                };
                                let mut out = Vec::new();
                                match field.value(column).unwrap().unwrap() {
                                    Value::Int(n) => return n.to_string(),
                                    Value::Uuid(uuid) => return uuid.to_string(),
                                    Value::Inet6(address) => address.write_to(&mut out),
                                    Value::Compressed(string) => {
                                        let digest =
                                            Sha256::digest(string.inflate(&mut scratch).unwrap());
                                        return digest
                                            .iter()
                                            .map(|byte| format!("{byte:02x}"))
                                            .collect();
                                    }
                                    other => panic!("{other:?}"),
                                }
                                String::from_utf8(out).unwrap()
                            })
                            .collect(),
                    );
                }
            }
            _ => {}
        }
    });
    let shown: String = shown.iter().map(|cells| cells.join("\t") + "\n").collect();
    assert_eq!(shown, selected);
}

/// MariaDB takes any text for its option `version`.
#[test]
fn a_version_that_does_not_name_it() {
    let binlog = data("mariadb/types/binlog");
    let size = EventHeader::parse(&binlog[4..]).unwrap().event_size as usize;
    let mut body = binlog[4 + 19..4 + size].to_vec();
    body[2..52].fill(0);
    body[2..15].copy_from_slice(b"8.0.36-custom");
    let description = FormatDescription::parse(&body).unwrap();
    assert_eq!(description.server_version.flavor(), Flavor::MySql);
    assert_eq!(description.flavor(), Flavor::MariaDb);
}

/// The events do not tell how wide these are, and some of their bytes could be read as rows without fractions.
#[test]
fn fractions_of_before_10_1_leave_a_doubt() {
    let mut tables = HashMap::new();
    let mut buf = RowBuf::default();
    let (mut refused, mut doubted) = (0, 0);
    read(
        "mariadb/old-fractions",
        Decoder::for_file(),
        |event| match &event.data {
            EventData::TableMap(map) => {
                tables.insert(map.table_id, map.compile().unwrap());
            }
            EventData::Rows(rows) => {
                let table = &tables[&rows.table_id];
                assert_eq!(
                    rows.count(table).is_ok(),
                    rows.rows(table, &mut buf).is_ok()
                );
                match rows.count(table) {
                    Err(error) => {
                        assert!(error.to_string().contains("before 10.1"), "{error}");
                        refused += 1;
                    }
                    Ok(_) => {
                        assert!(rows.may_have_old_fractions(table), "{}", table.table);
                        doubted += 1;
                    }
                }
            }
            _ => {}
        },
    );
    assert_eq!((refused, doubted), (7, 1));
}

/// Rows that cannot have been written with fractions are in no doubt.
#[test]
fn no_fractions_of_before_10_1() {
    let mut tables = HashMap::new();
    let mut sure = 0;
    read(
        "mariadb/old-temporal",
        Decoder::for_file(),
        |event| match &event.data {
            EventData::TableMap(map) => {
                tables.insert(map.table_id, map.compile().unwrap());
            }
            EventData::Rows(rows) => {
                let table = &tables[&rows.table_id];
                assert!(rows.count(table).is_ok());
                sure += u64::from(!rows.may_have_old_fractions(table));
            }
            _ => {}
        },
    );
    assert_eq!(sure, 3);
}

/// What `setup.sql` stored, once the digits are known.
#[test]
fn fractions_of_before_10_1_that_are_told() {
    let mut tables = HashMap::new();
    let mut buf = RowBuf::default();
    let mut seen = Vec::new();
    read(
        "mariadb/old-fractions",
        Decoder::for_file(),
        |event| match &event.data {
            EventData::TableMap(map) => {
                let mut table = map.compile().unwrap();
                let digits: &[u8] = match &*table.table {
                    "many" => &[0, 3, 6, 2, 6],
                    "one" => &[0, 1],
                    "times" => &[0, 1, 2],
                    "lengths" => &[0, 2],
                    _ => &[0, 3, 2],
                };
                for (column, digits) in table.columns.iter_mut().zip(digits) {
                    let with = column.column_type.with_old_fraction(*digits);
                    column.column_type = with.unwrap_or(column.column_type);
                }
                table.settle_old_fractions();
                assert!(!table.may_have_old_fractions());
                tables.insert(map.table_id, table);
            }
            EventData::Rows(rows) => {
                let mut rows = rows.rows(&tables[&rows.table_id], &mut buf).unwrap();
                while let Some(row) = rows.next().unwrap() {
                    for image in [row.before, row.after].into_iter().flatten() {
                        let mut line = Vec::new();
                        for (column, field) in image.fields() {
                            match field.value(column).unwrap() {
                                Some(Value::Time(value)) => value.write_to(&mut line),
                                Some(Value::DateTime(value)) => value.write_to(&mut line),
                                Some(Value::Timestamp(value)) => value.write_to(&mut line),
                                Some(Value::Null) => line.extend_from_slice(b"NULL"),
                                _ => continue,
                            }
                            line.push(b' ');
                        }
                        seen.push(String::from_utf8(line).unwrap());
                    }
                }
            }
            _ => {}
        },
    );
    let stored = [
        "-00:00:01.500 12:34:56.789012 2024-01-02 03:04:05.67 2024-01-02 03:04:05.678901 ",
        "NULL NULL NULL NULL ",
        "12:34:56.7 ",
        "00:00:00.0 ",
        "-12:34:56.7 ",
        "12:34:56.7 ",
        "00:00:01.1 ",
        "00:00:00.0 ",
        "00:00:01.1 ",
        "-12:34:56.7 ",
        "00:00:01.1 ",
        "00:00:01.1 ",
        "00:00:01.1 ",
        "00:00:01.1 ",
        "2024-01-02 03:04:05.6 NULL ",
        "NULL 2024-01-02 03:04:05.67 ",
        "2020-01-01 00:00:00.06 ",
        "00:00:00.002 2020-01-01 00:00:00.06 ",
    ];
    assert_eq!(seen, stored);
}

#[test]
fn every_collation() {
    let ranges = text("mariadb11/collations.txt");
    let mut count = 0;
    for range in ranges.lines() {
        let fields: Vec<&str> = range.split(' ').collect();
        let [name, first, last] = fields[..] else {
            panic!("{range}");
        };
        for number in first.parse::<u16>().unwrap()..=last.parse().unwrap() {
            let charset = Charset::from_collation(number);
            assert_eq!(charset.map(Charset::name), Some(name), "{number}");
            count += 1;
        }
    }
    assert!(count > 1_000, "{count}");
}

/// A dump announces encryption by an event that may be ignored; a file's cannot be.
#[test]
fn an_encrypted_file_is_refused() {
    let binlog = data("mariadb/compressed/binlog");
    let size = EventHeader::parse(&binlog[4..]).unwrap().event_size as usize;
    for (flags, refused) in [(0_u16, true), (EventHeader::FLAG_IGNORABLE, false)] {
        let mut decoder = Decoder::for_file();
        decoder.decode(&binlog[4..4 + size]).unwrap();
        let mut event = vec![0, 0, 0, 0, 164, 1, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0];
        event.extend(flags.to_le_bytes());
        event.resize(36, 1);
        event.extend(crc32fast::hash(&event).to_le_bytes());
        let decoded = decoder.decode(&event);
        assert_eq!(decoded.is_err(), refused);
        if let Err(error) = decoded {
            assert!(error.to_string().contains("encrypted"), "{error}");
        }
    }
}
