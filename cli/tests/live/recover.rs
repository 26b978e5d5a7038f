//! `bintrail recover`: its SQL, run unchanged in the server's own client, undoes what is asked for and touches nothing
//! else.

use std::fs::File;
use std::path::Path;
use std::process::{Output, Stdio};

use bintrail_testkit::client::Client;
use bintrail_testkit::server::Server;

use crate::support::{Scratch, Stream, source_of};

/// Runs a file of SQL in the server's client.
pub(crate) fn run(server: &Server, path: &Path) -> Output {
    server
        .mysql()
        .arg("--skip-column-names")
        .stdin(Stdio::from(File::open(path).unwrap()))
        .output()
        .unwrap()
}

pub(crate) fn assert_runs(server: &Server, path: &Path) {
    let output = run(server, path);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", path.display());
    assert!(
        output.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn one_transaction_is_undone_and_what_changed_since_is_told() {
    let scratch = Scratch::new();
    let server = source_of("mysql97", &[]);
    let start = ["--start-file", "mysql-bin.000001"];
    let mut stream = Stream::new("one", &server, None, &scratch, &start);
    stream.start();
    let mut client = server.client().unwrap();
    let mut other = server.client().unwrap();
    client.run("CREATE DATABASE shop").unwrap();
    client.run("CREATE TABLE shop.orders (id INT PRIMARY KEY, status VARCHAR(20), total DECIMAL(10,2))").unwrap();
    client.run("CREATE TABLE shop.log (line TEXT)").unwrap();
    client.run("INSERT INTO shop.orders VALUES (1, 'new', 1), (2, 'new', 2), (3, 'new', 3), (4, 'new', 4)").unwrap();
    other
        .run("UPDATE shop.orders SET status = 'paid' WHERE id = 1")
        .unwrap();
    // The bad one.
    client
        .run("SET gtid_next = '00000000-0000-0000-0000-000000000001:7'")
        .unwrap();
    client.run("BEGIN").unwrap();
    client
        .run("UPDATE shop.orders SET total = 0 WHERE id IN (1, 2)")
        .unwrap();
    client.run("DELETE FROM shop.orders WHERE id = 3").unwrap();
    client
        .run("INSERT INTO shop.log VALUES ('x'), ('x')")
        .unwrap();
    client.run("COMMIT").unwrap();
    client.run("SET gtid_next = AUTOMATIC").unwrap();
    other
        .run("UPDATE shop.orders SET status = 'sent' WHERE id = 4")
        .unwrap();
    other
        .run("INSERT INTO shop.log VALUES ('x'), ('y')")
        .unwrap();
    stream.catch_up(&server);

    let undo = |stream: &Stream, more: &[&str]| {
        let path = scratch.0.join("undo.sql");
        std::fs::remove_file(&path).ok();
        let output = ["--output", path.to_str().unwrap()];
        let gtid = [
            "recover",
            "--gtid",
            "00000000-0000-0000-0000-000000000001:7",
        ];
        stream.output(&[&gtid[..], &output, more].concat());
        path
    };
    let orders = |client: &mut Client| -> Vec<String> {
        let rows = client
            .strings("SELECT CONCAT_WS(' ', id, status, total) FROM shop.orders ORDER BY id")
            .unwrap();
        rows.into_iter().map(|row| row[0].clone()).collect()
    };
    assert_runs(&server, &undo(&stream, &[]));
    assert_eq!(
        orders(&mut client),
        ["1 paid 1.00", "2 new 2.00", "3 new 3.00", "4 sent 4.00"]
    );
    let log = "SELECT line FROM shop.log ORDER BY line";
    assert_eq!(client.strings(log).unwrap(), [["x"], ["y"]]);

    // Forth again, and then somebody changes one of its rows and takes another's key.
    assert_runs(&server, &undo(&stream, &["--redo"]));
    assert_eq!(
        orders(&mut client),
        ["1 paid 0.00", "2 new 0.00", "4 sent 4.00"]
    );
    other
        .run("UPDATE shop.orders SET status = 'NEW' WHERE id = 2")
        .unwrap();
    other
        .run("INSERT INTO shop.orders VALUES (3, 'other', 9)")
        .unwrap();
    let now = orders(&mut client);
    let output = run(&server, &undo(&stream, &[]));
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("Duplicate entry '3'"), "{error}");
    assert_eq!(orders(&mut client), now);
    other.run("DELETE FROM shop.orders WHERE id = 3").unwrap();
    let now = orders(&mut client);
    let output = run(&server, &undo(&stream, &[]));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("of shop.orders: the row is not as it should be"),
        "{error}"
    );
    assert_eq!(orders(&mut client), now, "nothing is done");
    other
        .run("INSERT INTO shop.orders VALUES (3, 'other', 9)")
        .unwrap();

    let path = undo(&stream, &["--on-conflict", "skip"]);
    let output = run(&server, &path);
    assert!(output.status.success());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(
        told.contains("its key is taken") && told.contains("the row is not as it should be"),
        "{told}"
    );
    assert_eq!(
        orders(&mut client),
        ["1 paid 1.00", "2 NEW 0.00", "3 other 9.00", "4 sent 4.00"]
    );
    // The log's lines are gone once more, and by now there is but one to take.
    client
        .run("INSERT INTO shop.log VALUES ('x'), ('x')")
        .unwrap();
    let output = run(&server, &undo(&stream, &["--on-conflict", "force"]));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        orders(&mut client),
        ["1 paid 1.00", "2 NEW 2.00", "3 new 3.00", "4 sent 4.00"]
    );

    // What cannot be exact, and what is not there.
    client.run("SET binlog_row_image = MINIMAL").unwrap();
    client
        .run("UPDATE shop.orders SET status = 'part' WHERE id = 1")
        .unwrap();
    client.run("SET binlog_row_image = FULL").unwrap();
    client
        .run("CREATE TABLE shop.docs (id INT PRIMARY KEY, j JSON)")
        .unwrap();
    client
        .run("INSERT INTO shop.docs VALUES (1, JSON_ARRAY(CAST(1.50 AS DECIMAL(5,2))))")
        .unwrap();
    client.run("DELETE FROM shop.docs").unwrap();
    stream.catch_up(&server);
    for (table, why) in [
        (&["--table", "orders", "--pk", "1"][..], "lacks column"),
        (&["--table", "docs"], "JSON decimal 1.50"),
    ] {
        let output = stream
            .command(&[&["recover"], table].concat())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(41));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(why) && error.lines().count() == 1, "{error}");
        assert!(output.stdout.is_empty());
    }
    // A table that has changed since: a column more is no matter, another column of the same name is.
    client
        .run("CREATE TABLE shop.later (id INT PRIMARY KEY, a VARCHAR(9), b VARCHAR(9))")
        .unwrap();
    client
        .run("INSERT INTO shop.later VALUES (1, 'a', 'b'), (2, 'c', 'd')")
        .unwrap();
    client.run("DELETE FROM shop.later WHERE id = 1").unwrap();
    stream.catch_up(&server);
    client
        .run("ALTER TABLE shop.later ADD c INT DEFAULT 7 FIRST")
        .unwrap();
    client
        .run("INSERT INTO shop.later VALUES (1, 3, 'x', 'y')")
        .unwrap();
    client.run("DELETE FROM shop.later WHERE id = 3").unwrap();
    stream.catch_up(&server);
    let path = scratch.0.join("later.sql");
    let key = [
        "recover",
        "--table",
        "later",
        "--pk",
        "1",
        "--event-type",
        "delete",
        "--output",
    ];
    stream.output(&[&key[..], &[path.to_str().unwrap()]].concat());
    assert_runs(&server, &path);
    let later = "SELECT CONCAT_WS(' ', c, id, a, b) FROM shop.later ORDER BY id";
    assert_eq!(client.strings(later).unwrap(), [["7 1 a b"], ["7 2 c d"]]);
    client
        .run("ALTER TABLE shop.later DROP COLUMN a, MODIFY b VARCHAR(10)")
        .unwrap();
    client
        .run("INSERT INTO shop.later VALUES (1, 4, 'y')")
        .unwrap();
    stream.catch_up(&server);
    let output = stream
        .command(&[&key[..7], &["--dry-run"]].concat())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(41));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("column a is no longer there"), "{error}");

    let output = stream.command(&["recover"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stream.output(&["recover", "--table", "orders", "--pk", "77"]),
        ""
    );
    stream.terminate();
}

/// MariaDB logs that a row of a system-versioned table was deleted as an update of the column that says up to when it was
/// there, which no statement can undo.
#[test]
fn rows_of_system_versioned_tables() {
    let scratch = Scratch::new();
    let server = source_of("mariadb", &[]);
    let mut stream = Stream::new("versions", &server, None, &scratch, &["--start-gtid", ""]);
    stream.start();
    let mut client = server.client().unwrap();
    for sql in [
        "CREATE DATABASE d",
        "CREATE TABLE d.e (a INT PRIMARY KEY, b INT, since TIMESTAMP(6) GENERATED ALWAYS AS ROW START, \
         until TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (since, until)) WITH SYSTEM VERSIONING",
        "INSERT INTO d.e (a, b) VALUES (1, 1), (2, 2)",
        "UPDATE d.e SET b = 10 WHERE a = 1",
        "DELETE FROM d.e WHERE a = 2",
    ] {
        client.run(sql).unwrap();
    }
    stream.catch_up(&server);
    let refused = |arguments: &[&str], why: &str| {
        let output = stream.command(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(41), "{arguments:?}: {error}");
        assert!(error.contains(why), "{error}");
        assert!(output.stdout.is_empty());
    };
    let all = ["recover", "--table", "e", "--event-type", "update"];
    refused(
        &all,
        "system-versioned table was deleted (change 5, 1 in all)",
    );
    refused(&[&all[..], &["--dry-run"]].concat(), "system-versioned");
    let keys = stream.output(&[
        "query",
        "--table",
        "e",
        "--event-type",
        "update",
        "--format",
        "csv",
    ]);
    let key = |first: &str| {
        let from = keys.find(&format!("{first}|")).unwrap();
        keys[from..].split([',', '"']).next().unwrap().to_owned()
    };
    // What a row was before an update is brought back as ever.
    let path = scratch.0.join("undo.sql");
    let (one, file) = (key("1"), path.to_str().unwrap());
    stream.output(&[&all[..], &["--pk", &one, "--output", file]].concat());
    assert_runs(&server, &path);
    let rows = client.strings("SELECT a, b FROM d.e").unwrap();
    assert_eq!(rows, [["1", "1"]]);
    refused(
        &[&all[..], &["--pk", &key("2")]].concat(),
        "system-versioned",
    );
}
