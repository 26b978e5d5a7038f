use bintrail_engine::filter::Filter;
use bintrail_engine::print::{Format, Printer};
use bintrail_engine::table::Table;
use bintrail_proto::binlog::checksum::Checksum;
use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
use bintrail_proto::binlog::transaction_payload::Unpacker;

use crate::event;

/// What `bintrail decode` prints of any events: each line of JSON is an object with the images that its
/// type has, and all lines of the other format are mysqlbinlog's.
///
/// Input: flags (1 mysqlbinlog's format, 2 sizes and checksums are made right), and the events of a file.
pub fn decode(data: &[u8]) {
    let [flags, rest @ ..] = data else { return };
    let format = match flags & 1 {
        0 => Format::Json,
        _ => Format::Mysqlbinlog,
    };
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, format, Filter::default());
    printer.start_file("binlog.000001");
    let mut decoder = Decoder::for_file();
    let repair = (flags & 2 != 0).then_some(Checksum::None);
    let mut unpacker = Unpacker::default();
    let mut print = |event: &Event<'_>| {
        if let Some(map) = printer.handle(event).unwrap() {
            let valid_from = (printer.file().to_owned(), event.start);
            printer.define(event, Table::from_event(map.into(), valid_from));
        }
    };
    event::for_each(rest, repair, |bytes| {
        let Ok(event) = decoder.decode(bytes) else {
            return;
        };
        if let EventData::TransactionPayload(payload) = &event.data {
            let mut events = unpacker.events(payload).unwrap();
            while let Ok(Some(packed)) = events.next() {
                if let Ok(packed) = decoder.decode_packed(packed, &event) {
                    print(&packed);
                }
            }
        }
        print(&event);
    });
    drop(printer);
    assert!(out.is_empty() || out.ends_with(b"\n"));
    if format == Format::Mysqlbinlog {
        assert!(out.is_empty() || out.starts_with(b"### "));
        return;
    }
    for line in out
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let change: serde_json::Value = serde_json::from_slice(line).unwrap();
        let (before, after) = match change["type"].as_str().unwrap() {
            "INSERT" => (false, true),
            "UPDATE" => (true, true),
            "DELETE" => (true, false),
            other => panic!("{other}"),
        };
        assert_eq!(change["before"].is_object(), before);
        assert_eq!(change["after"].is_object(), after);
        assert!(change["start_pos"].as_u64().unwrap() < change["end_pos"].as_u64().unwrap());
    }
}
