//! One batch into SQLite.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, params};

use super::super::convert::{self, event_type_number, mode_name, signed, skips_json, xa_name};
use super::super::places::{Clock, Place};
use super::super::record::{Batch, Checkpoint, XaStep};
use super::super::time::now;
use super::fault::Fault;

/// Text that [`Batch::check`] has found to be UTF-8.
struct Text<'a>(Option<&'a [u8]>);

impl ToSql for Text<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(
            self.0.map_or(ValueRef::Null, ValueRef::Text),
        ))
    }
}

/// Writes a checked batch and the places that are new in it; the transaction is the caller's.
pub(super) fn batch(
    connection: &Connection,
    source_id: u32,
    batch: &Batch,
    new_places: &[Place],
) -> Result<(), Fault> {
    rows(connection, batch)?;
    key_changes(connection, batch)?;
    places(connection, new_places)?;
    transactions(connection, batch)?;
    clock(connection, source_id, batch)?;
    xa(connection, source_id, batch)?;
    schema_changes(connection, source_id, batch)?;
    files(connection, source_id, batch)?;
    match &batch.checkpoint {
        Some(checkpoint) => save_checkpoint(connection, source_id, checkpoint),
        None => Ok(()),
    }
}

fn rows(connection: &Connection, batch: &Batch) -> Result<(), Fault> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO row_changes (change_id, committed_at, table_id, transaction_id, event_type,
           pk_hash, pk_values, row_before, row_after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for row in &batch.rows {
        let text = |range: &Option<_>| Text(range.as_ref().map(|range| batch.text(range)));
        insert.execute(params![
            signed(row.change_id)?,
            row.committed_at,
            row.table_id,
            signed(row.transaction_id)?,
            event_type_number(row.event_type),
            i64::from_be_bytes(row.pk_hash),
            text(&row.pk_values),
            text(&row.row_before),
            text(&row.row_after),
        ])?;
    }
    Ok(())
}

fn key_changes(connection: &Connection, batch: &Batch) -> Result<(), Fault> {
    for row in &batch.rows {
        let Some((hash, key)) = &row.new_key else {
            continue;
        };
        connection
            .prepare_cached("INSERT INTO key_changes VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![
                signed(row.change_id)?,
                row.committed_at,
                row.table_id,
                i64::from_be_bytes(*hash),
                Text(Some(batch.text(key)))
            ])?;
    }
    Ok(())
}

fn places(connection: &Connection, places: &[Place]) -> Result<(), Fault> {
    for place in places {
        connection
            .prepare_cached("INSERT OR IGNORE INTO places VALUES (?1, ?2, ?3)")?
            .execute(params![
                place.kind.number(),
                place.number,
                signed(place.block)?
            ])?;
    }
    Ok(())
}

fn clock(connection: &Connection, source_id: u32, batch: &Batch) -> Result<(), Fault> {
    if let Some(clock) = Clock::of(batch) {
        connection
            .prepare_cached(
                "UPDATE stream_state SET
                   clock_back = max(clock_back, ?2, coalesce(clock_latest - ?3, 0)),
                   clock_latest = max(coalesce(clock_latest, ?4), ?4)
                 WHERE source_id = ?1",
            )?
            .execute(params![source_id, clock.back, clock.least, clock.latest])?;
    }
    Ok(())
}

fn transactions(connection: &Connection, batch: &Batch) -> Result<(), Fault> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO transactions (transaction_id, gtid, binlog_file, start_position,
           end_position, committed_at, connection_id, row_count, xid, xa_state, statement)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for transaction in &batch.transactions {
        let xa = transaction.xa.as_ref();
        insert.execute(params![
            signed(transaction.transaction_id)?,
            transaction.gtid,
            transaction.binlog_file,
            signed(transaction.start_position)?,
            signed(transaction.end_position)?,
            transaction.committed_at,
            transaction.connection_id,
            signed(transaction.row_count)?,
            xa.map(|(xid, _)| xid),
            xa.map(|(_, state)| xa_name(*state)),
            transaction.statement,
        ])?;
    }
    Ok(())
}

fn xa(connection: &Connection, source_id: u32, batch: &Batch) -> Result<(), Fault> {
    for step in batch.xa_steps() {
        match step {
            XaStep::Prepared {
                xid,
                transaction_id,
            } => {
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO prepared_transactions VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![source_id, xid, signed(transaction_id)?])?;
            }
            // None is found when filters dropped all of its rows.
            XaStep::Decided(decided) => {
                connection
                    .prepare_cached(
                        "UPDATE transactions SET xa_state = ?3, decided_at = ?4 WHERE xa_state = 'prepared'
                         AND transaction_id = (SELECT transaction_id FROM prepared_transactions
                                               WHERE source_id = ?1 AND xid = ?2)",
                    )?
                    .execute(params![
                        source_id,
                        decided.xid,
                        xa_name(decided.state),
                        decided.decided_at
                    ])?;
                connection
                    .prepare_cached(
                        "DELETE FROM prepared_transactions WHERE source_id = ?1 AND xid = ?2",
                    )?
                    .execute(params![source_id, decided.xid])?;
            }
        }
    }
    Ok(())
}

fn schema_changes(connection: &Connection, source_id: u32, batch: &Batch) -> Result<(), Fault> {
    for change in &batch.schema_changes {
        connection
            .prepare_cached(
                "INSERT INTO schema_changes (source_id, binlog_file, start_position,
                   end_position, gtid, committed_at, next_change_id, schema_name, sql_mode,
                   temporary, change_type, statement)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                source_id,
                change.binlog_file,
                signed(change.start_position)?,
                signed(change.end_position)?,
                change.gtid,
                change.committed_at,
                signed(change.next_change_id)?,
                change.schema,
                change.sql_mode.map(signed).transpose()?,
                change.temporary,
                change.change_type,
                change.statement
            ])?;
    }
    Ok(())
}

fn files(connection: &Connection, source_id: u32, batch: &Batch) -> Result<(), Fault> {
    for file in &batch.files {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO index_state (source_id, binlog_file, binlog_created, file_size,
                   last_position, events_indexed, status, error)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                source_id,
                file.name,
                file.created,
                signed(file.size)?,
                signed(file.last_position)?,
                signed(file.events)?,
                file.status.name(),
                file.error
            ])?;
    }
    Ok(())
}

fn save_checkpoint(
    connection: &Connection,
    source_id: u32,
    checkpoint: &Checkpoint,
) -> Result<(), Fault> {
    let changed = connection
        .prepare_cached(
            "UPDATE stream_state SET mode = ?2, binlog_file = ?3, binlog_position = ?4,
               gtid_set = ?5, next_change_id = ?6, events_indexed = ?7, last_event_time = ?8,
               last_checkpoint = ?9, server_id = ?10, lag_seconds = ?11, capture_skips = ?12,
               binlog_created = ?13
             WHERE source_id = ?1 AND next_change_id <= ?6",
        )?
        .execute(params![
            source_id,
            mode_name(checkpoint.mode),
            checkpoint.binlog_file,
            signed(checkpoint.binlog_position)?,
            checkpoint.gtid_set,
            signed(checkpoint.next_change_id)?,
            signed(checkpoint.events_indexed)?,
            checkpoint.last_event_time,
            now(),
            checkpoint.server_id,
            checkpoint.lag_seconds,
            skips_json(&checkpoint.capture_skips)?,
            checkpoint.binlog_created
        ])?;
    if changed == 1 {
        Ok(())
    } else {
        Err(convert::no_such_state().into())
    }
}
