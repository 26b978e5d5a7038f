//! Binary logs that are purged, reset or restored: recorded and passed over, or refused, never in silence.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bintrail_testkit::proxy::{Break, Kind, Part, Proxy, Trap};
use bintrail_testkit::server::Server;

use crate::support::{BINTRAIL, PATIENCE, Scratch, Stream, ask, run, source, source_of};

/// Purges all files but the one that is written. No server purges one that is being read, and that a stream has
/// gone it may notice late.
pub(crate) fn purge(source: &Server) -> String {
    let mut client = source.client().unwrap();
    let kept = source.position().unwrap().0;
    let started = Instant::now();
    loop {
        let readers =
            "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
        for reader in client.strings(readers).unwrap() {
            // It may be gone by now.
            client.run(&format!("KILL {}", reader[0])).ok();
        }
        client
            .run(&format!("PURGE BINARY LOGS TO '{kept}'"))
            .unwrap();
        if client.string("SHOW BINARY LOGS").unwrap() == kept {
            return kept;
        }
        assert!(started.elapsed() < PATIENCE, "{kept} is not the only one");
        sleep(Duration::from_millis(200));
    }
}

pub(crate) const IDS: &str =
    "SELECT pk_values FROM binlog_events WHERE table_name = 't' ORDER BY change_id";

/// Waits until the index has these rows. (MariaDB has events behind its last transaction, so that a position is
/// not to be waited for.)
pub(crate) fn arrived(stream: &mut Stream, ids: &[&str]) {
    let started = Instant::now();
    loop {
        stream.assert_runs();
        let now = stream.index.open().and_then(|mut index| index.query(IDS));
        let now: Vec<_> = now.into_iter().flatten().flatten().flatten().collect();
        if now == ids {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{now:?}, not {ids:?}");
        sleep(Duration::from_millis(100));
    }
}

fn status(scratch: &Scratch, name: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let index = scratch.0.join(name).join("index.db");
    let output = Command::new(BINTRAIL)
        .args([
            "status",
            "--index-dsn",
            &format!("sqlite:{}", index.display()),
        ])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text)
}

/// Streams row 1, is away while row 2 comes and goes and row 3 comes, and is started again.
fn purged_while_away(kind: &str, mode: &str) {
    let source = source_of(kind, &[]);
    let scratch = Scratch::new();
    let base = match kind {
        "mysql97" | "mysql56" => "mysql-bin",
        _ => "maria-bin",
    };
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY)",
            "FLUSH LOGS",
            "INSERT INTO d.t VALUES (1)",
        ],
    );
    let first = format!("{base}.000001");
    let start: &[&str] = match mode {
        "position" => &["--start-file", &first],
        _ => &["--start-gtid", ""],
    };
    let mut stream = Stream::new("gap", &source, None, &scratch, start);
    stream.start();
    arrived(&mut stream, &["1"]);
    stream.terminate();
    assert_eq!(status(&scratch, "gap", &["--fail-on-gap"]).0, Some(0));
    // Behind the checkpoint, but still there: no gap.
    run(
        &source,
        &[
            "INSERT INTO d.t VALUES (11)",
            "FLUSH LOGS",
            "INSERT INTO d.t VALUES (12)",
        ],
    );
    stream.start();
    arrived(&mut stream, &["1", "11", "12"]);
    stream.terminate();
    let place = ask(
        &stream,
        "SELECT binlog_file || ':' || binlog_position FROM stream_state",
    );

    run(
        &source,
        &[
            "INSERT INTO d.t VALUES (2)",
            "FLUSH LOGS",
            "INSERT INTO d.t VALUES (3)",
        ],
    );
    let kept = purge(&source);
    let mut stream = stream.with(&["--no-gap-fill"]);
    stream.start();
    let (code, last) = stream.end();
    assert_eq!(code, Some(15), "{kind} {mode}: {last}");
    assert!(
        last.contains("purged") && last.contains("--no-gap-fill"),
        "{last}"
    );
    assert_eq!(
        ask(&stream, "SELECT gap_lost_detail FROM stream_state"),
        [""]
    );

    let mut stream = stream.with(&[]);
    stream.start();
    arrived(&mut stream, &["1", "11", "12", "3"]);
    stream.terminate();
    let lost = ask(&stream, "SELECT gap_lost_detail FROM stream_state").remove(0);
    assert!(
        lost.contains(&place[0]) && lost.contains(&kept),
        "{kind} {mode}: {lost}"
    );
    if mode == "gtid" && base == "mysql-bin" {
        let uuid = source.client().unwrap().string("SELECT @@server_uuid");
        assert!(
            lost.contains("1 transactions, ") && lost.contains(&uuid.unwrap()),
            "{lost}"
        );
    }
    for arguments in [&[][..], &["--fail-on-gap"], &["--watch", "--fail-on-gap"]] {
        let (ended, text) = status(&scratch, "gap", arguments);
        assert_eq!(ended, Some(3), "{arguments:?}");
        assert!(text.contains("Gap ") && text.contains(&lost), "{text}");
    }
    for (question, told) in [
        (&["query", "--table", "t"][..], true),
        (&["recover", "--table", "t", "--dry-run"], true),
        // What is lost now was committed before then.
        (&["query", "--since", "2099-01-01"], false),
    ] {
        let output = stream.command(question).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.contains(&lost), told, "{question:?}: {said}");
    }
    let (_, json) = status(&scratch, "gap", &["--format", "json"]);
    assert!(json.contains("\"gap\": {"), "{json}");
    assert!(json.contains("\"acknowledged\": null"), "{json}");
    for arguments in [&["--acknowledge-gaps"][..], &[], &["--fail-on-gap"]] {
        let (ended, text) = status(&scratch, "gap", arguments);
        assert_eq!(ended, Some(0), "{arguments:?}");
        assert!(text.contains("Gap ") && text.contains(&lost), "{text}");
        assert!(!text.contains("changes were lost"), "{text}");
    }
    let (_, json) = status(&scratch, "gap", &["--format", "json"]);
    assert!(json.contains("\"acknowledged\": \"20"), "{json}");

    // A second one does not take the place of the first.
    run(
        &source,
        &[
            "INSERT INTO d.t VALUES (4)",
            "FLUSH LOGS",
            "INSERT INTO d.t VALUES (5)",
        ],
    );
    let kept = purge(&source);
    stream.start();
    arrived(&mut stream, &["1", "11", "12", "3", "5"]);
    stream.terminate();
    let both = ask(&stream, "SELECT gap_lost_detail FROM stream_state").remove(0);
    assert!(both.starts_with(&lost) && both.contains(&kept), "{both}");
    // It is to be acknowledged too.
    assert_eq!(status(&scratch, "gap", &[]).0, Some(3));
}

#[test]
fn what_was_purged_while_away_is_recorded_on_mysql() {
    purged_while_away("mysql97", "gtid");
    purged_while_away("mysql97", "position");
}

#[test]
fn what_was_purged_while_away_is_recorded_on_others() {
    for kind in ["mysql56", "mariadb", "mariadb11"] {
        purged_while_away(kind, "gtid");
        purged_while_away(kind, "position");
    }
}

/// Starts a stream that has to refuse with `words`.
fn refused(stream: &mut Stream, words: &[&str]) {
    stream.start();
    let (code, last) = stream.end();
    assert_eq!(code, Some(15), "{}: {last}", stream.name);
    for word in words {
        assert!(last.contains(word), "{}: no {word} in {last}", stream.name);
    }
}

#[test]
fn logs_that_were_reset_and_have_grown_beyond() {
    let source = source(&[]);
    let scratch = Scratch::new();
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY)",
            "FLUSH BINARY LOGS",
            "INSERT INTO d.t VALUES (1)",
        ],
    );
    let mut streams: Vec<Stream> = [("gtid", "71"), ("position", "72")]
        .into_iter()
        .map(|(name, id)| match name {
            "gtid" => Stream::new(name, &source, None, &scratch, &["--server-id", id]),
            _ => {
                let start = ["--server-id", id, "--start-file", "mysql-bin.000001"];
                Stream::new(name, &source, None, &scratch, &start)
            }
        })
        .collect();
    for stream in &mut streams {
        stream.start();
        stream.catch_up(&source);
        stream.terminate();
    }
    // Files tell when they were begun in seconds.
    sleep(Duration::from_millis(1_100));
    run(&source, &["RESET BINARY LOGS AND GTIDS"]);
    for id in 10..40 {
        run(&source, &[&format!("INSERT INTO d.t VALUES ({id})")]);
        if id % 10 == 9 {
            run(&source, &["FLUSH BINARY LOGS"]);
        }
    }
    // Every file, position and GTID that was read is there again, and means something else.
    for stream in &mut streams {
        refused(stream, &["mysql-bin.000002 was begun at", "--reset"]);
    }
}

#[test]
fn logs_that_are_reset_under_a_stream() {
    let source = source(&["--binlog-expire-logs-seconds=86400"]);
    let scratch = Scratch::new();
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY)",
            "FLUSH BINARY LOGS",
            "INSERT INTO d.t VALUES (1)",
        ],
    );
    let start = ["--start-file", "mysql-bin.000001"];
    let mut stream = Stream::new("under", &source, None, &scratch, &start);
    stream.start();
    stream.says("binary logs are kept for 24 hours only", 1);
    stream.catch_up(&source);
    run(
        &source,
        &["RESET BINARY LOGS AND GTIDS", "INSERT INTO d.t VALUES (2)"],
    );
    let (code, last) = stream.end();
    assert_eq!(code, Some(15), "{last}");
    assert!(last.contains("reset") && last.contains("--reset"), "{last}");
}

fn copy(from: &Path, to: &Path) {
    assert!(
        Command::new("cp")
            .args(["-a", "--"])
            .args([from, to])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn a_source_that_was_restored_from_a_backup() {
    let source = source(&[]);
    let scratch = Scratch::new();
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY)",
            "INSERT INTO d.t VALUES (1)",
        ],
    );
    source.stop().unwrap();
    let backup = scratch.0.join("backup");
    copy(&source.datadir, &backup);
    source.restart().unwrap();
    let ids = ["71", "72"];
    let mut streams: Vec<Stream> = ids
        .iter()
        .map(|id| {
            let start: &[&str] = match *id {
                "71" => &["--server-id", id],
                _ => &["--server-id", id, "--start-file", "mysql-bin.000001"],
            };
            Stream::new(id, &source, None, &scratch, start)
        })
        .collect();
    run(
        &source,
        &["INSERT INTO d.t VALUES (2)", "INSERT INTO d.t VALUES (3)"],
    );
    for stream in &mut streams {
        stream.start();
        stream.catch_up(&source);
        stream.terminate();
    }
    source.stop().unwrap();
    fs::remove_dir_all(&source.datadir).unwrap();
    copy(&backup, &source.datadir);
    source.restart().unwrap();
    // The same server_uuid, file names and GTIDs as before the restore, for other rows.
    for id in 12..20 {
        run(&source, &[&format!("INSERT INTO d.t VALUES ({id})")]);
    }
    run(&source, &["FLUSH BINARY LOGS"]);
    for stream in &mut streams {
        refused(stream, &["restored from a backup", "--reset"]);
    }
}

#[test]
fn a_source_that_does_not_tell_what_it_has_is_given_up_in_time() {
    let source = source(&[]);
    let proxy = Proxy::start(source.port, 1).unwrap();
    let scratch = Scratch::new();
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY)",
            "INSERT INTO d.t VALUES (1)",
        ],
    );
    let limit = [
        "--start-gtid",
        "",
        "--gap-timeout",
        "3",
        "--ssl-mode",
        "disabled",
    ];
    let mut stream = Stream::new("slow", &source, None, &scratch, &limit).through(&proxy, None);
    stream.start();
    stream.catch_up(&source);
    // By GTIDs, only the look at the first event of a file asks for a dump like this. Nothing says a word any more.
    let hang = || {
        proxy.trap(Trap {
            kind: Kind::Command(0x12),
            skip: 0,
            part: Part::Behind,
            how: Break::HalfOpen,
        });
    };
    hang();
    proxy.break_all(Break::Reset);
    // Silence alone would take 15 s, and says something else.
    let says = "the server has not answered the questions for a gap (--gap-timeout) in 3s";
    stream.says(says, 1);
    assert_eq!(proxy.struck(), 1);
    run(&source, &["INSERT INTO d.t VALUES (2)"]);
    // Asked again, it answers.
    stream.catch_up(&source);
    arrived(&mut stream, &["1", "2"]);
    stream.terminate();

    // One that starts says so, and ends.
    hang();
    stream.start();
    let (code, last) = stream.end();
    assert_eq!(code, Some(17), "{last}");
    assert!(last.contains(says), "{last}");
    proxy.heal();
    run(&source, &["INSERT INTO d.t VALUES (3)"]);
    stream.start();
    stream.catch_up(&source);
    stream.terminate();
    assert_eq!(ask(&stream, IDS), ["1", "2", "3"]);
}

/// Rows that `--tables` left out are missing once it no longer does.
#[test]
fn tables_that_a_filter_left_out() {
    let source = source(&["--binlog-row-metadata=FULL"]);
    let scratch = Scratch::new();
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY)",
            "CREATE TABLE d.u (id INT PRIMARY KEY)",
        ],
    );
    let narrow = ["--start-file", "mysql-bin.000001", "--tables", "d.t"];
    let wide = ["--schemas", "d"];
    let mut stream = Stream::new("narrow", &source, None, &scratch, &narrow);
    let mut id = 0;
    for (arguments, code, left_out) in [
        (&narrow[..], 0, None),
        // What it does not keep any more, nobody misses.
        (
            &["--tables", "d.t,d.v"],
            3,
            Some("left out by --tables d.t from its beginning to mysql-bin.000001:"),
        ),
        (
            &["--tables", "d.v"],
            3,
            Some("left out by --tables d.t from its beginning to mysql-bin.000001:"),
        ),
        (
            &wide,
            3,
            Some("left out by --tables d.v from mysql-bin.000001:"),
        ),
        (&narrow[2..], 0, None),
        (&narrow[2..], 0, None),
        (
            &[],
            3,
            Some("left out by --tables d.t from mysql-bin.000001:"),
        ),
    ] {
        stream = stream.with(arguments);
        stream.start();
        id += 1;
        run(
            &source,
            &[
                &format!("INSERT INTO d.t VALUES ({id})"),
                &format!("INSERT INTO d.u VALUES ({id})"),
            ],
        );
        stream.catch_up(&source);
        let (exit, text) = status(&scratch, "narrow", &["--fail-on-gap"]);
        assert_eq!(exit, Some(code), "{arguments:?}: {text}");
        if let Some(left_out) = left_out {
            assert!(text.contains(left_out), "{arguments:?}: {text}");
        }
        stream.terminate();
        if arguments == wide {
            status(&scratch, "narrow", &["--acknowledge-gaps"]);
        }
    }
    assert_eq!(ask(&stream, IDS), ["1", "2", "4", "5", "6", "7"]);
    assert_eq!(ask(&stream, "SELECT COUNT(*) FROM gaps"), ["3"]);
    let shown = stream
        .command(&["show", "--table", "u", "--pk", "1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(said.contains("left out by --tables d.t"), "{said}");
}
