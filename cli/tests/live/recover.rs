//! `bintrail recover`: its SQL, run unchanged in the server's own client, brings tables back to what they were, byte for
//! byte, and forth again; and it touches nothing else.
//!
//! `BINTRAIL_TEST_ROUNDS` and `BINTRAIL_TEST_SEED` make the runs longer, or one of them come again.

use std::fs::File;
use std::path::Path;
use std::process::{Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use bintrail_testkit::client::{Client, TextRow};
use bintrail_testkit::server::Server;
use bintrail_testkit::workload::Rng;

use crate::stream::seed;
use crate::support::{Scratch, Stream, setting, source_of};

/// A column: its definition, and literals of its values.
type Column = (&'static str, &'static [&'static str]);

const COMMON: &[Column] = &[
    ("t TINYINT", &["-128", "127", "0", "NULL"]),
    ("tu TINYINT UNSIGNED", &["255", "0", "NULL"]),
    ("s SMALLINT", &["-32768", "32767"]),
    ("su SMALLINT UNSIGNED", &["65535", "0"]),
    ("m MEDIUMINT", &["-8388608", "8388607"]),
    ("mu MEDIUMINT UNSIGNED", &["16777215", "1"]),
    ("i INT", &["-2147483648", "2147483647"]),
    ("iu INT UNSIGNED", &["4294967295", "NULL"]),
    (
        "bi BIGINT",
        &["-9223372036854775808", "9223372036854775807"],
    ),
    (
        "bu BIGINT UNSIGNED",
        &["18446744073709551615", "9223372036854775808", "0"],
    ),
    ("z INT(8) UNSIGNED ZEROFILL", &["0", "42"]),
    (
        "d1 DECIMAL(65,30)",
        &[
            "-99999999999999999999999999999999999.999999999999999999999999999999",
            "0.000000000000000000000000000001",
            "NULL",
        ],
    ),
    ("d2 DECIMAL(5,0)", &["-99999", "0"]),
    (
        "f FLOAT",
        &[
            "3.402823466e38",
            "-1.175494351e-38",
            "0.1",
            "16777216",
            "1e-45",
            "NULL",
        ],
    ),
    (
        "d DOUBLE",
        &[
            "1.7976931348623157e308",
            "-2.2250738585072014e-308",
            "5e-324",
            "0.1",
            "0",
            "1e15",
            "123456789012345680000",
        ],
    ),
    ("dm DOUBLE(10,3)", &["1234567.891", "-0.001"]),
    ("b1 BIT(1)", &["b'1'", "b'0'"]),
    (
        "b64 BIT(64)",
        &["18446744073709551615", "9223372036854775808", "0", "NULL"],
    ),
    ("y YEAR", &["0", "1901", "2155", "NULL"]),
    (
        "da DATE",
        &[
            "'0000-00-00'",
            "'9999-12-31'",
            "'2020-02-31'",
            "'2020-00-00'",
            "'1000-01-01'",
            "NULL",
        ],
    ),
    (
        "ti TIME(6)",
        &[
            "'-838:59:59.000000'",
            "'838:59:59'",
            "'-00:00:00.000001'",
            "'00:00:00'",
            "NULL",
        ],
    ),
    ("ti0 TIME", &["'-01:02:03'", "'12:00:00'"]),
    (
        "dt DATETIME(6)",
        &[
            "'0000-00-00 00:00:00'",
            "'9999-12-31 23:59:59.999999'",
            "'2020-06-00 01:02:03.000001'",
            "NULL",
        ],
    ),
    ("dt0 DATETIME", &["'2024-02-29 12:00:00'", "NULL"]),
    (
        "ts TIMESTAMP(6) NULL",
        &[
            "'1970-01-01 00:00:01'",
            "'2038-01-19 03:14:07.999999'",
            "'0000-00-00 00:00:00'",
            "'2021-03-28 01:30:00.5'",
            "NULL",
        ],
    ),
    (
        "made TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)",
        &["DEFAULT", "'2001-02-03 04:05:06.789'"],
    ),
    (
        "c CHAR(255) CHARACTER SET utf8mb4",
        &[
            "'plain'",
            "'\\\\ \\' \" ` \\n\\r\\t\\0 \\Z %_'",
            "REPEAT('😀', 255)",
            "''",
            "'base64:type254:AAEC'",
            "NULL",
        ],
    ),
    (
        "v VARCHAR(300) CHARACTER SET utf8mb4",
        &[
            "'trailing  '",
            "'É'",
            "'é'",
            "'e'",
            "'NULL'",
            "'-- x; DELIMITER //'",
            "NULL",
        ],
    ),
    (
        "vl VARCHAR(300) CHARACTER SET latin1",
        &["X'80818DE9FF'", "'É'", "'é'", "REPEAT('ß', 300)", "''"],
    ),
    (
        "vg VARCHAR(50) CHARACTER SET gbk",
        &["'你好\\\\'", "_gbk X'C45C'", "''"],
    ),
    (
        "vs VARCHAR(50) CHARACTER SET sjis",
        &["'表ソ'", "_sjis X'835C'"],
    ),
    ("vu VARCHAR(50) CHARACTER SET utf16", &["'a😀'", "''"]),
    ("v5 VARCHAR(50) CHARACTER SET big5", &["'許功蓋'", "NULL"]),
    ("vj VARCHAR(50) CHARACTER SET ujis", &["'丂ｱ日本'", "'a'"]),
    ("tt TINYTEXT", &["'x'", "''", "NULL"]),
    (
        "te TEXT CHARACTER SET utf8mb4",
        &["REPEAT('ü\\'\\\\\\n', 5000)", "''", "'é'", "NULL"],
    ),
    (
        "mt MEDIUMTEXT CHARACTER SET latin1",
        &["REPEAT(X'80E95C27', 60)", "''"],
    ),
    (
        "bn BINARY(8)",
        &[
            "X'00'",
            "X'0000000000000000'",
            "X'FFFE5C270A0D001A'",
            "NULL",
        ],
    ),
    (
        "vb VARBINARY(300)",
        &["X''", "X'00'", "X'2020'", "REPEAT(X'FF00', 150)", "NULL"],
    ),
    ("tb TINYBLOB", &["X'00'", "NULL"]),
    ("bl BLOB", &["REPEAT(X'005C27FF', 8000)", "X''", "X'1A'"]),
    ("lb LONGBLOB", &["X'0A'", "NULL"]),
    (
        "e ENUM('a', 'b''c', 'd,e', 'ü', '7') CHARACTER SET latin1",
        &["1", "2", "3", "4", "'7'", "NULL"],
    ),
    (
        "st SET('x', 'y', 'ž') CHARACTER SET utf8mb4",
        &["0", "1", "5", "7", "NULL"],
    ),
    (
        "g GEOMETRY",
        &[
            "ST_GeomFromText('POINT(1 2)')",
            "ST_GeomFromText('POLYGON((0 0,0 5,5 5,0 0))')",
            "ST_GeomFromText('LINESTRING(0 0,1e300 -1)', 0)",
            "NULL",
        ],
    ),
];

const MYSQL: &[Column] = &[
    (
        "j JSON",
        &[
            "'null'",
            "'{\"b\": [1, -2.5, 1e100, true, null, \"x\\\\ny\"], \"a\": {\"é\": 18446744073709551615}}'",
            "'1.0'",
            "'1'",
            "'\"\\'\"'",
            "'-0.0'",
            "NULL",
        ],
    ),
    (
        "ve VECTOR(3)",
        &["STRING_TO_VECTOR('[1,-2.5,3e38]')", "NULL"],
    ),
    (
        "p POINT SRID 4326",
        &["ST_GeomFromText('POINT(60 20)', 4326)", "NULL"],
    ),
    ("dz DOUBLE", &["-0e0", "0e0"]),
    ("fz FLOAT", &["-0e0", "0e0"]),
    (
        "ci VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci INVISIBLE DEFAULT 'dflt'",
        &["'A'", "'a'", "'á'", "DEFAULT"],
    ),
];

const MARIADB: &[Column] = &[
    (
        "j JSON",
        &[
            "'{\"b\": 1.50}'",
            "'null'",
            "'\"base64:type245:BAA=\"'",
            "NULL",
        ],
    ),
    (
        "u UUID",
        &[
            "'01234567-89ab-4def-8123-456789abcdef'",
            "'01234567-89ab-1def-0123-456789abcdef'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
            "'00000000-0000-0000-0000-000000000000'",
            "NULL",
        ],
    ),
    ("i6 INET6", &["'2001:db8::1'", "'::ffff:1.2.3.4'", "NULL"]),
    (
        "vz VARCHAR(300) COMPRESSED CHARACTER SET utf8mb4",
        &["REPEAT('ż', 250)", "''", "NULL"],
    ),
    ("bz BLOB COMPRESSED", &["REPEAT(X'00FF', 300)", "NULL"]),
];

/// Key columns and what makes the `n`th row's key, beside the table's name.
const KEYS: &[(&str, &str, &str)] = &[
    (
        "by_number",
        "id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY",
        "18446744073709551000 - {n}",
    ),
    (
        "by_two",
        "k VARCHAR(40) CHARACTER SET latin1, id BINARY(4), PRIMARY KEY (id, k)",
        "CONCAT('kéy|\\\\', {n}), UNHEX(LPAD(HEX({n}), 8, '0'))",
    ),
    (
        "by_text",
        "k VARCHAR(60) CHARACTER SET utf8mb4, PRIMARY KEY (k)",
        "CONCAT('Ключ ', {n}, '\\n')",
    ),
    (
        "by_decimal",
        "k DECIMAL(20,3), kd DATE, PRIMARY KEY (k, kd)",
        "{n} / -8, '2024-02-29'",
    ),
    (
        "by_moment",
        "k DATETIME(6), PRIMARY KEY (k)",
        "'2000-01-01 00:00:00.123456' + INTERVAL {n} SECOND",
    ),
    ("by_double", "k DOUBLE, PRIMARY KEY (k)", "{n} / 7e0"),
    (
        "by_ci",
        "k VARCHAR(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, kl CHAR(9), PRIMARY KEY (k, kl)",
        "CONCAT('x ', {n}), 'é'",
    ),
    ("we`ird 'name", "`a,b` INT UNSIGNED PRIMARY KEY", "{n}"),
    ("keyless", "", ""),
];

fn name(definition: &str) -> &str {
    definition.split(' ').next().unwrap()
}

struct Source {
    kind: &'static str,
    server: Server,
    client: Client,
    columns: Vec<&'static Column>,
    generated: bool,
    next: u64,
}

impl Source {
    fn new(kind: &'static str, options: &[&str], generated: bool) -> Self {
        let server = source_of(kind, options);
        let own = if kind == "mysql97" { MYSQL } else { MARIADB };
        let columns = COMMON.iter().chain(own).collect();
        let mut client = server.client().unwrap();
        client.run("CREATE DATABASE r").unwrap();
        client
            .run("SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'")
            .unwrap();
        Self {
            kind,
            server,
            client,
            columns,
            generated,
            next: 1,
        }
    }

    fn create(&mut self) {
        for (table, key, _) in KEYS {
            let mut parts = vec!["n INT UNSIGNED NOT NULL".to_owned()];
            parts.extend(
                self.columns
                    .iter()
                    .map(|(definition, _)| (*definition).to_owned()),
            );
            if self.generated {
                parts.push("gv INT GENERATED ALWAYS AS (n * 2) VIRTUAL".to_owned());
                parts.push("gs VARCHAR(20) GENERATED ALWAYS AS (CONCAT(n, '!')) STORED".to_owned());
            }
            if !key.is_empty() {
                parts.push((*key).to_owned());
            }
            let table = table.replace('`', "``");
            self.client
                .run(&format!(
                    "CREATE TABLE r.`{table}` ({}) ENGINE=InnoDB",
                    parts.join(", ")
                ))
                .unwrap();
        }
    }

    fn value(&self, rng: &mut Rng, column: &Column) -> &'static str {
        column.1[usize::try_from(rng.below(column.1.len() as u64)).unwrap()]
    }

    /// Some transactions of one to four statements.
    fn work(&mut self, rng: &mut Rng, transactions: u64) {
        for _ in 0..transactions {
            self.client.run("BEGIN").unwrap();
            for _ in 0..=rng.below(4) {
                let sql = self.statement(rng);
                self.client.run(&sql).unwrap();
            }
            self.client.run("COMMIT").unwrap();
        }
    }

    fn statement(&mut self, rng: &mut Rng) -> String {
        let (table, key, made) = KEYS[usize::try_from(rng.below(KEYS.len() as u64)).unwrap()];
        let table = table.replace('`', "``");
        let some = rng.below(6);
        match rng.below(10) {
            0..5 => {
                let mut names = vec!["n"];
                names.extend(self.columns.iter().map(|(definition, _)| name(definition)));
                names.extend(key_columns(key).iter().copied());
                let rows: Vec<String> = (0..=rng.below(3))
                    .map(|_| {
                        let n = self.next;
                        self.next += 1;
                        let mut values = vec![n.to_string()];
                        values.extend(
                            self.columns
                                .iter()
                                .map(|column| self.value(rng, column).to_owned()),
                        );
                        if !made.is_empty() {
                            values.push(made.replace("{n}", &n.to_string()));
                        }
                        format!("({})", values.join(", "))
                    })
                    .collect();
                format!(
                    "INSERT INTO r.`{table}` ({}) VALUES {}",
                    names.join(", "),
                    rows.join(", ")
                )
            }
            5..8 => {
                let mut sets = Vec::new();
                for _ in 0..=rng.below(5) {
                    let at = usize::try_from(rng.below(self.columns.len() as u64)).unwrap();
                    let column = self.columns[at];
                    sets.push(format!("{} = {}", name(column.0), self.value(rng, column)));
                }
                if rng.chance(15) && key.contains("BIGINT") {
                    sets.push("id = id - 1000000".to_owned());
                }
                if rng.chance(15) && key.starts_with("k VARCHAR(60)") {
                    sets.push("k = CONCAT(k, 'É')".to_owned());
                }
                format!(
                    "UPDATE r.`{table}` SET {} WHERE n % 6 = {some} AND n > {}",
                    sets.join(", "),
                    self.next.saturating_sub(200)
                )
            }
            _ => format!(
                "DELETE FROM r.`{table}` WHERE n % 6 = {some} ORDER BY n LIMIT {}",
                1 + rng.below(4)
            ),
        }
    }

    /// Every table as the server holds it.
    fn snapshot(&mut self) -> Vec<Vec<TextRow>> {
        let mut tables = Vec::new();
        for (table, key, _) in KEYS {
            let table = table.replace('`', "``");
            let mut cells: Vec<String> = vec!["n".to_owned()];
            cells.extend(
                key_columns(key)
                    .iter()
                    .map(|name| format!("HEX(CAST({name} AS CHAR))")),
            );
            for (definition, _) in &self.columns {
                let name = name(definition);
                let kind = definition.split(' ').nth(1).unwrap();
                cells.push(match kind.split('(').next().unwrap() {
                    // A FLOAT is printed with fewer digits than it has.
                    "FLOAT" => format!("CONCAT({name}, ' ', {name} * 1e0)"),
                    "DOUBLE" | "DATE" | "TIME" | "DATETIME" | "TIMESTAMP" | "YEAR" | "UUID"
                    | "INET6" => {
                        format!("CAST({name} AS CHAR)")
                    }
                    _ => format!("HEX({name})"),
                });
            }
            if self.generated {
                cells.push("gv, gs".to_owned());
            }
            let mut rows = self
                .client
                .query(&format!(
                    "SELECT {} FROM r.`{table}` ORDER BY n",
                    cells.join(", ")
                ))
                .unwrap();
            rows.sort();
            tables.push(rows);
        }
        tables
    }

    /// A moment between all that was and all that will be.
    fn moment(&mut self) -> String {
        let pause = || {
            // Its commit times are whole seconds.
            if self.kind != "mysql97" {
                sleep(Duration::from_millis(1100));
            }
        };
        pause();
        let now = self.client.string("SELECT CAST(NOW(6) AS CHAR)").unwrap();
        pause();
        now
    }
}

/// The names of a key's columns.
fn key_columns(key: &str) -> &'static [&'static str] {
    match key.split(' ').next().unwrap() {
        "id" => &["id"],
        "`a,b`" => &["`a,b`"],
        "" => &[],
        _ if key.contains("id BINARY") => &["k", "id"],
        _ if key.contains("kd DATE,") => &["k", "kd"],
        _ if key.contains("kl CHAR") => &["k", "kl"],
        _ => &["k"],
    }
}

/// Runs a file of SQL in the server's client.
fn run(server: &Server, path: &Path) -> Output {
    server
        .mysql()
        .arg("--skip-column-names")
        .stdin(Stdio::from(File::open(path).unwrap()))
        .output()
        .unwrap()
}

fn assert_runs(server: &Server, path: &Path) {
    let output = run(server, path);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", path.display());
    assert!(
        output.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

fn assert_same(what: &str, got: &[Vec<TextRow>], expected: &[Vec<TextRow>]) {
    for ((got, expected), (table, ..)) in got.iter().zip(expected).zip(KEYS) {
        assert_eq!(got.len(), expected.len(), "{what}: {table}");
        for (got, expected) in got.iter().zip(expected) {
            let text = |row: &TextRow| -> Vec<String> {
                let cell = |cell: &Option<Vec<u8>>| match cell {
                    None => "NULL".to_owned(),
                    Some(cell) => String::from_utf8_lossy(cell).into_owned(),
                };
                row.iter().map(cell).collect()
            };
            assert_eq!(text(got), text(expected), "{what}: {table}");
        }
    }
}

fn round_trip(kind: &'static str, options: &[&str], generated: bool) {
    let seed = seed();
    let scratch = Scratch::new();
    let mut source = Source::new(kind, options, generated);
    let file = source.server.position().unwrap().0;
    let mut stream = Stream::new(
        "undo",
        &source.server,
        None,
        &scratch,
        &["--start-file", &file],
    );
    source.create();
    stream.start();
    let mut rng = Rng::new(seed);
    let transactions = setting("BINTRAIL_TEST_ROUNDS", 150);
    source.work(&mut rng, transactions / 2);
    let (earlier, since) = (source.snapshot(), source.moment());
    source.work(&mut rng, transactions);
    let (later, until) = (source.snapshot(), source.moment());
    assert_ne!(earlier, later);
    stream.catch_up(&source.server);

    let range = ["--schema", "r", "--since", &since, "--until", &until];
    let summary = stream.output(&[&["recover", "--dry-run"], &range[..]].concat());
    println!("{kind}:\n{summary}");
    for (round, more) in [
        &[][..],
        &["--redo"],
        &["--batch", "50"],
        &["--redo", "--on-conflict", "skip"],
        &["--on-conflict", "force"],
    ]
    .into_iter()
    .enumerate()
    {
        let path = scratch.0.join(format!("{round}.sql"));
        let output = ["--output", path.to_str().unwrap()];
        stream.output(&[&["recover"], &range[..], &output, more].concat());
        assert_runs(&source.server, &path);
        let expected = if more.contains(&"--redo") {
            &later
        } else {
            &earlier
        };
        assert_same(&format!("{kind} {more:?}"), &source.snapshot(), expected);
    }
    stream.catch_up(&source.server);
    stream.terminate();
}

#[test]
fn undo_and_redo_are_exact_on_mysql() {
    round_trip("mysql97", &[], true);
}

#[test]
fn undo_and_redo_are_exact_on_mysql_with_full_metadata() {
    round_trip("mysql97", &["--binlog-row-metadata=FULL"], true);
}

#[test]
fn undo_and_redo_are_exact_on_mariadb() {
    round_trip("mariadb", &[], true);
}

#[test]
fn one_transaction_is_undone_and_what_changed_since_is_told() {
    let scratch = Scratch::new();
    let server = source_of("mysql97", &[]);
    let start = ["--start-file", "mysql-bin.000001"];
    let mut stream = Stream::new("one", &server, None, &scratch, &start);
    stream.start();
    let mut client = server.client().unwrap();
    let mut other = server.client().unwrap();
    client.run("CREATE DATABASE shop").unwrap();
    client.run("CREATE TABLE shop.orders (id INT PRIMARY KEY, status VARCHAR(20), total DECIMAL(10,2))").unwrap();
    client.run("CREATE TABLE shop.log (line TEXT)").unwrap();
    client.run("INSERT INTO shop.orders VALUES (1, 'new', 1), (2, 'new', 2), (3, 'new', 3), (4, 'new', 4)").unwrap();
    other
        .run("UPDATE shop.orders SET status = 'paid' WHERE id = 1")
        .unwrap();
    // The bad one.
    client
        .run("SET gtid_next = '00000000-0000-0000-0000-000000000001:7'")
        .unwrap();
    client.run("BEGIN").unwrap();
    client
        .run("UPDATE shop.orders SET total = 0 WHERE id IN (1, 2)")
        .unwrap();
    client.run("DELETE FROM shop.orders WHERE id = 3").unwrap();
    client
        .run("INSERT INTO shop.log VALUES ('x'), ('x')")
        .unwrap();
    client.run("COMMIT").unwrap();
    client.run("SET gtid_next = AUTOMATIC").unwrap();
    other
        .run("UPDATE shop.orders SET status = 'sent' WHERE id = 4")
        .unwrap();
    other
        .run("INSERT INTO shop.log VALUES ('x'), ('y')")
        .unwrap();
    stream.catch_up(&server);

    let undo = |stream: &Stream, more: &[&str]| {
        let path = scratch.0.join("undo.sql");
        std::fs::remove_file(&path).ok();
        let output = ["--output", path.to_str().unwrap()];
        let gtid = [
            "recover",
            "--gtid",
            "00000000-0000-0000-0000-000000000001:7",
        ];
        stream.output(&[&gtid[..], &output, more].concat());
        path
    };
    let orders = |client: &mut Client| -> Vec<String> {
        let rows = client
            .strings("SELECT CONCAT_WS(' ', id, status, total) FROM shop.orders ORDER BY id")
            .unwrap();
        rows.into_iter().map(|row| row[0].clone()).collect()
    };
    assert_runs(&server, &undo(&stream, &[]));
    assert_eq!(
        orders(&mut client),
        ["1 paid 1.00", "2 new 2.00", "3 new 3.00", "4 sent 4.00"]
    );
    let log = "SELECT line FROM shop.log ORDER BY line";
    assert_eq!(client.strings(log).unwrap(), [["x"], ["y"]]);

    // Forth again, and then somebody changes one of its rows and takes another's key.
    assert_runs(&server, &undo(&stream, &["--redo"]));
    assert_eq!(
        orders(&mut client),
        ["1 paid 0.00", "2 new 0.00", "4 sent 4.00"]
    );
    other
        .run("UPDATE shop.orders SET status = 'NEW' WHERE id = 2")
        .unwrap();
    other
        .run("INSERT INTO shop.orders VALUES (3, 'other', 9)")
        .unwrap();
    let now = orders(&mut client);
    let output = run(&server, &undo(&stream, &[]));
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("Duplicate entry '3'"), "{error}");
    assert_eq!(orders(&mut client), now);
    other.run("DELETE FROM shop.orders WHERE id = 3").unwrap();
    let now = orders(&mut client);
    let output = run(&server, &undo(&stream, &[]));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("of shop.orders: the row is not as it should be"),
        "{error}"
    );
    assert_eq!(orders(&mut client), now, "nothing is done");
    other
        .run("INSERT INTO shop.orders VALUES (3, 'other', 9)")
        .unwrap();

    let path = undo(&stream, &["--on-conflict", "skip"]);
    let output = run(&server, &path);
    assert!(output.status.success());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(
        told.contains("its key is taken") && told.contains("the row is not as it should be"),
        "{told}"
    );
    assert_eq!(
        orders(&mut client),
        ["1 paid 1.00", "2 NEW 0.00", "3 other 9.00", "4 sent 4.00"]
    );
    // The log's lines are gone once more, and by now there is but one to take.
    client
        .run("INSERT INTO shop.log VALUES ('x'), ('x')")
        .unwrap();
    let output = run(&server, &undo(&stream, &["--on-conflict", "force"]));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        orders(&mut client),
        ["1 paid 1.00", "2 NEW 2.00", "3 new 3.00", "4 sent 4.00"]
    );

    // What cannot be exact, and what is not there.
    client.run("SET binlog_row_image = MINIMAL").unwrap();
    client
        .run("UPDATE shop.orders SET status = 'part' WHERE id = 1")
        .unwrap();
    client.run("SET binlog_row_image = FULL").unwrap();
    client
        .run("CREATE TABLE shop.docs (id INT PRIMARY KEY, j JSON)")
        .unwrap();
    client
        .run("INSERT INTO shop.docs VALUES (1, JSON_ARRAY(CAST(1.50 AS DECIMAL(5,2))))")
        .unwrap();
    client.run("DELETE FROM shop.docs").unwrap();
    stream.catch_up(&server);
    for (table, why) in [
        (&["--table", "orders", "--pk", "1"][..], "lacks column"),
        (&["--table", "docs"], "JSON decimal 1.50"),
    ] {
        let output = stream
            .command(&[&["recover"], table].concat())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(41));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(why) && error.lines().count() == 1, "{error}");
        assert!(output.stdout.is_empty());
    }
    // A table that has changed since: a column more is no matter, another column of the same name is.
    client
        .run("CREATE TABLE shop.later (id INT PRIMARY KEY, a VARCHAR(9), b VARCHAR(9))")
        .unwrap();
    client
        .run("INSERT INTO shop.later VALUES (1, 'a', 'b'), (2, 'c', 'd')")
        .unwrap();
    client.run("DELETE FROM shop.later WHERE id = 1").unwrap();
    stream.catch_up(&server);
    client
        .run("ALTER TABLE shop.later ADD c INT DEFAULT 7 FIRST")
        .unwrap();
    client
        .run("INSERT INTO shop.later VALUES (1, 3, 'x', 'y')")
        .unwrap();
    client.run("DELETE FROM shop.later WHERE id = 3").unwrap();
    stream.catch_up(&server);
    let path = scratch.0.join("later.sql");
    let key = [
        "recover",
        "--table",
        "later",
        "--pk",
        "1",
        "--event-type",
        "delete",
        "--output",
    ];
    stream.output(&[&key[..], &[path.to_str().unwrap()]].concat());
    assert_runs(&server, &path);
    let later = "SELECT CONCAT_WS(' ', c, id, a, b) FROM shop.later ORDER BY id";
    assert_eq!(client.strings(later).unwrap(), [["7 1 a b"], ["7 2 c d"]]);
    client
        .run("ALTER TABLE shop.later RENAME COLUMN a TO z, MODIFY b VARCHAR(10)")
        .unwrap();
    client
        .run("INSERT INTO shop.later VALUES (1, 4, 'x', 'y')")
        .unwrap();
    stream.catch_up(&server);
    let output = stream
        .command(&[&key[..7], &["--dry-run"]].concat())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(41));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("column a is no longer there"), "{error}");

    let output = stream.command(&["recover"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stream.output(&["recover", "--table", "orders", "--pk", "77"]),
        ""
    );
    stream.terminate();
}
