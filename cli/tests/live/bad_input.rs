//! What a user may get wrong: one line that names the cause, an exit code of its kind, and no
//! password anywhere.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use bintrail_testkit::server::Server;

use crate::support::{BINTRAIL, PASSWORD, Scratch, source, source_dsn, wait};

/// Runs bintrail, which has to fail with `code` and one line that holds all of `words`.
pub(crate) fn fails(arguments: &[&str], code: i32, words: &[&str]) {
    let scratch = Scratch::new();
    let mut child = Command::new(BINTRAIL)
        .args(arguments)
        .args(["--log-level", "error"])
        .current_dir(&scratch.0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    });
    let status = wait(&mut child);
    let text = reader.join().unwrap();
    let about = format!("{arguments:?}: {status}: {text}");
    assert_eq!(status.code(), Some(code), "{about}");
    assert_eq!(text.lines().count(), 1, "{about}");
    assert!(text.starts_with("bintrail: "), "{about}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in {about}");
    }
    assert!(!text.contains(PASSWORD), "{about}");
}

pub(crate) fn stream(dsn: &str, more: &[&str], code: i32, words: &[&str]) {
    fails(
        &[&["stream", "--source-dsn", dsn], more].concat(),
        code,
        words,
    );
}

#[test]
fn a_dsn_that_is_none() {
    for dsn in [
        format!("mysql://u:{PASSWORD}@h:notaport/"),
        format!("u:{PASSWORD}@tcp(h:3306"),
        format!("postgres://u:{PASSWORD}@h/"),
    ] {
        stream(&dsn, &[], 2, &["source"]);
    }
    fails(&["status", "--index-dsn", "/tmp/i.db"], 2, &["sqlite:PATH"]);
    fails(&["status", "--index-dsn", "sqlite:"], 2, &["sqlite:PATH"]);
    let index = format!("mysql://u:{PASSWORD}@h:notaport/d");
    fails(&["status", "--index-dsn", &index], 2, &["index"]);
}

#[test]
fn files_and_values_that_are_none() {
    fails(&["decode", "nosuch"], 31, &["nosuch", "check its name"]);
    fails(&["decode", "/"], 31, &["name a file in it"]);
    let tail = ["tail", "--source-dsn", "mysql://u@127.0.0.1:1/"];
    let with = |more: &[&'static str]| [&tail[..], more].concat();
    fails(
        &with(&["--source-password-file", "nosuch"]),
        31,
        &["nosuch", "check its name"],
    );
    fails(
        &with(&["--start-gtid", "abc"]),
        2,
        &["--start-gtid", "gtid_executed"],
    );
}

#[test]
fn texts_that_are_not_utf_8() {
    let scratch = Scratch::new();
    let run = |argument: &OsStr| {
        let output = Command::new(BINTRAIL)
            .args([OsStr::new("status"), argument])
            .env("UNRELATED", OsStr::from_bytes(b"\xff"))
            .current_dir(&scratch.0)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(!text.contains("panicked"), "{text}");
        text
    };
    run(OsStr::new("--bogus"));
    run(OsStr::from_bytes(b"\xff"));
    // Read in part, it would leave out filters without a word.
    fs::write(
        scratch.0.join(".bintrail.env"),
        b"# caf\xe9\nBINTRAIL_TABLES=t\n",
    )
    .unwrap();
    let text = run(OsStr::new("--format=json"));
    assert!(text.contains(".bintrail.env"), "{text}");
}

#[test]
fn an_env_file_that_sets_nothing_or_shows_a_password() {
    let scratch = Scratch::new();
    let file = scratch.0.join(".bintrail.env");
    let run = |text: &str, mode: u32, arguments: &[&str]| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let output = Command::new(BINTRAIL)
            .args(arguments)
            .current_dir(&scratch.0)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!text.contains(PASSWORD), "{text}");
        (output.status.code(), text)
    };
    let status = ["status"];
    for (line, words) in [
        ("BINTRAIL_TABEL=t", "sets BINTRAIL_TABEL"),
        ("just words", "is not NAME=value"),
        ("PATH=x", "sets PATH"),
    ] {
        let (code, text) = run(&format!("# first\n\n{line}\n"), 0o600, &status);
        assert_eq!(code, Some(2), "{text}");
        assert!(
            text.contains("line 3 of .bintrail.env") && text.contains(words),
            "{text}"
        );
        // Which tells the names.
        assert_eq!(run(line, 0o600, &["help", "stream"]).0, Some(0));
    }
    let secret = format!("BINTRAIL_SOURCE_DSN=mysql://u:{PASSWORD}@h/\n");
    let warning = "every user may read .bintrail.env, which holds a password: chmod 600";
    assert!(run(&secret, 0o644, &status).1.contains(warning));
    assert!(!run(&secret, 0o640, &status).1.contains(warning));
    assert!(
        !run("BINTRAIL_TABLES=t\n", 0o644, &status)
            .1
            .contains(warning)
    );
}

#[test]
fn a_host_that_is_not_there() {
    stream(
        &format!("mysql://u:{PASSWORD}@no-such-host.invalid:3306/"),
        &[],
        10,
        &["no-such-host.invalid"],
    );
    stream(
        &format!("mysql://u:{PASSWORD}@127.0.0.1:1/"),
        &[],
        10,
        &["127.0.0.1:1"],
    );
}

#[test]
fn a_source_that_refuses() {
    let server = source(&[]);
    let mut client = server.client().unwrap();
    let port = server.port;
    stream(
        &format!("mysql://capture:{PASSWORD}x@127.0.0.1:{port}/"),
        &[],
        11,
        &["capture"],
    );

    client
        .run(&format!("CREATE USER weak IDENTIFIED BY '{PASSWORD}'"))
        .unwrap();
    let weak = format!("mysql://weak:{PASSWORD}@127.0.0.1:{port}/");
    stream(&weak, &[], 13, &["REPLICATION SLAVE"]);

    let dsn = source_dsn(&server);
    for command in ["stream", "tail"] {
        let arguments = [command, "--source-dsn", &dsn, "--start-file"];
        fails(
            &[&arguments[..], &["mysql-bin.000099"]].concat(),
            15,
            &[
                "it has no mysql-bin.000099: its only binary log is mysql-bin.000001; it never had this one",
            ],
        );
        fails(
            &[
                &arguments[..],
                &["mysql-bin.000001", "--start-pos", "99999999"],
            ]
            .concat(),
            15,
            &[
                "its mysql-bin.000001 ends at ",
                ", before position 99999999",
            ],
        );
    }
    let gtid = client.string("SELECT @@server_uuid").unwrap();
    client.run("FLUSH BINARY LOGS").unwrap();
    client.run("CREATE DATABASE later").unwrap();
    client
        .run("PURGE BINARY LOGS TO 'mysql-bin.000002'")
        .unwrap();
    for command in ["stream", "tail"] {
        fails(
            &[
                command,
                "--source-dsn",
                &dsn,
                "--start-file",
                "mysql-bin.000001",
            ],
            15,
            &[
                "it has no mysql-bin.000001: its only binary log is mysql-bin.000002; what is older it has purged",
            ],
        );
    }
    stream(
        &dsn,
        &["--start-gtid", &format!("{gtid}:1")],
        15,
        &["--reset"],
    );
    let foreign = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5";
    stream(
        &dsn,
        &["--start-gtid", foreign],
        15,
        &["3e11fa47", "--start-gtid"],
    );
    stream(&dsn, &["--start-gtid", "nonsense"], 2, &["nonsense"]);

    let unreachable = format!("mysql://u:{PASSWORD}@127.0.0.1:1/index");
    stream(&dsn, &["--index-dsn", &unreachable], 20, &["index"]);
    let foreign = format!("mysql://capture:{PASSWORD}x@127.0.0.1:{port}/index");
    stream(&dsn, &["--index-dsn", &foreign], 21, &["index"]);
    stream(
        &dsn,
        &["--index-dsn", "sqlite:/no/such/directory/index.db"],
        20,
        &["/no/such/directory/index.db"],
    );
}

#[test]
fn a_source_without_row_events() {
    let off = source(&["--skip-log-bin"]);
    stream(&source_dsn(&off), &[], 14, &["--log-bin"]);
    let statements = source(&["--binlog-format=STATEMENT"]);
    stream(&source_dsn(&statements), &[], 14, &["binlog_format", "ROW"]);
}

#[test]
fn files_that_are_no_binlog() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.0.join(name).to_str().unwrap().to_owned();
    fails(&["decode", &path("missing")], 31, &["missing"]);
    fs::write(
        path("foreign"),
        b"not a binlog at all, but long enough to be one",
    )
    .unwrap();
    fails(&["decode", &path("foreign")], 30, &["foreign"]);
    fs::write(path("empty"), b"").unwrap();
    fails(&["decode", &path("empty")], 30, &["empty"]);

    let server = Server::start("mysql97", "truncated", &[]).unwrap();
    let mut client = server.client().unwrap();
    client.run("CREATE DATABASE d").unwrap();
    client.run("CREATE TABLE d.t (id INT)").unwrap();
    client.run("INSERT INTO d.t VALUES (1), (2)").unwrap();
    client.run("FLUSH BINARY LOGS").unwrap();
    let whole = fs::read(&server.binlog_files().unwrap()[0]).unwrap();
    fs::write(path("truncated"), &whole[..whole.len() - 60]).unwrap();
    fails(&["decode", &path("truncated")], 30, &["truncated"]);
    let mut damaged = whole.clone();
    damaged[whole.len() - 70] ^= 1;
    fs::write(path("damaged"), damaged).unwrap();
    fails(&["decode", &path("damaged")], 30, &["damaged"]);
}
