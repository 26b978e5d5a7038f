//! A password is nowhere but where it was put.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{BINTRAIL, PASSWORD, PATIENCE, Scratch, index_server, source, until, wait};

/// Streams with everything logged, through TLS that is verified on both links, and then looks for the password in all
/// that came of it.
#[test]
fn a_password_from_a_file_turns_up_nowhere() {
    let source = source(&[]);
    let keeper = index_server(&[]);
    let scratch = Scratch::new();
    let file = |name: &str| scratch.0.join(name);
    fs::write(file("password"), format!("{PASSWORD}\n")).unwrap();
    fs::set_permissions(file("password"), fs::Permissions::from_mode(0o644)).unwrap();
    keeper
        .client()
        .unwrap()
        .run("CREATE DATABASE kept")
        .unwrap();
    source.client().unwrap().run("CREATE DATABASE d").unwrap();

    let bintrail = |command: &str| {
        let mut bintrail = Command::new(BINTRAIL);
        bintrail
            .args([command, "--log-level", "trace", "--index-password-file"])
            .arg(file("password"))
            .args([
                "--index-dsn",
                &format!("keeper@tcp(127.0.0.1:{})/kept", keeper.port),
            ])
            .arg("--index-ssl-ca")
            .arg(keeper.datadir.join("ca.pem"))
            .current_dir(&scratch.0)
            .stdin(Stdio::null());
        bintrail
    };
    let log = fs::File::create(file("log")).unwrap();
    let mut child = bintrail("stream")
        // Its own password is wrong, so that the file's is seen to win.
        .args([
            "--source-dsn",
            &format!("capture:wrong@tcp(127.0.0.1:{})/", source.port),
        ])
        .arg("--source-password-file")
        .arg(file("password"))
        .args([
            "--checkpoint",
            "1",
            "--log-format",
            "json",
            "--ssl-mode",
            "verify-ca",
            "--ssl-ca",
        ])
        .arg(source.datadir.join("ca.pem"))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let log = || fs::read_to_string(file("log")).unwrap();
    let started = Instant::now();
    let mut status_with = |word: &str| loop {
        let output = bintrail("status")
            .args(["--format", "json"])
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        if text.contains(word) {
            break text;
        }
        assert!(child.try_wait().unwrap().is_none(), "{}", log());
        assert!(started.elapsed() < PATIENCE, "{text}\n{}", log());
        sleep(Duration::from_millis(200));
    };
    // It starts where the source is then: only what comes later is its own.
    status_with(r#""events_indexed": 0"#);
    let mut client = source.client().unwrap();
    client.run("CREATE TABLE d.t (id INT PRIMARY KEY)").unwrap();
    client.run("INSERT INTO d.t VALUES (1)").unwrap();
    let status = status_with(r#""events_indexed": 1"#);
    let threads = "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_USER = 'capture' AND CONNECTION_TYPE = 'SSL/TLS'";
    assert_ne!(client.string(threads).unwrap(), "0");
    let arguments = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(wait(&mut child).success(), "{}", log());

    let log = log();
    assert!(log.contains("chmod 600"), "{log}");
    let mut keeper = keeper.client().unwrap();
    let index = keeper
        .strings("SELECT CONCAT_WS(' ', host, version) FROM kept.sources UNION SELECT COALESCE(last_error, '') FROM kept.stream_state")
        .unwrap();
    for (place, text) in [
        ("the log", log.as_str()),
        ("status", &status),
        ("the index", &format!("{index:?}")),
        ("ps", &String::from_utf8_lossy(&arguments)),
    ] {
        assert!(!text.contains(PASSWORD), "{place}: {text}");
    }
}

/// What `ps` shows of a stream that was given its DSNs as arguments, while all they ask for is done.
#[test]
fn a_password_among_the_arguments_is_taken_off_them() {
    let (source, keeper) = (source(&[]), index_server(&[]));
    let scratch = Scratch::new();
    let log = scratch.0.join("log");
    let port = source.port;
    let mut child = Command::new(BINTRAIL)
        .args(["stream", "--start-file", "mysql-bin.000001"])
        .args([
            "--source-dsn",
            &format!("capture:{PASSWORD}@tcp(127.0.0.1:{port})/"),
        ])
        .arg(format!(
            "--index-dsn=mysql://keeper:{PASSWORD}@127.0.0.1:{}/kept",
            keeper.port
        ))
        // The arguments beat these.
        .env("BINTRAIL_SOURCE_DSN", "nobody@tcp(127.0.0.1:1)/")
        .env("BINTRAIL_INDEX_DSN", "sqlite:elsewhere.db")
        .current_dir(&scratch.0)
        .stdin(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let log = || fs::read_to_string(&log).unwrap();
    until(|| log().contains(" streaming ").then_some(()));
    let arguments = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    let arguments = String::from_utf8(arguments).unwrap();
    Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(wait(&mut child).success(), "{}", log());
    assert!(arguments.contains("stream\0--start-file\0mysql-bin.000001\0"));
    assert!(
        !arguments.contains(PASSWORD) && !log().contains(PASSWORD),
        "{arguments}"
    );
    let kept = "SELECT binlog_file FROM kept.stream_state";
    keeper.client().unwrap().string(kept).unwrap();
}

/// What stops a command names the flag, in one line, with the exit code of its kind.
#[test]
fn tls_that_cannot_be() {
    let server = source(&[]);
    let dsn = format!("mysql://capture:{PASSWORD}@127.0.0.1:{}/", server.port);
    let fails = |arguments: &[&str], code: i32, words: &[&str]| {
        crate::bad_input::fails(
            &[&["tail", "--source-dsn", &dsn], arguments].concat(),
            code,
            words,
        );
    };
    fails(&["--ssl-mode", "verify-full"], 12, &["ssl-ca"]);
    fails(
        &["--ssl-cert", "cert.pem"],
        2,
        &["--ssl-cert needs --ssl-key"],
    );
    fails(&["--ssl-ca", "missing.pem"], 12, &["missing.pem"]);
    fails(&["--source-password-file", "missing"], 31, &["missing"]);
    let ca = server.datadir.join("ca.pem");
    let ca = ca.to_str().unwrap();
    // The DSN's parameters do the same, and a flag beats them.
    fails(
        &["--ssl-ca", ca, "--ssl-mode", "verify-identity"],
        12,
        &["names no host"],
    );
    let by_dsn = format!("{dsn}?ssl-mode=verify-identity&ssl-ca={ca}");
    crate::bad_input::fails(&["tail", "--source-dsn", &by_dsn], 12, &["names no host"]);
    let port = server.port;
    let locked = format!("mysql://locked:{PASSWORD}@127.0.0.1:{port}/");
    let mut client = server.client().unwrap();
    client
        .run(&format!(
            "CREATE USER locked IDENTIFIED BY '{PASSWORD}' ACCOUNT LOCK"
        ))
        .unwrap();
    crate::bad_input::fails(&["tail", "--source-dsn", &locked], 11, &["ACCOUNT UNLOCK"]);
    let index = format!("mysql://root@127.0.0.1:{port}/i?ssl-mode=verify-identity");
    crate::bad_input::fails(&["init", "--index-dsn", &index], 28, &["ssl-ca"]);
    crate::bad_input::fails(
        &[
            "init",
            "--index-dsn",
            &index,
            "--index-ssl-mode",
            "preferred",
            "--index-ssl-key",
            "k",
        ],
        2,
        &["--index-ssl-key needs --index-ssl-cert"],
    );
}
