//! What can be learnt of an index's server without changing anything there.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::connect::connect;
use super::fault::Fault;
use super::session::{get, lock_name};
use super::timed;
use crate::clock::now;
use crate::doctor::clock::{self, Clocks};
use crate::doctor::grants::Grants;
use crate::dsn::MySqlDsn;
use crate::index::Result;
use crate::source::variables::Variables;

/// An index's server, database and tables.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) variables: Variables,
    pub(crate) encrypted: bool,
    /// As `CURRENT_USER()` says it.
    pub(crate) user: String,
    pub(crate) grants: Grants,
    pub(crate) clocks: Option<Clocks>,
    pub(crate) database: Database,
    /// The version of the index's tables, where there are any.
    pub(crate) index_version: Option<u32>,
    /// Their bytes, about.
    pub(crate) size: Option<u64>,
    /// Who writes for the source.
    pub(crate) writer: Option<String>,
}

/// The database that the index is, or will be, in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    There,
    Missing,
    /// There or not, this account may do nothing in it.
    Refused,
}

/// Asks for them; `source` is the `server_uuid` of a source, where it is known.
pub(crate) async fn facts(dsn: &MySqlDsn, source: Option<&str>) -> Result<Facts> {
    let database = dsn.database.as_deref().unwrap_or_default();
    let place = format!("{}:{}/{database}", dsn.host, dsn.port);
    let mut conn = match timed(connect(dsn, None)).await {
        Ok(conn) => conn,
        Err(fault) => return Err(fault.at(&place, false)),
    };
    let facts = match timed(ask(&mut conn, database, source)).await {
        Ok(facts) => facts,
        Err(fault) => return Err(fault.at(&place, true)),
    };
    // All is known: how it ends does not matter.
    let _ = conn.disconnect().await;
    Ok(facts)
}

async fn ask(conn: &mut Conn, database: &str, source: Option<&str>) -> Result<Facts, Fault> {
    let variables: Vec<(String, String)> = conn.query(Variables::question()).await?;
    let variables: Variables = variables.into_iter().collect();
    let cipher: Option<(String, String)> = conn
        .query_first("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        .await?;
    let user: Option<String> = conn.query_first("SELECT CURRENT_USER()").await?;
    let lines: Vec<String> = conn.query("SHOW GRANTS").await?;
    let literal = variables.is("partial_revokes", "ON");
    let before = now();
    let theirs: Option<i64> = conn.query_first(clock::QUESTION).await?;
    let after = now();
    let mut facts = Facts {
        encrypted: cipher.is_some_and(|(_, cipher)| !cipher.is_empty()),
        user: user.unwrap_or_default(),
        grants: Grants::parse(lines.iter().map(String::as_str), literal),
        clocks: theirs.map(|theirs| Clocks {
            before,
            theirs,
            after,
        }),
        variables,
        database: Database::There,
        index_version: None,
        size: None,
        writer: None,
    };
    let used = conn
        .query_drop(format!("USE `{}`", database.replace('`', "``")))
        .await
        .map_err(Fault::from);
    match used {
        Ok(()) => {}
        // ER_BAD_DB_ERROR, ER_DBACCESS_DENIED_ERROR
        Err(fault) if fault.code() == Some(1049) => {
            facts.database = Database::Missing;
            return Ok(facts);
        }
        Err(fault) if fault.code() == Some(1044) => {
            facts.database = Database::Refused;
            return Ok(facts);
        }
        Err(fault) => return Err(fault),
    }
    let has_index: Option<u8> = conn
        .query_first(
            "SELECT 1 FROM information_schema.TABLES
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'index_version'",
        )
        .await?;
    if has_index.is_none() {
        return Ok(facts);
    }
    let version: Option<Option<u32>> = conn
        .query_first("SELECT MAX(version) FROM index_version")
        .await?;
    facts.index_version = version.flatten();
    let size: Option<Option<u64>> = conn
        .query_first(
            "SELECT CAST(SUM(DATA_LENGTH + INDEX_LENGTH) AS UNSIGNED) FROM information_schema.TABLES
             WHERE TABLE_SCHEMA = DATABASE()",
        )
        .await?;
    facts.size = size.flatten();
    if let Some(source) = source {
        facts.writer = writer(conn, database, source).await?;
    }
    Ok(facts)
}

async fn writer(conn: &mut Conn, database: &str, source: &str) -> Result<Option<String>, Fault> {
    let source_id: Option<u32> = conn
        .exec_first(
            "SELECT source_id FROM sources WHERE server_uuid = ?",
            (source,),
        )
        .await?;
    match source_id {
        Some(source_id) => writer_of(conn, database, source_id).await,
        None => Ok(None),
    }
}

/// Who holds the lock of a source's one writer.
pub(super) async fn writer_of(
    conn: &mut Conn,
    database: &str,
    source_id: u32,
) -> Result<Option<String>, Fault> {
    let row: Option<Row> = conn
        .exec_first(
            "SELECT l.id, CONCAT(p.USER, '@', p.HOST)
             FROM (SELECT IS_USED_LOCK(?) AS id) AS l
             LEFT JOIN information_schema.PROCESSLIST AS p ON p.ID = l.id
             WHERE l.id IS NOT NULL",
            (lock_name(database, source_id),),
        )
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let (id, who): (u64, Option<String>) = (get(&row, 0)?, get(&row, 1)?);
    Ok(Some(match who {
        Some(who) => format!("connection {id} of {who}"),
        // Only its own connections are shown to an account without PROCESS.
        None => format!("connection {id}"),
    }))
}
