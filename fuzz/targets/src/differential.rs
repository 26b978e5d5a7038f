use arbitrary::Unstructured;
use bintrail_proto::binlog::checksum::Checksum;
use bintrail_proto::binlog::column::ColumnType;
use bintrail_proto::binlog::header::{EventType, HEADER_LEN};
use bintrail_proto::binlog::rows::{Field, RowBuf, RowsEvent};
use bintrail_proto::binlog::table_map::{Column, TableMap};
use bintrail_proto::binlog::value::Value as Ours;
use mysql_common::Value as Theirs;
use mysql_common::binlog::BinlogFile;
use mysql_common::binlog::consts::BinlogVersion;
use mysql_common::binlog::events::EventData;
use mysql_common::binlog::value::BinlogValue;

use crate::model::{Cell, Rows, Table};
use crate::value::{Kind, Says, Value};
use crate::values;

/// FORMAT_DESCRIPTION_EVENT of MySQL 9.7.4, with checksums, behind a file's magic number.
const START: &[u8] = include_bytes!("../start-of-binlog");

/// Rows that are made up, in a file, read by mysql_common too: both find the same values, but for those
/// that [`is_wrong`] lists.
pub fn differential(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(table) = Table::arbitrary(&mut u) else {
        return;
    };
    let Ok(rows) = Rows::arbitrary(&mut u, &table) else {
        return;
    };
    if is_beyond(&table, &rows) {
        return;
    }
    let (map_body, body) = (table.encode(), rows.encode(&table));
    let mut file = START.to_vec();
    put_event(EventType::TABLE_MAP_EVENT.0, &map_body, &mut file);
    put_event(rows.code(), &body, &mut file);

    let map = TableMap::parse(&map_body).unwrap();
    let event = RowsEvent::parse(EventType(rows.code()), &body).unwrap();
    let mut buf = RowBuf::default();
    let mut ours = event.rows(&map, &mut buf).unwrap();

    let mut binlog = BinlogFile::new(BinlogVersion::Version4, &file[..]).unwrap();
    let mut compared = 0;
    while let Some(event) = binlog.next() {
        let event = event.unwrap();
        let Some(EventData::RowsEvent(theirs)) = event.read_data().unwrap() else {
            continue;
        };
        let their_map = binlog.reader().get_tme(theirs.table_id()).unwrap();
        for row in theirs.rows(their_map) {
            let (before, after) = match row {
                Ok(row) => row,
                Err(error) => panic!(
                    "{error} of {:?} {rows:?}",
                    map.columns
                        .iter()
                        .map(|c| (c.type_code, c.column_type))
                        .collect::<Vec<_>>()
                ),
            };
            let row = ours.next().unwrap().unwrap();
            for (image, theirs) in [(row.before, before), (row.after, after)] {
                assert_eq!(image.is_some(), theirs.is_some());
                let (Some(image), Some(theirs)) = (image, theirs) else {
                    continue;
                };
                let there = image.fields().filter(|(_, field)| *field != Field::Absent);
                let mut number = 0;
                for (column, field) in there {
                    let value = theirs.as_ref(number).unwrap();
                    number += 1;
                    let Field::Bytes(bytes) = field else {
                        assert_eq!(*value, BinlogValue::Value(Theirs::NULL));
                        continue;
                    };
                    let ours = Ours::decode(column, bytes).unwrap();
                    if !is_wrong(column, ours) {
                        let text = values::print(column, bytes).unwrap_or_default();
                        check(ours, bytes, &String::from_utf8_lossy(&text), value);
                    }
                }
                assert_eq!(number, theirs.len());
            }
            compared += 1;
        }
    }
    assert_eq!(compared, rows.rows.len());
}

fn put_event(code: u8, body: &[u8], file: &mut Vec<u8>) {
    let start = file.len();
    let size = (HEADER_LEN + body.len() + Checksum::Crc32.len()) as u32;
    file.extend_from_slice(&[0, 0, 0, 0, code, 1, 0, 0, 0]);
    file.extend_from_slice(&size.to_le_bytes());
    file.extend_from_slice(&(start as u32 + size).to_le_bytes());
    file.extend_from_slice(&[0, 0]);
    file.extend_from_slice(body);
    let crc = crc32fast::hash(&file[start..]);
    file.extend_from_slice(&crc.to_le_bytes());
}

/// Events that mysql_common 0.37 cannot read.
fn is_beyond(table: &Table, rows: &Rows) -> bool {
    // It reads no row of a table with metadata of a later version.
    if table.has_unknown_metadata {
        return true;
    }
    let images = rows.rows.iter().flat_map(|row| [&row.before, &row.after]);
    let cells = images
        .flatten()
        .flat_map(|image| table.columns.iter().zip(image));
    cells.into_iter().any(|(column, cell)| match cell {
        // It overflows on a negative TIME with one or two digits of a fraction.
        Cell::Value(Value {
            says: Says::Literal(text),
            ..
        }) => matches!(column.kind, Kind::Time(1 | 2)) && text.starts_with('-'),
        _ => false,
    })
}

/// Values that mysql_common 0.37 gets wrong, which the `rows` target holds to what they were made of.
fn is_wrong(column: &Column, ours: Ours<'_>) -> bool {
    match ours {
        // It has 1900 for the year 0.
        Ours::Year(year) => year.number() == 0,
        // It does not extend the sign of a MEDIUMINT.
        Ours::Int(n) => column.column_type == ColumnType::Int24 && n < 0,
        // It takes the seconds for signed; MariaDB 11.5 and later stores them up to 2106.
        Ours::Timestamp(time) => time.seconds() > i32::MAX as u32,
        _ => false,
    }
}

fn check(ours: Ours<'_>, bytes: &[u8], text: &str, theirs: &BinlogValue<'_>) {
    let value = match (ours, theirs) {
        (Ours::Json(_), BinlogValue::Jsonb(json)) => {
            let json = serde_json::Value::try_from(json.clone()).unwrap();
            let ours: serde_json::Value = serde_json::from_str(text).unwrap();
            assert!(crate::document::same(&json, &ours), "{ours} for {json}");
            return;
        }
        (_, BinlogValue::Value(value)) => value,
        (ours, theirs) => panic!("{ours:?} for {theirs:?}"),
    };
    match (ours, value) {
        (Ours::Int(n), Theirs::Int(m)) => assert_eq!(n, *m),
        (Ours::UInt(n), Theirs::Int(m)) => assert_eq!(i64::try_from(n), Ok(*m)),
        (Ours::UInt(n) | Ours::Set(n), Theirs::UInt(m)) => assert_eq!(n, *m),
        (Ours::Float(n), Theirs::Float(m)) => assert_eq!(n.to_bits(), m.to_bits()),
        (Ours::Double(n), Theirs::Double(m)) => assert_eq!(n.to_bits(), m.to_bits()),
        (Ours::Decimal(_) | Ours::Year(_), Theirs::Bytes(m)) => {
            assert_eq!(text, String::from_utf8_lossy(m));
        }
        (Ours::Timestamp(time), Theirs::Bytes(m)) => {
            let mut epoch = Vec::new();
            time.write_epoch_to(&mut epoch);
            let [ours, theirs] = [&epoch, m].map(|text| micros(&String::from_utf8_lossy(text)));
            assert_eq!(ours, theirs);
        }
        (Ours::Bit(_) | Ours::Set(_), Theirs::Bytes(m)) => assert_eq!(bytes, m),
        (Ours::Enum(n), Theirs::Int(m)) => assert_eq!(i64::from(n), *m),
        (Ours::Date(_), Theirs::Date(y, m, d, 0, 0, 0, 0)) => {
            assert_eq!(text, format!("{y:04}-{m:02}-{d:02}"));
        }
        (Ours::DateTime(_), Theirs::Date(y, mo, d, h, mi, s, us)) => {
            let theirs = format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}.{us:06}");
            assert_eq!(micros(text), theirs);
        }
        (Ours::Time(_), Theirs::Time(negative, d, h, m, s, us)) => {
            let (sign, hours) = (if *negative { "-" } else { "" }, d * 24 + u32::from(*h));
            let theirs = format!("{sign}{hours:02}:{m:02}:{s:02}.{us:06}");
            assert_eq!(micros(text), theirs);
        }
        (
            Ours::Text(..)
            | Ours::Binary(_)
            | Ours::FixedBinary(..)
            | Ours::Geometry(_)
            | Ours::Vector(_),
            Theirs::Bytes(m),
        ) => assert_eq!(bytes, m),
        (ours, theirs) => panic!("{ours:?} for {theirs:?}"),
    }
}

/// A time with six digits of a fraction.
fn micros(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}.{fraction:0<6}")
}
