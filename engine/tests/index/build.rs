//! Sources, tables and batches for an index, as the pipeline makes them.

use std::sync::Arc;

use bintrail_engine::index::record::{
    Batch, CaptureSkips, Checkpoint, Column, EventType, Flavor, KnownBy, Mode, RowChange, Skip,
    Source, TableVersion, Transaction, XaDecided, XaState,
};
use sha2::{Digest, Sha256};

use super::T0;

pub(crate) fn source(uuid: &str) -> Source {
    Source {
        server_uuid: uuid.into(),
        flavor: Flavor::MySql,
        version: "9.7.0".into(),
        host: "db1.example".into(),
        port: 3306,
    }
}

pub(crate) fn table(name: &str, columns: &[&str]) -> TableVersion {
    let columns = columns.iter().enumerate().map(|(at, name)| Column {
        name: (*name).into(),
        column_type: "bigint unsigned".into(),
        charset: None,
        nullable: at > 0,
        pk: (at == 0).then_some(1),
        members: None,
        generated: Some(false),
        invisible: false,
    });
    TableVersion {
        schema: "shop".into(),
        table: name.into(),
        columns: columns.collect(),
        known_by: KnownBy::RowMetadata,
        valid_from: ("mysql-bin.000001".into(), 157),
    }
}

/// Builds batches as the pipeline does.
pub(crate) struct Builder {
    pub(super) next: u64,
    /// When what comes next is committed.
    pub(super) at: i64,
    pub(super) batch: Batch,
    pub(super) open: Option<(u64, u64)>,
}

impl Builder {
    pub(crate) fn new(next: u64) -> Self {
        Self {
            next,
            at: T0,
            batch: Batch::default(),
            open: None,
        }
    }

    pub(super) fn text(&mut self, text: Option<&str>) -> Option<std::ops::Range<usize>> {
        let start = self.batch.text.len();
        self.batch.text.extend_from_slice(text?.as_bytes());
        Some(start..self.batch.text.len())
    }

    pub(crate) fn row(
        &mut self,
        table_id: u32,
        key: Option<&str>,
        before: Option<&str>,
        after: Option<&str>,
    ) -> &mut Self {
        let (transaction_id, rows) = self.open.get_or_insert((self.next, 0));
        let transaction_id = *transaction_id;
        *rows += 1;
        let row = RowChange {
            change_id: self.next,
            committed_at: self.at,
            table_id,
            transaction_id,
            event_type: match (before, after) {
                (None, _) => EventType::Insert,
                (_, None) => EventType::Delete,
                _ => EventType::Update,
            },
            pk_hash: match key {
                Some(key) => *Sha256::digest(key).first_chunk().unwrap(),
                None => [0, b'\t', b'\n', b'\\', b'\'', 0xFF, 0x80, b'N'],
            },
            pk_values: self.text(key),
            row_before: self.text(before),
            row_after: self.text(after),
            new_key: None,
            changed: u64::MAX,
        };
        self.next += 1;
        self.batch.rows.push(row);
        self
    }

    pub(crate) fn end(&mut self) -> &mut Self {
        self.end_as(None)
    }

    /// Ends a transaction that was committed at another time.
    pub(crate) fn end_at(&mut self, committed_at: i64) -> &mut Self {
        self.end();
        let transaction = self.batch.transactions.last_mut().unwrap();
        transaction.committed_at = committed_at;
        for row in &mut self.batch.rows {
            if row.transaction_id == transaction.transaction_id {
                row.committed_at = committed_at;
            }
        }
        self
    }

    pub(super) fn end_as(&mut self, xa: Option<(&str, XaState)>) -> &mut Self {
        let (transaction_id, row_count) = self.open.take().unwrap();
        self.batch.transactions.push(Transaction {
            transaction_id,
            gtid: Some(format!(
                "3E11FA47-71CA-11E1-9E33-C80AA9429562:{transaction_id}"
            )),
            binlog_file: "mysql-bin.000001".into(),
            start_position: transaction_id * 1000,
            end_position: transaction_id * 1000 + 500,
            committed_at: self.at,
            connection_id: Some(u32::MAX),
            row_count,
            xa: xa.map(|(xid, state)| (xid.into(), state)),
            statement: Some("INSERT INTO t VALUES ('a\\b\n')".into()),
        });
        self
    }

    pub(super) fn decide(&mut self, xid: &str, state: XaState) -> &mut Self {
        self.batch.xa_decided.push(XaDecided {
            xid: xid.into(),
            state,
            next_change_id: self.next,
            decided_at: self.at,
        });
        self
    }

    pub(crate) fn take(&mut self) -> Arc<Batch> {
        Arc::new(std::mem::take(&mut self.batch))
    }

    pub(crate) fn covered(&mut self) -> Arc<Batch> {
        self.batch.checkpoint = Some(checkpoint(self.next));
        self.take()
    }
}

pub(super) fn checkpoint(next_change_id: u64) -> Checkpoint {
    let skip = Skip {
        count: 2,
        last: "mysql-bin.000001:4 shop.t".into(),
        last_at: T0,
    };
    Checkpoint {
        mode: Mode::Gtid,
        binlog_file: "mysql-bin.000001".into(),
        binlog_position: 5_000_000_000,
        binlog_created: Some(u32::MAX),
        gtid_set: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9".into(),
        next_change_id,
        events_indexed: next_change_id,
        last_event_time: Some(T0),
        server_id: u32::MAX,
        lag_seconds: Some(0.25),
        capture_skips: CaptureSkips([("decode".to_owned(), skip)].into()),
    }
}
