//! A link that dies without a word, an index that is away, and two streams that take themselves for one.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use bintrail_testkit::check::same_events;
use bintrail_testkit::oracle::Oracle;
use bintrail_testkit::schema::Catalog;
use bintrail_testkit::server::Server;
use bintrail_testkit::value::Charsets;

use crate::support::{PASSWORD, Scratch, Stream, index_server, source};

/// Carries bytes to a server, until told to let some connections go silent: they stay open, what comes in
/// is taken, and nothing goes out.
struct Proxy {
    port: u16,
    /// Connections so far, and how many of the first ones are silent.
    made: Arc<AtomicU32>,
    silent: Arc<AtomicU32>,
}

impl Proxy {
    fn to(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (made, silent) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (count, quiet, target) = (Arc::clone(&made), Arc::clone(&silent), server.port);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else {
                    client.shutdown(Shutdown::Both).ok();
                    continue;
                };
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                for (mut from, mut to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server, client),
                ] {
                    let quiet = Arc::clone(&quiet);
                    thread::spawn(move || {
                        let mut buffer = vec![0; 1 << 16];
                        while let Ok(count @ 1..) = from.read(&mut buffer) {
                            let carried = quiet.load(Ordering::SeqCst) < number;
                            if carried && to.write_all(&buffer[..count]).is_err() {
                                break;
                            }
                        }
                        if quiet.load(Ordering::SeqCst) < number {
                            to.shutdown(Shutdown::Both).ok();
                        }
                    });
                }
            }
        });
        Self { port, made, silent }
    }

    /// Everything that is connected now falls silent.
    fn silence(&self) {
        self.silent
            .store(self.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

fn run(source: &Server, statements: &[&str]) {
    let mut client = source.client().unwrap();
    for sql in statements {
        client
            .run(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// The index holds the binlog's row events one for one.
fn check(stream: &Stream, source: &Server, rows: u64) {
    let mut catalog = Catalog::default();
    let mut client = source.client().unwrap();
    catalog.refresh(&mut client, &["d".to_owned()]).unwrap();
    let mut charsets = Charsets::new(client).unwrap();
    let oracle = Oracle::of(source).unwrap();
    let index = stream.index.open().unwrap();
    assert_eq!(
        same_events(index, oracle, &catalog, &mut charsets).unwrap(),
        rows
    );
}

const TABLE: [&str; 2] = [
    "CREATE DATABASE d",
    "CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, x INT, pad TEXT)",
];

#[test]
fn a_half_open_link_is_noticed_and_made_anew() {
    let source = source(&[]);
    let proxy = Proxy::to(&source);
    let scratch = Scratch::new();
    run(&source, &TABLE);
    let dsn = format!("mysql://capture:{PASSWORD}@127.0.0.1:{}/", proxy.port);
    let start = ["--start-file", "mysql-bin.000001"];
    let mut stream = Stream::new("half", &source, None, &scratch, &start).from(&dsn);
    stream.start();
    stream.catch_up(&source);
    proxy.silence();
    run(&source, &["INSERT INTO d.t (x) VALUES (1), (2)"]);
    // Three heartbeats, though there is a checkpoint each second meanwhile.
    stream.says("the server has sent nothing for 15s", 1);
    stream.catch_up(&source);
    stream.terminate();
    check(&stream, &source, 2);
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
    keeper.stop().unwrap();
    // More than is held in memory.
    for _ in 0..8 {
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
    check(&stream, &source, 8_000);

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
    check(&stream, &source, 8_001);
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
