//! Rows that changed without a row in the binlog, or before the stream began: each time is counted, and no other.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use bintrail_testkit::client::Client;
use bintrail_testkit::server::Server;

use crate::support::{BINTRAIL, Scratch, Stream, ask, index_server, run, source_of, until};

/// How often something was counted.
fn counted(stream: &Stream, reason: &str) -> u64 {
    let counted = format!(
        "SELECT coalesce(json_extract(capture_skips, '$.{reason}.count'), 0) FROM stream_state"
    );
    ask(stream, &counted)[0].parse().unwrap()
}

/// The rows of the schema `d`, table by table, as the server has them.
fn rows(client: &mut Client) -> BTreeMap<String, Vec<Vec<String>>> {
    let tables = client
        .strings("SELECT table_name FROM information_schema.tables WHERE table_schema = 'd'")
        .unwrap();
    let mut rows = BTreeMap::new();
    for table in tables.into_iter().flatten() {
        let all = client
            .strings(&format!("SELECT * FROM d.{table} ORDER BY 1"))
            .unwrap();
        if !all.is_empty() {
            rows.insert(table, all);
        }
    }
    rows
}

/// Runs each of `cases` in a session that logs statements: it is counted if the server's tables are others by then. Of
/// `others`, which leave them as they are, some may be counted.
fn statements(kind: &str, cases: &[&[&str]], others: &[&[&str]]) {
    let server = source_of(kind, &["--log-bin-trust-function-creators=ON"]);
    let scratch = Scratch::new();
    run(
        &server,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.u (a INT PRIMARY KEY, b INT)",
            "CREATE TABLE mysql.own (a INT PRIMARY KEY)",
            "INSERT INTO d.u VALUES (1, 1), (2, 2), (3, 3)",
            "INSERT INTO mysql.own VALUES (1)",
            "CREATE FUNCTION d.f(n INT) RETURNS INT DETERMINISTIC BEGIN INSERT INTO d.u VALUES (n, n); RETURN n; END",
        ],
    );
    let mut stream = Stream::new(kind, &server, None, &scratch, &["--start-gtid", ""]);
    stream.start();
    stream.catch_up(&server);
    let mut witness = server.client().unwrap();
    let own = |client: &mut Client| client.strings("SELECT a FROM mysql.own").unwrap();
    let mut before = (rows(&mut witness), own(&mut witness));
    let (mut total, mut changes) = (0, 0);
    for (at, case) in cases.iter().chain(others).enumerate() {
        let mut client = server.client().unwrap();
        client.run("SET SESSION binlog_format = STATEMENT").unwrap();
        for sql in *case {
            client
                .run(sql)
                .unwrap_or_else(|error| panic!("{kind}: {sql}: {error}"));
        }
        stream.catch_up(&server);
        let after = (rows(&mut witness), own(&mut witness));
        let now = counted(&stream, "statement_dml");
        if at < cases.len() {
            let missed = u64::from(before.0 != after.0);
            assert_eq!(now - total, missed, "{kind}: {case:?}");
        } else {
            assert_eq!(before.0, after.0, "{kind}: {case:?}");
        }
        changes += u64::from(before != after);
        (before, total) = (after, now);
    }
    stream.terminate();
    let decoded = Command::new(BINTRAIL)
        .arg("decode")
        .args(server.binlog_files().unwrap())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&decoded.stderr);
    assert_eq!(decoded.status.code(), Some(30), "{kind}: {told}");
    // It prints the server's own tables as well.
    let all = format!("row changes of {changes} events are left out");
    assert!(told.contains(&all), "{kind}: {changes}: {told}");
}

/// Those that all servers know.
const COMMON: [&[&str]; 8] = [
    &["USE d", "INSERT INTO u VALUES (10, 10)"],
    &["USE mysql", "INSERT INTO d.u VALUES (11, 11)"],
    &["USE mysql", "UPDATE d.u, own SET u.b = 7 WHERE u.a = own.a"],
    &["USE mysql", "DO d.f(12)"],
    &["USE d", "CREATE TABLE c1 SELECT * FROM u"],
    &[
        "USE d",
        "CREATE TABLE c2 (a INT) PARTITION BY LIST (a) (PARTITION p VALUES IN (1))",
    ],
    &[
        "USE d",
        "CREATE TABLE c3 (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (1))",
    ],
    &[
        "USE d",
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
        r"CREATE TABLE c4 (c INT COMMENT 'x\') SELECT 1 AS c, 'y' AS e",
    ],
];

#[test]
fn statements_that_mysql_logs() {
    let own: [&[&str]; 9] = [
        &["USE mysql", "INSERT INTO own VALUES (2)"],
        &["USE sys", "DELETE FROM d.u WHERE a = 3"],
        &["USE d", "CREATE TABLE v1 AS TABLE u"],
        &["USE d", "CREATE TABLE v2 TABLE u"],
        &["USE d", "CREATE TABLE v3 AS VALUES ROW(7, 8)"],
        &["USE d", "CREATE TABLE v4 (a INT) VALUES ROW(7, 8)"],
        &["USE d", "CREATE TABLE v5 AS WITH x AS (TABLE u) TABLE x"],
        &[
            "USE d",
            "WITH x AS (SELECT 1 AS a) DELETE FROM u WHERE a IN (SELECT a FROM x)",
        ],
        &[
            "USE d",
            "EXPLAIN ANALYZE DELETE u FROM u JOIN v1 ON u.a = v1.a",
        ],
    ];
    statements("mysql97", &[&COMMON[..], &own].concat(), &[]);
}

#[test]
fn statements_that_old_mysql_logs() {
    // With GTIDs it refuses a CREATE TABLE with a SELECT.
    let refused = |case: &&[&str]| case.iter().any(|sql| sql.contains(" SELECT "));
    let mut cases: Vec<&[&str]> = COMMON.into_iter().filter(|case| !refused(case)).collect();
    cases.push(&["USE mysql", "INSERT INTO own VALUES (2)"]);
    statements("mysql56", &cases, &[]);
}

#[test]
fn statements_that_mariadb_logs() {
    let own: [&[&str]; 10] = [
        &["USE d", "CREATE TABLE v1 (VALUES (7, 8))"],
        &["USE d", "CREATE TABLE v2 AS VALUES (7, 8)"],
        &[
            "USE d",
            "CREATE TABLE v3 AS WITH x AS (SELECT 1 AS a) SELECT * FROM x",
        ],
        &["USE d", "ANALYZE UPDATE u SET b = 9 WHERE a = 1"],
        &["USE d", "ANALYZE FORMAT=JSON DELETE FROM u WHERE a = 2"],
        &["USE d", "ANALYZE INSERT INTO u VALUES (20, 1)"],
        &[
            "USE d",
            "ANALYZE FORMAT = JSON REPLACE INTO u VALUES (20, 2)",
        ],
        &["USE d", "ANALYZE SELECT f(21)"],
        &[
            "USE d",
            "SET STATEMENT max_statement_time = 60 FOR ANALYZE DELETE FROM u WHERE a = 20",
        ],
        &["USE d", "ANALYZE TABLE u"],
    ];
    // It does not tell which schemas a statement changes.
    let others: [&[&str]; 1] = [&["USE mysql", "INSERT INTO own VALUES (2)"]];
    for kind in ["mariadb", "mariadb11"] {
        statements(kind, &[&COMMON[..], &own].concat(), &others);
    }
}

/// An XA transaction up to its prepare, in a session of its own.
fn prepared(server: &Server, xid: &str, change: &str) -> Client {
    let mut client = server.client().unwrap();
    for sql in [
        &format!("XA START '{xid}'"),
        change,
        &format!("XA END '{xid}'"),
        &format!("XA PREPARE '{xid}'"),
    ] {
        client
            .run(sql)
            .unwrap_or_else(|error| panic!("{xid}: {sql}: {error}"));
    }
    client
}

fn decide(mut client: Client, how: &str, xid: &str) {
    client.run(&format!("XA {how} '{xid}'")).unwrap();
}

#[test]
fn xa_transactions_that_were_prepared_before_the_stream_began() {
    let keeper = index_server(&[]);
    for kind in ["mysql97", "mariadb"] {
        let server = source_of(kind, &[]);
        let scratch = Scratch::new();
        run(
            &server,
            &[
                "CREATE DATABASE d",
                "CREATE TABLE d.t (id INT PRIMARY KEY)",
                "CREATE TABLE d.left_out (id INT PRIMARY KEY)",
                "CREATE TABLE d.plain (id INT PRIMARY KEY) ENGINE=MyISAM",
            ],
        );
        let early = prepared(&server, "early", "INSERT INTO d.t VALUES (1)");
        let dropped = prepared(&server, "dropped", "INSERT INTO d.t VALUES (2)");
        let filter = ["--tables", "d.t"];
        let mut streams = [
            Stream::new(&format!("{kind}-file"), &server, None, &scratch, &filter),
            Stream::new(
                &format!("{kind}-server"),
                &server,
                Some(&keeper),
                &scratch,
                &filter,
            ),
        ];
        for stream in &mut streams {
            stream.start();
            until(|| stream.log().contains("streaming from").then_some(()));
        }
        run(&server, &["INSERT INTO d.left_out VALUES (0)"]);
        for stream in &mut streams {
            stream.catch_up(&server);
        }
        let late = prepared(&server, "late", "INSERT INTO d.t VALUES (3)");
        let other = prepared(&server, "other", "INSERT INTO d.left_out VALUES (4)");
        let empty = prepared(&server, "empty", "DELETE FROM d.left_out WHERE id = 99");
        let over = prepared(&server, "over", "INSERT INTO d.t VALUES (5)");
        let plain = prepared(&server, "plain", "INSERT INTO d.plain VALUES (7)");
        decide(plain, "COMMIT", "plain");
        decide(late, "COMMIT", "late");
        decide(other, "COMMIT", "other");
        decide(empty, "COMMIT", "empty");
        decide(dropped, "ROLLBACK", "dropped");
        for stream in &mut streams {
            stream.catch_up(&server);
            stream.terminate();
            stream.start();
            stream.catch_up(&server);
        }
        decide(over, "COMMIT", "over");
        for stream in &mut streams {
            stream.catch_up(&server);
            assert_eq!(counted(stream, "xa_prepared_before"), 0, "{}", stream.name);
        }
        decide(early, "COMMIT", "early");
        run(&server, &["INSERT INTO d.t VALUES (6)"]);
        for stream in &mut streams {
            stream.catch_up(&server);
            stream.terminate();
            assert_eq!(counted(stream, "xa_prepared_before"), 1, "{}", stream.name);
            assert!(
                stream.log().contains("xid X'6561726c79'"),
                "{}",
                stream.log()
            );
            let keys = "SELECT pk_values FROM binlog_events ORDER BY pk_values";
            assert_eq!(ask(stream, keys), ["3", "5", "6"], "{}", stream.name);
        }
        let table = server
            .client()
            .unwrap()
            .strings("SELECT id FROM d.t")
            .unwrap();
        assert_eq!(table.concat(), ["1", "3", "5", "6"]);
    }
}
