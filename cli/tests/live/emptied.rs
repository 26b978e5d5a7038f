//! `bintrail recover` of tables that TRUNCATE and DROP emptied, whose rows no event tells.

use std::thread::sleep;
use std::time::Duration;

use bintrail_testkit::client::Client;
use bintrail_testkit::server::Server;

use crate::both::Both;
use crate::recover::assert_runs;
use crate::support::{Scratch, run, source_dsn, source_of};

const ORDERS: &str = "SELECT CONCAT_WS(' ', id, status, HEX(code)) FROM shop.orders ORDER BY id";
const LOG: &str = "SELECT line FROM shop.log ORDER BY line";

fn rows(client: &mut Client, sql: &str) -> Vec<String> {
    client.strings(sql).unwrap().concat()
}

/// A moment between all that was and all that will be.
pub(crate) fn moment(server: &Server) -> String {
    // MariaDB's commit times are whole seconds.
    sleep(Duration::from_millis(1100));
    let now = server
        .client()
        .unwrap()
        .string("SELECT CAST(NOW(6) AS CHAR)")
        .unwrap();
    sleep(Duration::from_millis(1100));
    now
}

fn emptied(kind: &'static str) {
    let scratch = Scratch::new();
    let server = source_of(kind, &[]);
    run(
        &server,
        &[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.old (id INT PRIMARY KEY, a INT)",
            "INSERT INTO shop.old VALUES (1, 1), (2, 2), (3, 3)",
        ],
    );
    let streams = Both::start("emptied", &server, &scratch);
    run(
        &server,
        &[
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, status VARCHAR(20), code BINARY(2))",
            "INSERT INTO shop.orders VALUES (1, 'long ago', X'0001')",
            "TRUNCATE shop.orders",
            "INSERT INTO shop.orders VALUES (1, 'new', X'0001'), (2, 'new', X'FF00'), (3, 'new', NULL), (4, 'new', ''), (5, 'new', '')",
            "UPDATE shop.orders SET status = 'paid' WHERE id < 3",
            "UPDATE shop.orders SET id = 10 WHERE id = 3",
            // A key that none has any more.
            "UPDATE shop.orders SET id = 11 WHERE id = 5",
            "DELETE FROM shop.orders WHERE id = 4",
            "INSERT INTO shop.orders VALUES (3, 'again', '')",
            "CREATE TABLE shop.log (line TEXT)",
            "INSERT INTO shop.log VALUES ('x'), ('x'), ('y'), ('z')",
            "DELETE FROM shop.log WHERE line = 'x' LIMIT 1",
            "UPDATE shop.log SET line = 'x' WHERE line = 'y'",
            "UPDATE shop.old SET a = 20 WHERE id = 2",
        ],
    );
    streams.catch_up(&server);
    let mut client = server.client().unwrap();
    let (orders, log) = (rows(&mut client, ORDERS), rows(&mut client, LOG));
    assert_eq!(log, ["x", "x", "z"]);
    let since = moment(&server);
    run(
        &server,
        &[
            "UPDATE shop.orders SET status = 'lost' WHERE id = 2",
            "TRUNCATE TABLE shop.orders",
            "INSERT INTO shop.orders VALUES (7, 'later', NULL), (1, 'later', NULL)",
            "DELETE FROM shop.orders WHERE id = 1",
            "DROP TABLE shop.log",
            "TRUNCATE TABLE shop.old",
        ],
    );
    streams.catch_up(&server);
    let (now, until) = (rows(&mut client, ORDERS), moment(&server));
    let undo = |table: &str, more: &[&str]| {
        let path = scratch.0.join(format!("{table}.sql"));
        let range = ["--table", table, "--since", &since, "--until", &until];
        let told = streams.write(&server, &path, &[&range[..], more].concat());
        assert_runs(&server, &path);
        told
    };
    let told = undo("orders", &[]);
    assert_eq!(rows(&mut client, ORDERS), orders);
    assert!(told.contains("shop.orders: TRUNCATE at "), "{told}");
    assert!(told.contains(": 5 rows from the history\n"), "{told}");
    undo("orders", &["--redo"]);
    assert_eq!(rows(&mut client, ORDERS), now);
    // One row alone.
    undo("orders", &["--pk", "10"]);
    let one = rows(&mut client, "SELECT id FROM shop.orders WHERE id <> 7");
    assert_eq!(one, ["10"]);

    // A table that is gone has to be there first.
    let target = source_dsn(&server);
    let refused = streams
        .on_mysql()
        .command(&[
            "recover",
            "--table",
            "log",
            "--since",
            &since,
            "--dry-run",
            "--target-dsn",
            &target,
        ])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(41));
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        error.contains("the target has no table shop.log"),
        "{error}"
    );
    run(&server, &["CREATE TABLE shop.log (line TEXT)"]);
    let told = undo("log", &[]);
    assert!(told.contains("shop.log: DROP TABLE at "), "{told}");
    assert_eq!(rows(&mut client, LOG), log);

    // What the index never saw.
    let told = undo("old", &[]);
    let missing = "1 row from the history; rows that did not change while the index was kept are not among them";
    assert!(told.contains(missing), "{told}");
    let old = rows(&mut client, "SELECT CONCAT(id, ' ', a) FROM shop.old");
    assert_eq!(old, ["2 20"]);
    streams.terminate();
}

#[test]
fn truncated_and_dropped_tables_come_back_on_mysql() {
    emptied("mysql97");
}

#[test]
fn truncated_and_dropped_tables_come_back_on_mariadb() {
    emptied("mariadb");
}
