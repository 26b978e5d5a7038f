//! `bintrail query` on both backends: every question is answered as the view `binlog_events`, read by plain SQL and
//! sifted here, would answer it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::Arc;

use bintrail_testkit::server::Server;
use bintrail_testkit::workload::{Plan, Rng, Workload};
use serde_json::value::RawValue;

use crate::stream::seed;
use crate::support::{Scratch, Stream, index_server, run, setting, source, wait};

/// A row of the view, its columns as text under their names, and the key that an update gave it.
#[derive(Debug, Clone)]
struct Row(Vec<Option<String>>, Option<String>);

const COLUMNS: [&str; 15] = [
    "change_id",
    "source_id",
    "binlog_file",
    "start_pos",
    "end_pos",
    "event_timestamp",
    "gtid",
    "connection_id",
    "schema_name",
    "table_name",
    "event_type",
    "pk_values",
    "changed_columns",
    "row_before",
    "row_after",
];

impl Row {
    fn get(&self, column: &str) -> Option<&str> {
        let at = COLUMNS.iter().position(|name| *name == column).unwrap();
        self.0[at].as_deref()
    }

    /// Had or got the row this key?
    fn has_key(&self, key: &str) -> bool {
        self.get("pk_values") == Some(key) || self.1.as_deref() == Some(key)
    }

    /// From a line of `--format ndjson`.
    fn printed(line: &str) -> Self {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap();
        let names: Vec<&String> = object.keys().collect();
        assert_eq!(names, COLUMNS);
        #[derive(serde::Deserialize)]
        struct Raw<'a>(#[serde(borrow)] std::collections::HashMap<String, &'a RawValue>);
        let raw: Raw<'_> = serde_json::from_str(line).unwrap();
        let cell = |name: &str| {
            let raw = raw.0[name].get();
            match (name, &object[name]) {
                (_, serde_json::Value::Null) => None,
                ("row_before" | "row_after" | "changed_columns", _) => Some(raw.to_owned()),
                ("event_timestamp", serde_json::Value::String(time)) => {
                    Some(time.replace('T', " ").replace('Z', ""))
                }
                (_, serde_json::Value::String(text)) => Some(text.clone()),
                _ => Some(raw.to_owned()),
            }
        };
        Self(COLUMNS.map(cell).to_vec(), None)
    }
}

/// The columns of each table's key, as the source has them.
fn key_columns(source: &Server) -> HashMap<(String, String), Vec<String>> {
    let sql =
        "SELECT table_schema, table_name, column_name FROM information_schema.key_column_usage
        WHERE constraint_name = 'PRIMARY' ORDER BY table_schema, table_name, ordinal_position";
    let mut keys: HashMap<_, Vec<String>> = HashMap::new();
    for row in source.client().unwrap().strings(sql).unwrap() {
        let [schema, table, column] = row.try_into().unwrap();
        keys.entry((schema, table)).or_default().push(column);
    }
    keys
}

/// The key that an update gave a row, if that is another than it had.
fn new_key(
    row: &[Option<String>],
    keys: &HashMap<(String, String), Vec<String>>,
) -> Option<String> {
    if row[10].as_deref() != Some("UPDATE") {
        return None;
    }
    let columns = keys.get(&(row[8].clone()?, row[9].clone()?))?;
    let after: HashMap<String, &RawValue> = serde_json::from_str(row[14].as_deref()?).unwrap();
    let value = |column: &String| {
        let raw = after[column].get();
        match serde_json::from_str(raw).unwrap() {
            serde_json::Value::String(text) => text.replace('\\', "\\\\").replace('|', "\\|"),
            _ => raw.to_owned(),
        }
    };
    let key = columns.iter().map(value).collect::<Vec<_>>().join("|");
    (Some(&key) != row[11].as_ref()).then_some(key)
}

fn view(stream: &Stream, source: &Server) -> Vec<Row> {
    let keys = key_columns(source);
    let sql = format!(
        "SELECT {} FROM binlog_events ORDER BY change_id",
        COLUMNS.join(", ")
    );
    let rows = stream.index.open().unwrap().query(&sql).unwrap();
    rows.into_iter()
        .map(|mut row| {
            // MySQL prints a space behind the commas of a JSON array.
            row[12] = row[12]
                .as_ref()
                .map(|names| names.replace("\", \"", "\",\""));
            let key = new_key(&row, &keys);
            Row(row, key)
        })
        .collect()
}

/// Asks, and compares with what the view's rows say.
fn ask(stream: &Stream, all: &[Row], question: &[&str], fits: impl Fn(&Row) -> bool) -> usize {
    let mut expected: Vec<&Row> = all.iter().filter(|row| fits(row)).collect();
    let arguments = [&["query", "--format", "ndjson"], question].concat();
    let compare = |arguments: &[&str], expected: &[&Row]| {
        let printed = stream.output(arguments);
        let got: Vec<Row> = printed.lines().map(Row::printed).collect();
        assert_eq!(got.len(), expected.len(), "{}: {arguments:?}", stream.name);
        for (got, expected) in got.iter().zip(expected) {
            assert_eq!(got.0, expected.0, "{}: {arguments:?}", stream.name);
        }
    };
    compare(&arguments, &expected);
    let count = expected.len();
    expected.reverse();
    expected.truncate(150);
    compare(
        &[&arguments[..], &["--order", "desc", "--limit", "150"]].concat(),
        &expected,
    );
    count
}

/// Questions about a row that there is, of every kind.
fn ask_about(stream: &Stream, all: &[Row], rng: &mut Rng) -> usize {
    let pick = |rng: &mut Rng| &all[usize::try_from(rng.below(all.len() as u64)).unwrap()];
    let (one, other) = (pick(rng), pick(rng));
    let (schema, table) = (
        one.get("schema_name").unwrap(),
        one.get("table_name").unwrap(),
    );
    let named = ["--schema", schema, "--table", table];
    let of_table =
        |row: &Row| row.get("schema_name") == Some(schema) && row.get("table_name") == Some(table);
    let mut count = ask(stream, all, &named, of_table);
    // An update that changed a key is found under both.
    let moved: Vec<&Row> = all.iter().filter(|row| row.1.is_some()).collect();
    let moved = moved[usize::try_from(rng.below(moved.len() as u64)).unwrap()];
    for key in [moved.get("pk_values").unwrap(), moved.1.as_deref().unwrap()] {
        count += ask(stream, all, &["--pk", key], |row| row.has_key(key));
    }
    if let Some(key) = one.get("pk_values") {
        let by_key = [&named[..], &["--pk", key]].concat();
        count += ask(stream, all, &by_key, |row| {
            of_table(row) && row.has_key(key)
        });
        // In every table.
        count += ask(stream, all, &["--pk", key], |row| row.has_key(key));
        if let Some(second) = other
            .get("pk_values")
            .filter(|second| !second.contains(',') && !key.contains(','))
        {
            let keys = format!("{key},{second}");
            count += ask(
                stream,
                all,
                &["--pks", &keys, "--event-type", "update,DELETE"],
                |row| {
                    (row.has_key(key) || row.has_key(second))
                        && row.get("event_type") != Some("INSERT")
                },
            );
        }
    }
    let gtid = one.get("gtid").unwrap();
    count += ask(stream, all, &["--gtid", &gtid.to_uppercase()], |row| {
        row.get("gtid") == Some(gtid)
    });
    let connection = one.get("connection_id").unwrap();
    let by_connection = ["--connection-id", connection];
    count += ask(stream, all, &by_connection, |row| {
        row.get("connection_id") == Some(connection)
    });

    let mut times = [one, other].map(|row| row.get("event_timestamp").unwrap());
    times.sort_unstable();
    let [since, until] = times;
    let within = |row: &Row| (since..until).contains(&row.get("event_timestamp").unwrap());
    let by_time = ["--since", since, "--until", until];
    count += ask(stream, all, &by_time, within);
    count += ask(stream, all, &[&by_time[..], &named].concat(), |row| {
        within(row) && of_table(row)
    });
    count += ask(
        stream,
        all,
        &[&by_time[..], &by_connection].concat(),
        |row| within(row) && row.get("connection_id") == Some(connection),
    );
    count += ask(
        stream,
        all,
        &["--until", since, "--event-type", "insert"],
        |row| {
            row.get("event_timestamp").unwrap() < since && row.get("event_type") == Some("INSERT")
        },
    );
    if let Some(changed) = one.get("changed_columns") {
        let names: Vec<String> = serde_json::from_str(changed).unwrap();
        if let Some(name) = names.last() {
            let by_column = [&named[..], &["--changed-column", name]].concat();
            count += ask(stream, all, &by_column, |row| {
                let changed: Vec<String> = row
                    .get("changed_columns")
                    .map_or(vec![], |text| serde_json::from_str(text).unwrap());
                of_table(row) && changed.contains(name)
            });
        }
    }
    let image = one.get("row_after").or(one.get("row_before")).unwrap();
    let n = serde_json::from_str::<serde_json::Value>(image).unwrap()["n"].clone();
    // Tables of bulk rows have no such column.
    if !n.is_null() {
        let condition = format!("N={n}");
        count += ask(
            stream,
            all,
            &[&named[..], &["--where", &condition]].concat(),
            |row| {
                let holds = |image| {
                    row.get(image).is_some_and(|text| {
                        serde_json::from_str::<serde_json::Value>(text).unwrap()["n"] == n
                    })
                };
                of_table(row) && (holds("row_before") || holds("row_after"))
            },
        );
    }
    count
}

/// No way but by keys, ids and times: the index's own plan says so.
fn goes_by_indexes(stream: &Stream, row: &Row) {
    let get = |column| row.get(column).unwrap();
    let (schema, table) = (get("schema_name"), get("table_name"));
    let (time, gtid, connection) = (get("event_timestamp"), get("gtid"), get("connection_id"));
    for question in [
        &["--schema", schema, "--table", table, "--pk", "1"][..],
        &["--schema", schema, "--table", table],
        &["--schema", schema, "--table", table, "--since", time],
        &["--gtid", gtid],
        &["--since", time],
        &["--connection-id", connection, "--since", time],
        &["--connection-id", connection],
        &[],
    ] {
        let plan = stream.output(&[&["query", "--explain"], question].concat());
        // MySQL puts what a UNION or two definitions of a table found, ids alone, in a table of its own, and reads that.
        let plan = plan.replace("Table scan on <union temporary>", "");
        let plan = plan.replace("Table scan on <temporary>", "");
        for way in ["SCAN", "Table scan", "TEMP B-TREE", "filesort"] {
            // Two definitions of a table, or all its keys, have to be put in order: their ids alone.
            let sorts_ids = question.contains(&"--table") && way == "TEMP B-TREE";
            assert!(
                sorts_ids || !plan.contains(way),
                "{}: {question:?}\n{plan}",
                stream.name
            );
        }
        assert!(plan.contains("SEARCH") || plan.contains("ndex"), "{plan}");
    }
}

/// What no index leads to is said before the first answer. The checkpoint is set to where it stands when others' changes were removed.
fn announces_a_scan(stream: &Stream, keeper: &Server, scratch: &Scratch, row: &Row) {
    run(
        keeper,
        &["UPDATE query_mysql.stream_state SET next_change_id = 600000"],
    );
    let get = |column| row.get(column).unwrap();
    let kind = ["--event-type", "insert"];
    for (question, scans) in [
        (&["--event-type", "insert"][..], true),
        (&["--where", "n=1"], true),
        (&["--changed-column", "n"], true),
        (&[], false),
        (&["--pk", "1", "--event-type", "insert"], false),
        (
            &[&kind[..], &["--table", get("table_name")]].concat(),
            false,
        ),
        (&[&kind[..], &["--gtid", get("gtid")]].concat(), false),
        (
            &[&kind[..], &["--until", get("event_timestamp")]].concat(),
            false,
        ),
    ] {
        let path = scratch.0.join("said");
        let file = File::create(&path).unwrap();
        let arguments = [&["query", "--format", "ndjson"], question].concat();
        let status = stream
            .command(&arguments)
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .status()
            .unwrap();
        assert!(status.success());
        let said = fs::read_to_string(&path).unwrap();
        let first = said.lines().next().unwrap_or_default();
        let announced =
            first.contains("no index leads to these rows alone: up to 600000 row changes");
        assert_eq!(announced, scans, "{question:?}: {first}");
    }
}

#[test]
fn every_question_is_answered_as_the_view_answers_it() {
    let seed = seed();
    let scratch = Scratch::new();
    let source = source(&["--binlog-row-metadata=FULL", "--max-binlog-size=1M"]);
    let keeper = index_server(&["--local-infile=ON"]);
    let start = ["--start-file", "mysql-bin.000001", "--server-id"];
    let mut streams = [
        Stream::new(
            "sqlite",
            &source,
            None,
            &scratch,
            &[&start[..], &["4100"]].concat(),
        ),
        Stream::new(
            "query-mysql",
            &source,
            Some(&keeper),
            &scratch,
            &[&start[..], &["4101"]].concat(),
        ),
    ];
    streams.iter_mut().for_each(Stream::start);
    let plan = Plan {
        ddl: true,
        ..Plan::mixed(seed, setting("BINTRAIL_TEST_ROW_EVENTS", 15_000))
    };
    let workload = Arc::new(Workload::create(&source, plan).unwrap());
    let (report, _) = workload.run().unwrap();
    for stream in &mut streams {
        stream.catch_up(&source);
        stream.terminate();
        let all = view(stream, &source);
        assert!(all.iter().any(|row| row.1.is_some()));
        assert_eq!(all.len() as u64, report.row_changes);
        let mut rng = Rng::new(seed);
        let mut rows = ask(stream, &all, &[], |_| true);
        for _ in 0..setting("BINTRAIL_TEST_QUESTIONS", 12) {
            rows += ask_about(stream, &all, &mut rng);
        }
        goes_by_indexes(stream, &all[all.len() / 2]);
        println!("{}: {rows} rows in answers", stream.name);
        if stream.name == "query-mysql" {
            announces_a_scan(stream, &keeper, &scratch, &all[all.len() / 2]);
        }
    }
}

#[test]
fn answers_come_in_every_form_and_a_reader_may_leave() {
    let scratch = Scratch::new();
    let source = source(&["--binlog-row-metadata=FULL"]);
    let start = ["--start-file", "mysql-bin.000001"];
    let mut stream = Stream::new("forms", &source, None, &scratch, &start);
    stream.start();
    let mut client = source.client().unwrap();
    for sql in [
        "CREATE DATABASE shop",
        "CREATE TABLE shop.orders (id INT, part INT, status VARCHAR(20), note TEXT, PRIMARY KEY (id, part))",
        "INSERT INTO shop.orders VALUES (-42, 2, 'new', 'a,\"b\"\\n\x1b[31m')",
        "UPDATE shop.orders SET status = 'paid' WHERE id = -42",
        "DELETE FROM shop.orders",
        "INSERT INTO shop.orders WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900)
         SELECT i, 0, 'x', REPEAT('y', 1000) FROM n",
    ] {
        client.run(sql).unwrap();
    }
    stream.catch_up(&source);
    stream.terminate();

    let row = [
        "query", "--schema", "shop", "--table", "orders", "--pk", "-42|2",
    ];
    let table = stream.output(&row);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(
        lines[0].starts_with("TIME (UTC)") && lines[0].ends_with("CHANGE"),
        "{table}"
    );
    assert!(
        lines[1].ends_with(r#"id: -42, part: 2, status: "new", note: "a,\"b\"\n\u001b[31m""#),
        "{table}"
    );
    assert!(
        lines[2].contains("  UPDATE  shop.orders  -42|2  status: \"new\" → \"paid\""),
        "{table}"
    );
    assert!(lines[3].contains("  DELETE  "), "{table}");

    let json = stream.output(&[&row[..], &["--format", "json"]].concat());
    let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(json[1]["changed_columns"], serde_json::json!(["status"]));
    assert_eq!(json[2]["row_before"]["note"], "a,\"b\"\n\u{1b}[31m");
    assert_eq!(json[2]["row_after"], serde_json::Value::Null);
    let none = ["query", "--table", "orders", "--pk", "none", "--format"];
    assert_eq!(stream.output(&[&none[..], &["json"]].concat()), "[]\n");
    assert_eq!(stream.output(&[&none[..], &["ndjson"]].concat()), "");
    assert_eq!(stream.output(&[&none[..], &["table"]].concat()), "");
    let csv = stream.output(&[&row[..], &["--format", "csv"]].concat());
    assert!(csv.starts_with("change_id,source_id,"), "{csv}");
    assert_eq!(csv.lines().count(), 4, "{csv}");
    assert!(
        csv.lines()
            .nth(2)
            .unwrap()
            .contains(r#",UPDATE,-42|2,"[""status""]","{""id"":-42,"#),
        "{csv}"
    );

    // Tables and columns that there are not.
    let output = stream
        .command(&["query", "--table", "Orders"])
        .output()
        .unwrap();
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no such table"));
    for (question, words) in [
        (&["--source-id", "7"][..], "no source 7"),
        (&["--since", "1h", "--until", "2h"], "--since is not before"),
    ] {
        let output = stream
            .command(&[&["query"], question].concat())
            .output()
            .unwrap();
        assert!(output.status.success() && output.stdout.is_empty());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(words), "{said}");
    }
    let output = stream
        .command(&["query", "--table", "orders", "--where", "x=1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("column x") && error.lines().count() == 1,
        "{error}"
    );
    let output = stream
        .command(&["query", "--since", "yesterday"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));

    // A reader that has seen enough.
    let mut child = stream
        .command(&["query", "--format", "ndjson"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::with_capacity(64, child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.contains("\"INSERT\""));
    let status = wait(&mut child);
    let mut error = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut error)
        .unwrap();
    assert!(status.success() && error.is_empty(), "{status}: {error}");
}
