//! A domain of MariaDB's that is taken out of the binary logs and used again: its numbers begin anew.

use std::thread::sleep;
use std::time::{Duration, Instant};

use bintrail_testkit::server::Server;

use crate::gaps::{arrived, purge};
use crate::index_trouble::end_sessions;
use crate::support::{PATIENCE, Scratch, Stream, ask, run, source_of};

const DELETE: &str = "FLUSH BINARY LOGS DELETE_DOMAIN_ID = (88)";

/// A row, in domain 88.
fn insert(source: &Server, id: u32) {
    let row = format!("INSERT INTO d.t VALUES ({id})");
    run(source, &["SET gtid_domain_id = 88", &row]);
}

/// The last number of domain 88.
fn number(source: &Server) -> String {
    let position = source
        .client()
        .unwrap()
        .string("SELECT @@gtid_binlog_pos")
        .unwrap();
    let last = position.split(',').find(|gtid| gtid.starts_with("88-"));
    last.map_or(String::new(), |gtid| {
        gtid.rsplit_once('-').unwrap().1.to_owned()
    })
}

/// Leaves the file that is written only, and its reader, once that has come there, undisturbed.
fn purge_behind(source: &Server) {
    let mut client = source.client().unwrap();
    client.run("FLUSH BINARY LOGS").unwrap();
    let kept = source.position().unwrap().0;
    let started = Instant::now();
    while client.string("SHOW BINARY LOGS").unwrap() != kept {
        client
            .run(&format!("PURGE BINARY LOGS TO '{kept}'"))
            .unwrap();
        assert!(started.elapsed() < PATIENCE, "{kept} is not the only one");
        sleep(Duration::from_millis(200));
    }
}

fn begins_anew(kind: &str) {
    let source = source_of(kind, &[]);
    let scratch = Scratch::new();
    run(
        &source,
        &["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)"],
    );
    let mut stream = Stream::new("domain", &source, None, &scratch, &["--start-gtid", ""]);
    let mut ids: Vec<String> = Vec::new();
    let mut now_has = |stream: &mut Stream, more: &[u32]| {
        ids.extend(more.iter().map(ToString::to_string));
        arrived(stream, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    };
    stream.start();
    insert(&source, 1);
    now_has(&mut stream, &[1]);
    stream.terminate();

    // Taken out while the stream is away, and used again when it is back.
    run(&source, &["FLUSH BINARY LOGS"]);
    purge(&source);
    run(&source, &[DELETE, "INSERT INTO d.t VALUES (2)"]);
    stream.start();
    now_has(&mut stream, &[2]);
    insert(&source, 3);
    assert_eq!(number(&source), "1");
    insert(&source, 4);
    now_has(&mut stream, &[3, 4]);

    // Under the stream, which then connects anew with the same, a lower and a higher number.
    for more in [2, 1, 3] {
        purge_behind(&source);
        run(&source, &[DELETE]);
        let first = 100 * more;
        for id in first..first + more {
            insert(&source, id);
        }
        now_has(&mut stream, &(first..first + more).collect::<Vec<_>>());
        end_sessions(&source, "capture");
        insert(&source, first + more);
        now_has(&mut stream, &[first + more]);
    }
    // The same, with nothing of it until the stream is connected anew.
    purge_behind(&source);
    run(&source, &[DELETE, "INSERT INTO d.t VALUES (5)"]);
    now_has(&mut stream, &[5]);
    end_sessions(&source, "capture");
    insert(&source, 6);
    now_has(&mut stream, &[6]);
    stream.terminate();

    // Taken out and used again while the stream is away, up to numbers below and above the one that was read; its file
    // is there still, or purged.
    for (more, purged) in [(1, false), (4, false), (1, true), (6, true)] {
        if purged {
            run(&source, &["FLUSH BINARY LOGS"]);
            purge(&source);
        } else {
            // What is purged while it connects would end it.
            stream.start();
            let there_and_gone = ["INSERT INTO d.t VALUES (0)", "DELETE FROM d.t WHERE id = 0"];
            run(&source, &there_and_gone);
            now_has(&mut stream, &[0, 0]);
            purge_behind(&source);
            run(&source, &there_and_gone);
            now_has(&mut stream, &[0, 0]);
            stream.terminate();
        }
        run(&source, &[DELETE]);
        let first = 1000 * (more + 10 * u32::from(purged));
        for id in first..first + more {
            insert(&source, id);
        }
        stream.start();
        now_has(&mut stream, &(first..first + more).collect::<Vec<_>>());
        stream.terminate();
    }
    let gap = "SELECT gap_lost_detail FROM stream_state";
    assert_eq!(ask(&stream, gap), [""]);

    // With rows of it that were not read, and no file that still tells of them.
    insert(&source, 7);
    run(&source, &["FLUSH BINARY LOGS"]);
    purge(&source);
    run(&source, &[DELETE]);
    purge(&source);
    insert(&source, 8);
    let mut stream = stream.with(&["--no-gap-fill"]);
    stream.start();
    let (code, last) = stream.end();
    assert_eq!(code, Some(15), "{last}");
    assert!(last.contains("perhaps domain 88 behind 88-"), "{last}");
    let mut stream = stream.with(&[]);
    stream.start();
    now_has(&mut stream, &[8]);
    stream.terminate();
    let lost = ask(&stream, gap).remove(0);
    assert!(
        lost.contains("perhaps domain 88 behind 88-") && lost.contains("(DELETE_DOMAIN_ID)"),
        "{lost}"
    );
    // It is known once.
    stream.start();
    insert(&source, 9);
    now_has(&mut stream, &[9]);
    stream.terminate();
    assert_eq!(ask(&stream, gap), [lost]);
}

#[test]
fn a_domain_that_begins_anew() {
    begins_anew("mariadb11");
}

#[test]
fn a_domain_that_begins_anew_on_mariadb_10() {
    begins_anew("mariadb");
}

/// Without `gtid_strict_mode`, a GTID may come twice and a number may go back.
#[test]
fn numbers_that_do_not_rise() {
    let source = source_of("mariadb11", &["--gtid-strict-mode=OFF"]);
    let scratch = Scratch::new();
    run(
        &source,
        &["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)"],
    );
    let numbered = |number: u32, id: u32| {
        let number = format!("SET gtid_domain_id = 88, gtid_seq_no = {number}");
        let row = format!("INSERT INTO d.t VALUES ({id})");
        source
            .client()
            .and_then(|mut client| client.run(&number).and_then(|_| client.run(&row)))
            .map(drop)
    };
    let mut stream = Stream::new("twice", &source, None, &scratch, &["--start-gtid", ""]);
    stream.start();
    numbered(302, 1).unwrap();
    arrived(&mut stream, &["1"]);
    numbered(302, 2).unwrap();
    arrived(&mut stream, &["1", "2"]);
    stream.terminate();
    stream.start();
    numbered(303, 3).unwrap();
    numbered(100, 4).unwrap();
    arrived(&mut stream, &["1", "2", "3", "4"]);
    end_sessions(&source, "capture");
    numbered(101, 5).unwrap();
    arrived(&mut stream, &["1", "2", "3", "4", "5"]);
    stream.terminate();
    numbered(101, 6).unwrap();
    stream.start();
    arrived(&mut stream, &["1", "2", "3", "4", "5", "6"]);
    stream.terminate();
    // What the documentation and `doctor` say of it.
    run(&source, &["SET GLOBAL gtid_strict_mode = ON"]);
    for number in [100, 101] {
        let error = numbered(number, 7).unwrap_err().to_string();
        assert!(error.contains("strict"), "{error}");
    }
}
