//! A column that is seldom changed is found where it was changed, on both backends, whatever the row's image and the
//! column's place.

use crate::support::{Scratch, Stream, ask, index_server, run, source};

/// The changes of a column, as the view tells them.
fn changes_of(updates: &[(String, Vec<String>)], column: &str) -> Vec<String> {
    let changed = updates
        .iter()
        .filter(|(_, columns)| columns.iter().any(|name| name == column));
    changed.map(|(id, _)| id.clone()).collect()
}

#[test]
fn changes_of_a_column_are_found_where_they_are() {
    let scratch = Scratch::new();
    let source = source(&["--binlog-row-metadata=FULL"]);
    let keeper = index_server(&["--local-infile=ON"]);
    let start = ["--start-file", "mysql-bin.000001", "--server-id"];
    let streams = [("sqlite", None, "4110"), ("columns", Some(&keeper), "4111")];
    let mut streams = streams.map(|(name, keeper, id)| {
        let start = [&start[..], &[id]].concat();
        Stream::new(name, &source, keeper, &scratch, &start)
    });
    let numbers: Vec<String> = (2..68).map(|place| format!("c{place} INT")).collect();
    let numbers = numbers.join(", ");
    // Behind the 64th column, places begin anew.
    let table = format!(
        "CREATE TABLE shop.wide (id INT PRIMARY KEY, g INT AS (id + 1) VIRTUAL, {numbers}, doc JSON, note VARCHAR(20))"
    );
    run(
        &source,
        &[
            "CREATE DATABASE shop",
            &table,
            "INSERT INTO shop.wide (id) VALUES (1)",
            "UPDATE shop.wide SET note = 'early'",
            "SET cte_max_recursion_depth = 100000",
            "INSERT INTO shop.wide (id, doc) WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 33000)
             SELECT i, JSON_OBJECT('k', REPEAT('x', 50), 'l', 1) FROM n",
            "UPDATE shop.wide SET note = 'late' WHERE id = 7",
            "UPDATE shop.wide SET c5 = 5 WHERE id = 8",
            "UPDATE shop.wide SET id = -1 WHERE id = 9",
            "SET binlog_row_image = MINIMAL",
            "UPDATE shop.wide SET c6 = 6, note = 'minimal' WHERE id = 10",
            "SET binlog_row_image = FULL, binlog_row_value_options = PARTIAL_JSON",
            "UPDATE shop.wide SET doc = JSON_SET(doc, '$.l', 2) WHERE id = 11",
            "SET binlog_row_value_options = ''",
            "ALTER TABLE shop.wide ADD COLUMN z INT FIRST, RENAME COLUMN c5 TO five",
            "UPDATE shop.wide SET note = 'moved' WHERE id = 12",
            "UPDATE shop.wide SET z = 1, five = 5 WHERE id = 13",
        ],
    );
    for stream in &mut streams {
        stream.start();
        stream.catch_up(&source);
        stream.terminate();
        let ids = ask(
            stream,
            "SELECT change_id FROM binlog_events WHERE event_type = 'UPDATE' ORDER BY change_id",
        );
        let columns = ask(
            stream,
            "SELECT changed_columns FROM binlog_events WHERE event_type = 'UPDATE' ORDER BY change_id",
        );
        let columns = columns
            .iter()
            .map(|names| serde_json::from_str(names).unwrap());
        let updates: Vec<(String, Vec<String>)> = ids.into_iter().zip(columns).collect();
        for (column, changes) in [
            ("note", 4),
            ("c5", 1),
            ("five", 1),
            ("c6", 1),
            ("id", 1),
            ("g", 1),
            ("doc", 1),
            ("z", 1),
            ("c7", 0),
        ] {
            let expected = changes_of(&updates, column);
            assert_eq!(expected.len(), changes, "{column}: {updates:?}");
            let question = [
                "--schema",
                "shop",
                "--table",
                "wide",
                "--changed-column",
                column,
            ];
            let answer = stream.output(&[&["query", "--format", "csv"], &question[..]].concat());
            let found = answer
                .lines()
                .skip(1)
                .map(|line| line.split(',').next().unwrap());
            assert_eq!(
                found.collect::<Vec<_>>(),
                expected,
                "{}: {column}",
                stream.name
            );
            let plan = stream.output(&[&["query", "--explain"], &question[..]].concat());
            assert!(
                plan.contains("in the blocks in which the column was changed"),
                "{}: {plan}",
                stream.name
            );
        }
    }
}
