//! What every index backend must do, told once. Looked at from outside, by plain SQL.

mod questions;

use std::sync::Arc;
use std::time::Duration;

use bintrail_engine::clock;
use bintrail_engine::dsn::IndexDsn;
use bintrail_engine::index::record::{
    Batch, CaptureSkips, Checkpoint, Column, EventType, Flavor, KnownBy, Mode, Place, RowChange,
    SchemaChange, Skip, Source, TableVersion, Transaction, XaDecided, XaState, change_ids_of,
};
use bintrail_engine::index::{ErrorKind, Index};
use bintrail_engine::query::Question;
use bintrail_engine::status::{Limits, Report, StreamState, Verdict};
use sha2::{Digest, Sha256};

pub(crate) use questions::answers_far_apart;

/// 2026-11-22 08:30:00.123456 UTC.
pub(crate) const T0: i64 = 1_795_336_200_123_456;

/// A backend, and a way to look into it that is not ours.
pub(crate) trait Backend {
    /// A DSN of a place where no index is yet.
    fn dsn(&self) -> &IndexDsn;
    /// The rows of a query, as text.
    fn query(&self, sql: &str) -> impl Future<Output = Vec<Vec<Option<String>>>>;
}

pub(crate) async fn column(backend: &impl Backend, sql: &str) -> Vec<String> {
    let rows = backend.query(sql).await;
    rows.into_iter()
        .map(|mut row| row.remove(0).unwrap_or_else(|| "NULL".into()))
        .collect()
}

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
    next: u64,
    /// When what comes next is committed.
    at: i64,
    batch: Batch,
    open: Option<(u64, u64)>,
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

    fn text(&mut self, text: Option<&str>) -> Option<std::ops::Range<usize>> {
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

    fn end_as(&mut self, xa: Option<(&str, XaState)>) -> &mut Self {
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

    fn decide(&mut self, xid: &str, state: XaState) -> &mut Self {
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

fn checkpoint(next_change_id: u64) -> Checkpoint {
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

pub(crate) const IDS: &str = "SELECT change_id FROM binlog_events ORDER BY change_id";
pub(crate) const ALL_IDS: &str = "SELECT change_id FROM row_changes ORDER BY change_id";

/// A reader makes no index; a writer makes it once; one of another version is refused.
pub(crate) async fn opens(backend: &impl Backend) {
    let error = Index::open(backend.dsn(), false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Missing, "{error}");
    for create in [true, true, false] {
        let index = Index::open(backend.dsn(), create).await.unwrap();
        assert_eq!(index.statuses().await.unwrap(), []);
        index.close().await.unwrap();
    }
    let count = column(backend, "SELECT count(*) FROM index_version").await;
    assert_eq!(count, ["1"]);
    for version in [1, 99] {
        let set = format!("UPDATE index_version SET version = {version}");
        backend.query(&set).await;
        for create in [true, false] {
            let error = Index::open(backend.dsn(), create).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OtherVersion, "{error}");
        }
    }
    // Another program's tables are left alone.
    for sql in [
        "DROP TABLE index_version",
        "DROP TABLE sources",
        "CREATE TABLE sources (name VARCHAR(10))",
    ] {
        backend.query(sql).await;
    }
    let error = Index::open(backend.dsn(), true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unfit, "{error}");
    assert!(error.to_string().contains("a table sources"), "{error}");
}

/// A crash leaves what the checkpoint covers, and nothing else is seen before or after.
pub(crate) async fn resumes(backend: &impl Backend) {
    let index = Index::open(backend.dsn(), true).await.unwrap();
    let one = index.attach(&source("one")).await.unwrap();
    let table_id = index
        .register_table(one.source_id, &table("t", &["id", "a"]))
        .await
        .unwrap();
    // A crash before the first checkpoint.
    let mut builder = Builder::new(one.state.next_change_id);
    let image = Some(r#"{"id":1,"a":2}"#);
    builder.row(table_id, Some("1"), None, image).end();
    index.write(one.source_id, builder.take()).await.unwrap();
    assert_eq!(column(backend, ALL_IDS).await, ["1"]);
    assert_eq!(column(backend, IDS).await, [""; 0]);
    index.close().await.unwrap();

    let index = Index::open(backend.dsn(), true).await.unwrap();
    let one = index.attach(&source("one")).await.unwrap();
    assert_eq!(one.state.checkpoint, None);
    assert_eq!(one.state.next_change_id, 1);
    assert_eq!(column(backend, ALL_IDS).await, [""; 0]);
    // Another source, whose rows are its own.
    let two = index.attach(&source("two")).await.unwrap();
    let mut other = Builder::new(two.state.next_change_id);
    other.row(table_id, None, image, None);
    index.write(two.source_id, other.take()).await.unwrap();

    let mut builder = Builder::new(one.state.next_change_id);
    builder.row(table_id, Some("1"), None, image);
    builder.row(table_id, Some("2"), None, image).end();
    builder.row(table_id, Some("2"), image, None).end();
    index.write(one.source_id, builder.covered()).await.unwrap();
    assert_eq!(column(backend, IDS).await, ["1", "2", "3"]);
    // A transaction in two parts, cut off by a crash.
    let cut = builder.next;
    builder.row(table_id, Some("3"), None, image);
    index.write(one.source_id, builder.take()).await.unwrap();
    builder.row(table_id, Some("4"), None, image).end();
    index.write(one.source_id, builder.take()).await.unwrap();
    assert_eq!(column(backend, IDS).await, ["1", "2", "3"]);
    index.close().await.unwrap();

    let index = Index::open(backend.dsn(), true).await.unwrap();
    let one = index.attach(&source("one")).await.unwrap();
    assert_eq!(one.state.checkpoint, Some(checkpoint(cut)));
    assert_eq!(one.state.next_change_id, cut);
    let theirs = (change_ids_of(2).start + 1).to_string();
    assert_eq!(column(backend, ALL_IDS).await, ["1", "2", "3", &theirs]);
    assert_eq!(
        column(
            backend,
            "SELECT transaction_id FROM transactions ORDER BY 1"
        )
        .await,
        ["1", "3"]
    );
    // The replay.
    let mut builder = Builder::new(cut);
    builder.row(table_id, Some("3"), None, image);
    index.write(one.source_id, builder.take()).await.unwrap();
    builder.row(table_id, Some("4"), None, image).end();
    index.write(one.source_id, builder.covered()).await.unwrap();
    assert_eq!(column(backend, IDS).await, ["1", "2", "3", "4", "5"]);
    // Attached again without a crash, as after an error.
    builder.row(table_id, Some("5"), None, image);
    index.write(one.source_id, builder.take()).await.unwrap();
    let one = index.attach(&source("one")).await.unwrap();
    assert_eq!(one.state.next_change_id, 6);
    assert_eq!(column(backend, IDS).await, ["1", "2", "3", "4", "5"]);
    assert_eq!(column(backend, ALL_IDS).await.len(), 6);
    index.close().await.unwrap();
}

/// A batch is there as a whole or not at all; what breaks a rule is refused.
pub(crate) async fn refuses(backend: &impl Backend) {
    let index = Index::open(backend.dsn(), true).await.unwrap();
    let one = index.attach(&source("one")).await.unwrap().source_id;
    let version = table("t", &["id"]);
    assert_eq!(index.register_table(one, &version).await.unwrap(), 1);
    let image = Some(r#"{"id":1}"#);
    let mut builder = Builder::new(1);
    builder.row(1, Some("1"), None, image).end();
    index.write(one, builder.covered()).await.unwrap();

    // The row with id 1 again, behind good ones: none of them may be there.
    let mut again = Builder::new(1);
    again.row(1, None, None, image).end();
    again.row(1, None, None, image).end();
    let error = index.write(one, again.covered()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other, "{error}");
    assert_eq!(column(backend, ALL_IDS).await, ["1"]);
    assert_eq!(column(backend, IDS).await, ["1"]);
    // What follows a failed batch is refused until somebody looks at the checkpoint.
    let mut next = Builder::new(3);
    next.row(1, None, None, image).end();
    let error = index.write(one, next.covered()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Batch, "{error}");

    let mut batches = Vec::new();
    let mut wrong = Builder::new(3);
    wrong.row(1, None, None, image).end();
    wrong.batch.transactions[0].row_count = 2;
    batches.push(wrong.covered());
    let mut wrong = Builder::new(3);
    wrong.row(1, None, None, image).end();
    wrong.batch.checkpoint = Some(checkpoint(3));
    batches.push(wrong.take());
    let mut wrong = Builder::new(3);
    wrong.row(1, None, None, image);
    wrong.batch.text[0] = 0xFF;
    batches.push(wrong.take());
    let mut wrong = Builder::new(3);
    wrong.row(1, None, None, image);
    wrong.batch.rows[0].row_after = Some(0..99);
    batches.push(wrong.take());
    let mut wrong = Builder::new(change_ids_of(2).start + 1);
    wrong.row(1, None, None, image);
    batches.push(wrong.take());
    let mut wrong = Builder::new(3);
    wrong.decide("x", XaState::Committed);
    batches.push(wrong.take());
    let mut wrong = Builder::new(3);
    wrong.batch.checkpoint = Some(checkpoint(1));
    batches.push(wrong.take());
    for batch in batches {
        index.attach(&source("one")).await.unwrap();
        let error = index.write(one, Arc::clone(&batch)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Batch, "{error} for {batch:?}");
    }
    let mut wrong = Builder::new(change_ids_of(7).start + 1);
    wrong.row(1, None, None, image);
    let error = index.write(7, wrong.take()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Batch, "{error}");
    assert_eq!(column(backend, ALL_IDS).await, ["1"]);
    index.close().await.unwrap();
}

/// A definition is valid up to a statement, and what begins elsewhere finds none.
pub(crate) async fn keeps_definitions(backend: &impl Backend) {
    let index = Index::open(backend.dsn(), true).await.unwrap();
    let one = index.attach(&source("one")).await.unwrap().source_id;
    let two = index.attach(&source("two")).await.unwrap().source_id;
    let place = |file: &str, position| (file.to_owned(), position);
    let version = table("t", &["id"]);
    let valid = async |source_id, file, position| -> Vec<(u32, Option<Place>)> {
        let tables = index.valid_tables(source_id, &place(file, position)).await;
        let known = tables.unwrap().into_iter().map(|table| {
            assert_eq!(
                (&table.schema, &table.table),
                (&version.schema, &version.table)
            );
            assert_eq!(table.valid_from, version.valid_from);
            (table.table_id, table.valid_until)
        });
        known.collect()
    };
    let first = index.register_table(one, &version).await.unwrap();
    let theirs = index.register_table(two, &version).await.unwrap();
    assert_eq!(index.table_version(first).await.unwrap(), version);
    assert_eq!(valid(one, "log.000009", 4).await, [(first, None)]);

    let until = place("log.1000000", 100);
    index.end_tables(&[first], &until).await.unwrap();
    let second = index.register_table(one, &version).await.unwrap();
    assert_ne!(second, first);
    assert_eq!(index.register_table(one, &version).await.unwrap(), second);
    let both = [(first, Some(until)), (second, None)];
    assert_eq!(valid(one, "log.999999", 400).await, both);
    assert_eq!(valid(one, "log.1000000", 99).await, both);
    assert_eq!(valid(one, "log.1000000", 100).await, [(second, None)]);

    let behind = place("log.1000000", 100);
    index.forget_tables(one, &behind).await.unwrap();
    assert_eq!(valid(one, "log.1000000", 100).await, []);
    assert_eq!(valid(one, "log.1000000", 99).await.len(), 1);
    index.forget_tables(one, &place("", 4)).await.unwrap();
    assert_eq!(valid(one, "log.000001", 4).await, []);
    assert_eq!(valid(two, "log.000001", 4).await, [(theirs, None)]);
    assert_eq!(index.table_versions(one).await.unwrap().len(), 2);
    index.close().await.unwrap();
}

/// After a failover another server is the source, and all of it goes on; where rows came from stays known.
pub(crate) async fn moves(backend: &impl Backend) {
    let index = Index::open(backend.dsn(), true).await.unwrap();
    let one = index.attach(&source("one")).await.unwrap().source_id;
    let table_id = index
        .register_table(one, &table("t", &["id"]))
        .await
        .unwrap();
    let mut builder = Builder::new(1);
    builder.row(table_id, None, None, Some(r#"{"id":1}"#)).end();
    index.write(one, builder.covered()).await.unwrap();

    let next = Source {
        host: "db2.example".into(),
        port: 3307,
        ..source("next")
    };
    let other = Index::open(backend.dsn(), true).await.unwrap();
    let error = other.take_over(one, &next).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    other.close().await.unwrap();
    index.take_over(one, &next).await.unwrap();
    let attached = index.attach(&next).await.unwrap();
    assert_eq!(
        (attached.source_id, attached.state.next_change_id),
        (one, 2)
    );
    // File and position were the other server's.
    let moved = Checkpoint {
        binlog_file: String::new(),
        binlog_position: 4,
        binlog_created: None,
        ..checkpoint(2)
    };
    assert_eq!(attached.state.checkpoint, Some(moved));
    index.attach(&next).await.unwrap();
    let statuses = index.statuses().await.unwrap();
    assert_eq!(statuses.len(), 1);
    let servers: Vec<_> = statuses[0]
        .servers
        .iter()
        .map(|server| {
            let (uuid, host) = (server.server_uuid.as_str(), server.host.as_str());
            (uuid, host, server.port, server.first_change_id)
        })
        .collect();
    let expected = [
        ("one", "db1.example", 3306, 1),
        ("next", "db2.example", 3307, 2),
    ];
    assert_eq!(servers, expected);
    assert_eq!(column(backend, IDS).await, ["1"]);
    index.close().await.unwrap();
}

/// One writer a source, another one for another source.
pub(crate) async fn locks(backend: &impl Backend, holder: &str) {
    let first = Index::open(backend.dsn(), true).await.unwrap();
    first.attach(&source("one")).await.unwrap();
    first.attach(&source("one")).await.unwrap();
    let second = Index::open(backend.dsn(), true).await.unwrap();
    let error = second.attach(&source("one")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    assert!(!error.is_retriable());
    assert!(error.to_string().contains(holder), "{error}");
    second.attach(&source("two")).await.unwrap();
    first.keep_alive().await.unwrap();
    first.close().await.unwrap();
    second.attach(&source("one")).await.unwrap();
    second.close().await.unwrap();
}

/// Every column of the view, with texts that are hard to carry.
pub(crate) async fn shows(backend: &impl Backend) {
    let index = Index::open(backend.dsn(), true).await.unwrap();
    let one = index.attach(&source("one")).await.unwrap().source_id;
    let columns = ["id", "a\"b", "c\\d", "e.f[0]", "ü €😀", "same", "s p"];
    let version = table("t'\\ü😀", &columns);
    let table_id = index.register_table(one, &version).await.unwrap();
    assert_eq!(index.register_table(one, &version).await.unwrap(), table_id);
    let mut changed = version.clone();
    changed.columns[1].nullable = false;
    let changed_id = index.register_table(one, &changed).await.unwrap();
    assert_ne!(changed_id, table_id);
    assert_eq!(
        index.table_versions(one).await.unwrap(),
        [(table_id, version), (changed_id, changed)]
    );

    let before = r#"{"id":18446744073709551614,"a\"b":"x","c\\d":"1","e.f[0]":null,"ü €😀":"a","same":{"b":[1,2],"a":"y"},"s p":0.1}"#;
    let after = r#"{"id":18446744073709551615,"a\"b":"X","c\\d":1,"e.f[0]":"","ü €😀":"a ","same":{"b":[1,2],"a":"y"},"s p":0.1}"#;
    let key = "a\tb\nc\\d'e\"f\0g|😀\r\\N";
    let big = format!(r#"{{"id":1,"same":"{}"}}"#, "\\\\ä".repeat(1_500_000));
    let mut builder = Builder::new(1);
    builder.row(table_id, Some(key), None, Some(before));
    builder.row(table_id, None, Some(before), Some(after));
    builder.row(changed_id, Some(""), Some(after), None).end();
    // The images of binlog_row_image=MINIMAL, and an update that changes nothing.
    builder.row(
        table_id,
        Some("1"),
        Some(r#"{"id":1}"#),
        Some(r#"{"same":2}"#),
    );
    builder.row(table_id, Some("1"), Some(before), Some(before));
    builder.row(table_id, Some("1"), None, Some(&big)).end();
    builder.batch.schema_changes.push(SchemaChange {
        binlog_file: "mysql-bin.000001".into(),
        start_position: 1,
        end_position: u64::MAX >> 1,
        gtid: None,
        committed_at: T0,
        next_change_id: 7,
        schema: "shop".into(),
        sql_mode: Some(1 << 32 | 4),
        temporary: true,
        change_type: "ALTER TABLE".into(),
        statement: "ALTER TABLE `t'\\ü😀`\n\tDROP x".into(),
    });
    index.write(one, builder.covered()).await.unwrap();

    let rows = backend
        .query("SELECT * FROM binlog_events ORDER BY change_id")
        .await;
    let rows: Vec<Vec<&str>> = rows
        .iter()
        .map(|row| row.iter().map(|v| v.as_deref().unwrap_or("NULL")).collect())
        .collect();
    let common = |id: &'static str, positions: [&'static str; 2], transaction: &str| {
        vec![
            id.to_owned(),
            "1".into(),
            "mysql-bin.000001".into(),
            positions[0].into(),
            positions[1].into(),
            "2026-11-22 08:30:00.123456".into(),
            format!("3E11FA47-71CA-11E1-9E33-C80AA9429562:{transaction}"),
            "4294967295".into(),
            "shop".into(),
            "t'\\ü😀".into(),
        ]
    };
    for (row, (id, positions, transaction, rest)) in rows.iter().zip([
        (
            "1",
            ["1000", "1500"],
            "1",
            ["INSERT", key, "NULL", "NULL", before],
        ),
        (
            "2",
            ["1000", "1500"],
            "1",
            [
                "UPDATE",
                "NULL",
                r#"["id","a\"b","c\\d","e.f[0]","ü €😀"]"#,
                before,
                after,
            ],
        ),
        (
            "3",
            ["1000", "1500"],
            "1",
            ["DELETE", "", "NULL", after, "NULL"],
        ),
        (
            "4",
            ["4000", "4500"],
            "4",
            ["UPDATE", "1", r#"["same"]"#, r#"{"id":1}"#, r#"{"same":2}"#],
        ),
        (
            "5",
            ["4000", "4500"],
            "4",
            ["UPDATE", "1", "[]", before, before],
        ),
        (
            "6",
            ["4000", "4500"],
            "4",
            ["INSERT", "1", "NULL", "NULL", &big],
        ),
    ]) {
        let mut expected = common(id, positions, transaction);
        expected.extend(rest.map(str::to_owned));
        let mut row: Vec<String> = row.iter().map(|v| (*v).to_owned()).collect();
        // MySQL prints a space behind the commas of a JSON array.
        row[12] = row[12].replace("\", \"", "\",\"");
        assert!(row == expected, "{row:.300?}\n{expected:.300?}");
    }
    assert_eq!(rows.len(), 6);
    assert_eq!(
        column(
            backend,
            "SELECT count(*) FROM row_changes WHERE source_id = 1"
        )
        .await,
        ["6"]
    );
    assert_eq!(
        column(backend, "SELECT statement FROM transactions").await,
        ["INSERT INTO t VALUES ('a\\b\n')"; 2]
    );
    assert_eq!(
        column(backend, "SELECT statement FROM schema_changes").await,
        ["ALTER TABLE `t'\\ü😀`\n\tDROP x"]
    );
    for (filter, expected) in [
        ("change_id BETWEEN 2 AND 3", "2"),
        ("event_timestamp = '2026-11-22 08:30:00.123456'", "6"),
        ("event_timestamp > '2026-11-22 08:30:00.123456'", "0"),
        ("event_timestamp >= '2026-11-22 08:00:00'", "6"),
        ("table_name = 't' AND schema_name = 'shop'", "0"),
        ("schema_name = 'shop' AND event_type = 'UPDATE'", "3"),
        ("schema_name = 'Shop'", "0"),
    ] {
        let sql = format!("SELECT count(*) FROM binlog_events WHERE {filter}");
        assert_eq!(column(backend, &sql).await, [expected], "{filter}");
    }
    index.close().await.unwrap();
}

/// The rows of an XA transaction are seen once it is committed.
pub(crate) async fn decides_xa(backend: &impl Backend) {
    let index = Index::open(backend.dsn(), true).await.unwrap();
    let one = index.attach(&source("one")).await.unwrap().source_id;
    let table_id = index
        .register_table(one, &table("t", &["id"]))
        .await
        .unwrap();
    let image = Some(r#"{"id":1}"#);
    let prepared = |xid| Some((xid, XaState::Prepared));
    let mut builder = Builder::new(1);
    builder
        .row(table_id, None, None, image)
        .end_as(prepared("x"));
    builder
        .row(table_id, None, None, image)
        .end_as(prepared("y"));
    builder.row(table_id, None, None, image).end();
    index.write(one, builder.covered()).await.unwrap();
    assert_eq!(column(backend, IDS).await, ["3"]);
    builder.decide("x", XaState::Committed);
    builder.decide("y", XaState::RolledBack);
    builder.decide("of a filtered one", XaState::Committed);
    // The same xid again, rolled back in the same batch, and once more, left open.
    builder
        .row(table_id, None, None, image)
        .end_as(prepared("x"));
    builder.decide("x", XaState::RolledBack);
    builder
        .row(table_id, None, None, image)
        .end_as(prepared("x"));
    index.write(one, builder.covered()).await.unwrap();
    assert_eq!(column(backend, IDS).await, ["1", "3"]);
    assert_eq!(
        column(
            backend,
            "SELECT xa_state FROM transactions ORDER BY transaction_id"
        )
        .await,
        [
            "committed",
            "rolled back",
            "NULL",
            "rolled back",
            "prepared"
        ]
    );
    // Another source's decision is not this one's.
    let two = index.attach(&source("two")).await.unwrap();
    let mut other = Builder::new(two.state.next_change_id);
    other.decide("x", XaState::Committed);
    index.write(two.source_id, other.covered()).await.unwrap();
    assert_eq!(column(backend, IDS).await, ["1", "3"]);
    index.close().await.unwrap();
}

/// What `status` reads.
pub(crate) async fn reports(backend: &impl Backend) {
    let index = Index::open(backend.dsn(), true).await.unwrap();
    let attached = index.attach(&source("one")).await.unwrap();
    let one = attached.source_id;
    index.save_error(one, Some("it's \\ broken")).await.unwrap();
    let reader = Index::open(backend.dsn(), false).await.unwrap();
    let status = &reader.statuses().await.unwrap()[0];
    assert_eq!(status.source, source("one"));
    assert_eq!(status.state.checkpoint, None);
    assert_eq!(status.state.last_checkpoint, None);
    assert_eq!(status.state.last_error.as_deref(), Some("it's \\ broken"));
    assert_eq!(status.coverage, None);

    let image = Some(r#"{"id":1}"#);
    let mut builder = Builder::new(1);
    builder.row(1, None, None, image).end();
    builder.row(1, None, None, image).end_at(T0 + 7);
    index.write(one, builder.covered()).await.unwrap();
    builder.row(1, None, None, image).end_at(T0 + 9);
    index.write(one, builder.take()).await.unwrap();
    index.save_error(one, None).await.unwrap();
    index.save_gap(one, T0, "purged: 1-5").await.unwrap();
    let status = &reader.statuses().await.unwrap()[0];
    assert_eq!(status.state.checkpoint, Some(checkpoint(3)));
    assert_eq!(status.coverage, Some((T0, T0 + 7)));
    assert_eq!(status.state.last_error, None);
    assert_eq!(status.state.gap_lost, Some((T0, "purged: 1-5".into())));
    let saved = status.state.last_checkpoint.unwrap();
    assert!(
        status.seen.0 <= status.seen.1 && status.seen.1 <= saved,
        "{status:?}"
    );

    // The same server under another name.
    let mut moved = source("one");
    moved.host = "db2.example".into();
    let state = index.attach(&moved).await.unwrap().state;
    assert_eq!(state.next_change_id, 3);
    let status = &reader.statuses().await.unwrap()[0];
    assert_eq!(status.source, moved);
    assert_eq!(status.coverage, Some((T0, T0 + 7)));
    assert_eq!(column(backend, ALL_IDS).await, ["1", "2"]);
    assert_eq!(reader.statuses().await.unwrap().len(), 1);
    reader.close().await.unwrap();
    index.close().await.unwrap();
}

/// Commits transactions of one row, the last of them now, so many milliseconds apart.
pub(crate) async fn fill(
    index: &Index,
    source_id: u32,
    builder: &mut Builder,
    count: i64,
    gap: i64,
) {
    let now = clock::now();
    for at in (0..count).rev() {
        let image = Some(r#"{"id":1}"#);
        builder
            .row(1, None, None, image)
            .end_at(now - at * gap * 1000);
        // A batch looks through its rows for each transaction.
        if at % 250 == 0 {
            index.write(source_id, builder.covered()).await.unwrap();
        }
    }
}

/// What `status` makes of what it reads, with a writer and without.
pub(crate) async fn tells(backend: &impl Backend) {
    let index = Index::open(backend.dsn(), true).await.unwrap();
    let reader = Index::open(backend.dsn(), false).await.unwrap();
    let read = async || Report::read(&reader, Limits::default()).await.unwrap();
    assert_eq!(read().await.verdict.verdict, Verdict::Stopped);
    let one = index.attach(&source("one")).await.unwrap().source_id;
    index.streaming(one, clock::now(), 10).await.unwrap();
    let report = read().await;
    assert_eq!(report.verdict.verdict, Verdict::Ok, "{report:?}");
    let stream = &report.sources[0].stream;
    assert_eq!((stream.mode, stream.lag_seconds), (None, None));

    let mut builder = Builder::new(1);
    builder
        .row(1, None, None, Some(r#"{"id":1}"#))
        .end_at(clock::now() - 601_000_000);
    index.write(one, builder.covered()).await.unwrap();
    // Of one row change nothing can be told.
    assert_eq!(read().await.disk.bytes_per_row_change, None);

    // Two a second for 10 minutes.
    fill(&index, one, &mut builder, 1199, 500).await;
    let report = read().await;
    let it = &report.sources[0];
    assert_eq!(it.stream.state, StreamState::Streaming);
    assert!(it.stream.writer.is_some(), "{it:?}");
    assert_eq!(it.stream.lag_seconds, Some(0.25));
    assert!((1.5..2.5).contains(&it.stream.rows_per_second), "{it:?}");
    assert_eq!(it.coverage.row_changes, 1200);
    let each = report.disk.bytes_per_row_change.unwrap();
    let growth = report.disk.growth_bytes_per_day.unwrap();
    assert!(report.disk.bytes > 10_000 && each > 10.0, "{report:?}");
    assert!((growth / each / 172_800.0 - 1.0).abs() < 0.2, "{report:?}");
    // Long ago, so that nobody need do anything about them now.
    assert_eq!(it.capture_skips["decode"].count, 2);
    assert_eq!(it.findings[0].verdict, Verdict::Ok, "{it:?}");

    index.save_error(one, Some("it is away")).await.unwrap();
    let it = read().await.sources.remove(0);
    assert_eq!(it.stream.state, StreamState::Waiting);
    assert_eq!(it.findings[0].verdict, Verdict::Stalled);
    assert!(it.findings[0].detail.contains("it is away"), "{it:?}");

    index.streaming(one, clock::now(), 10).await.unwrap();
    index.save_gap(one, T0, "purged: 1-5").await.unwrap();
    assert_eq!(read().await.sources[0].verdict, Verdict::Gap);
    let late = Limits { lag_seconds: 0.1 };
    let report = Report::read(&reader, late).await.unwrap();
    assert_eq!(report.verdict.verdict, Verdict::Behind, "{report:?}");

    index.close().await.unwrap();
    let before = read().await.sources.remove(0);
    assert_eq!(before.stream.state, StreamState::Stopped);
    assert_eq!(before.verdict, Verdict::Stopped);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let after = read().await.sources.remove(0);
    assert!(
        after.stream.lag_seconds > before.stream.lag_seconds,
        "{after:?}"
    );
    reader.close().await.unwrap();
}

async fn ids(index: &Index, question: Question) -> Vec<u64> {
    let mut answer = index.ask(question).await.unwrap();
    let mut ids = Vec::new();
    loop {
        let page = answer.next_page().await.unwrap();
        if page.is_empty() {
            return ids;
        }
        ids.extend(page.iter().map(|change| change.change_id));
    }
}

/// What a question finds where ids, times and GTIDs do not go together, and what it leaves alone.
pub(crate) async fn answers(backend: &impl Backend) {
    let index = Index::open(backend.dsn(), true).await.unwrap();
    let one = index.attach(&source("one")).await.unwrap().source_id;
    let t = index
        .register_table(one, &table("t", &["id", "a"]))
        .await
        .unwrap();
    let later = index
        .register_table(one, &table("t", &["id", "a", "b"]))
        .await
        .unwrap();
    let u = index
        .register_table(one, &table("u", &["id"]))
        .await
        .unwrap();
    let small = r#"{"id":1,"a":null}"#;
    let mut builder = Builder::new(1);
    // 1: many rows. 3001: large ones. 3006: at an earlier time. 3007: again at the first.
    for number in 0..3000_u32 {
        let key = (number % 10).to_string();
        let table = if number < 2990 { t } else { later };
        builder.row(table, Some(&key), None, Some(small));
    }
    builder.end_at(T0 + 10);
    let large = format!(r#"{{"id":1,"a":"{}"}}"#, "x".repeat(5 << 20));
    for _ in 0..5 {
        builder.row(u, Some("1"), Some(&large), Some(small));
    }
    builder.end_at(T0 + 20);
    builder.row(u, Some("2"), Some(small), None).end_at(T0 - 5);
    builder.row(u, Some("7"), Some(small), None).end_at(T0 + 10);
    // 3008: not decided. 3009: another origin's GTID, and a number that does not rise.
    builder
        .row(u, Some("2"), Some(small), None)
        .end_as(Some(("x", XaState::Prepared)));
    builder.row(u, Some("2"), Some(small), None).end();
    let origin = "3E11FA47-71CA-11E1-9E33-C80AA9429562";
    builder.batch.transactions.last_mut().unwrap().gtid = Some(format!("{origin}:2"));
    index.write(one, builder.covered()).await.unwrap();
    // Above the checkpoint.
    builder.row(u, Some("2"), Some(small), None).end();
    index.write(one, builder.take()).await.unwrap();
    // Another source.
    let two = index.attach(&source("two")).await.unwrap();
    let other = two.state.next_change_id;
    let mut builder = Builder::new(other);
    builder.row(u, Some("2"), Some(small), None).end();
    index.write(two.source_id, builder.covered()).await.unwrap();

    let all = Question::default;
    let every: Vec<u64> = (1..=3007).chain([3009, other]).collect();
    let reader = Index::open(backend.dsn(), false).await.unwrap();
    assert_eq!(ids(&reader, all()).await, every);
    let newest_first = Question {
        newest_first: true,
        limit: Some(3005),
        ..all()
    };
    let reversed: Vec<u64> = every.iter().rev().copied().take(3005).collect();
    assert_eq!(ids(&reader, newest_first).await, reversed);

    let of = |table: &str| Some(table.to_owned());
    let of_key = |table: &str, keys: &[&str]| Question {
        table: of(table),
        keys: keys.iter().map(ToString::to_string).collect(),
        ..all()
    };
    let expected: Vec<u64> = (1..=3000)
        .filter(|id| id % 10 == 4 || id % 10 == 8)
        .collect();
    assert_eq!(ids(&reader, of_key("t", &["3", "7"])).await, expected);
    let key = of_key("u", &["2"]);
    assert_eq!(ids(&reader, key.clone()).await, [3006, 3009, other]);
    assert_eq!(
        ids(
            &reader,
            Question {
                newest_first: true,
                ..key
            }
        )
        .await,
        [other, 3009, 3006]
    );
    assert_eq!(
        ids(&reader, of_key("u", &["1"])).await,
        [3001, 3002, 3003, 3004, 3005]
    );
    assert_eq!(
        ids(
            &reader,
            Question {
                table: of("u"),
                ..all()
            }
        )
        .await[..3],
        [3001, 3002, 3003]
    );
    assert_eq!(
        ids(
            &reader,
            Question {
                table: of("none"),
                ..all()
            }
        )
        .await,
        [0; 0]
    );

    let between = |since, until| Question {
        since,
        until,
        ..all()
    };
    for (since, until, expected) in [
        (Some(T0), Some(T0 + 10), &[3009, other][..]),
        (Some(T0 + 11), None, &[3001, 3002, 3003, 3004, 3005]),
        (None, Some(T0), &[3006]),
        (Some(T0 + 21), None, &[]),
        (None, Some(T0 - 5), &[]),
    ] {
        assert_eq!(
            ids(&reader, between(since, until)).await,
            expected,
            "{since:?} {until:?}"
        );
        let of_table = Question {
            table: of("u"),
            ..between(since, until)
        };
        assert_eq!(
            ids(&reader, of_table).await,
            expected,
            "{since:?} {until:?}"
        );
    }
    let of_t = ids(
        &reader,
        Question {
            table: of("u"),
            ..between(Some(T0 + 10), Some(T0 + 11))
        },
    );
    assert_eq!(of_t.await, [3007]);

    let gtid = |number: u64| Question {
        gtid: Some(format!("{origin}:{number}")),
        ..all()
    };
    assert_eq!(
        ids(&reader, gtid(3001)).await,
        [3001, 3002, 3003, 3004, 3005]
    );
    assert_eq!(ids(&reader, gtid(3007)).await, [3007]);
    assert_eq!(ids(&reader, gtid(2)).await, [3009]);
    assert_eq!(ids(&reader, gtid(3008)).await, [0; 0]);
    assert_eq!(ids(&reader, gtid(4000)).await, [0; 0]);
    assert_eq!(ids(&reader, gtid(other)).await, [other]);
    let session = Question {
        connection_id: Some(u32::MAX),
        limit: Some(3),
        ..all()
    };
    assert_eq!(ids(&reader, session.clone()).await, [1, 2, 3]);
    assert_eq!(
        ids(
            &reader,
            Question {
                newest_first: true,
                ..session
            }
        )
        .await,
        [other, 3009, 3007]
    );
    assert_eq!(
        ids(
            &reader,
            Question {
                connection_id: Some(5),
                ..all()
            }
        )
        .await,
        [0; 0]
    );

    let with = |column: &str, value: &str| Question {
        values: vec![(column.into(), value.into())],
        table: of("u"),
        ..all()
    };
    let error = reader.ask(with("b", "null")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchColumn, "{error}");
    assert_eq!(ids(&reader, with("id", "1")).await.len(), 9);

    // The same question again sees no more than the first time.
    let mut answer = reader.ask(all()).await.unwrap();
    let first = answer.next_page().await.unwrap();
    assert_eq!(first[0].change_id, 1);
    answer.rewind(true);
    let mut more = Builder::new(other + 1);
    more.row(u, Some("2"), Some(small), None).end();
    index.write(two.source_id, more.covered()).await.unwrap();
    assert_eq!(answer.next_page().await.unwrap()[0].change_id, other);
    drop(answer);
    assert_eq!(ids(&reader, of_key("u", &["2"])).await.len(), 4);
    reader.close().await.unwrap();
    index.close().await.unwrap();
}
