//! What is asked of the index server over one connection.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{Conn, Error, FromValueError, Params, Row, params};
use sha2::{Digest, Sha256};

use super::super::convert::{
    self, flavor_name, known_by_name, mode_name, parse_flavor, parse_known_by, parse_mode, xa_name,
};
use super::super::error::{ErrorKind, IndexError};
use super::super::places::Places;
use super::super::record::{
    Attached, Batch, Checkpoint, FileStatus, KnownBy, Micros, Place, Source, SourceServer,
    SourceStatus, StreamState, TableVersion, ValidTable, change_ids_of,
};
use super::super::time::{now, timestamp};
use super::super::{DISCARD_CHUNK, MAX_SOURCES, SCHEMA_VERSION, other_version};
use super::beside;
use super::connect::connect;
use super::fault::Fault;
use super::load::{self, Table};
use super::partitions::Partitions;
use crate::dsn::MySqlDsn;

const SCHEMA: &str = include_str!("schema.sql");

/// Seconds to wait for a lock whose holder may just be going.
const LOCK_SECONDS: u32 = 3;

/// The columns that [`read_state`] reads.
const STATE: &str = "mode, binlog_file, binlog_position, gtid_set, next_change_id,
   events_indexed, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', last_event_time),
   TIMESTAMPDIFF(MICROSECOND, '1970-01-01', last_checkpoint), server_id, lag_seconds, last_error,
   TIMESTAMPDIFF(MICROSECOND, '1970-01-01', gap_lost_at), gap_lost_detail, capture_skips,
   binlog_created, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', streaming_since), checkpoint_seconds,
   TIMESTAMPDIFF(MICROSECOND, '1970-01-01', removed_before)";

/// The columns that [`read_version`] reads.
const VERSION: &str = "table_id, schema_name, table_name, columns, known_by, valid_from_file,
   valid_from_position";

/// Is a row of `table_versions` valid behind `:file` and `:position`?
const VALID_BEHIND: &str = "(valid_until_file IS NULL
   OR (CHAR_LENGTH(valid_until_file), valid_until_file, valid_until_position)
     > (CHAR_LENGTH(:file), :file, :position))";

/// A connection as its server knows it. Its number comes again once the server has restarted.
#[derive(Debug, Clone)]
pub(super) struct Ghost {
    server_uuid: String,
    id: u32,
    made: Instant,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) conn: Conn,
    ghost: Ghost,
    /// The sources whose locks it has and whose rows are what the checkpoint says.
    attached: HashSet<u32>,
    /// Does the server take LOAD DATA LOCAL?
    loads: bool,
    max_packet: usize,
    partitions: Partitions,
    places: Places,
}

impl Session {
    /// Connects to an index that is there.
    pub(super) async fn connect(dsn: &MySqlDsn) -> Result<Self, Fault> {
        Self::of(connect(dsn, dsn.database.as_deref()).await?).await
    }

    async fn of(mut conn: Conn) -> Result<Self, Fault> {
        let made = Instant::now();
        let (loads, max_packet, server_uuid) = conn
            .query_first("SELECT @@local_infile, @@max_allowed_packet, @@server_uuid")
            .await?
            .unwrap_or_default();
        Ok(Self {
            ghost: Ghost {
                server_uuid,
                id: conn.id(),
                made,
            },
            conn,
            attached: HashSet::new(),
            loads,
            max_packet,
            partitions: Partitions::default(),
            places: Places::default(),
        })
    }

    /// Connects, and makes what is missing if it may.
    pub(super) async fn open(dsn: &MySqlDsn, create: bool) -> Result<Self, Fault> {
        let database = dsn.database.as_deref();
        let mut session = match Self::connect(dsn).await {
            Err(fault) if create && fault.code() == Some(1049) => {
                let mut conn = connect(dsn, None).await?;
                let name = database.unwrap_or_default().replace('`', "``");
                conn.query_drop(format!(
                    "CREATE DATABASE IF NOT EXISTS `{name}`
                     CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
                ))
                .await?;
                conn.disconnect().await?;
                Self::connect(dsn).await?
            }
            connected => connected?,
        };
        match session.version().await? {
            Some(found) => match other_version(found, database.unwrap_or_default()) {
                Some(error) => Err(error.into()),
                None => Ok(session),
            },
            None if create => {
                session.create().await?;
                Ok(session)
            }
            None => Err(IndexError::new(
                ErrorKind::Missing,
                format!(
                    "there is no index in the database {}: name another one, or make it with \
                     `bintrail init` or `bintrail stream`",
                    database.unwrap_or_default()
                ),
            )
            .into()),
        }
    }

    /// The version of the index; `None` when it is not there, or not all of it.
    async fn version(&mut self) -> Result<Option<u32>, Fault> {
        match self
            .conn
            .query_first::<Option<u32>, _>("SELECT MAX(version) FROM index_version")
            .await
        {
            Ok(version) => Ok(version.flatten()),
            Err(Error::Server(error)) if error.code == 1146 => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Every step may have been done before: the version comes last.
    async fn create(&mut self) -> Result<(), Fault> {
        let first: HashMap<String, String> = self
            .conn
            .query::<(String, String), _>(
                "SELECT table_name AS t, column_name AS c FROM information_schema.columns
                 WHERE table_schema = DATABASE() AND ordinal_position = 1",
            )
            .await?
            .into_iter()
            .collect();
        for (table, column) in convert::tables_of(SCHEMA) {
            if first.get(table).is_some_and(|first| first != column) {
                return Err(convert::foreign(table).into());
            }
        }
        for statement in SCHEMA.split_inclusive(";\n") {
            self.conn.query_drop(statement).await?;
        }
        self.conn
            .exec_drop(
                "INSERT IGNORE INTO index_version VALUES (?)",
                (SCHEMA_VERSION,),
            )
            .await?;
        Ok(())
    }

    pub(super) fn ghost(&self) -> &Ghost {
        &self.ghost
    }

    pub(super) async fn close(self) -> Result<(), Fault> {
        Ok(self.conn.disconnect().await?)
    }

    pub(super) async fn ping(&mut self) -> Result<(), Fault> {
        Ok(self.conn.ping().await?)
    }

    pub(super) async fn attach(
        &mut self,
        source: &Source,
        before: &[Ghost],
    ) -> Result<Attached, Fault> {
        let source_id = self.seen(source).await?;
        self.attached.remove(&source_id);
        self.lock(source_id, before).await?;
        let sql = format!("SELECT {STATE} FROM stream_state WHERE source_id = ?");
        let row = self.conn.exec_first(sql, (source_id,)).await?;
        let row = row.ok_or_else(convert::not_attached)?;
        let state = read_state(&row, 0)?;
        self.served(source_id, source, state.next_change_id).await?;
        self.discard(source_id, state.next_change_id).await?;
        // Whoever has the lock now knows that nobody else reads files for this source.
        self.conn
            .exec_drop(
                "UPDATE index_state SET status = ? WHERE source_id = ? AND status = ?",
                (
                    FileStatus::Stopped.name(),
                    source_id,
                    FileStatus::Indexing.name(),
                ),
            )
            .await?;
        self.places.forget();
        self.attached.insert(source_id);
        let on_source = source.server_uuid == self.ghost.server_uuid;
        let own_schema = if on_source {
            self.conn.query_first("SELECT DATABASE()").await?
        } else {
            None
        };
        Ok(Attached {
            source_id,
            state,
            own_schema,
        })
    }

    pub(super) async fn take_over(
        &mut self,
        source_id: u32,
        source: &Source,
        before: &[Ghost],
    ) -> Result<(), Fault> {
        self.attached.remove(&source_id);
        self.lock(source_id, before).await?;
        // First: the place is the other server's, and its GTIDs say as much.
        self.update(
            "UPDATE stream_state SET binlog_file = '', binlog_position = 4, binlog_created = NULL
             WHERE source_id = ?",
            (source_id,).into(),
        )
        .await?;
        self.update(
            "UPDATE sources SET server_uuid = ? WHERE source_id = ?",
            (&source.server_uuid, source_id).into(),
        )
        .await
    }

    /// Records the server that a source is read from, where it is another than before.
    async fn served(
        &mut self,
        source_id: u32,
        source: &Source,
        next_change_id: u64,
    ) -> Result<(), Fault> {
        let last: Option<String> = self
            .conn
            .exec_first(
                "SELECT server_uuid FROM source_servers WHERE source_id = ?
                 ORDER BY since DESC LIMIT 1",
                (source_id,),
            )
            .await?;
        if last.as_ref() == Some(&source.server_uuid) {
            return Ok(());
        }
        self.conn
            .exec_drop(
                "INSERT INTO source_servers VALUES (?, ?, ?, ?, ?, ?)",
                (
                    source_id,
                    next_change_id,
                    &source.server_uuid,
                    &source.host,
                    source.port,
                    text(now()),
                ),
            )
            .await?;
        Ok(())
    }

    /// Finds or makes the rows of a source. An INSERT that finds it there would use up an id.
    async fn seen(&mut self, source: &Source) -> Result<u32, Fault> {
        let find = "SELECT source_id FROM sources WHERE server_uuid = ?";
        let uuid = (source.server_uuid.as_str(),);
        let values = params! {
            "uuid" => &source.server_uuid,
            "flavor" => flavor_name(source.flavor),
            "version" => &source.version,
            "host" => &source.host,
            "port" => source.port,
            "now" => text(now()),
        };
        if self
            .conn
            .exec_first::<u32, _, _>(find, uuid)
            .await?
            .is_none()
        {
            // Ignored when another stream has just made it.
            self.conn
                .exec_drop(
                    "INSERT IGNORE INTO sources
                       (server_uuid, flavor, version, host, port, first_seen, last_seen)
                     VALUES (:uuid, :flavor, :version, :host, :port, :now, :now)",
                    values.clone(),
                )
                .await?;
        }
        self.conn
            .exec_drop(
                "UPDATE sources SET flavor = :flavor, version = :version, host = :host,
                   port = :port, last_seen = :now
                 WHERE server_uuid = :uuid",
                values,
            )
            .await?;
        let source_id: Option<u32> = self.conn.exec_first(find, uuid).await?;
        let source_id = source_id.ok_or_else(convert::not_attached)?;
        if source_id > MAX_SOURCES {
            return Err(convert::too_many_sources().into());
        }
        self.conn
            .exec_drop(
                "INSERT IGNORE INTO stream_state
                   (source_id, next_change_id, gtid_set, capture_skips) VALUES (?, ?, '', '{}')",
                (source_id, change_ids_of(source_id).start + 1),
            )
            .await?;
        Ok(source_id)
    }

    async fn lock(&mut self, source_id: u32, before: &[Ghost]) -> Result<(), Fault> {
        let database: Option<String> = self.conn.query_first("SELECT DATABASE()").await?;
        let name = lock_name(&database.unwrap_or_default(), source_id);
        // Again in the same session only counts up.
        let used: Option<Option<u32>> = self
            .conn
            .exec_first("SELECT IS_USED_LOCK(?)", (name.as_str(),))
            .await?;
        let used = used.flatten();
        if used == Some(self.ghost.id) {
            return Ok(());
        }
        if let Some(holder) = used
            && self.is_ours(holder, before).await?
        {
            // It may end by itself meanwhile; the lock tells.
            let _ = self.conn.query_drop(format!("KILL {holder}")).await;
        }
        let got: Option<Option<u8>> = self
            .conn
            .exec_first("SELECT GET_LOCK(?, ?)", (name.as_str(), LOCK_SECONDS))
            .await?;
        if got.flatten() == Some(1) {
            return Ok(());
        }
        let holder: Option<(u32, String)> = self
            .conn
            .exec_first(
                "SELECT id, CONCAT(user, '@', host) FROM information_schema.processlist
                 WHERE id = IS_USED_LOCK(?)",
                (name,),
            )
            .await?;
        let holder = match (holder, used) {
            (Some((id, who)), _) => format!("connection {id} of {who}"),
            (None, Some(id)) => format!("connection {id}"),
            (None, None) => "another connection".to_owned(),
        };
        Err(IndexError::new(
            ErrorKind::Locked,
            format!(
                "{holder} already streams this source into this index: stop it first, or use \
                 another database"
            ),
        )
        .into())
    }

    /// Is it a connection that this process made and has lost?
    async fn is_ours(&mut self, holder: u32, before: &[Ghost]) -> Result<bool, Fault> {
        let uptime: Option<(String, u64)> = self
            .conn
            .query_first("SHOW GLOBAL STATUS LIKE 'Uptime'")
            .await?;
        let uptime = uptime.map_or(0, |(_, seconds)| seconds);
        Ok(before.iter().any(|ghost| {
            ghost.id == holder
                && ghost.server_uuid == self.ghost.server_uuid
                && ghost.made.elapsed().as_secs() <= uptime
        }))
    }

    /// Discards from an id on what no checkpoint covers. Readers do not see it, so it may go in parts.
    async fn discard(&mut self, source_id: u32, from: u64) -> Result<(), Fault> {
        let last = change_ids_of(source_id).end - 1;
        for (table, id) in [
            ("row_changes", "change_id"),
            ("key_changes", "change_id"),
            ("transactions", "transaction_id"),
        ] {
            let sql = format!(
                "DELETE FROM {table} WHERE {id} BETWEEN {from} AND {last}
                 LIMIT {DISCARD_CHUNK}"
            );
            loop {
                self.conn.query_drop(sql.as_str()).await?;
                if self.conn.affected_rows() == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn register_table(
        &mut self,
        source_id: u32,
        version: &TableVersion,
    ) -> Result<u32, Fault> {
        let columns = convert::columns_json(&version.columns)?;
        let known_by = known_by_name(version.known_by);
        let known: Option<u32> = self
            .conn
            .exec_first(
                "SELECT table_id FROM table_versions WHERE source_id = ? AND schema_name = ?
                 AND table_name = ? AND columns = ? AND known_by = ?
                 AND valid_until_file IS NULL ORDER BY table_id LIMIT 1",
                (
                    source_id,
                    &version.schema,
                    &version.table,
                    &columns,
                    known_by,
                ),
            )
            .await?;
        if let Some(table_id) = known {
            return Ok(table_id);
        }
        self.conn
            .exec_drop(
                "INSERT INTO table_versions (source_id, schema_name, table_name, columns,
                   known_by, valid_from_file, valid_from_position)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    source_id,
                    &version.schema,
                    &version.table,
                    &columns,
                    known_by,
                    &version.valid_from.0,
                    version.valid_from.1,
                ),
            )
            .await?;
        self.conn
            .last_insert_id()
            .and_then(|id| u32::try_from(id).ok())
            .ok_or_else(|| convert::not_attached().into())
    }

    pub(super) async fn table_versions(
        &mut self,
        source_id: u32,
    ) -> Result<Vec<(u32, TableVersion)>, Fault> {
        let sql =
            format!("SELECT {VERSION} FROM table_versions WHERE source_id = ? ORDER BY table_id");
        let rows: Vec<VersionRow> = self.conn.exec(sql, (source_id,)).await?;
        rows.into_iter().map(read_version).collect()
    }

    pub(super) async fn table_version(&mut self, table_id: u32) -> Result<TableVersion, Fault> {
        let sql = format!("SELECT {VERSION} FROM table_versions WHERE table_id = ?");
        let row: Option<VersionRow> = self.conn.exec_first(sql, (table_id,)).await?;
        let row = row.ok_or_else(|| convert::damaged(format!("no table {table_id}")))?;
        Ok(read_version(row)?.1)
    }

    pub(super) async fn valid_tables(
        &mut self,
        source_id: u32,
        place: &Place,
    ) -> Result<Vec<ValidTable>, Fault> {
        type ValidRow = (
            u32,
            String,
            String,
            String,
            u64,
            Option<String>,
            Option<u64>,
        );
        let rows: Vec<ValidRow> = self
            .conn
            .exec(
                format!(
                    "SELECT table_id, schema_name, table_name, valid_from_file,
                       valid_from_position, valid_until_file, valid_until_position
                     FROM table_versions WHERE source_id = :source_id AND {VALID_BEHIND}
                     ORDER BY table_id"
                ),
                params! { "source_id" => source_id, "file" => &place.0, "position" => place.1 },
            )
            .await?;
        Ok(rows
            .into_iter()
            .map(
                |(table_id, schema, table, file, position, until, at)| ValidTable {
                    table_id,
                    schema,
                    table,
                    valid_from: (file, position),
                    valid_until: until.zip(at),
                },
            )
            .collect())
    }

    pub(super) async fn end_tables(
        &mut self,
        table_ids: &[u32],
        until: &Place,
    ) -> Result<(), Fault> {
        for table_id in table_ids {
            self.conn
                .exec_drop(
                    "UPDATE table_versions SET valid_until_file = ?, valid_until_position = ?
                     WHERE table_id = ?",
                    (&until.0, until.1, table_id),
                )
                .await?;
        }
        Ok(())
    }

    pub(super) async fn forget_tables(
        &mut self,
        source_id: u32,
        place: &Place,
    ) -> Result<(), Fault> {
        self.conn
            .exec_drop(
                format!(
                    "UPDATE table_versions SET valid_until_file = '', valid_until_position = 0
                     WHERE source_id = :source_id AND {VALID_BEHIND}"
                ),
                params! { "source_id" => source_id, "file" => &place.0, "position" => place.1 },
            )
            .await?;
        Ok(())
    }

    pub(super) async fn write(&mut self, source_id: u32, batch: &Arc<Batch>) -> Result<(), Fault> {
        // Until it is written: what comes after a failed batch must not be.
        if !self.attached.remove(&source_id) {
            return Err(convert::not_attached().into());
        }
        batch.check(source_id).map_err(convert::bad_batch)?;
        if let Some(from) = batch.discard_from {
            self.discard(source_id, from).await?;
        }
        if let Some(newest) = batch.rows.iter().map(|row| row.committed_at).max() {
            self.partitions.make(&mut self.conn, newest).await?;
        }
        self.conn.query_drop("START TRANSACTION").await?;
        let mut result = self.write_open(source_id, batch).await;
        if result.is_ok() {
            result = self.conn.query_drop("COMMIT").await.map_err(Fault::from);
        }
        match result {
            Ok(()) => {
                self.attached.insert(source_id);
                Ok(())
            }
            Err(fault) => {
                // When this fails, the connection is gone, and so is the transaction.
                let _ = self.conn.query_drop("ROLLBACK").await;
                Err(fault)
            }
        }
    }

    async fn write_open(&mut self, source_id: u32, batch: &Arc<Batch>) -> Result<(), Fault> {
        for table in [Table::Rows, Table::Transactions] {
            if self.loads {
                self.loads = load::load(&mut self.conn, table, batch, self.max_packet).await?;
            }
            if !self.loads {
                load::insert(&mut self.conn, table, batch, self.max_packet).await?;
            }
        }
        beside::key_changes(&mut self.conn, batch).await?;
        let places = self.places.new_in(batch);
        beside::places(&mut self.conn, &places).await?;
        beside::clock(&mut self.conn, source_id, batch).await?;
        for decided in &batch.xa_decided {
            // None is found when filters dropped all of its rows.
            self.conn
                .exec_drop(
                    "UPDATE transactions SET xa_state = ?, decided_at = ? WHERE xid = ? AND xa_state = 'prepared'
                     AND transaction_id BETWEEN ? AND ? ORDER BY transaction_id DESC LIMIT 1",
                    (
                        xa_name(decided.state),
                        text(decided.decided_at),
                        &decided.xid,
                        change_ids_of(source_id).start,
                        decided.next_change_id.saturating_sub(1),
                    ),
                )
                .await?;
        }
        for change in &batch.schema_changes {
            self.conn
                .exec_drop(
                    "INSERT INTO schema_changes (source_id, binlog_file, start_position,
                       end_position, gtid, committed_at, next_change_id, schema_name, sql_mode,
                       temporary, change_type, statement)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        source_id,
                        &change.binlog_file,
                        change.start_position,
                        change.end_position,
                        &change.gtid,
                        text(change.committed_at),
                        change.next_change_id,
                        &change.schema,
                        change.sql_mode,
                        change.temporary,
                        &change.change_type,
                        &change.statement,
                    ),
                )
                .await?;
        }
        beside::files(&mut self.conn, source_id, batch).await?;
        match &batch.checkpoint {
            Some(checkpoint) => self.save_checkpoint(source_id, checkpoint).await,
            None => Ok(()),
        }
    }

    async fn save_checkpoint(
        &mut self,
        source_id: u32,
        checkpoint: &Checkpoint,
    ) -> Result<(), Fault> {
        self.update(
            "UPDATE stream_state SET mode = :mode, binlog_file = :file,
               binlog_position = :position, binlog_created = :created, gtid_set = :gtid_set,
               next_change_id = :next_change_id, events_indexed = :events,
               last_event_time = :event_time, last_checkpoint = :now, server_id = :server_id,
               lag_seconds = :lag, capture_skips = :skips
             WHERE source_id = :source_id AND next_change_id <= :next_change_id",
            params! {
                "source_id" => source_id,
                "mode" => mode_name(checkpoint.mode),
                "file" => &checkpoint.binlog_file,
                "position" => checkpoint.binlog_position,
                "created" => checkpoint.binlog_created,
                "gtid_set" => &checkpoint.gtid_set,
                "next_change_id" => checkpoint.next_change_id,
                "events" => checkpoint.events_indexed,
                "event_time" => checkpoint.last_event_time.map(text),
                "now" => text(now()),
                "server_id" => checkpoint.server_id,
                "lag" => checkpoint.lag_seconds,
                "skips" => convert::skips_json(&checkpoint.capture_skips)?,
            },
        )
        .await
    }

    pub(super) async fn save_error(
        &mut self,
        source_id: u32,
        error: Option<&str>,
    ) -> Result<(), Fault> {
        self.update(
            "UPDATE stream_state SET last_error = ? WHERE source_id = ?",
            (error, source_id).into(),
        )
        .await
    }

    pub(super) async fn streaming(
        &mut self,
        source_id: u32,
        since: Micros,
        checkpoint_seconds: u32,
    ) -> Result<(), Fault> {
        self.update(
            "UPDATE stream_state SET last_error = NULL, streaming_since = ?, checkpoint_seconds = ?
             WHERE source_id = ?",
            (text(since), checkpoint_seconds, source_id).into(),
        )
        .await
    }

    pub(super) async fn save_gap(
        &mut self,
        source_id: u32,
        at: Micros,
        detail: &str,
    ) -> Result<(), Fault> {
        self.conn
            .exec_drop(
                "REPLACE INTO gaps SELECT source_id, next_change_id, ?, ? FROM stream_state WHERE source_id = ?",
                (text(at), detail, source_id),
            )
            .await?;
        self.update(
            "UPDATE stream_state SET gap_lost_at = ?, gap_lost_detail = ? WHERE source_id = ?",
            (text(at), detail, source_id).into(),
        )
        .await
    }

    pub(super) async fn acknowledge_gap(
        &mut self,
        source_id: u32,
        before: &str,
        now: &str,
    ) -> Result<(), Fault> {
        let sql = "UPDATE stream_state SET gap_lost_detail = ?
                   WHERE source_id = ? AND gap_lost_detail = ?";
        let params = (now, source_id, before);
        Ok(self.conn.exec_drop(sql, params).await?)
    }

    /// Updates the one row of `stream_state`. The driver asks for rows found, not rows changed.
    async fn update(&mut self, sql: &str, params: Params) -> Result<(), Fault> {
        self.conn.exec_drop(sql, params).await?;
        match self.conn.affected_rows() {
            1 => Ok(()),
            _ => Err(convert::no_such_state().into()),
        }
    }

    pub(super) async fn statuses(&mut self) -> Result<Vec<SourceStatus>, Fault> {
        let sql = format!(
            "SELECT source_id, server_uuid, flavor, version, host, port,
               TIMESTAMPDIFF(MICROSECOND, '1970-01-01', first_seen),
               TIMESTAMPDIFF(MICROSECOND, '1970-01-01', last_seen), {STATE}
             FROM sources JOIN stream_state USING (source_id) ORDER BY source_id"
        );
        let rows: Vec<Row> = self.conn.query(sql).await?;
        let mut statuses = Vec::with_capacity(rows.len());
        for row in rows {
            let source_id = get(&row, 0)?;
            let state = read_state(&row, 8)?;
            statuses.push(SourceStatus {
                source_id,
                source: Source {
                    server_uuid: get(&row, 1)?,
                    flavor: parse_flavor(&get::<String>(&row, 2)?)?,
                    version: get(&row, 3)?,
                    host: get(&row, 4)?,
                    port: get(&row, 5)?,
                },
                seen: (get(&row, 6)?, get(&row, 7)?),
                coverage: self.coverage(source_id, state.next_change_id).await?,
                unnamed_tables: self.unnamed_tables(source_id).await?,
                servers: self.servers(source_id).await?,
                state,
            });
        }
        Ok(statuses)
    }

    async fn unnamed_tables(&mut self, source_id: u32) -> Result<u64, Fault> {
        let count = self
            .conn
            .exec_first(
                "SELECT COUNT(DISTINCT schema_name, table_name) FROM table_versions
                 WHERE source_id = ? AND known_by = ?",
                (source_id, known_by_name(KnownBy::Position)),
            )
            .await?;
        Ok(count.unwrap_or_default())
    }

    async fn servers(&mut self, source_id: u32) -> Result<Vec<SourceServer>, Fault> {
        let servers = self
            .conn
            .exec_map(
                "SELECT first_change_id, server_uuid, host, port,
                   TIMESTAMPDIFF(MICROSECOND, '1970-01-01', since)
                 FROM source_servers WHERE source_id = ? ORDER BY since",
                (source_id,),
                |(first_change_id, server_uuid, host, port, since)| SourceServer {
                    first_change_id,
                    server_uuid,
                    host,
                    port,
                    since,
                },
            )
            .await?;
        Ok(servers)
    }

    async fn coverage(
        &mut self,
        source_id: u32,
        next_change_id: u64,
    ) -> Result<Option<(Micros, Micros)>, Fault> {
        let mut ends = [None, None];
        for (end, order) in ends.iter_mut().zip(["ASC", "DESC"]) {
            let sql = format!(
                "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', committed_at) FROM transactions
                 WHERE transaction_id >= ? AND transaction_id < ?
                 ORDER BY transaction_id {order} LIMIT 1"
            );
            let ids = (change_ids_of(source_id).start, next_change_id);
            *end = self.conn.exec_first(sql, ids).await?;
        }
        let [first, last] = ends;
        Ok(first.zip(last))
    }
}

/// What [`VERSION`] gives.
type VersionRow = (u32, String, String, String, String, String, u64);

fn read_version(row: VersionRow) -> Result<(u32, TableVersion), Fault> {
    let (table_id, schema, table, columns, known_by, file, position) = row;
    let version = TableVersion {
        schema,
        table,
        columns: convert::parse_columns(&columns)?,
        known_by: parse_known_by(&known_by)?,
        valid_from: (file, position),
    };
    Ok((table_id, version))
}

/// The lock of the one writer for a source.
pub(super) fn lock_name(database: &str, source_id: u32) -> String {
    // Lock names are short and of any case, database names are not.
    let digest = Sha256::digest(database);
    let short: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("bintrail-{short}-{source_id}")
}

/// Reads [`STATE`] from column `at` on.
fn read_state(row: &Row, at: usize) -> Result<StreamState, Fault> {
    let mode: Option<String> = get(row, at)?;
    let next_change_id = get(row, at + 4)?;
    let checkpoint = match mode {
        None => None,
        Some(mode) => Some(Checkpoint {
            mode: parse_mode(&mode)?,
            binlog_file: get(row, at + 1)?,
            binlog_position: get(row, at + 2)?,
            binlog_created: get(row, at + 14)?,
            gtid_set: get(row, at + 3)?,
            next_change_id,
            events_indexed: get(row, at + 5)?,
            last_event_time: get(row, at + 6)?,
            server_id: get(row, at + 8)?,
            lag_seconds: get(row, at + 9)?,
            capture_skips: convert::parse_skips(&get::<String>(row, at + 13)?)?,
        }),
    };
    Ok(StreamState {
        last_checkpoint: match checkpoint {
            None => None,
            Some(_) => get(row, at + 7)?,
        },
        checkpoint,
        next_change_id,
        last_error: get(row, at + 10)?,
        gap_lost: get::<Option<Micros>>(row, at + 11)?.zip(get(row, at + 12)?),
        streaming_since: get(row, at + 15)?,
        checkpoint_seconds: get(row, at + 16)?,
        removed_before: get(row, at + 17)?,
    })
}

pub(super) fn get<T: FromValue>(row: &Row, at: usize) -> Result<T, Fault> {
    row.get_opt(at)
        .unwrap_or_else(|| Err(FromValueError(mysql_async::Value::NULL)))
        .map_err(|error| convert::damaged(error).into())
}

fn text(time: Micros) -> String {
    String::from_utf8_lossy(&timestamp(time)).into_owned()
}
