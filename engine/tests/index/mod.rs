//! What every index backend must do, told once. Looked at from outside, by plain SQL.

mod build;
mod questions;
mod statements;
mod view;
mod writers;

use std::time::Duration;

use bintrail_engine::clock;
use bintrail_engine::dsn::IndexDsn;
use bintrail_engine::index::record::XaState;
use bintrail_engine::index::{ErrorKind, Index};
use bintrail_engine::query::Question;
use bintrail_engine::status::{Limits, Report, StreamState, Verdict};

use build::checkpoint;
pub(crate) use build::{Builder, source, table};
pub(crate) use questions::answers_far_apart;
pub(crate) use statements::files_statements;
pub(crate) use view::{decides_xa, shows};
pub(crate) use writers::{keeps_definitions, locks, moves, opens, refuses, resumes};

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

pub(crate) const IDS: &str = "SELECT change_id FROM binlog_events ORDER BY change_id";
pub(crate) const ALL_IDS: &str = "SELECT change_id FROM row_changes ORDER BY change_id";

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
