//! `bintrail stream`, for both backends and both modes at once: whatever the workload does, and
//! however often the stream is killed, the index holds the binlog's row events one for one, in
//! order, and its images rebuild the source's tables.
//!
//! `BINTRAIL_TEST_ROW_EVENTS`, `BINTRAIL_TEST_KILLS`, `BINTRAIL_TEST_TERMS` and `BINTRAIL_TEST_SEED`
//! make the runs longer, or one of them come again.

use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::{Duration, Instant, SystemTime};

use bintrail_testkit::check::{Replay, same_events, same_or_unnamed_events};
use bintrail_testkit::oracle::Oracle;
use bintrail_testkit::proxy::{Flow, Proxy};
use bintrail_testkit::schema::Catalog;
use bintrail_testkit::server::Server;
use bintrail_testkit::value::Charsets;
use bintrail_testkit::workload::{Plan, Report, Rng, Workload, schemas};

use crate::support::{self, PASSWORD, Scratch, Stream, ask, index_server, setting, source};

pub(crate) fn seed() -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let seed = setting("BINTRAIL_TEST_SEED", now);
    println!("BINTRAIL_TEST_SEED={seed}");
    seed
}

/// One stream for each backend and mode, from the very beginning of the source's binlog.
fn streams(source: &Server, keeper: &Server, scratch: &Scratch) -> Vec<Stream> {
    let gtid = source
        .client()
        .unwrap()
        .string("SELECT @@gtid_executed")
        .unwrap();
    assert!(!gtid.is_empty());
    let by_gtid = ["--start-gtid", &gtid];
    let by_position = ["--start-file", "mysql-bin.000001"];
    let mut streams = Vec::new();
    for (number, (name, keeper, start)) in [
        ("sqlite-gtid", None, by_gtid),
        ("sqlite-position", None, by_position),
        ("mysql-gtid", Some(keeper), by_gtid),
        ("mysql-position", Some(keeper), by_position),
    ]
    .into_iter()
    .enumerate()
    {
        // Four streams of one host need ids of their own.
        let id = (4_000 + number).to_string();
        let arguments = ["--server-id", &id, start[0], start[1]];
        streams.push(Stream::new(name, source, keeper, scratch, &arguments));
    }
    streams
}

/// Compares a stream's index with the binlog and with the source's tables.
fn check(stream: &Stream, source: &Server, report: &Report, catalog: &Catalog) {
    let started = Instant::now();
    let name = &stream.name;
    let mut charsets = Charsets::new(source.client().unwrap()).unwrap();
    let open = || stream.index.open().unwrap();
    let oracle = Oracle::of(source).unwrap();
    let count = same_events(open(), oracle, catalog, &mut charsets)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(count, report.row_changes, "{name}");

    let mut replay = Replay::new(catalog, false);
    replay
        .index(open())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let rows = replay
        .same_tables(&mut source.client().unwrap(), &schemas())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(rows > 0);

    let state = open()
        .query("SELECT mode, capture_skips, last_error FROM stream_state")
        .unwrap();
    let mode = name.rsplit('-').next().map(str::to_owned);
    assert_eq!(state.len(), 1, "{name}");
    assert_eq!(
        state[0][..2],
        [mode, Some("{}".to_owned())],
        "{name}: {state:?}"
    );
    assert!(!stream.log().contains(PASSWORD), "{name} logs the password");
    println!(
        "{name}: {count} events, {rows} rows, checked in {:?}",
        started.elapsed()
    );
}

fn run(workload: &Arc<Workload>) -> thread::JoinHandle<(Report, Catalog)> {
    let workload = Arc::clone(workload);
    thread::spawn(move || workload.run().unwrap())
}

#[test]
fn the_index_is_the_binlog() {
    let seed = seed();
    let scratch = Scratch::new();
    let source = source(&["--max-binlog-size=16M"]);
    let keeper = index_server(&["--local-infile=ON"]);
    let mut streams = streams(&source, &keeper, &scratch);
    streams.iter_mut().for_each(Stream::start);

    let plan = Plan::mixed(seed, setting("BINTRAIL_TEST_ROW_EVENTS", 200_000));
    let workload = Arc::new(Workload::create(&source, plan).unwrap());
    let (report, catalog) = run(&workload).join().unwrap();
    println!("{report:?}");
    for stream in &mut streams {
        stream.catch_up(&source);
        stream.terminate();
        check(stream, &source, &report, &catalog);
    }
}

/// Streams killed and told to stop again and again under a load with DDL; then they catch up.
fn killed(
    source: &Server,
    streams: Vec<Stream>,
    seed: u64,
    kills: u64,
    terms: u64,
) -> (Vec<Stream>, Report, Catalog) {
    let plan = Plan {
        ddl: true,
        rate: Some(6_000),
        bulk_rows: 20_000,
        ..Plan::mixed(seed, u64::MAX)
    };
    let workload = Arc::new(Workload::create(source, plan).unwrap());
    let running = run(&workload);
    let count = u64::try_from(streams.len()).unwrap();
    let killers: Vec<_> = (0..)
        .zip(streams)
        .map(|(number, mut stream)| {
            thread::spawn(move || {
                let mut rng = Rng::new(seed ^ (number << 32));
                let share = |all: u64| all / count + u64::from(number < all % count);
                let (mut kills, mut terms) = (share(kills), share(terms));
                stream.start();
                while kills + terms > 0 {
                    let moment = if rng.chance(30) { 30 } else { 1_500 };
                    sleep(Duration::from_millis(rng.below(moment)));
                    if rng.below(kills + terms) < kills {
                        kills -= 1;
                        stream.kill();
                    } else {
                        terms -= 1;
                        stream.terminate();
                    }
                    stream.start();
                }
                stream
            })
        })
        .collect();
    let streams: Vec<_> = killers.into_iter().map(thread::JoinHandle::join).collect();
    workload.stop();
    let (report, catalog) = running.join().unwrap();
    println!("{report:?}");
    let streams = streams.into_iter().map(|stream| {
        let mut stream = stream.unwrap();
        stream.catch_up(source);
        stream.terminate();
        stream
    });
    (streams.collect(), report, catalog)
}

#[test]
fn killed_at_any_moment_it_neither_misses_nor_repeats() {
    let seed = seed();
    let kills = setting("BINTRAIL_TEST_KILLS", 30);
    let terms = setting("BINTRAIL_TEST_TERMS", 10);
    let scratch = Scratch::new();
    let source = source(&["--max-binlog-size=4M", "--binlog-row-metadata=FULL"]);
    // Without LOAD DATA LOCAL, so that the other way of writing is shown too.
    let keeper = index_server(&["--local-infile=OFF"]);
    let streams = streams(&source, &keeper, &scratch);
    let (streams, report, catalog) = killed(&source, streams, seed, kills, terms);
    for stream in &streams {
        check(stream, &source, &report, &catalog);
    }
}

/// Without column names in the binlog, behind DDL, killed: a row may be without names, but not under wrong ones.
#[test]
fn without_row_metadata_no_name_is_wrong() {
    let seed = seed();
    let kills = setting("BINTRAIL_TEST_KILLS", 30) / 2;
    let terms = setting("BINTRAIL_TEST_TERMS", 10) / 2;
    let scratch = Scratch::new();
    let source = source(&["--max-binlog-size=4M", "--binlog-row-metadata=MINIMAL"]);
    let keeper = index_server(&["--local-infile=ON"]);
    let streams = streams(&source, &keeper, &scratch);
    let (streams, report, catalog) = killed(&source, streams, seed, kills, terms);
    for stream in &streams {
        let name = &stream.name;
        let mut charsets = Charsets::new(source.client().unwrap()).unwrap();
        let oracle = Oracle::of(&source).unwrap();
        let index = stream.index.open().unwrap();
        let (count, unnamed) = same_or_unnamed_events(index, oracle, &catalog, &mut charsets)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(count, report.row_changes, "{name}");
        println!("{name}: {unnamed} of {count} rows without names");
        // They are few: what the index knows, and what a statement says, names the others.
        assert!(unnamed * 10 < count, "{name}: {unnamed} of {count}");
    }
}

#[test]
fn told_to_stop_while_the_index_is_asked_about_tables_it_ends_well() {
    let source = source(&["--binlog-row-metadata=MINIMAL"]);
    let keeper = index_server(&[]);
    let scratch = Scratch::new();
    let to_source = Proxy::start(source.port, 1).unwrap();
    let to_index = Proxy::start(keeper.port, 2).unwrap();
    let mut stream = Stream::new("naming", &source, Some(&keeper), &scratch, &[])
        .through(&to_source, Some(&to_index));
    support::run(&source, &["CREATE DATABASE d"]);
    stream.start();
    stream.catch_up(&source);
    for round in 0..8 {
        // Nearly all the time goes into questions about tables.
        to_index.flow(Flow::Late(Duration::from_millis(200)));
        for number in 0..10 {
            let create = format!("CREATE TABLE d.t{round}_{number} (id INT PRIMARY KEY)");
            let insert = format!("INSERT INTO d.t{round}_{number} VALUES (1)");
            support::run(&source, &[&create, &insert]);
        }
        sleep(Duration::from_millis(300 + 90 * round));
        stream.terminate();
        to_index.flow(Flow::Pass);
        stream.start();
        stream.catch_up(&source);
    }
    stream.terminate();
    assert_eq!(ask(&stream, "SELECT COUNT(*) FROM row_changes"), ["80"]);
}
