//! `bintrail stream` from MariaDB and from MySQL 5.6, by GTIDs and by position: killed again and again, the
//! index holds the row events that the server's own binlog tool prints, one for one, and its
//! images rebuild the source's table.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::{self, sleep};
use std::time::Duration;

use bintrail_testkit::client::Client;
use bintrail_testkit::json::Json;
use bintrail_testkit::server::Server;
use bintrail_testkit::workload::Rng;

use crate::support::{Scratch, Stream, setting, source_of};

/// What each kind has for this test.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Columns that only this kind has: definition, value of the `n`th row, and how it is selected as
    /// the image has it.
    columns: &'static [(&'static str, &'static str, &'static str)],
    pub(crate) start_gtid: &'static str,
    pub(crate) start_file: &'static str,
    /// Statements for each session, in turn.
    sessions: &'static [&'static str],
}

const MARIADB: &[(&str, &str, &str)] = &[
    ("u UUID", "UUID()", "u"),
    ("i6 INET6", "CONCAT('2001:db8::', HEX({n} % 65536))", "i6"),
    ("j JSON", "JSON_OBJECT('n', {n}, 't', 'ü')", "j"),
    (
        "z VARCHAR(300) COMPRESSED CHARACTER SET utf8mb4",
        "REPEAT('ż', {n} % 250)",
        "z",
    ),
    ("bz BLOB COMPRESSED", "REPEAT(x'00ff', {n} % 300)", "bz"),
];

pub(crate) const KINDS: [Kind; 3] = [
    Kind {
        name: "mariadb",
        columns: MARIADB,
        start_gtid: "",
        start_file: "maria-bin.000001",
        sessions: &[
            "SET gtid_domain_id = 0",
            "SET gtid_domain_id = 7",
            "SET GLOBAL log_bin_compress = ON, GLOBAL log_bin_compress_min_len = 40",
            "SET GLOBAL binlog_row_metadata = FULL",
            "SET GLOBAL log_bin_compress = OFF, GLOBAL binlog_row_metadata = NO_LOG",
        ],
    },
    Kind {
        name: "mariadb11",
        columns: MARIADB,
        start_gtid: "",
        start_file: "maria-bin.000001",
        sessions: &[
            "SET gtid_domain_id = 3",
            "SET GLOBAL binlog_row_metadata = MINIMAL",
            "SET GLOBAL log_bin_compress = ON",
            "SET gtid_domain_id = 0",
        ],
    },
    Kind {
        name: "mysql56",
        columns: &[],
        start_gtid: "",
        start_file: "mysql-bin.000001",
        sessions: &[
            "SET binlog_row_image = FULL",
            "SET binlog_rows_query_log_events = ON",
        ],
    },
];

const COLUMNS: &[(&str, &str, &str)] = &[
    ("n BIGINT UNSIGNED", "18446744073709551615 - {n}", "n"),
    ("d DECIMAL(12,3)", "{n} / -8", "d"),
    (
        "s VARCHAR(50) CHARACTER SET latin1",
        "CONCAT('é€', {n})",
        "s",
    ),
    ("t TEXT CHARACTER SET utf8mb4", "CONCAT('😀', {n})", "t"),
    ("c CHAR(4) CHARACTER SET gbk", "'你'", "c"),
    (
        "b VARBINARY(20)",
        "UNHEX(MD5({n}))",
        "CONCAT('base64:type15:', TO_BASE64(b))",
    ),
    ("e ENUM('a', 'ü') CHARACTER SET latin1", "1 + {n} % 2", "e"),
    ("f SET('x', 'y')", "{n} % 4", "f"),
    (
        "at DATETIME(3)",
        "'2024-02-29 12:34:56.789' + INTERVAL {n} SECOND",
        "at",
    ),
    (
        "ts TIMESTAMP(6) NULL",
        "'2024-02-29 12:34:56.789012' + INTERVAL {n} SECOND",
        "ts",
    ),
    ("y YEAR", "2000 + {n} % 100", "y"),
    ("m MEDIUMINT UNSIGNED", "16777215 - {n} % 1000", "m"),
];

impl Kind {
    fn all(&self) -> impl Iterator<Item = &(&'static str, &'static str, &'static str)> {
        COLUMNS.iter().chain(self.columns)
    }

    fn create(&self) -> String {
        let columns: Vec<&str> = self.all().map(|column| column.0).collect();
        format!(
            "CREATE TABLE w.t (id INT UNSIGNED PRIMARY KEY, {}) ENGINE=InnoDB",
            columns.join(", ")
        )
    }

    fn insert(&self, first: u64, rows: u64) -> String {
        let row = |n: u64| {
            let values: Vec<String> = self
                .all()
                .map(|column| match n % 11 {
                    0 => "NULL".to_owned(),
                    _ => column.1.replace("{n}", &n.to_string()),
                })
                .collect();
            format!("({n}, {})", values.join(", "))
        };
        let rows: Vec<String> = (first..first + rows).map(row).collect();
        format!("INSERT INTO w.t VALUES {}", rows.join(", "))
    }
}

fn column_name(definition: &str) -> &str {
    definition.split(' ').next().unwrap()
}

/// Transactions of every shape.
pub(crate) struct Work<'a> {
    kind: &'a Kind,
    rng: Rng,
    round: u64,
    /// The next row's id.
    next: u64,
}

impl Work<'_> {
    pub(crate) fn new(kind: &Kind, seed: u64) -> Work<'_> {
        Work {
            kind,
            rng: Rng::new(seed),
            round: 0,
            next: 1,
        }
    }

    /// Makes the tables.
    pub(crate) fn create(&self, client: &mut Client) -> bintrail_testkit::Result<()> {
        client.run("CREATE DATABASE w")?;
        client.run(&self.kind.create())?;
        client.run("CREATE TABLE w.m (a INT, b CHAR(5)) ENGINE=MyISAM")?;
        Ok(())
    }

    /// The next transaction. One that fails is not tried again.
    pub(crate) fn step(&mut self, client: &mut Client) -> bintrail_testkit::Result<()> {
        let Work { kind, rng, .. } = self;
        let (round, next) = (self.round, self.next);
        let rows = 1 + rng.below(4);
        let some = 1 + rng.below(next);
        self.round += 1;
        self.next += rows;
        if round % 40 == 0 {
            let session = kind.sessions[usize::try_from(round / 40)? % kind.sessions.len()];
            client.run(session)?;
            client.run("FLUSH LOGS")?;
        }
        let insert = kind.insert(next, rows);
        let statements = match rng.below(8) {
            0 | 1 => vec![insert],
            2 => vec![
                "BEGIN".to_owned(),
                insert,
                format!(
                    "UPDATE w.t SET t = CONCAT(t, 'x'), n = {round} WHERE id BETWEEN {some} AND {some} + 3"
                ),
                "COMMIT".to_owned(),
            ],
            3 => vec!["BEGIN".to_owned(), insert, "ROLLBACK".to_owned()],
            4 => vec![format!(
                "DELETE FROM w.t WHERE id BETWEEN {some} AND {some} + 1"
            )],
            5 => vec![format!(
                "INSERT INTO w.m VALUES ({round}, 'ab'), ({round}, NULL)"
            )],
            6 => vec![
                format!("XA START 'x{round}'"),
                insert,
                format!("XA END 'x{round}'"),
                format!("XA PREPARE 'x{round}'"),
                format!("XA COMMIT 'x{round}'"),
            ],
            _ => vec![format!(
                "UPDATE w.t SET s = NULL, y = 1999 WHERE id = {some}"
            )],
        };
        statements
            .iter()
            .try_for_each(|sql| client.run(sql).map(drop))
    }

    /// A transaction, behind which every stream comes to stand when it is the last thing in the binlog.
    pub(crate) fn last(&mut self, client: &mut Client) -> bintrail_testkit::Result<()> {
        client.run(&self.kind.insert(self.next, 1))?;
        self.next += 1;
        Ok(())
    }
}

/// Every row event as the server's tool prints it: what it does, where, and the first column before
/// and after.
pub(crate) fn printed(server: &Server) -> Vec<String> {
    printed_of(server, &server.binlog_files().unwrap())
}

/// The same of some of its files.
pub(crate) fn printed_of(server: &Server, files: &[PathBuf]) -> Vec<String> {
    let mut events: Vec<String> = Vec::new();
    for file in files {
        let mut tool = server
            .mysqlbinlog()
            .args(["-vv", "--base64-output=decode-rows"])
            .arg(file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        for line in BufReader::new(tool.stdout.take().unwrap()).split(b'\n') {
            let line = line.unwrap();
            let line = String::from_utf8_lossy(&line);
            if let Some(image) = line.strip_prefix("###   @1=") {
                let first = image.split(' ').next().unwrap();
                events.last_mut().unwrap().push_str(&format!(" {first}"));
            } else if let Some(row) = line.strip_prefix("### ")
                // A value may hold what looks like the name of a table.
                && !row.starts_with(' ')
                && let Some((verb, table)) = row.split_once(" `")
            {
                let verb = verb.split(' ').next().unwrap();
                events.push(format!("{verb} `{table}"));
            }
        }
        assert!(tool.wait().unwrap().success());
    }
    events
}

fn members(image: &str) -> Vec<(String, String)> {
    let Json::Object(members) = Json::parse(image).unwrap() else {
        panic!("{image}");
    };
    members
        .into_iter()
        .map(|(name, value)| {
            let text = match value {
                Json::Null => "NULL".to_owned(),
                Json::Number(text) | Json::String(text) => text,
                other => panic!("{name}: {other:?}"),
            };
            (name, text)
        })
        .collect()
}

/// Compares an index with the binlog and with the source's table.
pub(crate) fn check(stream: &Stream, kind: &Kind, source: &Server, expected: &[String]) {
    let name = &stream.name;
    let mut reader = stream.index.open().unwrap();
    let state = reader
        .query("SELECT capture_skips, gtid_set, last_error FROM stream_state")
        .unwrap();
    assert_eq!(state[0][0].as_deref(), Some("{}"), "{name}: {state:?}");
    if name.ends_with("gtid") {
        let variable = match kind.name {
            "mysql56" => "gtid_executed",
            _ => "gtid_binlog_pos",
        };
        let reached = source
            .client()
            .unwrap()
            .string(&format!("SELECT @@GLOBAL.{variable}"));
        assert_eq!(state[0][1], Some(reached.unwrap()), "{name}");
    }
    let annotated = reader
        .query("SELECT COUNT(*) FROM transactions WHERE statement LIKE '%w.t%'")
        .unwrap();
    assert_ne!(
        annotated[0][0].as_deref(),
        Some("0"),
        "{name}: no statements"
    );
    let without_gtid = reader
        .query("SELECT COUNT(*) FROM transactions WHERE gtid IS NULL")
        .unwrap();
    assert_eq!(without_gtid[0][0].as_deref(), Some("0"), "{name}");

    let mut rows: BTreeMap<u64, Vec<(String, String)>> = BTreeMap::new();
    let mut count = 0;
    for event in reader.events() {
        let event = event.unwrap();
        let before = event.row_before.as_deref().map(members);
        let after = event.row_after.as_deref().map(members);
        let first = |image: &Option<Vec<(String, String)>>| match image {
            Some(image) => format!(" {}", image[0].1),
            None => String::new(),
        };
        let told = format!(
            "{} `{}`.`{}`{}{}",
            event.event_type,
            event.schema_name,
            event.table_name,
            first(&before),
            first(&after)
        );
        assert_eq!(
            Some(&told),
            expected.get(count),
            "{name}: event {count}: {event:?}"
        );
        count += 1;
        if event.table_name != "t" {
            continue;
        }
        let key = |image: &[(String, String)]| image[0].1.parse::<u64>().unwrap();
        if let Some(before) = before {
            let kept = rows.remove(&key(&before));
            assert_eq!(kept.as_ref(), Some(&before), "{name}: {event:?}");
        }
        if let Some(after) = after {
            assert!(
                rows.insert(key(&after), after).is_none(),
                "{name}: {event:?}"
            );
        }
    }
    assert_eq!(count, expected.len(), "{name}");

    let select: Vec<String> = kind
        .all()
        .map(|column| match column.0.starts_with("bz ") {
            true => "CONCAT('base64:type252:', REPLACE(TO_BASE64(bz), '\\n', ''))".to_owned(),
            false => column.2.to_owned(),
        })
        .collect();
    let names: Vec<&str> = kind.all().map(|column| column_name(column.0)).collect();
    let mut client: Client = source.client().unwrap();
    let selected = client
        .query(&format!(
            "SELECT id, {} FROM w.t ORDER BY id",
            select.join(", ")
        ))
        .unwrap();
    assert_eq!(selected.len(), rows.len(), "{name}");
    assert!(rows.len() > 20, "{name}");
    for (row, kept) in selected.iter().zip(rows.values()) {
        let shown: Vec<(String, String)> = ["id"]
            .iter()
            .chain(&names)
            .zip(row)
            .map(|(name, cell)| {
                let text = match cell {
                    Some(bytes) => String::from_utf8(bytes.clone()).unwrap(),
                    None => "NULL".to_owned(),
                };
                ((*name).to_owned(), text)
            })
            .collect();
        assert_eq!(&shown, kept, "{name}");
    }
    println!("{name}: {count} events, {} rows", rows.len());
}

fn stream_from(kind: &Kind) {
    let seed = setting("BINTRAIL_TEST_SEED", 7);
    let kills = setting("BINTRAIL_TEST_KILLS", 8) / 2;
    let scratch = Scratch::new();
    let source = source_of(kind.name, &[]);
    let mut client = source.client().unwrap();
    let mut work = Work::new(kind, seed);
    work.create(&mut client).unwrap();
    let mut streams: Vec<Stream> = [
        ("gtid", ["--start-gtid", kind.start_gtid]),
        ("position", ["--start-file", kind.start_file]),
    ]
    .into_iter()
    .zip(4_100..)
    .map(|((mode, start), id)| {
        let id = id.to_string();
        let arguments = ["--server-id", &id, start[0], start[1]];
        Stream::new(
            &format!("{}-{mode}", kind.name),
            &source,
            None,
            &scratch,
            &arguments,
        )
    })
    .collect();
    streams.iter_mut().for_each(Stream::start);

    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..300 {
                work.step(&mut client).unwrap();
                sleep(Duration::from_millis(10));
            }
            work.last(&mut client).unwrap();
        });
        for (stream, number) in streams.iter_mut().zip(0_u64..) {
            scope.spawn(move || {
                let mut rng = Rng::new(seed ^ number << 32);
                for _ in 0..kills {
                    sleep(Duration::from_millis(200 + rng.below(1_000)));
                    stream.kill();
                    stream.start();
                }
            });
        }
    });
    let expected = printed(&source);
    for stream in &mut streams {
        stream.catch_up(&source);
        stream.terminate();
        check(stream, kind, &source, &expected);
    }
}

#[test]
fn mariadb_10() {
    stream_from(&KINDS[0]);
}

#[test]
fn mariadb_11() {
    stream_from(&KINDS[1]);
}

#[test]
fn mysql_5_6() {
    stream_from(&KINDS[2]);
}
