//! What the view `binlog_events` shows.

use bintrail_engine::index::Index;
use bintrail_engine::index::record::{SchemaChange, XaState};

use super::{Backend, Builder, IDS, T0, column, source, table};

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
