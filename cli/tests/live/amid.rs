//! `bintrail recover` of what one session did, or what was done in one stretch of time, in the middle of other work on the same
//! tables: nothing else is touched, and what was changed since is told.

use std::thread::sleep;
use std::time::Duration;

use bintrail_testkit::client::Client;
use bintrail_testkit::workload::Rng;

use crate::recover::{assert_runs, run};
use crate::stream::seed;
use crate::support::{Scratch, Stream, setting, source_of};

/// Rows of the table that are each session's own: those whose key leaves this rest.
const SESSIONS: u64 = 3;

fn rows(client: &mut Client, rest: Option<u64>) -> Vec<String> {
    let of = rest.map_or("1".to_owned(), |rest| format!("id % {SESSIONS} = {rest}"));
    let sql = format!("SELECT CONCAT_WS(' ', id, a, HEX(b)) FROM m.t WHERE {of} ORDER BY id");
    client.strings(&sql).unwrap().concat()
}

/// Random statements of some sessions, in turns, each within its own rows.
fn work(clients: &mut [Client], rng: &mut Rng, rests: &[u64], statements: u64) {
    for _ in 0..statements {
        let rest = rng.pick(rests);
        let client = &mut clients[usize::try_from(rest).unwrap()];
        let id = rng.below(40) * SESSIONS + rest;
        let sql = match rng.below(4) {
            0 | 1 => format!(
                "INSERT INTO m.t VALUES ({id}, {}, UNHEX(SHA2('{}', 256))) ON DUPLICATE KEY UPDATE a = a + 1",
                rng.below(1000),
                rng.below(9)
            ),
            // None but its own are locked, whatever the server does with rows that it passes over.
            2 => format!(
                "UPDATE m.t FORCE INDEX (PRIMARY) SET a = a + 1, b = REVERSE(b) WHERE id IN ({id}, {}, {})",
                id + SESSIONS,
                id + 2 * SESSIONS
            ),
            _ => format!("DELETE FROM m.t WHERE id = {id}"),
        };
        client.run(&sql).unwrap();
        if rng.chance(40) {
            client.run("COMMIT").unwrap();
            client.run("BEGIN").unwrap();
        }
    }
    for client in clients {
        client.run("COMMIT").unwrap();
        client.run("BEGIN").unwrap();
    }
}

fn amid(kind: &'static str) {
    let mut rng = Rng::new(seed());
    let scratch = Scratch::new();
    let server = source_of(kind, &[]);
    let file = server.position().unwrap().0;
    let start = ["--start-file", &file];
    let mut stream = Stream::new("amid", &server, None, &scratch, &start);
    stream.start();
    let mut root = server.client().unwrap();
    root.run("CREATE DATABASE m").unwrap();
    root.run("CREATE TABLE m.t (id INT UNSIGNED PRIMARY KEY, a INT, b VARBINARY(40))")
        .unwrap();
    let mut clients: Vec<Client> = (0..SESSIONS).map(|_| server.client().unwrap()).collect();
    for client in &mut clients {
        client
            .run("SET innodb_lock_wait_timeout = 5, tx_isolation = 'READ-COMMITTED'")
            .or_else(|_| {
                client.run(
                    "SET innodb_lock_wait_timeout = 5, transaction_isolation = 'READ-COMMITTED'",
                )
            })
            .unwrap();
        client.run("BEGIN").unwrap();
    }
    let statements = setting("BINTRAIL_TEST_ROUNDS", 400);
    let moment = |root: &mut Client| {
        sleep(Duration::from_millis(1100));
        let now = root.string("SELECT CAST(NOW(6) AS CHAR)").unwrap();
        sleep(Duration::from_millis(1100));
        now
    };
    work(&mut clients, &mut rng, &[0, 1, 2], statements);
    let (first, since) = (rows(&mut root, None), moment(&mut root));
    let first_of_one = rows(&mut root, Some(1));
    work(&mut clients, &mut rng, &[0, 1, 2], statements);
    stream.catch_up(&server);

    let path = scratch.0.join("undo.sql");
    let write = |stream: &Stream, what: &[&str]| {
        std::fs::remove_file(&path).ok();
        let file = ["--output", path.to_str().unwrap()];
        stream.output(&[&["recover"], what, &file].concat());
    };
    // One session. Before 11.5 MariaDB does not tell who made a transaction.
    if kind != "mariadb" {
        let others = [rows(&mut root, Some(0)), rows(&mut root, Some(2))];
        let id = clients[1].string("SELECT CONNECTION_ID()").unwrap();
        write(&stream, &["--connection-id", &id, "--since", &since]);
        assert_runs(&server, &path);
        assert_eq!(rows(&mut root, Some(1)), first_of_one);
        assert_eq!([rows(&mut root, Some(0)), rows(&mut root, Some(2))], others);
    }

    // A stretch of time, with work of others behind it on other rows of the table.
    let (before, from) = (rows(&mut root, None), moment(&mut root));
    let before_of = [0, 1, 2].map(|rest| rows(&mut root, Some(rest)));
    work(&mut clients, &mut rng, &[0, 1], statements);
    let until = moment(&mut root);
    work(&mut clients, &mut rng, &[2], statements);
    stream.catch_up(&server);
    let later = rows(&mut root, Some(2));
    write(
        &stream,
        &["--schema", "m", "--since", &from, "--until", &until],
    );
    assert_runs(&server, &path);
    assert_ne!(rows(&mut root, None), before);
    let got = [0, 1, 2].map(|rest| rows(&mut root, Some(rest)));
    assert_eq!(got, [before_of[0].clone(), before_of[1].clone(), later]);
    assert_ne!(before, first);

    // Two rows, of which somebody changes one: by default nothing is done, or all but that.
    root.run("REPLACE INTO m.t VALUES (1000, 1, 'x'), (1001, 1, 'x')")
        .unwrap();
    let from = moment(&mut root);
    root.run("UPDATE m.t SET a = 2 WHERE id >= 1000").unwrap();
    let until = moment(&mut root);
    root.run("UPDATE m.t SET b = 'X' WHERE id = 1001").unwrap();
    stream.catch_up(&server);
    let now = rows(&mut root, None);
    let range = ["--table", "t", "--since", &from, "--until", &until];
    write(&stream, &range);
    let output = run(&server, &path);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && error.contains("not as it should be"),
        "{error}"
    );
    assert_eq!(rows(&mut root, None), now);
    write(&stream, &[&range[..], &["--on-conflict", "skip"]].concat());
    let output = run(&server, &path);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && told.lines().count() == 1,
        "{told}"
    );
    let mut expected = now;
    for row in &mut expected {
        if row.starts_with("1000 ") {
            *row = "1000 1 78".to_owned();
        }
    }
    assert_eq!(rows(&mut root, None), expected);
    stream.terminate();
}

#[test]
fn a_session_and_a_stretch_of_time_are_undone_amid_other_work_on_mysql() {
    amid("mysql97");
}

#[test]
fn a_stretch_of_time_is_undone_amid_other_work_on_mariadb() {
    amid("mariadb");
}

#[test]
fn a_session_and_a_stretch_of_time_are_undone_amid_other_work_on_mariadb_11() {
    amid("mariadb11");
}
