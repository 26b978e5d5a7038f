//! The change index: where row changes are kept, and what is read back from it.
//!
//! One [`Index`], two backends: an SQLite file and a MySQL server, with the same logical tables and
//! the same view `binlog_events`.
//!
//! A writer first [attaches](Index::attach) to its source: that takes the source's one-writer lock
//! and discards everything that no checkpoint covers. Then it [writes](Index::write) batches, each
//! in one index transaction. When a write fails with a [retriable](IndexError::is_retriable)
//! error, nobody knows whether the batch is in the index; the next attach finds out, because it
//! discards what is above the checkpoint and returns the checkpoint to go on from. So a failed
//! batch is never written again, and nothing is ever there twice.

pub(crate) mod convert;
mod error;
pub(crate) mod mysql;
pub(crate) mod own;
pub(crate) mod places;
pub(crate) mod read;
pub mod record;
pub(crate) mod remove;
pub(crate) mod sqlite;
pub(crate) mod time;

use std::sync::Arc;

pub use error::{ErrorKind, IndexError, Result};
pub use mysql::MySqlIndex;
pub use sqlite::SqliteIndex;

use crate::dsn::IndexDsn;
use read::{Rows, Select, Value};
use record::{
    Attached, Batch, Kept, Micros, Place, Source, SourceStatus, TableVersion, ValidTable,
};
use remove::Removed;

/// The version of the tables that this bintrail makes and understands.
pub(crate) const SCHEMA_VERSION: u32 = 4;

/// What is wrong with an index of another version.
fn other_version(found: u32, index: &str) -> Option<IndexError> {
    (found != SCHEMA_VERSION).then(|| {
        IndexError::new(
            ErrorKind::OtherVersion,
            format!(
                "the index {index} has tables of version {found}, and this bintrail's are of version {SCHEMA_VERSION}: use \
                 the bintrail that made it, or another index"
            ),
        )
    })
}

/// The last source whose change ids are not negative where integers are signed.
const MAX_SOURCES: u32 = 1 << 15;

/// Rows discarded in one index transaction, so that undoing a huge one needs no huge one.
const DISCARD_CHUNK: u32 = 50_000;

/// A change index.
#[derive(Debug)]
pub enum Index {
    /// In an SQLite file.
    Sqlite(SqliteIndex),
    /// On a MySQL server.
    MySql(Box<MySqlIndex>),
}

/// Who holds the lock of a source's one writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Writer {
    /// Nobody.
    None,
    /// A process, or a connection of the index's server.
    Is(String),
    /// This account may not see it.
    Unknown,
}

macro_rules! each {
    ($self:expr, $index:ident => $call:expr) => {
        match $self {
            Index::Sqlite($index) => $call,
            Index::MySql($index) => $call,
        }
    };
}

impl Index {
    /// Opens the index; with `create`, makes what is missing of it first. Readers open without.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Missing`] without `create` where there is none, [`ErrorKind::OtherVersion`]
    /// when another bintrail made it, [`ErrorKind::Unfit`] when what is there cannot hold one, and the
    /// errors of reaching it.
    pub async fn open(dsn: &IndexDsn, create: bool) -> Result<Self> {
        match dsn {
            IndexDsn::Sqlite(path) => SqliteIndex::open(path, create).await.map(Self::Sqlite),
            IndexDsn::MySql(dsn) => MySqlIndex::open(dsn, create)
                .await
                .map(|index| Self::MySql(Box::new(index))),
        }
    }

    /// Takes `source` for writing: finds or makes its row, takes its lock for as long as this
    /// index is open, and discards what its checkpoint does not cover. Attaching again, after an
    /// error, does all of it again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`] when another stream writes for this source.
    pub async fn attach(&self, source: &Source) -> Result<Attached> {
        each!(self, index => index.attach(source).await)
    }

    /// Has `source` go on where `source_id` is: its server has taken over from the one before. Attach
    /// comes next.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`] when another stream writes for this source.
    pub async fn take_over(&self, source_id: u32, source: &Source) -> Result<()> {
        each!(self, index => index.take_over(source_id, source).await)
    }

    /// The id of this very definition of a table: that of a row still valid, or of a new one.
    ///
    /// It is there at once, whatever becomes of the rows: a replay finds it again.
    ///
    /// # Errors
    ///
    /// When the index cannot be read or written.
    pub async fn register_table(&self, source_id: u32, version: &TableVersion) -> Result<u32> {
        each!(self, index => index.register_table(source_id, version).await)
    }

    /// The definitions of a source's tables with their ids, oldest first.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub async fn table_versions(&self, source_id: u32) -> Result<Vec<(u32, TableVersion)>> {
        each!(self, index => index.table_versions(source_id).await)
    }

    /// The definitions of a source's tables that are still valid behind `place`, oldest first, without
    /// their columns.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub async fn valid_tables(&self, source_id: u32, place: &Place) -> Result<Vec<ValidTable>> {
        each!(self, index => index.valid_tables(source_id, place).await)
    }

    /// The definition of this id.
    ///
    /// # Errors
    ///
    /// When the index cannot be read, or has none.
    pub async fn table_version(&self, table_id: u32) -> Result<TableVersion> {
        each!(self, index => index.table_version(table_id).await)
    }

    /// Has definitions of these ids be valid up to `until` only, at once.
    ///
    /// # Errors
    ///
    /// When the index cannot be written.
    pub async fn end_tables(&self, table_ids: &[u32], until: &Place) -> Result<()> {
        each!(self, index => index.end_tables(table_ids, until).await)
    }

    /// Has no definition of a source's tables be taken for valid behind `place` any more: what follows
    /// there is not what came behind them.
    ///
    /// # Errors
    ///
    /// When the index cannot be written.
    pub async fn forget_tables(&self, source_id: u32, place: &Place) -> Result<()> {
        each!(self, index => index.forget_tables(source_id, place).await)
    }

    /// Writes a batch, its checkpoint included, in one index transaction: all of it or nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Batch`] when [`Batch::check`] finds a fault or the source is not attached.
    /// After any error attach again: until then nothing more is written.
    pub async fn write(&self, source_id: u32, batch: Arc<Batch>) -> Result<()> {
        each!(self, index => index.write(source_id, batch).await)
    }

    /// Has it an XA transaction of a source that was prepared under `xid` and is not decided?
    pub(crate) async fn holds_prepared(&self, source_id: u32, xid: &str) -> Result<bool> {
        let select = Select {
            sql: "SELECT transaction_id FROM prepared_transactions WHERE source_id = ? AND xid = ?"
                .to_owned(),
            values: vec![Value::Number(source_id.into()), Value::Text(xid.to_owned())],
        };
        Ok(!self.read(select, usize::MAX).await?.rows.is_empty())
    }

    /// Sets or clears the last error of an attached source.
    ///
    /// # Errors
    ///
    /// When the index cannot be written.
    pub async fn save_error(&self, source_id: u32, error: Option<&str>) -> Result<()> {
        each!(self, index => index.save_error(source_id, error).await)
    }

    /// Replaces the starts of an attached source's stream.
    ///
    /// # Errors
    ///
    /// When the index cannot be written.
    pub(crate) async fn save_starts(&self, source_id: u32, starts: &[Micros]) -> Result<()> {
        each!(self, index => index.save_starts(source_id, starts).await)
    }

    /// Notes what an attached source's stream keeps.
    ///
    /// # Errors
    ///
    /// When the index cannot be written.
    pub(crate) async fn save_kept(&self, source_id: u32, kept: &Kept) -> Result<()> {
        each!(self, index => index.save_kept(source_id, kept).await)
    }

    /// Records that the stream of an attached source reads from it since `since`: the last error is over. From
    /// now on it saves a checkpoint every so many seconds.
    ///
    /// # Errors
    ///
    /// When the index cannot be written.
    pub async fn streaming(
        &self,
        source_id: u32,
        since: Micros,
        checkpoint_seconds: u32,
    ) -> Result<()> {
        each!(self, index => index.streaming(source_id, since, checkpoint_seconds).await)
    }

    /// Who holds the lock of a source's one writer: whether a stream runs for it.
    pub(crate) async fn writer(&self, source_id: u32) -> Result<Writer> {
        each!(self, index => index.writer(source_id).await)
    }

    /// Records that row changes of an attached source are lost, found out at `at`.
    ///
    /// # Errors
    ///
    /// When the index cannot be written.
    pub async fn save_gap(&self, source_id: u32, at: Micros, detail: &str) -> Result<()> {
        each!(self, index => index.save_gap(source_id, at, detail).await)
    }

    /// Replaces what is said of a source's gaps, unless more has been said of them since; the stream may be running.
    pub(crate) async fn acknowledge_gap(
        &self,
        source_id: u32,
        before: &str,
        now: &str,
    ) -> Result<()> {
        each!(self, index => index.acknowledge_gap(source_id, before, now).await)
    }

    /// Shows the index that this writer lives, so that a server does not end an idle connection
    /// and with it the lock. Due at least every [`KEEP_ALIVE_SECONDS`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Lost`] when the connection and so the lock is gone.
    pub async fn keep_alive(&self) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::MySql(index) => index.keep_alive().await,
        }
    }

    /// Is no call under way? On a MySQL server, one that is dropped halfway ends the session, and with it the lock.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::MySql(index) => index.is_idle(),
        }
    }

    /// Every source with its stream and coverage, by id. Reads a handful of rows a source.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub async fn statuses(&self) -> Result<Vec<SourceStatus>> {
        each!(self, index => index.statuses().await)
    }

    /// The rows of a SELECT, up to some bytes of them and at least one.
    pub(crate) async fn read(&self, select: Select, room: usize) -> Result<Rows> {
        each!(self, index => index.read(select, room).await)
    }

    /// Notes that what was committed before a time may not be there any more.
    pub(crate) async fn announce_removal(&self, before: Micros) -> Result<()> {
        each!(self, index => index.announce_removal(before).await)
    }

    /// Removes some of the transactions that were committed before a time, whole ones to readers.
    pub(crate) async fn remove(&self, before: Micros) -> Result<Removed> {
        each!(self, index => index.remove(before).await)
    }

    /// Removes some of what is as old beside them; `false` when that is all.
    pub(crate) async fn remove_beside(&self, before: Micros) -> Result<bool> {
        each!(self, index => index.remove_beside(before).await)
    }

    /// Closes it after what is under way is done, and gives the locks back.
    ///
    /// # Errors
    ///
    /// When the index does not close cleanly; all that was written is there nevertheless.
    pub async fn close(self) -> Result<()> {
        match self {
            Self::Sqlite(index) => index.close().await,
            Self::MySql(index) => index.close().await,
        }
    }
}

/// How often [`Index::keep_alive`] is due on an idle index, in seconds.
pub const KEEP_ALIVE_SECONDS: u64 = 60;
