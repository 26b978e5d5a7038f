//! The index's server is lost, and a replica of it takes its place that had not got all of it.

use bintrail_testkit::index::Index;
use bintrail_testkit::proxy::Proxy;
use bintrail_testkit::server::Server;

use crate::failover::{QUICK, replica, wait_for};
use crate::support::{PASSWORD, Scratch, Stream, ask, run, source};

/// What the replica lacks is read from the source again: row changes, tables, statements.
#[test]
fn a_replica_that_is_behind_takes_over_the_index() {
    let source = source(&[]);
    let first = Server::start("mysql97", "index", &QUICK).unwrap();
    let second = replica(&first);
    run(
        &first,
        &[
            &format!("CREATE USER keeper IDENTIFIED BY '{PASSWORD}'"),
            "GRANT ALL ON *.* TO keeper",
        ],
    );
    let [to_source, to_index] =
        [&source, &first].map(|server| Proxy::start(server.port, 1).unwrap());
    let scratch = Scratch::new();
    let file = source.position().unwrap().0;
    let mut streams = [
        ("by_gtid", "--start-gtid", ""),
        ("by_file", "--start-file", &file),
    ]
    .map(|(name, mode, from)| {
        Stream::new(name, &source, Some(&first), &scratch, &[mode, from])
            .through(&to_source, Some(&to_index))
    });
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY, a INT)",
            "INSERT INTO d.t VALUES (1, 1), (2, 2)",
        ],
    );
    for stream in &mut streams {
        stream.start();
        stream.catch_up(&source);
    }
    wait_for(&second, &first);
    run(&second, &["STOP REPLICA"]);

    // Names that only the first one has learned.
    run(
        &source,
        &[
            "UPDATE d.t SET a = 3 WHERE id = 1",
            "ALTER TABLE d.t ADD b INT FIRST",
            "CREATE TABLE d.u (x INT PRIMARY KEY, y INT)",
            "INSERT INTO d.u VALUES (1, 1)",
            "INSERT INTO d.t VALUES (5, 3, 5)",
        ],
    );
    for stream in &mut streams {
        stream.catch_up(&source);
    }
    first.kill().unwrap();
    run(&second, &["RESET REPLICA ALL"]);
    to_index.lead_to(second.port);
    run(
        &source,
        &[
            "INSERT INTO d.u VALUES (2, 2)",
            "DELETE FROM d.t WHERE id = 2",
        ],
    );
    for mut stream in streams {
        stream.index = Index::mysql(second.opts().db_name(Some(&stream.name)));
        stream.catch_up(&source);
        stream.terminate();
        let images =
            "SELECT CONCAT_WS(' ', row_before, row_after) FROM binlog_events ORDER BY change_id";
        let expected = [
            r#"{"id":1,"a":1}"#,
            r#"{"id":2,"a":2}"#,
            r#"{"id":1,"a":1} {"id":1,"a":3}"#,
            r#"{"x":1,"y":1}"#,
            r#"{"b":5,"id":3,"a":5}"#,
            r#"{"x":2,"y":2}"#,
            r#"{"b":null,"id":2,"a":2}"#,
        ];
        assert_eq!(ask(&stream, images), expected, "{}", stream.name);
        let statements = "SELECT COUNT(*) FROM schema_changes WHERE statement LIKE '%d.%'";
        assert_eq!(ask(&stream, statements), ["3"], "{}", stream.name);
    }
}
