//! Every break of a link, crossed with a restart of the source, of the index and of bintrail: after each, the index is what
//! `mysqlbinlog` shows, one for one.
//!
//! Each break comes with one of the restarts, and with the next one for another `BINTRAIL_TEST_SEED`. With
//! `BINTRAIL_TEST_RESTARTS=4` it comes with all of them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use bintrail_testkit::check::same_events;
use bintrail_testkit::oracle::Oracle;
use bintrail_testkit::proxy::{Break, Flow, Kind, Proxy, Trap};
use bintrail_testkit::schema::Catalog;
use bintrail_testkit::server::Server;
use bintrail_testkit::value::Charsets;

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

/// Transactions of every kind, with each type of event in them, and a new file behind them.
const WORK: [&str; 16] = [
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
    "INSERT INTO d.t (x, pad) WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 300) \
     SELECT n, REPEAT('f', n) FROM s",
    "FLUSH BINARY LOGS",
];

/// A stream, the links to its ends, and what befalls one of them.
struct Lane<'a> {
    stream: Stream,
    source: Proxy,
    index: Option<Proxy>,
    at_index: bool,
    faults: Vec<Fault>,
    keeper: Option<&'a Server>,
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
        }
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
                // By position, there is another command for it.
                let by_position = kind == DUMP_GTID && self.stream.name.starts_with("position");
                link.trap(Trap {
                    kind: if by_position {
                        Kind::Command(0x12)
                    } else {
                        kind
                    },
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

    /// Is the index what the source's own tool shows?
    fn equals(&self, source: &Server) -> u64 {
        let mut catalog = Catalog::default();
        let mut client = source.client().unwrap();
        catalog.refresh(&mut client, &["d".to_owned()]).unwrap();
        let mut charsets = Charsets::new(client).unwrap();
        let index = self.stream.index.open().unwrap();
        let oracle = Oracle::of(source).unwrap();
        same_events(index, oracle, &catalog, &mut charsets)
            .unwrap_or_else(|error| panic!("{}: {error}", self.stream.name))
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

fn step(lanes: &mut [Lane<'_>], source: &Server, step: usize, restarts: Restart) -> u64 {
    // One that has just begun ends where one that has streamed waits.
    run(source, &WORK);
    for lane in &mut *lanes {
        lane.stream.catch_up(source);
    }
    let before: Vec<u64> = lanes.iter().map(|lane| lane.strike(step)).collect();
    let started = Instant::now();
    loop {
        run(source, &WORK);
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
    run(source, &WORK);
    let mut compared = 0;
    for lane in lanes {
        lane.stream.catch_up(source);
        compared += lane.equals(source);
        // A new process begins with short pauses again.
        lane.stream.kill();
        lane.stream.start();
    }
    compared
}

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
            "CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, x INT, pad TEXT)",
        ],
    );
    let gtid = ["--start-gtid", "", "--server-id"];
    let position = ["--start-file", "mysql-bin.000001", "--server-id"];
    let lane = |name, keeper, start: &[&str], id, tls| {
        let arguments = [start, &[id, "--ssl-mode", tls, "--index-ssl-mode", tls]].concat();
        Lane::new(name, &source, keeper, &scratch, &arguments)
    };
    let mut lanes = [
        lane("gtid", None, &gtid, "4301", "disabled").put(false, &SOURCE),
        lane("position", None, &position, "4302", "disabled").put(false, &SOURCE),
        lane(
            "position_index",
            Some(&keeper),
            &position,
            "4303",
            "disabled",
        )
        .put(true, &INDEX),
        lane("tls", Some(&keeper), &gtid, "4304", "required").put(false, &TLS),
        lane("tls_index", Some(&keeper), &gtid, "4305", "required").put(true, &TLS),
    ];
    for lane in &mut lanes {
        lane.stream.start();
    }
    let steps = lanes.iter().map(|lane| lane.faults.len()).max().unwrap();
    let seed = usize::try_from(setting("BINTRAIL_TEST_SEED", 0)).unwrap();
    let kinds = usize::try_from(setting("BINTRAIL_TEST_RESTARTS", 1)).unwrap();
    let (mut faults, mut compared) = (0, 0);
    for number in 0..steps {
        for kind in 0..kinds {
            let restart = RESTARTS[(seed + number + kind) % RESTARTS.len()];
            let started = Instant::now();
            compared += step(&mut lanes, &source, number, restart);
            faults += lanes.len();
            println!(
                "{:?} and {restart:?}: all equal after {} s",
                lanes.each_ref().map(|lane| lane.fault(number)),
                started.elapsed().as_secs()
            );
        }
    }
    println!("{faults} faults, {compared} events compared");
}
