//! Which columns are unsigned, and the year 0, in a real binlog: as the server's own SELECT shows its rows.

use std::collections::HashMap;

use bintrail_proto::binlog::decoder::{Decoder, EventData};
use bintrail_proto::binlog::file::event_len;
use bintrail_proto::binlog::rows::RowBuf;
use bintrail_proto::binlog::value::Value;

#[test]
fn a_year_takes_a_bit_and_is_not_unsigned() {
    let file = include_bytes!("data/mysql97/signedness/binlog");
    let mut decoder = Decoder::for_file();
    let (mut rest, mut found, mut shown) = (&file[4..], Vec::new(), String::new());
    let (mut tables, mut buf) = (HashMap::new(), RowBuf::default());
    while let Some(len) = event_len(rest).unwrap() {
        let (event, behind) = rest.split_at(len);
        rest = behind;
        match decoder.decode(event).unwrap().data {
            EventData::TableMap(map) => {
                let table = map.compile().unwrap();
                let unsigned: Vec<_> = table.columns.iter().map(|c| c.unsigned).collect();
                found.push(unsigned);
                tables.insert(map.table_id, table);
            }
            EventData::Rows(rows) => {
                let mut rows = rows.rows(&tables[&rows.table_id], &mut buf).unwrap();
                while let Some(row) = rows.next().unwrap() {
                    let mut cells = Vec::new();
                    for (column, field) in row.after.unwrap().fields() {
                        let mut text = Vec::new();
                        match field.value(column).unwrap().unwrap() {
                            Value::Int(n) => text = n.to_string().into(),
                            Value::UInt(n) => text = n.to_string().into(),
                            Value::Float(x) => text = x.to_string().into(),
                            Value::Year(year) => year.write_to(&mut text),
                            Value::Decimal(decimal) => decimal.write_to(&mut text).unwrap(),
                            Value::Text(bytes, _) => text = bytes.to_vec(),
                            other => panic!("{other:?}"),
                        }
                        cells.push(String::from_utf8(text).unwrap());
                    }
                    shown += &(cells.join("\t") + "\n");
                }
            }
            _ => {}
        }
    }
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(
        found,
        [
            vec![yes, None, no, yes, None, None, yes, no, yes, yes, no],
            vec![None, no],
        ]
    );
    assert_eq!(shown, include_str!("data/mysql97/signedness/selected"));
}
