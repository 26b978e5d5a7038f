//! Compressed transactions and partial updates of JSON documents: rows as any others.

use bintrail_testkit::check::{Replay, same_events};
use bintrail_testkit::client::Client;
use bintrail_testkit::oracle::Oracle;
use bintrail_testkit::schema::Catalog;
use bintrail_testkit::value::Charsets;
use bintrail_testkit::workload::Rng;

use crate::support::{Scratch, Stream, setting, source};

const TABLES: [&str; 4] = [
    "CREATE DATABASE d",
    "CREATE TABLE d.docs (id INT PRIMARY KEY, j JSON, n INT, k JSON)",
    "CREATE TABLE d.notes (id INT PRIMARY KEY AUTO_INCREMENT, doc INT, note VARCHAR(200))",
    "CREATE TABLE d.bulk (id INT PRIMARY KEY, v VARCHAR(100))",
];

const PATHS: [&str; 10] = [
    "$.a",
    "$.list[0]",
    "$.list[1]",
    "$.list[last]",
    "$.in.deep",
    "$.in.list[0]",
    "$.in",
    "$.\"it''s \\\\\"odd\\\\\"\"",
    "$.ünï",
    "$.list",
];

/// What a document, or a value in one, may become.
fn value(rng: &mut Rng) -> String {
    let n = rng.below(1_000);
    match rng.below(9) {
        0 => format!("{n}"),
        1 => format!("'text {n} ''é'''"),
        2 => format!("CAST('[{n}, {{\"k\": null}}]' AS JSON)"),
        3 => format!("CAST('{{\"deep\": {n}, \"list\": [true]}}' AS JSON)"),
        4 => "NULL".to_owned(),
        5 => format!("REPEAT('long', {n})"),
        6 => format!("{n}.25"),
        7 => "CAST('[]' AS JSON)".to_owned(),
        _ => format!("-{n}"),
    }
}

fn change(rng: &mut Rng, column: &str) -> String {
    let (path, other) = (pick(rng), pick(rng));
    let (one, two) = (value(rng), value(rng));
    match rng.below(6) {
        0 => format!("JSON_REPLACE({column}, '{path}', {one})"),
        1 => format!("JSON_SET({column}, '{path}', {one}, '{other}', {two})"),
        2 => format!("JSON_REMOVE({column}, '{path}')"),
        3 => format!("JSON_REMOVE(JSON_SET({column}, '{path}', {one}), '{other}')"),
        // Not logged by its changes, nor is what it is set to.
        4 => format!("JSON_ARRAY_APPEND({column}, '{path}', {one})"),
        _ => format!("JSON_SET({column}, '{path}', {one})"),
    }
}

fn pick(rng: &mut Rng) -> &'static str {
    let number = usize::try_from(rng.below(10)).unwrap();
    PATHS[number]
}

/// Transactions over documents and notes, and a large one.
fn work(client: &mut Client, rng: &mut Rng, transactions: u64) {
    for id in 0..20 {
        let filler = "x".repeat(100);
        client
            .run(&format!(
                "INSERT INTO d.docs VALUES ({id}, '{{\"a\": {id}, \"list\": [1, 2], \"in\": {{}}, \"filler\": \"{filler}\"}}', 0, '[]')"
            ))
            .unwrap();
    }
    for number in 0..transactions {
        client.run("BEGIN").unwrap();
        for _ in 0..=rng.below(3) {
            let id = rng.below(20);
            let (j, k) = (change(rng, "j"), change(rng, "k"));
            let set = match rng.below(3) {
                0 => format!("j = {j}"),
                1 => format!("j = {j}, k = {k}, n = n + 1"),
                _ => format!("n = n + 1, k = {k}"),
            };
            client
                .run(&format!("UPDATE d.docs SET {set} WHERE id = {id}"))
                .unwrap();
            client
                .run(&format!(
                    "INSERT INTO d.notes (doc, note) VALUES ({id}, 'é {number}')"
                ))
                .unwrap();
        }
        let end = if rng.chance(10) { "ROLLBACK" } else { "COMMIT" };
        client.run(end).unwrap();
    }
    client
        .run(
            "INSERT INTO d.bulk WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
             SELECT i, CONCAT(REPEAT('bulk', i % 20), i) FROM n",
        )
        .unwrap();
    client.run("XA START 'x'").unwrap();
    client.run("DELETE FROM d.bulk WHERE id > 100").unwrap();
    client.run("XA END 'x'").unwrap();
    client.run("XA PREPARE 'x'").unwrap();
    client.run("XA COMMIT 'x'").unwrap();
}

#[test]
fn the_index_has_what_is_compressed_and_logged_in_part() {
    let seed = setting("BINTRAIL_TEST_SEED", 7);
    let scratch = Scratch::new();
    let source = source(&[
        "--binlog-transaction-compression=ON",
        "--binlog-row-value-options=PARTIAL_JSON",
        "--cte-max-recursion-depth=100000",
        "--max-binlog-size=1M",
    ]);
    let mut client = source.client().unwrap();
    for sql in TABLES {
        client.run(sql).unwrap();
    }
    let gtid = client.string("SELECT @@gtid_executed").unwrap();
    let by_gtid = ["--server-id", "4101", "--start-gtid", &gtid];
    let by_position = ["--server-id", "4102", "--start-file", "mysql-bin.000001"];
    let mut streams = [
        Stream::new("gtid", &source, None, &scratch, &by_gtid),
        Stream::new("position", &source, None, &scratch, &by_position),
    ];
    streams.iter_mut().for_each(Stream::start);
    work(
        &mut client,
        &mut Rng::new(seed),
        setting("BINTRAIL_TEST_TRANSACTIONS", 300),
    );

    let mut catalog = Catalog::default();
    let schemas = ["d".to_owned()];
    catalog.refresh(&mut client, &schemas).unwrap();
    for stream in &mut streams {
        stream.catch_up(&source);
        // From the checkpoint on there is nothing that is there already.
        stream.kill();
        stream.start();
        stream.catch_up(&source);
        stream.terminate();

        let name = &stream.name;
        let mut charsets = Charsets::new(source.client().unwrap()).unwrap();
        let oracle = Oracle::of(&source).unwrap();
        let count = same_events(
            stream.index.open().unwrap(),
            oracle,
            &catalog,
            &mut charsets,
        )
        .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(count > 40_000, "{name}: {count} events");
        let mut replay = Replay::new(&catalog, false);
        replay
            .index(stream.index.open().unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        replay
            .same_tables(&mut client, &schemas)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let skips = stream
            .index
            .open()
            .unwrap()
            .string("SELECT capture_skips FROM stream_state");
        assert_eq!(skips.unwrap().as_deref(), Some("{}"), "{name}");
    }

    // The source did log it that way.
    let output = source
        .mysqlbinlog()
        .args(["-vv", "--base64-output=decode-rows"])
        .args(source.binlog_files().unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    for wanted in [
        "Transaction_Payload",
        "JSON_REPLACE(@2",
        "JSON_REMOVE(@2",
        "=@4",
    ] {
        assert!(text.contains(wanted), "{wanted}");
    }
}
