//! A binlog file above 4 GiB, and values of 64 MiB.

use std::process::Command;

use crate::support::{BINTRAIL, Scratch, Stream, ask, run, source};

/// Bytes of a row, and how many of them reach beyond 4 GiB.
const ROW: u64 = 32 << 20;
const ROWS: u64 = 130;

#[test]
#[ignore = "takes 9 GB of disk, and minutes"]
fn positions_above_4_gib() {
    let source = source(&["--innodb-redo-log-capacity=1G", "--max-allowed-packet=64M"]);
    let scratch = Scratch::new();
    run(
        &source,
        &[
            "CREATE DATABASE d",
            // What is written to the binlog is not, so that there is room for that.
            "CREATE TABLE d.big (id INT PRIMARY KEY, b LONGBLOB) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4",
            "CREATE TABLE d.small (id INT PRIMARY KEY)",
        ],
    );
    let file = source.position().unwrap().0;
    let stream = |name, id, start: &[&str]| {
        let arguments = [&["--server-id", id, "--tables", "d.small"], start].concat();
        Stream::new(name, &source, None, &scratch, &arguments)
    };
    let mut streams = [
        stream("gtid", "71", &[]),
        stream("position", "72", &["--start-file", &file]),
    ];
    for stream in &mut streams {
        stream.start();
        stream.catch_up(&source);
    }
    let rows = (1..=ROWS).map(|id| format!("INSERT INTO d.big VALUES ({id}, REPEAT('x', {ROW}))"));
    let statements: Vec<String> = std::iter::once("BEGIN".to_owned())
        .chain(rows)
        .chain(["INSERT INTO d.small VALUES (1)", "COMMIT"].map(str::to_owned))
        .collect();
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    run(&source, &statements);
    run(&source, &["INSERT INTO d.small VALUES (2)"]);
    let size = std::fs::metadata(source.datadir.join(&file)).unwrap().len();
    assert!(size > 1 << 32, "{size}");
    let mut end = 0;
    for stream in &mut streams {
        stream.catch_up(&source);
        stream.terminate();
        let sql = "SELECT pk_values, binlog_file, end_pos FROM binlog_events ORDER BY change_id";
        let rows = stream.index.open().unwrap().query(sql).unwrap();
        let cell = |row: usize, at: usize| rows[row][at].clone().unwrap();
        assert_eq!(
            (rows.len(), cell(0, 0), cell(1, 0)),
            (2, "1".to_owned(), "2".to_owned())
        );
        assert_eq!(cell(0, 1), file);
        end = cell(0, 2).parse().unwrap();
        // Only ROTATE_EVENT is behind it.
        assert!(
            end > 1 << 32 && end < size && size - end < 100,
            "{end} of {size}"
        );
    }
    // The command has 32 bits for this.
    let place = end.to_string();
    let mut far = stream("far", "73", &["--start-file", &file, "--start-pos", &place]);
    far.start();
    far.catch_up(&source);
    far.terminate();
    let sql = "SELECT pk_values FROM binlog_events";
    let rows = far.index.open().unwrap().query(sql).unwrap();
    assert_eq!(rows, [[Some("2".to_owned())]]);
}

/// As text and as bytes; from the file, and in the index.
#[test]
fn values_of_64_mib() {
    const CAPACITY: &str = "--innodb-redo-log-capacity=1G";
    let source = source(&[CAPACITY, "--max-allowed-packet=128M"]);
    let scratch = Scratch::new();
    let mut stream = Stream::new("big", &source, None, &scratch, &[]);
    stream.start();
    let file = source.position().unwrap().0;
    // 2 bytes 33,554,432 times, and 3 bytes 22,369,621 times and one.
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.big (id INT PRIMARY KEY, t LONGTEXT, b LONGBLOB)",
            "INSERT INTO d.big VALUES (1, REPEAT('é', 33554432), '')",
            "INSERT INTO d.big VALUES (2, '', CONCAT(REPEAT('abc', 22369621), 'a'))",
        ],
    );
    let mut client = source.client().unwrap();
    let sizes = client
        .query("SELECT LENGTH(t) + LENGTH(b) FROM d.big")
        .unwrap();
    assert_eq!(sizes, vec![vec![Some(b"67108864".to_vec())]; 2]);
    let text = format!(
        r#"{{"id":1,"t":"{}","b":"base64:type251:"}}"#,
        "é".repeat(32 << 20)
    );
    let bytes = format!(
        r#"{{"id":2,"t":"","b":"base64:type251:{}YQ=="}}"#,
        "YWJj".repeat(22_369_621)
    );

    stream.catch_up(&source);
    stream.terminate();
    let indexed = ask(
        &stream,
        "SELECT row_after FROM binlog_events ORDER BY change_id",
    );
    assert!(indexed == [&*text, &bytes], "the index has other values");

    let printed = Command::new(BINTRAIL)
        .args(["decode", "--format", "json"])
        .arg(source.datadir.join(&file))
        .output()
        .unwrap();
    assert!(printed.status.success(), "{:?}", printed.status);
    let printed = String::from_utf8(printed.stdout).unwrap();
    let lines: Vec<&str> = printed
        .lines()
        .filter(|line| line.contains(r#""table":"big""#))
        .collect();
    assert_eq!(lines.len(), 2);
    for (line, image) in lines.iter().zip([&text, &bytes]) {
        let (_, after) = line.split_once(r#""after":"#).unwrap();
        // A file does not name the columns.
        let after = after
            .replace(r#""@1""#, r#""id""#)
            .replace(r#""@2""#, r#""t""#);
        let after = after.replace(r#""@3""#, r#""b""#);
        assert!(
            after.strip_suffix('}') == Some(image),
            "decode has another value"
        );
    }
}
