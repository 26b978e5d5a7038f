//! `bintrail show` on both backends: at each of many moments the rows are what the source's own table had then, and
//! what cannot be known is said.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use bintrail_testkit::client::Client;
use bintrail_testkit::server::Server;
use bintrail_testkit::workload::Rng;
use serde_json::Value;

use crate::stream::seed;
use crate::support::{Scratch, Stream, index_server, run, setting, source};

/// What the source's table has, by key: the other columns as the server's own functions print them.
type Rows = BTreeMap<i64, [String; 3]>;

/// A moment, and what the table had then.
struct Moment {
    at: String,
    rows: Rows,
}

impl Moment {
    /// Now, as seen by another session.
    fn of(source: &Server) -> Self {
        // Behind what is committed, and before what will be.
        sleep(Duration::from_millis(2));
        let mut client = source.client().unwrap();
        let at = client.string("SELECT UTC_TIMESTAMP(6)").unwrap();
        sleep(Duration::from_millis(2));
        let sql = "SELECT id, IFNULL(n, 'null'), IFNULL(HEX(note), 'null'), IFNULL(TO_BASE64(bin), 'null') FROM shop.t";
        let rows = client.strings(sql).unwrap().into_iter().map(|row| {
            let [id, n, note, bin] = row.try_into().unwrap();
            (id.parse().unwrap(), [n, note, bin])
        });
        Self {
            at,
            rows: rows.collect(),
        }
    }
}

/// A row that `show` printed, in the same form.
fn shown(row: &Value) -> (i64, [String; 3]) {
    let hex = |text: &str| {
        text.bytes()
            .map(|byte| format!("{byte:02X}"))
            .collect::<String>()
    };
    let row = &row["row"];
    let note = row["note"].as_str().map_or_else(|| "null".to_owned(), hex);
    let bin = row["bin"]
        .as_str()
        .map_or("null", |text| text.rsplit(':').next().unwrap());
    (
        row["id"].as_i64().unwrap(),
        [row["n"].to_string(), note, bin.to_owned()],
    )
}

fn show(stream: &Stream, arguments: &[&str]) -> Vec<Value> {
    let arguments = [
        &["show", "--schema", "shop", "--format", "ndjson"],
        arguments,
    ]
    .concat();
    let printed = stream.output(&arguments);
    printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn random_statement(rng: &mut Rng) -> String {
    let id = 1 + rng.below(30);
    let other = 1 + rng.below(30);
    let n = rng.below(1_000);
    match rng.below(8) {
        0..3 => format!(
            "INSERT IGNORE INTO shop.t VALUES ({id}, {n}, IF({n} % 5, 'é {n}', NULL), UNHEX(SHA2({n}, 256)))"
        ),
        3 => format!("UPDATE shop.t SET n = n + 1, note = 'updated {n}' WHERE id = {id}"),
        4 => format!("UPDATE shop.t SET n = NULL WHERE id BETWEEN {id} AND {other}"),
        5 => format!("UPDATE IGNORE shop.t SET id = {other} WHERE id = {id}"),
        6 => format!("DELETE FROM shop.t WHERE id = {id}"),
        _ => format!("REPLACE INTO shop.t VALUES ({id}, {n}, '{n}', X'00FF')"),
    }
}

fn xa(
    client: &mut Client,
    source: &Server,
    moments: &mut Vec<Moment>,
    number: usize,
    outcome: &str,
) {
    for sql in [
        // A row that is not there locks no others.
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
        format!("XA START 'x{number}'"),
        "REPLACE INTO shop.t VALUES (7, 7, 'in doubt', NULL)".to_owned(),
        "DELETE FROM shop.t WHERE id = 8".to_owned(),
        format!("XA END 'x{number}'"),
        format!("XA PREPARE 'x{number}'"),
    ] {
        client.run(&sql).unwrap();
    }
    moments.push(Moment::of(source));
    client
        .run("INSERT IGNORE INTO shop.other VALUES (1)")
        .unwrap_or_default();
    run(
        source,
        &["REPLACE INTO shop.t VALUES (9, 9, 'meanwhile', NULL)"],
    );
    moments.push(Moment::of(source));
    client.run(&format!("XA {outcome} 'x{number}'")).unwrap();
    moments.push(Moment::of(source));
}

#[test]
fn rows_are_what_the_source_had_at_each_moment() {
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
            &[&start[..], &["4200"]].concat(),
        ),
        Stream::new(
            "show-mysql",
            &source,
            Some(&keeper),
            &scratch,
            &[&start[..], &["4201"]].concat(),
        ),
    ];
    streams.iter_mut().for_each(Stream::start);
    run(
        &source,
        &[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.other (id INT PRIMARY KEY)",
            "INSERT INTO shop.other VALUES (0)",
            "CREATE TABLE shop.t (id INT PRIMARY KEY, n INT, note VARCHAR(40), bin VARBINARY(40))",
        ],
    );
    let mut rng = Rng::new(seed());
    let mut client = source.client().unwrap();
    let mut moments = vec![Moment::of(&source)];
    let steps = setting("BINTRAIL_TEST_STEPS", 60);
    for step in 0..steps {
        client.run("BEGIN").unwrap();
        for _ in 0..=rng.below(6) {
            client.run(&random_statement(&mut rng)).unwrap();
        }
        client
            .run(if rng.below(10) > 0 {
                "COMMIT"
            } else {
                "ROLLBACK"
            })
            .unwrap();
        moments.push(Moment::of(&source));
        if step == steps / 3 {
            xa(&mut client, &source, &mut moments, 1, "COMMIT");
        } else if step == steps / 2 {
            xa(&mut client, &source, &mut moments, 2, "ROLLBACK");
        } else if step == steps * 2 / 3 {
            client.run("TRUNCATE TABLE shop.t").unwrap();
            moments.push(Moment::of(&source));
        }
    }
    // Two keys change places in one transaction.
    for sql in [
        "REPLACE INTO shop.t VALUES (1, 1, 'one', NULL), (2, 2, 'two', NULL)",
        "BEGIN",
        "UPDATE shop.t SET id = 99 WHERE id = 1",
        "UPDATE shop.t SET id = 1 WHERE id = 2",
        "UPDATE shop.t SET id = 2 WHERE id = 99",
        "COMMIT",
    ] {
        client.run(sql).unwrap();
    }
    moments.push(Moment::of(&source));
    // Behind the last moment, there is something.
    client.run("INSERT INTO shop.other VALUES (2)").unwrap();
    let keys: Vec<String> = (1..=31).chain([99]).map(|key| key.to_string()).collect();
    for stream in &mut streams {
        stream.catch_up(&source);
        stream.terminate();
        for moment in &moments {
            let table = show(stream, &["--table", "t", "--at", &moment.at]);
            assert!(
                table.iter().all(|row| row["state"] == "present"),
                "{}",
                moment.at
            );
            let rows: Vec<_> = table.iter().map(shown).collect();
            let expected: Vec<_> = moment.rows.clone().into_iter().collect();
            assert_eq!(rows, expected, "{} at {}", stream.name, moment.at);

            let mut arguments = vec!["--table", "t", "--at", &moment.at];
            arguments.extend(keys.iter().flat_map(|key| ["--pk", key]));
            let rows = show(stream, &arguments);
            assert_eq!(rows.len(), keys.len());
            for (key, row) in keys.iter().zip(rows) {
                assert_eq!(row["pk_values"], **key);
                let id = key.parse().unwrap();
                match moment.rows.get(&id) {
                    Some(expected) => {
                        assert_eq!(
                            row["state"], "present",
                            "{} at {}: {row}",
                            stream.name, moment.at
                        );
                        assert_eq!(shown(&row), (id, expected.clone()));
                        assert_eq!(row["unknown_columns"], serde_json::json!([]));
                    }
                    None => assert_eq!(
                        row["state"], "absent",
                        "{} at {}: {row}",
                        stream.name, moment.at
                    ),
                }
            }
        }
        // Without a time: the end.
        let rows: Vec<_> = show(stream, &["--table", "t"]).iter().map(shown).collect();
        let last = moments.last().unwrap().rows.clone();
        assert_eq!(
            rows,
            last.into_iter().collect::<Vec<_>>(),
            "{}",
            stream.name
        );
        // The statement is in the history, between the changes.
        let history = show(stream, &["--table", "t", "--pk", "1", "--history"]);
        let truncated = |step: &Value| step["event"] == "TRUNCATE TABLE shop.t";
        assert_eq!(history.iter().filter(|step| truncated(step)).count(), 1);
        let times: Vec<_> = history
            .iter()
            .map(|step| step["event_timestamp"].as_str().unwrap())
            .collect();
        assert!(times.is_sorted(), "{times:?}");
    }
}

#[test]
fn what_the_history_does_not_tell_is_said() {
    let scratch = Scratch::new();
    let source = source(&["--binlog-row-metadata=FULL"]);
    run(
        &source,
        &[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.old (id INT PRIMARY KEY, a INT, b VARCHAR(20) DEFAULT 'b')",
            "CREATE TABLE shop.other (id INT PRIMARY KEY)",
            "INSERT INTO shop.old (id, a) VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, 50)",
        ],
    );
    let (file, position) = source.position().unwrap();
    let position = position.to_string();
    let start = ["--start-file", &file, "--start-pos", &position];
    let mut stream = Stream::new("unknown", &source, None, &scratch, &start);
    stream.start();
    let now = || {
        sleep(Duration::from_millis(2));
        let at = source
            .client()
            .unwrap()
            .string("SELECT UTC_TIMESTAMP(6)")
            .unwrap();
        sleep(Duration::from_millis(2));
        at
    };
    let mut client = source.client().unwrap();
    let before = now();
    client.run("INSERT INTO shop.other VALUES (1)").unwrap();
    let begun = now();
    client
        .run("UPDATE shop.old SET a = 11 WHERE id = 1")
        .unwrap();
    client.run("DELETE FROM shop.old WHERE id = 3").unwrap();
    client
        .run("INSERT INTO shop.old VALUES (6, 60, 'six')")
        .unwrap();
    // Nobody sees this.
    client
        .run("UPDATE shop.old SET a = 41 WHERE id = 4")
        .unwrap();
    let seen = now();
    client.run("SET sql_log_bin = 0").unwrap();
    client
        .run("UPDATE shop.old SET a = 42 WHERE id = 4")
        .unwrap();
    client.run("SET sql_log_bin = 1").unwrap();
    client
        .run("UPDATE shop.old SET a = 43 WHERE id = 4")
        .unwrap();
    client.run("SET binlog_row_image = MINIMAL").unwrap();
    client
        .run("INSERT INTO shop.old (id, a) VALUES (7, 70)")
        .unwrap();
    client
        .run("UPDATE shop.old SET a = 71 WHERE id = 7")
        .unwrap();
    client
        .run("UPDATE shop.old SET a = 12 WHERE id = 1")
        .unwrap();
    client
        .run("UPDATE shop.old SET a = 51 WHERE id = 5")
        .unwrap();
    client.run("SET binlog_row_image = FULL").unwrap();
    let minimal = now();
    client
        .run("ALTER TABLE shop.old ADD c INT DEFAULT 5")
        .unwrap();
    let altered = now();
    client
        .run("UPDATE shop.old SET a = 13 WHERE id = 1")
        .unwrap();
    client.run("CREATE TABLE shop.loose (a INT)").unwrap();
    client.run("INSERT INTO shop.loose VALUES (2)").unwrap();
    stream.catch_up(&source);
    stream.terminate();

    let one = |at: &str, key: &str| {
        let rows = show(&stream, &["--table", "old", "--at", at, "--pk", key]);
        assert_eq!(rows.len(), 1);
        rows.into_iter().next().unwrap()
    };
    let is = |at: &str, key: &str, a: i64, unknown: &[&str]| {
        let row = one(at, key);
        assert_eq!(row["state"], "present", "{row}");
        assert_eq!(row["row"]["a"], a, "{row}");
        assert_eq!(row["unknown_columns"], serde_json::json!(unknown), "{row}");
    };
    let unknown = |at: &str, key: &str, why: &str| {
        let row = one(at, key);
        assert_eq!(row["state"], "unknown", "{row}");
        assert_eq!(row["row"], Value::Null, "{row}");
        assert!(row["reason"].as_str().unwrap().contains(why), "{row}");
    };
    // Before the history, and without any.
    unknown(&before, "1", "begins at");
    unknown(&begun, "2", "no change of such a row");
    // Before its first change, as that one found it.
    is(&begun, "1", 10, &[]);
    is(&begun, "3", 30, &[]);
    assert_eq!(one(&begun, "6")["state"], "absent");
    assert_eq!(one(&seen, "3")["state"], "absent");
    unknown(&seen, "4", "by something that is not in the index");
    // Minimal images: what was known before counts, a default does not.
    is(&minimal, "7", 71, &["b"]);
    is(&minimal, "1", 12, &[]);
    is(&minimal, "5", 51, &["b"]);
    // Under another definition, unless the next change tells.
    unknown(&altered, "6", "ALTER TABLE shop.old ADD c INT");
    let row = one(&altered, "1");
    assert_eq!(
        (&row["row"]["a"], &row["row"]["c"]),
        (&12.into(), &5.into()),
        "{row}"
    );
    // No row comes back with a column.
    assert_eq!(one(&altered, "3")["state"], "absent");
    // A whole table says which of its rows it does not know.
    let table = show(&stream, &["--table", "old", "--at", &altered]);
    let unknown: Vec<_> = table
        .iter()
        .filter(|row| row["state"] == "unknown")
        .map(|row| row["pk_values"].as_str().unwrap())
        .collect();
    assert_eq!(unknown, ["4", "5", "6", "7"]);

    // Forms for people.
    let arguments = [
        "show", "--table", "old", "--pk", "7", "--pk", "2", "--at", &minimal,
    ];
    let table = stream.output(&arguments);
    assert!(
        table
            .lines()
            .nth(1)
            .unwrap()
            .ends_with("id: 7, a: 71, b: ?"),
        "{table}"
    );
    assert!(
        table
            .lines()
            .nth(2)
            .unwrap()
            .contains("not known: the index has no change"),
        "{table}"
    );
    let csv = stream.output(&[&arguments[..], &["--format", "csv"]].concat());
    assert!(
        csv.starts_with("schema_name,table_name,pk_values,state,row,"),
        "{csv}"
    );
    let history = stream.output(&["show", "--table", "old", "--pk", "1", "--history"]);
    let lines: Vec<&str> = history.lines().collect();
    assert_eq!(lines.len(), 5, "{history}");
    assert!(lines[1].contains("a: 10 → 11"), "{history}");
    assert!(
        lines[3].ends_with("ALTER TABLE shop.old ADD c INT DEFAULT 5"),
        "{history}"
    );
    // A table whose rows cannot be told apart, and one that is not there.
    let output = stream
        .command(&["show", "--table", "loose"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no primary key"));
    let output = stream
        .command(&["show", "--table", "none"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
}
