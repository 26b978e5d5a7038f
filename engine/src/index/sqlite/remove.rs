//! Removes what is older than its time, in small transactions, so that a stream beside it waits only for moments. The
//! pages that are free then are the next that the stream writes to.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::super::convert::signed;
use super::super::places::BLOCK_BITS;
use super::super::record::{Micros, change_ids_of};
use super::super::remove::{Doomed, REMOVED, Removed, STEP, gather};
use super::super::time::timestamp;
use super::fault::Fault;

/// The expression of the index `transactions_time`.
const TIME: &str = "(strftime('%Y-%m-%d %H:%M:%S', committed_at / 1000000, 'unixepoch')
    || printf('.%06d', committed_at % 1000000))";

/// Notes first what is going to be true.
pub(super) fn announce(connection: &Connection, before: Micros) -> Result<(), Fault> {
    connection.execute_batch(
        "PRAGMA query_only = OFF; PRAGMA synchronous = NORMAL;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;",
    )?;
    connection.execute(
        "UPDATE stream_state SET removed_before = max(coalesce(removed_before, 0), ?1)",
        [before],
    )?;
    Ok(())
}

/// Removes about [`STEP`] row changes of the transactions that were committed before a time, the oldest first.
pub(super) fn step(connection: &mut Connection, before: Micros) -> Result<Removed, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let text = String::from_utf8_lossy(&timestamp(before)).into_owned();
    let doomed: Vec<Doomed> = {
        // What no checkpoint covers is still being written.
        let mut query = transaction.prepare_cached(&format!(
            "SELECT transaction_id, row_count FROM transactions WHERE {TIME} < ?1
               AND transaction_id < (SELECT next_change_id FROM stream_state AS s
                                     WHERE s.source_id = (transaction_id >> 48) + 1)
             ORDER BY {TIME} LIMIT ?2"
        ))?;
        let rows = query.query_map(params![text, STEP], |row| {
            Ok(Doomed {
                id: row.get::<_, i64>(0)?.unsigned_abs(),
                rows: row.get::<_, i64>(1)?.unsigned_abs(),
                by_row: true,
            })
        })?;
        rows.collect::<Result<_, _>>()?
    };
    let gathered = gather(&doomed);
    let mut removed = Removed {
        more: !doomed.is_empty(),
        ..Removed::default()
    };
    if let Some(huge) = gathered.huge {
        // Readers see none of it any more, before a part of it is gone.
        transaction
            .prepare_cached("UPDATE transactions SET xa_state = ?2 WHERE transaction_id = ?1")?
            .execute(params![signed(huge.id)?, REMOVED])?;
        let (from, to) = (signed(huge.id)?, signed(huge.id + huge.rows)?);
        let mut gone = 0_usize;
        for table in ["row_changes", "key_changes"] {
            let deleted = transaction
                .prepare_cached(&format!(
                    "DELETE FROM {table} WHERE change_id IN (SELECT change_id FROM {table}
                     WHERE change_id >= ?1 AND change_id < ?2 ORDER BY change_id LIMIT ?3)"
                ))?
                .execute(params![from, to, STEP])?;
            if table == "row_changes" {
                removed.rows += deleted as u64;
            }
            gone = gone.max(deleted);
        }
        if gone < STEP as usize {
            for table in ["transactions", "prepared_transactions"] {
                transaction
                    .prepare_cached(&format!("DELETE FROM {table} WHERE transaction_id = ?1"))?
                    .execute([from])?;
            }
            removed.transactions += 1;
        }
    }
    for range in &gathered.ranges {
        let (from, to) = (signed(range.start)?, signed(range.end)?);
        removed.rows += transaction
            .prepare_cached("DELETE FROM row_changes WHERE change_id >= ?1 AND change_id < ?2")?
            .execute([from, to])? as u64;
        transaction
            .prepare_cached("DELETE FROM key_changes WHERE change_id >= ?1 AND change_id < ?2")?
            .execute([from, to])?;
        removed.transactions += transaction
            .prepare_cached(
                "DELETE FROM transactions WHERE transaction_id >= ?1 AND transaction_id < ?2",
            )?
            .execute([from, to])? as u64;
        transaction
            .prepare_cached(
                "DELETE FROM prepared_transactions WHERE transaction_id >= ?1 AND transaction_id < ?2",
            )?
            .execute([from, to])?;
    }
    transaction.commit()?;
    Ok(removed)
}

/// Removes, in one small step, what is beside the transactions: statements as old, and places where nothing is left.
pub(super) fn step_beside(connection: &mut Connection, before: Micros) -> Result<bool, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut more = transaction.execute(
        "DELETE FROM schema_changes WHERE schema_change_id IN (SELECT schema_change_id
           FROM schema_changes WHERE committed_at < ?1 LIMIT ?2)",
        params![before, STEP],
    )? == STEP as usize;
    let sources: Vec<(u32, i64)> = {
        let mut query =
            transaction.prepare_cached("SELECT source_id, next_change_id FROM stream_state")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    for (source_id, next) in sources {
        let start = signed(change_ids_of(source_id).start)?;
        let first: Option<i64> = transaction
            .prepare_cached(
                "SELECT transaction_id FROM transactions WHERE transaction_id BETWEEN ?1 AND ?2
                 ORDER BY transaction_id LIMIT 1",
            )?
            .query_row([start, next], |row| row.get(0))
            .optional()?;
        let end = first.unwrap_or(next);
        more |= transaction
            .prepare_cached(
                "DELETE FROM places WHERE (kind, number, block) IN (SELECT kind, number, block
                   FROM places WHERE block >= ?1 AND block < ?2 LIMIT ?3)",
            )?
            .execute(params![start >> BLOCK_BITS, end >> BLOCK_BITS, STEP])?
            == STEP as usize;
    }
    transaction.commit()?;
    Ok(more)
}
