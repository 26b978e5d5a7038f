//! Sources that commit late, or without logging.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use bintrail_testkit::server::Server;

use crate::gaps::{IDS, arrived};
use crate::support::{BINTRAIL, Scratch, Stream, ask, run, source_of, until};

const TABLE: [&str; 2] = ["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)"];

fn cut(source: &Server) {
    let mut client = source.client().unwrap();
    let readers = "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
    for reader in client.strings(readers).unwrap() {
        client.run(&format!("KILL {}", reader[0])).ok();
    }
}

/// A semi-synchronous source sends a transaction, and commits it once a replica has it.
#[test]
fn a_source_that_waits_for_a_replica_is_waited_for() {
    let source = source_of("mysql97", &[]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    let mut stream = Stream::new("semisync", &source, None, &scratch, &["--start-gtid", ""]);
    stream.start();
    run(&source, &["INSERT INTO d.t VALUES (1)"]);
    arrived(&mut stream, &["1"]);
    run(
        &source,
        &[
            "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
            "SET GLOBAL rpl_semi_sync_source_timeout = 25000, \
             GLOBAL rpl_semi_sync_source_wait_point = 'AFTER_SYNC', GLOBAL rpl_semi_sync_source_enabled = ON",
        ],
    );
    thread::scope(|scope| {
        let commit = scope.spawn(|| run(&source, &["INSERT INTO d.t VALUES (2)"]));
        arrived(&mut stream, &["1", "2"]);
        cut(&source);
        stream.says("it has not committed", 1);
        stream.terminate();
        // Nor does one that starts give it up.
        stream.start();
        stream.says("it has not committed", 1);
        assert!(!commit.is_finished());
        commit.join().unwrap();
    });
    run(&source, &["INSERT INTO d.t VALUES (3)"]);
    arrived(&mut stream, &["1", "2", "3"]);
    stream.terminate();
}

/// Where it is to begin another file there is nothing for a moment.
fn stop_logging(source: &Server, directory: &Path) {
    let away = directory.with_extension("away");
    fs::rename(directory, &away).unwrap();
    source.client().unwrap().run("FLUSH LOGS").ok();
    fs::rename(away, directory).unwrap();
    let mut client = source.client().unwrap();
    let status = client.strings("SHOW BINARY LOG STATUS").unwrap();
    assert!(status.is_empty(), "it still logs");
}

#[test]
fn a_source_that_stops_logging_is_told_of_and_a_gap() {
    let scratch = Scratch::new();
    let directory = scratch.0.join("logs");
    fs::create_dir(&directory).unwrap();
    let logs = format!("--log-bin={}/log-bin", directory.display());
    let source = source_of("mysql97", &["--binlog-error-action=IGNORE_ERROR", &logs]);
    run(&source, &TABLE);
    let mut stream = Stream::new("unlogged", &source, None, &scratch, &[]);
    stream.start();
    stream.says(" streaming ", 1);
    run(&source, &["INSERT INTO d.t VALUES (1)"]);
    arrived(&mut stream, &["1"]);
    stop_logging(&source, &directory);
    run(&source, &["INSERT INTO d.t VALUES (2)"]);
    let words = "it has stopped writing its binary log";
    stream.says(words, 1);
    // It is recorded when it connects anew.
    let lost = until(|| {
        let lost = ask(&stream, "SELECT gap_lost_detail FROM stream_state").remove(0);
        Some(lost).filter(|lost| !lost.is_empty())
    });
    assert!(lost.contains("not logged by the source"), "{lost}");
    let status = stream.command(&["status"]).output().unwrap();
    let text = String::from_utf8(status.stdout).unwrap();
    assert_eq!(status.status.code(), Some(3), "{text}");
    assert!(text.contains(words) && text.contains("stalled"), "{text}");
    let doctor = stream.command(&["doctor"]).output().unwrap();
    let text = String::from_utf8(doctor.stdout).unwrap();
    assert_eq!(doctor.status.code(), Some(40), "{text}");
    assert!(
        text.contains("the server has stopped writing its binary log"),
        "{text}"
    );
    // One that starts says the same.
    stream.terminate();
    stream.start();
    let (code, last) = stream.end();
    assert_eq!(code, Some(14), "{last}");
    assert!(last.contains(words), "{last}");
    let path = scratch.0.join("new.db");
    let new = Command::new(BINTRAIL)
        .args([
            "stream",
            "--source-dsn",
            &crate::support::source_dsn(&source),
        ])
        .args(["--index-dsn", &format!("sqlite:{}", path.display())])
        .output()
        .unwrap();
    assert_eq!(new.status.code(), Some(14), "{new:?}");

    source.stop().unwrap();
    source.restart().unwrap();
    stream.start();
    stream.says(" streaming ", 1);
    run(&source, &["INSERT INTO d.t VALUES (3)"]);
    arrived(&mut stream, &["1", "3"]);
    stream.terminate();
    let after = ask(&stream, "SELECT gap_lost_detail FROM stream_state").remove(0);
    assert_eq!(
        after.matches("not logged by the source").count(),
        1,
        "{after}"
    );
    assert_eq!(ask(&stream, IDS), ["1", "3"]);
}
