//! The control plane through its API: with programs in the place of `bintrail` and `systemctl` that tell what they were
//! asked to do. No systemd runs where these tests do.

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
use std::time::Duration;

use serde_json::Value;
use support::{Console, Place, TOKEN, command, looking, mode_of};

const SHOP: &str = r#"{"server_id":"shop","name":"Shop","host":"127.0.0.1","port":1,"user":"u","password":"p@ss$w\"rd",
    "parameters":{"tables":["shop.orders"],"checkpoint_interval":5}}"#;

/// Writes what it is started with, and runs until it is told to end.
const RUNS: &str = "env > env.new; mv env.new env; exec sleep 1000";

fn console(place: &Place, index: &str, program: &Path) -> Console {
    let file = place.path("token");
    std::fs::write(&file, TOKEN).unwrap();
    let mut command = command(place, index);
    command
        .arg("--token-file")
        .arg(&file)
        .arg("--bintrail")
        .arg(program);
    Console::start(&mut command)
}

fn ask(console: &Console, method: &str, path: &str, body: &str) -> (u16, Value) {
    console.json(method, &format!("/api/v1{path}"), TOKEN, body)
}

fn ok(console: &Console, method: &str, path: &str, body: &str) -> Value {
    let (status, answer) = ask(console, method, path, body);
    assert!(
        (200..300).contains(&status),
        "{method} {path}: {status} {answer}"
    );
    answer
}

/// Asks until it is so.
fn until(console: &Console, path: &str, is: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..600 {
        last = ok(console, "GET", path, "");
        if is(&last) {
            return last;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{path}: {last}");
}

fn read(path: &Path) -> String {
    for _ in 0..600 {
        if let Ok(text) = std::fs::read_to_string(path) {
            return text;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{}", path.display());
}

#[test]
fn a_server_is_registered_changed_and_decommissioned() {
    let place = Place::new();
    let index = place.index();
    let program = place.program("bin/bintrail", RUNS);
    let console = console(&place, &index, &program);
    let made = ok(&console, "POST", "/servers", SHOP);
    assert_eq!(made["server_id"], "shop");
    assert_eq!(made["password_kind"], "sealed");
    assert_eq!(made["parameters"]["checkpoint_interval"], 5);
    assert_eq!(made["parameters"]["batch_size"], 1000);
    assert_eq!(made["parameters"]["ssl_mode"], "preferred");
    assert_eq!(made["stream"]["state"], "stopped");
    for (body, status) in [
        (SHOP.to_owned(), 409),
        (SHOP.replace("\"shop\"", "\"other\""), 409),
        (SHOP.replace("\"port\":1", "\"port\":0"), 400),
        (SHOP.replace("\"port\":1", "\"port\":65536"), 422),
        (SHOP.replace("\"user\":\"u\",", ""), 422),
        (
            SHOP.replace("checkpoint_interval\":5", "checkpoint_interval\":3601"),
            400,
        ),
        (SHOP.replace("\"shop\"", "\"../shop\""), 400),
        ("{".to_owned(), 400),
        ("[]".to_owned(), 422),
    ] {
        assert_eq!(ask(&console, "POST", "/servers", &body).0, status, "{body}");
    }
    // Doctor has looked meanwhile: nobody listens there.
    let onboarding = until(&console, "/servers/shop/onboarding-status", |seen| {
        seen["steps"][1]["state"] == "failed"
    });
    assert_eq!(onboarding["steps"][0]["state"], "done");
    assert_eq!(onboarding["steps"][2]["state"], "pending");
    assert!(
        onboarding["steps"][1]["error"]
            .as_str()
            .unwrap()
            .contains("127.0.0.1:1"),
        "{onboarding}"
    );

    let started = ok(&console, "POST", "/servers/shop/stream/start", "");
    assert_eq!(started["state"], "running");
    let env = read(&place.path("bintrail-streams/shop/env"));
    assert!(
        env.contains("BINTRAIL_SOURCE_DSN=mysql://u:p%40ss%24w%22rd@127.0.0.1:1/\n"),
        "{env}"
    );
    assert!(
        env.contains(&format!("BINTRAIL_INDEX_DSN={index}\n")),
        "{env}"
    );
    assert!(
        env.contains("BINTRAIL_TABLES=shop.orders\n") && env.contains("BINTRAIL_CHECKPOINT=5\n")
    );
    assert!(!env.contains("BINTRAIL_CONSOLE") && !env.contains("BINTRAIL_BATCH_SIZE"));
    // Its arguments tell nothing.
    let pid = started["pid"].as_u64().unwrap();
    let status = ok(&console, "GET", "/servers/shop/status", "");
    assert_eq!(status["verdict"], "starting");
    // To be started again is nothing.
    assert_eq!(
        ok(&console, "POST", "/servers/shop/stream/start", "")["pid"],
        pid
    );

    // A name is nothing that a stream is started with; a table is.
    let renamed = ok(&console, "PATCH", "/servers/shop", r#"{"name":"The shop"}"#);
    assert_eq!(
        (&renamed["name"], &renamed["stream"]["pid"]),
        (&"The shop".into(), &pid.into())
    );
    std::fs::remove_file(place.path("bintrail-streams/shop/env")).unwrap();
    let change = r#"{"parameters":{"tables":null,"batch_size":7}}"#;
    let changed = ok(&console, "PATCH", "/servers/shop", change);
    assert_eq!(changed["parameters"]["tables"], Value::Array(Vec::new()));
    assert_eq!(changed["parameters"]["checkpoint_interval"], 5);
    let again = until(&console, "/servers/shop/stream", |seen| {
        seen["state"] == "running" && seen["pid"] != pid
    });
    assert_eq!(again["restarts"], 0);
    let env = read(&place.path("bintrail-streams/shop/env"));
    assert!(env.contains("BINTRAIL_BATCH_SIZE=7\n") && !env.contains("BINTRAIL_TABLES"));

    let stopped = ok(&console, "POST", "/servers/shop/stream/stop", "");
    assert_eq!(
        (&stopped["state"], &stopped["wanted"]),
        (&"stopped".into(), &false.into())
    );
    ok(&console, "POST", "/servers/shop/stream/start", "");
    assert_eq!(ask(&console, "DELETE", "/servers/shop", "").0, 204);
    until(&console, "/servers/shop/stream", |seen| {
        seen["state"] == "stopped"
    });
    for (method, path) in [
        ("DELETE", "/servers/shop"),
        ("POST", "/servers/shop/stream/start"),
    ] {
        assert_eq!(ask(&console, method, path, "").0, 409, "{path}");
    }
    assert_eq!(ask(&console, "PATCH", "/servers/shop", "{}").0, 409);
    assert_eq!(
        ok(&console, "GET", "/servers", "")["servers"],
        Value::Array(Vec::new())
    );
    let all = ok(&console, "GET", "/servers?decommissioned=true", "");
    assert_eq!(all["servers"][0]["password_kind"], "none");
    assert_eq!(ask(&console, "POST", "/servers", SHOP).0, 409);

    let audit = ok(&console, "GET", "/audit", "");
    let did: Vec<&str> = audit["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        did,
        [
            "decommission_server",
            "start_stream",
            "stop_stream",
            "change_server",
            "change_server",
            "start_stream",
            "register_server"
        ]
    );
    assert_eq!(audit["audit"][0]["who"], "token-file");
    assert!(!audit.to_string().contains("p@ss") && !console.log().contains("p@ss"));
}

#[test]
fn streams_outlive_a_console_that_is_killed() {
    let place = Place::new();
    let index = place.index();
    let program = place.program("bin/bintrail", RUNS);
    let first = console(&place, &index, &program);
    ok(&first, "POST", "/servers", SHOP);
    let started = ok(&first, "POST", "/servers/shop/stream/start", "");
    assert_eq!(started["state"], "running");
    // Two on the same store would fight over the streams.
    let file = place.path("token");
    let second = command(&place, &index)
        .arg("--token-file")
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2), "{second:?}");
    // An address that is taken may be free again, which is for a service manager to try.
    let second = support::command_at(&first.address.to_string(), &place, &index)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(33), "{second:?}");
    first.kill();
    let next = console(&place, &index, &program);
    let seen = ok(&next, "GET", "/servers/shop/stream", "");
    assert_eq!(
        (&seen["state"], &seen["pid"], &seen["since"]),
        (&started["state"], &started["pid"], &started["since"])
    );
    let stopped = ok(&next, "POST", "/servers/shop/stream/stop", "");
    assert_eq!(stopped["state"], "stopped");
    assert!(!Path::new(&format!("/proc/{}/cwd", started["pid"])).exists());
    // One that is not wanted is not started by the next console either.
    drop(next);
    let last = console(&place, &index, &program);
    assert_eq!(
        ok(&last, "GET", "/servers/shop/stream", "")["state"],
        "stopped"
    );
}

/// A console that is killed between the start of a stream and writing that down.
#[test]
fn a_stream_that_was_not_written_down_is_found() {
    let place = Place::new();
    let index = place.index();
    let program = place.program("bin/bintrail", "while :; do sleep 0.1; done");
    let first = console(&place, &index, &program);
    ok(&first, "POST", "/servers", SHOP);
    let started = ok(&first, "POST", "/servers/shop/stream/start", "");
    first.kill();
    let store = rusqlite::Connection::open(place.path("console.db")).unwrap();
    let forgot = "UPDATE attempts SET process = NULL";
    assert_eq!(store.execute(forgot, []).unwrap(), 1);
    drop(store);
    let next = console(&place, &index, &program);
    let seen = ok(&next, "GET", "/servers/shop/stream", "");
    assert_eq!(
        (&seen["state"], &seen["pid"]),
        (&"running".into(), &started["pid"])
    );
    let stopped = ok(&next, "POST", "/servers/shop/stream/stop", "");
    assert_eq!(stopped["state"], "stopped");
    assert!(!Path::new(&format!("/proc/{}/cwd", started["pid"])).exists());
}

#[test]
fn a_crash_loop_and_a_lasting_fault_are_told_apart() {
    let place = Place::new();
    let index = place.index();
    let program = place.program(
        "bin/bintrail",
        "case $BINTRAIL_SOURCE_DSN in *:2/) echo 'bintrail: access denied' >&2; exit 11;; esac\n\
         echo 'bintrail: the index is full' >&2; exit 25",
    );
    let console = console(&place, &index, &program);
    ok(&console, "POST", "/servers", SHOP);
    ok(
        &console,
        "POST",
        "/servers",
        &SHOP
            .replace("\"shop\"", "\"till\"")
            .replace("\"port\":1", "\"port\":2"),
    );
    for id in ["shop", "till"] {
        ok(&console, "POST", &format!("/servers/{id}/stream/start"), "");
    }
    let failed = until(&console, "/servers/till/status", |seen| {
        seen["verdict"] == "failed"
    });
    assert!(
        failed["detail"].as_str().unwrap().contains("access denied"),
        "{failed}"
    );
    let looping = until(&console, "/servers/shop/status", |seen| {
        seen["verdict"] == "crash_looping"
    });
    assert!(
        looping["detail"]
            .as_str()
            .unwrap()
            .contains("the index is full"),
        "{looping}"
    );
    assert_eq!(looping["stream"]["last_exit"], "it ended with 25");
    let step = until(&console, "/servers/shop/onboarding-status", |seen| {
        seen["steps"][2]["state"] == "failed"
    });
    assert_eq!(step["steps"][2]["error"], "the index is full");
    for id in ["shop", "till"] {
        assert_eq!(
            ok(&console, "POST", &format!("/servers/{id}/stream/stop"), "")["state"],
            "stopped"
        );
    }
}

#[test]
fn systemd_is_driven_through_systemctl() {
    let place = Place::new();
    let index = place.index();
    let calls = place.path("calls");
    let systemctl = format!(
        "echo \"$@\" >> {0}/calls; case \"$*\" in *show*) cat {0}/shown;; *reset-failed*) exit 1;; esac",
        place.path("").display()
    );
    let systemctl = place.program("bin/systemctl", &systemctl);
    place.program("bin/journalctl", "echo bintrail: the index is full");
    let units = place.path("units");
    std::fs::create_dir(&units).unwrap();
    let shown = |text: &str| std::fs::write(place.path("shown"), text).unwrap();
    shown("ActiveState=inactive\nSubState=dead\nMainPID=0\nNRestarts=0\n");
    let token = place.path("token");
    std::fs::write(&token, TOKEN).unwrap();
    let mut command = looking(&place, &index);
    let bin = systemctl.parent().unwrap();
    command
        .args([
            "--control",
            "--supervisor",
            "systemd",
            "--bintrail",
            "/usr/bin/env",
            "--unit-dir",
        ])
        .arg(&units)
        .arg("--token-file")
        .arg(&token)
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    let console = Console::start(&mut command);
    let taken = || {
        let text = std::fs::read_to_string(&calls).unwrap_or_default();
        let _ = std::fs::remove_file(&calls);
        let lines = text
            .lines()
            .map(|line| line.replace("--no-ask-password --no-pager ", ""));
        lines
            .filter(|line| !line.starts_with("show "))
            .collect::<Vec<_>>()
    };
    ok(&console, "POST", "/servers", SHOP);
    assert!(taken().is_empty() && std::fs::read_dir(&units).unwrap().next().is_none());
    shown(
        "ActiveState=active\nSubState=running\nMainPID=4711\nNRestarts=0\nActiveEnterTimestampMonotonic=1000000\n",
    );
    // It is stopped for the store, and so is to be started.
    let started = ok(&console, "POST", "/servers/shop/stream/start", "");
    assert_eq!(
        (&started["supervisor"], &started["state"]),
        (&"systemd".into(), &"running".into())
    );
    assert_eq!(started["pid"], 4711);
    let unit = "bintrail-stream-shop.service";
    assert_eq!(
        taken(),
        [
            "daemon-reload".to_owned(),
            format!("enable {unit}"),
            format!("reset-failed {unit}"),
            format!("restart --no-block {unit}")
        ]
    );
    let text = std::fs::read_to_string(units.join(unit)).unwrap();
    let environment = place.path("bintrail-streams/shop/stream.env");
    for line in [
        "Type=notify",
        "Restart=always",
        "NoNewPrivileges=yes",
        "ExecStart=\"/usr/bin/env\" stream",
        "StateDirectory=bintrail bintrail/shop",
        "SyslogIdentifier=bintrail-shop",
        &format!("EnvironmentFile={}", environment.display()),
        &format!(
            "ReadWritePaths=\"{}\"",
            place.path("").display().to_string().trim_end_matches('/')
        ),
    ] {
        assert!(text.lines().any(|there| there == line), "{line}: {text}");
    }
    assert!(!text.contains("%i") && !text.contains("p@ss") && !text.contains("p%40ss"));
    assert_eq!(mode_of(&environment), 0o600);
    let variables = std::fs::read_to_string(&environment).unwrap();
    assert!(
        variables.contains("BINTRAIL_SOURCE_DSN=\"mysql://u:p%40ss%24w%22rd@127.0.0.1:1/\"\n"),
        "{variables}"
    );
    // As far as systemd's own checker can tell without a systemd.
    if let Ok(said) = std::process::Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(units.join(unit))
        .output()
    {
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(!said.contains(unit), "{said}");
    }

    let change = r#"{"parameters":{"batch_size":7}}"#;
    ok(&console, "PATCH", "/servers/shop", change);
    assert_eq!(
        taken(),
        [
            format!("enable {unit}"),
            format!("reset-failed {unit}"),
            format!("restart --no-block {unit}")
        ]
    );
    shown(
        "ActiveState=activating\nSubState=auto-restart\nMainPID=0\nNRestarts=5\nResult=exit-code\nExecMainCode=1\nExecMainStatus=25\n",
    );
    let looping = ok(&console, "GET", "/servers/shop/status", "");
    assert_eq!(looping["verdict"], "crash_looping");
    assert_eq!(looping["stream"]["last_exit"], "it ended with 25");
    assert_eq!(looping["stream"]["last_error"], "the index is full");
    // The next console leaves alone what is as it should be.
    drop(console);
    let console = Console::start(&mut command);
    assert_eq!(
        taken(),
        [format!("enable {unit}"), format!("start --no-block {unit}")]
    );
    shown("ActiveState=inactive\nSubState=dead\nMainPID=0\nNRestarts=0\n");
    ok(&console, "POST", "/servers/shop/stream/stop", "");
    assert_eq!(
        taken(),
        [
            format!("disable --now --no-block {unit}"),
            format!("reset-failed {unit}")
        ]
    );
    assert_eq!(ask(&console, "DELETE", "/servers/shop", "").0, 204);
    assert_eq!(
        taken(),
        [
            format!("disable --now --no-block {unit}"),
            "daemon-reload".to_owned(),
            format!("reset-failed {unit}")
        ]
    );
    assert!(!units.join(unit).exists() && !environment.exists());
}
