//! Removes what is older than its time: whole partitions of `row_changes`, and what is beside them in small transactions.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use super::super::places::BLOCK_BITS;
use super::super::record::{Micros, change_ids_of};
use super::super::remove::{Doomed, REMOVED, Removed, STEP, gather};
use super::super::time::timestamp;
use super::fault::Fault;
use super::partitions::HOUR;

/// Seconds to wait for those who read or write the table, before its partitions are left for the next time.
const WAIT: u32 = 10;

fn text(time: Micros) -> String {
    String::from_utf8_lossy(&timestamp(time)).into_owned()
}

/// A partition of `row_changes` with an end.
#[derive(Debug)]
struct Partition {
    name: String,
    /// It ends before this hour, counted from 1970.
    below: i64,
}

async fn partitions(conn: &mut Conn) -> Result<Vec<Partition>, Fault> {
    let partitions = conn
        .query_map(
            "SELECT PARTITION_NAME, TIMESTAMPDIFF(HOUR, '1970-01-01',
               TRIM(BOTH '''' FROM PARTITION_DESCRIPTION))
             FROM information_schema.PARTITIONS
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'row_changes'
               AND PARTITION_DESCRIPTION <> 'MAXVALUE'
             ORDER BY PARTITION_ORDINAL_POSITION",
            |(name, below)| Partition { name, below },
        )
        .await?;
    Ok(partitions)
}

/// Notes first what is going to be true.
pub(super) async fn announce(conn: &mut Conn, before: Micros) -> Result<(), Fault> {
    conn.exec_drop(
        "UPDATE stream_state SET removed_before =
           IF(removed_before > ?, removed_before, ?)",
        (text(before), text(before)),
    )
    .await?;
    Ok(())
}

/// Some of the transactions that were committed before a time, those of a source that were written first; none at the end. Rows
/// from `below` on have to be deleted.
///
/// No index on times leads to them: nearly all come in their order, and the index knows by how much a time was
/// ever before an earlier transaction's. What no checkpoint covers is still being written.
async fn doomed(conn: &mut Conn, below: Micros, before: Micros) -> Result<Vec<Doomed>, Fault> {
    let sources: Vec<(u32, u64, Micros)> = conn
        .query("SELECT source_id, next_change_id, clock_back FROM stream_state")
        .await?;
    for (source_id, next, back) in sources {
        let mut from = change_ids_of(source_id).start;
        loop {
            let found: Vec<(u64, u64, Micros)> = conn
                .exec(
                    format!(
                        "SELECT transaction_id, row_count, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', committed_at)
                         FROM transactions WHERE transaction_id >= ? AND transaction_id < ?
                         ORDER BY transaction_id LIMIT {STEP}"
                    ),
                    (from, next),
                )
                .await?;
            let old = found.iter().filter(|(_, _, time)| *time < before);
            let doomed: Vec<_> = old
                .map(|&(id, rows, time)| Doomed {
                    id,
                    rows,
                    by_row: time >= below,
                })
                .collect();
            if !doomed.is_empty() {
                return Ok(doomed);
            }
            let none_behind = before.saturating_add(back);
            match found.last() {
                Some((last, ..)) if found.iter().all(|(_, _, time)| *time < none_behind) => {
                    from = last + 1;
                }
                _ => break,
            }
        }
    }
    Ok(Vec::new())
}

/// Removes transactions that were committed before a time, and those of their rows that do not go
/// with a partition: about [`STEP`] at a time.
pub(super) async fn step(conn: &mut Conn, before: Micros) -> Result<Removed, Fault> {
    let hour = before.div_euclid(HOUR);
    // Rows below it go with their partitions.
    let below = partitions(conn)
        .await?
        .iter()
        .filter(|partition| partition.below <= hour)
        .map(|partition| partition.below)
        .max()
        .unwrap_or(0);
    let doomed = doomed(conn, below.saturating_mul(HOUR), before).await?;
    let mut removed = Removed {
        more: !doomed.is_empty(),
        ..Removed::default()
    };
    let gathered = gather(&doomed);
    if let Some(huge) = gathered.huge {
        // Readers see none of it any more, before a part of it is gone.
        let mark = format!(
            "UPDATE transactions SET xa_state = '{REMOVED}' WHERE transaction_id = {}",
            huge.id
        );
        conn.query_drop(mark).await?;
        let tables: &[&str] = if huge.by_row {
            &["row_changes", "key_changes"]
        } else {
            &["key_changes"]
        };
        let mut gone = 0;
        for table in tables {
            conn.query_drop(format!(
                "DELETE FROM {table} WHERE change_id BETWEEN {} AND {} ORDER BY change_id LIMIT {STEP}",
                huge.id,
                huge.id + huge.rows - 1
            ))
            .await?;
            gone = gone.max(conn.affected_rows());
            if *table == "row_changes" {
                removed.rows += conn.affected_rows();
            }
        }
        if gone < u64::from(STEP) {
            for table in ["transactions", "prepared_transactions"] {
                conn.query_drop(format!(
                    "DELETE FROM {table} WHERE transaction_id = {}",
                    huge.id
                ))
                .await?;
            }
            removed.transactions += 1;
        }
        return Ok(removed);
    }
    if gathered.ranges.is_empty() {
        return Ok(removed);
    }
    conn.query_drop("START TRANSACTION").await?;
    let mut result = Ok(());
    for (table, id, ranges) in [
        ("row_changes", "change_id", &gathered.by_row),
        ("key_changes", "change_id", &gathered.ranges),
        ("transactions", "transaction_id", &gathered.ranges),
        ("prepared_transactions", "transaction_id", &gathered.ranges),
    ] {
        for range in ranges {
            result = conn
                .query_drop(format!(
                    "DELETE FROM {table} WHERE {id} BETWEEN {} AND {}",
                    range.start,
                    range.end - 1
                ))
                .await;
            match table {
                _ if result.is_err() => break,
                "row_changes" => removed.rows += conn.affected_rows(),
                "transactions" => removed.transactions += conn.affected_rows(),
                _ => {}
            }
        }
        if result.is_err() {
            break;
        }
    }
    if result.is_ok() {
        result = conn.query_drop("COMMIT").await;
    }
    if let Err(error) = result {
        // When this fails, the connection is gone, and so is the transaction.
        let _ = conn.query_drop("ROLLBACK").await;
        return Err(error.into());
    }
    Ok(removed)
}

/// Removes, in one small step, what is beside the transactions: statements as old, and places where nothing is left.
pub(super) async fn step_beside(conn: &mut Conn, before: Micros) -> Result<bool, Fault> {
    conn.exec_drop(
        format!("DELETE FROM schema_changes WHERE committed_at < ? LIMIT {STEP}"),
        (text(before),),
    )
    .await?;
    let mut more = conn.affected_rows() == u64::from(STEP);
    let sources: Vec<(u32, u64)> = conn
        .query("SELECT source_id, next_change_id FROM stream_state")
        .await?;
    for (source_id, next) in sources {
        let start = change_ids_of(source_id).start;
        let first: Option<u64> = conn
            .exec_first(
                "SELECT transaction_id FROM transactions WHERE transaction_id BETWEEN ? AND ?
                 ORDER BY transaction_id LIMIT 1",
                (start, next),
            )
            .await?;
        let end = first.unwrap_or(next);
        conn.exec_drop(
            format!("DELETE FROM places WHERE block >= ? AND block < ? LIMIT {STEP}"),
            (start >> BLOCK_BITS, end >> BLOCK_BITS),
        )
        .await?;
        more |= conn.affected_rows() == u64::from(STEP);
    }
    Ok(more)
}

/// Drops the partitions that end before a time, whose transactions were removed. Returns how many; `None` when the table
/// was in use for too long, or a transaction is being written into them.
pub(super) async fn drop_partitions(
    conn: &mut Conn,
    before: Micros,
) -> Result<Option<usize>, Fault> {
    let hour = before.div_euclid(HOUR);
    let old = partitions(conn).await?;
    let old = old.into_iter().filter(|partition| partition.below <= hour);
    let names: Vec<String> = old
        .map(|partition| format!("`{}`", partition.name.replace('`', "``")))
        .collect();
    if names.is_empty() {
        return Ok(Some(0));
    }
    conn.query_drop(format!("SET SESSION lock_wait_timeout = {WAIT}"))
        .await?;
    // Nobody writes between the look and the drop.
    let locked = conn
        .query_drop("LOCK TABLES row_changes WRITE, stream_state READ")
        .await;
    let dropped = match locked {
        Ok(()) => drop_locked(conn, &names).await,
        Err(error) => Err(error),
    };
    let unlocked = conn.query_drop("UNLOCK TABLES").await;
    match dropped {
        Ok(dropped) => {
            unlocked?;
            Ok(dropped.then_some(names.len()))
        }
        // ER_LOCK_WAIT_TIMEOUT
        Err(Error::Server(error)) if error.code == 1205 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn drop_locked(conn: &mut Conn, names: &[String]) -> Result<bool, Error> {
    let names = names.join(", ");
    let sources: Vec<(u32, u64)> = conn
        .query("SELECT source_id, next_change_id FROM stream_state")
        .await?;
    for (source_id, next) in sources {
        let last = change_ids_of(source_id).end - 1;
        let written: Option<u8> = conn
            .query_first(format!(
                "SELECT 1 FROM row_changes PARTITION ({names})
                 WHERE change_id BETWEEN {next} AND {last} LIMIT 1"
            ))
            .await?;
        if written.is_some() {
            return Ok(false);
        }
    }
    conn.query_drop(format!("ALTER TABLE row_changes DROP PARTITION {names}"))
        .await?;
    Ok(true)
}
