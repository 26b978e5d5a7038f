//! What the stream takes, whatever comes while its index takes nothing.

use std::thread;
use std::time::Duration;

use bintrail_testkit::server::Server;

use crate::support::{Scratch, Stream, ask, index_server, run, setting, source};

/// What is asked for, in MB, which is the default.
const MEMORY: &str = "64";

/// How long the index is kept from taking anything: more is read meanwhile than there may be room for.
const HELD: Duration = Duration::from_secs(5);

/// Makes the tables, and a procedure for each kind of work.
const TABLES: [&str; 8] = [
    "CREATE DATABASE d",
    "CREATE DATABASE others",
    "CREATE TABLE d.plain (id INT PRIMARY KEY, a INT, b VARCHAR(20), c DATETIME, d DECIMAL(10,2))",
    "CREATE TABLE d.bytes (id INT PRIMARY KEY, b LONGBLOB)",
    "CREATE TABLE others.bytes (id INT PRIMARY KEY, b LONGBLOB)",
    "CREATE TABLE d.numbers (n INT PRIMARY KEY) SELECT 0 AS n",
    "CREATE PROCEDURE d.fill(most INT) BEGIN
       SET @@cte_max_recursion_depth = 10000000;
       INSERT INTO d.numbers WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < most)
         SELECT n FROM n;
     END",
    "CREATE PROCEDURE d.sparse(most INT) BEGIN
       DECLARE i INT DEFAULT 0;
       WHILE i < most DO
         SET i = i + 1;
         BEGIN
           START TRANSACTION;
           INSERT INTO others.bytes VALUES (i, REPEAT('x', 240000));
           INSERT INTO d.plain (id) VALUES (-i);
           COMMIT;
         END;
       END WHILE;
     END",
];

/// Names and labels that are far longer than what an event holds of them.
fn wide() -> String {
    let numbers = (0..60).map(|n| format!("{}{n} INT DEFAULT 7", "n".repeat(60)));
    let labels: Vec<String> = (0..8)
        .map(|n| format!("'{n}{}'", "l".repeat(200)))
        .collect();
    let labels = labels.join(",");
    let sets = (0..20).map(|n| format!("s{n} SET({labels}) DEFAULT 255"));
    let columns: Vec<String> = numbers.chain(sets).collect();
    format!(
        "CREATE TABLE d.wide (id INT PRIMARY KEY, {})",
        columns.join(", ").replace("DEFAULT 255", "")
    )
}

/// Work, and how many row changes of it are to come.
fn works() -> [(&'static str, String, u64); 4] {
    let rows = setting("BINTRAIL_TEST_MEMORY_ROWS", 150_000);
    let sets: Vec<String> = (0..20).map(|n| format!("s{n}")).collect();
    let all = vec!["255"; 20].join(", ");
    [
        (
            "rows of few bytes that are long as text",
            format!(
                "INSERT INTO d.wide (id, {}) SELECT n, {all} FROM d.numbers WHERE n < 2000",
                sets.join(", ")
            ),
            2000,
        ),
        (
            "a transaction of many rows",
            format!(
                "INSERT INTO d.plain SELECT n, n, 'some text', NOW(), n FROM d.numbers WHERE n < {rows}"
            ),
            rows,
        ),
        (
            "a large transaction of long rows",
            "INSERT INTO d.bytes SELECT n, RANDOM_BYTES(1024) FROM d.numbers WHERE n < 1000
               UNION ALL SELECT n, REPEAT(RANDOM_BYTES(1000), 1000) FROM d.numbers WHERE n BETWEEN 1000 AND 1099"
                .to_owned(),
            1100,
        ),
        (
            "few rows among many that are left out",
            "CALL d.sparse(800)".to_owned(),
            800,
        ),
    ]
}

fn stays_within(backend: Option<&Server>) {
    let source = source(&["--max-allowed-packet=64M"]);
    let scratch = Scratch::new();
    run(&source, &TABLES);
    let rows = setting("BINTRAIL_TEST_MEMORY_ROWS", 150_000);
    run(&source, &[&wide(), &format!("CALL d.fill({rows})")]);
    for (number, (name, work, changes)) in works().into_iter().enumerate() {
        let arguments = ["--memory", MEMORY, "--schemas", "d"];
        let name_of = format!("memory{number}");
        let mut stream = Stream::new(&name_of, &source, backend, &scratch, &arguments);
        stream.start();
        stream.catch_up(&source);
        let idle = stream.peak();
        let holder = thread::spawn({
            let index = stream.index.clone();
            move || index.hold(HELD).unwrap()
        });
        run(&source, &[&work]);
        holder.join().unwrap();
        stream.catch_up(&source);
        let peak = stream.peak();
        stream.terminate();
        let found = ask(&stream, "SELECT COUNT(*) FROM row_changes");
        assert_eq!(found, [changes.to_string()], "{name}");
        println!(
            "{name}: {} MB, {} of them before it",
            peak >> 20,
            idle >> 20
        );
        assert!(peak <= 64 << 20, "{name}: {peak} bytes");
    }
}

#[test]
fn with_an_sqlite_index() {
    stays_within(None);
}

#[test]
fn with_a_mysql_index() {
    let keeper = index_server(&["--local-infile=ON", "--innodb-redo-log-capacity=1G"]);
    stays_within(Some(&keeper));
}
