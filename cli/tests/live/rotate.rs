//! `bintrail rotate`: what is old goes, whole and beside a running stream; what is not stays.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use bintrail_testkit::client::Client;
use bintrail_testkit::server::Server;
use bintrail_testkit::workload::Rng;

use crate::support::{Scratch, Stream, ask, index_server, run, source, until};

const HOUR: u64 = 3_600_000_000;
const DAY: u64 = 24 * HOUR;

fn now() -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros();
    u64::try_from(now).unwrap()
}

/// Runs a statement that is committed so long ago.
fn ago(client: &mut Client, micros: u64, sql: &str) {
    // It holds for one transaction.
    let time = now() - micros;
    client
        .run(&format!("SET SESSION original_commit_timestamp = {time}"))
        .unwrap();
    client.run(sql).unwrap();
}

/// Ended when dropped, so that a test that fails leaves nothing behind.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The keys of all that the view shows.
fn shown(stream: &Stream) -> BTreeSet<String> {
    ask(stream, "SELECT pk_values FROM binlog_events")
        .into_iter()
        .collect()
}

fn number(stream: &Stream, sql: &str) -> u64 {
    ask(stream, sql)[0].parse().unwrap_or(0)
}

/// Readers see whole transactions only, at any time.
fn whole(stream: &Stream) {
    let sums = "SELECT (SELECT COUNT(*) FROM binlog_events)
        - (SELECT COALESCE(SUM(row_count), 0) FROM transactions
           WHERE xa_state IS NULL AND transaction_id < (SELECT next_change_id FROM stream_state))";
    assert_eq!(ask(stream, sums), ["0"], "{}", stream.name);
}

/// Nothing is there that belongs to nothing. The stream stands still.
fn tidy(stream: &Stream) {
    for (what, sql) in [
        (
            "rows",
            "SELECT COUNT(*) FROM row_changes AS r WHERE NOT EXISTS (SELECT 1 FROM transactions AS t \
                  WHERE t.transaction_id = r.transaction_id)",
        ),
        (
            "keys",
            "SELECT COUNT(*) FROM key_changes AS k WHERE NOT EXISTS (SELECT 1 FROM row_changes AS r \
                  WHERE r.change_id = k.change_id)",
        ),
        (
            "places",
            "SELECT COUNT(*) FROM places WHERE block < (SELECT MIN(transaction_id) FROM transactions) / 4096 - 1",
        ),
        (
            "removed",
            "SELECT COUNT(*) FROM transactions WHERE xa_state IS NOT NULL",
        ),
    ] {
        assert_eq!(ask(stream, sql), ["0"], "{}: {what}", stream.name);
    }
}

/// Transactions of many ages, a huge one among them; returns the keys that are younger than a week. Some updates give
/// rows another key.
fn fill(source: &Server) -> BTreeSet<String> {
    let mut client = source.client().unwrap();
    run(
        source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(200))",
            "CREATE PROCEDURE d.many()
             BEGIN
               DECLARE id INT DEFAULT 500000;
               WHILE id < 502500 DO
                 INSERT INTO d.t VALUES (id, 'x');
                 SET id = id + 1;
               END WHILE;
             END",
        ],
    );
    let mut young = BTreeSet::new();
    let mut id = 0;
    for age in [
        30 * DAY,
        9 * DAY,
        8 * DAY,
        7 * DAY + 2 * HOUR,
        7 * DAY - 2 * HOUR,
        DAY,
        HOUR,
        0,
    ] {
        let rows = if age == 9 * DAY { 7_000 } else { 40 };
        let values: Vec<String> = (id..id + rows)
            .map(|id| format!("({id}, REPEAT('x', 150))"))
            .collect();
        let insert = format!("INSERT INTO d.t VALUES {}", values.join(", "));
        ago(&mut client, age, &insert);
        for moved in id..id + 10 {
            let update = format!("UPDATE d.t SET id = {moved} + 1000000 WHERE id = {moved}");
            ago(&mut client, age, &update);
        }
        if age < 7 * DAY {
            young.extend((id..id + rows).map(|id| id.to_string()));
        }
        id += rows;
    }
    // A clock that was put back: old ones behind more young ones than a step looks at.
    run(source, &["CALL d.many()"]);
    young.extend((500_000..502_500).map(|id| id.to_string()));
    ago(
        &mut client,
        8 * DAY,
        "INSERT INTO d.t VALUES (600000, 'x'), (600001, 'x')",
    );
    young
}

#[test]
fn what_is_old_goes_and_what_is_young_stays() {
    let scratch = Scratch::new();
    let source = source(&["--binlog-row-metadata=FULL"]);
    let keeper = index_server(&["--local-infile=ON"]);
    let mut streams = [
        Stream::new(
            "rotate_sqlite",
            &source,
            None,
            &scratch,
            &["--server-id", "4301", "--start-file", "mysql-bin.000001"],
        ),
        Stream::new(
            "rotate_mysql",
            &source,
            Some(&keeper),
            &scratch,
            &["--server-id", "4302", "--start-file", "mysql-bin.000001"],
        ),
    ];
    let young = fill(&source);
    let mut rng = Rng::new(3);
    for stream in &mut streams {
        stream.start();
        stream.catch_up(&source);
        let all = shown(stream).len();
        // Killed again and again, and beside the stream, which writes meanwhile.
        for round in 0..12 {
            let mut child = stream
                .command(&["rotate", "--retain", "7d"])
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            sleep(Duration::from_millis(rng.below(120)));
            child.kill().ok();
            child.wait().unwrap();
            whole(stream);
            let id = 2_000_000 + round;
            run(
                &source,
                &[&format!(
                    "INSERT INTO d.t VALUES ({id}, 'y') ON DUPLICATE KEY UPDATE v = CONCAT(v, 'z')"
                )],
            );
        }
        stream.output(&["rotate", "--retain", "7d"]);
        stream.catch_up(&source);
        let shown: BTreeSet<String> = shown(stream)
            .into_iter()
            .filter(|key| key.len() < 7)
            .collect();
        assert_eq!(shown, young, "{} of {all}", stream.name);
        // What was removed is said; what is asked of the time since then is complete.
        let status = stream.output(&["status"]);
        assert!(status.contains("Removed"), "{status}");
        for (since, told) in [("30d", true), ("2d", false)] {
            let output = stream
                .command(&["query", "--since", since, "--limit", "1"])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr).contains("was removed");
            assert_eq!(said, told, "{since}");
        }
        stream.terminate();
        tidy(stream);
        whole(stream);
    }

    // In SQLite, what is free is used again.
    let [sqlite, mysql] = &mut streams;
    let free = number(sqlite, "PRAGMA freelist_count");
    assert!(free > 200, "{free} pages are free");
    let pages = number(sqlite, "PRAGMA page_count");
    sqlite.start();
    let values: Vec<String> = (0..1_000)
        .map(|id| format!("({}, REPEAT('x', 150))", 3_000_000 + id))
        .collect();
    run(
        &source,
        &[&format!("INSERT INTO d.t VALUES {}", values.join(", "))],
    );
    sqlite.catch_up(&source);
    sqlite.terminate();
    assert!(number(sqlite, "PRAGMA freelist_count") < free);
    assert_eq!(number(sqlite, "PRAGMA page_count"), pages);

    // On MySQL, partitions are gone behind, and there ahead.
    let ends = "SELECT COUNT(*) FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = DATABASE()
        AND TABLE_NAME = 'row_changes' AND PARTITION_DESCRIPTION <> 'MAXVALUE'
        AND TRIM(BOTH '''' FROM PARTITION_DESCRIPTION) ";
    assert_eq!(
        number(
            mysql,
            &format!("{ends} <= UTC_TIMESTAMP() - INTERVAL 7 DAY - INTERVAL 1 HOUR")
        ),
        0
    );
    assert_eq!(number(mysql, &format!("{ends} > UTC_TIMESTAMP()")), 49);
    assert_eq!(
        number(mysql, "SELECT COUNT(*) FROM row_changes PARTITION (later)"),
        0
    );
    // The stream makes them too, when it writes.
    mysql.start();
    mysql.catch_up(&source);
    mysql.terminate();
    tidy(mysql);
}

#[test]
fn what_a_running_backfill_brings_stays_until_it_has_ended() {
    let scratch = Scratch::new();
    let source = source(&["--binlog-row-metadata=FULL"]);
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200))",
        ],
    );
    let mut client = source.client().unwrap();
    let values = vec!["(NULL, REPEAT('x', 150))"; 2_000].join(", ");
    for _ in 0..25 {
        ago(
            &mut client,
            20 * DAY,
            &format!("INSERT INTO d.t VALUES {values}"),
        );
    }
    let mut stream = Stream::new("backfill", &source, None, &scratch, &[]);
    let mut command = stream.command(&["index", "--all", "--binlog-dir"]);
    command.arg(&source.datadir).stderr(Stdio::null());
    let mut child = Running(command.spawn().unwrap());
    let signal = |name: &str, id: u32| {
        let sent = Command::new("kill").args([name, &id.to_string()]).status();
        assert!(sent.unwrap().success());
    };
    let rows = "SELECT COUNT(*) FROM row_changes";
    until(|| {
        let state = stream
            .index
            .open()
            .and_then(|mut index| index.query("SELECT events_indexed FROM index_state"));
        let begun = state.is_ok_and(|rows| rows.iter().any(|row| row[0].as_deref() != Some("0")));
        begun.then_some(())
    });
    signal("-STOP", child.0.id());
    let before = number(&stream, rows);
    let output = stream
        .command(&["rotate", "--retain", "7d"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nothing is removed while"), "{said}");
    assert_eq!(number(&stream, rows), before);
    // Killed, it hinders nobody for ever: whoever takes the source next knows that it is gone.
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    assert_eq!(
        ask(
            &stream,
            "SELECT status FROM index_state WHERE status <> 'indexed'"
        ),
        ["indexing"]
    );
    stream.start();
    stream.says("streaming", 1);
    let states = "SELECT COUNT(*) FROM index_state WHERE status = 'indexing'";
    until(|| (number(&stream, states) == 0).then_some(()));
    stream.output(&["rotate", "--retain", "1000d"]);
    stream.catch_up(&source);
    stream.terminate();
    let indexed = |stream: &Stream| {
        let mut command = stream.command(&["index", "--all", "--binlog-dir"]);
        assert!(command.arg(&source.datadir).status().unwrap().success());
        number(stream, rows)
    };
    assert_eq!(indexed(&stream), 50_000);

    // As a service, it begins at once, and ends when it is told to.
    let mut command = stream.command(&["rotate", "--retain", "7d", "--daemon"]);
    let mut service = Running(command.stderr(Stdio::null()).spawn().unwrap());
    until(|| (number(&stream, rows) == 0).then_some(()));
    signal("-TERM", service.0.id());
    assert!(service.0.wait().unwrap().success());
    tidy(&stream);
    let (code, said) = {
        let output = stream
            .command(&["rotate", "--retain", "30m"])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert_eq!(code, Some(2), "{said}");
}
