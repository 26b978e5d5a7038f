//! Reads the change index as its users do: through the view `binlog_events`, with plain SQL.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use mysql_async::Opts;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::Result;
use crate::client::Client;

/// One row of `binlog_events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number, which rises in commit order.
    pub change_id: u64,
    /// File of its transaction.
    pub binlog_file: String,
    /// Where its transaction starts.
    pub start_pos: u64,
    /// Where its transaction ends.
    pub end_pos: u64,
    /// Commit time, as the view shows it.
    pub event_timestamp: String,
    /// GTID of its transaction.
    pub gtid: Option<String>,
    /// Session that made it.
    pub connection_id: Option<u64>,
    /// Schema.
    pub schema_name: String,
    /// Table.
    pub table_name: String,
    /// INSERT, UPDATE or DELETE.
    pub event_type: String,
    /// The key's values.
    pub pk_values: Option<String>,
    /// What an update changed.
    pub changed_columns: Option<String>,
    /// The image before it, JSON.
    pub row_before: Option<String>,
    /// The image after it, JSON.
    pub row_after: Option<String>,
}

/// Where an index is.
#[derive(Debug, Clone)]
pub enum Index {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A MySQL database.
    MySql(Box<Opts>),
}

enum Backend {
    Sqlite(Connection),
    MySql(Box<Client>),
}

/// A connection to an index.
pub struct Reader {
    backend: Backend,
}

const COLUMNS: &str = "change_id, binlog_file, start_pos, end_pos, event_timestamp, gtid, connection_id, \
     schema_name, table_name, event_type, pk_values, changed_columns, row_before, row_after";

/// Rows read at once.
const PAGE: usize = 2000;

impl Index {
    /// An SQLite index.
    #[must_use]
    pub fn sqlite(path: &Path) -> Index {
        Index::Sqlite(path.to_owned())
    }

    /// A MySQL index.
    pub fn mysql(opts: impl Into<Opts>) -> Index {
        Index::MySql(Box::new(opts.into()))
    }

    /// Connects.
    pub fn open(&self) -> Result<Reader> {
        let backend = match self {
            Index::Sqlite(path) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(path, flags)?;
                connection.busy_timeout(Duration::from_secs(10))?;
                Backend::Sqlite(connection)
            }
            Index::MySql(opts) => Backend::MySql(Box::new(Client::connect((**opts).clone())?)),
        };
        Ok(Reader { backend })
    }

    /// Keeps its checkpoints from being written for this long.
    pub fn hold(&self, time: Duration) -> Result<()> {
        match self {
            Index::Sqlite(path) => {
                let connection = Connection::open(path)?;
                connection.busy_timeout(Duration::from_secs(10))?;
                connection.execute_batch("BEGIN IMMEDIATE")?;
                sleep(time);
                connection.execute_batch("ROLLBACK")?;
            }
            Index::MySql(opts) => {
                let mut client = Client::connect((**opts).clone())?;
                client.run("BEGIN")?;
                client.query("SELECT * FROM stream_state FOR UPDATE")?;
                sleep(time);
                client.run("ROLLBACK")?;
            }
        }
        Ok(())
    }
}

impl Reader {
    /// All rows of a query, as text.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        match &mut self.backend {
            Backend::MySql(client) => {
                let cell = |cell: Option<Vec<u8>>| Ok(cell.map(String::from_utf8).transpose()?);
                client
                    .query(sql)?
                    .into_iter()
                    .map(|row| row.into_iter().map(cell).collect())
                    .collect()
            }
            Backend::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                let width = statement.column_count();
                let mut rows = statement.query([])?;
                let mut out = Vec::new();
                while let Some(row) = rows.next()? {
                    let cell = |n: usize| -> Result<Option<String>> {
                        Ok(match row.get_ref(n)? {
                            ValueRef::Null => None,
                            ValueRef::Integer(value) => Some(value.to_string()),
                            ValueRef::Real(value) => Some(value.to_string()),
                            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                                Some(String::from_utf8(bytes.to_vec())?)
                            }
                        })
                    };
                    out.push((0..width).map(cell).collect::<Result<_>>()?);
                }
                Ok(out)
            }
        }
    }

    /// The first cell of the first row.
    pub fn string(&mut self, sql: &str) -> Result<Option<String>> {
        Ok(self
            .query(sql)?
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next())
            .flatten())
    }

    /// All events, in order of `change_id`, a page at a time.
    pub fn events(self) -> Events {
        Events {
            reader: self,
            page: VecDeque::new(),
            last: None,
            ended: false,
        }
    }
}

/// See [`Reader::events`].
pub struct Events {
    reader: Reader,
    page: VecDeque<Event>,
    last: Option<u64>,
    ended: bool,
}

impl Events {
    fn fill(&mut self) -> Result<()> {
        let from = self
            .last
            .map_or_else(String::new, |last| format!("WHERE change_id > {last}"));
        let sql =
            format!("SELECT {COLUMNS} FROM binlog_events {from} ORDER BY change_id LIMIT {PAGE}");
        let rows = self.reader.query(&sql)?;
        self.ended = rows.len() < PAGE;
        for row in rows {
            let event = event(row)?;
            if self.last.is_some_and(|last| event.change_id <= last) {
                return Err(format!("change_id {} is there twice", event.change_id).into());
            }
            self.last = Some(event.change_id);
            self.page.push_back(event);
        }
        Ok(())
    }
}

impl Iterator for Events {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty()
            && !self.ended
            && let Err(error) = self.fill()
        {
            self.ended = true;
            return Some(Err(error));
        }
        self.page.pop_front().map(Ok)
    }
}

fn event(row: Vec<Option<String>>) -> Result<Event> {
    let mut cells = row.into_iter();
    let mut next = || cells.next().flatten();
    let there = |cell: Option<String>, name: &str| cell.ok_or_else(|| format!("{name} is NULL"));
    Ok(Event {
        change_id: there(next(), "change_id")?.parse()?,
        binlog_file: there(next(), "binlog_file")?,
        start_pos: there(next(), "start_pos")?.parse()?,
        end_pos: there(next(), "end_pos")?.parse()?,
        event_timestamp: there(next(), "event_timestamp")?,
        gtid: next(),
        connection_id: next().map(|id| id.parse()).transpose()?,
        schema_name: there(next(), "schema_name")?,
        table_name: there(next(), "table_name")?,
        event_type: there(next(), "event_type")?,
        pk_values: next(),
        changed_columns: next(),
        row_before: next(),
        row_after: next(),
    })
}
