//! A person at the console in a real Chromium, beside a real source and a real stream: tests/browser/drive.mjs is what
//! the person does and sees; here is what happens to the source meanwhile.

// clippy.toml frees #[test] functions from these, but not the functions they share.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bintrail_testkit::server::Server;
use support::{Console, PASSWORD, Place, bintrail, command};

fn run(server: &Server, statements: &[&str]) {
    let mut client = server.client().unwrap();
    for sql in statements {
        client
            .run(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// `bintrail stream`, which is ended when this is dropped.
struct Stream(Child);

impl Stream {
    fn start(place: &Place, server: &Server, index: &str) -> Self {
        let log = File::options()
            .create(true)
            .append(true)
            .open(place.path("stream.log"))
            .unwrap();
        let dsn = format!("mysql://root@127.0.0.1:{}/", server.port);
        let child = Command::new(bintrail())
            .args(["stream", "--checkpoint", "1", "--source-dsn", &dsn])
            .args(["--index-dsn", index])
            .current_dir(place.path(""))
            .stderr(log)
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two transactions on a row, with values that scripts would round, and more rows than a page of the console has.
fn rows(server: &Server) {
    run(
        server,
        &[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, status VARCHAR(20), price DECIMAL(30,2), big BIGINT UNSIGNED, \
             note TEXT)",
            "CREATE TABLE shop.log (id INT PRIMARY KEY AUTO_INCREMENT, said TEXT)",
            "CREATE TABLE shop.items (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40), data BLOB)",
            "INSERT INTO shop.orders VALUES (1, 'new', 12345678901234567890.10, 18446744073709551615, NULL)",
            "BEGIN",
            "UPDATE shop.orders SET status = 'paid', note = '<b>\"late\"</b> & paid' WHERE id = 1",
            "INSERT INTO shop.log (said) VALUES ('paid')",
            "COMMIT",
            "DELETE FROM shop.orders WHERE id = 1",
            "INSERT INTO shop.items (name, data) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n \
             WHERE i < 120) SELECT CONCAT('item ', i), UNHEX(SHA2(i, 256)) FROM n",
        ],
    );
}

/// The server would see only with its next event that a replica is gone, and until then doctor sees one of its server id.
fn forget_replicas(server: &Server) {
    let mut client = server.client().unwrap();
    loop {
        let dumps = "SELECT CAST(id AS CHAR) FROM performance_schema.processlist WHERE command LIKE 'Binlog Dump%'";
        let found = client.strings(dumps).unwrap();
        if found.is_empty() {
            return;
        }
        for row in found {
            // One that ends by itself is as good.
            let _ = client.run(&format!("KILL {}", row[0]));
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// What `bintrail status` says of the index.
fn verdict(index: &str) -> String {
    let output = Command::new(bintrail())
        .args(["status", "--format", "json", "--index-dsn", index])
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    report["verdict"]["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn a_person_sees_what_happens() {
    let place = Place::new();
    let server = Server::start("mysql97", "console", &["--binlog-row-metadata=FULL"]).unwrap();
    let index = place.index();
    let mut stream = Some(Stream::start(&place, &server, &index));
    let console = Console::start(command(&place, &index).arg("--bintrail").arg(bintrail()));

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/browser");
    let mut browser = Command::new(script)
        .arg("drive.mjs")
        .env("CONSOLE_URL", format!("http://{}", console.address))
        .env("CONSOLE_SETUP", console.setup.as_deref().unwrap())
        .env("CONSOLE_PASSWORD", PASSWORD)
        .env("CONSOLE_SOURCE_PORT", server.port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = browser.stdin.take().unwrap();
    let mut seen = Vec::new();
    for line in BufReader::new(browser.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        println!("{line}");
        let Some(wanted) = line.strip_prefix("do ") else {
            seen.push(line);
            continue;
        };
        match wanted.split_once(' ').unwrap_or((wanted, "")) {
            ("rows", _) => rows(&server),
            ("another-row", _) => run(
                &server,
                &["INSERT INTO shop.orders (id, status) VALUES (2, 'new')"],
            ),
            ("status", expected) => assert_eq!(verdict(&index), expected),
            ("source-down", _) => server.stop().unwrap(),
            ("source-up", _) => server.restart().unwrap(),
            ("stream-down", _) => drop(stream.take()),
            ("stream-gone", _) => {
                drop(stream.take());
                forget_replicas(&server);
            }
            ("stream-up", _) => stream = Some(Stream::start(&place, &server, &index)),
            other => panic!("{other:?}"),
        }
        writeln!(answers, "done").unwrap();
    }
    let status = browser.wait().unwrap();
    assert!(status.success(), "{status}; the console: {}", console.log());
    assert_eq!(seen.last().map(String::as_str), Some("# all done"));
    drop(stream);
    // A page that was open at the end has not kept the password anywhere.
    assert!(!console.log().contains(PASSWORD));
}
