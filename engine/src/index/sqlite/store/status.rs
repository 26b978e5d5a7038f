//! What is known of each source.

use rusqlite::{OptionalExtension, Row, params};

use super::Store;
use crate::index::convert::{self, known_by_name, parse_flavor, parse_mode, signed, unsigned};
use crate::index::record::{
    Checkpoint, KnownBy, Micros, Source, SourceServer, SourceStatus, StreamState, change_ids_of,
};
use crate::index::sqlite::fault::Fault;

/// The columns that [`read_state`] reads.
pub(super) const STATE: &str = "mode, binlog_file, binlog_position, gtid_set, next_change_id,
   events_indexed, last_event_time, last_checkpoint, server_id, lag_seconds, last_error,
   gap_lost_at, gap_lost_detail, capture_skips, binlog_created, streaming_since, checkpoint_seconds,
   removed_before, starts, kept";

impl Store {
    pub(in crate::index::sqlite) fn statuses(&self) -> Result<Vec<SourceStatus>, Fault> {
        let mut query = self.connection.prepare_cached(&format!(
            "SELECT source_id, server_uuid, flavor, version, host, port, first_seen, last_seen,
               {STATE}
             FROM sources JOIN stream_state USING (source_id) ORDER BY source_id"
        ))?;
        let mut rows = query.query([])?;
        let mut statuses = Vec::new();
        while let Some(row) = rows.next()? {
            let source_id = row.get(0)?;
            let state = read_state(row, 8)?;
            statuses.push(SourceStatus {
                source_id,
                source: Source {
                    server_uuid: row.get(1)?,
                    flavor: parse_flavor(&row.get::<_, String>(2)?)?,
                    version: row.get(3)?,
                    host: row.get(4)?,
                    port: row.get(5)?,
                },
                seen: (row.get(6)?, row.get(7)?),
                coverage: self.coverage(source_id, state.next_change_id)?,
                unnamed_tables: self.unnamed_tables(source_id)?,
                servers: self.servers(source_id)?,
                state,
            });
        }
        Ok(statuses)
    }

    fn unnamed_tables(&self, source_id: u32) -> Result<u64, Fault> {
        let count = self
            .connection
            .prepare_cached(
                "SELECT count(DISTINCT schema_name || '.' || table_name) FROM table_versions
                 WHERE source_id = ?1 AND known_by = ?2",
            )?
            .query_row(
                params![source_id, known_by_name(KnownBy::Position)],
                |row| row.get(0),
            )?;
        Ok(unsigned(count)?)
    }

    fn servers(&self, source_id: u32) -> Result<Vec<SourceServer>, Fault> {
        let mut query = self.connection.prepare_cached(
            "SELECT first_change_id, server_uuid, host, port, since FROM source_servers
             WHERE source_id = ?1 ORDER BY since",
        )?;
        let mut rows = query.query([source_id])?;
        let mut servers = Vec::new();
        while let Some(row) = rows.next()? {
            servers.push(SourceServer {
                first_change_id: unsigned(row.get(0)?)?,
                server_uuid: row.get(1)?,
                host: row.get(2)?,
                port: row.get(3)?,
                since: row.get(4)?,
            });
        }
        Ok(servers)
    }

    fn coverage(
        &self,
        source_id: u32,
        next_change_id: u64,
    ) -> Result<Option<(Micros, Micros)>, Fault> {
        let ids = params![
            signed(change_ids_of(source_id).start)?,
            signed(next_change_id)?
        ];
        let end = |order: &str| {
            self.connection
                .prepare_cached(&format!(
                    "SELECT committed_at FROM transactions
                     WHERE transaction_id >= ?1 AND transaction_id < ?2
                     ORDER BY transaction_id {order} LIMIT 1"
                ))?
                .query_row(ids, |row| row.get(0))
                .optional()
        };
        Ok(end("ASC")?.zip(end("DESC")?))
    }
}

/// Reads [`STATE`] from column `at` on.
pub(super) fn read_state(row: &Row<'_>, at: usize) -> Result<StreamState, Fault> {
    let mode: Option<String> = row.get(at)?;
    let next_change_id = unsigned(row.get(at + 4)?)?;
    let checkpoint = match mode {
        None => None,
        Some(mode) => Some(Checkpoint {
            mode: parse_mode(&mode)?,
            binlog_file: row.get(at + 1)?,
            binlog_position: unsigned(row.get(at + 2)?)?,
            binlog_created: row.get(at + 14)?,
            gtid_set: row.get(at + 3)?,
            next_change_id,
            events_indexed: unsigned(row.get(at + 5)?)?,
            last_event_time: row.get(at + 6)?,
            server_id: row.get(at + 8)?,
            lag_seconds: row.get(at + 9)?,
            capture_skips: convert::parse_skips(&row.get::<_, String>(at + 13)?)?,
        }),
    };
    Ok(StreamState {
        last_checkpoint: match checkpoint {
            None => None,
            Some(_) => row.get(at + 7)?,
        },
        checkpoint,
        next_change_id,
        last_error: row.get(at + 10)?,
        gap_lost: row
            .get::<_, Option<Micros>>(at + 11)?
            .zip(row.get(at + 12)?),
        streaming_since: row.get(at + 15)?,
        checkpoint_seconds: row.get(at + 16)?,
        removed_before: row.get(at + 17)?,
        starts: convert::parse_starts(&row.get::<_, String>(at + 18)?)?,
        kept: convert::parse_kept(row.get(at + 19)?)?,
    })
}
