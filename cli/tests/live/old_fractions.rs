//! Fractions in MariaDB's temporal format of before 10.1, whose width no event tells: the source is asked, and where nobody
//! can be, no row is wrong without a word.

use std::collections::BTreeSet;
use std::fs;

use bintrail_testkit::server::Server;
use bintrail_testkit::workload::Rng;
use serde_json::Value;

use crate::support::{Scratch, Stream, run, setting, source_of};

const TABLES: [(&str, &str, &[&str]); 3] = [
    (
        "hr",
        "t TIMESTAMP(2) NOT NULL DEFAULT 0, v VARCHAR(100) CHARACTER SET latin1 NOT NULL",
        &["id", "t", "v"],
    ),
    (
        "mix",
        "a TIME(3), b DATETIME(6), c DATETIME(1), e TIMESTAMP(5) NULL, v VARCHAR(50) CHARACTER SET latin1",
        &["id", "a", "b", "c", "e", "v"],
    ),
    (
        "plain",
        "a TIME, b DATETIME, e TIMESTAMP NULL, v VARCHAR(50) CHARACTER SET latin1",
        &["id", "a", "b", "e", "v"],
    ),
];

fn moment(rng: &mut Rng, fraction: bool) -> String {
    let (year, month, day) = (2020 + rng.below(10), 1 + rng.below(12), 1 + rng.below(28));
    let (hour, minute, second) = (rng.below(24), rng.below(60), rng.below(60));
    let digits = if fraction { rng.below(1_000_000) } else { 0 };
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{digits:06}")
}

fn values(rng: &mut Rng, columns: &[&str], fraction: bool) -> String {
    let values = columns.iter().skip(1).map(|name| match *name {
        "v" => {
            let len = usize::try_from(rng.below(12)).unwrap();
            format!("'{}{}'", &"customer of all"[..len], rng.below(100_000))
        }
        "a" => {
            let (sign, hour) = (rng.pick(&["", "-"]), rng.below(839));
            let digits = if fraction { rng.below(1_000) } else { 0 };
            format!(
                "'{sign}{hour}:{}:{}.{digits:03}'",
                rng.below(60),
                rng.below(60)
            )
        }
        "b" | "c" | "e" if rng.chance(10) => "NULL".to_owned(),
        _ => format!("'{}'", moment(rng, fraction)),
    });
    values.collect::<Vec<_>>().join(", ")
}

/// The rows of all tables as the source has them.
fn selected(source: &Server) -> BTreeSet<String> {
    let mut client = source.client().unwrap();
    client.run("SET time_zone = '+00:00'").unwrap();
    let mut rows = BTreeSet::new();
    for (table, _, columns) in TABLES {
        let texts = columns
            .iter()
            .map(|name| format!("IFNULL(CAST({name} AS CHAR), 'NULL')"));
        let texts = texts.collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT CONCAT_WS('|', '{table}', {texts}) FROM d.{table}");
        rows.extend(client.strings(&sql).unwrap().into_iter().flatten());
    }
    rows
}

/// The same text of an image.
fn row(table: &str, image: &Value) -> String {
    let (_, _, columns) = TABLES.iter().find(|(name, ..)| *name == table).unwrap();
    let mut texts = vec![table.to_owned()];
    texts.extend(columns.iter().map(|name| match &image[*name] {
        Value::String(text) => text.clone(),
        Value::Null => "NULL".to_owned(),
        other => other.to_string(),
    }));
    texts.join("|")
}

fn indexed(stream: &Stream) -> (BTreeSet<String>, String) {
    let mut index = stream.index.open().unwrap();
    let changes = index
        .query("SELECT table_name, row_after FROM binlog_events WHERE event_type = 'INSERT'")
        .unwrap();
    let rows = changes.into_iter().map(|mut change| {
        let image = serde_json::from_str(&change[1].take().unwrap()).unwrap();
        row(&change[0].take().unwrap(), &image)
    });
    let rows = rows.collect();
    let skips = index.string("SELECT capture_skips FROM stream_state");
    (rows, skips.unwrap().unwrap())
}

fn rows_of_before_10_1(kind: &str, metadata: &str) {
    let mut rng = Rng::new(setting("BINTRAIL_TEST_SEED", 11));
    let scratch = Scratch::new();
    let metadata_option = format!("--binlog-row-metadata={metadata}");
    let source = source_of(kind, &["--mysql56-temporal-format=OFF", &metadata_option]);
    let mut client = source.client().unwrap();
    client.run("CREATE DATABASE d").unwrap();
    client.run("SET time_zone = '+00:00'").unwrap();
    for (table, definition, columns) in TABLES {
        client
            .run(&format!(
                "CREATE TABLE d.{table} (id INT PRIMARY KEY, {definition})"
            ))
            .unwrap();
        for id in 0..1_000 {
            let values = values(&mut rng, columns, table != "plain");
            client
                .run(&format!("INSERT INTO d.{table} VALUES ({id}, {values})"))
                .unwrap();
        }
    }
    let expected = selected(&source);
    assert_eq!(expected.len(), 3_000);

    // The source tells.
    let mut stream = Stream::new(
        "asks",
        &source,
        None,
        &scratch,
        &["--start-file", "maria-bin.000001"],
    );
    stream.start();
    stream.catch_up(&source);
    stream.terminate();
    assert_eq!(indexed(&stream), (expected.clone(), "{}".to_owned()));

    run(&source, &["FLUSH BINARY LOGS"]);
    if metadata != "FULL" {
        return;
    }
    let files = source.binlog_files().unwrap();
    let logs = &files[..files.len() - 1];

    // With files alone, every row that is wrong is one of those that are warned of.
    let mut decode = stream.command(&["decode"]);
    let printed = decode.args(logs).output().unwrap();
    let said = String::from_utf8(printed.stderr).unwrap();
    assert_eq!(printed.status.code(), Some(30), "{said}");
    let (mut right, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for line in String::from_utf8(printed.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["schema"] == "d" {
            let table = line["table"].as_str().unwrap().to_owned();
            let row = row(&table, &line["after"]);
            if expected.contains(&row) {
                right.insert(row);
            } else {
                wrong.insert(table);
            }
        }
    }
    assert!(
        wrong.contains("hr") && !wrong.contains("plain"),
        "{wrong:?}"
    );
    assert!(
        said.contains("rows are printed that may be wrong"),
        "{said}"
    );
    for table in wrong {
        assert!(said.contains(&format!("d.{table}")), "{said}");
    }
    assert_eq!(
        right.iter().filter(|row| row.starts_with("plain|")).count(),
        1_000
    );

    // The index takes none of them.
    let directory = scratch.0.join("logs");
    fs::create_dir(&directory).unwrap();
    for log in logs {
        fs::copy(log, directory.join(log.file_name().unwrap())).unwrap();
    }
    let files_alone = Stream::new("alone", &source, None, &scratch, &[]);
    let output = files_alone
        .command(&["index", "--all", "--binlog-dir"])
        .arg(&directory)
        .args(["--server-uuid", "3e11fa47-71ca-11e1-9e33-c80aa9429562"])
        .env_remove("BINTRAIL_SOURCE_DSN")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (rows, skips) = indexed(&files_alone);
    assert!(
        rows.is_subset(&expected),
        "{:?}",
        rows.difference(&expected).next()
    );
    assert!(rows.iter().filter(|row| row.starts_with("plain|")).count() > 900);
    assert!(skips.contains("fractions_not_told"), "{skips}");
}

#[test]
fn fractions_of_mariadb_before_10_1() {
    rows_of_before_10_1("mariadb", "FULL");
    rows_of_before_10_1("mariadb11", "NO_LOG");
}
