//! Every break of a link, crossed with a restart of the source, of the index and of bintrail: after each, the index is what
//! `mysqlbinlog` shows, one for one.
//!
//! Each break comes with one of the restarts, and with the next one for another `BINTRAIL_TEST_SEED`. With
//! `BINTRAIL_TEST_RESTARTS=4` it comes with all of them.

mod others;

use std::path::PathBuf;
use std::slice;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bintrail_testkit::oracle::{Oracle, Transaction};
use bintrail_testkit::proxy::{Break, Flow, Kind, Part, Proxy, Trap};
use bintrail_testkit::server::Server;

use crate::faults::{Cut, DUMP_GTID, INDEX, SOURCE, TLS, comes_by_itself};
use crate::support::{PATIENCE, Scratch, Stream, index_server, run, setting, source};

/// What goes away and comes back while a link is broken.
#[derive(Debug, Clone, Copy)]
enum Restart {
    Nothing,
    Source,
    Index,
    Bintrail,
}

const RESTARTS: [Restart; 4] = [
    Restart::Nothing,
    Restart::Source,
    Restart::Index,
    Restart::Bintrail,
];

const DUMP: Kind = Kind::Command(0x12);

#[derive(Debug, Clone, Copy)]
enum Fault {
    Cut(Cut),
    Flow(Flow),
}

const FLOWS: [Flow; 4] = [
    Flow::Dribble,
    Flow::Late(Duration::from_millis(100)),
    Flow::Stall,
    Flow::Refuse,
];

/// The types of events that `SOURCE` has no cut at: statements, XA PREPARE, changes of documents, compressed transactions, tagged
/// GTIDs.
const MORE_EVENTS: [u8; 5] = [29, 38, 39, 40, 42];

/// What a dump by GTIDs begins with when it passes over transactions.
const HEARTBEAT: u8 = 41;

/// Transactions of every kind, with each type of event in them, and a new file behind them.
const WORK: [&str; 27] = [
    "INSERT INTO d.t (x, pad) VALUES (1, 'a'), (2, 'b'), (3, NULL)",
    "UPDATE d.t SET x = x + 1 ORDER BY id DESC LIMIT 2",
    "DELETE FROM d.t ORDER BY id LIMIT 1",
    "BEGIN",
    "INSERT INTO d.t (x, pad) VALUES (4, REPEAT('d', 9000))",
    "UPDATE d.t SET pad = CONCAT(pad, 'e') ORDER BY id DESC LIMIT 3",
    "COMMIT",
    "XA START 'x'",
    "INSERT INTO d.t (x) VALUES (5)",
    "XA END 'x'",
    "XA PREPARE 'x'",
    "XA COMMIT 'x'",
    "CREATE TABLE d.passing (id INT PRIMARY KEY)",
    "DROP TABLE d.passing",
    "INSERT INTO d.t (x, pad) WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 100) \
     SELECT n, REPEAT('f', n) FROM s",
    "SET binlog_rows_query_log_events = ON",
    "INSERT INTO d.t (x) VALUES (6)",
    "SET binlog_row_value_options = 'PARTIAL_JSON'",
    "UPDATE d.t SET doc = JSON_SET(doc, '$.n', x) ORDER BY id DESC LIMIT 2",
    "SET gtid_next = 'AUTOMATIC:nightly'",
    "UPDATE d.t SET x = x + 1 ORDER BY id DESC LIMIT 1",
    "SET gtid_next = 'AUTOMATIC'",
    "SET binlog_transaction_compression = ON",
    "INSERT INTO d.t (x, pad) VALUES (7, REPEAT('g', 900)), (8, NULL)",
    "SET binlog_transaction_compression = OFF",
    "DELETE FROM d.t ORDER BY id LIMIT 1",
    "FLUSH BINARY LOGS",
];

/// Before, within and behind an event of each of these types.
fn around(types: &[u8]) -> Vec<Cut> {
    let hows = [Break::Reset, Break::Fin, Break::Ghost];
    let cuts = types.iter().enumerate().flat_map(|(number, code)| {
        PARTS.into_iter().enumerate().map(move |(at, part)| {
            let how = hows[(number + at) % hows.len()];
            (Kind::Event(*code), 0, part, how)
        })
    });
    cuts.collect()
}

const PARTS: [Part; 3] = [Part::Before, Part::Within, Part::Behind];

/// What a source does, and what its indexes are compared with.
trait Work {
    fn work(&mut self, source: &Server);

    /// A transaction. Behind one a stream comes to stand at once, and at the beginning of a file only with a heartbeat.
    fn last(&mut self, source: &Server);

    /// Compares the streams' indexes with the binlog. Returns how many events these were.
    fn equals(&mut self, lanes: &[Lane<'_>], source: &Server) -> u64;
}

/// What is read of binlog files; of those that are written no more, once.
struct Files<T> {
    known: Vec<T>,
    closed: usize,
}

impl<T> Files<T> {
    const fn new() -> Self {
        Self {
            known: Vec::new(),
            closed: 0,
        }
    }

    /// Compares with all that `read` makes of the source's files.
    fn compare(
        &mut self,
        source: &Server,
        read: impl Fn(&Server, &[PathBuf]) -> Vec<T>,
        compare: impl FnOnce(&[T]) -> u64,
    ) -> u64 {
        let files = source.binlog_files().unwrap();
        let (last, closed) = files.split_last().unwrap();
        self.known.extend(read(source, &closed[self.closed..]));
        self.closed = closed.len();
        let count = self.known.len();
        self.known.extend(read(source, slice::from_ref(last)));
        let compared = compare(&self.known);
        self.known.truncate(count);
        compared
    }
}

/// Statements whose rows are in schema `d`, each XA transaction in one file.
struct Statements<'a> {
    statements: &'a [&'a str],
    files: Files<Transaction>,
}

impl<'a> Statements<'a> {
    const fn new(statements: &'a [&'a str]) -> Self {
        Self {
            statements,
            files: Files::new(),
        }
    }
}

impl Work for Statements<'_> {
    fn work(&mut self, source: &Server) {
        run(source, self.statements);
    }

    fn last(&mut self, source: &Server) {
        run(source, &["INSERT INTO d.t (x) VALUES (0)"]);
    }

    fn equals(&mut self, lanes: &[Lane<'_>], source: &Server) -> u64 {
        self.files.compare(source, transactions, |all| {
            let equal = |lane: &Lane<'_>| {
                let all = all.iter().cloned().map(Ok);
                lane.stream.equals_these(source, all)
            };
            lanes.iter().map(equal).sum()
        })
    }
}

fn transactions(source: &Server, files: &[PathBuf]) -> Vec<Transaction> {
    let oracle = Oracle::of_files(source, files.to_vec()).unwrap();
    oracle.collect::<Result<_, _>>().unwrap()
}

/// A stream, the links to its ends, and what befalls one of them.
struct Lane<'a> {
    stream: Stream,
    source: Proxy,
    index: Option<Proxy>,
    at_index: bool,
    faults: Vec<Fault>,
    keeper: Option<&'a Server>,
    /// The command that it asks for its dump by.
    dump: Kind,
}

impl<'a> Lane<'a> {
    fn new(
        name: &str,
        source: &Server,
        keeper: Option<&'a Server>,
        scratch: &Scratch,
        arguments: &[&str],
    ) -> Self {
        let link = Proxy::start(source.port, 1).unwrap();
        let index = keeper.map(|keeper| Proxy::start(keeper.port, 2).unwrap());
        let stream = Stream::new(name, source, keeper, scratch, arguments);
        Self {
            stream: stream.through(&link, index.as_ref()),
            source: link,
            index,
            at_index: false,
            faults: Vec::new(),
            keeper,
            dump: DUMP_GTID,
        }
    }

    /// One that asks for its dump by position, or as if it did.
    fn by_position(mut self) -> Self {
        self.dump = DUMP;
        self
    }

    /// With these faults, on the link to the index or on that to the source.
    fn put(mut self, at_index: bool, cuts: &[Cut]) -> Self {
        self.at_index = at_index;
        let cuts = cuts.iter().map(|cut| Fault::Cut(*cut));
        self.faults = cuts.chain(FLOWS.map(Fault::Flow)).collect();
        self
    }

    fn link(&self) -> &Proxy {
        let index = self.index.as_ref().filter(|_| self.at_index);
        index.unwrap_or(&self.source)
    }

    fn fault(&self, step: usize) -> Fault {
        self.faults[step % self.faults.len()]
    }

    /// Begins the fault; how many connections had been broken before.
    fn strike(&self, step: usize) -> u64 {
        let struck = self.link().struck();
        let link = self.link();
        match self.fault(step) {
            Fault::Cut((kind, skip, part, how)) => {
                link.trap(Trap {
                    kind: if kind == DUMP_GTID { self.dump } else { kind },
                    skip,
                    part,
                    how,
                });
                if !comes_by_itself(kind) {
                    link.break_all(Break::Reset);
                }
            }
            Fault::Flow(flow) => {
                link.flow(flow);
                link.break_all(Break::Reset);
            }
        }
        struck
    }

    fn has_struck(&self, step: usize, before: u64) -> bool {
        matches!(self.fault(step), Fault::Flow(_)) || self.link().struck() > before
    }
}

/// Away and back, in one way or the other.
fn restart(server: &Server, step: usize) {
    if step.is_multiple_of(2) {
        server.kill().unwrap();
    } else {
        server.stop().unwrap();
    }
    server.restart().unwrap();
}

fn step(
    lanes: &mut [Lane<'_>],
    source: &Server,
    work: &mut dyn Work,
    step: usize,
    restarts: Restart,
) -> u64 {
    // One that has just begun ends where one that has streamed waits.
    work.work(source);
    work.last(source);
    for lane in &mut *lanes {
        lane.stream.catch_up(source);
    }
    let before: Vec<u64> = lanes.iter().map(|lane| lane.strike(step)).collect();
    let started = Instant::now();
    loop {
        work.work(source);
        for lane in &mut *lanes {
            lane.stream.assert_runs();
        }
        let waiting = lanes
            .iter()
            .zip(&before)
            .find(|(lane, before)| !lane.has_struck(step, **before));
        let Some((lane, _)) = waiting else {
            break;
        };
        let (name, fault) = (&lane.stream.name, lane.fault(step));
        assert!(started.elapsed() < PATIENCE, "{name}: {fault:?} never came");
        sleep(Duration::from_millis(200));
    }
    match restarts {
        Restart::Nothing => {}
        Restart::Source => restart(source, step),
        Restart::Index => {
            if let Some(keeper) = lanes.iter().find_map(|lane| lane.keeper) {
                restart(keeper, step);
            }
        }
        Restart::Bintrail => lanes.iter_mut().for_each(|lane| lane.stream.kill()),
    }
    for lane in &mut *lanes {
        lane.link().heal();
        if matches!(restarts, Restart::Bintrail) {
            lane.stream.start();
        }
    }
    work.work(source);
    work.last(source);
    for lane in &mut *lanes {
        lane.stream.catch_up(source);
    }
    let compared = work.equals(lanes, source);
    for lane in lanes {
        // A new process begins with short pauses again.
        lane.stream.kill();
        lane.stream.start();
    }
    compared
}

/// Each fault of the lanes, with as many of the restarts as the environment says.
fn cross(lanes: &mut [Lane<'_>], source: &Server, work: &mut dyn Work) {
    for lane in &mut *lanes {
        lane.stream.start();
    }
    let steps = lanes.iter().map(|lane| lane.faults.len()).max().unwrap();
    let seed = usize::try_from(setting("BINTRAIL_TEST_SEED", 0)).unwrap();
    let kinds = usize::try_from(setting("BINTRAIL_TEST_RESTARTS", 1)).unwrap();
    let indexes = lanes.iter().any(|lane| lane.keeper.is_some());
    let (mut faults, mut compared) = (0, 0);
    for number in 0..steps {
        for kind in 0..kinds {
            let restart = RESTARTS[(seed + number + kind) % RESTARTS.len()];
            if kind > 0 && !indexes && matches!(restart, Restart::Index) {
                continue;
            }
            let started = Instant::now();
            compared += step(lanes, source, work, number, restart);
            faults += lanes.len();
            let struck: Vec<Fault> = lanes.iter().map(|lane| lane.fault(number)).collect();
            println!(
                "{struck:?} and {restart:?}: all equal after {} s",
                started.elapsed().as_secs()
            );
        }
    }
    println!("{faults} faults, {compared} events compared");
}

const GTID: [&str; 3] = ["--start-gtid", "", "--server-id"];
const POSITION: [&str; 3] = ["--start-file", "mysql-bin.000001", "--server-id"];

#[test]
fn each_break_with_each_restart() {
    let scratch = Scratch::new();
    // What a killed source has sent, it must still have when it is back.
    let source = source(&["--innodb-flush-log-at-trx-commit=2"]);
    let keeper = index_server(&["--local-infile=ON"]);
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, x INT, pad TEXT, \
             doc JSON DEFAULT (JSON_OBJECT('n', 0, 'pad', REPEAT('p', 200))))",
        ],
    );
    let lane = |name, keeper, start: &[&str], id, tls| {
        let arguments = [start, &[id, "--ssl-mode", tls, "--index-ssl-mode", tls]].concat();
        Lane::new(name, &source, keeper, &scratch, &arguments)
    };
    let with_heartbeats = [around(&MORE_EVENTS), around(&[HEARTBEAT])].concat();
    let mut lanes = [
        lane("gtid", None, &GTID, "4301", "disabled").put(false, &SOURCE),
        lane("position", None, &POSITION, "4302", "disabled")
            .by_position()
            .put(false, &SOURCE),
        lane(
            "position_index",
            Some(&keeper),
            &POSITION,
            "4303",
            "disabled",
        )
        .by_position()
        .put(true, &INDEX),
        lane("tls", Some(&keeper), &GTID, "4304", "required").put(false, &TLS),
        lane("tls_index", Some(&keeper), &GTID, "4305", "required").put(true, &TLS),
        lane("gtid_events", None, &GTID, "4306", "disabled").put(false, &with_heartbeats),
        lane("position_events", None, &POSITION, "4307", "disabled")
            .by_position()
            .put(false, &around(&MORE_EVENTS)),
    ];
    cross(&mut lanes, &source, &mut Statements::new(&WORK));
}
