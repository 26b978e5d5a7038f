//! What a stream tells of itself: `status`, metrics, alerts and the service manager, each state by all of them.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bintrail_testkit::proxy::{Flow, Proxy};
use serde_json::Value;

use crate::support::{PASSWORD, PATIENCE, Scratch, Stream, index_server, run, source};

const TABLE: [&str; 2] = [
    "CREATE DATABASE d",
    "CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, x INT)",
];

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The status and body of an answer; `None` when nobody answers.
fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn wait_for<T: std::fmt::Debug>(what: &str, mut look: impl FnMut() -> Result<(), T>) {
    let started = Instant::now();
    while let Err(seen) = look() {
        assert!(started.elapsed() < PATIENCE, "not {what}: {seen:?}");
        sleep(Duration::from_millis(200));
    }
}

/// A stream with metrics, and what looks at it.
struct Watched {
    stream: Stream,
    /// Of the index's server, past the proxy.
    index: String,
    metrics: u16,
}

impl Watched {
    /// What `status` says, and its exit code.
    fn status(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let output = self
            .stream
            .command(&["status", "--format", "json", "--index-dsn", &self.index])
            .args(arguments)
            .output()
            .unwrap();
        let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code(), report)
    }

    /// Waits until `status` gives this verdict, and returns what it says of the stream.
    fn has_verdict(&self, verdict: &str, arguments: &[&str]) -> Value {
        let mut source = Value::Null;
        wait_for(verdict, || {
            let (_, report) = self.status(arguments);
            source = report["sources"][0].clone();
            match &source["verdict"] {
                Value::String(found) if found == verdict => {
                    assert_eq!(report["verdict"]["verdict"], verdict, "{report}");
                    Ok(())
                }
                _ => Err(format!("{report}\n{}", self.stream.log())),
            }
        });
        source
    }

    /// The value of a metric, the sum of all that have the name and these labels.
    fn metric(&self, name: &str, labels: &str) -> f64 {
        let (_, text) = get(self.metrics, "/metrics").expect("metrics");
        let lines = text.lines().filter(|line| {
            line.starts_with(name)
                && line[name.len()..].starts_with(['{', ' '])
                && line.contains(labels)
        });
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    fn probe(&self, path: &str) -> u16 {
        get(self.metrics, path).expect("an answer").0
    }

    /// The lag of both, which have to rise from one look to the next.
    fn lag_rises(&self, direct: bool) {
        let look = || {
            let metric = self.metric("bintrail_stream_replication_lag_seconds", "");
            let (_, report) = self.status(&[]);
            let status = report["sources"][0]["stream"]["lag_seconds"].as_f64();
            (metric, status.unwrap_or(f64::NAN))
        };
        let mut told = look();
        wait_for("a lag that rises", || {
            let before = std::mem::replace(&mut told, look());
            let rises = told.0 > before.0 && (!direct || told.1 > before.1);
            if rises { Ok(()) } else { Err((before, told)) }
        });
    }
}

/// A Prometheus that scrapes the stream, and knows the alert rules.
struct Prometheus {
    port: u16,
    process: Child,
    alerts: String,
}

impl Prometheus {
    /// `None` where there are no packages of it.
    fn start(scratch: &Scratch, metrics: u16) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let tool = Command::new(root.join("scripts/servers"))
            .args(["tool", "prometheus", "prometheus"])
            .output()
            .unwrap();
        if !tool.status.success() {
            eprintln!(
                "SKIPPED the alerts: {}",
                String::from_utf8_lossy(&tool.stderr)
            );
            return None;
        }
        let program = String::from_utf8(tool.stdout).unwrap();
        let port = free_port();
        let directory = scratch.0.join("prometheus");
        fs::create_dir(&directory).unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n- job_name: bintrail\n  static_configs:\n  - targets: ['127.0.0.1:{metrics}']\n"
        );
        fs::write(directory.join("config.yml"), config).unwrap();
        let log = fs::File::create(directory.join("log")).unwrap();
        let process = Command::new(program.trim())
            .arg(format!("--config.file={}/config.yml", directory.display()))
            .arg(format!("--storage.tsdb.path={}/data", directory.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let alerts = fs::read_to_string(root.join("deploy/alerts.yml")).unwrap();
        let it = Self {
            port,
            process,
            alerts,
        };
        wait_for("a Prometheus", || match get(port, "/-/ready") {
            Some((200, _)) => Ok(()),
            other => Err(other),
        });
        Some(it)
    }

    /// The expression of an alert, with its waits made short.
    fn expression(&self, alert: &str) -> String {
        let rule = self
            .alerts
            .split(&format!("- alert: {alert}\n"))
            .nth(1)
            .unwrap();
        let rule = rule.split("labels:").next().unwrap();
        let text = rule.split("expr:").nth(1).unwrap();
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("for:") && *line != ">-");
        let text = lines.collect::<Vec<_>>().join(" ");
        text.replace("> 90", "> 20").replace("> 60", "> 2")
    }

    fn fires(&self, alert: &str) -> bool {
        let query: String = self
            .expression(alert)
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        let (status, body) = get(self.port, &format!("/api/v1/query?query={query}")).unwrap();
        assert_eq!(status, 200, "{body}");
        // Chunked, but for the length before it one line of JSON.
        let start = body.find('{').unwrap();
        let end = body.rfind('}').unwrap();
        let answer: Value = serde_json::from_str(&body[start..=end]).unwrap();
        !answer["data"]["result"].as_array().unwrap().is_empty()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Waits until just these alerts fire.
fn alerts(prometheus: Option<&Prometheus>, expected: &[&str]) {
    let Some(prometheus) = prometheus else { return };
    let all = [
        "BintrailStopped",
        "BintrailDisconnected",
        "BintrailStalled",
        "BintrailBehind",
        "BintrailGap",
        "BintrailSkipping",
    ];
    wait_for(&format!("{expected:?}"), || {
        let firing: Vec<_> = all
            .into_iter()
            .filter(|alert| prometheus.fires(alert))
            .collect();
        if firing == expected {
            Ok(())
        } else {
            Err(firing)
        }
    });
}

#[test]
fn each_state_is_told_alike_by_status_metrics_and_alerts() {
    let source = source(&["--log-bin-trust-function-creators=ON"]);
    let keeper = index_server(&[]);
    let scratch = Scratch::new();
    let to_source = Proxy::start(source.port, 1).unwrap();
    let to_index = Proxy::start(keeper.port, 2).unwrap();
    run(&source, &TABLE);
    let metrics = free_port();
    let address = format!("127.0.0.1:{metrics}");
    let stream = Stream::new(
        "watched",
        &source,
        Some(&keeper),
        &scratch,
        &["--metrics-addr", &address],
    )
    .through(&to_source, Some(&to_index));
    let mut it = Watched {
        stream,
        index: format!(
            "mysql://keeper:{PASSWORD}@127.0.0.1:{}/watched",
            keeper.port
        ),
        metrics,
    };
    let prometheus = Prometheus::start(&scratch, metrics);
    let prometheus = prometheus.as_ref();
    it.stream.start();
    it.stream.catch_up(&source);
    let insert = "INSERT INTO d.t (x) VALUES (1), (2), (3)";

    // Running.
    run(&source, &[insert]);
    it.stream.catch_up(&source);
    let told = it.has_verdict("ok", &[]);
    assert_eq!(told["stream"]["state"], "streaming");
    assert_eq!(told["coverage"]["row_changes"], 3);
    assert_eq!(it.metric("bintrail_stream_events_indexed_total", ""), 3.0);
    assert_eq!((it.probe("/healthz"), it.probe("/readyz")), (200, 200));
    let second = it
        .stream
        .command(&["stream", "--metrics-addr", &address])
        .output()
        .unwrap();
    let error = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(33), "{error}");
    assert!(error.contains("--metrics-addr"), "{error}");

    // Idle, for two heartbeats: nothing is late.
    let heartbeats = it.metric("bintrail_stream_events_received_total", "");
    wait_for("two heartbeats", || {
        let now = it.metric("bintrail_stream_events_received_total", "");
        if now >= heartbeats + 2.0 {
            Ok(())
        } else {
            Err(now)
        }
    });
    wait_for("no lag", || {
        let (_, report) = it.status(&["--fail-on-lag", "1s"]);
        let lags = (
            report["sources"][0]["stream"]["lag_seconds"].as_f64(),
            it.metric("bintrail_stream_replication_lag_seconds", ""),
        );
        if lags == (Some(0.0), 0.0) {
            Ok(())
        } else {
            Err(lags)
        }
    });
    it.has_verdict("ok", &[]);
    alerts(prometheus, &[]);

    // Behind: everything comes 4 seconds late.
    to_source.flow(Flow::Late(Duration::from_secs(4)));
    wait_for("an exit code for lag", || {
        run(&source, &[insert]);
        match it.status(&["--fail-on-lag", "2s"]) {
            (Some(4), report) if report["verdict"]["verdict"] == "behind" => Ok(()),
            other => Err(other),
        }
    });
    wait_for("a metric for lag", || {
        run(&source, &[insert]);
        let lag = it.metric("bintrail_stream_replication_lag_seconds", "");
        if lag > 2.0 { Ok(()) } else { Err(lag) }
    });
    to_source.flow(Flow::Pass);
    it.stream.catch_up(&source);
    it.has_verdict("ok", &["--fail-on-lag", "2s"]);

    // Stalled: the index does not answer, and nobody says so.
    to_index.flow(Flow::Stall);
    it.lag_rises(true);
    let told = it.has_verdict("stalled", &[]);
    assert_eq!(told["stream"]["state"], "stalled", "{told}");
    assert!(told["stream"]["writer"].is_string(), "{told}");
    wait_for("an unhealthy stream", || match it.probe("/healthz") {
        503 => Ok(()),
        other => Err(other),
    });
    assert_eq!(it.probe("/readyz"), 503);
    alerts(prometheus, &["BintrailStalled", "BintrailBehind"]);
    to_index.heal();
    it.stream.catch_up(&source);
    it.has_verdict("ok", &[]);
    alerts(prometheus, &[]);

    // The source is down.
    let errors = it.metric("bintrail_stream_errors_total", r#"type="source""#);
    source.stop().unwrap();
    let told = it.has_verdict("stalled", &[]);
    assert_eq!(told["stream"]["state"], "waiting", "{told}");
    let error = told["stream"]["last_error"].as_str().unwrap();
    assert!(error.contains("127.0.0.1"), "{error}");
    assert_eq!(it.metric("bintrail_stream_connected", ""), 0.0);
    assert!(it.metric("bintrail_stream_errors_total", r#"type="source""#) > errors);
    assert_eq!((it.probe("/healthz"), it.probe("/readyz")), (200, 503));
    it.lag_rises(true);
    alerts(prometheus, &["BintrailDisconnected", "BintrailBehind"]);
    source.restart().unwrap();
    it.stream.catch_up(&source);
    it.has_verdict("ok", &[]);
    assert!(it.metric("bintrail_stream_reconnects_total", "") >= 1.0);
    alerts(prometheus, &[]);

    // The index is down: only the stream itself can tell.
    keeper.stop().unwrap();
    wait_for("not ready", || match it.probe("/readyz") {
        503 => Ok(()),
        other => Err(other),
    });
    assert_eq!(it.status(&[]).0, Some(20));
    it.lag_rises(false);
    assert!(it.metric("bintrail_stream_errors_total", r#"type="index""#) > 0.0);
    keeper.restart().unwrap();
    it.stream.catch_up(&source);
    it.has_verdict("ok", &[]);

    // Skipping: a statement that changes rows without logging them.
    run(
        &source,
        &[
            "CREATE FUNCTION d.f(n INT) RETURNS INT DETERMINISTIC BEGIN INSERT INTO d.t (x) VALUES (n); RETURN n; END",
            "SET SESSION binlog_format = STATEMENT",
            "DO d.f(1)",
        ],
    );
    it.stream.catch_up(&source);
    let told = it.has_verdict("degraded", &[]);
    assert_eq!(told["capture_skips"]["statement_dml"]["count"], 1, "{told}");
    let skips = it.metric("bintrail_capture_skips_total", r#"reason="statement_dml""#);
    assert_eq!(skips, 1.0);
    alerts(prometheus, &["BintrailSkipping"]);

    // Stopped.
    it.stream.terminate();
    let told = it.has_verdict("stopped", &[]);
    assert_eq!(told["stream"]["state"], "stopped");
    assert_eq!(get(metrics, "/metrics"), None);
    assert_eq!(it.status(&["--fail-on-lag", "0s"]).0, Some(4));
    alerts(prometheus, &["BintrailStopped"]);

    // A gap: what came meanwhile is purged.
    run(
        &source,
        &[insert, "FLUSH BINARY LOGS", insert, "FLUSH BINARY LOGS"],
    );
    let (last, _) = source.position().unwrap();
    run(&source, &[&format!("PURGE BINARY LOGS TO '{last}'")]);
    it.stream.start();
    it.stream.catch_up(&source);
    let told = it.has_verdict("gap", &[]);
    assert!(
        told["coverage"]["gap"]["detail"]
            .as_str()
            .unwrap()
            .contains("purged")
    );
    assert_eq!(told["findings"][1]["verdict"], "degraded");
    assert_eq!(it.status(&["--fail-on-gap"]).0, Some(3));
    assert!(it.metric("bintrail_stream_gap_timestamp_seconds", "") > 1.7e9);
    alerts(prometheus, &["BintrailGap", "BintrailSkipping"]);
    // Somebody has taken note of it: it is shown still.
    assert_eq!(it.status(&[]).0, Some(3));
    assert_eq!(it.status(&["--acknowledge-gaps"]).0, Some(0));
    let told = it.has_verdict("degraded", &[]);
    assert!(told["coverage"]["gap"]["acknowledged"].is_string());
    assert_eq!(it.status(&[]).0, Some(0));
    // Killed, it leaves no lock behind.
    it.stream.kill();
    it.has_verdict("stopped", &[]);
    let text = it.stream.log();
    assert!(!text.contains(PASSWORD), "{text}");
}

/// Plays the service manager.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn next(&self) -> String {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("a message in time");
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// The messages up to the next one with this beginning.
    fn until(&self, start: &str) -> Vec<String> {
        let mut messages = Vec::new();
        while !messages
            .last()
            .is_some_and(|last: &String| last.starts_with(start))
        {
            messages.push(self.next());
        }
        messages
    }
}

#[test]
fn the_service_manager_hears_of_a_stream_that_moves_and_of_no_other() {
    let source = source(&[]);
    let keeper = index_server(&[]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    let to_source = Proxy::start(source.port, 1).unwrap();
    let to_index = Proxy::start(keeper.port, 2).unwrap();
    let path = scratch.0.join("notify");
    let manager = Manager {
        socket: UnixDatagram::bind(&path).unwrap(),
    };
    manager.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = Stream::new("served", &source, Some(&keeper), &scratch, &[])
        .through(&to_source, Some(&to_index))
        .knowing("NOTIFY_SOCKET", path.to_str().unwrap())
        .knowing("WATCHDOG_USEC", "6000000");
    stream.start();
    let begin = manager.until("READY=1");
    assert!(
        begin.iter().all(|message| !message.contains("streaming")),
        "{begin:?}"
    );
    // An idle source has heartbeats, and the stream its checkpoints.
    for _ in 0..4 {
        manager.until("WATCHDOG=1");
    }
    let status = manager.until("STATUS=streaming").pop().unwrap();
    assert!(status.contains("s behind"), "{status}");
    // The index hangs: whoever still counts as moving does so no longer once it is seen to have stalled.
    to_index.flow(Flow::Stall);
    manager.until("STATUS=stalled");
    let silent = manager.until("STATUS=stalled");
    assert_eq!(silent.len(), 1, "{silent:?}");
    to_index.heal();
    manager.until("WATCHDOG=1");
    manager.until("STATUS=streaming");
    stream.terminate();
    let end = manager.until("STOPPING=1");
    assert!(!end.concat().contains(PASSWORD), "{end:?}");
}
