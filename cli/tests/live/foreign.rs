//! `bintrail recover` among foreign keys: rows that the source changed along with others come back, whether it logs them or not, and
//! none that came since goes along with what is undone.

use std::path::Path;

use bintrail_testkit::client::Client;
use bintrail_testkit::server::Server;

use crate::both::Both;
use crate::emptied::moment;
use crate::recover::{self, assert_runs};
use crate::support::{Scratch, Stream, run, source_of};

const TABLES: &[&str] = &[
    "CREATE DATABASE fk",
    "CREATE TABLE fk.a (id INT PRIMARY KEY)",
    "CREATE TABLE fk.b (id INT PRIMARY KEY, a INT, note VARCHAR(20), \
     FOREIGN KEY (a) REFERENCES fk.a (id) ON DELETE CASCADE ON UPDATE CASCADE)",
    "CREATE TABLE fk.c (id INT PRIMARY KEY, b INT, FOREIGN KEY (b) REFERENCES fk.b (id) ON DELETE SET NULL)",
    "CREATE TABLE fk.d (name VARCHAR(20) PRIMARY KEY, b INT, raw VARBINARY(4), \
     FOREIGN KEY (b) REFERENCES fk.b (id) ON DELETE CASCADE)",
    "CREATE TABLE fk.tree (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES fk.tree (id) ON DELETE CASCADE)",
    "INSERT INTO fk.a VALUES (1), (2), (30), (4)",
    "INSERT INTO fk.b VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 30, 'three'), (4, NULL, 'none'), (5, 4, 'five')",
    "INSERT INTO fk.c VALUES (1, 1), (2, 2), (3, 3), (4, NULL)",
    "INSERT INTO fk.d VALUES ('é', 1, X'00FF'), ('x', 1, NULL), ('y', 3, ''), ('z', 2, '')",
    "INSERT INTO fk.tree VALUES (1, NULL), (2, 1), (3, 2), (4, 1), (5, NULL)",
    "DELETE FROM fk.a WHERE id = 4",
    // Their rows refer to another value since, of which no event tells.
    "UPDATE fk.a SET id = 3 WHERE id = 30",
];

const WORK: &[&str] = &[
    "UPDATE fk.a SET id = 11 WHERE id = 1",
    "UPDATE fk.b SET note = 'more' WHERE id = 1",
    "DELETE FROM fk.a WHERE id IN (11, 3)",
    "DELETE FROM fk.tree WHERE id = 1",
    "INSERT INTO fk.d VALUES ('later', 2, NULL)",
];

fn tables(client: &mut Client) -> Vec<Vec<String>> {
    let rows = |sql: &str, client: &mut Client| client.strings(sql).unwrap().concat();
    [
        "SELECT id FROM fk.a ORDER BY id",
        "SELECT CONCAT_WS(' ', id, IFNULL(a, 'NULL'), note) FROM fk.b ORDER BY id",
        "SELECT CONCAT_WS(' ', id, IFNULL(b, 'NULL')) FROM fk.c ORDER BY id",
        "SELECT CONCAT_WS(' ', HEX(name), b, IFNULL(HEX(raw), 'NULL')) FROM fk.d ORDER BY name",
        "SELECT CONCAT_WS(' ', id, IFNULL(parent, 'NULL')) FROM fk.tree ORDER BY id",
    ]
    .map(|sql| rows(sql, client))
    .into()
}

const NOT_LOOKED_UP: &str = "foreign keys were not looked up: rows that the source deleted or changed along with these, \
                             below its binlog, are not among them; to have them found, give --target-dsn mysql://USER@HOST/";

/// Who may see the foreign keys: MariaDB shows them to who may do more than read.
fn target(server: &Server) -> String {
    format!("mysql://root@127.0.0.1:{}/", server.port)
}

fn written<'p>(streams: &Both, server: &Server, path: &'p Path, what: &[&str]) -> &'p Path {
    streams.write(server, path, what);
    path
}

#[test]
fn rows_that_went_along_unlogged_come_back() {
    let scratch = Scratch::new();
    let server = source_of("mariadb", &[]);
    let streams = Both::start("keys", &server, &scratch);
    run(&server, TABLES);
    let mut client = server.client().unwrap();
    let (before, since) = (tables(&mut client), moment(&server));
    run(&server, WORK);
    let (after, until) = (tables(&mut client), moment(&server));
    streams.catch_up(&server);

    let target = target(&server);
    let what = [
        "--schema",
        "fk",
        "--since",
        &since,
        "--until",
        &until,
        "--target-dsn",
        &target,
    ];
    let told = streams.output(&server, &[&["recover"], &what[..], &["--dry-run"]].concat());
    for line in [
        "fk.b: 3 rows that the source changed along with those of fk.a (ON DELETE CASCADE, ON UPDATE CASCADE), \
         below its binlog, from the history\n",
        "fk.c: 2 rows that the source changed along with those of fk.b (ON DELETE SET NULL)",
        "fk.d: 3 rows that the source changed along",
        "fk.tree: 3 rows that the source changed along",
        "conflicts: 0\n",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    // Without a target nobody looks, and it says so. What is done again, the server does again.
    assert!(!told.contains(NOT_LOOKED_UP), "{told}");
    let alone = &what[..6];
    let written_to_stdout = streams
        .on_mysql()
        .command(&[&["recover"], alone].concat())
        .output()
        .unwrap();
    assert!(written_to_stdout.status.success());
    for (text, start) in [
        (written_to_stdout.stdout, "--   "),
        (written_to_stdout.stderr, ""),
    ] {
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(&format!("{start}{NOT_LOOKED_UP}")), "{text}");
    }
    for (more, told) in [
        (&["--dry-run"][..], true),
        (&["--dry-run", "--redo"], false),
    ] {
        let summary = streams.output(&server, &[&["recover"], alone, more].concat());
        assert_eq!(summary.contains(NOT_LOOKED_UP), told, "{summary}");
    }
    let path = scratch.0.join("keys.sql");
    for more in [&[][..], &["--no-foreign-key-checks"]] {
        assert_runs(
            &server,
            written(&streams, &server, &path, &[&what[..], more].concat()),
        );
        assert_eq!(tables(&mut client), before, "{more:?}");
        // The rules of the foreign keys do theirs again.
        assert_runs(
            &server,
            written(&streams, &server, &path, &[&what[..], &["--redo"]].concat()),
        );
        assert_eq!(tables(&mut client), after);
    }
    let told = streams
        .on_mysql()
        .output(&[&["recover"], &what[..], &["--apply"]].concat());
    assert_eq!(tables(&mut client), before, "{told}");
    streams.terminate();
}

/// The foreign keys of a table are not those of another whose name differs from it in case, which MariaDB's views take for the same.
#[test]
fn tables_that_differ_in_case_have_their_own_foreign_keys() {
    let scratch = Scratch::new();
    let server = source_of("mariadb", &[]);
    let streams = Both::start("keys", &server, &scratch);
    run(
        &server,
        &[
            "CREATE DATABASE fk",
            "CREATE TABLE fk.a (id INT PRIMARY KEY)",
            "CREATE TABLE fk.A (id INT PRIMARY KEY)",
            "CREATE TABLE fk.b (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES fk.A (id) ON DELETE CASCADE)",
            "CREATE TABLE fk.B (id INT PRIMARY KEY, a INT, x INT, \
             CONSTRAINT of_other FOREIGN KEY (a) REFERENCES fk.A (id) ON DELETE CASCADE)",
            "INSERT INTO fk.a VALUES (1), (2)",
            "INSERT INTO fk.A VALUES (1), (2)",
            "INSERT INTO fk.b VALUES (1, 1), (2, 2)",
            "INSERT INTO fk.B VALUES (1, 1, 0), (2, 2, 0)",
        ],
    );
    let mut client = server.client().unwrap();
    let mut rows = || {
        let sql = "SELECT CONCAT('a', id) FROM fk.a UNION ALL SELECT CONCAT('A', id) FROM fk.A \
                   UNION ALL SELECT CONCAT('b', id, a) FROM fk.b UNION ALL SELECT CONCAT('B', id, a) FROM fk.B";
        let mut rows = client.strings(sql).unwrap().concat();
        rows.sort();
        rows
    };
    let (before, since) = (rows(), moment(&server));
    run(
        &server,
        &[
            "INSERT INTO fk.a VALUES (3)",
            "DELETE FROM fk.a WHERE id = 1",
            "DELETE FROM fk.A WHERE id = 2",
        ],
    );
    let (after, until) = (rows(), moment(&server));
    streams.catch_up(&server);
    let target = target(&server);
    let what = ["--schema", "fk", "--since", &since, "--until", &until];
    // Nobody refers to the row that is deleted, whoever writes it.
    let path = scratch.0.join("case.sql");
    let inserted = [&what[..], &["--table", "a"]].concat();
    assert_runs(&server, written(&streams, &server, &path, &inserted));
    let redone = [&inserted[..], &["--redo"]].concat();
    assert_runs(&server, written(&streams, &server, &path, &redone));
    assert_eq!(rows(), after);

    let what = [&what[..], &["--target-dsn", &target]].concat();
    let told = streams.output(&server, &[&["recover"], &what[..], &["--dry-run"]].concat());
    for table in ["b", "B"] {
        let line = format!(
            "fk.{table}: 1 row that the source changed along with those of fk.A (ON DELETE CASCADE)"
        );
        assert!(told.contains(&line), "{line}: {told}");
    }
    assert!(!told.contains("along with those of fk.a"), "{told}");
    assert_runs(&server, written(&streams, &server, &path, &what));
    assert_eq!(rows(), before);
    streams.terminate();
}

/// What the history does not tell of such rows is said, and the others come back.
#[test]
fn rows_that_went_along_and_cannot_be_followed_are_told_of() {
    let scratch = Scratch::new();
    let server = source_of("mariadb", &[]);
    let file = server.position().unwrap().0;
    let mut stream = Stream::new("lost", &server, None, &scratch, &["--start-file", &file]);
    stream.start();
    run(
        &server,
        &[
            "CREATE DATABASE fk",
            "CREATE TABLE fk.a (id INT PRIMARY KEY)",
            "CREATE TABLE fk.keyless (a INT, FOREIGN KEY (a) REFERENCES fk.a (id) ON DELETE CASCADE)",
            "CREATE TABLE fk.part (id INT PRIMARY KEY, a INT, note VARCHAR(20), \
             FOREIGN KEY (a) REFERENCES fk.a (id) ON DELETE CASCADE)",
            "CREATE TABLE fk.moved (a INT, n INT, PRIMARY KEY (a, n), FOREIGN KEY (a) REFERENCES fk.a (id) ON UPDATE CASCADE)",
            "CREATE TABLE fk.renamed (id INT PRIMARY KEY, b INT)",
            "INSERT INTO fk.a VALUES (1), (2)",
            "INSERT INTO fk.keyless VALUES (1)",
            "INSERT INTO fk.part VALUES (1, 1, 'one'), (2, 1, 'two')",
            "INSERT INTO fk.moved VALUES (2, 5)",
            "INSERT INTO fk.renamed VALUES (1, 1)",
            "SET binlog_row_image = MINIMAL",
            "UPDATE fk.part SET note = 'ONE' WHERE id = 1",
            "SET binlog_row_image = FULL",
            "ALTER TABLE fk.renamed CHANGE b a INT, ADD FOREIGN KEY (a) REFERENCES fk.a (id) ON DELETE CASCADE",
        ],
    );
    let since = moment(&server);
    run(
        &server,
        &[
            "DELETE FROM fk.a WHERE id = 1",
            "UPDATE fk.a SET id = 3 WHERE id = 2",
        ],
    );
    stream.catch_up(&server);
    let target = target(&server);
    let what = ["--schema", "fk", "--since", &since, "--target-dsn", &target];
    let told = stream.output(&[&["recover"], &what[..], &["--dry-run"]].concat());
    for (table, rows, rule, why) in [
        (
            "keyless",
            "0 rows",
            "DELETE",
            "the table has no primary key, by which its rows could be followed",
        ),
        (
            "part",
            "1 row",
            "DELETE",
            "images of its rows are not whole (binlog_row_image was not FULL)",
        ),
        (
            "moved",
            "0 rows",
            "UPDATE",
            "rows whose primary key went along are not among them",
        ),
        (
            "renamed",
            "0 rows",
            "DELETE",
            "it had no column of a name that its foreign key has by now",
        ),
    ] {
        let line = format!(
            "fk.{table}: {rows} that the source changed along with those of fk.a (ON {rule} CASCADE), below its binlog, from \
             the history; {why}\n"
        );
        assert!(told.contains(&line), "{line}{told}");
    }
    let told = stream.output(&[&["recover"], &what[..], &["--apply"]].concat());
    assert!(
        told.contains("fk.a: 1 row inserted, 1 row updated\n"),
        "{told}"
    );
    let mut client = server.client().unwrap();
    let mut rows = |sql: &str| client.strings(sql).unwrap().concat();
    assert_eq!(rows("SELECT id FROM fk.a ORDER BY id"), ["1", "2"]);
    assert_eq!(
        rows("SELECT CONCAT_WS(' ', id, a, note) FROM fk.part"),
        ["2 1 two"]
    );
    // The server's own rule brings it back.
    assert_eq!(rows("SELECT CONCAT_WS(' ', a, n) FROM fk.moved"), ["2 5"]);
    for table in ["keyless", "renamed"] {
        assert_eq!(
            rows(&format!("SELECT a FROM fk.{table}")),
            Vec::<String>::new()
        );
    }
    stream.terminate();
}

/// What a source logs of them is undone as anything else.
#[test]
fn rows_that_went_along_logged_come_back() {
    let scratch = Scratch::new();
    let server = source_of("mysql97", &[]);
    let streams = Both::start("keys", &server, &scratch);
    run(&server, TABLES);
    let mut client = server.client().unwrap();
    let (before, since) = (tables(&mut client), moment(&server));
    run(&server, WORK);
    let until = moment(&server);
    streams.catch_up(&server);
    let target = target(&server);
    // They stand behind those that they follow.
    let what = [
        "--schema",
        "fk",
        "--since",
        &since,
        "--until",
        &until,
        "--no-foreign-key-checks",
    ];
    let path = scratch.0.join("keys.sql");
    let told = streams.output(
        &server,
        &[
            &["recover"],
            &what[..],
            &["--dry-run", "--target-dsn", &target],
        ]
        .concat(),
    );
    assert!(
        !told.contains("below its binlog") && told.contains("conflicts: 0\n"),
        "{told}"
    );
    let told = streams.output(&server, &[&["recover"], &what[..], &["--dry-run"]].concat());
    assert!(!told.contains(NOT_LOOKED_UP), "{told}");
    assert_runs(&server, written(&streams, &server, &path, &what));
    assert_eq!(tables(&mut client), before);
    streams.terminate();
}

/// An inserted row is not deleted when others have come to refer to it.
fn referred(kind: &'static str) {
    let scratch = Scratch::new();
    let server = source_of(kind, &[]);
    let streams = Both::start("keys", &server, &scratch);
    run(&server, TABLES);
    let since = moment(&server);
    run(
        &server,
        &[
            "INSERT INTO fk.a VALUES (7), (8)",
            "INSERT INTO fk.b VALUES (8, 8, 'at once')",
            "INSERT INTO fk.tree VALUES (9, NULL)",
            "INSERT INTO fk.tree VALUES (10, 9)",
            "INSERT INTO fk.tree VALUES (11, 11)",
        ],
    );
    let until = moment(&server);
    run(&server, &["INSERT INTO fk.b VALUES (7, 7, 'since')"]);
    streams.catch_up(&server);
    let mut client = server.client().unwrap();
    let now = tables(&mut client);
    let what = ["--schema", "fk", "--since", &since, "--until", &until];
    let target = target(&server);
    let with_target = [&what[..], &["--target-dsn", &target]].concat();
    let path = scratch.0.join("keys.sql");
    let told = streams.output(&server, &[&["recover"], &what[..], &["--dry-run"]].concat());
    let line = "rows of fk.a, fk.b, fk.tree are deleted: should other tables refer to them with ON DELETE CASCADE or SET NULL";
    assert!(
        told.contains(line) && told.contains("--target-dsn mysql://USER@HOST/"),
        "{told}"
    );
    for (what, why) in [
        (
            &what[..],
            "conflict: write this with --target-dsn mysql://USER@HOST/ to have it looked up which rows of fk.b would go along \
             with those deleted of fk.a'",
        ),
        (
            &with_target,
            "of fk.a: the row is not as it should be or others refer to it",
        ),
    ] {
        let output = recover::run(&server, written(&streams, &server, &path, what));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(why), "{error}");
        assert_eq!(tables(&mut client), now);
    }
    let output = streams
        .on_mysql()
        .command(&[&["recover"], &with_target[..], &["--apply"]].concat())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(42), "{error}");
    assert!(error.contains("rows of fk.b refer to it"), "{error}");
    assert_eq!(tables(&mut client), now);

    run(&server, &["DELETE FROM fk.b WHERE id = 7"]);
    assert_runs(&server, written(&streams, &server, &path, &with_target));
    let ids = |table: &str, client: &mut Client| {
        let sql = format!("SELECT id FROM fk.{table} WHERE id > 5 ORDER BY id");
        client.strings(&sql).unwrap().concat()
    };
    assert_eq!(ids("a", &mut client), Vec::<String>::new());
    assert_eq!(ids("b", &mut client), Vec::<String>::new());
    assert_eq!(ids("tree", &mut client), Vec::<String>::new());
    streams.terminate();
}

#[test]
fn a_row_that_others_refer_to_stays_on_mysql() {
    referred("mysql97");
}

#[test]
fn a_row_that_others_refer_to_stays_on_mariadb() {
    referred("mariadb");
}
