//! Partial updates of JSON documents. In full images each row's document after an update stands in front of its next
//! change, written by the server: what the changes make has to be that.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use bintrail_proto::binlog::decoder::{Decoder, EventData};
use bintrail_proto::binlog::file::event_len;
use bintrail_proto::binlog::json_diff::{JsonDiffs, Operation, Patcher};
use bintrail_proto::binlog::jsonb::{Jsonb, Style};
use bintrail_proto::binlog::rows::{Field, Image, Row, RowBuf};
use bintrail_proto::binlog::table_map::TableMap;

fn for_each_row(mut each: impl FnMut(&TableMap, Row<'_>)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mysql97/partial-json/binlog");
    let file = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut decoder, mut tables) = (Decoder::for_file(), HashMap::new());
    let (mut rest, mut buf) = (&file[4..], RowBuf::default());
    while !rest.is_empty() {
        let (event, behind) = rest.split_at(event_len(rest).unwrap().unwrap());
        match decoder.decode(event).unwrap().data {
            EventData::TableMap(map) => {
                tables.insert(map.table_id, map.compile().unwrap());
            }
            EventData::Rows(event) => {
                let table = &tables[&event.table_id];
                let counted = event.count(table).unwrap();
                let (mut rows, mut read) = (event.rows(table, &mut buf).unwrap(), 0);
                while let Some(row) = rows.next().unwrap() {
                    each(table, row);
                    read += 1;
                }
                assert_eq!(read, counted);
            }
            _ => {}
        }
        rest = behind;
    }
}

fn text(document: &[u8]) -> String {
    let mut text = Vec::new();
    Jsonb::new(document)
        .write_json(Style::MySql, &mut text)
        .unwrap();
    String::from_utf8(text).unwrap()
}

/// The documents of an image by column; `None` for NULL. Those left out are left out.
fn documents(image: Image<'_>) -> HashMap<usize, Option<String>> {
    let fields = image.fields().enumerate();
    fields
        .filter(|(_, (column, _))| column.type_code == 245)
        .filter_map(|(number, (_, field))| match field {
            Field::Absent => None,
            Field::Null => Some((number, None)),
            Field::Bytes(bytes) => Some((number, Some(text(bytes)))),
        })
        .collect()
}

#[test]
fn what_changes_make_is_what_stands_in_front_of_the_next_change() {
    // By table and key: what was made, and by how many changes.
    let mut made: HashMap<(String, i32), HashMap<usize, Option<String>>> = HashMap::new();
    let (mut changed, mut compared, mut operations) = (0, 0, BTreeSet::new());
    for_each_row(|table, row| {
        if &*table.table == "images" {
            return;
        }
        let key = |image: Image<'_>| match image.field(0) {
            Field::Bytes(bytes) => (
                table.table.to_string(),
                i32::from_le_bytes(bytes.try_into().unwrap()),
            ),
            field => panic!("{field:?}"),
        };
        if let Some(before) = row.before {
            assert_eq!(before.changes().count(), 0);
            assert_eq!(made.remove(&key(before)).unwrap(), documents(before));
            compared += 1;
        }
        if let Some(after) = row.after {
            for change in after.changes() {
                assert_eq!(change.applied, Ok(()));
                for diff in change.diffs.iter() {
                    let diff = diff.unwrap();
                    assert!(diff.path.legs().all(|leg| leg.is_ok()));
                    operations.insert(diff.operation as u8);
                    changed += 1;
                }
            }
            made.insert(key(after), documents(after));
        }
    });
    assert!(made.is_empty(), "each row is deleted in the end");
    assert!(
        compared > 40 && changed > 70,
        "{compared} rows, {changed} changes"
    );
    assert_eq!(operations.len(), 3);
}

/// What the server said of the rows that `setup.sql` changes in partial images.
#[test]
fn documents_whose_before_image_is_left_out_are_absent() {
    let mut rows = Vec::new();
    for_each_row(|table, row| {
        let (Some(_), Some(after)) = (row.before, row.after) else {
            return;
        };
        if &*table.table == "images" {
            let changes: Vec<_> = after
                .changes()
                .map(|change| {
                    let diffs = change.diffs.iter().map(Result::unwrap);
                    let paths: Vec<_> = diffs
                        .map(|diff| (diff.operation, diff.path.as_str().to_owned()))
                        .collect();
                    (change.column, paths, change.applied.is_ok())
                })
                .collect();
            rows.push((documents(after), changes));
        }
    });
    let replaced = |path: &str| vec![(Operation::Replace, path.to_owned())];
    let removed = |path: &str| vec![(Operation::Remove, path.to_owned())];
    let none = HashMap::new;
    let both = |a| {
        let k = format!(r#"{{"a": "{a}"}}"#);
        HashMap::from([(1, Some("[]".to_owned())), (2, Some(k))])
    };
    assert_eq!(
        rows,
        [
            (none(), vec![(1, replaced("$.b"), false)]),
            (
                none(),
                vec![(1, replaced("$.b"), false), (2, removed("$.b"), false)]
            ),
            (HashMap::from([(1, Some("[]".to_owned()))]), vec![]),
            // NOBLOB leaves documents in.
            (
                both("x"),
                vec![(1, vec![], true), (2, replaced("$.a"), true)]
            ),
            (both("x"), vec![(1, vec![], true), (2, vec![], true)]),
            (
                both("y"),
                vec![(1, vec![], true), (2, replaced("$.a"), true)]
            ),
        ]
    );
}

fn diff(operation: u8, path: &str, value: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = vec![operation, u8::try_from(path.len()).unwrap()];
    bytes.extend_from_slice(path.as_bytes());
    if let Some(value) = value {
        bytes.push(u8::try_from(value.len()).unwrap());
        bytes.extend_from_slice(value);
    }
    bytes
}

/// `{"a": [1, 2], "bb": "x"}`
const DOCUMENT: &[u8] =
    b"\x00\x02\x00\x21\x00\x12\x00\x01\x00\x13\x00\x02\x00\x02\x15\x00\x0c\x1f\x00abb\
    \x02\x00\x0a\x00\x05\x01\x00\x05\x02\x00\x01x";

#[test]
fn changes_that_do_not_fit_are_errors() {
    assert_eq!(text(DOCUMENT), r#"{"a": [1, 2], "bb": "x"}"#);
    let mut patcher = Patcher::default();
    let mut apply = |diffs: &[u8]| {
        let mut out = b"before".to_vec();
        let applied = patcher.apply(Jsonb::new(DOCUMENT), JsonDiffs::new(diffs), &mut out);
        assert!(out.starts_with(b"before"));
        match applied {
            Ok(()) => Ok(text(&out[6..])),
            Err(error) => {
                assert_eq!(out, b"before");
                Err(error)
            }
        }
    };
    let one = Some(&b"\x05\x01\x00"[..]);
    assert_eq!(apply(b"").unwrap(), text(DOCUMENT));
    for (diff, expected) in [
        (diff(0, "$.a", one), r#"{"a": 1, "bb": "x"}"#),
        (diff(0, "$.a[last-1]", one), r#"{"a": [1, 2], "bb": "x"}"#),
        (diff(1, "$.a[1]", one), r#"{"a": [1, 1, 2], "bb": "x"}"#),
        (diff(1, "$.a[7]", one), r#"{"a": [1, 2, 1], "bb": "x"}"#),
        (
            diff(1, "$.a[last-7]", one),
            r#"{"a": [1, 1, 2], "bb": "x"}"#,
        ),
        (diff(1, "$.\"\"", one), r#"{"": 1, "a": [1, 2], "bb": "x"}"#),
        (diff(1, "$.ab", one), r#"{"a": [1, 2], "ab": 1, "bb": "x"}"#),
        (diff(2, "$.a[0]", None), r#"{"a": [2], "bb": "x"}"#),
        (diff(2, "$.a", None), r#"{"bb": "x"}"#),
    ] {
        assert_eq!(apply(&diff).unwrap(), expected);
        for len in 1..diff.len() {
            assert!(apply(&diff[..len]).is_err(), "{expected} cut at {len}");
        }
        for kind in [3, 127, 255] {
            assert!(apply(&[&[kind], &diff[1..]].concat()).is_err());
        }
    }
    for bad in [
        diff(0, "$", one),
        diff(1, "$", one),
        diff(2, "$", None),
        diff(0, "$.nope", one),
        diff(0, "$[0]", one),
        diff(0, "$.a[2]", one),
        diff(0, "$.a[last-2]", one),
        diff(0, "$.a.x", one),
        diff(0, "$.bb.x", one),
        diff(0, "$.bb[0]", one),
        diff(1, "$.a", one),
        diff(1, "$[0]", one),
        diff(1, "$.a.x", one),
        diff(1, "$.nope.x", one),
        diff(2, "$.nope", None),
        diff(2, "$.a[2]", None),
        diff(0, "$.a[", one),
        diff(0, "a", one),
        diff(0, "$.a", Some(b"")),
        diff(0, "$.a", Some(b"\x05\x01")),
        diff(0, "$.a", Some(b"\xEE\x01")),
        diff(0, &format!("$.a{}", "[0]".repeat(80)), one),
    ] {
        assert!(apply(&bad).is_err(), "{}", bad.escape_ascii());
    }
    // The first of two stands, and the document does not.
    assert!(apply(&[diff(2, "$.a", None), diff(2, "$.a", None)].concat()).is_err());
}

/// Values that share bytes would make much of little.
#[test]
fn overlapping_values_are_errors() {
    let mut overlapping = vec![0x02, 100, 0];
    let header = 4 + 100 * 3;
    overlapping.extend_from_slice(&u16::to_le_bytes(header + 200));
    for _ in 0..100 {
        overlapping.push(0x0C);
        overlapping.extend_from_slice(&header.to_le_bytes());
    }
    overlapping.extend_from_slice(&[0x80 | 70, 1]);
    overlapping.resize(1 + usize::from(header) + 200, b'x');
    let diffs = diff(2, "$[0]", None);
    let mut out = Vec::new();
    let applied =
        Patcher::default().apply(Jsonb::new(&overlapping), JsonDiffs::new(&diffs), &mut out);
    assert!(applied.is_err() && out.is_empty());
}
