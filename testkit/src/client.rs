//! A blocking connection to a MySQL server.

use std::future::Future;
use std::sync::OnceLock;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row, Value};
use tokio::runtime::Runtime;

use crate::Result;

/// A row as the text protocol sends it: `None` is NULL.
pub type TextRow = Vec<Option<Vec<u8>>>;

/// The runtime that all of the testkit's connections live in.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime")
    })
}

/// Runs `future` to its end. Not to be called from within a future.
pub fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

/// The cells of a row of the text protocol.
pub(crate) fn text_row(row: Row) -> TextRow {
    row.unwrap()
        .into_iter()
        .map(|value| match value {
            Value::NULL => None,
            Value::Bytes(bytes) => Some(bytes),
            other => Some(other.as_sql(true).into_bytes()),
        })
        .collect()
}

/// A connection whose time zone is UTC and whose text is utf8mb4.
#[derive(Debug)]
pub struct Client {
    conn: Conn,
}

impl Client {
    /// Connects.
    pub fn connect(opts: Opts) -> Result<Client> {
        let conn = block_on(Conn::new(opts))?;
        let mut client = Client { conn };
        client.run("SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = '', group_concat_max_len = 16777216")?;
        Ok(client)
    }

    /// Runs a statement and returns the number of rows it changed.
    pub fn run(&mut self, sql: &str) -> Result<u64> {
        block_on(self.conn.query_drop(sql)).map_err(|error| format!("{error}: {sql:.300}"))?;
        Ok(self.conn.affected_rows())
    }

    /// All rows of a query.
    pub fn query(&mut self, sql: &str) -> Result<Vec<TextRow>> {
        let rows: Vec<Row> =
            block_on(self.conn.query(sql)).map_err(|error| format!("{error}: {sql:.300}"))?;
        Ok(rows.into_iter().map(text_row).collect())
    }

    /// All rows of a query whose cells are all UTF-8, NULL as an empty text.
    pub fn strings(&mut self, sql: &str) -> Result<Vec<Vec<String>>> {
        let text = |cell: Option<Vec<u8>>| Ok(String::from_utf8(cell.unwrap_or_default())?);
        self.query(sql)?
            .into_iter()
            .map(|row| row.into_iter().map(text).collect())
            .collect()
    }

    /// The first cell of the first row; an empty text when there is none.
    pub fn string(&mut self, sql: &str) -> Result<String> {
        let first = self.strings(sql)?.into_iter().next();
        Ok(first
            .and_then(|row| row.into_iter().next())
            .unwrap_or_default())
    }
}
