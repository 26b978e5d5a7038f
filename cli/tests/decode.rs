//! `bintrail decode` on binlogs that MySQL 9.7 wrote, against what `mysqlbinlog` and the server say
//! of them (`scripts/gen-goldens`).

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn data(case: &str, file: &str) -> PathBuf {
    data_of("mysql97", case, file)
}

fn data_of(server: &str, case: &str, file: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("../proto/tests/data")
        .join(server)
        .join(case)
        .join(file)
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bintrail"));
    command
        .arg("decode")
        .current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

fn decode(format: &str, files: &[PathBuf]) -> Output {
    command()
        .args(["--format", format])
        .args(files)
        .output()
        .unwrap()
}

fn rows(case: &str) -> Vec<Value> {
    let output = decode("json", &[data(case, "binlog")]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Byte for byte, on every column type at its limits.
#[test]
fn as_mysqlbinlog_prints_it() {
    for case in ["types", "full-metadata", "compressed", "partial-json"] {
        let output = decode("mysqlbinlog", &[data(case, "binlog")]);
        assert!(output.status.success());
        let expected = std::fs::read(data(case, "expected")).unwrap();
        assert!(!expected.is_empty());
        assert!(output.stdout == expected, "{case} differs");
    }
}

#[test]
fn one_object_a_row_with_the_columns_named_by_the_file() {
    let rows = rows("full-metadata");
    assert!(!rows.is_empty());
    let keys = [
        "file",
        "start_pos",
        "end_pos",
        "timestamp",
        "gtid",
        "schema",
        "table",
        "type",
        "before",
        "after",
    ];
    for row in &rows {
        assert!(row.as_object().unwrap().keys().eq(keys), "{row}");
        assert!(row["start_pos"].as_u64() < row["end_pos"].as_u64());
    }
    let first = &rows[0];
    assert_eq!(first["file"], "binlog");
    assert_eq!(
        (&first["type"], &first["before"]),
        (&json!("INSERT"), &Value::Null)
    );
    // As `setup.sql` inserts it.
    let after = &first["after"];
    assert_eq!(
        (&after["a"], &after["b"], &after["c"]),
        (&json!("é"), &json!("€"), &json!("中"))
    );
    assert_eq!(after["hidden"], Value::Null);
}

#[test]
fn columns_without_names_have_numbers() {
    let rows = rows("types");
    let image = rows[0]["after"].as_object().unwrap();
    let numbered = (1..=image.len()).map(|number| format!("@{number}"));
    assert!(image.keys().cloned().eq(numbered));
}

/// Rows of a compressed transaction have the place of the event that holds it.
#[test]
fn rows_of_a_payload() {
    let rows = rows("compressed");
    let place = |row: &Value| {
        (
            row["start_pos"].as_u64().unwrap(),
            row["end_pos"].as_u64().unwrap(),
        )
    };
    let behind = |v: &str| {
        let found = rows.iter().position(|row| row["after"]["@2"] == v);
        found.unwrap()
    };
    // One transaction: 300 rows of a table, a large one of another, and one of a third.
    let last = behind("behind");
    let (start, end) = place(&rows[last]);
    let same: Vec<_> = rows
        .iter()
        .filter(|row| place(row) == (start, end))
        .collect();
    assert_eq!(same.len(), 302);
    assert!(end - start < 10_000, "its rows take 180 kB");
    assert!(same.iter().all(|row| row["gtid"] == rows[last]["gtid"]));
    // Where the file has it.
    let file = std::fs::read(data("compressed", "binlog")).unwrap();
    let start = usize::try_from(start).unwrap();
    assert_eq!(file[start + 4], 40, "TRANSACTION_PAYLOAD_EVENT");
    let size = u32::from_le_bytes(file[start + 9..start + 13].try_into().unwrap());
    assert_eq!(end, start as u64 + u64::from(size));
}

/// Documents are whole after an update that logs their changes, and left out where there is nothing to change.
#[test]
fn documents_that_are_logged_in_part() {
    let output = decode("json", &[data("partial-json", "binlog")]);
    assert_eq!(output.status.code(), Some(30));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let updates = |table: &str| -> Vec<Value> {
        let updates = rows
            .iter()
            .filter(|row| row["table"] == table && row["type"] == "UPDATE");
        updates.cloned().collect()
    };
    let first = &updates("t")[0];
    assert_eq!(first["before"]["@2"]["a"], json!(1));
    let mut expected = first["before"]["@2"].clone();
    expected["a"] = json!(2);
    assert_eq!(first["after"]["@2"], expected);
    let images: Vec<_> = updates("images")
        .into_iter()
        .map(|row| row["after"].clone())
        .collect();
    assert_eq!(images[0], json!({"@5": 2}));
    assert_eq!(images[1], json!({"@4": "base64:type252:Yw=="}));
    assert_eq!(images[2], json!({"@2": [], "@5": 3}));
    assert_eq!(images[5]["@3"], json!({"a": "y"}));
}

#[test]
fn a_file_that_is_cut_off_gives_its_rows_and_an_error() {
    let whole = std::fs::read(data("types", "binlog")).unwrap();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cut-off");
    std::fs::write(&path, &whole[..whole.len() - 40]).unwrap();
    let output = decode("json", std::slice::from_ref(&path));
    assert_eq!(output.status.code(), Some(30));
    assert!(!output.stdout.is_empty());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("cut-off") && error.trim_end().lines().count() == 1,
        "{error}"
    );
}

/// A script that sees only the exit code must see that something is missing.
#[test]
fn rows_that_are_left_out_are_an_error_at_the_end() {
    let whole = std::fs::read(data("types", "binlog")).unwrap();
    let mut kept = whole[..4].to_vec();
    let (mut at, mut left_out) = (4, 0);
    while at < whole.len() {
        let len = usize::try_from(u32::from_le_bytes(
            whole[at + 9..at + 13].try_into().unwrap(),
        ))
        .unwrap();
        // The first table's rows have lost their TABLE_MAP_EVENT.
        if whole[at + 4] == 19 && left_out == 0 {
            left_out += 1;
        } else {
            kept.extend_from_slice(&whole[at..at + len]);
        }
        at += len;
    }
    assert_eq!(left_out, 1);
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("left-out");
    std::fs::write(&path, &kept).unwrap();
    for format in ["json", "mysqlbinlog"] {
        let output = decode(format, std::slice::from_ref(&path));
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(30), "{error}");
        assert!(error.contains("left out"), "{error}");
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    // Much more than a pipe holds.
    let files = vec![data("types", "binlog"); 200];
    let mut child = command()
        .args(files)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(line.starts_with("{\"file\":\"binlog\""), "{line}");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
}

/// Numbers of a file that does not say which are unsigned may be printed wrong: that is said, once for each table.
#[test]
fn what_a_file_does_not_say_is_told() {
    let told = |server, case, format| {
        let file = data_of(server, case, "binlog");
        let output = decode(format, &[file.clone(), file]);
        let errors = String::from_utf8(output.stderr).unwrap();
        let told = errors
            .lines()
            .filter(|line| line.contains("which numbers are unsigned"));
        let mut tables: Vec<_> = told
            .map(|line| line.split("table=").nth(1).unwrap().to_owned())
            .collect();
        let all = tables.len();
        tables.sort();
        tables.dedup();
        assert_eq!(tables.len(), all, "{errors}");
        all
    };
    assert!(told("mariadb", "types", "json") > 0);
    assert!(told("mysql56", "types", "json") > 0);
    // Which prints them as signed and unsigned ones.
    assert_eq!(told("mariadb", "types", "mysqlbinlog"), 0);
    assert_eq!(told("mariadb", "full-metadata", "json"), 0);
    assert_eq!(told("mysql97", "types", "json"), 0);
}
