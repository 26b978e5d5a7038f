//! Which columns are unsigned, in a real binlog: `data/mysql97/signedness/setup.sql` says it too.

use bintrail_proto::binlog::decoder::{Decoder, EventData};
use bintrail_proto::binlog::file::event_len;

#[test]
fn a_year_takes_a_bit_and_is_not_unsigned() {
    let file = include_bytes!("data/mysql97/signedness/binlog");
    let mut decoder = Decoder::for_file();
    let (mut rest, mut found) = (&file[4..], Vec::new());
    while let Some(len) = event_len(rest).unwrap() {
        let (event, behind) = rest.split_at(len);
        rest = behind;
        if let EventData::TableMap(map) = decoder.decode(event).unwrap().data {
            let table = map.compile().unwrap();
            let unsigned: Vec<_> = table.columns.iter().map(|c| c.unsigned).collect();
            found.push(unsigned);
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
}
