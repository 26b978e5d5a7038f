//! What is written beside the rows: keys that changed, places, the clock, and how XA transactions ended.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Value, params};

use super::super::convert::xa_name;
use super::super::places::{Clock, Place};
use super::super::record::{Batch, Micros, XaStep};
use super::super::time::timestamp;
use super::fault::Fault;

/// Rows a statement: the longest keys still fit into the smallest packet.
const KEYS: usize = 100;
const PLACES: usize = 1_000;

pub(super) async fn key_changes(conn: &mut Conn, batch: &Batch) -> Result<(), Fault> {
    let changed = batch
        .rows
        .iter()
        .filter_map(|row| Some((row, row.new_key.as_ref()?)));
    let changed: Vec<_> = changed.collect();
    for chunk in changed.chunks(KEYS) {
        let rows = vec!["(?, ?, ?, ?, ?)"; chunk.len()].join(", ");
        let values = chunk.iter().flat_map(|(row, (hash, key))| {
            [
                Value::from(row.change_id),
                Value::Bytes(timestamp(row.committed_at).to_vec()),
                Value::from(row.table_id),
                Value::Bytes(hash.to_vec()),
                Value::Bytes(batch.text(key).to_vec()),
            ]
        });
        conn.exec_drop(
            format!("INSERT INTO key_changes VALUES {rows}"),
            Params::Positional(values.collect()),
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn places(conn: &mut Conn, places: &[Place]) -> Result<(), Fault> {
    for chunk in places.chunks(PLACES) {
        let rows = chunk.iter().map(|place| {
            format!(
                "({}, {}, {})",
                place.kind.number(),
                place.number,
                place.block
            )
        });
        let rows: Vec<String> = rows.collect();
        conn.query_drop(format!(
            "INSERT IGNORE INTO places VALUES {}",
            rows.join(", ")
        ))
        .await?;
    }
    Ok(())
}

pub(super) async fn clock(conn: &mut Conn, source_id: u32, batch: &Batch) -> Result<(), Fault> {
    let Some(clock) = Clock::of(batch) else {
        return Ok(());
    };
    let text = |time: Micros| timestamp(time).to_vec();
    // Assignments take place from left to right: the first sees the latest time before this batch.
    conn.exec_drop(
        "UPDATE stream_state SET
           clock_back = GREATEST(clock_back, :back,
             COALESCE(TIMESTAMPDIFF(MICROSECOND, :least, clock_latest), 0)),
           clock_latest = IF(clock_latest > :latest, clock_latest, :latest)
         WHERE source_id = :source_id",
        params! {
            "source_id" => source_id,
            "back" => clock.back,
            "least" => text(clock.least),
            "latest" => text(clock.latest),
        },
    )
    .await?;
    Ok(())
}

pub(super) async fn xa(conn: &mut Conn, source_id: u32, batch: &Batch) -> Result<(), Fault> {
    for step in batch.xa_steps() {
        match step {
            XaStep::Prepared {
                xid,
                transaction_id,
            } => {
                conn.exec_drop(
                    "REPLACE INTO prepared_transactions VALUES (?, ?, ?)",
                    (source_id, xid, transaction_id),
                )
                .await?;
            }
            // None is found when filters dropped all of its rows.
            XaStep::Decided(decided) => {
                conn.exec_drop(
                    "UPDATE transactions SET xa_state = ?, decided_at = ? WHERE xa_state = 'prepared'
                     AND transaction_id = (SELECT transaction_id FROM prepared_transactions
                                           WHERE source_id = ? AND xid = ?)",
                    (
                        xa_name(decided.state),
                        timestamp(decided.decided_at).to_vec(),
                        source_id,
                        &decided.xid,
                    ),
                )
                .await?;
                conn.exec_drop(
                    "DELETE FROM prepared_transactions WHERE source_id = ? AND xid = ?",
                    (source_id, &decided.xid),
                )
                .await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn files(conn: &mut Conn, source_id: u32, batch: &Batch) -> Result<(), Fault> {
    for file in &batch.files {
        conn.exec_drop(
            "REPLACE INTO index_state (source_id, binlog_file, binlog_created, file_size, last_position,
               events_indexed, status, error)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                source_id,
                &file.name,
                file.created,
                file.size,
                file.last_position,
                file.events,
                file.status.name(),
                &file.error,
            ),
        )
        .await?;
    }
    Ok(())
}
