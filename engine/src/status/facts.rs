//! What is asked of the index beside its sources. No question reads more than a bounded number of rows.

use serde::Serialize;

use super::Index;
use crate::index::Result;
use crate::index::read::{Cells, Select, Value};

/// The newest DDL statements that are counted.
const MOST_STATEMENTS: u64 = 10_000;

/// The binlog files that are listed.
const MOST_FILES: u64 = 100;

/// The definitions of a source's tables.
#[derive(Debug, Clone, Serialize)]
pub struct Schema {
    /// Definitions.
    pub versions: u64,
    /// DDL statements.
    pub ddl_statements: u64,
    /// There are older DDL statements, which were not counted.
    pub ddl_statements_more: bool,
    /// Tables with rows whose columns are named by their place.
    pub unnamed_tables: u64,
    /// Tables whose columns are still named so.
    pub unnamed_tables_now: u64,
}

/// Binlog files that were indexed as files.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Files {
    /// How many, by what became of them.
    pub by_status: Vec<(String, u64)>,
    /// The last ones, by name.
    pub last: Vec<BinlogFile>,
}

/// A binlog file that was indexed as a file.
#[derive(Debug, Clone, Serialize)]
pub struct BinlogFile {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// How far it was read.
    pub last_position: u64,
    /// Row changes that came of it.
    pub row_changes: u64,
    /// What became of it.
    pub status: String,
    /// Why it was not read to its end.
    pub error: Option<String>,
}

/// A partition of `row_changes`.
#[derive(Debug, Clone, Serialize)]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// It holds row changes committed before this time, and no earlier partition's; `null` for the last one.
    pub before: Option<String>,
    /// Row changes in it, about.
    pub rows: u64,
    /// Its bytes, about.
    pub bytes: u64,
}

async fn ask<T>(
    index: &Index,
    sql: String,
    values: Vec<Value>,
    each: impl Fn(&mut Cells) -> Result<T>,
) -> Result<Vec<T>> {
    let mut rows = index.read(Select { sql, values }, usize::MAX).await?.rows;
    rows.iter_mut().map(each).collect()
}

async fn one_number(index: &Index, sql: String, values: Vec<Value>) -> Result<u64> {
    let numbers = ask(index, sql, values, |cells| cells.a_number(0)).await?;
    Ok(numbers.first().copied().unwrap_or_default())
}

pub(super) async fn schema(index: &Index, source_id: u32, unnamed_tables: u64) -> Result<Schema> {
    let source = || vec![Value::Number(source_id.into())];
    let versions = "SELECT COUNT(*) FROM table_versions WHERE source_id = ?";
    let name = match index {
        Index::Sqlite(_) => "schema_name || '.' || table_name",
        Index::MySql(_) => "schema_name, table_name",
    };
    let unnamed_now = format!(
        "SELECT COUNT(DISTINCT {name}) FROM table_versions
         WHERE source_id = ? AND known_by = 'position' AND valid_until_file IS NULL"
    );
    // The newest of all sources: their table has no key that finds one source's.
    let newest = format!(
        "FROM (SELECT source_id FROM schema_changes ORDER BY schema_change_id DESC LIMIT {MOST_STATEMENTS}) AS newest"
    );
    let all = one_number(index, format!("SELECT COUNT(*) {newest}"), Vec::new()).await?;
    let own = format!("SELECT COUNT(*) {newest} WHERE source_id = ?");
    Ok(Schema {
        versions: one_number(index, versions.to_owned(), source()).await?,
        ddl_statements: one_number(index, own, source()).await?,
        ddl_statements_more: all >= MOST_STATEMENTS,
        unnamed_tables,
        unnamed_tables_now: one_number(index, unnamed_now, source()).await?,
    })
}

pub(super) async fn files(index: &Index, source_id: u32) -> Result<Files> {
    let source = || vec![Value::Number(source_id.into())];
    let by_status = ask(
        index,
        "SELECT status, COUNT(*) FROM index_state WHERE source_id = ? GROUP BY status ORDER BY status".to_owned(),
        source(),
        |cells| Ok((cells.a_text(0)?, cells.a_number(1)?)),
    )
    .await?;
    let last = ask(
        index,
        format!(
            "SELECT binlog_file, file_size, last_position, events_indexed, status, error FROM index_state
             WHERE source_id = ? ORDER BY binlog_file DESC LIMIT {MOST_FILES}"
        ),
        source(),
        |cells| {
            Ok(BinlogFile {
                name: cells.a_text(0)?,
                size: cells.a_number(1)?,
                last_position: cells.a_number(2)?,
                row_changes: cells.a_number(3)?,
                status: cells.a_text(4)?,
                error: cells.text(5)?,
            })
        },
    )
    .await?;
    Ok(Files { by_status, last })
}

/// Bytes of the index, and bytes that are free where it is.
pub(super) async fn room(index: &Index) -> Result<(u64, Option<u64>)> {
    match index {
        Index::Sqlite(index) => index.room().await,
        Index::MySql(_) => {
            // What the server remembers of sizes may be a day old.
            let fresh = "SET SESSION information_schema_stats_expiry = 0";
            one_number(index, fresh.to_owned(), Vec::new()).await?;
            let bytes = "SELECT CAST(COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) AS UNSIGNED)
                 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()";
            let bytes = one_number(index, bytes.to_owned(), Vec::new()).await?;
            Ok((bytes, None))
        }
    }
}

pub(super) async fn partitions(index: &Index) -> Result<Vec<Partition>> {
    if matches!(index, Index::Sqlite(_)) {
        return Ok(Vec::new());
    }
    ask(
        index,
        "SELECT PARTITION_NAME, CAST(PARTITION_DESCRIPTION AS CHAR), CAST(COALESCE(TABLE_ROWS, 0) AS UNSIGNED),
           CAST(COALESCE(DATA_LENGTH + INDEX_LENGTH, 0) AS UNSIGNED)
         FROM information_schema.PARTITIONS
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'row_changes' AND PARTITION_NAME IS NOT NULL
         ORDER BY PARTITION_ORDINAL_POSITION"
            .to_owned(),
        Vec::new(),
        |cells| {
            Ok(Partition {
                name: cells.a_text(0)?,
                before: cells
                    .text(1)?
                    .filter(|before| before != "MAXVALUE")
                    .map(|before| format!("{}Z", before.trim_matches('\'').replace(' ', "T"))),
                rows: cells.a_number(2)?,
                bytes: cells.a_number(3)?,
            })
        },
    )
    .await
}
