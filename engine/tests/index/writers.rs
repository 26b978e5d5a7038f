//! Opening an index, and what its one writer for a source may do.

use std::sync::Arc;

use bintrail_engine::index::record::{Checkpoint, Place, Source, XaState, change_ids_of};
use bintrail_engine::index::{ErrorKind, Index};

use super::{ALL_IDS, Backend, Builder, IDS, checkpoint, column, source, table};

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
