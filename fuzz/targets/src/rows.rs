use arbitrary::Unstructured;
use bintrail_proto::binlog::header::EventType;
use bintrail_proto::binlog::rows::{Field, Image, RowBuf, RowsEvent};
use bintrail_proto::binlog::table_map::TableMap;

use crate::model::{Cell, Rows, Table};
use crate::value::Says;
use crate::{event, values};

/// A table and rows that are made up are read as they were written; damaged, they are read or refused.
pub fn rows(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(table) = Table::arbitrary(&mut u) else {
        return;
    };
    let map_body = table.encode();
    let map = TableMap::parse(&map_body).unwrap();
    check_table(&table, &map);
    let Ok(rows) = Rows::arbitrary(&mut u, &table) else {
        return;
    };
    let body = rows.encode(&table);
    let event = RowsEvent::parse(EventType(rows.code()), &body).unwrap();
    assert_eq!(event.table_id, table.id);
    let mut buf = RowBuf::default();
    assert_eq!(event.count(&map), Ok(rows.rows.len() as u64));
    let mut read = event.rows(&map, &mut buf).unwrap();
    for expected in &rows.rows {
        let row = read.next().unwrap().unwrap();
        for (image, cells) in [(row.before, &expected.before), (row.after, &expected.after)] {
            assert_eq!(image.is_some(), cells.is_some());
            if let (Some(image), Some(cells)) = (image, cells) {
                check_image(image, cells);
            }
        }
    }
    assert!(read.next().unwrap().is_none());

    damage(&mut u, map_body, body, rows.code());
}

fn check_table(table: &Table, map: &TableMap) {
    assert_eq!(map.table_id, table.id);
    assert_eq!(&*map.schema, table.schema);
    assert_eq!(&*map.table, table.name);
    assert_eq!(map.columns.len(), table.columns.len());
    assert_eq!(map.has_names(), table.full);
    let key = (!table.key.is_empty()).then_some(&*table.key);
    assert_eq!(map.primary_key.as_deref(), key);
    for (expected, column) in table.columns.iter().zip(&map.columns) {
        let kind = expected.kind;
        assert_eq!(column.type_code, kind.code().0);
        assert_eq!(column.nullable, expected.nullable);
        assert_eq!(
            column.unsigned,
            kind.is_numeric().then_some(expected.unsigned)
        );
        let has_collation = kind.is_character() || kind.has_members();
        assert_eq!(
            column.collation,
            has_collation.then_some(expected.collation)
        );
        let name = table.full.then_some(expected.name.as_str());
        assert_eq!(column.name.as_deref(), name);
        assert_eq!(column.visible, table.full.then_some(expected.visible));
        let members = column.members.as_deref().unwrap_or_default();
        let there = table.full && kind.has_members();
        assert_eq!(column.members.is_some(), there);
        if there {
            assert!(
                members
                    .iter()
                    .map(|m| &**m)
                    .eq(expected.members.iter().map(|m| m.as_bytes()))
            );
        }
    }
}

fn check_image(image: Image<'_>, cells: &[Cell]) {
    assert_eq!(image.fields().count(), cells.len());
    for ((column, field), cell) in image.fields().zip(cells) {
        let (bytes, value) = match (cell, field) {
            (Cell::Absent, Field::Absent) | (Cell::Null, Field::Null) => continue,
            (Cell::Value(value), Field::Bytes(bytes)) => (bytes, value),
            (_, field) => panic!("{cell:?}, {field:?}"),
        };
        assert_eq!(bytes, value.bytes);
        let printed = values::print(column, bytes);
        match &value.says {
            Says::Float(n) if !n.is_finite() => assert!(printed.is_err()),
            Says::Double(n) if !n.is_finite() => assert!(printed.is_err()),
            says => {
                let text = String::from_utf8_lossy(&printed.unwrap()).into_owned();
                check_text(says, &text, &value.bytes);
            }
        }
    }
}

fn check_text(says: &Says, text: &str, bytes: &[u8]) {
    match says {
        Says::Number(expected) | Says::Literal(expected) | Says::Text(expected) => {
            // A YEAR's number has no zeros in front, its literal does.
            let year = expected == "0" && text == "0000";
            assert!(text == expected || year, "{text} for {expected}");
        }
        Says::Float(n) => assert_eq!(text.parse::<f32>().unwrap().to_bits(), n.to_bits()),
        Says::Double(n) => assert_eq!(text.parse::<f64>().unwrap().to_bits(), n.to_bits()),
        Says::Json(expected) => {
            let read: serde_json::Value = serde_json::from_str(text).unwrap();
            assert!(
                crate::document::same(expected, &read),
                "{text} for {expected}"
            );
        }
        Says::Bytes(_) => assert_eq!(text, String::from_utf8_lossy(bytes)),
        Says::Member(number) => assert_eq!(text, number.to_string()),
    }
}

/// Changes, cuts or lengthens the events by what is left of the input, and reads what is left of them.
fn damage(u: &mut Unstructured<'_>, mut map_body: Vec<u8>, mut body: Vec<u8>, code: u8) {
    for which in [&mut map_body, &mut body] {
        for _ in 0..u.int_in_range(0..=2).unwrap_or(0) {
            let (at, byte): (u16, u8) = u.arbitrary().unwrap_or_default();
            let at = usize::from(at) % (which.len() + 1);
            match byte {
                0 => which.truncate(at),
                1 => which.push(byte),
                _ => which.iter_mut().skip(at).take(1).for_each(|b| *b ^= byte),
            }
        }
    }
    let map = match TableMap::parse(&map_body) {
        Ok(map) => map,
        Err(error) => return crate::check_error(&error, map_body.len()),
    };
    match RowsEvent::parse(EventType(code), &body) {
        Ok(rows) => event::check_rows(&map, &rows, &mut RowBuf::default(), &body),
        Err(error) => crate::check_error(&error, body.len()),
    }
}
