//! DDL statements, and the names of tables.

use super::statements::select;
use crate::index::read::{Cells, Value};
use crate::index::record::SchemaChange;
use crate::index::{Index, Result};
use crate::schema::{Statement, may_be_one, schemas};

/// Which DDL statements are asked for, the newest first.
#[derive(Debug, Clone, Default)]
pub struct SchemaChanges {
    /// Of this source.
    pub source_id: Option<u32>,
    /// About this schema, or one whose name differs from it in case.
    pub schema: Option<String>,
    /// Those before the one of this id: the next page.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: u64,
}

/// A DDL statement as the index has it.
#[derive(Debug, Clone)]
pub struct SeenSchemaChange {
    /// Its number; rises as they were seen.
    pub id: u64,
    /// The source it was made on.
    pub source_id: u32,
    /// What it was.
    pub change: SchemaChange,
    /// The schemas that it is about: of the tables that it names; that of its session where it names none.
    pub schemas: Vec<String>,
}

/// Bytes of statements that are read at once.
const ROOM: usize = 8 << 20;

impl Index {
    /// DDL statements, the newest first, and whether there may be more.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub async fn schema_changes(
        &self,
        asked: &SchemaChanges,
    ) -> Result<(Vec<SeenSchemaChange>, bool)> {
        let committed_at = match self {
            Self::Sqlite(_) => "committed_at",
            Self::MySql(_) => "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', committed_at)",
        };
        let mut sql = format!(
            "SELECT schema_change_id, source_id, binlog_file, start_position, end_position, gtid, {committed_at}, \
             next_change_id, schema_name, sql_mode, temporary, change_type, statement FROM schema_changes WHERE schema_change_id < ?"
        );
        // As far as integers go where they are signed.
        let most = u64::MAX >> 1;
        let mut before = asked.before.unwrap_or(most).min(most);
        let mut values = Vec::new();
        if let Some(source_id) = asked.source_id {
            sql.push_str(" AND source_id = ?");
            values.push(Value::Number(source_id.into()));
        }
        if let Some(schema) = &asked.schema {
            // Most that are about another one need not be read. A quote in a name is doubled.
            sql.push_str(
                " AND (LOWER(schema_name) = LOWER(?) OR INSTR(LOWER(statement), LOWER(?)) > 0)",
            );
            let parts = schema.split(['`', '"']);
            let part = parts.max_by_key(|part| part.len()).unwrap_or_default();
            values.extend([schema.as_str(), part].map(|text| Value::Text(text.to_owned())));
        }
        sql.push_str(&format!(
            " ORDER BY schema_change_id DESC LIMIT {}",
            asked.limit
        ));
        let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        loop {
            let values = [&[Value::Number(before)][..], &values].concat();
            let read = self.read_again(select(sql.clone(), values), ROOM).await?;
            let more = read.cut || read.rows.len() >= limit;
            for cells in read.rows {
                let seen = seen(cells)?;
                before = seen.id;
                let is = |schema: &String| {
                    let mut schemas = seen.schemas.iter();
                    schemas.any(|named| may_be_one(named, schema))
                };
                if asked.schema.as_ref().is_none_or(is) {
                    found.push(seen);
                }
            }
            if !more || asked.schema.is_none() || found.len() >= limit {
                let more = more || found.len() > limit;
                found.truncate(limit);
                return Ok((found, more));
            }
        }
    }

    /// Schema and name of tables that the index has seen, in order: at most so many.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub async fn table_names(&self, limit: u64) -> Result<Vec<(String, String)>> {
        let sql = format!(
            "SELECT DISTINCT schema_name, table_name FROM table_versions ORDER BY schema_name, table_name LIMIT {limit}"
        );
        let mut names = Vec::new();
        for mut cells in self
            .read_again(select(sql, Vec::new()), usize::MAX)
            .await?
            .rows
        {
            names.push((cells.a_text(0)?, cells.a_text(1)?));
        }
        Ok(names)
    }
}

fn seen(mut cells: Cells) -> Result<SeenSchemaChange> {
    let change = SchemaChange {
        binlog_file: cells.a_text(2)?,
        start_position: cells.a_number(3)?,
        end_position: cells.a_number(4)?,
        gtid: cells.text(5)?,
        committed_at: cells.a_number(6)?,
        next_change_id: cells.a_number(7)?,
        schema: cells.a_text(8)?,
        sql_mode: cells.number(9)?,
        temporary: cells.a_number::<u8>(10)? != 0,
        change_type: cells.a_text(11)?,
        statement: cells.a_text(12)?,
    };
    let schemas = schemas(&Statement {
        schema: change.schema.clone(),
        sql_mode: change.sql_mode,
        temporary: change.temporary,
        sql: change.statement.clone(),
    });
    Ok(SeenSchemaChange {
        id: cells.a_number(0)?,
        source_id: cells.a_number(1)?,
        change,
        schemas,
    })
}
