//! The SQLite index itself, as its thread sees it.

mod status;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, ToSql, TransactionBehavior, params};

use super::super::convert::{self, flavor_name, known_by_name, parse_known_by, signed, unsigned};
use super::super::error::{ErrorKind, IndexError};
use super::super::places::Places;
use super::super::record::{
    Attached, Batch, FileStatus, Kept, Micros, Place, Source, TableVersion, ValidTable,
    change_ids_of,
};
use super::super::time::now;
use super::super::{DISCARD_CHUNK, MAX_SOURCES, SCHEMA_VERSION, other_version};
use super::fault::Fault;
use super::lock::{cannot_lock, lock_path, take_lock};
use super::write;
use status::{STATE, read_state};

const SCHEMA: &str = include_str!("schema.sql");

/// How long to wait for another process that writes to the file.
const BUSY: Duration = Duration::from_secs(10);

/// The columns that [`read_version`] reads, behind the id.
const VERSION: &str = "table_id, schema_name, table_name, columns, known_by, valid_from_file,
   valid_from_position";

/// Is a row of `table_versions` valid behind the file `?2` and position `?3`?
const VALID_BEHIND: &str = "(valid_until_file IS NULL
   OR (length(valid_until_file), valid_until_file, valid_until_position) > (length(?2), ?2, ?3))";

pub(super) struct Store {
    pub(super) connection: Connection,
    path: PathBuf,
    /// Device and inode of the file that is open.
    file: Option<(u64, u64)>,
    locks: HashMap<u32, File>,
    /// The sources whose rows are what the checkpoint says.
    attached: HashSet<u32>,
    places: Places,
}

impl Store {
    pub(super) fn open(path: &Path, create: bool) -> Result<Self, Fault> {
        if !create && !path.exists() {
            return Err(missing(path).into());
        }
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if create {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let connection = Connection::open_with_flags(path, flags)?;
        // Its name for locks: the same whatever links lead to it.
        let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        refuse_hard_links(path)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(32);
        let mut store = Self {
            connection,
            path: path.to_owned(),
            file: file_at(path),
            locks: HashMap::new(),
            attached: HashSet::new(),
            places: Places::default(),
        };
        store.refuse_other_version()?;
        if create {
            store.create()?;
        } else {
            store.connection.execute_batch("PRAGMA query_only = ON")?;
            version(&store.connection)?.ok_or_else(|| missing(path))?;
        }
        Ok(store)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn refuse_other_version(&self) -> Result<(), Fault> {
        let found = version(&self.connection)?;
        match found.and_then(|found| other_version(found, &self.path.display().to_string())) {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// What is written to a file that was removed or replaced is gone with the process.
    fn refuse_another_file(&self) -> Result<(), IndexError> {
        let there = file_at(&self.path);
        if self.file.is_none() || there == self.file {
            return Ok(());
        }
        let (path, what) = (self.path.display(), there.map_or("removed", |_| "replaced"));
        Err(IndexError::new(
            ErrorKind::Unfit,
            format!(
                "the index {path} was {what} while it was open, so that what is written goes nowhere: put the file back, \
                 with its -wal beside it, or begin a new one with --start-…"
            ),
        ))
    }

    fn create(&mut self) -> Result<(), Fault> {
        self.connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             PRAGMA foreign_keys = OFF; PRAGMA cache_size = -16384;
             PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;",
        )?;
        // Immediate: of two that start at once, the second sees what the first has made.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (table, column) in convert::tables_of(SCHEMA) {
            let first: Option<String> = transaction
                .query_row(
                    "SELECT name FROM pragma_table_info(?1) WHERE cid = 0",
                    [table],
                    |row| row.get(0),
                )
                .optional()?;
            if first.is_some_and(|first| first != column) {
                return Err(convert::foreign(table).into());
            }
        }
        transaction.execute_batch(SCHEMA)?;
        if version(&transaction)?.is_none() {
            transaction.execute("INSERT INTO index_version VALUES (?1)", [SCHEMA_VERSION])?;
        }
        transaction.commit()?;
        Ok(())
    }

    pub(super) fn attach(&mut self, source: &Source) -> Result<Attached, Fault> {
        let source_id = self.seen(source)?;
        self.attached.remove(&source_id);
        self.lock(source_id)?;
        let state = self
            .connection
            .prepare_cached(&format!(
                "SELECT {STATE} FROM stream_state WHERE source_id = ?1"
            ))?
            .query_row([source_id], |row| Ok(read_state(row, 0)))??;
        self.served(source_id, source, state.next_change_id)?;
        self.discard(source_id, state.next_change_id)?;
        // Whoever has the lock now knows that nobody else reads files for this source.
        self.connection.execute(
            "UPDATE index_state SET status = ?2 WHERE source_id = ?1 AND status = ?3",
            params![
                source_id,
                FileStatus::Stopped.name(),
                FileStatus::Indexing.name()
            ],
        )?;
        self.places.forget();
        self.attached.insert(source_id);
        Ok(Attached {
            source_id,
            state,
            own_schema: None,
        })
    }

    pub(super) fn take_over(&mut self, source_id: u32, source: &Source) -> Result<(), Fault> {
        self.attached.remove(&source_id);
        self.lock(source_id)?;
        // First: the place is the other server's, and its GTIDs say as much.
        self.update(
            "UPDATE stream_state SET binlog_file = '', binlog_position = 4, binlog_created = NULL
             WHERE source_id = ?1",
            params![source_id],
        )?;
        self.update(
            "UPDATE sources SET server_uuid = ?2 WHERE source_id = ?1",
            params![source_id, source.server_uuid],
        )
    }

    /// Records the server that a source is read from, where it is another than before.
    fn served(&self, source_id: u32, source: &Source, next_change_id: u64) -> Result<(), Fault> {
        let last: Option<String> = self
            .connection
            .query_row(
                "SELECT server_uuid FROM source_servers WHERE source_id = ?1
                 ORDER BY since DESC LIMIT 1",
                [source_id],
                |row| row.get(0),
            )
            .optional()?;
        if last.as_ref() != Some(&source.server_uuid) {
            self.connection.execute(
                "INSERT INTO source_servers VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    source_id,
                    signed(next_change_id)?,
                    source.server_uuid,
                    source.host,
                    source.port,
                    now()
                ],
            )?;
        }
        Ok(())
    }

    /// Finds or makes the rows of a source.
    fn seen(&mut self, source: &Source) -> Result<u32, Fault> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let source_id: u32 = transaction.query_row(
            "INSERT INTO sources (server_uuid, flavor, version, host, port, first_seen, last_seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
             ON CONFLICT (server_uuid) DO UPDATE SET flavor = excluded.flavor,
               version = excluded.version, host = excluded.host, port = excluded.port,
               last_seen = excluded.last_seen
             RETURNING source_id",
            params![
                source.server_uuid,
                flavor_name(source.flavor),
                source.version,
                source.host,
                source.port,
                now()
            ],
            |row| row.get(0),
        )?;
        if source_id > MAX_SOURCES {
            return Err(convert::too_many_sources().into());
        }
        transaction.execute(
            "INSERT OR IGNORE INTO stream_state (source_id, next_change_id) VALUES (?1, ?2)",
            params![source_id, signed(change_ids_of(source_id).start + 1)?],
        )?;
        transaction.commit()?;
        Ok(source_id)
    }

    fn lock(&mut self, source_id: u32) -> Result<(), Fault> {
        if self.locks.contains_key(&source_id) {
            return Ok(());
        }
        let path = lock_path(&self.path, source_id);
        match take_lock(&path).map_err(|error| cannot_lock(&path, &error))? {
            Ok(file) => {
                self.locks.insert(source_id, file);
                Ok(())
            }
            Err(holder) => Err(IndexError::new(
                ErrorKind::Locked,
                format!(
                    "{holder} already streams this source into {}: stop it first, or use \
                     another index",
                    self.path.display()
                ),
            )
            .into()),
        }
    }

    /// Discards from an id on what no checkpoint covers. Readers do not see it, so it may go in parts.
    fn discard(&self, source_id: u32, from: u64) -> Result<(), Fault> {
        let from = signed(from)?;
        // The last source's ids end just above the largest integer.
        let to = signed(change_ids_of(source_id).end - 1)?;
        for sql in [
            "DELETE FROM row_changes WHERE change_id IN (SELECT change_id FROM row_changes
             WHERE change_id BETWEEN ?1 AND ?2 ORDER BY change_id LIMIT ?3)",
            "DELETE FROM key_changes WHERE change_id IN (SELECT change_id FROM key_changes
             WHERE change_id BETWEEN ?1 AND ?2 ORDER BY change_id LIMIT ?3)",
            "DELETE FROM transactions WHERE transaction_id IN (SELECT transaction_id
             FROM transactions WHERE transaction_id BETWEEN ?1 AND ?2
             ORDER BY transaction_id LIMIT ?3)",
            "DELETE FROM prepared_transactions WHERE transaction_id IN (SELECT transaction_id
             FROM prepared_transactions WHERE transaction_id BETWEEN ?1 AND ?2 LIMIT ?3)",
        ] {
            let mut delete = self.connection.prepare_cached(sql)?;
            while delete.execute(params![from, to, DISCARD_CHUNK])? > 0 {}
        }
        Ok(())
    }

    pub(super) fn register_table(
        &mut self,
        source_id: u32,
        version: &TableVersion,
    ) -> Result<u32, Fault> {
        let columns = convert::columns_json(&version.columns)?;
        let known_by = known_by_name(version.known_by);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = transaction
            .query_row(
                "SELECT table_id FROM table_versions WHERE source_id = ?1 AND schema_name = ?2
                 AND table_name = ?3 AND columns = ?4 AND known_by = ?5
                 AND valid_until_file IS NULL ORDER BY table_id LIMIT 1",
                params![source_id, version.schema, version.table, columns, known_by],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(table_id) = known {
            return Ok(table_id);
        }
        let table_id = transaction.query_row(
            "INSERT INTO table_versions (source_id, schema_name, table_name, columns, known_by,
               valid_from_file, valid_from_position)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING table_id",
            params![
                source_id,
                version.schema,
                version.table,
                columns,
                known_by,
                version.valid_from.0,
                signed(version.valid_from.1)?
            ],
            |row| row.get(0),
        )?;
        transaction.commit()?;
        Ok(table_id)
    }

    pub(super) fn table_versions(&self, source_id: u32) -> Result<Vec<(u32, TableVersion)>, Fault> {
        let mut query = self.connection.prepare_cached(&format!(
            "SELECT {VERSION} FROM table_versions WHERE source_id = ?1 ORDER BY table_id"
        ))?;
        let mut rows = query.query([source_id])?;
        let mut versions = Vec::new();
        while let Some(row) = rows.next()? {
            versions.push((row.get(0)?, read_version(row)?));
        }
        Ok(versions)
    }

    pub(super) fn table_version(&self, table_id: u32) -> Result<TableVersion, Fault> {
        self.connection
            .prepare_cached(&format!(
                "SELECT {VERSION} FROM table_versions WHERE table_id = ?1"
            ))?
            .query_row([table_id], |row| Ok(read_version(row)))?
    }

    pub(super) fn valid_tables(
        &self,
        source_id: u32,
        place: &Place,
    ) -> Result<Vec<ValidTable>, Fault> {
        let mut query = self.connection.prepare_cached(&format!(
            "SELECT table_id, schema_name, table_name, valid_from_file, valid_from_position,
               valid_until_file, valid_until_position
             FROM table_versions WHERE source_id = ?1 AND {VALID_BEHIND} ORDER BY table_id"
        ))?;
        let mut rows = query.query(params![source_id, place.0, signed(place.1)?])?;
        let mut tables = Vec::new();
        while let Some(row) = rows.next()? {
            let until: Option<String> = row.get(5)?;
            tables.push(ValidTable {
                table_id: row.get(0)?,
                schema: row.get(1)?,
                table: row.get(2)?,
                valid_from: (row.get(3)?, unsigned(row.get(4)?)?),
                valid_until: match until {
                    Some(file) => Some((file, unsigned(row.get(6)?)?)),
                    None => None,
                },
            });
        }
        Ok(tables)
    }

    pub(super) fn end_tables(&mut self, table_ids: &[u32], until: &Place) -> Result<(), Fault> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for table_id in table_ids {
            transaction
                .prepare_cached(
                    "UPDATE table_versions SET valid_until_file = ?2, valid_until_position = ?3
                     WHERE table_id = ?1",
                )?
                .execute(params![table_id, until.0, signed(until.1)?])?;
        }
        transaction.commit()?;
        Ok(())
    }

    pub(super) fn forget_tables(&self, source_id: u32, place: &Place) -> Result<(), Fault> {
        self.connection
            .prepare_cached(&format!(
                "UPDATE table_versions SET valid_until_file = '', valid_until_position = 0
                 WHERE source_id = ?1 AND {VALID_BEHIND}"
            ))?
            .execute(params![source_id, place.0, signed(place.1)?])?;
        Ok(())
    }

    pub(super) fn write(&mut self, source_id: u32, batch: &Batch) -> Result<(), Fault> {
        // Until it is written: what comes after a failed batch must not be.
        if !self.attached.remove(&source_id) {
            return Err(convert::not_attached().into());
        }
        batch.check(source_id).map_err(convert::bad_batch)?;
        self.refuse_another_file()?;
        if let Some(from) = batch.discard_from {
            self.discard(source_id, from)?;
        }
        // Dropped on an error, it is rolled back.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let places = self.places.new_in(batch);
        write::batch(&transaction, source_id, batch, &places)?;
        transaction.commit()?;
        self.attached.insert(source_id);
        Ok(())
    }

    pub(super) fn save_error(&self, source_id: u32, error: Option<&str>) -> Result<(), Fault> {
        self.update(
            "UPDATE stream_state SET last_error = ?2 WHERE source_id = ?1",
            params![source_id, error],
        )
    }

    pub(super) fn save_starts(&self, source_id: u32, starts: &[Micros]) -> Result<(), Fault> {
        self.update(
            "UPDATE stream_state SET starts = ?2 WHERE source_id = ?1",
            params![source_id, convert::starts_json(starts)?],
        )
    }

    pub(super) fn save_kept(&self, source_id: u32, kept: &Kept) -> Result<(), Fault> {
        self.update(
            "UPDATE stream_state SET kept = ?2 WHERE source_id = ?1",
            params![source_id, convert::kept_json(kept)?],
        )
    }

    pub(super) fn streaming(
        &self,
        source_id: u32,
        since: Micros,
        checkpoint_seconds: u32,
    ) -> Result<(), Fault> {
        self.update(
            "UPDATE stream_state SET last_error = NULL, streaming_since = ?2, checkpoint_seconds = ?3
             WHERE source_id = ?1",
            params![source_id, since, checkpoint_seconds],
        )
    }

    pub(super) fn save_gap(&self, source_id: u32, at: Micros, detail: &str) -> Result<(), Fault> {
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO gaps
                 SELECT source_id, next_change_id, ?2, ?3 FROM stream_state WHERE source_id = ?1",
            )?
            .execute(params![source_id, at, detail])?;
        self.update(
            "UPDATE stream_state SET gap_lost_at = ?2, gap_lost_detail = ?3 WHERE source_id = ?1",
            params![source_id, at, detail],
        )
    }

    pub(super) fn acknowledge_gap(
        &self,
        source_id: u32,
        before: &str,
        now: &str,
    ) -> Result<(), Fault> {
        // It is a reader that writes, this once.
        self.connection.execute_batch("PRAGMA query_only = OFF")?;
        self.connection.execute(
            "UPDATE stream_state SET gap_lost_detail = ?3
             WHERE source_id = ?1 AND gap_lost_detail = ?2",
            params![source_id, before, now],
        )?;
        Ok(())
    }

    fn update(&self, sql: &str, params: &[&dyn ToSql]) -> Result<(), Fault> {
        match self.connection.prepare_cached(sql)?.execute(params)? {
            1 => Ok(()),
            _ => Err(convert::no_such_state().into()),
        }
    }
}

/// Reads [`VERSION`].
fn read_version(row: &Row<'_>) -> Result<TableVersion, Fault> {
    Ok(TableVersion {
        schema: row.get(1)?,
        table: row.get(2)?,
        columns: convert::parse_columns(&row.get::<_, String>(3)?)?,
        known_by: parse_known_by(&row.get::<_, String>(4)?)?,
        valid_from: (row.get(5)?, unsigned(row.get(6)?)?),
    })
}

/// The version of the index; `None` when there is none.
fn version(connection: &Connection) -> rusqlite::Result<Option<u32>> {
    let made: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'index_version')",
        [],
        |row| row.get(0),
    )?;
    if !made {
        return Ok(None);
    }
    connection.query_row("SELECT max(version) FROM index_version", [], |row| {
        row.get(0)
    })
}

/// SQLite keeps what is not in the file yet beside it, under its name: writers by two names would destroy it.
fn refuse_hard_links(path: &Path) -> Result<(), IndexError> {
    match std::fs::metadata(path) {
        Ok(file) if file.nlink() > 1 => Err(IndexError::new(
            ErrorKind::Unfit,
            format!(
                "the index {} has {} names (hard links), by which two streams would destroy it: remove all but one",
                path.display(),
                file.nlink()
            ),
        )),
        _ => Ok(()),
    }
}

fn file_at(path: &Path) -> Option<(u64, u64)> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

fn missing(path: &Path) -> IndexError {
    IndexError::new(
        ErrorKind::Missing,
        format!(
            "there is no index in {}: name another file, or make one with `bintrail init` or \
             `bintrail stream`",
            path.display()
        ),
    )
}
