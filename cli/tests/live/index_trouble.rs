//! An index that somebody has to mend: a stream that is under way waits, and goes on when that is done; one that starts
//! says so and ends.

use std::process::Command;

use bintrail_testkit::server::Server;

use crate::disk::{Disk, in_a_namespace};
use crate::support::{PASSWORD, Scratch, Stream, index_server, run, source};

/// Ends all connections of an account.
pub(crate) fn end_sessions(server: &Server, user: &str) {
    let mut client = server.client().unwrap();
    for row in client.strings("SHOW PROCESSLIST").unwrap() {
        if row[1] == user {
            // It may have ended by itself.
            client.run(&format!("KILL {}", row[0])).ok();
        }
    }
}

pub(crate) fn last_error(stream: &Stream) -> String {
    let status = stream.output(&["status"]);
    let line = status.lines().find(|line| line.starts_with("Last error"));
    line.unwrap()
        .split_once("error")
        .unwrap()
        .1
        .trim()
        .to_owned()
}

/// What is done to the index, and what undoes it; whether its connections end; what the log says of it; and the code
/// that a stream which starts meanwhile ends with.
struct Trouble {
    take: &'static str,
    give: String,
    kill: bool,
    says: &'static str,
    code: i32,
}

fn troubles() -> [Trouble; 6] {
    [
        Trouble {
            take: "SET GLOBAL read_only = ON",
            give: "SET GLOBAL read_only = OFF".to_owned(),
            kill: false,
            says: "takes no writes: clear its read_only",
            code: 26,
        },
        Trouble {
            take: "SET GLOBAL super_read_only = ON",
            give: "SET GLOBAL super_read_only = OFF, GLOBAL read_only = OFF".to_owned(),
            kill: true,
            says: "takes no writes: clear its read_only",
            code: 26,
        },
        Trouble {
            take: "REVOKE INSERT ON kept.* FROM keeper",
            give: "GRANT INSERT ON kept.* TO keeper".to_owned(),
            kill: true,
            says: "refuses the user: GRANT SELECT",
            code: 21,
        },
        Trouble {
            take: "REVOKE ALL PRIVILEGES ON kept.* FROM keeper",
            give: format!("GRANT {PRIVILEGES} ON kept.* TO keeper"),
            kill: true,
            says: "refuses the user: GRANT SELECT",
            code: 21,
        },
        Trouble {
            take: "ALTER USER keeper ACCOUNT LOCK",
            give: "ALTER USER keeper ACCOUNT UNLOCK".to_owned(),
            kill: true,
            says: "whose account is locked: ALTER USER",
            code: 21,
        },
        Trouble {
            take: "ALTER USER keeper PASSWORD EXPIRE",
            give: format!("ALTER USER keeper IDENTIFIED BY '{PASSWORD}'"),
            kill: true,
            says: "before its expired password is renewed: ALTER USER",
            code: 21,
        },
    ]
}

/// What the error for one that is missing names.
const PRIVILEGES: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, CREATE VIEW, ALTER, DROP";

const TABLE: [&str; 2] = [
    "CREATE DATABASE d",
    "CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, x INT, pad TEXT)",
];

const ROW: &str = "INSERT INTO d.t (x) VALUES (1)";

#[test]
fn an_index_that_takes_no_writes_for_a_while_is_waited_for() {
    let source = source(&[]);
    let keeper = index_server(&[]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    let start = ["--start-file", "mysql-bin.000001"];
    let mut stream = Stream::new("kept", &source, Some(&keeper), &scratch, &start);
    run(
        &keeper,
        &[
            "REVOKE ALL PRIVILEGES, GRANT OPTION FROM keeper",
            &format!("GRANT {PRIVILEGES} ON kept.* TO keeper"),
        ],
    );
    let mut rows = 0;
    for trouble in troubles() {
        stream.start();
        run(&source, &[ROW]);
        stream.catch_up(&source);
        run(&keeper, &[trouble.take]);
        if trouble.kill {
            end_sessions(&keeper, "keeper");
        }
        run(&source, &[ROW]);
        // The first and the second failure, at least.
        stream.says(trouble.says, 2);
        run(&keeper, &[&trouble.give]);
        run(&source, &[ROW]);
        stream.catch_up(&source);
        rows += 3;
        assert_eq!(stream.equals(&source), rows);
        assert_eq!(last_error(&stream), "none", "{}", trouble.take);

        // Nobody has to be waited for by one that starts.
        stream.terminate();
        run(&keeper, &[trouble.take]);
        stream.start();
        let (code, last) = stream.end();
        assert_eq!(code, Some(trouble.code), "{}: {last}", trouble.take);
        assert!(last.contains(trouble.says), "{last}");
        run(&keeper, &[&trouble.give]);
    }

    // What it waits for is in the index where that is still possible; and it does not wait for ever.
    let mut stream = stream.with(&["--write-timeout", "20"]);
    stream.start();
    run(&source, &[ROW]);
    stream.catch_up(&source);
    // A session keeps the privileges that it began with.
    run(&keeper, &["REVOKE INSERT ON kept.* FROM keeper"]);
    end_sessions(&keeper, "keeper");
    run(&source, &[ROW]);
    stream.says("refuses the user", 1);
    let noted = crate::support::until(|| Some(last_error(&stream)).filter(|error| error != "none"));
    assert!(noted.contains("INSERT command denied"), "{noted}");
    let (code, last) = stream.end();
    assert_eq!(code, Some(29), "{last}");
    assert!(
        last.contains("nothing was written for 20s (--write-timeout)")
            && last.contains("INSERT command denied"),
        "{last}"
    );
    run(&keeper, &["GRANT INSERT ON kept.* TO keeper"]);
    stream.start();
    stream.catch_up(&source);
    stream.terminate();
    assert_eq!(stream.equals(&source), rows + 2);
}

/// Another session of the index server is in the stream's way: what the server ends for it is written again.
#[test]
fn locks_of_others_in_the_index_are_outlasted() {
    let source = source(&[]);
    // Settings that are no matter of the index's.
    let keeper = index_server(&["--innodb-default-row-format=COMPACT", "--max-join-size=100"]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    let start = ["--start-file", "mysql-bin.000001"];
    let mut stream = Stream::new("kept", &source, Some(&keeper), &scratch, &start);
    stream.start();
    run(&source, &[ROW]);
    stream.catch_up(&source);

    let mut other = keeper.client().unwrap();
    // Rows come before their transactions; checkpoints alone go on.
    let hold = "SELECT * FROM kept.transactions FOR UPDATE";
    other.run("START TRANSACTION").unwrap();
    other.query(hold).unwrap();
    run(&source, &[ROW]);
    stream.says("Lock wait timeout exceeded", 1);
    other.run("ROLLBACK").unwrap();
    stream.catch_up(&source);

    // Of two that wait for each other, the server ends the one that has changed less.
    for sql in [
        "CREATE DATABASE elsewhere",
        "CREATE TABLE elsewhere.much WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 900) SELECT n FROM s",
    ] {
        other.run(sql).unwrap();
    }
    let mut watch = keeper.client().unwrap();
    for deadlocks in 1..=2 {
        run(&source, &[ROW]);
        stream.catch_up(&source);
        other.run("START TRANSACTION").unwrap();
        other.run("UPDATE elsewhere.much SET n = n + 1").unwrap();
        other.query(hold).unwrap();
        run(&source, &[ROW]);
        crate::support::until(|| {
            let waits =
                "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'
                         AND trx_rows_modified > 0";
            (watch.string(waits).unwrap() == "1").then_some(())
        });
        other
            .query("SELECT * FROM kept.row_changes FOR UPDATE")
            .unwrap();
        stream.says("Deadlock found", deadlocks);
        other.run("ROLLBACK").unwrap();
        stream.catch_up(&source);
    }
    assert_eq!(last_error(&stream), "none");
    stream.terminate();
    assert_eq!(stream.equals(&source), 6);
}

#[test]
fn an_index_without_room_is_waited_for() {
    in_a_namespace("index_trouble::a_full_disk_under_an_sqlite_index");
    in_a_namespace("index_trouble::a_full_disk_under_an_index_server");
}

/// Rows of 2 kB.
fn bulk(source: &Server, rows: u32) {
    run(
        source,
        &[&format!(
            "INSERT INTO d.t (x, pad) WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) \
             SELECT n, REPEAT('x', 2000) FROM s"
        )],
    );
}

/// A stream whose index has no room for what comes, has some again, and at last none with a limit to its patience.
/// MySQL may crash for want of room while it rolls back what found none: then `keeper` has to be started again.
fn fill_and_empty(
    mut stream: Stream,
    source: &Server,
    disk: &Disk,
    keeper: Option<&Server>,
    says: &str,
) {
    let empty = || {
        disk.empty();
        // An error says that it runs.
        keeper.map(Server::restart).transpose().ok();
    };
    let mut rows = 0;
    stream.start();
    run(source, &[ROW]);
    stream.catch_up(source);
    for _ in 0..2 {
        disk.fill(128 << 10);
        for _ in 0..4 {
            bulk(source, 1_000);
        }
        stream.says(says, if keeper.is_some() { 1 } else { 2 });
        empty();
        run(source, &[ROW]);
        stream.catch_up(source);
        rows += 4_001;
        assert_eq!(stream.equals(source), rows + 1);
        assert_eq!(last_error(&stream), "none");
    }
    stream.terminate();
    let mut stream = stream.with(&["--write-timeout", "5"]);
    stream.start();
    run(source, &[ROW]);
    stream.catch_up(source);
    disk.fill(128 << 10);
    for _ in 0..4 {
        bulk(source, 1_000);
    }
    let (code, last) = stream.end();
    assert_eq!(code, Some(29), "{last}");
    assert!(last.contains("(--write-timeout)"), "{last}");
    assert!(keeper.is_some() || last.contains("room"), "{last}");
    empty();
    stream.start();
    stream.catch_up(source);
    stream.terminate();
    assert_eq!(stream.equals(source), rows + 4_002);
}

#[test]
#[ignore = "an_index_without_room_is_waited_for runs it where disks can be mounted"]
fn a_full_disk_under_an_sqlite_index() {
    let source = source(&[]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    let start = ["--start-file", "mysql-bin.000001"];
    let stream = Stream::new("full", &source, None, &scratch, &start);
    // The log stays where there is room.
    let (small, index) = (scratch.0.join("disk"), scratch.0.join("full/index.db"));
    std::fs::create_dir(&small).unwrap();
    let disk = Disk::mount(&small, "64m");
    std::os::unix::fs::symlink(small.join("index.db"), index).unwrap();
    // It was small before it was full.
    let there = format!("sqlite:{}", small.join("index.db").display());
    let doctor = stream.command(&["doctor", "--index-dsn", &there]).output();
    let doctor = String::from_utf8(doctor.unwrap().stdout).unwrap();
    let warned = |line: &str| line.trim_start().starts_with("warning  disk ");
    assert!(doctor.lines().any(warned), "{doctor}");
    fill_and_empty(
        stream,
        &source,
        &disk,
        None,
        "there is no room for the index",
    );
}

#[test]
#[ignore = "an_index_without_room_is_waited_for runs it where disks can be mounted"]
fn a_full_disk_under_an_index_server() {
    let source = source(&[]);
    let keeper = index_server(&["--innodb-redo-log-capacity=8M", "--local-infile=ON"]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    // Its data moves to the small disk.
    keeper.stop().unwrap();
    let (data, aside) = (&keeper.datadir, keeper.datadir.with_file_name("aside"));
    std::fs::rename(data, &aside).unwrap();
    std::fs::create_dir(data).unwrap();
    let disk = Disk::mount(data, "400m");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(aside.join("."))
        .arg(data)
        .status()
        .unwrap();
    assert!(copied.success());
    keeper.restart().unwrap();
    let start = ["--start-file", "mysql-bin.000001"];
    let stream = Stream::new("full", &source, Some(&keeper), &scratch, &start);
    fill_and_empty(stream, &source, &disk, Some(&keeper), "has no room");
    keeper.stop().unwrap();
    drop(disk);
}
