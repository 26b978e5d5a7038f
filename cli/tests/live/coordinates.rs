//! Where a stream is, and who it says it is: tagged GTIDs, heartbeats and the names of a replica, on servers of every age.

use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use bintrail_testkit::server::Server;

use crate::gaps::purge;
use crate::support::{PATIENCE, Scratch, Stream, ask, run, source, source_of};

const TABLE: [&str; 2] = [
    "CREATE DATABASE d",
    "CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, x INT)",
];

/// One transaction without a tag and one of each of two tags, one of which is above all others in its order.
fn tagged(source: &Server) {
    run(
        source,
        &[
            "SET gtid_next = 'AUTOMATIC:nightly'",
            "INSERT INTO d.t (x) VALUES (1), (2)",
            "SET gtid_next = 'AUTOMATIC'",
            "INSERT INTO d.t (x) VALUES (3)",
            "SET gtid_next = 'AUTOMATIC:_a9'",
            "UPDATE d.t SET x = x + 1 ORDER BY id DESC LIMIT 1",
        ],
    );
}

/// The checkpoint's GTIDs are those of the source, which compares them itself.
fn has_all_gtids(stream: &Stream, source: &Server) {
    let set = ask(stream, "SELECT gtid_set FROM stream_state").remove(0);
    let set = set.replace('\n', "");
    assert!(set.contains(":_a9:") && set.contains(":nightly:"), "{set}");
    let mut client = source.client().unwrap();
    let same = client
        .strings(&format!(
            "SELECT GTID_SUBSET('{set}', @@GLOBAL.gtid_executed), GTID_SUBSET(@@GLOBAL.gtid_executed, '{set}')"
        ))
        .unwrap();
    assert_eq!(same, [["1", "1"]], "{}: {set}", stream.name);
}

#[test]
fn tagged_gtids() {
    let source = source(&[]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    tagged(&source);
    let starts = [
        ("gtid", ["--server-id", "71", "--start-gtid", ""]),
        (
            "position",
            ["--server-id", "72", "--start-file", "mysql-bin.000001"],
        ),
    ];
    let mut streams =
        starts.map(|(name, start)| Stream::new(name, &source, None, &scratch, &start));
    streams.iter_mut().for_each(Stream::start);
    for round in 0..6 {
        for stream in &mut streams {
            // With and without a word, in the middle of a file and at its end.
            match round % 3 {
                0 => stream.catch_up(&source),
                1 => stream.terminate(),
                _ => stream.kill(),
            }
        }
        if round % 2 == 0 {
            run(&source, &["FLUSH BINARY LOGS"]);
        }
        for _ in 0..5 {
            tagged(&source);
        }
        for stream in &mut streams {
            if round % 3 != 0 {
                stream.start();
            }
        }
    }
    for stream in &mut streams {
        stream.catch_up(&source);
        stream.terminate();
        // Four rows each time.
        assert_eq!(stream.equals(&source), 31 * 4, "{}", stream.name);
    }
    let [by_gtid, _] = &mut streams;
    has_all_gtids(by_gtid, &source);

    // A gap with tags is a gap: what is lost is named, and what is not is read.
    tagged(&source);
    run(&source, &["FLUSH BINARY LOGS"]);
    tagged(&source);
    purge(&source);
    by_gtid.start();
    by_gtid.catch_up(&source);
    by_gtid.terminate();
    let lost = ask(by_gtid, "SELECT gap_lost_detail FROM stream_state").remove(0);
    for words in ["3 transactions, ", ":nightly:32", ":_a9:32"] {
        assert!(lost.contains(words), "no {words} in {lost}");
    }
    let rows = ask(by_gtid, "SELECT COUNT(*) FROM binlog_events");
    assert_eq!(rows, ["128"]);
    has_all_gtids(by_gtid, &source);

    // And a source that has lost transactions of one tag only is another one.
    let uuid = source.client().unwrap().string("SELECT @@server_uuid");
    let uuid = uuid.unwrap();
    run(
        &source,
        &[
            "RESET BINARY LOGS AND GTIDS",
            &format!("SET GLOBAL gtid_purged = '{uuid}:1-1000:nightly:1-1000:_a9:1-5'"),
        ],
    );
    by_gtid.start();
    let (code, last) = by_gtid.end();
    assert_eq!(code, Some(15), "{last}");
}

/// What the source knows of the replica, under the names that it has for it.
fn introduced(kind: &str) {
    let source = source_of(kind, &[]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    let mut stream = Stream::new(kind, &source, None, &scratch, &["--server-id", "77"]);
    stream.start();
    stream.says(" streaming ", 1);
    let mut client = source.client().unwrap();
    let started = Instant::now();
    // It says so before it has asked for its dump.
    let replicas = loop {
        let replicas = client
            .strings("SHOW REPLICAS")
            .or_else(|_| client.strings("SHOW SLAVE HOSTS"))
            .unwrap();
        if !replicas.is_empty() || started.elapsed() > PATIENCE {
            break replicas;
        }
        sleep(Duration::from_millis(50));
    };
    assert_eq!(replicas.len(), 1, "{kind}: {replicas:?}");
    assert_eq!(replicas[0][0], "77", "{kind}");
    let uuid = "b1474a11-0000-4000-8000-00000000004d";
    if kind.starts_with("mysql") {
        // MariaDB knows none.
        assert!(replicas[0].iter().any(|cell| cell == uuid), "{replicas:?}");
    }
    if kind == "mysql97" {
        let variables = client
            .strings(
                "SELECT variable_name, variable_value FROM performance_schema.user_variables_by_thread \
                 JOIN performance_schema.threads USING (thread_id) \
                 WHERE processlist_command LIKE 'Binlog Dump%' ORDER BY variable_name",
            )
            .unwrap();
        let named = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
        let (beat, checksum) = ("5000000000", "CRC32");
        assert_eq!(
            variables,
            [
                named("master_binlog_checksum", checksum),
                named("master_heartbeat_period", beat),
                named("replica_uuid", uuid),
                named("slave_uuid", uuid),
                named("source_binlog_checksum", checksum),
                named("source_heartbeat_period", beat),
            ]
        );
    }
    // Silence is noticed after three heartbeats: that a quiet stream lives longer shows that they come.
    sleep(Duration::from_secs(25));
    stream.assert_runs();
    let log = stream.log();
    assert!(!log.contains("has sent nothing"), "{kind}: {log}");
    // They tell where it is, also before its first transaction.
    assert_eq!(stream.state(), Ok(source.position().unwrap()), "{kind}");
    run(&source, &["INSERT INTO d.t (x) VALUES (1)"]);
    stream.catch_up(&source);
    stream.terminate();
    let log = stream.log();
    assert!(!log.contains("broke off"), "{kind}: {log}");
}

#[test]
fn servers_of_every_age_know_the_replica() {
    thread::scope(|scope| {
        for kind in ["mysql97", "mysql56", "mariadb", "mariadb11"] {
            scope.spawn(move || introduced(kind));
        }
    });
}

/// Each event of a transaction, and where those around it begin.
fn started_inside(kind: &str, options: &[&str]) {
    let source = source_of(kind, options);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    run(
        &source,
        &[
            "FLUSH LOGS",
            "BEGIN",
            "INSERT INTO d.t (x) VALUES (1)",
            "INSERT INTO d.t (x) VALUES (2)",
            "COMMIT",
            "INSERT INTO d.t (x) VALUES (3)",
        ],
    );
    let file = source.position().unwrap().0;
    let mut client = source.client().unwrap();
    let events = client.strings(&format!("SHOW BINLOG EVENTS IN '{file}'"));
    let events = events.unwrap();
    let begins = |event: &&Vec<String>| match event[2].as_str() {
        "Gtid" | "Anonymous_Gtid" => true,
        "Query" => event[5] == "BEGIN" && kind == "mysql56",
        _ => false,
    };
    let first = events.iter().position(|event| begins(&event)).unwrap();
    let last = events.iter().rposition(|event| begins(&event)).unwrap();
    let mut name = 0;
    for (at, event) in events.iter().enumerate().take(last + 1).skip(first) {
        name += 1;
        let position = event[1].as_str();
        let start = ["--start-file", &file, "--start-pos", position];
        let mut stream = Stream::new(&name.to_string(), &source, None, &scratch, &start);
        stream.start();
        if at == first || at == last {
            stream.catch_up(&source);
            stream.terminate();
            let rows = ask(&stream, "SELECT COUNT(*) FROM binlog_events");
            assert_eq!(rows, [if at == first { "3" } else { "1" }], "{kind}");
            continue;
        }
        let (code, last) = stream.end();
        assert_eq!(code, Some(15), "{kind} {event:?}: {last}");
        let told = format!("inside a transaction, which begins at {}", events[first][1]);
        assert!(last.contains(&told), "{kind} {event:?}: {last}");
        assert_eq!(stream.state(), Ok((String::new(), 0)), "{kind}");
    }
}

#[test]
fn a_start_inside_a_transaction_is_refused() {
    started_inside("mysql97", &[]);
    started_inside(
        "mysql97",
        &["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"],
    );
    started_inside(
        "mysql56",
        &["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"],
    );
    started_inside("mariadb", &[]);
}
