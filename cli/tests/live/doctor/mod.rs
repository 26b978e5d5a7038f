//! Each fault that `bintrail doctor` knows is brought about on a real server, found, mended with what the finding itself
//! says, and then no longer found.

mod settings;

use std::fs;
use std::process::{Command, Stdio};

use bintrail_testkit::server::Server;
use serde_json::Value;

use crate::support::{
    BINTRAIL, PASSWORD, Scratch, Stream, index_server, run, source, source_dsn, source_of,
};

/// A source, an index, and flags.
struct Patient {
    source: String,
    index: String,
    flags: Vec<String>,
}

struct Finding {
    severity: String,
    message: String,
    /// Kind and text of each step.
    fix: Vec<(String, String)>,
}

impl Patient {
    fn new(source: &Server, index: &str) -> Self {
        Self {
            source: source_dsn(source),
            index: index.to_owned(),
            flags: Vec::new(),
        }
    }

    fn run(&self, format: &str) -> (i32, String) {
        let output = Command::new(BINTRAIL)
            .args(["doctor", "--format", format])
            .args(&self.flags)
            .env("BINTRAIL_SOURCE_DSN", &self.source)
            .env("BINTRAIL_INDEX_DSN", &self.index)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        for text in [&text, &errors] {
            assert!(!text.contains(PASSWORD), "{text}");
        }
        assert_eq!(errors, "");
        (output.status.code().unwrap(), text)
    }

    /// The report, after its exit code was seen to be what the report says.
    fn report(&self) -> Value {
        let (code, text) = self.run("json");
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["version"], 1);
        let expected = if report["ready"] == true { 0 } else { 40 };
        assert_eq!(code, expected, "{text}");
        report
    }

    fn find(&self, part: &str, check: &str) -> Finding {
        let report = self.report();
        let found = findings(&report, part).find(|finding| finding["check"] == check);
        let found = found.unwrap_or_else(|| panic!("no {check}: {report:#}"));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let fix = found["fix"].as_array().unwrap();
        Finding {
            severity: text(&found["severity"]),
            message: text(&found["message"]),
            fix: fix
                .iter()
                .map(|step| (text(&step["kind"]), text(&step["text"])))
                .collect(),
        }
    }

    fn is(&self, part: &str, check: &str, severity: &str) -> Finding {
        let finding = self.find(part, check);
        assert_eq!(
            finding.severity, severity,
            "{check}: {} {:?}",
            finding.message, finding.fix
        );
        finding
    }

    /// The text tells what the JSON tells: the finding on a line, and each step of its fix on one below.
    fn says_the_same(&self, check: &str, finding: &Finding) {
        let (_, text) = self.run("text");
        let mut lines = text.lines().skip_while(|line| {
            let mut words = line.split_whitespace();
            words.next() != Some(&finding.severity) || words.next() != Some(check)
        });
        let first = lines.next().unwrap_or_else(|| panic!("no {check}: {text}"));
        assert!(first.ends_with(&finding.message), "{first}");
        for (_, step) in &finding.fix {
            assert_eq!(lines.next().map(str::trim), Some(step.as_str()), "{text}");
        }
    }

    /// The fault is there, goes when the statements of its fix are run on `server`, and is gone.
    fn is_mended_by_sql(&self, part: &str, check: &str, severity: &str, server: &Server) {
        let finding = self.is(part, check, severity);
        self.says_the_same(check, &finding);
        let mut client = server.client().unwrap();
        let mut run = 0;
        for (kind, statement) in &finding.fix {
            if kind == "sql" {
                client.run(statement).unwrap();
                run += 1;
            }
        }
        assert!(run > 0, "{check}: {:?}", finding.fix);
        self.is(part, check, "ok");
    }
}

fn findings<'a>(report: &'a Value, part: &str) -> impl Iterator<Item = &'a Value> {
    let part = match part {
        "source" => &report["sources"][0],
        part => &report[part],
    };
    part["findings"].as_array().unwrap().iter()
}

/// Nothing but what is as it should be.
fn assert_all_ok(report: &Value) {
    for part in ["source", "index"] {
        for finding in findings(report, part) {
            assert_eq!(finding["severity"], "ok", "{finding:#}");
        }
    }
}

fn keeper_dsn(server: &Server, user: &str, database: &str) -> String {
    format!(
        "mysql://{user}:{PASSWORD}@127.0.0.1:{}/{database}",
        server.port
    )
}

#[test]
fn healthy_ends_are_left_as_they_are() {
    let server = source(&["--binlog-row-metadata=FULL"]);
    let keeper = index_server(&["--local-infile=ON", "--innodb-redo-log-capacity=1073741824"]);
    let scratch = Scratch::new();
    let file = scratch.0.join("index.db");
    let at_mysql = Patient::new(&server, &keeper_dsn(&keeper, "keeper", "kept"));
    assert_all_ok(&at_mysql.report());
    let in_file = Patient::new(&server, &format!("sqlite:{}", file.display()));
    assert_all_ok(&in_file.report());
    let (code, text) = in_file.run("text");
    assert_eq!(code, 0);
    assert!(
        text.ends_with("Ready to stream: no errors, no warnings.\n"),
        "{text}"
    );
    assert!(text.starts_with("Source  127.0.0.1:"), "{text}");
    assert!(text.contains("\nIndex  sqlite:"), "{text}");

    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
    let seen = |server: &Server, sql| server.client().unwrap().strings(sql).unwrap();
    assert!(seen(&keeper, "SHOW DATABASES LIKE 'kept'").is_empty());
    assert!(seen(&server, "SHOW REPLICAS").is_empty());
}

#[test]
fn what_is_only_worth_knowing() {
    let server = source(&[
        "--binlog-row-value-options=PARTIAL_JSON",
        "--binlog-transaction-compression=ON",
    ]);
    let patient = Patient::new(&server, "sqlite:unused.db");
    for check in ["binlog_row_value_options", "binlog_transaction_compression"] {
        patient.is("source", check, "info");
    }
    assert_eq!(patient.report()["ready"], true);
}

#[test]
fn each_host_is_examined() {
    let [good, bad] = [&[][..], &["--skip-log-bin"]].map(source);
    let mut patient = Patient::new(&good, "sqlite:unused.db");
    patient.source = format!(
        "mysql://capture:{PASSWORD}@127.0.0.1:1,127.0.0.1:{},127.0.0.1:{}/",
        good.port, bad.port
    );
    let report = patient.report();
    let worst = |at: usize| {
        let findings = report["sources"][at]["findings"].as_array().unwrap();
        let errors = findings.iter().filter(|one| one["severity"] == "error");
        errors
            .map(|one| one["check"].as_str().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        [worst(0), worst(1), worst(2)],
        [vec!["connection"], vec![], vec!["log_bin"]]
    );
}

#[test]
fn a_source_that_does_not_log_all_of_it() {
    let scratch = Scratch::new();
    let index = format!("sqlite:{}", scratch.0.join("index.db").display());
    let off = source(&["--skip-log-bin"]);
    let finding = Patient::new(&off, &index).is("source", "log_bin", "error");
    assert_eq!(finding.fix[0].0, "server_option");

    for (kind, change) in [
        (
            "mysql97",
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=1",
        ),
        (
            "mariadb",
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1",
        ),
    ] {
        let server = source_of(
            kind,
            &["--log-slave-updates=OFF", "--binlog-ignore-db=scratch"]
                .map(|option| match kind {
                    "mysql97" => option.replace("slave", "replica"),
                    _ => option.to_owned(),
                })
                .each_ref()
                .map(String::as_str),
        );
        let mut patient = Patient::new(&server, &index);
        // MariaDB has a privilege of its own for this question.
        let before = if kind == "mysql97" { "ok" } else { "info" };
        patient.is("source", "log_replica_updates", before);
        if kind == "mariadb" {
            run(&server, &["GRANT SLAVE MONITOR ON *.* TO capture"]);
            patient.is("source", "log_replica_updates", "ok");
        }
        run(&server, &[change]);
        let finding = patient.is("source", "log_replica_updates", "error");
        assert_eq!(finding.fix[0].0, "server_option");
        let filters = patient.is("source", "binlog_filters", "warning");
        assert!(
            filters.message.contains("binlog-ignore-db=scratch"),
            "{}",
            filters.message
        );
        patient.flags = vec!["--schemas=shop".to_owned()];
        patient.is("source", "binlog_filters", "ok");
    }
}

#[test]
fn tables_that_are_not_kept_need_no_key() {
    let server = source(&[]);
    run(
        &server,
        &[
            "CREATE DATABASE a",
            "CREATE DATABASE b",
            "CREATE TABLE a.t (id INT)",
            "CREATE TABLE b.u (id INT PRIMARY KEY)",
            "CREATE VIEW b.v AS SELECT 1 AS id",
        ],
    );
    for n in 0..12 {
        run(&server, &[&format!("CREATE TABLE a.n{n} (id INT)")]);
    }
    let mut patient = Patient::new(&server, "sqlite:unused.db");
    let finding = patient.is("source", "primary_keys", "warning");
    assert!(
        finding.message.contains("and 3 more have"),
        "{}",
        finding.message
    );
    assert_eq!(finding.fix.len(), 10);
    // What cannot be seen is not said to be well.
    run(
        &server,
        &[
            "REVOKE SELECT ON *.* FROM capture",
            "GRANT SELECT ON b.* TO capture",
        ],
    );
    patient.is("source", "primary_keys", "info");
    run(&server, &["GRANT SELECT ON *.* TO capture"]);
    for (flag, severity) in [
        ("--schemas=b", "ok"),
        ("--tables=b.u", "ok"),
        ("--tables=t", "warning"),
        ("--schemas=a,b", "warning"),
    ] {
        patient.flags = vec![flag.to_owned()];
        patient.is("source", "primary_keys", severity);
        patient.is("source", "filters", "ok");
    }
}

#[test]
fn keys_for_tables_of_every_kind() {
    for kind in ["mysql97", "mysql56", "mariadb"] {
        let server = source_of(kind, &[]);
        run(
            &server,
            &[
                "CREATE DATABASE k",
                "CREATE TABLE k.counts (`a``b` INT NOT NULL AUTO_INCREMENT, x INT, KEY (x, `a``b`), KEY (`a``b`))",
                "CREATE TABLE k.taken (bintrail_pk INT, Bintrail_PK2 INT)",
                "CREATE TABLE k.plain (x INT)",
                "CREATE TABLE k.parts (x INT NOT NULL) PARTITION BY HASH (x) PARTITIONS 2",
                "CREATE TABLE k.parts_count (id INT NOT NULL AUTO_INCREMENT, x INT NOT NULL, KEY (id)) \
                 PARTITION BY RANGE (x) (PARTITION p VALUES LESS THAN MAXVALUE)",
                "INSERT INTO k.counts (x) VALUES (1), (1)",
                "INSERT INTO k.taken VALUES (1, 1), (1, 1)",
                "INSERT INTO k.plain VALUES (1), (1)",
                "INSERT INTO k.parts VALUES (1), (1)",
                "INSERT INTO k.parts_count (x) VALUES (1), (1)",
            ],
        );
        let patient = Patient::new(&server, "sqlite:unused.db");
        let finding = patient.is("source", "primary_keys", "warning");
        assert_eq!(finding.fix.len(), 5, "{}", finding.message);
        let kinds = finding.fix.iter().map(|(kind, _)| kind.as_str());
        assert_eq!(kinds.filter(|kind| *kind == "sql").count(), 3);
        for (step, text) in &finding.fix {
            match step.as_str() {
                "sql" => run(&server, &[text]),
                _ => {
                    let sql = text.split_once(": ").unwrap().1;
                    run(&server, &[&sql.replace("those columns", "x")]);
                }
            }
        }
        patient.is("source", "primary_keys", "ok");
    }
}

#[test]
fn names_that_no_table_has() {
    for kind in ["mysql97", "mysql56", "mariadb"] {
        let server = source_of(kind, &[]);
        run(
            &server,
            &[
                "CREATE DATABASE a",
                "CREATE DATABASE bare",
                "CREATE TABLE a.t (id INT PRIMARY KEY)",
                "CREATE VIEW a.v AS SELECT 1 AS id",
            ],
        );
        let mut patient = Patient::new(&server, "sqlite:unused.db");
        for (flags, names) in [
            (&["--schemas=a"][..], ""),
            (&["--tables=t"], ""),
            (&["--schemas=a", "--tables=a.t"], ""),
            (&["--schemas=a,b,bare"], "--schemas b, --schemas bare:"),
            (&["--tables=a.t,a.u"], "--tables a.u:"),
            (&["--tables=a.v"], "--tables a.v:"),
            (&["--schemas=b", "--tables=t"], "--schemas b, --tables t:"),
        ] {
            patient.flags = flags.iter().map(ToString::to_string).collect();
            if names.is_empty() {
                patient.is("source", "filters", "ok");
            } else {
                let finding = patient.is("source", "filters", "warning");
                let expected = format!("no table matches {names}");
                assert!(
                    finding.message.contains(&expected),
                    "{kind}: {}",
                    finding.message
                );
            }
        }
    }
}

#[test]
fn server_ids_that_clash() {
    for kind in ["mysql97", "mysql56", "mariadb"] {
        let server = source_of(kind, &[]);
        if kind == "mariadb" {
            let mut hidden = Patient::new(&server, "sqlite:unused.db");
            hidden.flags = vec!["--server-id=7001".to_owned()];
            hidden.is("source", "server_id", "info");
            run(
                &server,
                &["GRANT REPLICATION MASTER ADMIN ON *.* TO capture"],
            );
        }
        let scratch = Scratch::new();
        let mut patient = Patient::new(
            &server,
            &format!("sqlite:{}", scratch.0.join("another.db").display()),
        );
        patient.is("source", "server_id", "ok");
        let own = server
            .client()
            .unwrap()
            .string("SELECT @@server_id")
            .unwrap();
        // An older source tells where it is only with an event.
        let file = server.position().unwrap().0;
        let arguments = ["--server-id", "7001", "--start-file", &file];
        let mut stream = Stream::new("first", &server, None, &scratch, &arguments);
        stream.start();
        stream.catch_up(&server);
        for id in [own.as_str(), "7001"] {
            patient.flags = vec![format!("--server-id={id}")];
            let finding = patient.is("source", "server_id", "error");
            assert_eq!(finding.fix[0].0, "flag");
            patient.flags = vec![finding.fix[0].1.clone()];
            patient.is("source", "server_id", "ok");
        }
        // It is the running stream's own id where it is about the running stream's own index.
        let index = scratch.0.join("first").join("index.db");
        let mut same = Patient::new(&server, &format!("sqlite:{}", index.display()));
        same.flags = vec!["--server-id=7001".to_owned()];
        same.is("source", "server_id", "ok");
        let lock = same.is("index", "lock", "info");
        assert!(lock.message.contains("process "), "{}", lock.message);
        stream.terminate();
        same.is("index", "lock", "ok");
    }
}

#[test]
fn an_index_on_mysql() {
    let server = source(&["--max-allowed-packet=16M"]);
    let keeper = index_server(&["--max-allowed-packet=16M"]);
    run(
        &keeper,
        &[&format!("CREATE USER poor IDENTIFIED BY '{PASSWORD}'")],
    );
    let mut patient = Patient::new(&server, &keeper_dsn(&keeper, "poor", "bin_trail"));
    patient.is("index", "database", "error");
    // Both are needed: to see it, and to write to it.
    let privileges = patient.is("index", "privileges", "error");
    assert!(
        privileges.fix[0].1.starts_with("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, CREATE VIEW, ALTER, DROP ON `bin\\_trail`.* TO `poor`@`%`"),
        "{:?}",
        privileges.fix
    );
    patient.is_mended_by_sql("index", "privileges", "error", &keeper);
    // It may make it now.
    patient.is("index", "database", "ok");
    for revoked in ["CREATE VIEW", "DROP"] {
        run(
            &keeper,
            &[&format!("REVOKE {revoked} ON `bin\\_trail`.* FROM poor")],
        );
        let finding = patient.is("index", "privileges", "error");
        assert!(finding.message.contains(revoked), "{}", finding.message);
        patient.is_mended_by_sql("index", "privileges", "error", &keeper);
    }
    for read_only in ["read_only", "super_read_only"] {
        run(&keeper, &[&format!("SET GLOBAL {read_only} = ON")]);
        patient.is_mended_by_sql("index", "writable", "error", &keeper);
    }
    patient.is_mended_by_sql("index", "innodb_redo_log_capacity", "info", &keeper);
    patient.is_mended_by_sql("index", "max_allowed_packet", "warning", &keeper);
    run(&keeper, &["SET GLOBAL max_allowed_packet = 16777216"]);
    patient.is_mended_by_sql("index", "local_infile", "info", &keeper);
    patient.is("index", "max_allowed_packet", "ok");
    // What it says holds: a stream runs with these privileges, and its index is then known as one.
    let scratch = Scratch::new();
    let mut stream = Stream::new("kept", &server, Some(&keeper), &scratch, &[]);
    run(&keeper, &["GRANT ALL ON kept.* TO poor"]);
    patient.index = keeper_dsn(&keeper, "poor", "kept");
    stream.start();
    stream.catch_up(&server);
    let lock = patient.is("index", "lock", "info");
    assert!(lock.message.contains("connection "), "{}", lock.message);
    stream.terminate();
    patient.is("index", "lock", "ok");
    let holds = patient.is("index", "database", "ok");
    assert!(
        holds.message.contains("holds an index"),
        "{}",
        holds.message
    );
    run(&keeper, &["INSERT INTO kept.index_version VALUES (1000)"]);
    patient.is("index", "database", "error");
}

#[test]
fn an_index_in_a_file() {
    let server = source(&[]);
    let scratch = Scratch::new();
    let directory = scratch.0.join("it's not there");
    let patient = Patient::new(&server, &format!("sqlite:{}/index.db", directory.display()));
    let missing = patient.is("index", "database", "error");
    assert_eq!(missing.fix[0].0, "shell");
    let made = Command::new("sh").args(["-c", &missing.fix[0].1]).status();
    assert!(made.unwrap().success());
    patient.is("index", "database", "ok");
    patient.is("index", "disk", "ok");
    fs::write(
        directory.join("index.db"),
        "this is no database at all, it is prose",
    )
    .unwrap();
    patient.is("index", "database", "error");
}

#[test]
fn one_broken_end_does_not_hide_the_other() {
    let server = source(&[]);
    let mut patient = Patient::new(&server, &format!("mysql://u:{PASSWORD}@127.0.0.1:1/index"));
    patient.is("index", "connection", "error");
    patient.is("source", "log_bin", "ok");
    patient.source = patient.source.replace("capture:", "nobody:");
    patient.index = "sqlite:unused.db".to_owned();
    let refused = patient.is("source", "connection", "error");
    assert!(
        refused.fix[0].1.contains("--source-dsn"),
        "{:?}",
        refused.fix
    );
    patient.is("index", "database", "ok");
    // Servers that cannot hold an index.
    for kind in ["mysql56", "mariadb"] {
        let old = source_of(kind, &[]);
        patient.index = format!("mysql://capture:{PASSWORD}@127.0.0.1:{}/i", old.port);
        let unfit = patient.is("index", "connection", "error");
        assert!(unfit.message.contains("8.0.14"), "{}", unfit.message);
    }
}

#[test]
fn clocks_that_disagree() {
    let server = source(&[]);
    let patient = Patient::new(&server, "sqlite:unused.db");
    patient.is("source", "clock", "ok");
    // Their sessions' time is then another than the machine's.
    for (offset, words) in [("+ 100", "s ahead of"), ("- 100", "s behind")] {
        run(
            &server,
            &[&format!(
                "SET GLOBAL init_connect = 'SET timestamp = UNIX_TIMESTAMP() {offset}'"
            )],
        );
        let finding = patient.is("source", "clock", "warning");
        assert!(finding.message.contains(words), "{}", finding.message);
    }
}

/// The same checks, in the log of a stream that starts nevertheless.
#[test]
fn a_stream_says_at_its_start_what_it_risks() {
    let server = source(&[
        "--binlog-row-image=MINIMAL",
        "--binlog-expire-logs-seconds=3600",
    ]);
    let scratch = Scratch::new();
    let tables = ["--tables", "shop.orders"];
    let mut stream = Stream::new("risky", &server, None, &scratch, &tables);
    stream.start();
    stream.catch_up(&server);
    stream.terminate();
    let log = stream.log();
    for (check, fix) in [
        ("binlog_row_image", "SET PERSIST binlog_row_image = FULL"),
        (
            "binlog_row_metadata",
            "SET PERSIST binlog_row_metadata = FULL",
        ),
        ("binlog_retention", "SET PERSIST binlog_expire_logs_seconds"),
        ("filters", "no table matches --tables shop.orders: "),
    ] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(fix)).collect();
        let [line] = lines.as_slice() else {
            panic!("{check}: {log}");
        };
        assert!(line.contains("WARN") && line.contains(check), "{line}");
    }
    assert_eq!(log.matches("WARN").count(), 4, "{log}");
}
