//! Row events rendered as `mysqlbinlog -vv` prints them, against what it printed itself.
//!
//! The binlogs and the expected lines are made by `scripts/gen-goldens` from MySQL 9.7, MySQL 5.6 and
//! MariaDB.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use bintrail_engine::render::mysqlbinlog::{write_front, write_row};
use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
use bintrail_proto::binlog::header::EventHeader;
use bintrail_proto::binlog::rows::RowBuf;
use bintrail_proto::binlog::table_map::TableMap;
use bintrail_proto::binlog::transaction_payload::Unpacker;

fn data(case: &str, file: &str) -> Vec<u8> {
    let path: PathBuf = [
        env!("CARGO_MANIFEST_DIR"),
        "../proto/tests/data",
        case,
        file,
    ]
    .iter()
    .collect();
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All rows of the tables that `wanted` accepts.
fn render(case: &str, wanted: impl Fn(&TableMap) -> bool) -> Vec<u8> {
    let binlog = data(case, "binlog");
    let mut rest = binlog.strip_prefix(b"\xfebin").unwrap();
    let (mut out, mut buf, mut tables) = (Vec::new(), RowBuf::default(), HashMap::new());
    let mut take = |event: &Event<'_>| match &event.data {
        EventData::TableMap(map) => {
            tables.insert(map.table_id, map.compile().unwrap());
        }
        EventData::Rows(rows) => {
            let table = &tables[&rows.table_id];
            if wanted(table) && !write_front(&mut out, table, rows) {
                let mut read = rows.rows(table, &mut buf).unwrap();
                while let Some(row) = read.next().unwrap() {
                    write_row(&mut out, table, rows.kind, row).unwrap();
                }
            }
        }
        _ => {}
    };
    let mut decoder = Decoder::for_file();
    let (mut inflated, mut unpacker) = (Vec::new(), Unpacker::default());
    while !rest.is_empty() {
        let header = EventHeader::parse(rest).unwrap();
        let (event, behind) = rest.split_at(header.event_size as usize);
        let event = decoder.decode(event).unwrap();
        let event = event.inflate(&mut inflated).unwrap();
        if let EventData::TransactionPayload(payload) = &event.data {
            let mut events = unpacker.events(payload).unwrap();
            while let Some(packed) = events.next().unwrap() {
                take(&decoder.decode_packed(packed, &event).unwrap());
            }
        }
        take(&event);
        rest = behind;
    }
    out
}

#[track_caller]
fn assert_same_lines(actual: &[u8], expected: &[u8]) {
    let lines = |text: &[u8]| -> Vec<Vec<u8>> {
        text.split_inclusive(|&byte| byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    };
    let (actual, expected) = (lines(actual), lines(expected));
    for (number, (actual, expected)) in (1..).zip(actual.iter().zip(&expected)) {
        assert!(
            actual == expected,
            "line {number}:\n{}{}",
            actual.escape_ascii(),
            expected.escape_ascii()
        );
    }
    assert_eq!(actual.len(), expected.len());
    assert!(!expected.is_empty());
}

const MYSQL: [&str; 9] = [
    "mysql56/types",
    "mysql97/compressed",
    "mysql97/full-metadata",
    "mysql97/limits",
    "mysql97/no-checksum",
    "mysql97/partial-json",
    "mysql97/types",
    "mysql97/workloads",
    "mysql97/xa",
];

#[test]
fn mysql() {
    for case in MYSQL {
        assert_same_lines(&render(case, |_| true), &data(case, "expected"));
    }
}

/// No case of the corpus is without a test here, but for the one that no mysqlbinlog reads.
#[test]
fn every_case() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../proto/tests/data");
    let directories = |of: PathBuf| {
        let entries = fs::read_dir(of).unwrap().map(Result::unwrap);
        let directories = entries.filter(|entry| entry.path().is_dir());
        directories.map(|entry| entry.file_name().into_string().unwrap())
    };
    // What only tests of `proto` read.
    let apart = ["charsets", "control", "gtid_set", "jsonb"];
    let mut cases = Vec::new();
    for server in directories(root.clone()).filter(|name| !apart.contains(&&**name)) {
        let of_server = directories(root.join(&server));
        cases.extend(of_server.map(|case| format!("{server}/{case}")));
    }
    let others = [
        "mysql97/geometry",
        "mysql97/signedness",
        "mariadb/old-fractions",
    ];
    let mut tested = [&MYSQL[..], &MARIADB, &others].concat();
    cases.sort_unstable();
    tested.sort_unstable();
    assert_eq!(cases, tested);
}

/// What mysqlbinlog prints of the same bytes as LONGBLOB.
#[test]
fn geometry_is_printed_as_a_string() {
    let expected = String::from_utf8_lossy(&data("mysql97/geometry", "expected"))
        .split_inclusive('\n')
        .map(str::to_owned)
        .collect::<Vec<_>>();
    let mut of_twins = false;
    let twins: String = expected
        .into_iter()
        .filter(|line| {
            if !matches!(line.as_str(), "### SET\n" | "### WHERE\n") && !line.starts_with("###   ")
            {
                of_twins = line.contains("`twins`");
            }
            of_twins
        })
        .collect::<String>()
        .replace("`twins`", "`shapes`")
        .replace("LONGBLOB/LONGTEXT", "GEOMETRY");
    let shapes = render("mysql97/geometry", |table| &*table.table == "shapes");
    assert_same_lines(
        String::from_utf8_lossy(&shapes).as_bytes(),
        twins.as_bytes(),
    );
}

/// It prints the year 0 as 1900, which the server does not.
#[test]
fn signedness() {
    let expected = String::from_utf8(data("mysql97/signedness", "expected")).unwrap();
    let expected = expected.replace("=1900 /* YEAR", "=0000 /* YEAR");
    let actual = render("mysql97/signedness", |_| true);
    assert_same_lines(&actual, expected.as_bytes());
}

const MARIADB: [&str; 7] = [
    "mysql56/v1-rows",
    "mariadb/types",
    "mariadb/full-metadata",
    "mariadb/gtid-list",
    "mariadb/compressed",
    "mariadb/old-temporal",
    "mariadb11/positions",
];

/// And what MariaDB's program prints of the rows events of MySQL 5.1 to 5.5, which MySQL's own no longer reads.
#[test]
fn mariadb() {
    for case in MARIADB {
        let (actual, mut expected) = (render(case, |_| true), data(case, "expected"));
        if case == "mariadb/old-temporal" {
            // MySQL's program has no quotes around a DATETIME of before 5.6, MariaDB's has.
            expected = without_quotes_of_datetime(&expected);
        }
        assert_same_lines(&without_texts(&actual), &without_texts(&expected));
    }
}

fn without_quotes_of_datetime(lines: &[u8]) -> Vec<u8> {
    let text = str::from_utf8(lines).unwrap();
    let line = |line: &str| match line.contains("/* DATETIME meta=0 ") {
        true => line.replace('\'', ""),
        false => line.to_owned(),
    };
    text.split_inclusive('\n')
        .map(line)
        .collect::<String>()
        .into_bytes()
}

/// MariaDB's program escapes other bytes of a string than MySQL's, whose form is printed: what is in the
/// quotes is left out here, and is compared as images elsewhere.
fn without_texts(lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        let find = |needle: &[u8]| line.windows(needle.len()).position(|part| part == needle);
        match (find(b"='"), find(b"' /* ")) {
            (Some(open), Some(close)) if open < close => {
                out.extend_from_slice(&line[..open]);
                out.extend_from_slice(&line[close..]);
            }
            _ => out.extend_from_slice(line),
        }
    }
    out
}
