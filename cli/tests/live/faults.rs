//! The links of a stream broken at chosen packets, half-open, slow, and in the TLS handshake, while the source is at work and
//! the stream is killed in between: in the end, the index is the binlog. `scripts/torture` does the same at random.

use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use bintrail_testkit::check::{Replay, same_events};
use bintrail_testkit::oracle::Oracle;
use bintrail_testkit::proxy::Kind::{
    Answer, Auth, Command, Event, Greeting, Login, Tls, TlsRequest, Upload,
};
use bintrail_testkit::proxy::Part::{Before, Behind, Within};
use bintrail_testkit::proxy::{Break, Flow, Kind, Part, Proxy, Trap};
use bintrail_testkit::server::Server;
use bintrail_testkit::value::Charsets;
use bintrail_testkit::workload::{Plan, Workload, schemas};

use crate::support::{PATIENCE, Scratch, Stream, index_server, source};

/// A packet's kind, how many of it pass before, where in it, and how the connection breaks.
pub(crate) type Cut = (Kind, u64, Part, Break);

const QUERY: Kind = Command(3);
const EXECUTE: Kind = Command(23);
pub(crate) const DUMP_GTID: Kind = Command(0x1e);

/// At every kind of packet that a dump brings, and in all that comes before it.
pub(crate) const SOURCE: [Cut; 18] = [
    (Greeting, 0, Within, Break::Reset),
    (Login, 0, Within, Break::Fin),
    (Auth, 0, Before, Break::Reset),
    (QUERY, 1, Behind, Break::Fin),
    (Answer, 5, Within, Break::Reset),
    (DUMP_GTID, 0, Behind, Break::Ghost),
    (Event(15), 0, Within, Break::Fin),
    (Event(4), 0, Behind, Break::Reset),
    (Event(35), 0, Before, Break::Fin),
    (Event(33), 9, Within, Break::Reset),
    (Event(2), 3, Behind, Break::Fin),
    (Event(19), 3, Behind, Break::Reset),
    (Event(30), 2, Within, Break::Ghost),
    (Event(31), 1, Behind, Break::Fin),
    (Event(32), 0, Before, Break::Reset),
    (Event(16), 3, Before, Break::Reset),
    (Event(16), 3, Behind, Break::Fin),
    // Heartbeats tell that nobody is there any more.
    (Event(31), 2, Within, Break::HalfOpen),
];

/// In each step of a write to the index, and in what comes before.
pub(crate) const INDEX: [Cut; 14] = [
    (Greeting, 0, Behind, Break::Reset),
    (Login, 0, Behind, Break::Fin),
    (Auth, 0, Within, Break::Reset),
    (Answer, 9, Within, Break::Fin),
    (EXECUTE, 7, Before, Break::Reset),
    (QUERY, 2, Within, Break::Reset),
    // The answer is lost: of a commit too, for one of these.
    (QUERY, 5, Behind, Break::Reset),
    (QUERY, 6, Behind, Break::Reset),
    (QUERY, 7, Behind, Break::Ghost),
    (EXECUTE, 3, Behind, Break::Fin),
    (Upload, 0, Within, Break::Reset),
    (Upload, 1, Before, Break::Ghost),
    (Answer, 30, Before, Break::Ghost),
    (Answer, 31, Within, Break::Fin),
];

pub(crate) const TLS: [Cut; 4] = [
    (TlsRequest, 0, Behind, Break::Reset),
    (Tls, 0, Within, Break::Reset),
    (Tls, 1, Within, Break::Fin),
    (Tls, 2, Within, Break::Reset),
];

/// Or else it comes when a connection is made.
pub(crate) fn comes_by_itself(kind: Kind) -> bool {
    match kind {
        Event(code) => !matches!(code, 4 | 15 | 27 | 35 | 41),
        Upload => true,
        _ => false,
    }
}

/// Waits until the stream is behind what the source has now, which goes on meanwhile.
fn passes(stream: &mut Stream, source: &Server, about: &str) {
    let position = source.position().unwrap();
    let started = Instant::now();
    while stream.state().ok().is_none_or(|state| state <= position) {
        stream.assert_runs();
        assert!(
            started.elapsed() < PATIENCE,
            "{about}: {} is at {:?}, not behind {position:?}\n{}",
            stream.name,
            stream.state(),
            stream.log()
        );
        sleep(Duration::from_millis(50));
    }
}

/// Breaks the link at each of `cuts` in a stream that runs, and has it go on from there.
fn cut(stream: &mut Stream, source: &Server, link: &Proxy, cuts: &[Cut]) {
    for &(kind, skip, part, how) in cuts {
        let about = format!("{how:?} {part:?} {kind:?}");
        passes(stream, source, &about);
        let struck = link.struck();
        link.trap(Trap {
            kind,
            skip,
            part,
            how,
        });
        if !comes_by_itself(kind) {
            link.break_all(Break::Reset);
        }
        let started = Instant::now();
        while link.struck() == struck {
            stream.assert_runs();
            assert!(started.elapsed() < PATIENCE, "{about} never came");
            sleep(Duration::from_millis(20));
        }
        passes(stream, source, &about);
        // A new process begins with short pauses again.
        stream.kill();
        link.heal();
        stream.start();
    }
    passes(stream, source, "all");
}

#[test]
fn the_links_broken_at_any_packet() {
    let scratch = Scratch::new();
    let source = source(&["--max-binlog-size=1M"]);
    let keeper = index_server(&["--local-infile=ON"]);
    let links: Vec<Proxy> = [&source, &source, &source, &keeper]
        .into_iter()
        .zip(1..)
        .map(|(server, seed)| Proxy::start(server.port, seed).unwrap())
        .collect();
    let stream = |name, id, mode, keeper: Option<(&Server, &Proxy)>, link: &Proxy| {
        let start = match name {
            "position" => ["--start-file", "mysql-bin.000001"],
            _ => ["--start-gtid", ""],
        };
        let mut arguments = vec!["--server-id", id, "--ssl-mode", mode];
        arguments.extend(start);
        if keeper.is_some() {
            arguments.extend(["--index-ssl-mode", "disabled"]);
        }
        let server = keeper.map(|(server, _)| server);
        let proxy = keeper.map(|(_, proxy)| proxy);
        Stream::new(name, &source, server, &scratch, &arguments).through(link, proxy)
    };
    let mut streams = [
        stream("gtid", "4201", "disabled", None, &links[0]),
        stream("tls", "4202", "required", None, &links[1]),
        stream(
            "position",
            "4203",
            "disabled",
            Some((&keeper, &links[3])),
            &links[2],
        ),
    ];
    let plan = Plan {
        sessions: 4,
        rate: Some(500),
        bulks: 0,
        ..Plan::mixed(4, u64::MAX)
    };
    let workload = Arc::new(Workload::create(&source, plan).unwrap());
    let running = {
        let workload = Arc::clone(&workload);
        thread::spawn(move || workload.run().unwrap())
    };
    streams.iter_mut().for_each(Stream::start);
    let [gtid, tls, position] = &mut streams;
    thread::scope(|scope| {
        scope.spawn(|| cut(gtid, &source, &links[0], &SOURCE));
        scope.spawn(|| cut(position, &source, &links[3], &INDEX));
        scope.spawn(|| {
            cut(tls, &source, &links[1], &TLS);
            for flow in [
                Flow::Dribble,
                Flow::Late(Duration::from_millis(100)),
                Flow::Stall,
            ] {
                links[1].flow(flow);
                links[1].break_all(Break::Reset);
                sleep(Duration::from_secs(3));
                links[1].heal();
                passes(tls, &source, &format!("{flow:?}"));
            }
        });
    });
    workload.stop();
    let (report, catalog) = running.join().unwrap();
    for stream in &mut streams {
        stream.catch_up(&source);
        stream.terminate();
        let name = &stream.name;
        let index = || stream.index.open().unwrap();
        let mut charsets = Charsets::new(source.client().unwrap()).unwrap();
        let oracle = Oracle::of(&source).unwrap();
        let count = same_events(index(), oracle, &catalog, &mut charsets)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(count, report.row_changes, "{name}");
        let mut replay = Replay::new(&catalog, false);
        replay.index(index()).unwrap();
        replay
            .same_tables(&mut source.client().unwrap(), &schemas())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name}: {count} events");
    }
}
