//! Who has changed what, and when.

use std::net::IpAddr;

use bintrail_engine::Error;
use bintrail_engine::clock::now;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::Store;

/// A change that is to be recorded with what it changes.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    who: String,
    peer: IpAddr,
    action: &'static str,
    detail: Value,
}

/// A change that was made.
#[derive(Debug)]
pub(crate) struct Audited {
    pub(crate) audit_id: i64,
    pub(crate) at: i64,
    pub(crate) who: String,
    pub(crate) peer: String,
    pub(crate) action: String,
    pub(crate) target: String,
    pub(crate) detail: Value,
}

impl Act {
    pub(crate) fn new(who: impl Into<String>, peer: IpAddr, action: &'static str) -> Self {
        Self {
            who: who.into(),
            peer,
            action,
            detail: json!({}),
        }
    }

    /// What of it is worth knowing; never a secret.
    pub(crate) fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// Within the transaction that makes the change.
    pub(super) fn write(&self, connection: &Connection, target: &str) -> rusqlite::Result<()> {
        connection.execute(
            "INSERT INTO audit (at, who, peer, action, target, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                now(),
                self.who,
                self.peer.to_string(),
                self.action,
                target,
                self.detail.to_string()
            ],
        )?;
        tracing::info!(who = self.who, peer = %self.peer, target, "{}", self.action);
        Ok(())
    }
}

impl Store {
    /// Newest first, those before the one of this number.
    pub(crate) fn audit(&self, before: Option<i64>, limit: u32) -> Result<Vec<Audited>, Error> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT audit_id, at, who, peer, action, target, detail FROM audit WHERE audit_id < ?1 \
                 ORDER BY audit_id DESC LIMIT ?2",
            )?;
            let found = statement.query_map(params![before.unwrap_or(i64::MAX), limit], |row| {
                let detail: String = row.get(6)?;
                Ok(Audited {
                    audit_id: row.get(0)?,
                    at: row.get(1)?,
                    who: row.get(2)?,
                    peer: row.get(3)?,
                    action: row.get(4)?,
                    target: row.get(5)?,
                    detail: serde_json::from_str(&detail).unwrap_or_default(),
                })
            })?;
            found.collect()
        })
    }
}
