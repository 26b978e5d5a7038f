//! The index: what its server or file is like, judged.

use std::path::Path;

use crate::dsn::{IndexDsn, MySqlDsn};
use crate::index::mysql::facts::{self as mysql, Database};
use crate::index::sqlite::facts as sqlite;
use crate::index::{ErrorKind, IndexError, SCHEMA_VERSION};

use super::finding::{Finding, Fix, Severity};
use super::privileges::{account, identifier};
use super::settings::set;
use super::source::About;
use super::{Part, bytes, clock, tls};

/// What a stream needs on the index's database.
const PRIVILEGES: [&str; 8] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "CREATE VIEW",
    "ALTER",
    "DROP",
];

/// Below this a disk is nearly full.
const LITTLE_DISK: u64 = 1 << 30;

/// Below this SQLite cannot fold its log any more.
const NO_DISK: u64 = 16 << 20;

/// Room for the writes of a busy stream, so that the server need not hold them up to flush pages.
const REDO: u64 = 1 << 30;

/// How much larger than in a statement on the source a row may be in one on the index: both images, each byte of a
/// binary string as four thirds.
const GROWTH: u64 = 3;

/// The most that `max_allowed_packet` can be.
const MAX_PACKET: u64 = 1 << 30;

/// The findings, and whether a stream writes this source into it now.
pub(super) async fn examine(dsn: &IndexDsn, source: Option<&About>) -> (Part, bool) {
    match dsn {
        IndexDsn::Sqlite(path) => examine_sqlite(path, source).await,
        IndexDsn::MySql(dsn) => examine_mysql(dsn, source).await,
    }
}

fn uuid(source: Option<&About>) -> Option<&str> {
    source.map(|about| about.identity.server_uuid.as_str())
}

async fn examine_sqlite(path: &Path, source: Option<&About>) -> (Part, bool) {
    let mut part = Part {
        place: format!("sqlite:{}", path.display()),
        version: None,
        findings: Vec::new(),
    };
    let directory = sqlite::directory(path);
    if !directory.is_dir() {
        let shown = directory.display();
        part.findings.push(
            Finding::error("database", format!("there is no directory {shown}"))
                .fix(Fix::Shell(format!("mkdir -p {}", quoted(&directory)))),
        );
        return (part, false);
    }
    let facts = match sqlite::facts(path, uuid(source)).await {
        Ok(facts) => facts,
        Err(error) => {
            part.findings.push(unusable("database", &error));
            return (part, false);
        }
    };
    part.findings.push(match (facts.size, facts.has_index) {
        (Some(size), true) => {
            Finding::ok("database", format!("it holds an index of {}", bytes(size)))
        }
        _ => Finding::ok("database", "it is made at the first start"),
    });
    part.findings.push(match &facts.unwritable {
        None => Finding::ok("writable", "the file and those beside it can be written"),
        Some(error) => Finding::error(
            "writable",
            format!("this user cannot write it and the files beside it: {error}"),
        )
        .fix(Fix::Shell(format!("chmod u+rwx {}", quoted(&directory)))),
    });
    if let Some(free) = facts.free {
        part.findings.push(disk(free));
    }
    let streaming = facts.writer.is_some();
    if facts.has_index && source.is_some() {
        part.findings.push(lock(facts.writer));
    }
    (part, streaming)
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

fn disk(free: u64) -> Finding {
    const CHECK: &str = "disk";
    let shown = bytes(free);
    let severity = match free {
        0..NO_DISK => Severity::Error,
        NO_DISK..LITTLE_DISK => Severity::Warning,
        _ => return Finding::ok(CHECK, format!("{shown} are free")),
    };
    Finding::new(
        CHECK,
        severity,
        format!("only {shown} are free for the index"),
    )
    .fix(Fix::Advice(
        "free some, or put the index on another disk with --index-dsn".to_owned(),
    ))
}

fn lock(writer: Option<String>) -> Finding {
    const CHECK: &str = "lock";
    match writer {
        None => Finding::ok(CHECK, "no stream writes for this source"),
        // It may well be the one that this examines.
        Some(writer) => Finding::info(
            CHECK,
            format!(
                "a stream is running: {writer} writes this source into this index, and a second one would be refused"
            ),
        ),
    }
}

fn unusable(check: &'static str, error: &IndexError) -> Finding {
    let finding = Finding::error(check, error.to_string());
    match error.kind() {
        ErrorKind::Unfit => finding.fix(Fix::Flag("--index-dsn=sqlite:bintrail.db".to_owned())),
        // What to do is in their own words.
        _ => finding,
    }
}

async fn examine_mysql(dsn: &MySqlDsn, source: Option<&About>) -> (Part, bool) {
    let database = dsn.database.as_deref().unwrap_or_default();
    let mut part = Part {
        place: format!("{}:{}/{database}", dsn.host, dsn.port),
        version: None,
        findings: Vec::new(),
    };
    let facts = match mysql::facts(dsn, uuid(source)).await {
        Ok(facts) => facts,
        Err(error) => {
            part.findings.push(unusable("connection", &error));
            return (part, false);
        }
    };
    let version = facts.variables.text("version");
    part.version = Some(format!("MySQL {version}"));
    let streaming = facts.writer.is_some();
    let findings = &mut part.findings;
    findings.push(Finding::ok(
        "connection",
        "the account may log in, and the server can hold an index",
    ));
    findings.push(tls::judge(
        facts.encrypted,
        dsn.tls.mode(),
        &dsn.host,
        "index-",
    ));
    findings.push(database_finding(&facts, database));
    findings.push(privileges(&facts, database));
    findings.push(writable(&facts));
    if facts.index_version.is_some() && source.is_some() {
        findings.push(lock(facts.writer.clone()));
    }
    findings.push(loading(&facts));
    findings.push(packet(
        &facts,
        source.and_then(|about| about.max_allowed_packet),
    ));
    findings.push(redo(&facts));
    findings.push(Finding::ok(
        "disk",
        match facts.size {
            Some(size) => format!(
                "the index takes about {}; how much is free for it, its server does not tell",
                bytes(size)
            ),
            None => "how much is free for it, its server does not tell".to_owned(),
        },
    ));
    if let Some(clocks) = facts.clocks {
        findings.push(clock::judge(
            clocks,
            "the index's server",
            "what its NOW() is compared with in queries is off by as much",
        ));
    }
    (part, streaming)
}

fn database_finding(facts: &mysql::Facts, database: &str) -> Finding {
    const CHECK: &str = "database";
    let name = identifier(database);
    match (facts.database, facts.index_version) {
        (Database::There, Some(version)) if version != SCHEMA_VERSION => Finding::error(
            CHECK,
            format!("the index in {name} has tables of version {version}, and this bintrail's are of version {SCHEMA_VERSION}"),
        )
        .fix(Fix::Advice(
            "use the bintrail that made it, or another database".to_owned(),
        )),
        (Database::There, Some(_)) => Finding::ok(CHECK, format!("{name} holds an index")),
        (Database::There, None) => Finding::ok(
            CHECK,
            format!("{name} is there; the index's tables are made at the first start"),
        ),
        (Database::Missing, _) if facts.grants.in_schema("CREATE", database) => {
            Finding::ok(CHECK, format!("{name} is made at the first start"))
        }
        _ => Finding::error(
            CHECK,
            format!("there is no database {name} that this account can see, nor may it make one"),
        )
        .sql(format!(
            "CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
        )),
    }
}

fn privileges(facts: &mysql::Facts, database: &str) -> Finding {
    const CHECK: &str = "privileges";
    let missing: Vec<&str> = PRIVILEGES
        .into_iter()
        .filter(|privilege| !facts.grants.in_schema(privilege, database))
        .collect();
    if missing.is_empty() {
        return Finding::ok(CHECK, "all granted that a stream needs");
    }
    let (missing, account) = (missing.join(", "), account(&facts.user));
    // The name is a pattern in a GRANT, unless the server was told otherwise.
    let pattern = if facts.variables.is("partial_revokes", "ON") {
        database.to_owned()
    } else {
        database
            .replace('\\', "\\\\")
            .replace('_', "\\_")
            .replace('%', "\\%")
    };
    let on = identifier(&pattern);
    Finding::error(CHECK, format!("{account} lacks {missing} on its database"))
        .sql(format!("GRANT {missing} ON {on}.* TO {account};"))
}

fn writable(facts: &mysql::Facts) -> Finding {
    const CHECK: &str = "writable";
    let on = |name| facts.variables.is(name, "ON");
    let exempt = ["SUPER", "CONNECTION_ADMIN"]
        .iter()
        .any(|name| facts.grants.everywhere(name));
    let name = if on("super_read_only") {
        "super_read_only"
    } else if on("read_only") && !exempt {
        "read_only"
    } else {
        return Finding::ok(CHECK, "the server takes writes");
    };
    Finding::error(CHECK, format!("the server takes no writes: {name} is ON"))
        .sql("SET PERSIST read_only = OFF;")
}

/// Which way rows go in.
fn loading(facts: &mysql::Facts) -> Finding {
    const CHECK: &str = "local_infile";
    if facts.variables.is(CHECK, "ON") {
        return Finding::ok(CHECK, "ON: rows are loaded with LOAD DATA LOCAL");
    }
    Finding::info(
        CHECK,
        "OFF: rows go in by INSERT statements of many rows, and not by LOAD DATA LOCAL, which costs the server less",
    )
    .fixes(set(&facts.variables, CHECK, "ON"))
}

fn packet(facts: &mysql::Facts, of_source: Option<u64>) -> Finding {
    const CHECK: &str = "max_allowed_packet";
    let here = facts.variables.number(CHECK).unwrap_or(0);
    if facts.variables.is("local_infile", "ON") {
        return Finding::ok(
            CHECK,
            format!(
                "{}, and no limit to a row, which LOAD DATA LOCAL sends in parts",
                bytes(here)
            ),
        );
    }
    let Some(of_source) = of_source else {
        return Finding::ok(CHECK, bytes(here));
    };
    let needed = of_source.saturating_mul(GROWTH).min(MAX_PACKET);
    if here >= needed {
        return Finding::ok(CHECK, bytes(here));
    }
    Finding::warning(
        CHECK,
        format!(
            "{}: the source takes rows of up to {}, which need up to {} here; a row that is larger than the packet \
             stops the stream",
            bytes(here),
            bytes(of_source),
            bytes(needed)
        ),
    )
    .fixes(set(&facts.variables, CHECK, &needed.to_string()))
}

fn redo(facts: &mysql::Facts) -> Finding {
    const CHECK: &str = "innodb_redo_log_capacity";
    let Some(capacity) = facts.variables.number(CHECK) else {
        // Before 8.0.30: files whose size takes a restart to change.
        let size = facts.variables.number("innodb_log_file_size").unwrap_or(0);
        let finding = format!("innodb_log_file_size is {}", bytes(size));
        return if size >= REDO / 2 {
            Finding::ok(CHECK, finding)
        } else {
            Finding::info(
                CHECK,
                format!("{finding}, which is little for a busy stream"),
            )
            .fix(Fix::ServerOption(format!(
                "innodb-log-file-size={}",
                REDO / 2
            )))
        };
    };
    if capacity >= REDO {
        return Finding::ok(CHECK, bytes(capacity));
    }
    Finding::info(
        CHECK,
        format!(
            "{}, which is little for a busy stream: when it is full, writes wait for pages to be flushed",
            bytes(capacity)
        ),
    )
    .fixes(set(&facts.variables, CHECK, &REDO.to_string()))
}
