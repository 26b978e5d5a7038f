//! A check that cannot fail proves nothing: an index written by hand passes, and every way of
//! being wrong in one place is seen.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::path::PathBuf;

use bintrail_testkit::Result;
use bintrail_testkit::check::{Replay, same_events};
use bintrail_testkit::index::Index;
use bintrail_testkit::oracle::{Oracle, Transaction};
use bintrail_testkit::schema::Catalog;
use bintrail_testkit::server::Server;
use bintrail_testkit::value::Charsets;
use rusqlite::{Connection, params};

const TABLE: &str = "CREATE TABLE `d`.`t` (`id` INT UNSIGNED PRIMARY KEY, `name` VARCHAR(20) CHARACTER SET latin1,
    `price` DECIMAL(8,2), `f` FLOAT, `d` DOUBLE, `at` TIMESTAMP(3) NULL, `kind` ENUM('a','b'), `tags` SET('x','y','z'),
    `raw` BINARY(3), `doc` JSON, `y` YEAR, `day` DATE, `bits` BIT(9))";

const FIRST: &str = r#"{"id":4294967295,"name":"é€","price":"-0.50","f":0.1,"d":1e100,"at":"2020-01-02 03:04:05.670","kind":"b","tags":"x,z","raw":"base64:type254:AQAA","doc":{"a":[1,2.0,null],"b":"ü"},"y":0,"day":"2020-00-00","bits":257}"#;
const SECOND: &str = r#"{"id":4294967295,"name":null,"price":"7.00","f":0.1,"d":1e100,"at":"0000-00-00 00:00:00.000","kind":"","tags":"","raw":"base64:type254:AQAA","doc":[],"y":1999,"day":"2020-00-00","bits":257}"#;

fn write(path: &PathBuf, of: &[&Transaction], changes: &[String]) {
    std::fs::remove_file(path).ok();
    let index = Connection::open(path).unwrap();
    let columns =
        "change_id INTEGER, binlog_file, start_pos, end_pos, event_timestamp, gtid, connection_id,
        schema_name, table_name, event_type, pk_values, changed_columns, row_before, row_after";
    index
        .execute(&format!("CREATE TABLE binlog_events ({columns})"), [])
        .unwrap();
    let images = [
        (None, Some(FIRST)),
        (Some(FIRST), Some(SECOND)),
        (Some(SECOND), None),
        (None, Some(FIRST)),
    ];
    for (n, (before, after)) in images.into_iter().enumerate() {
        let Transaction {
            file,
            start,
            end,
            gtid,
            connection_id,
            committed_at,
            ..
        } = of[n];
        let kind = ["INSERT", "UPDATE", "DELETE", "INSERT"][n];
        let change_id = i64::try_from(n + 1).unwrap();
        let (start, end) = (i64::try_from(*start).unwrap(), i64::try_from(*end).unwrap());
        let connection_id = connection_id.map(|id| i64::try_from(id).unwrap());
        index
            .execute(
                "INSERT INTO binlog_events VALUES (?, ?, ?, ?,
                     strftime('%Y-%m-%d %H:%M:%S', ?5 / 1000000, 'unixepoch') || printf('.%06d', ?5 % 1000000),
                     ?, ?, 'd', 't', ?, '4294967295', NULL, ?, ?)",
                params![change_id, file, start, end, committed_at, gtid, connection_id, kind, before, after],
            )
            .unwrap();
    }
    for sql in changes {
        assert!(index.execute(sql, []).unwrap() > 0, "{sql} changes nothing");
    }
}

#[test]
fn every_difference_is_seen() {
    let server = Server::start("mysql97", "checks", &[]).unwrap();
    let mut client = server.client().unwrap();
    client.run("CREATE DATABASE `d`").unwrap();
    client.run(TABLE).unwrap();
    let insert = "INSERT INTO `d`.`t` VALUES (4294967295, 'é€', -0.5, 0.1, 1e100, '2020-01-02 03:04:05.67', 'b',
        'z,x', X'01', '{\"b\": \"ü\", \"a\": [1, 2.0, null]}', 0, '2020-00-00', 257)";
    client.run(insert).unwrap();
    client.run("UPDATE `d`.`t` SET `name` = NULL, `price` = 7, `at` = 0, `kind` = 'none', `tags` = '', `doc` = '[]', `y` = 1999").unwrap();
    client.run("DELETE FROM `d`.`t`").unwrap();
    client.run(insert).unwrap();
    let schemas = ["d".to_owned()];
    let mut catalog = Catalog::default();
    catalog.refresh(&mut client, &schemas).unwrap();
    let mut charsets = Charsets::new(server.client().unwrap()).unwrap();
    let transactions: Vec<Transaction> = Oracle::of(&server).unwrap().map(Result::unwrap).collect();
    let of: Vec<&Transaction> = transactions
        .iter()
        .filter(|transaction| !transaction.rows.is_empty())
        .collect();
    assert_eq!(of.len(), 4);

    let path = std::env::temp_dir().join(format!("bintrail-checks-{}.db", std::process::id()));
    let index = Index::sqlite(&path);
    let mut check = |changes: &[String]| -> Result<u64> {
        write(&path, &of, changes);
        same_events(index.open()?, Oracle::of(&server)?, &catalog, &mut charsets)
    };
    let mut rebuild = |changes: &[String]| -> Result<u64> {
        write(&path, &of, changes);
        let mut replay = Replay::new(&catalog, false);
        replay.index(index.open()?)?;
        replay.same_tables(&mut client, &schemas)
    };
    assert_eq!(check(&[]).unwrap(), 4);
    assert_eq!(rebuild(&[]).unwrap(), 1);

    // What only the comparison with the binlog can see.
    for change in [
        "DELETE FROM binlog_events WHERE change_id = 4",
        "DELETE FROM binlog_events WHERE change_id = 1",
        "INSERT INTO binlog_events SELECT change_id + 10, binlog_file, start_pos, end_pos, event_timestamp, gtid, connection_id, schema_name, table_name, event_type, pk_values, changed_columns, row_before, row_after FROM binlog_events WHERE change_id = 4",
        "INSERT INTO binlog_events SELECT * FROM binlog_events WHERE change_id = 4",
        "UPDATE binlog_events SET change_id = 5 - change_id",
        "UPDATE binlog_events SET start_pos = start_pos + 1 WHERE change_id = 3",
        "UPDATE binlog_events SET end_pos = end_pos + 1 WHERE change_id = 3",
        "UPDATE binlog_events SET gtid = NULL WHERE change_id = 3",
        "UPDATE binlog_events SET binlog_file = 'x' WHERE change_id = 3",
        "UPDATE binlog_events SET connection_id = 0 WHERE change_id = 3",
        "UPDATE binlog_events SET event_timestamp = '2020-01-01 00:00:00.000000' WHERE change_id = 3",
        "UPDATE binlog_events SET schema_name = 'D' WHERE change_id = 3",
        "UPDATE binlog_events SET table_name = 'T' WHERE change_id = 3",
        "UPDATE binlog_events SET event_type = 'INSERT' WHERE change_id = 3",
        "UPDATE binlog_events SET row_after = row_before WHERE change_id = 3",
        "UPDATE binlog_events SET row_before = NULL WHERE change_id = 3",
    ] {
        assert!(check(&[change.to_owned()]).is_err(), "not seen: {change}");
    }
    // Any wrong value in the last image is seen by both.
    for (right, wrong) in [
        ("4294967295", "-1"),
        ("é€", "é"),
        ("-0.50", "-0.5"),
        ("\"-0.50\"", "-0.50"),
        ("0.1", "0.2"),
        ("0.1", "0.10000000149011612"),
        ("1e100", "1.0000000000000002e100"),
        ("05.670", "05.67"),
        ("03:04", "04:04"),
        ("\"b\",\"tags", "2,\"tags"),
        ("x,z", "z,x"),
        ("AQAA", "AQ=="),
        ("type254", "type15"),
        ("2.0", "2"),
        ("[1,2.0,null]", "[1,2.0]"),
        ("{\"a\"", "{\"A\""),
        ("ü", "u"),
        ("\"y\":0", "\"y\":1900"),
        ("2020-00-00", "2020:00:00"),
        ("257", "\"257\""),
        ("257", "null"),
        ("\"bits\"", "\"Bits\""),
        (",\"bits\":257", ""),
    ] {
        let (right_sql, wrong_sql) = (right.replace('\'', "''"), wrong.replace('\'', "''"));
        let change = format!(
            "UPDATE binlog_events SET row_after = replace(row_after, '{right_sql}', '{wrong_sql}') WHERE change_id = 4 AND instr(row_after, '{right_sql}')"
        );
        assert!(
            check(std::slice::from_ref(&change)).is_err(),
            "not seen: {right} → {wrong}"
        );
        assert!(
            rebuild(&[change]).is_err(),
            "not seen in the table: {right} → {wrong}"
        );
    }
    // Column order matters in the image, not in the table.
    let moved = r#"UPDATE binlog_events SET row_after = replace(replace(row_after, '"f":0.1,', ''), '"bits":257', '"bits":257,"f":0.1') WHERE change_id = 4"#;
    assert!(check(&[moved.to_owned()]).is_err());
    assert!(rebuild(&[moved.to_owned()]).is_ok());
    std::fs::remove_file(&path).unwrap();
}
