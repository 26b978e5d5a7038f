//! Names without `binlog_row_metadata=FULL`: whatever statements lie between a stream and the source's present, no
//! row is ever under a name that its column did not have, nor under another label or key.
//!
//! Every value that a test writes tells the name that its column has at that moment, so that an image
//! is right or wrong by itself.

mod cases;

use std::collections::BTreeMap;

use bintrail_testkit::client::Client;
use bintrail_testkit::json::Json;
use bintrail_testkit::server::Server;
use bintrail_testkit::workload::Rng;

use cases::{CASES, Case, MYSQL, UNLOGGED};

use crate::support::{Scratch, Stream, setting, source, source_of};

/// A number that stands for a column's name.
fn code(name: &str) -> u32 {
    name.bytes().fold(17, |code: u32, byte| {
        (code * 31 + u32::from(byte)) % 1_000_003
    }) + 1_000_000
}

/// The last sign of the label that row `id` has in ENUM and SET columns.
fn label(id: u64) -> char {
    ['x', 'y', 'z'][usize::try_from(id % 3).unwrap()]
}

/// Rows written, by schema and table.
#[derive(Default)]
struct Written {
    next: u64,
    rows: BTreeMap<(String, String), u64>,
}

impl Written {
    /// Writes two rows whose values tell the names that the columns have now.
    fn write(&mut self, client: &mut Client, schema: &str, table: &str) {
        let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
        let sql = format!(
            "SELECT COLUMN_NAME, DATA_TYPE, EXTRA FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = '{schema}' AND TABLE_NAME = '{}' ORDER BY ORDINAL_POSITION",
            table.replace('\'', "''")
        );
        let columns = client.strings(&sql).unwrap();
        assert!(!columns.is_empty(), "{schema}.{table}");
        for _ in 0..2 {
            self.next += 1;
            let id = self.next;
            let (mut names, mut values) = (Vec::new(), Vec::new());
            for column in &columns {
                let [name, kind, extra] = &column[..] else {
                    unreachable!()
                };
                if extra.contains("GENERATED") || name == "my_row_id" {
                    continue;
                }
                names.push(quoted(name));
                values.push(match kind.as_str() {
                    _ if name == "id" => id.to_string(),
                    "int" => code(name).to_string(),
                    "enum" | "set" => format!("'{name} {}'", label(id)),
                    _ => format!("'{}'", name.replace('\'', "''")),
                });
            }
            let into = format!("{}.{}", quoted(schema), quoted(table));
            let sql = format!(
                "INSERT INTO {into} ({}) VALUES ({})",
                names.join(", "),
                values.join(", ")
            );
            client.run(&sql).unwrap_or_else(|error| panic!("{error}"));
            self.count(schema, table);
        }
    }

    fn count(&mut self, schema: &str, table: &str) {
        let name = (schema.to_owned(), table.to_owned());
        *self.rows.entry(name).or_default() += 1;
    }

    fn steps(&mut self, client: &mut Client, schema: &str, steps: &[&str]) {
        for step in steps {
            match step.strip_prefix('+') {
                Some(table) => self.write(client, schema, table),
                None => {
                    let sql = step.replace("{s}", schema);
                    client
                        .run(&sql)
                        .unwrap_or_else(|error| panic!("{schema}: {error}"));
                    if sql.contains(" SELECT ") {
                        let table = if sql.contains(".n ") { "n" } else { "t" };
                        self.count(schema, table);
                    }
                }
            }
        }
    }
}

/// What an index made of a row.
#[derive(Debug)]
struct Row {
    schema: String,
    table: String,
    named: bool,
}

/// Every row of the index; each has to be right, or to say that it does not know.
fn rows(stream: &Stream) -> Vec<Row> {
    let sql = "SELECT schema_name, table_name, row_after, pk_values FROM binlog_events \
               WHERE event_type = 'INSERT' ORDER BY change_id";
    let mut all = Vec::new();
    for row in stream.index.open().unwrap().query(sql).unwrap() {
        let about = format!("{}: {row:?}", stream.name);
        let [schema, table, after, key] = <[Option<String>; 4]>::try_from(row).unwrap();
        let Json::Object(members) = Json::parse(&after.unwrap()).unwrap() else {
            panic!("{about}");
        };
        let id = members.iter().find_map(|(name, value)| match value {
            Json::Number(number) if name == "id" => number.parse::<u64>().ok(),
            _ => None,
        });
        let positional = members
            .iter()
            .filter(|(name, _)| name.starts_with('@'))
            .count();
        let named = positional == 0;
        assert!(named || positional == members.len(), "{about}");
        for (place, (name, value)) in (1..).zip(&members) {
            if !named {
                assert_eq!(*name, format!("@{place}"), "{about}");
                continue;
            }
            match value {
                _ if name == "id" || name == "my_row_id" => {}
                Json::Number(number) => assert_eq!(*number, code(name).to_string(), "{about}"),
                Json::String(text) if matches!(name.as_str(), "e" | "f") => {
                    assert_eq!(*text, format!("{name} {}", label(id.unwrap())), "{about}");
                }
                Json::String(text) => assert_eq!(text, name, "{about}"),
                other => panic!("{other:?} in {about}"),
            }
        }
        match (named, key) {
            (false, None) => {}
            // Such as `b|7`: the name of a text column is its value.
            (true, key) => keys(&schema, &table, id, key.as_deref(), &about),
            (false, key) => panic!("{key:?} in {about}"),
        }
        all.push(Row {
            schema: schema.unwrap(),
            table: table.unwrap(),
            named,
        });
    }
    all
}

/// Is the key one that the table had?
fn keys(
    schema: &Option<String>,
    _: &Option<String>,
    id: Option<u64>,
    key: Option<&str>,
    about: &str,
) {
    let schema = schema.as_deref().unwrap_or_default();
    let id = id.map(|id| id.to_string());
    match key {
        Some(key) if schema.contains("another_key") => {
            let id = id.unwrap();
            assert!(key == id || key == format!("b|{id}"), "{about}");
        }
        None if schema.contains("no_key") => {}
        Some(_) if schema.contains("hidden_key") => assert_eq!(id, None, "{about}"),
        key => assert_eq!(key, id.as_deref(), "{about}"),
    }
}

/// Does it define something, whatever stands in front of it?
fn is_ddl(sql: &str) -> bool {
    let verbs = ["CREATE ", "ALTER", "DROP ", "RENAME ", "TRUNCATE ", "CALL "];
    !sql.starts_with('+') && verbs.iter().any(|verb| sql.contains(verb)) && !sql.starts_with("SET ")
}

fn schema_of(number: usize, case: &Case) -> String {
    format!("s{number}_{}", case.name.replace([' ', ',', '\''], "_"))
}

/// Checks a stream's rows against what was written, and how many of them are named.
fn check(stream: &Stream, cases: &[&Case], written: &Written, history: bool) {
    let rows = rows(stream);
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for row in &rows {
        *counts
            .entry((row.schema.clone(), row.table.clone()))
            .or_default() += 1;
    }
    assert_eq!(counts, written.rows, "{}", stream.name);
    let mut index = stream.index.open().unwrap();
    for (number, case) in cases.iter().enumerate() {
        let schema = schema_of(number, case);
        let sql = format!(
            "SELECT change_type, statement FROM schema_changes \
             WHERE schema_name = '{schema}' OR instr(statement, '{schema}') > 0"
        );
        let recorded = index.query(&sql).unwrap();
        let made = case
            .before
            .iter()
            .chain(case.after)
            .filter(|sql| is_ddl(sql));
        // And CREATE DATABASE.
        let unlogged = usize::from(case.name == UNLOGGED.name);
        let expected = 1 + made.count() - unlogged;
        assert_eq!(recorded.len(), expected, "{schema}: {recorded:?}");
        let of: Vec<&Row> = rows.iter().filter(|row| row.schema == schema).collect();
        let unnamed = of.iter().filter(|row| !row.named).count();
        println!(
            "{}: {schema}: {unnamed} of {} rows unnamed",
            stream.name,
            of.len()
        );
        if history && !case.unsure {
            assert_eq!(unnamed, 0, "{schema}: {of:?}");
        }
        if case.name != UNLOGGED.name {
            assert!(
                of.last().unwrap().named,
                "{}: {schema}: {of:?}",
                stream.name
            );
        }
    }
}

/// Every case, with a stream that is stopped before its second half and started again behind it.
fn restarted(source: &Server, cases: &[&Case], scratch: &Scratch, start: &[&str]) -> Written {
    let mut written = Written::default();
    let mut client = source.client().unwrap();
    let arguments = [&["--server-id", "7001"], start].concat();
    let mut stream = Stream::new("restarted", source, None, scratch, &arguments);
    stream.start();
    stream.catch_up(source);
    for (number, case) in cases.iter().enumerate() {
        let schema = schema_of(number, case);
        client
            .run(&format!("CREATE DATABASE {schema} CHARACTER SET utf8mb4"))
            .unwrap();
        written.steps(&mut client, &schema, case.before);
        stream.catch_up(source);
    }
    stream.terminate();
    for (number, case) in cases.iter().enumerate() {
        written.steps(&mut client, &schema_of(number, case), case.after);
    }
    stream.start();
    stream.catch_up(source);
    stream.terminate();
    check(&stream, cases, &written, true);
    written
}

/// Every case, also with a stream that starts at the beginning of the binlog when all of it has happened.
fn changes(source: &Server, cases: &[&Case], file: &str, start: &[&str]) {
    let scratch = Scratch::new();
    let written = restarted(source, cases, &scratch, start);
    let arguments = ["--server-id", "7002", "--start-file", file];
    let mut late = Stream::new("late", source, None, &scratch, &arguments);
    late.start();
    late.catch_up(source);
    late.terminate();
    check(&late, cases, &written, false);
}

#[test]
fn changes_that_lie_behind_a_stopped_stream() {
    let source = source(&["--max-binlog-size=64K"]);
    let cases: Vec<&Case> = CASES.iter().chain(MYSQL).collect();
    changes(&source, &cases, "mysql-bin.000001", &[]);
}

#[test]
fn changes_on_mysql_56() {
    let source = source_of("mysql56", &["--max-binlog-size=64K"]);
    // With GTIDs it refuses CREATE TABLE … SELECT.
    let possible = |case: &&Case| case.name != "made from a query";
    let cases: Vec<&Case> = CASES.iter().filter(possible).collect();
    let file = "mysql-bin.000001";
    changes(&source, &cases, file, &["--start-file", file]);
}

#[test]
fn changes_on_mariadb() {
    let source = source_of(
        "mariadb",
        &["--max-binlog-size=64K", "--log-bin-compress=ON"],
    );
    let cases: Vec<&Case> = CASES.iter().collect();
    let file = "maria-bin.000001";
    changes(&source, &cases, file, &["--start-file", file]);
}

/// Statements stand in the binlog as they are, whatever happens to rows.
#[test]
fn changes_behind_compressed_transactions() {
    let options = [
        "--binlog-transaction-compression=ON",
        "--gtid-mode=OFF",
        "--enforce-gtid-consistency=OFF",
    ];
    let source = source(&options);
    let cases: Vec<&Case> = CASES.iter().chain(MYSQL).collect();
    changes(&source, &cases, "mysql-bin.000001", &[]);
}

#[test]
fn a_change_kept_out_of_the_binlog() {
    let scratch = Scratch::new();
    restarted(&source(&[]), &[&UNLOGGED], &scratch, &[]);
}

/// What the server says of a table, a line for each column: name, type, NULL, place in the key, EXTRA.
fn described(client: &mut Client, table: &str) -> Vec<String> {
    let sql = format!(
        "SELECT c.COLUMN_NAME, c.COLUMN_TYPE, c.IS_NULLABLE, COALESCE(s.SEQ_IN_INDEX, 0), \
                c.EXTRA LIKE '% GENERATED%', c.EXTRA LIKE '%INVISIBLE%' \
         FROM information_schema.COLUMNS c LEFT JOIN information_schema.STATISTICS s \
           ON s.TABLE_SCHEMA = c.TABLE_SCHEMA AND s.TABLE_NAME = c.TABLE_NAME \
           AND s.COLUMN_NAME = c.COLUMN_NAME AND s.INDEX_NAME = 'PRIMARY' \
         WHERE c.TABLE_SCHEMA = 'd' AND c.TABLE_NAME = '{table}' ORDER BY c.ORDINAL_POSITION"
    );
    let rows = client.strings(&sql).unwrap();
    rows.into_iter().map(|row| row.join("|")).collect()
}

/// The same of a definition in the index.
fn kept(columns: &str) -> Vec<String> {
    let Json::Array(columns) = Json::parse(columns).unwrap() else {
        panic!("{columns}");
    };
    let line = |column: Json| {
        let Json::Object(members) = column else {
            panic!("{column:?}");
        };
        let get = |name: &str| {
            members
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value)
        };
        let text = |name: &str| match get(name) {
            Some(Json::String(text) | Json::Number(text)) => text.clone(),
            other => panic!("{name}: {other:?}"),
        };
        let is = |name: &str| get(name) == Some(&Json::Bool(true));
        format!(
            "{}|{}|{}|{}|{}|{}",
            text("name"),
            text("type"),
            if is("nullable") { "YES" } else { "NO" },
            get("pk").map_or("0".to_owned(), |_| text("pk")),
            u8::from(is("generated")),
            u8::from(is("invisible"))
        )
    };
    columns.into_iter().map(line).collect()
}

const NAMES: [&str; 9] = [
    "`a`", "b", "`C`", "d", "`e e`", "`f``f`", "`é`", "g", "`Z.z`",
];

const TYPES: [&str; 24] = [
    "INT NOT NULL",
    "BIGINT UNSIGNED",
    "INTEGER(5) NULL",
    "VARCHAR(20)",
    "CHARACTER VARYING(10) CHARACTER SET latin1 NOT NULL DEFAULT 'x,y'",
    "ENUM('p','q''r','s\\\\t ') DEFAULT 'p'",
    "SET('m','n') NOT NULL COLLATE utf8mb4_bin",
    "DECIMAL(7,3) DEFAULT -1.5",
    "NUMERIC(5) UNSIGNED",
    "DATETIME(3) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(3)",
    "TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP",
    "MEDIUMTEXT",
    "BLOB COMMENT 'c, (d) AFTER a'",
    "JSON DEFAULT (JSON_ARRAY(1, 2))",
    "BIT(5) DEFAULT b'101'",
    "CHAR CHARSET 'utf8mb4'",
    "DOUBLE PRECISION",
    "FLOAT(30)",
    "BOOL NOT NULL DEFAULT TRUE",
    "TIME(2)",
    "YEAR",
    "VARBINARY(9) /* FIRST */",
    "GEOMETRY",
    "INT GENERATED ALWAYS AS (1 + 1) STORED INVISIBLE",
];

/// A random clause of ALTER TABLE.
fn clause(rng: &mut Rng) -> String {
    let mut one_of = |list: &[&str]| {
        let at = rng.below(list.len() as u64);
        list[usize::try_from(at).unwrap()].to_owned()
    };
    let (a, b, c) = (one_of(&NAMES), one_of(&NAMES), one_of(&NAMES));
    let (t, u) = (one_of(&TYPES), one_of(&TYPES));
    let place = match one_of(&["", "", "first", "after"]).as_str() {
        "after" => format!(" AFTER {c}"),
        place => format!(" {place}"),
    };
    match rng.below(14) {
        0..3 => format!("ADD COLUMN {a} {t}{place}"),
        3 => format!("ADD ({a} {t}, {b} {u})"),
        4 => format!("DROP {a}"),
        5 => format!("CHANGE {a} {b} {t}{place}"),
        6 => format!("CHANGE COLUMN {a} {b} {t}, CHANGE {b} {a} {u}"),
        7 => format!("MODIFY {a} {t}{place}"),
        8 => format!("RENAME COLUMN {a} TO {b}"),
        9 => {
            format!("RENAME COLUMN {a} TO {b}, RENAME COLUMN {b} TO {c}, RENAME COLUMN {c} TO {a}")
        }
        10 => format!("DROP PRIMARY KEY, ADD PRIMARY KEY ({a}, {b})"),
        11 => format!("ADD UNIQUE KEY ({a}), COMMENT = 'x, DROP {b}'"),
        12 => format!("ALTER COLUMN {a} SET INVISIBLE"),
        _ => "CONVERT TO CHARACTER SET utf8mb4, ENGINE InnoDB".to_owned(),
    }
}

/// Random statements, none of which anyone but the server and bintrail has read.
#[test]
fn statements_make_what_the_server_makes_of_them() {
    let source = source(&[]);
    let scratch = Scratch::new();
    let mut rng = Rng::new(setting("BINTRAIL_TEST_SEED", 1));
    let mut client = source.client().unwrap();
    client.run("CREATE DATABASE d").unwrap();
    let mut stream = Stream::new("stream", &source, None, &scratch, &[]);
    stream.start();
    stream.catch_up(&source);
    let mut made = BTreeMap::new();
    let mut refused = 0;
    for round in 0..setting("BINTRAIL_TEST_STATEMENTS", 400) {
        let sql = match round % 20 {
            0 => "DROP TABLE IF EXISTS d.t, d.u".to_owned(),
            1 => format!(
                "CREATE TABLE d.t (`a` INT, b {}, `C` {} KEY, d {}, KEY (b))",
                TYPES[3], TYPES[0], TYPES[5]
            ),
            10 => "CREATE TABLE d.u LIKE d.t".to_owned(),
            11 => "RENAME TABLE d.t TO d.v, d.u TO d.t, d.v TO d.u".to_owned(),
            12 => format!("ALTER TABLE d.u {}, RENAME TO d.w", clause(&mut rng)),
            13 => "DROP TABLE IF EXISTS d.w".to_owned(),
            _ => {
                let clauses: Vec<String> = (0..=rng.below(3)).map(|_| clause(&mut rng)).collect();
                format!("ALTER TABLE d.t {}", clauses.join(", "))
            }
        };
        if client.run(&sql).is_err() {
            refused += 1;
            continue;
        }
        let place = source.position().unwrap();
        for table in ["t", "u", "w"] {
            let columns = described(&mut client, table);
            made.insert((place.clone(), table), (sql.clone(), columns));
        }
    }
    stream.catch_up(&source);
    stream.terminate();
    let sql = "SELECT valid_from_file, valid_from_position, table_name, columns FROM table_versions \
               WHERE schema_name = 'd' AND known_by = 'ddl' ORDER BY table_id";
    let versions = stream.index.open().unwrap().query(sql).unwrap();
    for row in &versions {
        let [file, position, table, columns] = row
            .iter()
            .map(|cell| cell.clone().unwrap())
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        let place = (file, position.parse().unwrap());
        let (sql, expected) = &made[&(place, table.as_str())];
        assert_eq!(kept(&columns), *expected, "{sql}");
    }
    let accepted = made.len() / 3;
    println!(
        "{accepted} statements, {refused} refused, {} definitions",
        versions.len()
    );
    // Where one is not understood, those behind it are not either, until the table is made anew.
    assert!(
        versions.len() * 2 > accepted,
        "{} of {accepted}",
        versions.len()
    );
}
