//! A binlog file that somebody has removed from between the others, and taken out of the server's list: what it held is
//! a gap.

use std::fs;

use bintrail_testkit::server::Server;

use crate::gaps::{IDS, arrived};
use crate::support::{Scratch, Stream, ask, run, source_of};

/// Takes a file out, while the server is down.
fn remove(source: &Server, file: &str) {
    source.stop().unwrap();
    fs::remove_file(source.datadir.join(file)).unwrap();
    let list = source
        .datadir
        .join(format!("{}.index", file.rsplit_once('.').unwrap().0));
    let kept: String = fs::read_to_string(&list)
        .unwrap()
        .lines()
        .filter(|line| !line.ends_with(file))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&list, kept).unwrap();
    source.restart().unwrap();
}

/// Inserts a row and begins a new file; says which one has the row.
fn insert(source: &Server, id: u32) -> String {
    let file = source.position().unwrap().0;
    run(
        source,
        &[&format!("INSERT INTO d.t VALUES ({id})"), "FLUSH LOGS"],
    );
    file
}

fn holes(kind: &str, mode: &str) {
    let source = source_of(kind, &[]);
    let scratch = Scratch::new();
    run(
        &source,
        &["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)"],
    );
    let first = source.position().unwrap().0;
    let start: &[&str] = match mode {
        "position" => &["--start-file", &first],
        _ => &["--start-gtid", ""],
    };
    let mut stream = Stream::new("hole", &source, None, &scratch, start);
    stream.start();
    run(&source, &["INSERT INTO d.t VALUES (1)"]);
    arrived(&mut stream, &["1"]);
    stream.terminate();

    // Behind the file that it goes on in.
    insert(&source, 2);
    let gone = insert(&source, 3);
    let behind = insert(&source, 4);
    remove(&source, &gone);
    let mut stream = stream.with(&["--no-gap-fill"]);
    stream.start();
    let (code, last) = stream.end();
    assert_eq!(code, Some(15), "{kind} {mode}: {last}");
    assert!(
        last.contains("removed") && last.contains("on the source before it was read"),
        "{last}"
    );
    assert_eq!(ask(&stream, IDS), ["1", "2"], "{kind} {mode}");
    let mut stream = stream.with(&[]);
    stream.start();
    arrived(&mut stream, &["1", "2", "4"]);
    stream.terminate();
    let lost = ask(&stream, "SELECT gap_lost_detail FROM stream_state").remove(0);
    let to = format!(" to {behind}:4");
    assert!(lost.contains(&to), "{kind} {mode}: {lost}");
    let status = stream.command(&["status"]).output().unwrap();
    assert_eq!(status.status.code(), Some(3), "{kind} {mode}");
    // It is recorded where it lies among the row changes.
    let at = "SELECT COUNT(*) FROM row_changes WHERE change_id < (SELECT next_change_id FROM gaps)";
    assert_eq!(ask(&stream, at), ["2"], "{kind} {mode}");

    // The very file that it goes on in.
    let gone = source.position().unwrap().0;
    stream.start();
    run(&source, &["INSERT INTO d.t VALUES (5)"]);
    arrived(&mut stream, &["1", "2", "4", "5"]);
    stream.terminate();
    insert(&source, 6);
    let behind = insert(&source, 7);
    remove(&source, &gone);
    stream.start();
    arrived(&mut stream, &["1", "2", "4", "5", "7"]);
    run(&source, &["INSERT INTO d.t VALUES (8)"]);
    arrived(&mut stream, &["1", "2", "4", "5", "7", "8"]);
    stream.terminate();
    let both = ask(&stream, "SELECT gap_lost_detail FROM stream_state").remove(0);
    let to = format!(" to {behind}:4");
    assert!(both.starts_with(&lost) && both.contains(&to), "{both}");
    assert_eq!(
        both.matches("before it was read").count(),
        2,
        "{kind} {mode}: {both}"
    );
}

#[test]
fn a_file_is_gone_from_between_the_others_on_mysql() {
    for kind in ["mysql97", "mysql56"] {
        holes(kind, "gtid");
        holes(kind, "position");
    }
}

#[test]
fn a_file_is_gone_from_between_the_others_on_mariadb() {
    for kind in ["mariadb", "mariadb11"] {
        holes(kind, "gtid");
        holes(kind, "position");
    }
}
