//! Control events of real binlogs against what SHOW BINLOG EVENTS and mysqlbinlog say of them:
//! `data/control/generate` makes both.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fmt::Write as _;
use std::path::PathBuf;

use bintrail_proto::binlog::checksum::Checksum;
use bintrail_proto::binlog::format_description::{Flavor, FormatDescription};
use bintrail_proto::binlog::gtid::GtidEvent;
use bintrail_proto::binlog::heartbeat::Heartbeat;
use bintrail_proto::binlog::previous_gtids::PreviousGtids;
use bintrail_proto::binlog::query::{Query, StatusVars};
use bintrail_proto::binlog::rotate::Rotate;
use bintrail_proto::binlog::rows_query::RowsQuery;
use bintrail_proto::binlog::xa_prepare::XaPrepare;
use bintrail_proto::binlog::xid::XidEvent;
use proptest::prelude::*;

/// An event, cut by hand, so that this test needs nothing but the parsers it tests.
struct Raw {
    at: usize,
    timestamp: u32,
    kind: u8,
    end: usize,
    /// Without a checksum, except in FORMAT_DESCRIPTION_EVENT.
    body: Vec<u8>,
}

/// The events of each file, in order.
fn files() -> Vec<(String, Vec<Raw>)> {
    (1..=10)
        .map(|n| {
            let name = format!("mysql-bin.{n:06}");
            let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/data/control", &name]
                .iter()
                .collect();
            let bytes = std::fs::read(&path).expect("the corpus is there");
            (name, events(&bytes))
        })
        .collect()
}

fn events(bytes: &[u8]) -> Vec<Raw> {
    let int4 = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    let mut events = Vec::new();
    let mut checksum = 0;
    let mut at = 4;
    while at < bytes.len() {
        let end = at + usize::try_from(int4(at + 9)).expect("64 bits");
        let kind = bytes[at + 4];
        let mut body = &bytes[at + 19..end];
        if kind == 15 {
            let description = FormatDescription::parse(body).expect("well-formed");
            checksum = match description.checksum {
                Some(Checksum::Crc32) => 4,
                _ => 0,
            };
        } else {
            body = &body[..body.len() - checksum];
        }
        events.push(Raw {
            at,
            timestamp: int4(at),
            kind,
            end,
            body: body.to_vec(),
        });
        at = end;
    }
    events
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn escape(text: &str) -> String {
    text.replace('\n', "\\n")
}

/// The `Info` column of SHOW BINLOG EVENTS; `None` for the events of rows.
fn info(event: &Raw) -> Option<String> {
    let body = &event.body;
    let gtid = |event: GtidEvent| {
        let gtid = event.gtid.expect("not anonymous");
        format!("SET @@SESSION.GTID_NEXT= '{gtid}'")
    };
    Some(match event.kind {
        2 => {
            let query = Query::parse(body).expect("well-formed");
            let mut info = utf8(query.statement).to_owned();
            // The server names the schema except where the statement does not depend on it.
            let bare = ["BEGIN", "XA ", "CREATE DATABASE", "DROP DATABASE"];
            if !query.schema.is_empty() && !bare.iter().any(|bare| info.starts_with(bare)) {
                info = format!("use `{}`; {info}", utf8(query.schema));
            }
            if let Some(xid) = query.status.ddl_xid {
                write!(info, " /* xid={xid} */").expect("infallible");
            }
            info
        }
        4 => {
            let rotate = Rotate::parse(body).expect("well-formed");
            format!("{};pos={}", rotate.file, rotate.position)
        }
        15 => {
            let version = FormatDescription::parse(body).expect("well-formed");
            let version = version.server_version.text;
            format!("Server ver: {version}, Binlog ver: 4")
        }
        16 => {
            let xid = XidEvent::parse(body).expect("well-formed").xid;
            format!("COMMIT /* xid={xid} */")
        }
        29 => {
            let statement = RowsQuery::parse(body).expect("well-formed").statement;
            format!("# {}", utf8(statement))
        }
        33 => gtid(GtidEvent::parse(body).expect("well-formed")),
        34 => {
            let event = GtidEvent::parse_anonymous(body).expect("well-formed");
            assert_eq!(event.gtid, None);
            "SET @@SESSION.GTID_NEXT= 'ANONYMOUS'".to_owned()
        }
        35 => {
            let previous = PreviousGtids::parse(body).expect("well-formed");
            escape(&previous.set.to_string())
        }
        38 => {
            let XaPrepare { one_phase, xid } = XaPrepare::parse(body).expect("well-formed");
            if one_phase {
                format!("XA COMMIT {xid} ONE PHASE")
            } else {
                format!("XA PREPARE {xid}")
            }
        }
        42 => gtid(GtidEvent::parse_tagged(body).expect("well-formed")),
        19 | 30 => return None,
        other => panic!("event type {other}"),
    })
}

#[test]
fn events_are_what_show_binlog_events_says() {
    let mut expected = include_str!("data/control/show.tsv").lines();
    let mut kinds = std::collections::BTreeSet::new();
    for (name, events) in files() {
        for event in events {
            let line = expected.next().expect("a line for each event");
            let fields: Vec<_> = line.split('\t').collect();
            assert_eq!(fields[..2], [name.clone(), event.at.to_string()]);
            assert_eq!(fields[4], event.end.to_string());
            if let Some(info) = info(&event) {
                assert_eq!(fields[5], info, "{line}");
                kinds.insert(event.kind);
            }
        }
    }
    assert_eq!(expected.next(), None);
    let expected = [2, 4, 15, 16, 29, 33, 34, 35, 38, 42];
    assert!(kinds.into_iter().eq(expected));
}

/// What mysqlbinlog prints of a session only when it changes.
#[derive(Default)]
struct Printed {
    sql_mode: Option<u64>,
    charset: Option<[u16; 3]>,
    time_zone: Option<Vec<u8>>,
}

impl Printed {
    fn changes(&mut self, now: &StatusVars<'_>, out: &mut String) {
        if now.sql_mode.is_some() && now.sql_mode != self.sql_mode {
            self.sql_mode = now.sql_mode;
            let mode = now.sql_mode.unwrap_or_default();
            writeln!(out, "sql_mode={mode}").expect("infallible");
        }
        if let Some([client, connection, server]) = now.charset
            && now.charset != self.charset
        {
            self.charset = now.charset;
            writeln!(
                out,
                "character_set_client={client},@@session.collation_connection={connection},\
                 @@session.collation_server={server}"
            )
            .expect("infallible");
        }
        if let Some(zone) = now.time_zone
            && self.time_zone.as_deref() != Some(zone)
        {
            self.time_zone = Some(zone.to_vec());
            writeln!(out, "time_zone='{}'", utf8(zone)).expect("infallible");
        }
    }
}

#[test]
fn events_are_what_mysqlbinlog_says() {
    let mut ours = String::new();
    for (name, events) in files() {
        writeln!(ours, "{name}").expect("infallible");
        let mut printed = Printed::default();
        for Raw {
            kind,
            end,
            body,
            timestamp,
            ..
        } in events
        {
            let (label, event) = match kind {
                2 => {
                    let query = Query::parse(&body).expect("well-formed");
                    write!(
                        ours,
                        "{end}\tQuery\tthread_id={}\texec_time={}\terror_code={}",
                        query.thread_id, query.execution_time, query.error_code
                    )
                    .expect("infallible");
                    if let Some(xid) = query.status.ddl_xid {
                        write!(ours, "\tXid = {xid}").expect("infallible");
                    }
                    write!(ours, "\nTIMESTAMP={timestamp}").expect("infallible");
                    if let Some(micros) = query.status.microseconds {
                        write!(ours, ".{micros:06}").expect("infallible");
                    }
                    ours.push('\n');
                    printed.changes(&query.status, &mut ours);
                    continue;
                }
                33 => ("GTID", GtidEvent::parse(&body)),
                34 => ("Anonymous_GTID", GtidEvent::parse_anonymous(&body)),
                42 => ("GTID", GtidEvent::parse_tagged(&body)),
                _ => continue,
            };
            let event = event.expect("well-formed");
            let clock = event.logical_clock.expect("a clock");
            let committed = event.committed.expect("times");
            let versions = event.server_versions.expect("versions");
            writeln!(
                ours,
                "{end}\t{label}\tlast_committed={}\tsequence_number={}\trbr_only={}\t\
                 original_committed_timestamp={}\timmediate_commit_timestamp={}\t\
                 transaction_length={}\noriginal_server_version={}\nimmediate_server_version={}",
                clock.last_committed,
                clock.sequence_number,
                if event.may_have_statements() {
                    "no"
                } else {
                    "yes"
                },
                committed.original,
                committed.immediate,
                event.transaction_length.expect("a length"),
                versions.original,
                versions.immediate,
            )
            .expect("infallible");
            assert_eq!(event.commit_group_ticket, None);
        }
    }
    // What is not parsed is not compared.
    let expected: Vec<_> = include_str!("data/control/mysqlbinlog.txt")
        .lines()
        .filter(|line| !line.starts_with("auto_increment") && !line.starts_with("lc_time_names"))
        .collect();
    assert_eq!(ours.lines().collect::<Vec<_>>(), expected);
}

/// The server's own encoding of its set is ours, in both forms.
#[test]
fn sets_are_encoded_as_the_server_does() {
    let mut tagged = Vec::new();
    for (_, events) in files() {
        for event in events.iter().filter(|event| event.kind == 35) {
            let previous = PreviousGtids::parse(&event.body).expect("well-formed");
            let mut encoded = Vec::new();
            previous.set.encode(&mut encoded);
            assert_eq!(encoded, event.body);
            tagged.push(encoded[7] == 1);
        }
    }
    assert_eq!(tagged[..4], [false, false, false, true]);
}

/// Every event cut at every byte: nothing panics, and only what ends in a string without a
/// length, or where an older server's GTID event ended, is still an event.
#[test]
fn truncated_events_are_errors() {
    for (_, events) in files() {
        for Raw { kind, body, .. } in events {
            for end in 0..body.len() {
                let cut = &body[..end];
                let (ok, may_be) = match kind {
                    2 => {
                        let strings = 14 + usize::from(body[8]) + usize::from(body[11]);
                        (Query::parse(cut).is_ok(), end >= strings)
                    }
                    4 => (Rotate::parse(cut).is_ok(), end > 8),
                    // Post-headers take any number of bytes; the algorithm behind them is then
                    // read from a wrong place.
                    15 => (FormatDescription::parse(cut).is_ok(), end > 62),
                    16 => (XidEvent::parse(cut).is_ok(), false),
                    29 => (RowsQuery::parse(cut).is_ok(), end > 0),
                    33 => {
                        let ok = GtidEvent::parse(cut).is_ok();
                        let times = if body[48] & 0x80 == 0 { 49 } else { 56 };
                        let length = if body[times] == 0xFC { 3 } else { 1 };
                        (ok, [25, 42, times, times + length].contains(&end))
                    }
                    34 => {
                        let ok = GtidEvent::parse_anonymous(cut).is_ok();
                        (ok, [25, 42, 49, 52].contains(&end))
                    }
                    35 => (PreviousGtids::parse(cut).is_ok(), false),
                    38 => (XaPrepare::parse(cut).is_ok(), false),
                    42 => (GtidEvent::parse_tagged(cut).is_ok(), false),
                    _ => continue,
                };
                if kind == 15 {
                    assert!(!ok || may_be, "type {kind} cut to {end}");
                } else {
                    assert_eq!(ok, may_be, "type {kind} cut to {end}");
                }
            }
        }
    }
}

proptest! {
    /// Nothing panics on a real event with some bytes changed, nor on any other bytes.
    #[test]
    fn any_bytes_are_survived(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        noise in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bodies = vec![noise];
        for (_, events) in files() {
            for Raw { mut body, .. } in events {
                for (at, to) in &changes {
                    *at.get_mut(&mut body) = *to;
                }
                bodies.push(body);
            }
        }
        for body in &bodies {
            let _ = FormatDescription::parse(body);
            let _ = GtidEvent::parse(body);
            let _ = GtidEvent::parse_anonymous(body);
            let _ = GtidEvent::parse_tagged(body);
            let _ = Heartbeat::parse_v1(body);
            let _ = Heartbeat::parse_v2(body);
            let _ = PreviousGtids::parse(body);
            let _ = Query::parse(body);
            let _ = Rotate::parse(body);
            let _ = RowsQuery::parse(body);
            let _ = XaPrepare::parse(body).map(|event| event.xid.to_string());
            let _ = XidEvent::parse(body);
        }
    }
}

#[test]
fn format_description_of_9_7() {
    let (_, events) = &files()[0];
    let description = FormatDescription::parse(&events[0].body).expect("well-formed");
    assert_eq!(description.server_version.numbers, (9, 7, 4));
    assert_eq!(description.server_version.flavor(), Flavor::MySql);
    assert_eq!(description.flavor(), Flavor::MySql);
    assert_eq!(description.created, events[0].timestamp);
    assert_eq!(description.common_header_length, 19);
    // TABLE_MAP_EVENT, WRITE_ROWS_EVENT (version 2), XID_EVENT, GTID_TAGGED_LOG_EVENT.
    let lengths = [19, 30, 16, 42].map(|kind| description.post_header_length(kind));
    assert_eq!(lengths, [Some(8), Some(10), Some(0), Some(0)]);
    assert_eq!(description.post_header_length(0), None);
    assert_eq!(description.post_header_length(43), None);
    let checksums: Vec<_> = files()
        .iter()
        .map(|(_, events)| FormatDescription::parse(&events[0].body).map(|event| event.checksum))
        .collect();
    assert_eq!(checksums[0], Ok(Some(Checksum::Crc32)));
    assert_eq!(checksums[8], Ok(Some(Checksum::None)));
}
