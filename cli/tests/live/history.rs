//! Binary logs whose names, positions and numbers are there again for something else: the stream ends, and says why. Nothing
//! of it is left out in silence.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use bintrail_testkit::server::Server;

use crate::gaps::arrived;
use crate::support::{Scratch, Stream, ask, run, source_of, wait};

/// Files tell when they were begun in seconds.
const ANOTHER_SECOND: Duration = Duration::from_millis(1_100);

const TABLE: [&str; 2] = ["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)"];

fn insert(source: &Server, ids: std::ops::Range<u32>) {
    for id in ids {
        run(source, &[&format!("INSERT INTO d.t VALUES ({id})")]);
    }
}

fn reset_of(kind: &str) -> &'static str {
    match kind {
        "mysql97" => "RESET BINARY LOGS AND GTIDS",
        _ => "RESET MASTER",
    }
}

/// Its binary logs begin with the first file.
fn fresh(kind: &str, options: &[&str]) -> Server {
    let source = source_of(kind, options);
    run(&source, &[reset_of(kind)]);
    source
}

fn ends_with_15(stream: &mut Stream, words: &[&str]) {
    let (code, last) = stream.end();
    assert_eq!(code, Some(15), "{}: {last}", stream.name);
    for word in words {
        assert!(last.contains(word), "{}: no {word} in {last}", stream.name);
    }
}

/// The server goes on reading the deleted file. At its end it looks for the next one, and finds a new one of that name.
#[test]
fn logs_that_are_reset_under_a_stream_in_their_first_file() {
    for kind in ["mysql97", "mysql56", "mariadb"] {
        let source = fresh(kind, &[]);
        let scratch = Scratch::new();
        run(&source, &TABLE);
        insert(&source, 1..10);
        let first = source.position().unwrap().0;
        let mut streams = [
            Stream::new("gtid", &source, None, &scratch, &["--start-gtid", ""]),
            Stream::new("file", &source, None, &scratch, &["--start-file", &first]),
        ];
        let ids: Vec<_> = (1..10).map(|id| id.to_string()).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        for stream in &mut streams {
            stream.start();
            arrived(stream, &ids);
        }
        let mut tail = streams[0].command(&["tail", "--start-file", &first, "--log-level", "warn"]);
        let mut tail = tail.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
        for id in 1..10 {
            let line = lines.next().unwrap().unwrap();
            assert!(line.contains(&format!("\"id\":{id}")), "{line}");
        }
        sleep(ANOTHER_SECOND);
        run(
            &source,
            &[
                reset_of(kind),
                "INSERT INTO d.t VALUES (11)",
                "FLUSH LOGS",
                "INSERT INTO d.t VALUES (12)",
            ],
        );
        for stream in &mut streams {
            ends_with_15(stream, &[&first, "reset", "--reset"]);
            assert_eq!(ask(stream, crate::gaps::IDS), ids, "{kind}");
        }
        assert_eq!(wait(&mut tail).code(), Some(17), "{kind}");
        assert!(lines.next().is_none(), "{kind}");
    }
}

/// As long as nothing makes the server look for another file, nothing comes.
#[test]
fn logs_that_are_reset_under_a_stream_and_stay_shorter() {
    for kind in ["mysql97", "mysql56", "mariadb"] {
        let source = fresh(kind, &[]);
        let scratch = Scratch::new();
        run(&source, &TABLE);
        insert(&source, 1..10);
        let mut stream = Stream::new("gtid", &source, None, &scratch, &["--start-gtid", ""]);
        stream.start();
        stream.catch_up(&source);
        run(&source, &[reset_of(kind), "INSERT INTO d.t VALUES (11)"]);
        ends_with_15(&mut stream, &["reset", "--reset"]);
    }
}

/// With the file that was read, what shows the reset is gone: but not what the oldest file begins behind.
#[test]
fn logs_that_were_reset_have_grown_beyond_and_were_purged() {
    for kind in ["mysql97", "mysql56", "mariadb"] {
        let source = fresh(kind, &[]);
        let scratch = Scratch::new();
        run(&source, &TABLE);
        run(&source, &["FLUSH LOGS"]);
        insert(&source, 1..6);
        let mut stream = Stream::new("away", &source, None, &scratch, &["--start-gtid", ""]);
        stream.start();
        arrived(&mut stream, &["1", "2", "3", "4", "5"]);
        stream.terminate();
        run(&source, &[reset_of(kind)]);
        // Before the oldest file that is left, fewer transactions than were read; in all, more.
        for id in 11..15 {
            run(
                &source,
                &[&format!("INSERT INTO d.t VALUES ({id})"), "FLUSH LOGS"],
            );
        }
        crate::gaps::purge(&source);
        insert(&source, 15..25);
        stream.start();
        ends_with_15(&mut stream, &["begins before the transactions", "--reset"]);
    }
}

/// The file that was read looks like one that is purged, and its domains as if they were taken out.
#[test]
fn logs_that_are_reset_to_a_later_number() {
    let source = fresh("mariadb", &[]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    insert(&source, 1..4);
    let mut stream = Stream::new("later", &source, None, &scratch, &["--start-gtid", ""]);
    stream.start();
    arrived(&mut stream, &["1", "2", "3"]);
    stream.terminate();
    run(&source, &["RESET MASTER TO 9"]);
    insert(&source, 11..21);
    stream.start();
    ends_with_15(
        &mut stream,
        &["begins before the transactions", "reset", "--reset"],
    );
}

/// By position, a file that was read may as well be purged, unless the oldest that is left was begun behind another.
#[test]
fn logs_by_position_that_are_reset_to_a_later_number_or_purged() {
    let source = fresh(
        "mysql97",
        &["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"],
    );
    let scratch = Scratch::new();
    run(&source, &TABLE);
    let start = ["--start-file", "mysql-bin.000001"];
    let mut stream = Stream::new("place", &source, None, &scratch, &start);
    for (id, reset) in [(1, true), (10, false)] {
        stream.start();
        stream.catch_up(&source);
        stream.terminate();
        insert(&source, id..id + 1);
        if reset {
            run(&source, &["RESET BINARY LOGS AND GTIDS TO 9"]);
        } else {
            run(&source, &["FLUSH LOGS", "FLUSH LOGS"]);
            crate::gaps::purge(&source);
        }
        insert(&source, id + 1..id + 3);
        stream.start();
        stream.catch_up(&source);
        stream.terminate();
        let gap = "SELECT detail FROM gaps ORDER BY found_at DESC LIMIT 1";
        let gap = ask(&stream, gap).concat();
        let newest = gap.rsplit("purged or removed").next().unwrap();
        assert_eq!(newest.contains("(RESET … TO)"), reset, "{gap}");
    }
    assert_eq!(ask(&stream, crate::gaps::IDS), ["2", "3", "11", "12"]);
}

/// MariaDB's own replicas stop there as well: the server, started again, begins another file, and sends nothing behind this one.
#[test]
fn a_log_that_a_crash_has_cut_off_inside_an_event() {
    let source = fresh("mariadb", &[]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    insert(&source, 1..4);
    let start = ["--start-file", "maria-bin.000001"];
    let mut stream = Stream::new("cut", &source, None, &scratch, &start);
    stream.start();
    arrived(&mut stream, &["1", "2", "3"]);
    stream.terminate();
    insert(&source, 4..5);
    let file = source.binlog_files().unwrap().pop().unwrap();
    source.kill().unwrap();
    let file = File::options().write(true).open(file).unwrap();
    file.set_len(file.metadata().unwrap().len() - 10).unwrap();
    source.restart().unwrap();
    insert(&source, 5..6);
    stream.start();
    ends_with_15(
        &mut stream,
        &["ends there inside an event", "--reset", "as --start-file"],
    );
    let next = source.position().unwrap().0;
    let mut stream = stream.with(&["--reset", "--start-file", &next]);
    stream.start();
    arrived(&mut stream, &["1", "2", "3", "5"]);
    stream.terminate();
    let gap = ask(&stream, "SELECT detail FROM gaps").concat();
    assert!(gap.contains("reset: left out from"), "{gap}");
}

#[test]
fn logs_that_are_reset_right_after_the_first_start() {
    for kind in ["mysql97", "mysql56", "mariadb"] {
        let source = fresh(kind, &[]);
        let scratch = Scratch::new();
        run(&source, &TABLE);
        let mut stream = Stream::new("early", &source, None, &scratch, &[]);
        stream.start();
        stream.says("streaming", 1);
        // Less than it takes a source to say that it has nothing.
        sleep(ANOTHER_SECOND);
        stream.kill();
        run(&source, &[reset_of(kind)]);
        insert(&source, 1..10);
        stream.start();
        ends_with_15(&mut stream, &["was begun at", "--reset"]);
    }
}

/// By GTIDs alone a server begins behind the files that have no new ones.
#[test]
fn transactions_without_a_gtid_between_others() {
    let source = fresh("mysql97", &["--binlog-row-metadata=FULL"]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    let mut by_gtid = Stream::new("gtid", &source, None, &scratch, &["--server-id", "71"]);
    let place = ["--server-id", "72", "--start-file", "mysql-bin.000001"];
    let mut by_place = Stream::new("place", &source, None, &scratch, &place);
    for stream in [&mut by_gtid, &mut by_place] {
        stream.start();
        stream.catch_up(&source);
        stream.terminate();
    }
    for (id, mode) in ["ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF"]
        .into_iter()
        .chain(["OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"])
        .enumerate()
    {
        run(
            &source,
            &[
                &format!("SET GLOBAL gtid_mode = {mode}"),
                &format!("INSERT INTO d.t VALUES ({id})"),
            ],
        );
    }
    by_gtid.start();
    let (code, last) = by_gtid.end();
    assert_eq!(code, Some(17), "{last}");
    assert!(
        last.contains("--reset, and --start-file and --start-pos"),
        "{last}"
    );
    by_place.start();
    let (code, last) = by_place.end();
    assert_eq!(code, Some(17), "{last}");
    let mends = "SET GLOBAL gtid_mode = ON_PERMISSIVE";
    assert!(last.contains(mends), "{last}");
    run(&source, &[mends]);
    by_place.start();
    by_place.catch_up(&source);
    run(
        &source,
        &["SET GLOBAL gtid_mode = ON", "INSERT INTO d.t VALUES (6)"],
    );
    by_place.catch_up(&source);
    by_place.terminate();
    let ids = ["0", "1", "2", "3", "4", "5", "6"];
    assert_eq!(ask(&by_place, crate::gaps::IDS), ids);
}
