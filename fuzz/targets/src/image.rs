use std::sync::Arc;

use arbitrary::Unstructured;
use bintrail_engine::image::ImageWriter;
use bintrail_engine::render::mysqlbinlog::{write_front, write_row};
use bintrail_engine::table::Table as Compiled;
use bintrail_proto::binlog::header::EventType;
use bintrail_proto::binlog::rows::{Image, RowBuf, RowsEvent};
use bintrail_proto::binlog::table_map::TableMap;
use serde_json::Value;

use crate::document::same;
use crate::model::{Cell, Column, Rows, Table, Verb};
use crate::value::{Kind, Says};

/// Rows that are made up, as JSON images and as mysqlbinlog's lines: the JSON says what the rows were made
/// of, and there is a line for each value.
pub fn image(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(table) = Table::arbitrary(&mut u) else {
        return;
    };
    let Ok(rows) = Rows::arbitrary(&mut u, &table) else {
        return;
    };
    let map = Arc::new(TableMap::parse(&table.encode()).unwrap());
    let compiled = Compiled::from_event(Arc::clone(&map), ("binlog.000001".to_owned(), 4));
    let body = rows.encode(&table);
    let event = RowsEvent::parse(EventType(rows.code()), &body).unwrap();
    let mut buf = RowBuf::default();

    let mut lines = Vec::new();
    if !write_front(&mut lines, &map, &event) {
        let mut read = event.rows(&map, &mut buf).unwrap();
        while let Some(row) = read.next().unwrap() {
            write_row(&mut lines, &map, event.kind, row).unwrap();
        }
    }
    check_lines(&lines, &rows);

    let mut writer = ImageWriter::default();
    let mut read = event.rows(&map, &mut buf).unwrap();
    for expected in &rows.rows {
        let row = read.next().unwrap().unwrap();
        for (image, cells) in [(row.before, &expected.before), (row.after, &expected.after)] {
            if let (Some(image), Some(cells)) = (image, cells) {
                check_image(&mut writer, &table, &compiled, image, cells);
            }
        }
    }
}

fn check_lines(lines: &[u8], rows: &Rows) {
    let mut expected = 0;
    for row in &rows.rows {
        expected += if rows.verb == Verb::Update { 3 } else { 2 };
        for image in [&row.before, &row.after].into_iter().flatten() {
            expected += image
                .iter()
                .filter(|cell| !matches!(cell, Cell::Absent))
                .count();
        }
    }
    assert!(lines.ends_with(b"\n"));
    let lines: Vec<&[u8]> = lines.split(|&byte| byte == b'\n').collect();
    assert_eq!(lines.len() - 1, expected);
    assert!(
        lines[..expected]
            .iter()
            .all(|line| line.starts_with(b"### "))
    );
}

fn check_image(
    writer: &mut ImageWriter,
    table: &Table,
    compiled: &Compiled,
    image: Image<'_>,
    cells: &[Cell],
) {
    let mut out = b"before".to_vec();
    writer.write_image(&mut out, compiled, image);
    let text = out.strip_prefix(b"before").unwrap();
    let Value::Object(members) = serde_json::from_slice(text).unwrap() else {
        panic!("no object");
    };
    let mut members = members.iter();
    for (number, (column, cell)) in table.columns.iter().zip(cells).enumerate() {
        if matches!(cell, Cell::Absent) {
            continue;
        }
        let (name, value) = members.next().unwrap();
        match table.full {
            true => assert_eq!(*name, column.name),
            false => assert_eq!(*name, format!("@{}", number + 1)),
        }
        match cell {
            Cell::Value(of) => check_value(column, table.full, value, &of.says, &of.bytes),
            _ => assert!(value.is_null()),
        }
    }
    assert!(members.next().is_none());

    let mut key = b"before".to_vec();
    let has_key = writer.write_key(&mut key, compiled, image);
    let there = table
        .key
        .iter()
        .all(|&number| matches!(cells[usize::from(number)], Cell::Value(_)));
    assert_eq!(has_key, !table.key.is_empty() && there);
    let key = key.strip_prefix(b"before").unwrap();
    assert!(has_key || key.is_empty());
    assert!(str::from_utf8(key).is_ok());
}

fn check_value(column: &Column, full: bool, value: &Value, says: &Says, bytes: &[u8]) {
    let (mut code, _) = column.kind.code();
    if let Kind::Blob(len_bytes) = column.kind {
        // TINY, BLOB, MEDIUM and LONG, which TABLE_MAP_EVENT does not tell apart by their codes.
        code = [249, 252, 250, 251][usize::from(len_bytes) - 1];
    }
    let base64 = |bytes: &[u8]| Value::from(format!("base64:type{code}:{}", base64(bytes)));
    match says {
        Says::Number(digits) => assert_eq!(value.to_string(), *digits),
        Says::Float(n) if n.is_finite() => {
            // A FLOAT's own digits: read as a FLOAT, not by way of a DOUBLE.
            assert_eq!(value.to_string().parse(), Ok(*n));
        }
        Says::Double(n) if n.is_finite() => assert_eq!(value.as_f64(), Some(*n)),
        Says::Float(_) | Says::Double(_) => assert_eq!(*value, base64(bytes)),
        Says::Text(text) if text.starts_with("base64:type") => assert_eq!(*value, base64(bytes)),
        Says::Literal(text) | Says::Text(text) => assert_eq!(value.as_str(), Some(&**text)),
        // JSON's null must not be taken for SQL's.
        Says::Json(Value::Null) => assert_eq!(*value, base64(&[4, 0])),
        Says::Json(json) => assert!(same(json, value), "{value} for {json}"),
        Says::Bytes(all) => assert_eq!(*value, base64(all)),
        Says::Member(number) if !full => assert_eq!(value.as_u64(), Some(*number)),
        Says::Member(number) => {
            let label = |n: u64| column.members[n as usize].as_str();
            let text = match (column.kind, number) {
                (Kind::Enum(_), 0) => String::new(),
                (Kind::Enum(_), number) => label(number - 1).to_owned(),
                (_, bits) => {
                    let set = (0..64).filter(|n| bits >> n & 1 != 0);
                    set.map(label).collect::<Vec<_>>().join(",")
                }
            };
            assert_eq!(value.as_str(), Some(&*text));
        }
    }
}

/// RFC 4648, section 4, bit by bit.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1))
        .collect();
    let mut text: String = bits
        .chunks(6)
        .map(|six| {
            let digit = (0..6).fold(0, |n, at| n << 1 | six.get(at).copied().unwrap_or(0));
            char::from(DIGITS[usize::from(digit)])
        })
        .collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
