//! The source: what is asked of it, in what order. What the answers mean is judged elsewhere.

use std::time::Duration;

use bintrail_proto::resultset::ResultSet;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::clock::now;
use crate::dsn::IndexDsn;
use crate::error::{Error, remedy};
use crate::filter::Filter;
use crate::index::record::{Flavor, Source};
use crate::source;
use crate::source::connection::ConnectOptions;
use crate::source::server::{Server, address, source_error, text};

use super::clock::{self, Clocks};
use super::finding::{Finding, Fix, Severity};
use super::grants::Grants;
use super::replicas::Replica;
use super::{Part, index, kept, logs, privileges, settings, tables, tls};

/// The longest that one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest that each of the checks before a stream may take.
const PATIENCE_AT_START: Duration = Duration::from_secs(5);

/// What the checks of the index, and the last one of the source, have to know about it.
pub(super) struct About {
    pub(super) identity: Source,
    pub(super) server_id: u32,
    /// `None` when they cannot be seen.
    pub(super) replicas: Option<Vec<Replica>>,
    pub(super) max_allowed_packet: Option<u64>,
}

pub(super) async fn examine(host: &ConnectOptions, filter: &Filter) -> (Part, Option<About>) {
    let mut part = Part {
        place: address(host),
        version: None,
        findings: Vec::new(),
    };
    let mut server = match Server::connect(host).await {
        Ok(server) => server,
        Err(error) => {
            part.findings.push(unreachable(error));
            return (part, None);
        }
    };
    let flavor = match server.flavor() {
        Flavor::MySql => "MySQL",
        Flavor::MariaDb => "MariaDB",
    };
    part.version = Some(format!("{flavor} {}", server.settings.version));
    part.findings
        .push(Finding::ok("connection", "the account may log in"));
    part.findings
        .push(settings::version(&server.settings.variables));
    let mode = host.tls.mode();
    part.findings
        .push(tls::judge(server.is_tls(), mode, &host.host, ""));
    limit_questions(&mut server).await;

    let (findings, sees_all) = quick(&mut server, filter).await;
    part.findings.extend(findings);
    if server.settings.log_bin {
        part.findings.push(retention(&mut server).await);
    }
    part.findings
        .push(without_key(&mut server, filter, sees_all).await);
    part.findings
        .extend(unmatched(&mut server, filter, sees_all).await);
    part.findings.push(clock(&mut server).await);
    let about = About {
        identity: server.identity(),
        server_id: server.settings.server_id,
        replicas: replicas(&mut server).await,
        max_allowed_packet: server.settings.variables.number("max_allowed_packet"),
    };
    server.close().await;
    (part, Some(about))
}

/// Logs, in a line each, what a stream from this source into this index puts at risk. It takes no long time, and never
/// fails: what keeps either end from being examined keeps the stream from starting too, which then says so.
pub(crate) async fn warn_before_stream(server: &mut Server, filter: &Filter, index: &IndexDsn) {
    let mut findings = Vec::new();
    let mut sees_all = false;
    if let Ok(quick) = in_time(quick(server, filter)).await {
        sees_all = quick.1;
        findings.extend(quick.0);
        findings.push(settings::retention(&server.settings.variables, None));
    }
    if let Ok(clock) = in_time(clock(server)).await {
        findings.push(clock);
    }
    // A server with very many tables may take long over these.
    if let Ok(unmatched) = in_time(unmatched(server, filter, sees_all)).await {
        findings.extend(unmatched);
    }
    if let Ok(keys) = in_time(without_key(server, filter, sees_all)).await {
        findings.push(keys);
    }
    log(&findings, "");
    let about = About {
        identity: server.identity(),
        server_id: server.settings.server_id,
        replicas: None,
        max_allowed_packet: server.settings.variables.number("max_allowed_packet"),
    };
    if let Ok((part, _)) = in_time(index::examine(index, Some(&about))).await {
        let reached = |finding: &Finding| !["connection", "database"].contains(&finding.check);
        let findings: Vec<_> = part.findings.into_iter().filter(reached).collect();
        log(&findings, "the index's ");
    }
}

async fn in_time<T>(check: impl Future<Output = T>) -> Result<T, Elapsed> {
    timeout(PATIENCE_AT_START, check).await
}

fn log(findings: &[Finding], whose: &str) {
    for finding in findings {
        if finding.severity >= Severity::Warning {
            tracing::warn!("{whose}{}: {finding}", finding.check);
        }
    }
}

/// What is known from the source's variables and from a handful of short questions; and whether the account sees all
/// the tables that are kept.
async fn quick(server: &mut Server, filter: &Filter) -> (Vec<Finding>, bool) {
    let mut findings = settings::judge(&server.settings.variables);
    if server.settings.log_bin {
        if let Some(finding) = logged_schemas(server, filter).await {
            // The variable tells what the server was started with.
            findings.retain(|other| other.check != finding.check);
            findings.push(finding);
        }
        findings.extend(replicated_changes(server).await);
    }
    let (privileges, sees_all) = account(server, filter).await;
    findings.extend(privileges);
    (findings, sees_all)
}

fn unreachable(error: Error) -> Finding {
    const CHECK: &str = "connection";
    let remedy = match &error {
        Error::Source { error, .. } => remedy(error).strip_prefix("; ").map(str::to_owned),
        _ => None,
    };
    Finding::error(CHECK, plain(error)).fixes(remedy.map(Fix::Advice))
}

/// Has the server itself give up on questions that take too long.
async fn limit_questions(server: &mut Server) {
    let seconds = PATIENCE.as_secs();
    let statement = match server.flavor() {
        Flavor::MySql => format!("SET SESSION max_execution_time = {}", seconds * 1000),
        Flavor::MariaDb => format!("SET SESSION max_statement_time = {seconds}"),
    };
    // MySQL 5.6 has no such thing; then only this side gives up.
    let _ = server.query(&statement).await;
}

async fn ask(server: &mut Server, sql: &str) -> Result<ResultSet, String> {
    query(server, sql).await.map_err(plain)
}

/// Asks in the words of newer servers, and of those that do not know them in the old ones.
async fn ask_either(server: &mut Server, new: &str, old: &str) -> Result<ResultSet, String> {
    match query(server, new).await {
        // ER_PARSE_ERROR
        Err(Error::Source {
            error: source::Error::Server(error),
            ..
        }) if error.code == 1064 => ask(server, old).await,
        answer => answer.map_err(plain),
    }
}

async fn query(server: &mut Server, sql: &str) -> Result<ResultSet, Error> {
    match timeout(PATIENCE, server.query(sql)).await {
        Ok(answer) => answer,
        Err(_) => Err(source_error(
            server.options(),
            source::Error::Silent { after: PATIENCE },
        )),
    }
}

/// Without the address, which stands above it.
fn plain(error: Error) -> String {
    match error {
        Error::Source { error, .. } => error.to_string(),
        error => error.to_string(),
    }
}

fn unknown(check: &'static str, what: &str, error: &str) -> Finding {
    Finding::info(check, format!("{what} cannot be seen: {error}"))
}

async fn account(server: &mut Server, filter: &Filter) -> (Vec<Finding>, bool) {
    let asked = async {
        let user = ask(server, "SELECT CURRENT_USER()").await?;
        let user = user.rows.first().and_then(|row| text(row, 0));
        let lines = ask(server, "SHOW GRANTS").await?;
        Ok::<_, String>((user.unwrap_or_default(), lines))
    };
    let (user, lines) = match asked.await {
        Ok(answers) => answers,
        Err(error) => {
            let finding = unknown("privileges", "the account's privileges", &error);
            return (vec![finding], false);
        }
    };
    let lines: Vec<String> = lines.rows.iter().filter_map(|row| text(row, 0)).collect();
    let variables = &server.settings.variables;
    let literal = variables.is("partial_revokes", "ON");
    let grants = Grants::parse(lines.iter().map(String::as_str), literal);
    let account = privileges::account(&user);
    (
        privileges::judge(&grants, &account, variables, filter),
        privileges::unseen(&grants, filter).is_empty(),
    )
}

async fn logged_schemas(server: &mut Server, filter: &Filter) -> Option<Finding> {
    let asked = ask_either(server, "SHOW BINARY LOG STATUS", "SHOW MASTER STATUS").await;
    let rows = match asked {
        Ok(rows) => rows,
        Err(error) => {
            return Some(unknown(
                logs::FILTERS,
                "binlog-do-db and -ignore-db",
                &error,
            ));
        }
    };
    let Some(row) = rows.rows.first() else {
        return Some(logs::stopped());
    };
    let names = |column| text(row, column).unwrap_or_default();
    Some(logs::filters(&names(2), &names(3), filter))
}

async fn replicated_changes(server: &mut Server) -> Option<Finding> {
    let variables = &server.settings.variables;
    let name = ["log_replica_updates", "log_slave_updates"]
        .into_iter()
        .find(|name| variables.get(name).is_some())?;
    if !variables.is(name, "OFF") {
        return Some(Finding::ok(logs::REPLICATED, "ON"));
    }
    let (new, old) = match server.flavor() {
        Flavor::MySql => ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS"),
        Flavor::MariaDb => ("SHOW ALL SLAVES STATUS", "SHOW SLAVE STATUS"),
    };
    let is_replica = ask_either(server, new, old).await;
    let is_replica = is_replica.map(|rows| !rows.rows.is_empty());
    Some(logs::replicated(name, is_replica.ok()))
}

async fn retention(server: &mut Server) -> Finding {
    // The second column is a file's size, in all versions.
    let logs = ask(server, "SHOW BINARY LOGS").await.ok().map(|rows| {
        let sizes = rows.rows.iter().map(|row| {
            let size = text(row, 1).and_then(|size| size.parse().ok());
            size.unwrap_or(0)
        });
        sizes.fold((0_u64, 0_u64), |(files, bytes), size| {
            (files.saturating_add(1), bytes.saturating_add(size))
        })
    });
    settings::retention(&server.settings.variables, logs)
}

async fn without_key(server: &mut Server, filter: &Filter, sees_all: bool) -> Finding {
    match ask(server, &tables::question(filter)).await {
        Err(error) => unknown(tables::CHECK, "tables without a primary key", &error),
        Ok(rows) => {
            let names = rows.rows.iter();
            let names = names.filter_map(|row| Some((text(row, 0)?, text(row, 1)?)));
            let keyless = tables::Keyless::of(names, filter);
            let mut fixes = Vec::with_capacity(keyless.named.len());
            for name in &keyless.named {
                fixes.push(key_for(server, name).await);
            }
            keyless.judge(fixes, sees_all)
        }
    }
}

async fn key_for(server: &mut Server, name: &(String, String)) -> Fix {
    match ask(server, &tables::layout(&name.0, &name.1)).await {
        Err(error) => Fix::Advice(format!(
            "what the columns of {}.{} are cannot be seen: {error}",
            name.0, name.1
        )),
        Ok(found) => {
            let columns = found.rows.iter();
            let columns: Vec<_> = columns
                .filter_map(|row| Some((text(row, 0)?, not_none(row, 1))))
                .collect();
            let partitioned = found.rows.first().is_some_and(|row| not_none(row, 2));
            tables::fix(name, &columns, partitioned, &server.settings.variables)
        }
    }
}

/// Is it a number above 0?
fn not_none(row: &[Option<bytes::Bytes>], column: usize) -> bool {
    text(row, column).is_some_and(|number| number != "0")
}

async fn unmatched(server: &mut Server, filter: &Filter, sees_all: bool) -> Option<Finding> {
    let sql = kept::question(filter)?;
    Some(match ask(server, &sql).await {
        Err(error) => unknown(kept::CHECK, "tables of the names that are kept", &error),
        Ok(rows) => {
            let found = rows.rows.iter();
            let found: Vec<_> = found
                .filter_map(|row| Some((text(row, 0)?, text(row, 1)?)))
                .collect();
            kept::judge(filter, &found, sees_all)
        }
    })
}

async fn clock(server: &mut Server) -> Finding {
    let before = now();
    let rows = ask(server, clock::QUESTION).await;
    let after = now();
    let theirs = rows.and_then(|rows| {
        let cell = rows.rows.first().and_then(|row| text(row, 0));
        cell.and_then(|cell| cell.parse().ok())
            .ok_or_else(|| "it is no time".to_owned())
    });
    match theirs {
        Ok(theirs) => clock::judge(
            Clocks {
                before,
                theirs,
                after,
            },
            "the source",
            "the times of changes are the source's, and the lag is wrong by as much",
        ),
        Err(error) => unknown("clock", "the source's clock", &error),
    }
}

async fn replicas(server: &mut Server) -> Option<Vec<Replica>> {
    let rows = ask_either(server, "SHOW REPLICAS", "SHOW SLAVE HOSTS")
        .await
        .ok()?;
    Some(
        rows.rows
            .iter()
            .filter_map(|row| {
                Some(Replica {
                    server_id: text(row, 0)?.parse().ok()?,
                    host: text(row, 1).filter(|host| !host.is_empty()),
                    port: text(row, 2)?.parse().ok()?,
                    // MariaDB has none.
                    uuid: text(row, 4).filter(|uuid| !uuid.is_empty()),
                })
            })
            .collect(),
    )
}
