//! Names and keys without `binlog_row_metadata=FULL`, whatever the source's settings are, its tables are called, and is
//! done to it in the ways of every day.

use std::process::Stdio;

use crate::support::{Scratch, Stream, ask, run, source_of};

/// The rows that a stream has of a schema: table, image and key.
fn rows(stream: &Stream, schema: &str) -> Vec<String> {
    let sql = format!(
        "SELECT table_name || ' ' || COALESCE(row_after, row_before) || ' ' || COALESCE(pk_values, '-') \
         FROM binlog_events WHERE schema_name = '{schema}' ORDER BY change_id"
    );
    ask(stream, &sql)
}

/// The name of a source's first binlog.
fn first_file(kind: &str) -> &'static str {
    if kind.starts_with("mariadb") {
        "maria-bin.000001"
    } else {
        "mysql-bin.000001"
    }
}

/// Whatever the sessions of the source begin with.
#[test]
fn sessions_that_begin_otherwise() {
    for (kind, more) in [
        ("mysql97", "max_execution_time = 1"),
        ("mysql56", "max_join_size = 1"),
        ("mariadb", "max_statement_time = 60"),
    ] {
        let source = source_of(kind, &[]);
        let init = format!(
            "SET autocommit = 0, completion_type = 1, sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES', sql_select_limit = 0, \
             max_sort_length = 8, time_zone = '+05:00', {more}; \
             SET SESSION TRANSACTION READ ONLY; \
             START TRANSACTION WITH CONSISTENT SNAPSHOT"
        );
        run(
            &source,
            &[
                &format!("SET GLOBAL init_connect = \"{init}\""),
                "CREATE DATABASE d",
                "CREATE TABLE d.t (id INT PRIMARY KEY, a INT, b INT, UNIQUE KEY u (a))",
            ],
        );
        let scratch = Scratch::new();
        let mut stream = Stream::new(
            "otherwise",
            &source,
            None,
            &scratch,
            &["--start-file", first_file(kind)],
        );
        stream.start();
        stream.catch_up(&source);
        run(&source, &["INSERT INTO d.t VALUES (1, 10, 20)"]);
        stream.catch_up(&source);
        // A constraint's name may be the primary key's: what this makes is not read from its words.
        let unique = match kind {
            "mysql56" => "KEY u",
            _ => "CONSTRAINT u",
        };
        let swap = format!("ALTER TABLE d.t CHANGE a b INT, CHANGE b a INT, DROP {unique}");
        run(&source, &[&swap, "INSERT INTO d.t VALUES (2, 20, 10)"]);
        stream.catch_up(&source);
        stream.terminate();
        assert_eq!(
            rows(&stream, "d"),
            [
                r#"t {"id":1,"a":10,"b":20} 1"#,
                r#"t {"id":2,"b":20,"a":10} 2"#,
            ],
            "{kind}"
        );
    }
}

/// Names that the views compare as equal, and the server does not; and a constraint that is called as the key is.
#[test]
fn tables_of_nearly_the_same_name() {
    for kind in ["mysql97", "mysql56", "mariadb", "mariadb11"] {
        let source = source_of(kind, &[]);
        run(
            &source,
            &[
                "SET NAMES utf8mb4",
                "CREATE DATABASE d CHARACTER SET utf8mb4",
                "CREATE DATABASE D",
                "CREATE TABLE d.orders (a INT PRIMARY KEY, b INT)",
                "CREATE TABLE d.Orders (a INT, b INT PRIMARY KEY)",
                "CREATE TABLE D.log (a INT PRIMARY KEY, b INT)",
                "CREATE TABLE d.log (a INT, b INT)",
                "CREATE TABLE d.cafe (a INT PRIMARY KEY, b INT)",
                "CREATE TABLE d.café (a INT, b INT PRIMARY KEY)",
            ],
        );
        let constraint = !kind.starts_with("mariadb");
        if constraint {
            run(
                &source,
                &["CREATE TABLE d.named (a INT, b INT, KEY k (b), \
                     CONSTRAINT `PRIMARY` FOREIGN KEY k (b) REFERENCES d.orders (a))"],
            );
        }
        let file = source.position().unwrap().0;
        let scratch = Scratch::new();
        let position = source.position().unwrap().1.to_string();
        let arguments = ["--start-file", &file, "--start-pos", &position];
        let mut stream = Stream::new("alike", &source, None, &scratch, &arguments);
        stream.start();
        let insert = |table: &str| format!("INSERT INTO d.{table} VALUES (1, 2)");
        let tables = ["orders", "Orders", "log", "cafe", "café"];
        let inserts: Vec<String> = tables.into_iter().map(insert).collect();
        run(&source, &["SET NAMES utf8mb4"]);
        for sql in &inserts {
            run(&source, &[sql]);
        }
        if constraint {
            run(&source, &["INSERT INTO d.named VALUES (2, 1)"]);
        }
        stream.catch_up(&source);
        stream.terminate();
        let mut expected = vec![
            r#"orders {"a":1,"b":2} 1"#,
            r#"Orders {"a":1,"b":2} 2"#,
            r#"log {"a":1,"b":2} -"#,
            r#"cafe {"a":1,"b":2} 1"#,
            r#"café {"a":1,"b":2} 2"#,
        ];
        if constraint {
            expected.push(r#"named {"a":2,"b":1} -"#);
        }
        assert_eq!(rows(&stream, "d"), expected, "{kind}");
    }
}

/// What `mysqldump` has around its rows changes neither columns nor keys.
#[test]
fn a_dump_that_is_restored() {
    for kind in ["mysql97", "mariadb11"] {
        let source = source_of(kind, &[]);
        run(
            &source,
            &[
                "CREATE DATABASE d",
                "CREATE TABLE d.t (id INT PRIMARY KEY, a VARCHAR(20), KEY k (a))",
                "CREATE TABLE d.u (x INT, id INT PRIMARY KEY) ENGINE=MyISAM",
                "CREATE VIEW d.v AS SELECT * FROM d.t",
                "CREATE TRIGGER d.r BEFORE INSERT ON d.t FOR EACH ROW SET @x = 1",
                "INSERT INTO d.t VALUES (1, 'one'), (2, 'two')",
                "INSERT INTO d.u VALUES (10, 7)",
            ],
        );
        let mut dump = source.mysqldump().unwrap();
        if kind == "mysql97" {
            dump.arg("--set-gtid-purged=OFF");
        }
        let dump = dump.args(["--databases", "d"]).output().unwrap();
        assert!(dump.status.success(), "{dump:?}");
        let sql = String::from_utf8_lossy(&dump.stdout);
        assert!(
            sql.contains("/*!40000 ALTER TABLE `t` DISABLE KEYS */"),
            "{sql}"
        );
        let path = Scratch::new();
        let file = path.0.join("dump.sql");
        std::fs::write(&file, sql.as_bytes()).unwrap();

        let scratch = Scratch::new();
        let start = ["--start-file", first_file(kind)];
        let mut stream = Stream::new("restored", &source, None, &scratch, &start);
        stream.start();
        stream.catch_up(&source);
        stream.terminate();
        let restored = source
            .mysql()
            .stdin(std::fs::File::open(&file).unwrap())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(restored.success());
        run(
            &source,
            &[
                "ALTER TABLE d.t ENGINE=InnoDB, COMMENT 'x', AUTO_INCREMENT=9, ADD INDEX i (a, id)",
                "DROP INDEX i ON d.t",
                "OPTIMIZE TABLE d.t",
                "ANALYZE TABLE d.t",
                "CREATE DATABASE IF NOT EXISTS d",
            ],
        );
        stream.start();
        stream.catch_up(&source);
        stream.terminate();
        let expected = [
            r#"t {"id":1,"a":"one"} 1"#,
            r#"t {"id":2,"a":"two"} 2"#,
            r#"u {"x":10,"id":7} 7"#,
        ];
        assert_eq!(rows(&stream, "d"), expected.repeat(2), "{kind}");
    }
}

/// A server that keeps names in lower case, whatever a statement says.
#[test]
fn names_that_the_server_folds() {
    for kind in ["mysql56", "mariadb"] {
        let source = source_of(kind, &["--lower-case-table-names=1"]);
        let scratch = Scratch::new();
        let start = ["--start-file", first_file(kind)];
        let mut stream = Stream::new("folded", &source, None, &scratch, &start);
        stream.start();
        run(
            &source,
            &[
                "CREATE DATABASE Shop",
                "CREATE TABLE Shop.Orders (id INT PRIMARY KEY, a INT, b INT)",
                "INSERT INTO SHOP.orders VALUES (1, 10, 20)",
            ],
        );
        stream.catch_up(&source);
        stream.terminate();
        let mut expected = vec![r#"orders {"id":1,"a":10,"b":20} 1"#];
        // MariaDB's statements are not read for what they make of a table.
        if kind == "mysql56" {
            run(
                &source,
                &[
                    "INSERT INTO shop.ORDERS VALUES (2, 10, 20)",
                    "ALTER TABLE SHOP.Orders CHANGE a b INT, CHANGE b a INT",
                    "INSERT INTO Shop.Orders VALUES (3, 20, 10)",
                    "RENAME TABLE Shop.Orders TO Shop.Done",
                    "INSERT INTO Shop.Done VALUES (4, 20, 10)",
                    "DROP TABLE Shop.Done",
                ],
            );
            expected.extend([
                r#"orders {"id":2,"a":10,"b":20} 2"#,
                r#"orders {"id":3,"b":20,"a":10} 3"#,
                r#"done {"id":4,"b":20,"a":10} 4"#,
            ]);
        }
        stream.start();
        stream.catch_up(&source);
        stream.terminate();
        assert_eq!(rows(&stream, "shop"), expected, "{kind}");
    }
}
