//! `bintrail recover --apply`: what it changes on the target and what it leaves alone, and what it says of it; and a
//! link that dies under it.

use std::thread::sleep;
use std::time::Duration;

use std::fs;
use std::process::Output;

use bintrail_testkit::client::Client;
use bintrail_testkit::proxy::{Break, Kind, Part, Proxy, Trap};
use bintrail_testkit::server::Server;

use crate::support::{PASSWORD, Scratch, Stream, index_server, run, source, source_of};

/// The transaction that is undone.
const BAD: [&str; 2] = ["--gtid", "00000000-0000-0000-0000-000000000001:7"];

const COM_QUERY: u8 = 3;

/// A shop whose orders one transaction spoiled, while others worked.
fn shop(server: &Server) -> [Client; 2] {
    run(
        server,
        &[
            &format!("CREATE USER mender IDENTIFIED BY '{PASSWORD}'"),
            "GRANT ALL ON shop.* TO mender",
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, status VARCHAR(20), total DECIMAL(10,2), code INT UNIQUE)",
            "CREATE TABLE shop.log (line TEXT)",
            "CREATE TABLE shop.names (name VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY)",
            "INSERT INTO shop.orders VALUES (1, 'new', 1, 1), (2, 'new', 2, 2), (3, 'new', 3, 3), (4, 'new', 4, 4)",
            "INSERT INTO shop.names VALUES ('Ann'), ('Bo')",
        ],
    );
    let mut client = server.client().unwrap();
    let mut other = server.client().unwrap();
    other
        .run("UPDATE shop.orders SET status = 'paid' WHERE id = 1")
        .unwrap();
    for sql in [
        "SET gtid_next = '00000000-0000-0000-0000-000000000001:7'",
        "BEGIN",
        "UPDATE shop.orders SET total = 0 WHERE id IN (1, 2)",
        "UPDATE shop.orders SET status = 'gone' WHERE id = 2",
        "DELETE FROM shop.orders WHERE id = 3",
        "INSERT INTO shop.log VALUES ('x'), ('x')",
        // The key's collation takes both for the same.
        "DELETE FROM shop.names WHERE name = 'Ann'",
        "INSERT INTO shop.names VALUES ('ANN')",
        "UPDATE shop.names SET name = 'BO' WHERE name = 'Bo'",
        "COMMIT",
        "SET gtid_next = AUTOMATIC",
    ] {
        client.run(sql).unwrap();
    }
    other
        .run("UPDATE shop.orders SET status = 'sent' WHERE id = 4")
        .unwrap();
    other
        .run("INSERT INTO shop.log VALUES ('x'), ('y')")
        .unwrap();
    [client, other]
}

/// All that the shop holds, as text.
fn state(client: &mut Client) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "SELECT CONCAT_WS(' ', id, status, total, code) FROM shop.orders ORDER BY id",
        "SELECT line FROM shop.log ORDER BY line",
        "SELECT name FROM shop.names ORDER BY name",
    ] {
        all.extend(
            client
                .strings(sql)
                .unwrap()
                .into_iter()
                .map(|row| row[0].clone()),
        );
    }
    all
}

struct Shop {
    scratch: Scratch,
    server: Server,
    stream: Stream,
}

impl Shop {
    fn open(keeper: Option<&Server>) -> (Self, [Client; 2]) {
        let scratch = Scratch::new();
        let server = source(&[]);
        let start = ["--start-file", "mysql-bin.000001"];
        let mut stream = Stream::new("shop", &server, keeper, &scratch, &start);
        stream.start();
        let clients = shop(&server);
        stream.catch_up(&server);
        fs::write(scratch.0.join("password"), PASSWORD).unwrap();
        let shop = Self {
            scratch,
            server,
            stream,
        };
        (shop, clients)
    }

    /// `recover` of the bad transaction against a port of the target.
    fn recover(&self, port: u16, more: &[&str]) -> Output {
        let password = self.scratch.0.join("password");
        let target = format!("mysql://mender@127.0.0.1:{port}/");
        let target = [
            "--target-dsn",
            &target,
            "--target-password-file",
            password.to_str().unwrap(),
        ];
        let arguments = [&["recover"][..], &BAD, &target, more].concat();
        let output = self.stream.command(&arguments).output().unwrap();
        for stream in [&output.stdout, &output.stderr] {
            assert!(!String::from_utf8_lossy(stream).contains(PASSWORD));
        }
        output
    }

    /// The same, which has to end with `code`; what it prints, and its error.
    fn ends(&self, code: i32, more: &[&str]) -> (String, String) {
        ends(self.recover(self.server.port, more), code)
    }
}

fn ends(output: Output, code: i32) -> (String, String) {
    let printed = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{printed}{error}");
    (printed, error)
}

const SPOILED: [&str; 9] = [
    "1 paid 0.00 1",
    "2 gone 0.00 2",
    "4 sent 4.00 4",
    "x",
    "x",
    "x",
    "y",
    "ANN",
    "BO",
];

const MENDED: [&str; 8] = [
    "1 paid 1.00 1",
    "2 new 2.00 2",
    "3 new 3.00 3",
    "4 sent 4.00 4",
    "x",
    "y",
    "Ann",
    "Bo",
];

/// With an index on a MySQL server.
#[test]
fn applied_it_undoes_one_transaction_and_leaves_alone_what_changed_since() {
    let keeper = index_server(&["--local-infile=ON"]);
    let (mut shop, [mut client, mut other]) = Shop::open(Some(&keeper));
    assert_eq!(state(&mut client), SPOILED);

    let (told, _) = shop.ends(0, &["--dry-run"]);
    for line in [
        "shop.orders: 4 statements on 3 rows: INSERT 1, UPDATE 3\n",
        "shop.log: 2 statements: DELETE 2\n",
        "shop.names: 3 statements on 3 rows: INSERT 1, UPDATE 1, DELETE 1\n",
        "first change: ",
        "conflicts: 0\n",
    ] {
        assert!(told.contains(line), "{told}");
    }
    assert_eq!(state(&mut client), SPOILED);
    let (told, _) = shop.ends(0, &["--apply"]);
    assert_eq!(
        told,
        "shop.log: 2 rows deleted\n\
         shop.names: 1 row inserted, 1 row updated, 1 row deleted\n\
         shop.orders: 1 row inserted, 3 rows updated\n\
         committed: 1 transaction\n"
    );
    assert_eq!(state(&mut client), MENDED);
    let (told, _) = shop.ends(0, &["--apply", "--redo", "--batch", "3"]);
    assert!(told.ends_with("committed: 3 transactions\n"), "{told}");
    assert_eq!(state(&mut client), SPOILED);

    // Somebody changes one of its rows, and takes another's key.
    other
        .run("UPDATE shop.orders SET status = 'GONE' WHERE id = 2")
        .unwrap();
    other
        .run("INSERT INTO shop.orders VALUES (3, 'other', 9, 9)")
        .unwrap();
    let now = state(&mut client);
    let (told, _) = shop.ends(0, &["--dry-run"]);
    for line in [
        "conflict: shop.orders 2: status is GONE and should be \"gone\" (change ",
        "conflict: shop.orders 3: its key is taken by another row (change ",
        "conflicts: 2\n",
    ] {
        assert!(told.contains(line), "{told}");
    }
    for batch in [&[][..], &["--batch", "1"]] {
        let (told, error) = shop.ends(42, &[&["--apply"], batch].concat());
        assert_eq!(told, "");
        assert!(
            error.contains("2 rows are not as they should be, and nothing was changed")
                && error.contains("status is GONE and should be"),
            "{error}"
        );
        assert_eq!(state(&mut client), now);
    }
    let (told, error) = shop.ends(43, &["--apply", "--on-conflict", "skip"]);
    assert!(told.contains("left alone: 3 row changes\n"), "{told}");
    assert!(error.contains("3 row changes were left alone"), "{error}");
    assert_eq!(
        state(&mut client),
        [
            "1 paid 1.00 1",
            "2 GONE 0.00 2",
            "3 other 9.00 9",
            "4 sent 4.00 4",
            "x",
            "y",
            "Ann",
            "Bo"
        ]
    );

    // Only the server sees that another key is taken: it is a conflict as well.
    for sql in [
        "DELETE FROM shop.orders",
        "INSERT INTO shop.orders VALUES (1, 'paid', 0, 1), (2, 'gone', 0, 2), (7, 'other', 7, 3)",
        "INSERT INTO shop.log VALUES ('x'), ('x')",
        "UPDATE shop.names SET name = UPPER(name)",
    ] {
        other.run(sql).unwrap();
    }
    let now = state(&mut client);
    let (_, error) = shop.ends(42, &["--apply"]);
    assert!(error.contains("Duplicate entry '3'"), "{error}");
    assert_eq!(state(&mut client), now);

    other.run("DELETE FROM shop.orders WHERE id = 7").unwrap();
    other
        .run("INSERT INTO shop.orders VALUES (3, 'other', 9, 9)")
        .unwrap();
    other
        .run("UPDATE shop.orders SET total = 5 WHERE id = 1")
        .unwrap();
    let (told, _) = shop.ends(0, &["--apply", "--on-conflict", "force"]);
    assert!(
        told.contains("total is 5.00 and should be \"0.00\"") && told.contains("taken"),
        "{told}"
    );
    assert_eq!(state(&mut client)[..3], MENDED[..3]);

    // A file is not written over, and nothing is done to tables without transactions.
    let path = shop.scratch.0.join("undo.sql");
    let output = ["--output", path.to_str().unwrap()];
    let (told, _) = shop.ends(0, &output);
    assert!(
        told.contains("written to ") && told.contains("statements on 3 rows"),
        "{told}"
    );
    let written = fs::read(&path).unwrap();
    let (_, error) = shop.ends(32, &output);
    assert!(error.contains("is there already"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), written);
    other.run("ALTER TABLE shop.log ENGINE = MyISAM").unwrap();
    let (_, error) = shop.ends(41, &["--apply"]);
    assert!(error.contains("shop.log (MyISAM)"), "{error}");
    shop.stream.terminate();
}

#[test]
fn a_target_that_dies_or_refuses_leaves_no_half_transaction() {
    let (mut shop, [mut client, mut other]) = Shop::open(None);
    let proxy = Proxy::start(shop.server.port, 1).unwrap();
    let plain = ["--target-ssl-mode", "disabled", "--apply"];
    run(
        &shop.server,
        &[&format!(
            "ALTER USER mender IDENTIFIED WITH caching_sha2_password BY '{PASSWORD}'"
        )],
    );
    // Once over TLS, so that the server knows the password.
    shop.ends(0, &["--dry-run"]);
    // At one statement after the other, from the first that changes a row to what comes behind the last.
    let mut broken = 0;
    for skip in 8..60 {
        proxy.trap(Trap {
            kind: Kind::Command(COM_QUERY),
            skip,
            part: Part::Before,
            how: Break::Reset,
        });
        let output = shop.recover(proxy.port, &plain);
        if output.status.success() {
            break;
        }
        let (_, error) = ends(output, 54);
        assert!(
            error.contains("the connection to the server is lost"),
            "{error}"
        );
        assert_eq!(state(&mut client), SPOILED, "{skip}: {error}");
        broken += 1;
    }
    assert!(broken > 9, "{broken}");
    assert_eq!(state(&mut client), MENDED);
    proxy.heal();

    // In parts, those that it says are committed are.
    shop.ends(0, &["--apply", "--redo"]);
    proxy.trap(Trap {
        kind: Kind::Command(COM_QUERY),
        skip: 8 + u64::try_from(broken).unwrap() - 3,
        part: Part::Before,
        how: Break::Fin,
    });
    let output = shop.recover(proxy.port, &[&plain[..], &["--batch", "2"]].concat());
    let (_, error) = ends(output, 54);
    assert!(error.contains("and nothing of the rest is done"), "{error}");
    let (_, error) = shop.ends(43, &["--apply", "--on-conflict", "skip"]);
    assert!(error.contains("left alone"), "{error}");
    // Of lines without a key nobody can tell which are done.
    for sql in [
        "DELETE FROM shop.log",
        "INSERT INTO shop.log VALUES ('x'), ('y')",
    ] {
        other.run(sql).unwrap();
    }
    assert_eq!(state(&mut client), MENDED);
    proxy.heal();

    // The answer to COMMIT is lost: it says so.
    shop.ends(0, &["--apply", "--redo"]);
    proxy.trap(Trap {
        kind: Kind::Command(COM_QUERY),
        skip: 8 + u64::try_from(broken).unwrap() - 1,
        part: Part::Behind,
        how: Break::Ghost,
    });
    let (_, error) = ends(shop.recover(proxy.port, &plain), 54);
    assert!(error.contains("is in is not known"), "{error}");
    proxy.heal();

    // The server has got it, and takes its time.
    for _ in 0..100 {
        if state(&mut client) == MENDED {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    assert_eq!(state(&mut client), MENDED);

    // Somebody holds a row, and an account that may not.
    run(&shop.server, &["SET GLOBAL innodb_lock_wait_timeout = 1"]);
    other.run("BEGIN").unwrap();
    other
        .run("UPDATE shop.orders SET total = total WHERE id = 1")
        .unwrap();
    other
        .run("SELECT * FROM shop.orders WHERE id = 1 FOR UPDATE")
        .unwrap();
    let (_, error) = shop.ends(55, &["--apply", "--redo"]);
    assert!(
        error.contains("Lock wait timeout") && error.contains("nothing was changed"),
        "{error}"
    );
    other.run("ROLLBACK").unwrap();
    assert_eq!(state(&mut client), MENDED);
    run(
        &shop.server,
        &[
            "REVOKE ALL ON shop.* FROM mender",
            "GRANT SELECT ON shop.* TO mender",
        ],
    );
    let (_, error) = shop.ends(53, &["--apply", "--redo"]);
    assert!(error.contains("GRANT SELECT, INSERT"), "{error}");
    run(&shop.server, &["ALTER USER mender IDENTIFIED BY 'other'"]);
    shop.ends(51, &["--apply", "--redo"]);
    assert_eq!(state(&mut client), MENDED);
    ends(shop.recover(1, &["--apply"]), 50);
    ends(
        shop.stream
            .command(&[&["recover"][..], &BAD, &["--apply"]].concat())
            .output()
            .unwrap(),
        2,
    );
    shop.stream.terminate();
}

#[test]
fn applied_it_undoes_on_mariadb() {
    let scratch = Scratch::new();
    let server = source_of("mariadb", &[]);
    let file = server.position().unwrap().0;
    let mut stream = Stream::new("maria", &server, None, &scratch, &["--start-file", &file]);
    stream.start();
    let mut client = server.client().unwrap();
    for sql in [
        "CREATE USER mender IDENTIFIED BY 'mend'",
        "GRANT ALL ON d.* TO mender",
        "CREATE DATABASE d",
        "CREATE TABLE d.t (id INT PRIMARY KEY, u UUID, d DOUBLE, t TEXT)",
        "INSERT INTO d.t VALUES (1, '01234567-89ab-4def-8123-456789abcdef', -1.5e-300, 'a')",
        "DELETE FROM d.t",
    ] {
        client.run(sql).unwrap();
    }
    stream.catch_up(&server);
    let dsn = format!("mender:mend@tcp(127.0.0.1:{})/", server.port);
    let told = stream.output(&[
        "recover",
        "--table",
        "t",
        "--event-type",
        "delete",
        "--apply",
        "--target-dsn",
        &dsn,
    ]);
    assert_eq!(told, "d.t: 1 row inserted\ncommitted: 1 transaction\n");
    assert_eq!(
        client
            .strings("SELECT CONCAT_WS(' ', id, u, d, t) FROM d.t")
            .unwrap(),
        [["1 01234567-89ab-4def-8123-456789abcdef -1.5e-300 a"]]
    );
    stream.terminate();
}
