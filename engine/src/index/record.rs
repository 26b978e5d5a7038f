//! What is written to the index and read from it, the same for every backend.
//!
//! Times are microseconds since the Unix epoch, UTC. Positions are byte offsets in a binlog file,
//! 64 bits wide (the 32-bit `end_log_pos` of the events is widened before it comes here).

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch, UTC.
pub type Micros = i64;

/// Bits of a `change_id` below the source's own number.
///
/// Change ids are unique in an index and rise strictly in commit order within a source: source
/// `n` (counted from 1) hands out `(n - 1) << 48` and up, so that the id alone is the key of
/// `row_changes`, and a resume discards one range of it.
pub const CHANGE_ID_BITS: u32 = 48;

/// The ids that belong to `source_id`: the first is never handed out.
#[must_use]
pub const fn change_ids_of(source_id: u32) -> Range<u64> {
    let first = (source_id.saturating_sub(1) as u64) << CHANGE_ID_BITS;
    first..first + (1 << CHANGE_ID_BITS)
}

/// The server family that a source belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// MySQL, Percona Server and what speaks like them.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// A source server: one row of `sources`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `@@server_uuid`, by which a source is known again.
    pub server_uuid: String,
    /// Its family.
    pub flavor: Flavor,
    /// `@@version`.
    pub version: String,
    /// Host name or address, as the user gave it.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// How the stream finds its place again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// By the set of GTIDs it has.
    Gtid,
    /// By binlog file and position.
    Position,
}

/// What was seen but could not be kept, by reason: `capture_skips`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaptureSkips(pub BTreeMap<String, Skip>);

/// One reason of [`CaptureSkips`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// How often.
    pub count: u64,
    /// File and position of the last one, and its table where known.
    pub last: String,
    /// When the last one was written to the binlog.
    pub last_at: Micros,
}

/// How far the index holds everything: one row of `stream_state`.
///
/// Saved at transaction boundaries only, in the index transaction that holds the last rows it
/// covers, or a later one.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// How to resume.
    pub mode: Mode,
    /// The file to resume in.
    pub binlog_file: String,
    /// The position behind the last transaction covered.
    pub binlog_position: u64,
    /// When that file was begun, in seconds since the Unix epoch, as its first event says; `None` where
    /// it was not seen. A file of the same name that was begun at another time is another file.
    pub binlog_created: Option<u32>,
    /// The GTIDs covered, in the server's own notation; empty in position mode.
    pub gtid_set: String,
    /// The id of the next row change: everything at or above it is not covered.
    pub next_change_id: u64,
    /// Row events indexed since the stream's first start.
    pub events_indexed: u64,
    /// Commit time of the last transaction seen (also when it was filtered out).
    pub last_event_time: Option<Micros>,
    /// The server id the stream replicates under.
    pub server_id: u32,
    /// Seconds between the commit on the source and now, when this was saved.
    pub lag_seconds: Option<f64>,
    /// What could not be kept.
    pub capture_skips: CaptureSkips,
}

/// One row of `stream_state`, which a source has from its first connection on.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamState {
    /// The last checkpoint; `None` before the first and after a reset.
    pub checkpoint: Option<Checkpoint>,
    /// The id for the next row change. It outlives a reset, so that ids never come back.
    pub next_change_id: u64,
    /// When the checkpoint was saved.
    pub last_checkpoint: Option<Micros>,
    /// The error that last stopped or disturbed the stream.
    pub last_error: Option<String>,
    /// When a gap was found, and what is lost in it.
    pub gap_lost: Option<(Micros, String)>,
    /// When the stream last began to read from the source.
    pub streaming_since: Option<Micros>,
    /// A stream that runs saves a checkpoint every so many seconds, also when nothing happens.
    pub checkpoint_seconds: Option<u32>,
    /// What was committed before this time may have been removed.
    pub removed_before: Option<Micros>,
    /// When it was started of late, each time soon after the end of the one before, which nobody had asked for.
    pub starts: Vec<Micros>,
    /// What its stream keeps.
    pub kept: Option<Kept>,
}

/// What a stream keeps of its source: `--schemas` and `--tables`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The schemas; empty for all.
    pub schemas: Vec<String>,
    /// The tables, or those in a schema; empty for all.
    pub tables: Vec<(Option<String>, String)>,
    /// File and position from which on that is so.
    pub since: String,
}

/// How the names and keys of a [`TableVersion`] are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// From the event itself: `binlog_row_metadata=FULL`.
    RowMetadata,
    /// From the source's `information_schema`, whose definition fits the event's.
    InformationSchema,
    /// From the statement that made it, or changed the one before, and fits the event's.
    Ddl,
    /// Not known: the columns are named `@1`, `@2`, … by their place.
    Position,
}

/// A column of a [`TableVersion`], as kept in its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, or `@n` where it is not known.
    pub name: String,
    /// Its type, such as `bigint unsigned` or `decimal(10,2)`.
    #[serde(rename = "type")]
    pub column_type: String,
    /// Character set of a text, ENUM or SET column.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub charset: Option<String>,
    /// May it be NULL?
    pub nullable: bool,
    /// Its place in the primary key, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pk: Option<u16>,
    /// ENUM or SET members, in order.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub members: Option<Vec<String>>,
    /// Is it computed from other columns? Not known from row metadata.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub generated: Option<bool>,
    /// Is it left out of `SELECT *`?
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub invisible: bool,
}

/// A table definition that rows were written under: one row of `table_versions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableVersion {
    /// Schema (database) name.
    pub schema: String,
    /// Table name.
    pub table: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// How the names are known.
    pub known_by: KnownBy,
    /// File and position of the first event seen under it.
    pub valid_from: Place,
}

/// A binlog file, and a position in it.
pub type Place = (String, u64);

/// A row of `table_versions` whose definition holds up to the checkpoint or beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidTable {
    /// Its id.
    pub table_id: u32,
    /// Schema (database) name.
    pub schema: String,
    /// Table name.
    pub table: String,
    /// File and position of the first event seen under it.
    pub valid_from: Place,
    /// The statement that gave the table another definition, when that is known already.
    pub valid_until: Option<Place>,
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum EventType {
    /// A row was inserted: only an after image.
    Insert = 1,
    /// A row was changed: a before and an after image.
    Update = 2,
    /// A row was deleted: only a before image.
    Delete = 3,
}

/// The outcome of an XA transaction's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XaState {
    /// Prepared, neither committed nor rolled back yet: its rows are in no view.
    Prepared,
    /// Committed.
    Committed,
    /// Rolled back: its rows never came to be.
    RolledBack,
}

/// The end of an XA transaction that was prepared earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XaDecided {
    /// Its xid.
    pub xid: String,
    /// Its outcome.
    pub state: XaState,
    /// The id that the next row change had when it was decided: an xid may be used again, so the
    /// newest transaction prepared below this id is the one meant.
    pub next_change_id: u64,
    /// When it was decided.
    pub decided_at: Micros,
}

/// One of [`Batch::xa_steps`].
#[derive(Debug, Clone, Copy)]
pub(super) enum XaStep<'a> {
    Prepared { xid: &'a str, transaction_id: u64 },
    Decided(&'a XaDecided),
}

/// A source transaction with rows in the index: one row of `transactions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The `change_id` of its first row. Its rows have consecutive ids, without a hole: readers find
    /// them as `transaction_id ..transaction_id + row_count`.
    pub transaction_id: u64,
    /// Its GTID, where it has one.
    pub gtid: Option<String>,
    /// The binlog file it stands in.
    pub binlog_file: String,
    /// Where its first event starts.
    pub start_position: u64,
    /// Where its last event ends.
    pub end_position: u64,
    /// When it was committed.
    pub committed_at: Micros,
    /// The session that made it (`CONNECTION_ID()` on the source).
    pub connection_id: Option<u32>,
    /// Row changes of it in the index.
    pub row_count: u64,
    /// The xid and state of an XA transaction.
    pub xa: Option<(String, XaState)>,
    /// The statements' text, when the source logs it (`binlog_rows_query_log_events=ON`).
    pub statement: Option<String>,
}

/// A DDL statement: one row of `schema_changes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaChange {
    /// The binlog file it stands in.
    pub binlog_file: String,
    /// Where its event starts.
    pub start_position: u64,
    /// Where its event ends.
    pub end_position: u64,
    /// Its GTID, where it has one.
    pub gtid: Option<String>,
    /// When it was committed.
    pub committed_at: Micros,
    /// The id that the next row change had: all from there on came after it.
    pub next_change_id: u64,
    /// The default schema of the session.
    pub schema: String,
    /// The session's `sql_mode`, as its bits, where the server says so.
    pub sql_mode: Option<u64>,
    /// It uses a temporary table of its session, and what it changes may be that one.
    pub temporary: bool,
    /// Its first words in upper case, such as `ALTER TABLE`.
    pub change_type: String,
    /// The statement.
    pub statement: String,
}

/// A binlog file that is indexed as a file: one row of `index_state`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedFile {
    /// Its name.
    pub name: String,
    /// When it was begun, in seconds since the Unix epoch, as its first event says. A file of the same name that was
    /// begun at another time is another file.
    pub created: u32,
    /// Its bytes.
    pub size: u64,
    /// How far it was read: the end of its last whole transaction, or of the file.
    pub last_position: u64,
    /// Row changes that came of it.
    pub events: u64,
    /// What became of it.
    pub status: FileStatus,
    /// Why it was not read to its end.
    pub error: Option<String>,
}

/// What became of a binlog file that is indexed as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileStatus {
    /// It is read up to some place.
    Indexing,
    /// It is read to its end.
    Indexed,
    /// It ends inside an event or a transaction: all before that is read.
    CutOff,
    /// It was read up to some place, and whoever did no longer does.
    Stopped,
}

impl FileStatus {
    /// The one of this name; for a name that is none, the one that promises least.
    #[must_use]
    pub fn of(name: &str) -> Self {
        [Self::Indexed, Self::CutOff, Self::Stopped]
            .into_iter()
            .find(|status| status.name() == name)
            .unwrap_or(Self::Indexing)
    }

    /// As `index_state` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Indexing => "indexing",
            Self::Indexed => "indexed",
            Self::CutOff => "cut off",
            Self::Stopped => "stopped",
        }
    }
}

/// One row change, its texts as ranges of [`Batch::text`].
#[derive(Debug, Clone)]
pub struct RowChange {
    /// Unique in the index; rises in commit order.
    pub change_id: u64,
    /// When its transaction was committed.
    pub committed_at: Micros,
    /// Its `table_versions` row.
    pub table_id: u32,
    /// Its `transactions` row.
    pub transaction_id: u64,
    /// What happened.
    pub event_type: EventType,
    /// The first 8 bytes of the SHA-256 of the key's text.
    pub pk_hash: [u8; 8],
    /// The key's text: values joined by `|`. `None` when the table has no primary key.
    pub pk_values: Option<Range<usize>>,
    /// The before image, JSON.
    pub row_before: Option<Range<usize>>,
    /// The after image, JSON.
    pub row_after: Option<Range<usize>>,
    /// The hash and the text of the key that an update gave the row, where that is another.
    pub new_key: Option<([u8; 8], Range<usize>)>,
    /// The columns that an update changed, a bit each by their place, the 65th at the first one's bit; more bits than
    /// that do no harm.
    pub changed: u64,
}

/// What one index transaction writes.
///
/// A source transaction may be spread over several batches; only the last of them holds its
/// [`Transaction`] row, and every checkpoint in between stands before it, so that no reader sees a part.
/// DDL and XA decisions come only with a checkpoint that covers them: they cannot be discarded by
/// their `change_id`, so they must never be there without it.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The texts of all the rows, UTF-8.
    pub text: Vec<u8>,
    /// The row changes, in order of `change_id`.
    pub rows: Vec<RowChange>,
    /// The transactions that end in this batch.
    pub transactions: Vec<Transaction>,
    /// XA transactions prepared earlier, by xid, that were decided.
    pub xa_decided: Vec<XaDecided>,
    /// DDL statements.
    pub schema_changes: Vec<SchemaChange>,
    /// Rows at or above this id came with earlier batches and belong to a transaction that never
    /// ended: they are deleted before the batch is written.
    pub discard_from: Option<u64>,
    /// How far binlog files are read that are indexed as files; only with a checkpoint.
    pub files: Vec<IndexedFile>,
    /// The checkpoint that is true once all of this is in the index.
    pub checkpoint: Option<Checkpoint>,
}

impl Batch {
    /// The text that `range` names; empty when it names none.
    #[must_use]
    pub fn text(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// What the batch has of XA transactions, in the source's order: an xid may be prepared again once it is decided.
    pub(super) fn xa_steps(&self) -> Vec<XaStep<'_>> {
        let prepared = self
            .transactions
            .iter()
            .filter_map(|transaction| match &transaction.xa {
                Some((xid, XaState::Prepared)) => Some(XaStep::Prepared {
                    xid,
                    transaction_id: transaction.transaction_id,
                }),
                _ => None,
            });
        let decided = self.xa_decided.iter().map(XaStep::Decided);
        let mut steps: Vec<_> = prepared.chain(decided).collect();
        steps.sort_by_key(|step| match step {
            XaStep::Decided(decided) => (decided.next_change_id, false),
            XaStep::Prepared { transaction_id, .. } => (*transaction_id, true),
        });
        steps
    }

    /// Checks what every backend and reader relies on, so that a slip of the writer stops the
    /// stream instead of making rows that nobody can find.
    ///
    /// # Errors
    ///
    /// What is wrong, in a few words.
    pub fn check(&self, source_id: u32) -> Result<(), &'static str> {
        let ids = change_ids_of(source_id);
        let text = std::str::from_utf8(&self.text).map_err(|_| "the text is not UTF-8")?;
        let held = |range: &Option<Range<usize>>| {
            range.as_ref().is_none_or(|range| {
                range.start <= range.end
                    && text.is_char_boundary(range.start)
                    && text.is_char_boundary(range.end)
            })
        };
        let mut ends = self.transactions.iter();
        let mut end = ends.next();
        let mut above = ids.start;
        for row in &self.rows {
            if row.change_id <= above || row.change_id >= ids.end {
                return Err("the change ids do not rise within the source's own");
            }
            above = row.change_id;
            while end.is_some_and(|end| end.transaction_id < row.transaction_id) {
                end = ends.next();
            }
            let last = match end {
                Some(end) if end.transaction_id == row.transaction_id => {
                    if end.committed_at != row.committed_at {
                        return Err("a row has another commit time than its transaction");
                    }
                    end.transaction_id.saturating_add(end.row_count)
                }
                _ => ids.end,
            };
            if row.change_id < row.transaction_id || row.change_id >= last {
                return Err("a row is outside its transaction's ids");
            }
            let new_key = row.new_key.as_ref().map(|(_, text)| text.clone());
            if !(held(&row.pk_values)
                && held(&row.row_before)
                && held(&row.row_after)
                && held(&new_key))
            {
                return Err("a text range is outside the text");
            }
            if row.row_before.is_some() != (row.event_type != EventType::Insert)
                || row.row_after.is_some() != (row.event_type != EventType::Delete)
            {
                return Err("the images do not fit the event type");
            }
            if new_key.is_some() && row.event_type != EventType::Update {
                return Err("a row that was not updated has another key");
            }
            if !TIMES.contains(&row.committed_at) {
                return Err("a commit time is outside 1970 to 9999");
            }
        }
        let mut covered = ids.start;
        for transaction in &self.transactions {
            if transaction.transaction_id <= covered || transaction.row_count == 0 {
                return Err("the transactions overlap, or one has no rows");
            }
            if !TIMES.contains(&transaction.committed_at) {
                return Err("a commit time is outside 1970 to 9999");
            }
            covered = transaction
                .transaction_id
                .saturating_add(transaction.row_count - 1);
        }
        if !self.rows.is_empty() && covered > above {
            return Err("a transaction ends behind its last row");
        }
        match &self.checkpoint {
            // Rows above it may be the first of a transaction that goes on in the next batch.
            Some(checkpoint) if checkpoint.next_change_id <= covered => {
                Err("the checkpoint does not cover the batch's transactions")
            }
            Some(checkpoint) if checkpoint.next_change_id > ids.end => {
                Err("the source has used up its change ids")
            }
            None if !self.schema_changes.is_empty() || !self.xa_decided.is_empty() => {
                Err("DDL and XA decisions need a checkpoint in their batch")
            }
            None if !self.files.is_empty() => Err("files need a checkpoint in their batch"),
            _ => Ok(()),
        }
    }
}

/// What a DATETIME holds and a four-digit year prints: 1970 to 9999.
const TIMES: Range<Micros> = 0..253_402_300_800_000_000;

/// What a writer learns when it takes a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Attached {
    /// The source's number in the index, from 1.
    pub source_id: u32,
    /// Where it stands.
    pub state: StreamState,
    /// The index's own schema, when it is on the source itself.
    pub own_schema: Option<String>,
}

/// What a reader learns of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceStatus {
    /// Its number in the index, from 1.
    pub source_id: u32,
    /// Who it is.
    pub source: Source,
    /// When the source was first and last connected to.
    pub seen: (Micros, Micros),
    /// Its stream.
    pub state: StreamState,
    /// Commit times of the first and the last row change covered.
    pub coverage: Option<(Micros, Micros)>,
    /// Tables with rows whose columns are named by their place.
    pub unnamed_tables: u64,
    /// The servers that it was read from, oldest first.
    pub servers: Vec<SourceServer>,
}

/// A server that a source was read from: one row of `source_servers`. There is a second one after a
/// failover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceServer {
    /// The first row change read from it. Binlog files and positions from there on are this server's.
    pub first_change_id: u64,
    /// Its `@@server_uuid`.
    pub server_uuid: String,
    /// Host name or address, as the user gave it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// When it was first read from.
    pub since: Micros,
}
