//! What `query`, `show` and `recover` say beside an answer that is not what was hoped for.

use bintrail_testkit::server::Server;

use crate::both::Both;
use crate::support::{Scratch, Stream, run, source_of};

/// What a command prints, and what it says on standard error.
fn told(stream: &Stream, arguments: &[&str]) -> (String, String) {
    let output = stream.command(arguments).output().unwrap();
    [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .into()
}

fn assert_says(stream: &Stream, arguments: &[&str], hint: &str) {
    let (printed, said) = told(stream, arguments);
    assert!(said.contains(hint), "{arguments:?}: {printed}{said}");
}

fn assert_is_silent(stream: &Stream, arguments: &[&str]) {
    let (_, said) = told(stream, arguments);
    assert!(!said.contains("WARN"), "{arguments:?}: {said}");
}

fn shop(kind: &str, scratch: &Scratch) -> (Server, Both) {
    let server = source_of(kind, &[]);
    let streams = Both::start("hints", &server, scratch);
    run(
        &server,
        &[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, status VARCHAR(20))",
            "CREATE TABLE shop.items (orders INT, n VARCHAR(5), PRIMARY KEY (orders, n))",
            "CREATE TABLE shop.log (line TEXT)",
            "CREATE TABLE shop.old (id INT PRIMARY KEY)",
            "INSERT INTO shop.orders VALUES (1, 'new'), (2, 'new')",
            "INSERT INTO shop.items VALUES (1, 'a'), (1, 'b'), (2, 'c')",
            "INSERT INTO shop.log VALUES ('begun')",
            "INSERT INTO shop.old VALUES (1), (2)",
        ],
    );
    streams.catch_up(&server);
    (server, streams)
}

#[test]
fn a_key_that_no_row_can_have_is_told_and_how_keys_are_written() {
    let scratch = Scratch::new();
    let (_server, streams) = shop("mysql97", &scratch);
    streams.each(|stream| {
        for command in ["query", "show", "recover"] {
            for key in ["id=1", "1,2", "\"1\"", "1|2", "one"] {
                assert_says(
                    stream,
                    &[command, "--table", "orders", "--pk", key],
                    &format!("no row of shop.orders can have the key {key}: its primary key is id (int), written as --pk '42'"),
                );
            }
            for key in ["1", "a|1", "1|a|b"] {
                assert_says(
                    stream,
                    &[command, "--schema", "shop", "--table", "items", "--pk", key],
                    "its primary key is orders (int), n (varchar(5)), written as --pk '42|…'",
                );
            }
            assert_is_silent(stream, &[command, "--table", "items", "--pk", "1|a"]);
            let (_, said) = told(stream, &[command, "--table", "items", "--pk", "9|z"]);
            assert!(!said.contains("primary key"), "{said}");
        }
        for command in ["query", "recover"] {
            assert_says(
                stream,
                &[command, "--table", "log", "--pk", "1"],
                "shop.log has no primary key, so --pk finds none of its rows",
            );
        }
    });
    streams.terminate();
}

#[test]
fn a_table_without_rows_is_told_since_when() {
    for (kind, gtid) in [("mysql97", ":"), ("mariadb", "0-")] {
        let scratch = Scratch::new();
        let (server, streams) = shop(kind, &scratch);
        crate::emptied::moment(&server);
        run(
            &server,
            &[
                "TRUNCATE shop.old",
                "DROP TABLE shop.items",
                "DELETE FROM shop.orders",
            ],
        );
        streams.catch_up(&server);
        streams.each(|stream| {
            for (table, what, rows) in [("old", "TRUNCATE", 2), ("items", "DROP TABLE", 3)] {
                let show = ["show", "--table", table, "--format", "csv"];
                let (printed, said) = told(stream, &show);
                assert!(
                    printed.starts_with("schema_name,table_name,pk_values,"),
                    "{printed}"
                );
                assert_eq!(printed.lines().count(), 1, "{printed}");
                let since = format!("shop.{table} has no rows since {what} at 20");
                assert!(said.contains(&since) && said.contains(gtid), "{said}");
                // As it says, they are seen again.
                let at = said
                    .split("--at ")
                    .nth(1)
                    .unwrap()
                    .split(' ')
                    .next()
                    .unwrap();
                let (printed, said) = told(stream, &[&show[..], &["--at", at]].concat());
                assert_eq!(
                    printed.matches(",present,").count(),
                    rows,
                    "{printed}{said}"
                );
                assert!(!said.contains("has no rows"), "{said}");
            }
            assert_says(
                stream,
                &["show", "--table", "orders"],
                "the index knows of no row of shop.orders then",
            );
            let (printed, _) = told(
                stream,
                &[
                    "show",
                    "--table",
                    "orders",
                    "--pk",
                    "9",
                    "--history",
                    "--format",
                    "csv",
                ],
            );
            assert!(printed.starts_with("change_id,"), "{printed}");
        });
        streams.terminate();
    }
}

#[test]
fn rows_beside_the_one_asked_for_are_told_of() {
    for kind in ["mysql97", "mariadb"] {
        let scratch = Scratch::new();
        let (server, streams) = shop(kind, &scratch);
        let mut client = server.client().unwrap();
        for sql in [
            "BEGIN",
            "DELETE FROM shop.items WHERE orders = 1",
            "INSERT INTO shop.log VALUES ('gone')",
            "DELETE FROM shop.orders WHERE id = 1",
            "COMMIT",
            "DELETE FROM shop.orders WHERE id = 2",
        ] {
            client.run(sql).unwrap();
        }
        streams.catch_up(&server);
        streams.each(|stream| {
            let deletes = ["--table", "orders", "--event-type", "delete", "--pk"];
            let recover = [&["recover"], &deletes[..]].concat();
            let (_, said) = told(stream, &[&recover[..], &["1"]].concat());
            let also = "also changed 2 rows of shop.items, 1 row of shop.log, which are not among these: recover with --gtid ";
            assert!(said.contains(also), "{said}");
            assert!(said.contains(" alone undoes all of it"), "{said}");
            let (printed, _) = told(stream, &[&recover[..], &["1"]].concat());
            assert!(printed.contains(" recover: undoes 1 row change.\n"), "{printed}");
            let gtid = said.split("--gtid ").nth(1).unwrap().split(' ').next().unwrap();
            let (printed, _) = told(stream, &["recover", "--gtid", gtid, "--dry-run"]);
            for line in [
                "shop.items: 2 statements on 2 rows: INSERT 2\n",
                "shop.log: 1 statement: DELETE 1\n",
                "shop.orders: 1 statement on 1 row: INSERT 1\n",
            ] {
                assert!(printed.contains(line), "{printed}");
            }
            let (_, said) = told(stream, &[&recover[..], &["2"]].concat());
            assert!(!said.contains("also changed"), "{said}");
        });
        streams.terminate();
    }
}

#[test]
fn many_conflicts_that_are_alike_are_told_once() {
    let scratch = Scratch::new();
    let (server, streams) = shop("mysql97", &scratch);
    run(
        &server,
        &[
            "CREATE TABLE shop.many (id INT PRIMARY KEY)",
            "INSERT INTO shop.many VALUES (1), (2), (3), (4), (5), (6), (7), (8)",
            "DELETE FROM shop.many",
            "INSERT INTO shop.many VALUES (1), (2), (3), (4), (5), (6), (7), (8)",
        ],
    );
    streams.catch_up(&server);
    let target = format!("mysql://root@127.0.0.1:{}/", server.port);
    let recover = [
        "recover",
        "--table",
        "many",
        "--event-type",
        "delete",
        "--target-dsn",
        &target,
    ];
    let again = "8 of them are alike: likely this was run before, or the rows came back since";
    streams.each(|stream| {
        let (printed, _) = told(stream, &[&recover[..], &["--dry-run"]].concat());
        assert_eq!(
            printed.matches("conflict: shop.many ").count(),
            5,
            "{printed}"
        );
        for line in [
            "conflict: and 3 more; --on-conflict skip lists them all\n",
            again,
            "conflicts: 8\n",
        ] {
            assert!(printed.contains(line), "{printed}");
        }
        let skip = ["--dry-run", "--on-conflict", "skip"];
        let (printed, _) = told(stream, &[&recover[..], &skip].concat());
        assert_eq!(
            printed.matches("conflict: shop.many ").count(),
            8,
            "{printed}"
        );
        assert_says(stream, &[&recover[..], &["--apply"]].concat(), again);
    });
    // One alone.
    let one = [&recover[..], &["--pk", "1", "--apply"]].concat();
    streams.each(|stream| {
        let hint =
            "conflict: 1 row is not as it should be, and nothing was changed; leave it alone with";
        assert_says(stream, &one, hint);
    });
    run(&server, &["DELETE FROM shop.many"]);
    streams.catch_up(&server);
    streams.each(|stream| {
        let (printed, _) = told(stream, &[&recover[..], &["--dry-run"]].concat());
        assert!(
            printed.contains(
                "8 of them are alike: likely the rows came, went or were changed more than once"
            ),
            "{printed}"
        );
    });
    streams.terminate();
}

#[test]
fn a_time_without_a_zone_is_said_to_be_taken_as_utc_where_the_clocks_show_another() {
    let scratch = Scratch::new();
    let (_server, streams) = shop("mysql97", &scratch);
    let said = |zone: &str, arguments: &[&str]| {
        let mut command = streams.on_mysql().command(arguments);
        let output = command.env("TZ", zone).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let zone = "CET-1CEST,M3.5.0,M10.5.0/3";
    for (flags, hint) in [
        (
            &[
                "query",
                "--since",
                "2026-07-25 09:00",
                "--until",
                "2026-07-26 09:00",
            ][..],
            "2026-07-25 09:00 is taken as UTC; write 2026-07-25T09:00+02:00 if it is the time of this machine\n",
        ),
        (
            &["recover", "--until", "2026-01-25"],
            "2026-01-25 is taken as UTC; write 2026-01-25T00:00+01:00 if",
        ),
        (
            &["show", "--table", "orders", "--at", "2026-03-29T12:00:00.5"],
            "write 2026-03-29T12:00:00.5+02:00 if",
        ),
    ] {
        let told = said(zone, flags);
        assert!(told.contains(hint), "{flags:?}: {told}");
        assert_eq!(told.matches("taken as UTC").count(), 1, "{told}");
        assert!(!said("UTC0", flags).contains("taken as UTC"));
    }
    assert!(said("NST3:30", &["query", "--since", "2026-07-25T09:00"]).contains("T09:00-03:30 if"));
    for time in [
        "2h",
        "2026-07-25T09:00Z",
        "2026-07-25 09:00+02:00",
        "2026-07-25 09:00 -05",
    ] {
        let told = said(zone, &["query", "--since", time]);
        assert!(!told.contains("taken as UTC"), "{time}: {told}");
    }
    streams.terminate();
}
