//! The row events of binlog files, as `mysqlbinlog -vv --base64-output=decode-rows` tells them.
//!
//! What it prints of MySQL 9.7's types, and what has to be known of it:
//! - unsigned integers above the signed range are printed as `-1 (255)`, and the type says nothing
//!   of the sign;
//! - FLOAT and VECTOR have six digits;
//! - a SET's bytes are printed lowest first, as if they were a BIT;
//! - DATE is printed with colons, and YEAR 0 as 1900;
//! - trailing zeros of BINARY are not in the binlog and not printed;
//! - a document of which only changes are logged (`binlog_row_value_options=PARTIAL_JSON`) is printed as the functions that
//!   make it of the one before, over several lines;
//! - a GEOMETRY column is not known to it, NULL or not: the rest of the row, and all further rows
//!   of the event, are missing. Those events are read from the file itself, by `raw`.

mod cell;
mod raw;
mod reader;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;

pub use cell::Cell;
use reader::Reader;

use crate::Result;
use crate::server::Server;

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A row was inserted.
    Insert,
    /// A row was changed.
    Update,
    /// A row was deleted.
    Delete,
}

impl Change {
    /// As `binlog_events.event_type` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Change::Insert => "INSERT",
            Change::Update => "UPDATE",
            Change::Delete => "DELETE",
        }
    }
}

/// One image of a row: the column's place, from 1, and its value. Absent columns are left out.
pub type Image = Vec<(usize, Cell)>;

/// A change of one row.
#[derive(Debug, Clone)]
pub struct RowEvent {
    /// Where the binlog event that holds it starts.
    pub position: u64,
    /// Schema.
    pub schema: String,
    /// Table.
    pub table: String,
    /// What happened.
    pub change: Change,
    /// The row before an update or delete.
    pub before: Option<Image>,
    /// The row after an insert or update.
    pub after: Option<Image>,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was committed, at XA COMMIT maybe.
    Committed,
    /// It was rolled back: at XA ROLLBACK, after it was logged.
    RolledBack,
    /// Prepared by XA PREPARE, and not decided in these files.
    Prepared,
}

/// A transaction of the binlog, with its rows.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// Name of the file it is in.
    pub file: String,
    /// Where its first event, the GTID event, starts.
    pub start: u64,
    /// Where its last event ends.
    pub end: u64,
    /// Its GTID, if it has one.
    pub gtid: Option<String>,
    /// The session that made it.
    pub connection_id: Option<u64>,
    /// When it was committed (for an XA transaction: prepared), in microseconds since the epoch.
    pub committed_at: i64,
    /// Is it an XA transaction? Those count as committed when they are decided, not here.
    pub xa: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// Its statement, if it is a DDL, XA COMMIT or XA ROLLBACK.
    pub statement: Option<String>,
    /// Its row events, in order.
    pub rows: Vec<RowEvent>,
}

/// The transactions of some binlog files, in order.
#[derive(Debug)]
pub struct Oracle {
    program: Vec<PathBuf>,
    files: VecDeque<PathBuf>,
    reader: Option<Reader>,
    decided: HashMap<String, VecDeque<Outcome>>,
}

impl Oracle {
    /// Reads all of a server's binlog files. Nothing may be written to them meanwhile.
    pub fn of(server: &Server) -> Result<Oracle> {
        Oracle::of_files(server, server.binlog_files()?)
    }

    /// Reads some of them, which follow each other.
    pub fn of_files(server: &Server, files: Vec<PathBuf>) -> Result<Oracle> {
        let command = server.mysqlbinlog();
        Oracle::open(vec![command.get_program().into()], files)
    }

    /// Reads `files`, which follow each other, with `program`, a `mysqlbinlog` and its first arguments.
    pub fn open(program: Vec<PathBuf>, files: Vec<PathBuf>) -> Result<Oracle> {
        let mut oracle = Oracle {
            program,
            files: files.clone().into(),
            reader: None,
            decided: HashMap::new(),
        };
        // What becomes of an XA transaction stands behind its rows, maybe files behind.
        for file in &files {
            let mut reader = Reader::start(&oracle.program, file, false)?;
            while let Some(transaction) = reader.next()? {
                let decision = transaction.statement.as_deref().and_then(decision);
                if let Some((xid, outcome)) = decision {
                    oracle
                        .decided
                        .entry(xid.to_owned())
                        .or_default()
                        .push_back(outcome);
                }
            }
        }
        Ok(oracle)
    }

    fn advance(&mut self) -> Result<Option<Transaction>> {
        loop {
            let Some(reader) = &mut self.reader else {
                let Some(file) = self.files.pop_front() else {
                    return Ok(None);
                };
                self.reader = Some(Reader::start(&self.program, &file, true)?);
                continue;
            };
            let Some(mut transaction) = reader.next()? else {
                self.reader = None;
                continue;
            };
            if let Some(xid) = reader.prepared.take() {
                let decided = self.decided.get_mut(&xid).and_then(VecDeque::pop_front);
                transaction.outcome = decided.unwrap_or(Outcome::Prepared);
            }
            return Ok(Some(transaction));
        }
    }
}

impl Iterator for Oracle {
    type Item = Result<Transaction>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

fn decision(statement: &str) -> Option<(&str, Outcome)> {
    let commit = statement
        .strip_prefix("XA COMMIT ")
        .map(|xid| (xid, Outcome::Committed));
    commit.or_else(|| Some((statement.strip_prefix("XA ROLLBACK ")?, Outcome::RolledBack)))
}
