//! A stream brought into each state there is, and everything that shows it: `bintrail status`, the stream's own metrics, those
//! of the console, its API, and the events that its page draws.

// clippy.toml frees #[test] functions from these, but not the functions they share.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bintrail_testkit::proxy::{Flow, Proxy};
use bintrail_testkit::server::Server;
use serde_json::{Value, json};
use support::{Answer, Console, Place, TOKEN, bintrail, command};

/// Longer than any state takes to come about.
const PATIENCE: Duration = Duration::from_secs(180);

fn run(server: &Server, statements: &[&str]) {
    let mut client = server.client().unwrap();
    for sql in statements {
        client
            .run(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// A registered server, its stream, and all who look at it.
struct Watched {
    console: Console,
    index: String,
    /// By which the stream alone goes to it.
    to_index: Proxy,
    /// Where the stream itself has its metrics.
    metrics: u16,
}

impl Watched {
    fn api(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let (status, answer) =
            self.console
                .json(method, &format!("/api/v1/servers{path}"), TOKEN, &body);
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    fn switch(&self, to: &str) {
        self.api("POST", &format!("/shop/stream/{to}"), &Value::Null);
    }

    /// `bintrail status`: its exit code where it has no report.
    fn status(&self) -> String {
        let output = Command::new(bintrail())
            .args(["status", "--format", "json", "--index-dsn", &self.index])
            .output()
            .unwrap();
        match serde_json::from_slice::<Value>(&output.stdout) {
            Ok(report) => state(&report["sources"][0]["state"]),
            Err(_) => format!("exit {:?}", output.status.code()),
        }
    }

    /// The states of all that `bintrail status` says.
    fn findings(&self) -> Vec<String> {
        let output = Command::new(bintrail())
            .args(["status", "--format", "json", "--index-dsn", &self.index])
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["sources"][0]["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|finding| state(&finding["state"]))
            .collect()
    }

    /// The state for which a metric is 1; none where nobody answers.
    fn own_metrics(&self) -> String {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.metrics)) else {
            return "nobody".to_owned();
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let is =
            lines.find(|line| line.starts_with("bintrail_stream_state{") && line.ends_with(" 1"));
        label(is.unwrap_or_default())
    }

    /// Those of the console: of the source, of the server, and whether the index is there.
    fn console_metrics(&self) -> [String; 3] {
        let bearer = format!("Bearer {TOKEN}");
        let answer: Answer = self.console.get("/metrics", &[("authorization", &bearer)]);
        assert_eq!(answer.status, 200, "{answer:?}");
        [
            "bintrail_source_state{",
            "bintrail_server_state{",
            "bintrail_console_index_up",
        ]
        .map(|name| {
            let mut lines = answer.body.lines();
            let is = lines.find(|line| line.starts_with(name) && line.ends_with(" 1"));
            is.map(label).unwrap_or_default()
        })
    }

    /// What `/api/v1/status` has.
    fn report(&self) -> String {
        match self.console.json("GET", "/api/v1/status", TOKEN, "") {
            (200, report) => state(&report["sources"][0]["state"]),
            (503, trouble) => {
                assert!(trouble["error"].is_string(), "{trouble}");
                "trouble".to_owned()
            }
            other => panic!("{other:?}"),
        }
    }

    /// What the page of the streams draws next.
    fn page(&self) -> String {
        let mut stream = TcpStream::connect(self.console.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET /api/v1/live HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\n\r\n",
            self.console.address
        )
        .unwrap();
        let mut event = String::new();
        for line in BufReader::new(stream).lines().map(Result::unwrap) {
            if let Some(name) = line.strip_prefix("event: ") {
                event = name.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                match &*event {
                    "trouble" => return event,
                    "status" => {
                        let report: Value = serde_json::from_str(data).unwrap();
                        return state(&report["sources"][0]["state"]);
                    }
                    _ => {}
                }
            }
        }
        panic!("the events have ended")
    }

    /// All of them, with what each has of it.
    fn seen(&self) -> [(&'static str, String); 8] {
        let server = self.api("GET", "/shop/status", &Value::Null);
        let [of_source, of_server, index_up] = self.console_metrics();
        [
            ("bintrail status", self.status()),
            ("the stream's metrics", self.own_metrics()),
            ("the source's metric", of_source),
            ("the server's metric", of_server),
            ("the index's metric", index_up),
            ("the API's report", self.report()),
            ("the API's server", state(&server["state"])),
            ("the page", self.page()),
        ]
    }

    /// Waits until all show `state` in one look; where some show it otherwise, `but` says how.
    fn all_show(&self, state: &str, but: &[(&str, &str)], mut meanwhile: impl FnMut()) {
        let expected = |who: &str| match (but.iter().find(|(name, _)| *name == who), who) {
            (Some((_, word)), _) => (*word).to_owned(),
            (None, "the index's metric") => "up".to_owned(),
            (None, _) => state.to_owned(),
        };
        let begun = Instant::now();
        loop {
            meanwhile();
            let seen = self.seen();
            if seen.iter().all(|(who, shown)| *shown == expected(who)) {
                println!("{state}: by all");
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{state}: {seen:?}\n{}",
                self.console.log()
            );
            sleep(Duration::from_millis(200));
        }
    }
}

/// Has the source end the stream's connection.
fn end_dump(source: &Server) {
    let mut client = source.client().unwrap();
    let dumps = "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'";
    for row in client.strings(dumps).unwrap() {
        client.run(&format!("KILL {}", row[0])).unwrap();
    }
}

fn state(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The label `state` of a sample; `up` of one without.
fn label(line: impl AsRef<str>) -> String {
    let line = line.as_ref();
    match line.split_once("state=\"") {
        Some((_, rest)) => rest.split('"').next().unwrap().to_owned(),
        None if line.is_empty() => String::new(),
        None => "up".to_owned(),
    }
}

fn start() -> (Server, Server, Watched, Place) {
    // Its statements may say when they are committed.
    let source = Server::start(
        "mysql56",
        "states",
        &["--log-bin-trust-function-creators=ON"],
    )
    .unwrap();
    let keeper = Server::start("mysql97", "keeper", &["--local-infile=ON"]).unwrap();
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, x INT)",
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO capture",
        ],
    );
    let place = Place::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = free.local_addr().unwrap().port();
    drop(free);
    let to_index = Proxy::start(keeper.port, 1).unwrap();
    let at = |port| format!("mysql://root@127.0.0.1:{port}/states");
    let program = place.program(
        "bin/bintrail",
        &format!(
            "BINTRAIL_INDEX_DSN={} exec {} \"$@\" --metrics-addr 127.0.0.1:{metrics}",
            at(to_index.port),
            bintrail().display()
        ),
    );
    let index = at(keeper.port);
    let file = place.path("token");
    std::fs::write(&file, TOKEN).unwrap();
    let mut command = command(&place, &index);
    command
        .arg("--token-file")
        .arg(&file)
        .arg("--bintrail")
        .arg(program);
    let watched = Watched {
        console: Console::start(&mut command),
        index,
        to_index,
        metrics,
    };
    let shop = json!({
        "server_id": "shop", "host": "127.0.0.1", "port": source.port, "user": "capture",
        "parameters": { "checkpoint_interval": 1 },
    });
    watched.api("POST", "", &shop);
    watched.switch("start");
    (source, keeper, watched, place)
}

#[test]
fn each_state_is_shown_alike_by_all() {
    let (source, keeper, it, _place) = start();
    let insert = "INSERT INTO d.t (x) VALUES (1), (2)";

    it.all_show("idle", &[], || {});
    it.all_show("running", &[], || run(&source, &[insert]));

    // What it reads was committed long ago.
    let old = "SET timestamp = UNIX_TIMESTAMP() - 3600";
    it.all_show("behind", &[], || run(&source, &[old, insert]));

    // The index does not answer the stream, and nobody says so.
    it.to_index.flow(Flow::Stall);
    it.all_show("stalled", &[], || run(&source, &[insert]));
    it.to_index.heal();
    it.all_show("running", &[], || run(&source, &[insert]));

    source.stop().unwrap();
    it.all_show("source_down", &[], || {});
    source.restart().unwrap();
    it.all_show("running", &[], || run(&source, &[insert]));

    run(&source, &["REVOKE REPLICATION SLAVE ON *.* FROM capture"]);
    end_dump(&source);
    it.all_show("no_access", &[], || {});
    run(&source, &["GRANT REPLICATION SLAVE ON *.* TO capture"]);
    it.all_show("running", &[], || run(&source, &[insert]));

    keeper.stop().unwrap();
    let unread = [
        ("bintrail status", "exit Some(20)"),
        ("the source's metric", ""),
        ("the index's metric", ""),
        ("the API's report", "trouble"),
        ("the page", "trouble"),
    ];
    it.all_show("index_down", &unread, || {});
    keeper.restart().unwrap();
    it.all_show("running", &[], || run(&source, &[insert]));

    run(
        &source,
        &[
            "CREATE FUNCTION d.f(n INT) RETURNS INT DETERMINISTIC BEGIN INSERT INTO d.t (x) VALUES (n); RETURN n; END",
            "SET SESSION binlog_format = STATEMENT",
            "DO d.f(1)",
        ],
    );
    it.all_show("skipping", &[], || {});

    it.switch("stop");
    let nobody = [("the stream's metrics", "nobody")];
    it.all_show("stopped", &nobody, || {});

    // What comes meanwhile is purged.
    run(&source, &[insert, "FLUSH LOGS", insert, "FLUSH LOGS"]);
    let (last, _) = source.position().unwrap();
    run(&source, &[&format!("PURGE BINARY LOGS TO '{last}'")]);
    it.switch("start");
    it.all_show("gap", &[], || {});

    // Each time that it streams, it is killed.
    it.all_show("crash_looping", &nobody, || {
        let stream = it.api("GET", "/shop/stream", &Value::Null);
        if it.own_metrics() == "gap"
            && let Some(pid) = stream["pid"].as_u64()
        {
            let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
            assert!(killed.unwrap().success());
        }
    });
    // It goes on, and is told to stop: that is no crash.
    let begun = Instant::now();
    while it.own_metrics() != "gap" && begun.elapsed() < PATIENCE {
        sleep(Duration::from_millis(200));
    }
    // What it does at this moment stands behind that it has ended so often.
    assert_eq!(it.findings(), ["crash_looping", "gap", "skipping"]);
    it.switch("stop");
    it.all_show("stopped", &nobody, || {});
}
