//! `bintrail index`: the row events of binlog files, whatever comes between, and a stream behind them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use bintrail_testkit::check::{Replay, same_events, same_or_unnamed_events};
use bintrail_testkit::oracle::Oracle;
use bintrail_testkit::schema::Catalog;
use bintrail_testkit::server::Server;
use bintrail_testkit::value::Charsets;
use bintrail_testkit::workload::{Plan, Rng, Workload, schemas};

use crate::failover::{replica, wait_for};
use crate::other_servers::{KINDS, Kind, Work, check as check_other, printed};
use crate::stream::seed;
use crate::support::{Scratch, Stream, ask, index_server, run, setting, source, source_of};

/// `bintrail index` over a directory, for the index of `stream`. It asks no source.
fn index(stream: &Stream, directory: &Path, arguments: &[&str]) -> Command {
    let mut command = stream.command(&["index", "--checkpoint", "1", "--binlog-dir"]);
    command
        .arg(directory)
        .args(arguments)
        .env_remove("BINTRAIL_SOURCE_DSN");
    command
}

/// Its exit code, and what it says.
fn outcome(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), error)
}

fn well(command: Command) -> String {
    let (code, said) = outcome(command);
    assert_eq!(code, Some(0), "{said}");
    said
}

/// Runs it to its end, and kills it so many times before. Returns how often it was killed while it worked.
fn killed(make: impl Fn() -> Command, rng: &mut Rng, kills: u64) -> u64 {
    let mut killed = 0;
    for _ in 0..kills {
        let mut child = make().stderr(std::process::Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(40 + rng.below(120)));
        killed += u64::from(child.try_wait().unwrap().is_none());
        child.kill().ok();
        child.wait().unwrap();
    }
    well(make());
    killed
}

/// The index holds the binlog's row events, one for one, and rebuilds the tables.
fn check(stream: &Stream, source: &Server, catalog: &Catalog) -> u64 {
    let name = &stream.name;
    let mut charsets = Charsets::new(source.client().unwrap()).unwrap();
    let oracle = Oracle::of(source).unwrap();
    let count = same_events(stream.index.open().unwrap(), oracle, catalog, &mut charsets)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut replay = Replay::new(catalog, false);
    replay
        .index(stream.index.open().unwrap())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    replay
        .same_tables(&mut source.client().unwrap(), &schemas())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let skips = "SELECT capture_skips FROM stream_state";
    assert_eq!(ask(stream, skips), ["{}"], "{name}");
    count
}

fn files_and_stream_in_turn(gtid_mode: &str) {
    let seed = seed();
    let mut rng = Rng::new(seed);
    let scratch = Scratch::new();
    let options = [
        "--max-binlog-size=2M",
        "--binlog-row-metadata=FULL",
        &format!("--gtid-mode={gtid_mode}"),
        &format!("--enforce-gtid-consistency={gtid_mode}"),
    ];
    let source = source(&options);
    let keeper = index_server(&["--local-infile=ON"]);
    let plan = Plan::mixed(seed, setting("BINTRAIL_TEST_ROW_EVENTS", 60_000));
    let workload = Arc::new(Workload::create(&source, plan).unwrap());
    let (_, catalog) = workload.run().unwrap();
    let mut streams = [
        Stream::new(
            "files_sqlite",
            &source,
            None,
            &scratch,
            &["--server-id", "4201"],
        ),
        Stream::new(
            "files_mysql",
            &source,
            Some(&keeper),
            &scratch,
            &["--server-id", "4202"],
        ),
    ];
    let kills = setting("BINTRAIL_TEST_KILLS", 30) / 3;
    for stream in &streams {
        let worked = killed(
            || index(stream, &source.datadir, &["--all"]),
            &mut rng,
            kills,
        );
        assert!(worked > 0, "killed {worked} times at work");
        let count = check(stream, &source, &catalog);
        println!(
            "{}: {count} events, killed {worked} times at work",
            stream.name
        );
        let files = source.binlog_files().unwrap().len();
        let states = "SELECT CONCAT_WS(' ', status, COUNT(*), SUM(events_indexed)) FROM index_state GROUP BY status";
        let states = match stream.name.as_str() {
            "files_sqlite" => states.replace(
                "CONCAT_WS(' ', status, COUNT(*), SUM(events_indexed))",
                "status || ' ' || count(*) || ' ' || sum(events_indexed)",
            ),
            _ => states.to_owned(),
        };
        // Rows of XA transactions that were rolled back are in the index, and not in its view.
        let rows = &ask(stream, "SELECT COUNT(*) FROM row_changes")[0];
        assert_eq!(ask(stream, &states), [format!("indexed {files} {rows}")]);
        // Again, it has nothing to do.
        let said = well(index(stream, &source.datadir, &["--all"]));
        assert!(!said.contains("WARN"), "{said}");
        assert_eq!(&ask(stream, "SELECT COUNT(*) FROM row_changes")[0], rows);
    }
    // A stream goes on where the files end, and files where the stream ends: in the middle of a file.
    run(
        &source,
        &[
            "SET GLOBAL max_binlog_size = 1073741824",
            "FLUSH BINARY LOGS",
        ],
    );
    let (_, catalog) = workload.run().unwrap();
    for stream in &mut streams {
        stream.start();
        stream.catch_up(&source);
        check(stream, &source, &catalog);
        let (code, said) = outcome(index(stream, &source.datadir, &["--all"]));
        assert_eq!(code, Some(24), "{said}");
        stream.terminate();
        assert!(ask(stream, "SELECT gap_lost_detail FROM stream_state")[0].is_empty());
    }
    let (_, catalog) = workload.run().unwrap();
    if gtid_mode == "ON" {
        // Where the place is not known, as behind a failover, the GTIDs alone tell what is there.
        run(
            &keeper,
            &["UPDATE files_mysql.stream_state SET binlog_file = '', binlog_created = NULL"],
        );
    }
    for stream in &mut streams {
        killed(|| index(stream, &source.datadir, &["--all"]), &mut rng, 3);
        check(stream, &source, &catalog);
    }
    let (report, catalog) = workload.run().unwrap();
    for stream in &mut streams {
        stream.start();
        stream.catch_up(&source);
        stream.terminate();
        assert_eq!(check(stream, &source, &catalog), report.row_changes);
    }
}

#[test]
fn files_and_a_stream_in_turn_by_gtid() {
    files_and_stream_in_turn("ON");
}

#[test]
fn files_and_a_stream_in_turn_by_position() {
    files_and_stream_in_turn("OFF");
}

/// Without column names in the files, and nobody to ask, only what statements in them say is a name.
#[test]
fn without_row_metadata_the_files_themselves_name_columns() {
    let seed = seed();
    let scratch = Scratch::new();
    let source = source(&["--max-binlog-size=2M", "--binlog-row-metadata=MINIMAL"]);
    let plan = Plan {
        ddl: true,
        ..Plan::mixed(seed, 20_000)
    };
    let workload = Arc::new(Workload::create(&source, plan).unwrap());
    let (report, catalog) = workload.run().unwrap();
    let stream = Stream::new("minimal", &source, None, &scratch, &[]);
    let asking = Stream::new("asking", &source, None, &scratch, &[]);
    well(index(&stream, &source.datadir, &["--all"]));
    let mut command = index(&asking, &source.datadir, &["--all"]);
    command.env("BINTRAIL_SOURCE_DSN", crate::support::source_dsn(&source));
    well(command);
    let unnamed = [&stream, &asking].map(|stream| {
        let mut charsets = Charsets::new(source.client().unwrap()).unwrap();
        let oracle = Oracle::of(&source).unwrap();
        let reader = stream.index.open().unwrap();
        let (count, unnamed) = same_or_unnamed_events(reader, oracle, &catalog, &mut charsets)
            .unwrap_or_else(|error| panic!("{}: {error}", stream.name));
        assert_eq!(count, report.row_changes);
        unnamed
    });
    println!("{unnamed:?} of {} rows without names", report.row_changes);
    assert!(unnamed[0] * 4 < report.row_changes && unnamed[1] <= unnamed[0]);
}

fn files_of(kind: &Kind) {
    let scratch = Scratch::new();
    let source = source_of(kind.name, &[]);
    let mut client = source.client().unwrap();
    let mut work = Work::new(kind, setting("BINTRAIL_TEST_SEED", 7));
    work.create(&mut client).unwrap();
    for _ in 0..300 {
        work.step(&mut client).unwrap();
    }
    work.last(&mut client).unwrap();
    let name = format!("{}-files-gtid", kind.name);
    let mut stream = Stream::new(&name, &source, None, &scratch, &["--server-id", "4210"]);
    let make = || {
        let mut command = index(&stream, &source.datadir, &["--all"]);
        command.env("BINTRAIL_SOURCE_DSN", crate::support::source_dsn(&source));
        command
    };
    killed(make, &mut Rng::new(7), 4);
    check_other(&stream, kind, &source, &printed(&source));
    for _ in 0..60 {
        work.step(&mut client).unwrap();
    }
    work.last(&mut client).unwrap();
    // MariaDB notes by itself, a second later, which files its recovery no longer needs: the end moves by that.
    sleep(Duration::from_secs(3));
    stream.start();
    stream.catch_up(&source);
    stream.terminate();
    check_other(&stream, kind, &source, &printed(&source));
}

#[test]
fn files_of_mariadb_10() {
    files_of(&KINDS[0]);
}

#[test]
fn files_of_mariadb_11() {
    files_of(&KINDS[1]);
}

#[test]
fn files_of_mysql_5_6() {
    files_of(&KINDS[2]);
}

fn copy(files: &[PathBuf], to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in files {
        fs::copy(file, to.join(file.file_name().unwrap())).unwrap();
    }
}

fn name(file: &Path) -> &str {
    file.file_name().unwrap().to_str().unwrap()
}

#[test]
fn files_that_do_not_fit_are_refused_and_a_file_that_is_cut_off_is_gone_on_with() {
    let scratch = Scratch::new();
    let source = source(&["--binlog-row-metadata=FULL"]);
    let other = source_of("mysql97", &["--binlog-row-metadata=FULL"]);
    for server in [&source, &other] {
        run(
            server,
            &[
                "CREATE DATABASE d",
                "CREATE TABLE d.t (id INT PRIMARY KEY, v INT)",
            ],
        );
        for number in 0..8 {
            for row in 0..5 {
                let id = number * 5 + row;
                run(
                    server,
                    &[&format!("INSERT INTO d.t VALUES ({id}, {number})")],
                );
            }
            run(server, &["FLUSH BINARY LOGS"]);
        }
    }
    let files = source.binlog_files().unwrap();
    let stream = |name: &str| Stream::new(name, &source, None, &scratch, &[]);
    let rows = |stream: &Stream| ask(stream, "SELECT COUNT(*) FROM row_changes")[0].clone();

    // One is missing in the middle: nothing is done.
    let holes = scratch.0.join("holes");
    copy(&files, &holes);
    fs::remove_file(holes.join(name(&files[3]))).unwrap();
    let index_of_holes = stream("holes_index");
    let (code, said) = outcome(index(&index_of_holes, &holes, &["--all"]));
    assert_eq!(code, Some(34), "{said}");
    assert!(
        said.contains(&format!(
            "1 missing between {} and {}",
            name(&files[2]),
            name(&files[4])
        )),
        "{said}"
    );
    assert_eq!(rows(&index_of_holes), "0");
    // In turns, the later ones behind the earlier ones, are refused likewise.
    let names = |range: &[PathBuf]| {
        range
            .iter()
            .map(|file| name(file))
            .collect::<Vec<_>>()
            .join(",")
    };
    well(index(
        &index_of_holes,
        &holes,
        &["--files", &names(&files[..3])],
    ));
    let before = rows(&index_of_holes);
    let (code, said) = outcome(index(
        &index_of_holes,
        &holes,
        &["--files", &names(&files[4..])],
    ));
    assert_eq!(code, Some(34), "{said}");
    assert!(
        said.contains(&format!("lie before {}", name(&files[4]))),
        "{said}"
    );
    assert_eq!(rows(&index_of_holes), before);
    // Copied, all is well.
    copy(&files[3..4], &holes);
    well(index(&index_of_holes, &holes, &["--all"]));
    assert_eq!(rows(&index_of_holes), "40");

    // Another server's file among them; and another server's files for this one's source.
    let mixed = scratch.0.join("mixed");
    copy(&files[..4], &mixed);
    copy(&other.binlog_files().unwrap()[4..5], &mixed);
    let (code, said) = outcome(index(&stream("mixed_index"), &mixed, &["--all"]));
    assert_eq!(code, Some(34), "{said}");
    assert!(said.contains("was written by"), "{said}");
    let theirs = scratch.0.join("theirs");
    copy(&other.binlog_files().unwrap(), &theirs);
    let mut command = index(&stream("theirs_index"), &theirs, &["--all"]);
    command.env("BINTRAIL_SOURCE_DSN", crate::support::source_dsn(&source));
    let (code, said) = outcome(command);
    assert_eq!(code, Some(34), "{said}");
    assert!(said.contains("was written by"), "{said}");

    // Cut off in the middle of them, or at the end.
    let last = files.len() - 2;
    let whole = fs::read(&files[last]).unwrap();
    for cut in [
        20,
        130,
        300,
        500,
        whole.len() - 100,
        whole.len() - 30,
        whole.len() - 1,
    ] {
        let torn = scratch.0.join(format!("torn{cut}"));
        copy(&files[..last], &torn);
        fs::write(torn.join(name(&files[last])), &whole[..cut]).unwrap();
        let index_of_torn = stream(&format!("torn{cut}_index"));
        let said = well(index(&index_of_torn, &torn, &["--all"]));
        assert!(said.contains("it ends inside"), "{cut}: {said}");
        let status = format!(
            "SELECT status FROM index_state WHERE binlog_file = '{}'",
            name(&files[last])
        );
        let begun: &[&str] = if cut == 20 { &[] } else { &["cut off"] };
        assert_eq!(ask(&index_of_torn, &status), begun);
        // What follows cannot be without what is missing.
        copy(&files[last + 1..], &torn);
        let (code, said) = outcome(index(&index_of_torn, &torn, &["--all"]));
        // Of the last two, only that the file ends is missing.
        let expected = if cut + 47 > whole.len() { 0 } else { 34 };
        assert_eq!(code, Some(expected), "{cut}: {said}");
        copy(&files, &torn);
        well(index(&index_of_torn, &torn, &["--all"]));
        assert_eq!(rows(&index_of_torn), "40", "{cut}");
        assert_eq!(ask(&index_of_torn, &status), ["indexed"]);
    }

    // A crash has left the beginning of an event behind the last that was committed.
    let crashed = scratch.0.join("crashed");
    copy(&files, &crashed);
    let mut bytes = fs::read(&files[3]).unwrap();
    bytes.truncate(bytes.len() - 47);
    bytes.extend_from_within(4..44);
    fs::write(crashed.join(name(&files[3])), &bytes).unwrap();
    let index_of_crashed = stream("crashed_index");
    well(index(&index_of_crashed, &crashed, &["--all"]));
    assert_eq!(rows(&index_of_crashed), "40");

    // What is no binlog, or an encrypted one.
    let strange = scratch.0.join("strange");
    copy(&files[..2], &strange);
    let mut bytes = whole.clone();
    bytes[0] = 0xfd;
    fs::write(strange.join(name(&files[2])), &bytes).unwrap();
    let (code, said) = outcome(index(&stream("strange_index"), &strange, &["--all"]));
    assert_eq!(code, Some(30), "{said}");
    assert!(said.contains("encrypted"), "{said}");
    let (code, said) = outcome(index(&stream("empty_index"), &scratch.0, &["--all"]));
    assert_eq!(code, Some(34), "{said}");

    // Damaged: what stands before is there, and the rest comes with a good copy.
    let damaged = scratch.0.join("damaged");
    copy(&files, &damaged);
    let mut bytes = fs::read(&files[5]).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 0x40;
    fs::write(damaged.join(name(&files[5])), &bytes).unwrap();
    let index_of_damaged = stream("damaged_index");
    let (code, said) = outcome(index(&index_of_damaged, &damaged, &["--all"]));
    assert_eq!(code, Some(30), "{said}");
    assert!(said.contains(name(&files[5])), "{said}");
    copy(&files, &damaged);
    well(index(&index_of_damaged, &damaged, &["--all"]));
    assert_eq!(rows(&index_of_damaged), "40");

    // A stream that began later: what lies before cannot come behind it.
    let mut later = stream("later");
    later.start();
    later.catch_up(&source);
    run(&source, &["INSERT INTO d.t VALUES (1000, 1)"]);
    later.catch_up(&source);
    later.terminate();
    let (code, said) = outcome(index(&later, &source.datadir, &["--all"]));
    assert_eq!(code, Some(34), "{said}");
    assert!(said.contains("older than what the index holds"), "{said}");
    run(
        &source,
        &["FLUSH BINARY LOGS", "INSERT INTO d.t VALUES (1001, 1)"],
    );
    let files = source.binlog_files().unwrap();
    well(index(
        &later,
        &source.datadir,
        &["--files", name(files.last().unwrap())],
    ));
    assert_eq!(rows(&later), "2");
}

/// Its positions are those of no binary log.
#[test]
fn a_relay_log_is_refused() {
    let scratch = Scratch::new();
    let source = source(&["--binlog-row-metadata=FULL"]);
    let replica = replica(&source);
    run(&source, &["CREATE DATABASE d"]);
    wait_for(&replica, &source);
    let files = fs::read_dir(&replica.datadir).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let relay = files
        .filter(|file| file.contains("-relay-bin.0"))
        .max()
        .unwrap();
    let stream = Stream::new("relay", &source, None, &scratch, &[]);
    let (code, said) = outcome(index(&stream, &replica.datadir, &["--files", &relay]));
    assert_eq!(code, Some(34), "{said}");
    assert!(said.contains(&format!("{relay} is a relay log")), "{said}");
}

/// Without GTIDs, and without the server's data directory, nothing in the files names their server.
#[test]
fn files_that_do_not_tell_their_server_need_to_be_told() {
    let scratch = Scratch::new();
    let source = source(&[
        "--gtid-mode=OFF",
        "--enforce-gtid-consistency=OFF",
        "--binlog-row-metadata=FULL",
    ]);
    run(
        &source,
        &[
            "CREATE DATABASE d",
            "CREATE TABLE d.t (id INT PRIMARY KEY)",
            "INSERT INTO d.t VALUES (1)",
        ],
    );
    let copies = scratch.0.join("copies");
    copy(&source.binlog_files().unwrap(), &copies);
    let mut stream = Stream::new("told", &source, None, &scratch, &[]);
    let (code, said) = outcome(index(&stream, &copies, &["--all"]));
    assert_eq!(code, Some(34), "{said}");
    assert!(said.contains("--server-uuid"), "{said}");
    let uuid = source
        .client()
        .unwrap()
        .string("SELECT @@server_uuid")
        .unwrap();
    well(index(&stream, &copies, &["--all", "--server-uuid", &uuid]));
    run(
        &source,
        &["FLUSH BINARY LOGS", "INSERT INTO d.t VALUES (2)"],
    );
    stream.start();
    stream.catch_up(&source);
    stream.terminate();
    assert_eq!(
        ask(
            &stream,
            "SELECT pk_values FROM row_changes ORDER BY change_id"
        ),
        ["1", "2"]
    );
    assert_eq!(ask(&stream, "SELECT COUNT(*) FROM sources"), ["1"]);
}
