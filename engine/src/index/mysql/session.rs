//! What is asked of the index server over one connection.

mod attach;
mod status;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{Conn, Error, FromValueError, Params, Row, params};

use super::super::convert::{self, known_by_name, mode_name, parse_known_by};
use super::super::error::{ErrorKind, IndexError};
use super::super::places::Places;
use super::super::record::{Batch, Checkpoint, Kept, Micros, Place, TableVersion, ValidTable};
use super::super::time::{now, timestamp};
use super::super::{SCHEMA_VERSION, other_version};
use super::beside;
use super::connect::connect;
use super::fault::Fault;
use super::load::{self, Table};
use super::partitions::Partitions;
use crate::dsn::MySqlDsn;

pub(super) use attach::lock_name;

const SCHEMA: &str = include_str!("schema.sql");

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

    pub(super) async fn register_table(
        &mut self,
        source_id: u32,
        version: &TableVersion,
    ) -> Result<u32, Fault> {
        let columns = convert::columns_json(&version.columns)?;
        let known_by = known_by_name(version.known_by);
        let size = (columns.len(), load::SHORT_VALUES);
        load::fits("a table's definition", size, self.max_packet, "")?;
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
        beside::xa(&mut self.conn, source_id, batch).await?;
        for change in &batch.schema_changes {
            let size = (change.statement.len(), load::SHORT_VALUES);
            load::fits("a statement", size, self.max_packet, "")?;
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

    pub(super) async fn save_starts(
        &mut self,
        source_id: u32,
        starts: &[Micros],
    ) -> Result<(), Fault> {
        let sql = "UPDATE stream_state SET starts = ? WHERE source_id = ?";
        let starts = convert::starts_json(starts)?;
        Ok(self.conn.exec_drop(sql, (starts, source_id)).await?)
    }

    pub(super) async fn save_kept(&mut self, source_id: u32, kept: &Kept) -> Result<(), Fault> {
        let sql = "UPDATE stream_state SET kept = ? WHERE source_id = ?";
        let kept = convert::kept_json(kept)?;
        Ok(self.conn.exec_drop(sql, (kept, source_id)).await?)
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

pub(super) fn get<T: FromValue>(row: &Row, at: usize) -> Result<T, Fault> {
    row.get_opt(at)
        .unwrap_or_else(|| Err(FromValueError(mysql_async::Value::NULL)))
        .map_err(|error| convert::damaged(error).into())
}

fn text(time: Micros) -> String {
    String::from_utf8_lossy(&timestamp(time)).into_owned()
}
