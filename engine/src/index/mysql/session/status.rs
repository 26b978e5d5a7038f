//! What is known of each source.

use mysql_async::Row;
use mysql_async::prelude::Queryable;

use super::{Session, get};
use crate::index::convert::{self, known_by_name, parse_flavor, parse_mode};
use crate::index::mysql::fault::Fault;
use crate::index::record::{
    Checkpoint, KnownBy, Micros, Source, SourceServer, SourceStatus, StreamState, change_ids_of,
};

/// The columns that [`read_state`] reads.
pub(super) const STATE: &str = "mode, binlog_file, binlog_position, gtid_set, next_change_id,
   events_indexed, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', last_event_time),
   TIMESTAMPDIFF(MICROSECOND, '1970-01-01', last_checkpoint), server_id, lag_seconds, last_error,
   TIMESTAMPDIFF(MICROSECOND, '1970-01-01', gap_lost_at), gap_lost_detail, capture_skips,
   binlog_created, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', streaming_since), checkpoint_seconds,
   TIMESTAMPDIFF(MICROSECOND, '1970-01-01', removed_before), starts, kept";

impl Session {
    pub(in crate::index::mysql) async fn statuses(&mut self) -> Result<Vec<SourceStatus>, Fault> {
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

/// Reads [`STATE`] from column `at` on.
pub(super) fn read_state(row: &Row, at: usize) -> Result<StreamState, Fault> {
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
        starts: convert::parse_starts(&get::<String>(row, at + 18)?)?,
        kept: convert::parse_kept(get(row, at + 19)?)?,
    })
}
