//! The index in an SQLite file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod index;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use bintrail_engine::dsn::IndexDsn;
use bintrail_engine::index::record::Batch;
use bintrail_engine::index::{ErrorKind, Index};
use rusqlite::types::ValueRef;

/// A directory of its own for each test, removed with it.
struct Sqlite {
    directory: PathBuf,
    dsn: IndexDsn,
}

impl Sqlite {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bintrail-index-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).unwrap();
        Self {
            dsn: IndexDsn::Sqlite(directory.join("i.db")),
            directory,
        }
    }

    fn open(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.directory.join("i.db")).unwrap()
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl index::Backend for Sqlite {
    fn dsn(&self) -> &IndexDsn {
        &self.dsn
    }

    async fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let connection = self.open();
        let mut query = connection.prepare(sql).unwrap();
        let width = query.column_count();
        let mut rows = query.query([]).unwrap();
        let mut out = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let cell = |at| match row.get_ref(at).unwrap() {
                ValueRef::Null => None,
                ValueRef::Integer(value) => Some(value.to_string()),
                ValueRef::Text(text) => Some(String::from_utf8(text.to_vec()).unwrap()),
                other => panic!("unexpected {other:?}"),
            };
            out.push((0..width).map(cell).collect());
        }
        out
    }
}

#[tokio::test]
async fn opens() {
    index::opens(&Sqlite::new()).await;
}

#[tokio::test]
async fn keeps_definitions() {
    index::keeps_definitions(&Sqlite::new()).await;
}

#[tokio::test]
async fn files_statements() {
    index::files_statements(&Sqlite::new()).await;
}

#[tokio::test]
async fn answers() {
    index::answers(&Sqlite::new()).await;
}

#[tokio::test]
async fn answers_far_apart() {
    index::answers_far_apart(&Sqlite::new()).await;
}

#[tokio::test]
async fn moves() {
    index::moves(&Sqlite::new()).await;
}

#[tokio::test]
async fn resumes() {
    index::resumes(&Sqlite::new()).await;
}

#[tokio::test]
async fn refuses() {
    index::refuses(&Sqlite::new()).await;
}

#[tokio::test]
async fn locks() {
    let holder = format!("process {} ", std::process::id());
    index::locks(&Sqlite::new(), &holder).await;
}

/// Names that lead to one file have one lock, and what SQLite cannot lock is refused.
#[tokio::test]
async fn a_file_of_several_names() {
    let sqlite = Sqlite::new();
    let first = Index::open(&sqlite.dsn, true).await.unwrap();
    first.attach(&index::source("one")).await.unwrap();
    let file = sqlite.directory.join("i.db");
    let (link, hard) = (sqlite.directory.join("l.db"), sqlite.directory.join("h.db"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let second = Index::open(&IndexDsn::Sqlite(link), true).await.unwrap();
    let error = second.attach(&index::source("one")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    second.close().await.unwrap();
    first.close().await.unwrap();
    std::fs::hard_link(&file, &hard).unwrap();
    for path in [file, hard] {
        let error = Index::open(&IndexDsn::Sqlite(path), true)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unfit, "{error}");
        assert!(error.to_string().contains("hard links"), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_is_removed_or_replaced_is_written_to_no_more() {
    let sqlite = Sqlite::new();
    let (file, aside) = (
        sqlite.directory.join("i.db"),
        sqlite.directory.join("aside.db"),
    );
    let write = async || {
        let index = Index::open(&sqlite.dsn, true).await.unwrap();
        let source_id = index.attach(&index::source("one")).await.unwrap().source_id;
        index
            .write(source_id, Batch::default().into())
            .await
            .unwrap();
        (index, source_id)
    };
    let (index, source_id) = write().await;
    std::fs::rename(&file, &aside).unwrap();
    let error = index
        .write(source_id, Batch::default().into())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unfit, "{error}");
    assert!(
        error.to_string().contains("was removed while it was open"),
        "{error}"
    );
    index.close().await.unwrap();

    let (index, source_id) = write().await;
    std::fs::rename(&aside, &file).unwrap();
    let error = index
        .write(source_id, Batch::default().into())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("was replaced while it was open"),
        "{error}"
    );
    index.close().await.unwrap();
}

#[tokio::test]
async fn shows() {
    index::shows(&Sqlite::new()).await;
}

#[tokio::test]
async fn decides_xa() {
    index::decides_xa(&Sqlite::new()).await;
}

#[tokio::test]
async fn reports() {
    index::reports(&Sqlite::new()).await;
}

#[tokio::test]
async fn tells() {
    index::tells(&Sqlite::new()).await;
}

/// The plan of a query never walks row_changes from end to end.
#[tokio::test]
async fn finds_without_a_scan() {
    let sqlite = Sqlite::new();
    let index = Index::open(&sqlite.dsn, true).await.unwrap();
    index.close().await.unwrap();
    let connection = sqlite.open();
    for (filter, expected) in [
        (
            "change_id BETWEEN 5 AND 9",
            "SEARCH r USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
        ),
        (
            "event_timestamp >= '2026-11-22' AND event_timestamp < '2026-11-23'",
            "SEARCH t USING INDEX transactions_time (<expr>>? AND <expr><?)",
        ),
        (
            "event_timestamp >= '2026-11-22' AND event_timestamp < '2026-11-23'",
            "SEARCH r USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
        ),
        (
            "schema_name = 'a' AND table_name = 'b'",
            "SEARCH r USING INDEX row_changes_key (table_id=?)",
        ),
        ("1 ORDER BY change_id DESC LIMIT 9", "SCAN r"),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM binlog_events WHERE {filter}");
        let mut query = connection.prepare(&sql).unwrap();
        let plan: Vec<String> = query
            .query_map([], |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(
            plan.iter().any(|step| step == expected),
            "{filter}: {plan:#?}"
        );
        let walks = plan
            .iter()
            .any(|step| step == "SCAN r" || step.contains("TEMP B-TREE"));
        assert!(expected == "SCAN r" || !walks, "{filter}: {plan:#?}");
    }
}

#[tokio::test]
async fn names_what_is_wrong_with_the_file() {
    let sqlite = Sqlite::new();
    let path = sqlite.directory.join("text.db");
    std::fs::write(
        &path,
        "not a database, but long enough to be one".repeat(99),
    )
    .unwrap();
    let other = sqlite.directory.join("none").join("i.db");
    for (path, create, kind) in [
        (&path, true, ErrorKind::Unfit),
        (&path, false, ErrorKind::Unfit),
        (&other, true, ErrorKind::Unreachable),
        (&other, false, ErrorKind::Missing),
        (&sqlite.directory, true, ErrorKind::Unreachable),
    ] {
        let dsn = IndexDsn::Sqlite(path.clone());
        let error = Index::open(&dsn, create).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}
