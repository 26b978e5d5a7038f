//! The commands of `docs/afternoons.md`, taken from the page and run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{BINTRAIL, Scratch, Stream, source_of};

/// The fenced blocks of the page: their language and text.
fn blocks() -> Vec<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/afternoons.md");
    let page = fs::read_to_string(page).unwrap();
    let mut blocks = Vec::new();
    let mut block: Option<(String, String)> = None;
    for line in page.lines() {
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(language)) => block = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(block.take()),
            (Some((_, text)), None) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(block.is_none());
    blocks
}

fn afternoons(kind: &'static str) {
    let scratch = Scratch::new();
    let server = source_of(kind, &[]);
    let file = server.position().unwrap().0;
    let mut stream = Stream::new("shop", &server, None, &scratch, &["--start-file", &file]);
    stream.start();
    // What the page calls `mysql` and `bintrail`.
    let bin = scratch.0.join("bin");
    fs::create_dir(&bin).unwrap();
    let client = server.mysql();
    let words: Vec<String> = std::iter::once(client.get_program())
        .chain(client.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    for (name, command) in [
        (
            "mysql",
            format!("{} --default-character-set=utf8mb4", words.join(" ")),
        ),
        ("bintrail", format!("'{BINTRAIL}'")),
    ] {
        let path = bin.join(name);
        fs::write(&path, format!("#!/bin/sh\nexec {command} \"$@\"\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let blocks = blocks();
    let mut followed = blocks.iter().skip(1).map(Some).chain([None]);
    // A variable that one block sets is there in the next ones.
    let mut before = String::new();
    let mut compared = 0;
    for (language, text) in &blocks {
        let next = followed.next().flatten();
        let mut command = match language.as_str() {
            "sql" => {
                let mut command = Command::new(bin.join("mysql"));
                command.args(["-e", text]);
                command
            }
            "sh" => {
                let mut command = Command::new("bash");
                let script = format!("set -eo pipefail; {before}");
                command.args(["-c", &format!("{script}{text}")]);
                before.extend(
                    text.lines()
                        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
                        .map(|line| format!("{line}\n")),
                );
                command
            }
            _ => continue,
        };
        let output = command
            .env("PATH", &path)
            .env("BINTRAIL_INDEX_DSN", stream.index_dsn())
            .current_dir(&scratch.0)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}: {error}");
        stream.catch_up(&server);
        if let Some((_, expected)) = next.filter(|(language, _)| language == "text") {
            let printed = String::from_utf8_lossy(&output.stdout);
            assert!(printed.ends_with(expected), "{text}\n{printed}\n{expected}");
            compared += 1;
        }
    }
    assert!(compared >= 5);
    stream.terminate();
}

#[test]
fn the_five_afternoons_on_mysql() {
    afternoons("mysql97");
}

#[test]
fn the_five_afternoons_on_mariadb() {
    afternoons("mariadb");
}
