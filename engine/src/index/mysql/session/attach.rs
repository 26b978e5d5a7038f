//! Takes a source: its row, the lock of its one writer, and nothing behind its checkpoint.

use mysql_async::params;
use mysql_async::prelude::Queryable;
use sha2::{Digest, Sha256};

use super::status::{STATE, read_state};
use super::{Ghost, Session, text};
use crate::index::convert::{self, flavor_name};
use crate::index::error::{ErrorKind, IndexError};
use crate::index::mysql::fault::Fault;
use crate::index::record::{Attached, FileStatus, Source, change_ids_of};
use crate::index::time::now;
use crate::index::{DISCARD_CHUNK, MAX_SOURCES};

/// Seconds to wait for a lock whose holder may just be going.
const LOCK_SECONDS: u32 = 3;

impl Session {
    pub(in crate::index::mysql) async fn attach(
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

    pub(in crate::index::mysql) async fn take_over(
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
    pub(super) async fn discard(&mut self, source_id: u32, from: u64) -> Result<(), Fault> {
        let last = change_ids_of(source_id).end - 1;
        for (table, id) in [
            ("row_changes", "change_id"),
            ("key_changes", "change_id"),
            ("transactions", "transaction_id"),
            ("prepared_transactions", "transaction_id"),
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
}

/// The lock of the one writer for a source.
pub(in crate::index::mysql) fn lock_name(database: &str, source_id: u32) -> String {
    // Lock names are short and of any case, database names are not.
    let digest = Sha256::digest(database);
    let short: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("bintrail-{short}-{source_id}")
}
