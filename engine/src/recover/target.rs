//! The server that a change is undone on.

use std::collections::BTreeSet;
use std::time::Duration;

use super::SQL_MODE;
use super::foreign::Constraint;
use crate::error::Error;
use crate::index::record::Column;
use crate::source::Error as LinkError;
use crate::source::connection::{ConnectOptions, Connection, Rows};
use crate::source::pinned::PINNED;
use crate::source::server::{columns_of, columns_question, quote, text};
use crate::table::certain_members;

/// How long it may take over one statement: a lock is waited for, or a large transaction is committed.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A connection to it.
#[derive(Debug)]
pub struct Target {
    address: String,
    connection: Connection,
    /// The longest statement it takes.
    pub(super) longest: usize,
    /// All its foreign keys, once they were asked for.
    pub(super) constraints: Option<Vec<Constraint>>,
}

impl Target {
    /// Connects, and sets what the statements depend on.
    ///
    /// # Errors
    ///
    /// [`Error::Target`].
    pub async fn connect(
        options: &ConnectOptions,
        foreign_key_checks: bool,
    ) -> Result<Self, Error> {
        let address = format!("{}:{}", options.host, options.port);
        let options = ConnectOptions {
            read_timeout: PATIENCE,
            ..options.clone()
        };
        let connection = Connection::connect(&options)
            .await
            .map_err(|error| Error::Target {
                address: address.clone(),
                error,
                done: String::new(),
            })?;
        let mut target = Self {
            address,
            connection,
            longest: usize::MAX,
            constraints: None,
        };
        let own = session(foreign_key_checks);
        for statement in PINNED.into_iter().chain([&*own]) {
            target
                .change(statement)
                .await
                .map_err(|error| target.error(error))?;
        }
        let rows = target.query("SELECT @@max_allowed_packet").await?;
        let longest = rows.rows.first().and_then(|row| text(row, 0)?.parse().ok());
        target.longest = longest.unwrap_or(usize::MAX);
        Ok(target)
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.connection.close().await;
    }

    pub(super) fn error(&self, error: LinkError) -> Error {
        self.error_with(error, String::new())
    }

    /// An error, and what was done before it.
    pub(super) fn error_with(&self, error: LinkError, done: String) -> Error {
        Error::Target {
            address: self.address.clone(),
            error,
            done,
        }
    }

    pub(super) async fn query(&mut self, sql: &str) -> Result<Rows, Error> {
        let rows = self.connection.query(sql).await;
        rows.map_err(|error| self.error(error))
    }

    /// Runs a statement, and tells how many rows it changed.
    pub(super) async fn change(&mut self, sql: &str) -> Result<u64, LinkError> {
        self.connection.change(sql).await
    }

    /// A table as it is there.
    pub(super) async fn columns(
        &mut self,
        schema: &str,
        table: &str,
    ) -> Result<Vec<Column>, Error> {
        let rows = self.query(&columns_question(schema, table)).await?;
        let column = |column: crate::table::SchemaColumn| Column {
            members: certain_members(&column),
            name: column.name,
            column_type: column.column_type,
            charset: column.charset,
            nullable: column.nullable,
            pk: column.pk,
            generated: column.generated,
            invisible: column.invisible,
        };
        Ok(columns_of(&rows, schema, table)
            .into_iter()
            .map(column)
            .collect())
    }

    /// Those of these tables that have no transactions.
    pub(super) async fn without_transactions(
        &mut self,
        tables: &BTreeSet<(String, String)>,
    ) -> Result<Vec<String>, Error> {
        let mut without = Vec::new();
        for (schema, table) in tables {
            let rows = self
                .query(&format!(
                    "SELECT t.ENGINE FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e \
                     ON e.ENGINE = t.ENGINE WHERE t.TABLE_SCHEMA = {} AND t.TABLE_NAME = {} \
                     AND COALESCE(e.TRANSACTIONS, 'NO') <> 'YES'",
                    quote(schema),
                    quote(table)
                ))
                .await?;
            if let Some(row) = rows.rows.first() {
                let engine = text(row, 0).unwrap_or_default();
                without.push(format!("{schema}.{table} ({engine})"));
            }
        }
        Ok(without)
    }
}

/// What the statements depend on besides.
fn session(foreign_key_checks: bool) -> String {
    format!(
        "SET SESSION sql_mode = '{SQL_MODE}', foreign_key_checks = {}, unique_checks = 1, sql_safe_updates = 0",
        u8::from(foreign_key_checks)
    )
}
