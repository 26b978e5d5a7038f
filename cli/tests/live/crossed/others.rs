//! The same on other servers, and on one without GTIDs: fewer breaks, at all types of events that these have.

use bintrail_testkit::proxy::Part;
use bintrail_testkit::server::Server;

use super::{Cut, Files, GTID, Lane, PARTS, POSITION, Statements, Work, around, cross};
use crate::faults::SOURCE;
use crate::other_servers::{self, KINDS, Kind, check, printed_of};
use crate::support::{Scratch, run, setting, source, source_of};

/// A server's work, in sessions with different settings, so that each type of event is in it.
struct Sessions<'a> {
    kind: &'a Kind,
    work: other_servers::Work<'a>,
    settings: &'static [&'static str],
    files: Files<String>,
}

impl Work for Sessions<'_> {
    fn work(&mut self, source: &Server) {
        for setting in self.settings {
            let mut client = source.client().unwrap();
            client.run(setting).unwrap();
            for sql in [
                "CREATE TABLE w.passing (id INT PRIMARY KEY, t TEXT)",
                "INSERT INTO w.t (id, t) VALUES (0, 'inserted, updated and deleted')",
                "UPDATE w.t SET t = 'inserted and updated, to be deleted' WHERE id = 0",
                "DELETE FROM w.t WHERE id = 0",
                "DROP TABLE w.passing",
            ] {
                client.run(sql).unwrap();
            }
            for _ in 0..4 {
                self.work.step(&mut client).unwrap();
            }
        }
        run(source, &["FLUSH LOGS"]);
    }

    fn last(&mut self, source: &Server) {
        self.work.last(&mut source.client().unwrap()).unwrap();
    }

    fn equals(&mut self, lanes: &[Lane<'_>], source: &Server) -> u64 {
        self.files.compare(source, printed_of, |expected| {
            for lane in lanes {
                check(&lane.stream, self.kind, source, expected);
            }
            (lanes.len() * expected.len()) as u64
        })
    }
}

/// Three streams, of which each has another part of the same events cut, and other packets of those before.
fn on(kind: &Kind, settings: &'static [&'static str], events: &[u8]) {
    let scratch = Scratch::new();
    let source = source_of(kind.name, &["--innodb-flush-log-at-trx-commit=2"]);
    let mut work = Sessions {
        kind,
        work: other_servers::Work::new(kind, 7),
        settings,
        files: Files::new(),
    };
    let mut client = source.client().unwrap();
    work.work.create(&mut client).unwrap();
    for _ in 0..30 {
        work.work.step(&mut client).unwrap();
    }
    let seed = usize::try_from(setting("BINTRAIL_TEST_SEED", 0)).unwrap();
    let position = ["--start-file", kind.start_file, "--server-id"];
    let lane = |number: usize, name: &str, start: &[&str], id| {
        let part = PARTS[(seed + number) % PARTS.len()];
        let before = SOURCE[..6].iter().skip(number).step_by(PARTS.len());
        let cuts = before.copied().chain(only(part, events));
        // MariaDB has TLS by itself, in which there are no packets to be seen.
        let arguments = [start, &[id, "--ssl-mode", "disabled"]].concat();
        Lane::new(name, &source, None, &scratch, &arguments).put(false, &cuts.collect::<Vec<_>>())
    };
    let by_gtid = |lane: Lane<'static>| match kind.name {
        "mysql56" => lane,
        _ => lane.by_position(),
    };
    let mut lanes = [
        by_gtid(lane(0, "one-gtid", &GTID, "4311")),
        lane(1, "two-position", &position, "4312").by_position(),
        by_gtid(lane(2, "three-gtid", &GTID, "4313")),
    ];
    cross(&mut lanes, &source, &mut work);
}

fn only(part: Part, events: &[u8]) -> impl Iterator<Item = Cut> {
    let cuts = around(events).into_iter();
    cuts.filter(move |cut| cut.2 == part)
}

#[test]
fn mariadb() {
    on(
        &KINDS[1],
        &[
            "SET GLOBAL log_bin_compress = ON, GLOBAL log_bin_compress_min_len = 10",
            "SET GLOBAL log_bin_compress = OFF",
        ],
        // Rows without and with compression last.
        &[
            2, 4, 15, 16, 19, 38, 160, 161, 162, 163, 165, 23, 24, 25, 166, 167, 168,
        ],
    );
}

#[test]
fn mysql_5_6() {
    on(
        &KINDS[2],
        &["SET binlog_rows_query_log_events = ON"],
        &[2, 4, 15, 16, 19, 29, 30, 31, 32, 33, 35],
    );
}

/// MySQL gives each transaction that has no GTID an event that says so.
#[test]
fn transactions_without_gtids() {
    let scratch = Scratch::new();
    let source = source(&["--gtid-mode=OFF", "--innodb-flush-log-at-trx-commit=2"]);
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, x INT)",
        ],
    );
    let cuts: Vec<Cut> = around(&[34]);
    let mut lanes = [Lane::new(
        "position",
        &source,
        None,
        &scratch,
        &[&POSITION[..], &["4321", "--ssl-mode", "disabled"]].concat(),
    )
    .by_position()
    .put(false, &cuts)];
    let work = [
        "INSERT INTO d.t (x) VALUES (1), (2), (3)",
        "UPDATE d.t SET x = x + 1 ORDER BY id DESC LIMIT 2",
        "FLUSH BINARY LOGS",
    ];
    cross(&mut lanes, &source, &mut Statements::new(&work));
}
