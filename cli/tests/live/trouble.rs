//! What a source can do to a stream behind its back. Each of these once lost or spoilt something in silence.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::bad_input;
use crate::support::{
    PATIENCE, Scratch, Stream, ask, index_server, run, source, source_dsn, until, wait,
};

#[test]
fn a_table_made_and_filled_by_one_large_statement() {
    let source = source(&["--cte-max-recursion-depth=100000"]);
    let scratch = Scratch::new();
    run(&source, &["CREATE DATABASE d"]);
    let mut stream = Stream::new("filled", &source, None, &scratch, &["--batch-size", "100"]);
    stream.start();
    stream.catch_up(&source);
    run(
        &source,
        &["CREATE TABLE d.t AS WITH RECURSIVE s(n) AS \
           (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 30000) SELECT n, REPEAT('x', 100) AS x FROM s"],
    );
    stream.catch_up(&source);
    stream.terminate();
    let rows = "SELECT count(*) FROM binlog_events WHERE table_name = 't'";
    assert_eq!(ask(&stream, rows), ["30000"]);
    let made = "SELECT count(*) FROM schema_changes WHERE change_type = 'CREATE TABLE'";
    assert_eq!(ask(&stream, made), ["1"]);
}

#[test]
fn labels_and_names_with_quotes_and_backslashes() {
    let source = source(&[]);
    let keeper = index_server(&[]);
    let scratch = Scratch::new();
    run(
        &source,
        &[
            "CREATE DATABASE d",
            r#"CREATE TABLE d.t (id INT PRIMARY KEY, e ENUM('a\\b', 'c''d', 'e\nf', '\\n') NOT NULL,
               s SET('\\', 'z') NOT NULL, `q"q` INT, `b\b` INT, `d.d` INT, `$` INT, j JSON, f DOUBLE)"#,
        ],
    );
    let mut streams: Vec<Stream> = [("lite", None, "7001"), ("keep", Some(&keeper), "7002")]
        .into_iter()
        .map(|(name, keeper, id)| {
            Stream::new(name, &source, keeper, &scratch, &["--server-id", id])
        })
        .collect();
    for stream in &mut streams {
        stream.start();
        stream.catch_up(&source);
    }
    let deep = format!("'{}{}'", "[".repeat(100), "]".repeat(100));
    run(
        &source,
        &[
            r"INSERT INTO d.t VALUES (1, 'a\\b', '\\,z', 1, 1, 1, 1, '1', 0e0), (2, 'c''d', '', 1, 1, 1, 1, '[1]', 0),
              (3, 'e\nf', 'z', 1, 1, 1, 1, '1', 1), (4, '\\n', 'z', 1, 1, 1, 1, '1', 1)",
            r#"UPDATE d.t SET `q"q` = 2, `b\b` = 2, `d.d` = 2, `$` = 2 WHERE id = 1"#,
            "UPDATE d.t SET j = '[1.0]', f = -0e0 WHERE id = 2",
            &format!("UPDATE d.t SET j = {deep} WHERE id = 3"),
            "UPDATE d.t SET f = 7 WHERE id = 3",
        ],
    );
    let mut client = source.client().unwrap();
    let labels = client
        .strings("SELECT HEX(e), HEX(s) FROM d.t ORDER BY id")
        .unwrap();
    for stream in &mut streams {
        stream.catch_up(&source);
        stream.terminate();
        for (column, at) in [("e", 0), ("s", 1)] {
            let value = match at_mysql(stream) {
                true => format!("HEX(JSON_UNQUOTE(JSON_EXTRACT(row_after, '$.{column}')))"),
                false => format!("hex(json_extract(row_after, '$.{column}'))"),
            };
            let sql = format!(
                "SELECT {value} FROM binlog_events WHERE event_type = 'INSERT' ORDER BY change_id"
            );
            let expected: Vec<_> = labels.iter().map(|row| row[at].clone()).collect();
            assert_eq!(ask(stream, &sql), expected, "{} {column}", stream.name);
        }
        let changed: Vec<String> =
            ask(stream, "SELECT changed_columns FROM binlog_events WHERE event_type = 'UPDATE' ORDER BY change_id")
                .iter()
                .map(|names| names.replace(", ", ","))
                .collect();
        let expected = [
            r#"["q\"q","b\\b","d.d","$"]"#,
            r#"["j","f"]"#,
            r#"["j"]"#,
            r#"["f"]"#,
        ];
        assert_eq!(changed, expected, "{}", stream.name);
    }
}

fn at_mysql(stream: &Stream) -> bool {
    stream.name == "keep"
}

#[test]
fn rows_that_statements_changed_without_logging_them() {
    let source = source(&["--log-bin-trust-function-creators=ON"]);
    let scratch = Scratch::new();
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY)",
            "CREATE FUNCTION d.f(n INT) RETURNS INT DETERMINISTIC BEGIN INSERT INTO d.t VALUES (n); RETURN n; END",
        ],
    );
    let mut stream = Stream::new("statements", &source, None, &scratch, &[]);
    stream.start();
    stream.catch_up(&source);
    run(
        &source,
        &[
            "SET SESSION binlog_format = STATEMENT",
            "DO d.f(1)",
            "CREATE TABLE d.u SELECT * FROM d.t",
            "INSERT INTO d.t VALUES (2)",
        ],
    );
    stream.catch_up(&source);
    stream.terminate();
    let skips = "SELECT json_extract(capture_skips, '$.statement_dml.count') FROM stream_state";
    assert_eq!(ask(&stream, skips), ["3"]);
}

#[test]
fn binary_logs_that_were_reset_while_nobody_looked() {
    let source = source(&[]);
    let scratch = Scratch::new();
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY)",
            "FLUSH BINARY LOGS",
            "INSERT INTO d.t VALUES (1)",
        ],
    );
    let mut stream = Stream::new("reset", &source, None, &scratch, &[]);
    stream.start();
    stream.catch_up(&source);
    stream.terminate();
    run(&source, &["RESET BINARY LOGS AND GTIDS"]);
    // More transactions than were read before: by its GTIDs, the stream has the first ones.
    for id in 10..30 {
        run(&source, &[&format!("INSERT INTO d.t VALUES ({id})")]);
    }
    let index = format!("sqlite:{}", scratch.0.join("reset/index.db").display());
    let dsn = source_dsn(&source);
    bad_input::stream(&dsn, &["--index-dsn", &index], 15, &["reset", "--reset"]);
    let mut stream = stream.with(&["--reset", "--start-file", "mysql-bin.000001"]);
    stream.start();
    stream.catch_up(&source);
    stream.terminate();
    let rows = "SELECT count(*) FROM binlog_events WHERE json_extract(row_after, '$.id') >= 10";
    assert_eq!(ask(&stream, rows), ["20"]);
}

/// The old checkpoint stays until the new start has shown to be a place in the binlog.
#[test]
fn a_reset_that_a_crash_cuts_off() {
    let source = source(&[]);
    let scratch = Scratch::new();
    run(
        &source,
        &["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)"],
    );
    let mut stream = Stream::new("reset", &source, None, &scratch, &[]);
    stream.start();
    stream.catch_up(&source);
    run(&source, &["INSERT INTO d.t VALUES (1)"]);
    stream.catch_up(&source);
    stream.terminate();
    run(&source, &["INSERT INTO d.t VALUES (2)"]);
    let (file, position) = source.position().unwrap();
    let end = position.to_string();
    let started = stream.log().matches("streaming").count();
    let mut stream = stream.with(&["--reset", "--start-file", &file, "--start-pos", &end]);
    stream.start();
    let begun = std::time::Instant::now();
    while stream.log().matches("streaming").count() == started {
        stream.assert_runs();
        assert!(begun.elapsed() < PATIENCE, "{}", stream.log());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    stream.kill();
    let mut stream = stream.with(&[]);
    stream.start();
    run(&source, &["INSERT INTO d.t VALUES (3)"]);
    stream.catch_up(&source);
    stream.terminate();
    let keys = ask(
        &stream,
        "SELECT pk_values FROM binlog_events WHERE table_name = 't' ORDER BY change_id",
    );
    let gap = &ask(
        &stream,
        "SELECT coalesce(gap_lost_detail, '') FROM stream_state",
    )[0];
    // Killed before or after the reset was done, it is one or the other.
    match keys.join(",").as_str() {
        "1,2,3" => assert_eq!(gap, ""),
        "1,3" => assert!(gap.contains("reset: left out"), "{gap}"),
        other => panic!("{other}, {gap}"),
    }
}

/// An idle source tells of nothing, and yet the stream has to know where it began.
#[test]
fn a_start_that_is_stopped_before_any_event() {
    let source = source(&[]);
    let scratch = Scratch::new();
    run(
        &source,
        &["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)"],
    );
    let (file, position) = source.position().unwrap();
    let end = position.to_string();
    let start = ["--start-file", &file, "--start-pos", &end];
    let mut stream = Stream::new("early", &source, None, &scratch, &start);
    stream.start();
    stream.says("streaming", 1);
    let begun = "SELECT COALESCE(mode, '') FROM stream_state";
    while ask(&stream, begun) != ["position"] {
        stream.assert_runs();
        assert!(
            stream.new_log().lines().count() < 100,
            "{}",
            stream.new_log()
        );
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    stream.kill();
    run(&source, &["INSERT INTO d.t VALUES (1)"]);
    let mut stream = stream.with(&[]);
    stream.start();
    stream.catch_up(&source);
    stream.terminate();
    let keys = "SELECT pk_values FROM binlog_events WHERE table_name = 't'";
    assert_eq!(ask(&stream, keys), ["1"]);
}

/// Rows under columns without names have no key: who asks by key must hear of them.
#[test]
fn rows_without_a_key_are_not_passed_over_in_silence() {
    let source = source(&[]);
    let scratch = Scratch::new();
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY, v INT)",
            "CREATE TABLE d.u (id INT PRIMARY KEY, v INT)",
            "INSERT INTO d.t VALUES (1, 1)",
            "RENAME TABLE d.t TO d.old, d.u TO d.t",
            "INSERT INTO d.t VALUES (1, 2)",
        ],
    );
    // Nothing that was known leads on from here, as the statements that made the tables are left out.
    let position = source
        .client()
        .unwrap()
        .strings("SHOW BINLOG EVENTS")
        .unwrap()
        .into_iter()
        .find(|row| row[5].contains("CREATE TABLE d.u"))
        .unwrap()[4]
        .clone();
    let start = ["--start-file", "mysql-bin.000001", "--start-pos", &position];
    let mut stream = Stream::new("nameless", &source, None, &scratch, &start);
    stream.start();
    stream.catch_up(&source);
    stream.terminate();
    let by_key = ["--schema", "d", "--table", "t", "--pk", "1"];
    let run = |command: &str, more: &[&str]| {
        let output = stream
            .command(&[&[command], &by_key[..], more].concat())
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), error)
    };
    let (code, said) = run("query", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("passed over"), "{said}");
    let (code, said) = run("recover", &["--dry-run"]);
    assert_eq!(code, Some(41), "{said}");
    assert!(said.contains("not known"), "{said}");
}

/// What is left of a pipe when the program that kept the log is gone.
#[test]
fn a_reader_of_the_log_that_goes_away() {
    let source = source(&[]);
    let scratch = Scratch::new();
    run(
        &source,
        &["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)"],
    );
    let stream = Stream::new("unread", &source, None, &scratch, &[]);
    let mut child = stream
        .command(&["stream", "--checkpoint", "1", "--start-gtid", ""])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    log.read_line(&mut first).unwrap();
    drop(log);
    let mut arrived = |id: &str| {
        run(&source, &[&format!("INSERT INTO d.t VALUES ({id})")]);
        until(|| {
            assert_eq!(child.try_wait().unwrap(), None, "it has ended");
            let rows = "SELECT pk_values FROM binlog_events WHERE pk_values = ?";
            let rows = rows.replace('?', &format!("'{id}'"));
            let mut index = stream.index.open().ok()?;
            index.query(&rows).ok()?.pop()
        });
    };
    arrived("1");
    // It has something to say.
    let mut client = source.client().unwrap();
    for reader in client
        .strings("SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'")
        .unwrap()
    {
        client.run(&format!("KILL {}", reader[0])).unwrap();
    }
    arrived("2");
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(id).status().unwrap().success());
    assert!(wait(&mut child).success());
}
