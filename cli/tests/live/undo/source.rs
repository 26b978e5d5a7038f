//! A source with tables of every shape of key and random columns, and random changes of them.

use std::thread::sleep;
use std::time::Duration;

use bintrail_testkit::client::{Client, TextRow};
use bintrail_testkit::server::Server;
use bintrail_testkit::workload::Rng;

use crate::support::source_of;
use crate::values::{COMMON, MARIADB, MYSQL};

/// A column: its definition, whose first word is its name, and literals of its values.
#[derive(Clone)]
struct Column {
    definition: String,
    values: Vec<String>,
}

impl Column {
    fn name(&self) -> &str {
        self.definition.split(' ').next().unwrap()
    }

    /// What the server prints of it, exactly.
    fn print(&self) -> String {
        let name = self.name();
        let kind = self.definition.split(' ').nth(1).unwrap();
        match kind.split('(').next().unwrap() {
            // A FLOAT is printed with fewer digits than it has.
            "FLOAT" => format!("CONCAT({name}, ' ', {name} * 1e0)"),
            "DOUBLE" | "DATE" | "TIME" | "DATETIME" | "TIMESTAMP" | "YEAR" | "UUID" | "INET6" => {
                format!("CAST({name} AS CHAR)")
            }
            _ => format!("HEX({name})"),
        }
    }
}

/// A shape of a key: the columns, what makes the `n`th row's key, and an assignment that gives a row another
/// key, with the rows that it is for.
pub(super) struct Key {
    columns: &'static [&'static str],
    key: &'static str,
    values: &'static str,
    another: Option<(&'static str, &'static str)>,
}

pub(super) const KEYS: &[Key] = &[
    Key {
        columns: &["k INT"],
        key: "k",
        values: "{n} - 2147483648",
        another: Some(("k = -k", "k < -1000000000 AND k > -2147483648")),
    },
    Key {
        columns: &["k BIGINT UNSIGNED AUTO_INCREMENT"],
        key: "k",
        values: "18446744073709551615 - {n}",
        another: Some(("k = k - 1000000000", "k > 18446744072709551615")),
    },
    Key {
        columns: &[
            "k VARCHAR(40) CHARACTER SET latin1",
            "kl BINARY(4)",
            "km SMALLINT",
        ],
        key: "kl, k, km",
        values: "CONCAT('kéy|\\\\', {n}), UNHEX(LPAD(HEX({n}), 8, '0')), -{n} % 7",
        another: Some(("km = km - 100", "km > -100")),
    },
    // Takes several texts for the same.
    Key {
        columns: &["k VARCHAR(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"],
        key: "k",
        values: "CONCAT('Ключ é ', {n})",
        another: Some(("k = IF(k = BINARY UPPER(k), LOWER(k), UPPER(k))", "1")),
    },
    Key {
        columns: &["k VARCHAR(60) CHARACTER SET latin1 COLLATE latin1_german1_ci"],
        key: "k",
        values: "CONCAT('Straße ', {n}, '  ')",
        another: Some(("k = CONCAT(k, '!')", "CHAR_LENGTH(k) < 50")),
    },
    Key {
        columns: &["k VARCHAR(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"],
        key: "k",
        values: "CONCAT('x\\n😀 ', {n})",
        another: Some(("k = CONCAT(k, 'É')", "CHAR_LENGTH(k) < 50")),
    },
    Key {
        columns: &["k VARBINARY(30)"],
        key: "k",
        values: "CONCAT(X'00FF5C27', UNHEX(LPAD(HEX({n}), 8, '0')), X'00')",
        another: Some(("k = CONCAT(k, X'20')", "LENGTH(k) < 25")),
    },
    // More than 512 bytes.
    Key {
        columns: &["k VARCHAR(700) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"],
        key: "k",
        values: "CONCAT(REPEAT('lång ', 130), {n})",
        another: Some(("k = CONCAT('>', k)", "CHAR_LENGTH(k) < 690")),
    },
    Key {
        columns: &["k VARBINARY(900)"],
        key: "k",
        values: "CONCAT(REPEAT(X'00FE', 300), {n})",
        another: None,
    },
    Key {
        columns: &["k DECIMAL(20,3)", "kl DATE"],
        key: "k, kl",
        values: "{n} / -8, '2024-02-29'",
        another: Some(("k = -k", "k < 0")),
    },
    Key {
        columns: &["k DATETIME(6)"],
        key: "k",
        values: "'2000-01-01 00:00:00.123456' + INTERVAL {n} SECOND",
        another: None,
    },
    Key {
        columns: &["k DOUBLE"],
        key: "k",
        values: "{n} / 7e0",
        another: Some(("k = -k", "k > 0")),
    },
    Key {
        columns: &[],
        key: "",
        values: "",
        another: None,
    },
];

/// Texts, of which a character set has some.
const TEXTS: &[&str] = &[
    "",
    "plain",
    "tail  ",
    "a\\'b\\\\c\\\"d\\n",
    "éñß",
    "Жук",
    "Ωμέγα",
    "日本",
    "한국",
    "中文",
    "ไทย",
    "שלום",
    "😀",
];

pub(super) struct Table {
    pub(super) name: String,
    key: &'static Key,
    columns: Vec<Column>,
    /// Computed columns at its end?
    computed: bool,
}

impl Table {
    fn create(&self) -> String {
        let mut parts = vec!["n INT UNSIGNED NOT NULL".to_owned()];
        parts.extend(self.columns.iter().map(|column| column.definition.clone()));
        parts.extend(self.key.columns.iter().map(ToString::to_string));
        if self.computed {
            parts.push("gv BIGINT GENERATED ALWAYS AS (n * 2) VIRTUAL".to_owned());
            parts.push("gs VARCHAR(20) GENERATED ALWAYS AS (CONCAT(n, '!')) STORED".to_owned());
        }
        if !self.key.key.is_empty() {
            parts.push(format!("PRIMARY KEY ({})", self.key.key));
        }
        parts.push("KEY (n)".to_owned());
        let parts = parts.join(", ");
        format!("CREATE TABLE r.{} ({parts}) ENGINE=InnoDB", self.name)
    }

    pub(super) fn snapshot(&self, client: &mut Client) -> Vec<TextRow> {
        let mut cells = vec!["n".to_owned()];
        let names = self
            .key
            .columns
            .iter()
            .map(|key| key.split(' ').next().unwrap());
        cells.extend(names.map(|name| format!("HEX(CAST({name} AS CHAR)), HEX({name})")));
        cells.extend(self.columns.iter().map(Column::print));
        if self.computed {
            cells.push("gv, gs".to_owned());
        }
        let sql = format!("SELECT {} FROM r.{}", cells.join(", "), self.name);
        let mut rows = client.query(&sql).unwrap();
        rows.sort();
        rows
    }
}

/// A source, and its tables.
pub(super) struct Source {
    kind: &'static str,
    pub(super) server: Server,
    pub(super) client: Client,
    pub(super) tables: Vec<Table>,
    rng: Rng,
    /// The number of the next row.
    next: u64,
}

impl Source {
    pub(super) fn new(kind: &'static str, options: &[&str], rng: Rng) -> Self {
        let server = source_of(kind, options);
        let mut client = server.client().unwrap();
        client.run("CREATE DATABASE r").unwrap();
        client
            .run("SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'")
            .unwrap();
        Self {
            kind,
            server,
            client,
            tables: Vec::new(),
            rng,
            next: 1,
        }
    }

    /// All columns, in random order.
    fn columns(&mut self) -> Vec<Column> {
        let own = if self.kind == "mysql97" {
            MYSQL
        } else {
            MARIADB
        };
        let mut columns: Vec<Column> = COMMON
            .iter()
            .chain(own)
            .map(|(definition, values)| Column {
                definition: (*definition).to_owned(),
                values: values.iter().map(ToString::to_string).collect(),
            })
            .collect();
        let charsets = self
            .client
            .strings(
                "SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS \
                 WHERE CHARACTER_SET_NAME NOT IN ('binary', 'filename') ORDER BY 1",
            )
            .unwrap();
        for charset in charsets.concat() {
            let held: Vec<String> = TEXTS
                .iter()
                .map(|text| format!("'{text}'"))
                .filter(|text| {
                    let there_and_back = format!(
                        "SELECT HEX(CONVERT(CONVERT({text} USING {charset}) USING utf8mb4)) = HEX({text})"
                    );
                    self.client.string(&there_and_back).unwrap() == "1"
                })
                .collect();
            let labels: Vec<&str> = held
                .iter()
                .map(String::as_str)
                .filter(|text| !text.contains("tail") && !text.contains('\\') && *text != "''")
                .collect();
            let with_null = |mut values: Vec<String>| {
                values.push("NULL".to_owned());
                values
            };
            let numbers = with_null((1..=labels.len()).map(|at| at.to_string()).collect());
            let labels = labels.join(", ");
            for (kind, values) in [
                ("CHAR(12)".to_owned(), with_null(held.clone())),
                ("VARCHAR(40)".to_owned(), with_null(held.clone())),
                ("TEXT".to_owned(), with_null(held.clone())),
                (format!("ENUM({labels})"), numbers.clone()),
                (format!("SET({labels})"), numbers.clone()),
            ] {
                let first = kind.split('(').next().unwrap().to_lowercase();
                columns.push(Column {
                    definition: format!("{charset}_{first} {kind} CHARACTER SET {charset}"),
                    values,
                });
            }
        }
        for at in (1..columns.len()).rev() {
            let other = usize::try_from(self.rng.below(at as u64 + 1)).unwrap();
            columns.swap(at, other);
        }
        columns
    }

    /// So many tables, whose keys go round, and so do their columns.
    pub(super) fn create(&mut self, count: usize) {
        let all = self.columns();
        let mut columns = all.iter().cycle();
        for at in 0..count {
            let table = Table {
                name: format!("t{at}"),
                key: &KEYS[at % KEYS.len()],
                columns: columns.by_ref().take(COLUMNS).cloned().collect(),
                computed: self.rng.chance(30),
            };
            self.client.run(&table.create()).unwrap();
            self.tables.push(table);
        }
        println!(
            "{}: {} columns in {count} tables of {COLUMNS}",
            self.kind,
            all.len()
        );
    }

    fn value(&mut self, column: &Column) -> String {
        let at = self.rng.below(column.values.len() as u64);
        column.values[usize::try_from(at).unwrap()].clone()
    }

    /// Random transactions, until so many rows were changed. Statements are about up to `rows` rows.
    pub(super) fn work(&mut self, changes: u64, rows: u64) -> u64 {
        let mut done = 0;
        while done < changes {
            self.client.run("BEGIN").unwrap();
            for _ in 0..=self.rng.below(4) {
                let at = usize::try_from(self.rng.below(self.tables.len() as u64)).unwrap();
                done += self.change(at, rows);
            }
            self.client.run("COMMIT").unwrap();
        }
        done
    }

    /// A statement on a table: how many rows it changed.
    pub(super) fn change(&mut self, at: usize, rows: u64) -> u64 {
        let sql = self.statement(at, rows);
        self.client.run(&sql).unwrap()
    }

    fn statement(&mut self, at: usize, rows: u64) -> String {
        let table = &self.tables[at];
        let (name, key, columns) = (table.name.clone(), table.key, table.columns.clone());
        let count = 1 + self.rng.below(rows);
        match self.rng.below(10) {
            0..4 => {
                let mut names = vec!["n"];
                names.extend(columns.iter().map(Column::name));
                let of_key = key.columns.iter().map(|key| key.split(' ').next().unwrap());
                names.extend(of_key);
                let rows: Vec<String> = (0..count)
                    .map(|_| {
                        let n = self.next;
                        self.next += 1;
                        let mut values = vec![n.to_string()];
                        values.extend(columns.iter().map(|column| self.value(column)));
                        if !key.values.is_empty() {
                            values.push(key.values.replace("{n}", &n.to_string()));
                        }
                        format!("({})", values.join(", "))
                    })
                    .collect();
                format!(
                    "INSERT INTO r.{name} ({}) VALUES {}",
                    names.join(", "),
                    rows.join(", ")
                )
            }
            4..8 => {
                let mut sets = Vec::new();
                let mut rows = "1".to_owned();
                for _ in 0..=self.rng.below(3) {
                    let column = &columns[usize::try_from(self.rng.below(COLUMNS as u64)).unwrap()];
                    sets.push(format!("{} = {}", column.name(), self.value(column)));
                }
                if let Some((another, of)) = key.another
                    && self.rng.chance(30)
                {
                    sets.push(another.to_owned());
                    of.clone_into(&mut rows);
                }
                format!(
                    "UPDATE r.{name} SET {} WHERE {rows} AND n >= {} ORDER BY n LIMIT {count}",
                    sets.join(", "),
                    self.rng.below(self.next)
                )
            }
            _ => format!(
                "DELETE FROM r.{name} WHERE n >= {} ORDER BY n LIMIT {count}",
                self.rng.below(self.next)
            ),
        }
    }

    /// Every table as the server prints it.
    pub(super) fn snapshot(&mut self) -> Vec<Vec<TextRow>> {
        let client = &mut self.client;
        self.tables
            .iter()
            .map(|table| table.snapshot(client))
            .collect()
    }

    /// A moment between all that was and all that will be.
    pub(super) fn moment(&mut self) -> String {
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

    pub(super) fn assert_same(&self, what: &str, got: &[Vec<TextRow>], expected: &[Vec<TextRow>]) {
        for ((got, expected), table) in got.iter().zip(expected).zip(&self.tables) {
            let name = &table.name;
            assert_eq!(got.len(), expected.len(), "{what}: {name}");
            for (got, expected) in got.iter().zip(expected) {
                assert_eq!(
                    text(got),
                    text(expected),
                    "{what}: {name}: {}",
                    table.create()
                );
            }
        }
    }
}

/// Columns of a table, beside its key.
const COLUMNS: usize = 8;

fn text(row: &TextRow) -> Vec<String> {
    let cell = |cell: &Option<Vec<u8>>| match cell {
        None => "NULL".to_owned(),
        Some(cell) => String::from_utf8_lossy(cell).into_owned(),
    };
    row.iter().map(cell).collect()
}
