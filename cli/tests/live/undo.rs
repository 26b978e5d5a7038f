//! What `bintrail recover` undoes and does again is exact: random changes of tables with every shape of key, every type in
//! every character set, under each `binlog_row_image`; each table is compared with what the server itself printed of it before.
//!
//! `BINTRAIL_TEST_CHANGES` is the number of row changes, `BINTRAIL_TEST_SEED` makes a run come again. `scripts/undo` has as many
//! as it is asked for.

mod source;

use std::path::Path;

use bintrail_testkit::workload::Rng;

use crate::both::Both;
use crate::recover::assert_runs;
use crate::stream::seed;
use crate::support::{Scratch, Stream, setting};
use source::{KEYS, Source};

/// How the changes of a run are undone, one way after the other, and what each comes to.
const WAYS: [&[&str]; 5] = [
    &[],
    &["--redo"],
    &["--batch", "50"],
    &["--redo", "--on-conflict", "skip"],
    &["--on-conflict", "force"],
];

/// Undoes so many random row changes, in so many of the ways: how many they were.
fn whole(kind: &'static str, options: &[&str], seed: u64, changes: u64, ways: usize) -> u64 {
    let scratch = Scratch::new();
    let mut source = Source::new(kind, options, Rng::new(seed));
    let streams = Both::start("undo", &source.server, &scratch);
    // As many tables as hold every column, and every shape of key three times.
    source.create(40);
    let rows = (changes / 2_000).clamp(4, 40);
    let before = source.work(changes / 4, rows);
    let (earlier, since) = (source.snapshot(), source.moment());
    let undone = source.work(changes, rows);
    let (later, until) = (source.snapshot(), source.moment());
    assert_ne!(earlier, later);
    streams.catch_up(&source.server);
    println!("{kind} {options:?}: {before} row changes, and {undone} that are undone");

    let range = ["--schema", "r", "--since", &since, "--until", &until];
    for more in WAYS.iter().take(ways) {
        let path = scratch.0.join("undo.sql");
        streams.write(&source.server, &path, &[&range[..], more].concat());
        assert_runs(&source.server, &path);
        let expected = if more.contains(&"--redo") {
            &later
        } else {
            &earlier
        };
        let got = source.snapshot();
        source.assert_same(&format!("{kind} {more:?}"), &got, expected);
    }
    streams.catch_up(&source.server);
    streams.terminate();
    undone
}

fn short(kind: &'static str, options: &[&str]) {
    let changes = setting("BINTRAIL_TEST_CHANGES", 4_000);
    whole(kind, options, seed(), changes, WAYS.len());
}

/// Writes the SQL into a file, or gives the refusal.
fn write(stream: &Stream, path: &Path, more: &[&str]) -> Result<(), String> {
    std::fs::remove_file(path).ok();
    let file = ["--output", path.to_str().unwrap()];
    let mut command = stream.command(&[&["recover"], more, &file].concat());
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => Ok(()),
        Some(41) => Err(error),
        _ => panic!("{more:?}: {error}"),
    }
}

/// Images that leave columns out: what is undone is exact, and what is not is refused for what it lacks. How many row
/// changes were undone, in so many rounds of a statement a table, each about up to so many rows?
fn partial(kind: &'static str, image: &str, seed: u64, rounds: u64, rows: u64) -> u64 {
    let scratch = Scratch::new();
    let mut source = Source::new(kind, &[], Rng::new(seed));
    let file = source.server.position().unwrap().0;
    let start = ["--start-file", &file];
    let mut stream = Stream::new("undo", &source.server, None, &scratch, &start);
    source.create(2 * KEYS.len());
    stream.start();
    source.work(150 * rows, rows);
    source
        .client
        .run(&format!("SET binlog_row_image = {image}"))
        .unwrap();
    let (mut exact, mut refused) = (0, 0);
    let path = scratch.0.join("part.sql");
    for _ in 0..rounds {
        let (before, since) = (source.snapshot(), source.moment());
        let changed: Vec<u64> = (0..source.tables.len())
            .map(|at| source.change(at, rows))
            .collect();
        let (after, until) = (source.snapshot(), source.moment());
        // The rows go back and forth whole.
        source.client.run("SET binlog_row_image = FULL").unwrap();
        stream.catch_up(&source.server);
        'tables: for (at, rows) in changed.iter().enumerate().filter(|(_, rows)| **rows > 0) {
            let name = source.tables[at].name.clone();
            let range = [
                "--schema", "r", "--table", &name, "--since", &since, "--until", &until,
            ];
            for (more, expected) in [(&[][..], &before), (&["--redo"], &after)] {
                if let Err(why) = write(&stream, &path, &[&range[..], more].concat()) {
                    assert!(why.contains("binlog_row_image was not FULL"), "{why}");
                    refused += rows;
                    continue 'tables;
                }
                assert_runs(&source.server, &path);
                let got = source.tables[at].snapshot(&mut source.client);
                assert_eq!(got, expected[at], "{name} {more:?}");
            }
            exact += rows;
        }
        source
            .client
            .run(&format!("SET binlog_row_image = {image}"))
            .unwrap();
    }
    println!("{kind} {image}: {exact} row changes undone, {refused} refused");
    assert!(exact > 0 && refused > 0);
    stream.terminate();
    exact
}

#[test]
fn undo_and_redo_are_exact_on_mysql() {
    short("mysql97", &[]);
}

#[test]
fn undo_and_redo_are_exact_on_mysql_with_full_metadata() {
    short("mysql97", &["--binlog-row-metadata=FULL"]);
}

#[test]
fn undo_and_redo_are_exact_on_mariadb() {
    short("mariadb", &[]);
}

#[test]
fn images_in_part_are_undone_exactly_or_refused_on_mysql() {
    partial("mysql97", "MINIMAL", seed(), 3, 4);
    partial("mysql97", "NOBLOB", seed(), 3, 4);
}

#[test]
fn images_in_part_are_undone_exactly_or_refused_on_mariadb() {
    partial("mariadb", "MINIMAL", seed(), 3, 4);
    partial("mariadb", "NOBLOB", seed(), 3, 4);
}

/// Round by round, each with tables and a server of its own, until so many row changes were undone and done again.
#[test]
#[ignore = "scripts/undo runs it"]
fn at_length() {
    let changes = setting("BINTRAIL_UNDO_CHANGES", 20_000);
    let kind = std::env::var("BINTRAIL_UNDO_SOURCE").unwrap();
    let kind = ["mysql97", "mariadb", "mariadb11"]
        .into_iter()
        .find(|known| *known == kind)
        .unwrap();
    let image = std::env::var("BINTRAIL_UNDO_IMAGE").unwrap_or_default();
    // Rounds that are only about one image make more of each.
    let rows = if image.is_empty() { 4 } else { 40 };
    let first = seed();
    let mut done = 0;
    let mut rounds = 0;
    while done < changes {
        let seed = first + rounds;
        let (what, undone) = match (&*image, rounds % 6, kind) {
            ("MINIMAL", _, _) | ("", 2, _) => {
                ("MINIMAL images", partial(kind, "MINIMAL", seed, 6, rows))
            }
            ("NOBLOB", _, _) | ("", 4, _) => {
                ("NOBLOB images", partial(kind, "NOBLOB", seed, 6, rows))
            }
            (_, 0, "mysql97") => (
                "full metadata",
                whole(kind, &["--binlog-row-metadata=FULL"], seed, ROUND, 2),
            ),
            _ => ("FULL images", whole(kind, &[], seed, ROUND, 2)),
        };
        done += undone;
        rounds += 1;
        println!(
            "seed {seed}: {kind}, {what}: {undone} row changes undone and done again, {done} in all"
        );
    }
}

/// The row changes of a round.
const ROUND: u64 = 20_000;
