//! `bintrail recover` of rows whose table has other columns by now: a value goes back to the column that it came
//! from, under whichever name, or the refusal says why not.
//!
//! Every value tells the column that it was written into, so that a value in a wrong place shows.

use std::fs::File;
use std::process::Stdio;

use bintrail_testkit::server::Server;

use crate::support::{Scratch, Stream, run, source_dsn, source_of};

/// What undoing the work of a case comes to.
enum Comes {
    /// This query gives these rows.
    To(&'static str, &'static [&'static str]),
    /// A refusal that has this text.
    Refused(&'static str),
    /// The same, when the target is asked; without, nobody can know.
    RefusedByTarget(&'static str),
}

struct Case {
    name: &'static str,
    /// The server that it is about; any without.
    only: Option<&'static str>,
    /// What is undone; [`WORK`] when empty.
    work: &'static [&'static str],
    /// What the tables' definitions become behind it.
    since: &'static [&'static str],
    comes: Comes,
}

/// In each case's own schema, which is the default one.
const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(40), b VARCHAR(40), n INT)";
const ROWS: &str = "INSERT INTO t VALUES (1, 'a1', 'b1', 1), (2, 'a2', 'b2', 2)";
const WORK: &[&str] = &[
    "UPDATE t SET a = 'a bad', b = 'b bad' WHERE id = 1",
    "DELETE FROM t WHERE id = 2",
];

const fn case(name: &'static str, since: &'static [&'static str], comes: Comes) -> Case {
    Case {
        name,
        only: None,
        work: WORK,
        since,
        comes,
    }
}

use Comes::{Refused, RefusedByTarget, To};

const AB: &str = "SELECT CONCAT_WS(' ', a, b) FROM t ORDER BY id";
const BOTH: &[&str] = &["a1 b1", "a2 b2"];
const CROSSED: &[&str] = &["b1 a1", "b2 a2"];
const SWAP: &str = "ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a";

const CASES: &[Case] = &[
    case("nothing", &[], To(AB, BOTH)),
    case(
        "rename",
        &["ALTER TABLE t RENAME COLUMN a TO z"],
        To("SELECT CONCAT_WS(' ', z, b) FROM t ORDER BY id", BOTH),
    ),
    case("swap", &[SWAP], To(AB, CROSSED)),
    case("swap and back", &[SWAP, SWAP], To(AB, BOTH)),
    case(
        "swap by three names",
        &[
            "ALTER TABLE t CHANGE a c VARCHAR(40)",
            "ALTER TABLE t CHANGE b a VARCHAR(40)",
            "ALTER TABLE t CHANGE c b VARCHAR(40)",
        ],
        To(AB, CROSSED),
    ),
    case(
        "swap with the place",
        &["ALTER TABLE t CHANGE a b VARCHAR(40) AFTER n, CHANGE b a VARCHAR(40)"],
        To(AB, CROSSED),
    ),
    case(
        "another column takes the name",
        &["ALTER TABLE t RENAME COLUMN a TO z, ADD a VARCHAR(40) DEFAULT 'new' AFTER id"],
        To(
            "SELECT CONCAT_WS(' ', a, z, b) FROM t ORDER BY id",
            &["new a1 b1", "new a2 b2"],
        ),
    ),
    case(
        "another column takes the name later",
        &[
            "ALTER TABLE t RENAME COLUMN a TO z",
            "ALTER TABLE t ADD a VARCHAR(40) DEFAULT 'new' FIRST",
        ],
        To(
            "SELECT CONCAT_WS(' ', a, z, b) FROM t ORDER BY id",
            &["new a1 b1", "new a2 b2"],
        ),
    ),
    case(
        "drop and add",
        &[
            "ALTER TABLE t DROP a",
            "ALTER TABLE t ADD a VARCHAR(40) AFTER id",
        ],
        Refused("column a"),
    ),
    case(
        "drop and add at once",
        &["ALTER TABLE t DROP a, ADD a VARCHAR(40)"],
        Refused("column a"),
    ),
    Case {
        work: &["UPDATE t SET b = 'b bad'"],
        ..case(
            "drop and add of a column that did not change",
            &[
                "ALTER TABLE t DROP a",
                "ALTER TABLE t ADD a VARCHAR(40) DEFAULT 'new' AFTER id",
            ],
            To(AB, &["new b1", "new b2"]),
        )
    },
    case(
        "wider and elsewhere",
        &["ALTER TABLE t MODIFY a VARCHAR(50) AFTER b, MODIFY n BIGINT FIRST"],
        To(
            "SELECT CONCAT_WS(' ', n, id, b, a) FROM t ORDER BY n",
            &["1 1 b1 a1", "2 2 b2 a2"],
        ),
    ),
    case(
        "wider and back",
        &[
            "ALTER TABLE t MODIFY n BIGINT",
            "ALTER TABLE t MODIFY n INT",
        ],
        To(AB, BOTH),
    ),
    case(
        "narrower",
        &["ALTER TABLE t MODIFY b VARCHAR(30)"],
        Refused("column b was varchar(40)"),
    ),
    case(
        "another type",
        &["ALTER TABLE t MODIFY n VARCHAR(20)"],
        Refused("column n was int"),
    ),
    case(
        "another table name",
        &["RENAME TABLE t TO u", TABLE],
        To("SELECT CONCAT_WS(' ', a, b) FROM u ORDER BY id", BOTH),
    ),
    case(
        "tables change names",
        &[
            "CREATE TABLE u (id INT PRIMARY KEY, b VARCHAR(40), a VARCHAR(40), n INT)",
            "RENAME TABLE t TO x, u TO t, x TO u",
            "ALTER TABLE u RENAME COLUMN a TO b, RENAME COLUMN b TO a",
            "ALTER TABLE u RENAME TO v",
        ],
        To("SELECT CONCAT_WS(' ', a, b) FROM v ORDER BY id", CROSSED),
    ),
    case(
        "another key",
        &["ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, n)"],
        Refused("its primary key was (id) and is (id, n) by now"),
    ),
    case(
        "NULL no more",
        &["ALTER TABLE t MODIFY n INT NOT NULL"],
        To(AB, BOTH),
    ),
    Case {
        work: &["DELETE FROM t"],
        ..case(
            "dropped and made again",
            &[
                "DROP TABLE t",
                "CREATE TABLE t (b VARCHAR(40), id INT PRIMARY KEY, a VARCHAR(40), n INT)",
            ],
            To(AB, BOTH),
        )
    },
    case(
        "names in double quotes",
        &[
            "SET sql_mode = 'ANSI_QUOTES'",
            "ALTER TABLE \"t\" RENAME COLUMN \"a\" TO \"b\", RENAME COLUMN \"b\" TO \"a\"",
            "SET sql_mode = DEFAULT",
        ],
        To(AB, CROSSED),
    ),
    case(
        "not logged",
        &["SET sql_log_bin = 0", SWAP, "SET sql_log_bin = 1"],
        RefusedByTarget("which is which is not known"),
    ),
    Case {
        only: Some("mariadb"),
        ..case(
            "in two phases",
            &[
                "SET binlog_alter_two_phase = 1",
                SWAP,
                "SET binlog_alter_two_phase = 0",
            ],
            To(AB, CROSSED),
        )
    },
    Case {
        only: Some("mariadb"),
        ..case(
            "not understood",
            &["ALTER TABLE t RENAME COLUMN IF EXISTS a TO c"],
            Refused("behind the statement ALTER TABLE t RENAME COLUMN IF EXISTS a TO c"),
        )
    },
];

fn redefined(kind: &'static str, options: &[&str]) {
    let scratch = Scratch::new();
    let server = source_of(kind, options);
    let file = server.position().unwrap().0;
    let mut stream = Stream::new("fit", &server, None, &scratch, &["--start-file", &file]);
    stream.start();
    let cases: Vec<(String, &Case)> = CASES
        .iter()
        .filter(|case| case.only.is_none_or(|only| only == kind))
        .enumerate()
        .map(|(at, case)| (format!("c{at}"), case))
        .collect();
    let within = |schema: &str, statements: &[&str]| {
        let enter = format!("USE {schema}");
        let all = [&[&*enter], statements].concat();
        run(&server, &all);
    };
    for (schema, case) in &cases {
        run(&server, &[&format!("CREATE DATABASE {schema}")]);
        within(schema, &[&[TABLE, ROWS], case.work].concat());
    }
    // Rows whose columns the event does not name are read before they get other names.
    stream.catch_up(&server);
    for (schema, case) in &cases {
        within(schema, case.since);
    }
    stream.catch_up(&server);
    for (schema, case) in &cases {
        undo(&server, &stream, &scratch, schema, case);
    }
    stream.terminate();
}

fn undo(server: &Server, stream: &Stream, scratch: &Scratch, schema: &str, case: &Case) {
    let what = [
        "recover",
        "--schema",
        schema,
        "--event-type",
        "update,delete",
    ];
    let dsn = source_dsn(server);
    let target = ["--target-dsn", &dsn, "--dry-run"];
    let path = scratch.0.join(format!("{schema}.sql"));
    let file = ["--output", path.to_str().unwrap()];
    for way in [&target[..], &file] {
        let output = stream.command(&[&what, way].concat()).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        let told = format!("{}, {way:?}: {printed}{error}", case.name);
        match case.comes {
            Refused(why) => {
                assert_eq!(output.status.code(), Some(41), "{told}");
                assert!(error.contains(why) && error.lines().count() == 1, "{told}");
            }
            RefusedByTarget(why) if way == target => {
                assert_eq!(output.status.code(), Some(41), "{told}");
                assert!(error.contains(why) && error.lines().count() == 1, "{told}");
            }
            RefusedByTarget(_) => {}
            To(query, rows) => {
                assert!(output.status.success(), "{told}");
                if way == target {
                    assert!(printed.ends_with("conflicts: 0\n"), "{told}");
                    continue;
                }
                let sql = Stdio::from(File::open(&path).unwrap());
                let ran = server.mysql().stdin(sql).output().unwrap();
                let error = String::from_utf8_lossy(&ran.stderr);
                assert!(ran.status.success(), "{}: {error}", case.name);
                let mut client = server.client().unwrap();
                client.run(&format!("USE {schema}")).unwrap();
                let got: Vec<String> = client.strings(query).unwrap().concat();
                assert_eq!(got, rows, "{}", case.name);
            }
        }
    }
}

#[test]
fn values_go_back_to_their_columns_on_mysql() {
    redefined("mysql97", &[]);
}

#[test]
fn values_go_back_to_their_columns_with_full_metadata() {
    redefined("mysql97", &["--binlog-row-metadata=FULL"]);
}

#[test]
fn values_go_back_to_their_columns_on_mariadb() {
    redefined("mariadb", &[]);
}
