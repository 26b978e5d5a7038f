//! The control plane with a real source: servers are registered, their streams run as processes of the console, outlive it,
//! and say what is wrong.

// clippy.toml frees #[test] functions from these, but not the functions they share.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bintrail_testkit::server::Server;
use serde_json::{Value, json};
use support::{Console, Place, TOKEN, bintrail, command};

fn start(place: &Place, index: &str) -> Console {
    let file = place.path("token");
    std::fs::write(&file, TOKEN).unwrap();
    let mut command = command(place, index);
    command
        .arg("--token-file")
        .arg(&file)
        .arg("--bintrail")
        .arg(bintrail())
        .env("BINTRAIL_PASSWORD_WRONG", "not the password");
    Console::start(&mut command)
}

fn ok(console: &Console, method: &str, path: &str, body: &Value) -> Value {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let (status, answer) = console.json(method, &format!("/api/v1{path}"), TOKEN, &body);
    assert!(
        (200..300).contains(&status),
        "{method} {path}: {status} {answer}"
    );
    answer
}

fn until(console: &Console, path: &str, is: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..1_200 {
        last = ok(console, "GET", path, &Value::Null);
        if is(&last) {
            return last;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{path}: {last}; {}", console.log());
}

fn run(server: &Server, statements: &[&str]) {
    let mut client = server.client().unwrap();
    for sql in statements {
        client
            .run(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// The keys of the row changes of a table, in their order.
fn keys(console: &Console, table: &str) -> Vec<String> {
    let found = ok(
        console,
        "GET",
        &format!("/events?order=asc&table={table}"),
        &Value::Null,
    );
    let keys = found["events"].as_array().unwrap().iter();
    keys.map(|event| event["pk_values"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn streams_are_kept_as_they_are_wanted() {
    let place = Place::new();
    let index = place.index();
    let server = Server::start("mysql97", "control", &["--binlog-row-metadata=FULL"]).unwrap();
    run(
        &server,
        &[
            "CREATE USER trail@'%' IDENTIFIED BY 's3cret-word'",
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO trail@'%'",
            "CREATE DATABASE shop",
            "CREATE TABLE shop.a (id INT PRIMARY KEY)",
            "CREATE TABLE shop.b (id INT PRIMARY KEY)",
        ],
    );
    let console = start(&place, &index);
    let mut shop = json!({
        "server_id": "shop", "name": "Shop", "host": "127.0.0.1", "port": server.port, "user": "trail",
        "password": "s3cret-word", "parameters": { "checkpoint_interval": 1 },
    });
    // Tried first, and nothing of it is kept.
    let trial = ok(&console, "POST", "/servers/test", &shop);
    assert_eq!(trial["ready"], true, "{trial}");
    shop["password"] = "wrong".into();
    let trial = ok(&console, "POST", "/servers/test", &shop);
    assert_eq!(trial["ready"], false);
    assert!(trial["sources"].to_string().contains("ccess"), "{trial}");
    assert_eq!(
        ok(&console, "GET", "/servers", &Value::Null)["servers"],
        json!([])
    );
    assert_eq!(
        ok(&console, "GET", "/audit", &Value::Null)["audit"],
        json!([])
    );
    shop["password"] = "s3cret-word".into();

    ok(&console, "POST", "/servers", &shop);
    ok(&console, "POST", "/servers/shop/stream/start", &Value::Null);
    let done = until(&console, "/servers/shop/onboarding-status", |seen| {
        seen["state"] == "done"
    });
    for step in done["steps"].as_array().unwrap() {
        assert!(step["at"].is_string() && step["error"].is_null(), "{done}");
    }
    run(
        &server,
        &[
            "INSERT INTO shop.a VALUES (1)",
            "INSERT INTO shop.b VALUES (1)",
        ],
    );
    until(&console, "/events?table=b", |seen| {
        seen["events"].as_array().unwrap().len() == 1
    });
    assert_eq!(
        ok(&console, "GET", "/servers/shop/status", &Value::Null)["verdict"],
        "ok"
    );

    // With other parameters it goes on where it was.
    let change = json!({ "parameters": { "tables": ["shop.a"] } });
    let was = ok(&console, "GET", "/servers/shop/stream", &Value::Null);
    ok(&console, "PATCH", "/servers/shop", &change);
    until(&console, "/servers/shop/stream", |seen| {
        seen["state"] == "running" && seen["pid"] != was["pid"]
    });
    run(
        &server,
        &[
            "INSERT INTO shop.b VALUES (2)",
            "INSERT INTO shop.a VALUES (2)",
        ],
    );
    until(&console, "/events?table=a", |seen| {
        seen["events"].as_array().unwrap().len() == 2
    });
    assert_eq!(keys(&console, "b"), ["1"]);

    // Nothing is seen of the password: not among the arguments, nor in files, nor in the log.
    let stream = ok(&console, "GET", "/servers/shop/stream", &Value::Null);
    let arguments = std::fs::read(format!("/proc/{}/cmdline", stream["pid"])).unwrap();
    assert!(String::from_utf8_lossy(&arguments).ends_with("bintrail\0stream\0"));
    let found = Command::new("grep")
        .args(["-rl", "s3cret-word"])
        .arg(place.path(""))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    assert!(!console.log().contains("s3cret-word"));

    // A console that is killed leaves its streams alone, and the next one finds them.
    console.kill();
    run(&server, &["INSERT INTO shop.a VALUES (3)"]);
    let console = start(&place, &index);
    let again = ok(&console, "GET", "/servers/shop/stream", &Value::Null);
    assert_eq!(
        (&again["state"], &again["pid"]),
        (&"running".into(), &stream["pid"])
    );
    until(&console, "/events?table=a", |seen| {
        seen["events"].as_array().unwrap().len() == 3
    });

    // A source that is away is no crash.
    server.stop().unwrap();
    let stalled = until(&console, "/servers/shop/status", |seen| {
        seen["verdict"] == "stalled"
    });
    assert_eq!(stalled["stream"]["state"], "running");
    server.restart().unwrap();
    until(&console, "/servers/shop/status", |seen| {
        seen["verdict"] == "ok"
    });

    // A wrong password is told, and waits for another one.
    ok(
        &console,
        "PATCH",
        "/servers/shop",
        &json!({ "password_env": "BINTRAIL_PASSWORD_WRONG" }),
    );
    let failed = until(&console, "/servers/shop/status", |seen| {
        seen["verdict"] == "failed"
    });
    assert_eq!(failed["stream"]["last_exit"], "it ended with 11");
    std::fs::create_dir(place.path("passwords")).unwrap();
    std::fs::write(place.path("passwords/shop"), "s3cret-word\n").unwrap();
    ok(
        &console,
        "PATCH",
        "/servers/shop",
        &json!({ "password_file": "shop" }),
    );
    until(&console, "/servers/shop/status", |seen| {
        seen["verdict"] == "ok"
    });
    run(&server, &["INSERT INTO shop.a VALUES (4)"]);
    until(&console, "/events?table=a", |seen| {
        seen["events"].as_array().unwrap().len() == 4
    });
    assert_eq!(keys(&console, "a"), ["1", "2", "3", "4"]);

    let stopped = ok(&console, "POST", "/servers/shop/stream/stop", &Value::Null);
    let stopped = match stopped["state"] == "stopped" {
        true => stopped,
        false => until(&console, "/servers/shop/stream", |seen| {
            seen["state"] == "stopped"
        }),
    };
    assert_eq!(stopped["last_exit"], "it ended with 0");
    assert_eq!(
        ok(&console, "GET", "/servers/shop/status", &Value::Null)["verdict"],
        "stopped"
    );
}

/// schemathesis makes requests of the API's own description, and holds the answers against it.
#[test]
fn the_api_is_what_its_document_says() {
    let place = Place::new();
    let index = place.index();
    let file = place.path("token");
    std::fs::write(&file, TOKEN).unwrap();
    // What is registered at random is started, too: by a program that does nothing.
    let program = place.program("bin/bintrail", "exec sleep 1000");
    let mut command = command(&place, &index);
    command
        .arg("--token-file")
        .arg(&file)
        .arg("--bintrail")
        .arg(program);
    let console = Console::start(&mut command);
    let shop = json!({ "server_id": "0", "host": "127.0.0.1", "port": 1, "user": "u" });
    ok(&console, "POST", "/servers", &shop);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/api-test");
    let status = Command::new(script)
        .arg(format!("http://{}", console.address))
        .env("CONSOLE_TOKEN", TOKEN)
        .status()
        .unwrap();
    assert!(status.success(), "{status}; the console: {}", console.log());
    assert!(!console.log().contains("ERROR"), "{}", console.log());
    // It is still there, and ends what it has started.
    for server in ok(&console, "GET", "/servers", &Value::Null)["servers"]
        .as_array()
        .unwrap()
    {
        let path = format!("/servers/{}", server["server_id"].as_str().unwrap());
        assert_eq!(
            console
                .json("DELETE", &format!("/api/v1{path}"), TOKEN, "")
                .0,
            204
        );
        until(&console, &format!("{path}/stream"), |seen| {
            seen["state"] == "stopped"
        });
    }
}
