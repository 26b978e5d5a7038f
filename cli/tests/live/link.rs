//! A link that dies without a word, an index that is away, and two streams that take themselves for one.

use std::thread::sleep;
use std::time::Duration;

use bintrail_engine::secret::Secret;
use bintrail_engine::source::connection::{ConnectOptions, Connection};
use bintrail_testkit::client::block_on;
use bintrail_testkit::proxy::{Break, Flow, Proxy};

use crate::support::{Scratch, Stream, index_server, run, source};

const TABLE: [&str; 2] = [
    "CREATE DATABASE d",
    "CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, x INT, pad TEXT)",
];

#[test]
fn a_half_open_link_is_noticed_and_made_anew() {
    let source = source(&[]);
    let proxy = Proxy::start(source.port, 1).unwrap();
    let scratch = Scratch::new();
    run(&source, &TABLE);
    let start = ["--start-file", "mysql-bin.000001"];
    let mut stream = Stream::new("half", &source, None, &scratch, &start).through(&proxy, None);
    stream.start();
    stream.catch_up(&source);
    proxy.break_all(Break::HalfOpen);
    run(&source, &["INSERT INTO d.t (x) VALUES (1), (2)"]);
    // Three heartbeats, though there is a checkpoint each second meanwhile.
    stream.says("the server has sent nothing for 15s", 1);
    stream.catch_up(&source);
    stream.terminate();
    assert_eq!(stream.equals(&source), 2);
}

/// Three minutes in which nothing comes through, in either direction, and new connections are taken in and hear nothing.
#[test]
fn a_black_hole_of_three_minutes_is_sat_out() {
    let source = source(&[]);
    let keeper = index_server(&[]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    let links = [&source, &source, &keeper]
        .into_iter()
        .zip(1..)
        .map(|(server, seed)| Proxy::start(server.port, seed).unwrap());
    let links: Vec<Proxy> = links.collect();
    let stream = |name, id, keeper, link: &Proxy, index| {
        let arguments = ["--server-id", id, "--start-file", "mysql-bin.000001"];
        let stream = Stream::new(name, &source, keeper, &scratch, &arguments);
        stream.through(link, index)
    };
    let mut streams = [
        stream("hole", "4401", None, &links[0], None),
        stream(
            "index_hole",
            "4402",
            Some(&keeper),
            &links[1],
            Some(&links[2]),
        ),
    ];
    for stream in &mut streams {
        stream.start();
        stream.catch_up(&source);
    }
    for link in [&links[0], &links[2]] {
        link.flow(Flow::Stall);
    }
    for second in 0..180 {
        run(&source, &["INSERT INTO d.t (x) VALUES (1)"]);
        sleep(Duration::from_secs(1));
        if second % 30 == 0 {
            streams.iter_mut().for_each(Stream::assert_runs);
        }
    }
    links.iter().for_each(Proxy::heal);
    for stream in &mut streams {
        stream.catch_up(&source);
        stream.terminate();
        assert_eq!(stream.equals(&source), 180);
        // A line when it breaks off, and then fewer and fewer.
        let said = stream.log().matches("the stream broke off").count();
        assert!(said <= 10, "{}: {said}", stream.name);
    }
}

#[test]
fn an_index_that_is_away_is_waited_for() {
    let source = source(&[]);
    let keeper = index_server(&[]);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    let start = ["--start-file", "mysql-bin.000001"];
    let mut stream = Stream::new("patient", &source, Some(&keeper), &scratch, &start);
    stream.start();
    stream.catch_up(&source);
    let before = stream.peak();
    keeper.stop().unwrap();
    // 80 MB, of which the stream may hold a few.
    for _ in 0..40 {
        run(
            &source,
            &[
                "INSERT INTO d.t (x, pad) WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s \
               WHERE n < 1000) SELECT n, REPEAT('x', 2000) FROM s",
            ],
        );
    }
    // The first, second and fourth failure: the others say the same.
    stream.says("the stream broke off", 3);
    keeper.restart().unwrap();
    stream.catch_up(&source);
    assert_eq!(stream.equals(&source), 40_000);
    let grown = stream.peak() - before;
    assert!(grown < 32 << 20, "grown by {grown} bytes");

    // And one that is not to wait for ever.
    stream.terminate();
    let mut stream = stream.with(&["--write-timeout", "5"]);
    stream.start();
    stream.says(" streaming ", 1);
    keeper.stop().unwrap();
    run(&source, &["INSERT INTO d.t (x) VALUES (1)"]);
    let (code, last) = stream.end();
    assert_eq!(code, Some(29), "{last}");
    assert!(
        last.contains("nothing was written for 5s (--write-timeout)"),
        "{last}"
    );
    keeper.restart().unwrap();
    stream.start();
    stream.catch_up(&source);
    stream.terminate();
    assert_eq!(stream.equals(&source), 40_001);
}

#[test]
fn two_streams_with_one_server_id_are_told_so() {
    for kind in ["mysql97", "mariadb", "mysql56"] {
        let source = crate::support::source_of(kind, &[]);
        let scratch = Scratch::new();
        run(&source, &TABLE);
        let id = ["--server-id", "77"];
        let mut first = Stream::new("first", &source, None, &scratch, &id);
        let mut second = Stream::new("second", &source, None, &scratch, &id);
        first.start();
        first.says("streaming", 1);
        run(&source, &["INSERT INTO d.t (x) VALUES (1)"]);
        first.catch_up(&source);
        second.start();
        let (code, last) = first.end();
        assert_eq!(code, Some(16), "{kind}: {last}");
        assert!(last.contains("--server-id"), "{kind}: {last}");
        run(&source, &["INSERT INTO d.t (x) VALUES (1)"]);
        second.catch_up(&source);
        second.terminate();
    }
}

/// Another replica that calls itself by the stream's uuid, under a server id of its own.
#[test]
fn a_replica_with_the_uuid_of_a_stream_is_told_of() {
    for kind in ["mysql97", "mysql56"] {
        let source = crate::support::source_of(kind, &[]);
        let scratch = Scratch::new();
        run(&source, &TABLE);
        let mut stream = Stream::new("first", &source, None, &scratch, &["--server-id", "77"]);
        stream.start();
        stream.says("streaming", 1);
        run(&source, &["INSERT INTO d.t (x) VALUES (1)"]);
        stream.catch_up(&source);
        let mut client = source.client().unwrap();
        let replicas = client
            .strings("SHOW REPLICAS")
            .or_else(|_| client.strings("SHOW SLAVE HOSTS"))
            .unwrap();
        let uuid = &replicas[0][4];
        let (file, position) = source.position().unwrap();
        let other = block_on(async {
            let options = ConnectOptions::new("127.0.0.1", source.port, "root", Secret::new(""));
            let mut connection = Connection::connect(&options).await.unwrap();
            for sql in [
                format!("SET @replica_uuid = '{uuid}', @slave_uuid = '{uuid}'"),
                "SET @source_binlog_checksum = 'CRC32', @master_binlog_checksum = 'CRC32'"
                    .to_owned(),
            ] {
                connection.execute(&sql).await.unwrap();
            }
            connection.register_replica(78, "", 1).await.unwrap();
            let dump = connection.dump_by_position(78, file.as_bytes(), position, 0);
            dump.await.unwrap()
        });
        let (code, last) = stream.end();
        assert_eq!(code, Some(16), "{kind}: {last}");
        assert!(
            last.contains("server_uuid") && last.contains("--server-id"),
            "{kind}: {last}"
        );
        drop(other);
    }
}
