//! Indexes on servers that streams read from: what they hold is no change of anybody's.

use bintrail_testkit::server::Server;

use crate::failover::{QUICK, replica, wait_for};
use crate::support::{PASSWORD, Scratch, Stream, ask, run, until};

/// A server to read from and to keep indexes on.
fn server() -> Server {
    let server = Server::start("mysql97", "both", &QUICK).unwrap();
    prepare(&server);
    server
}

fn prepare(server: &Server) {
    for user in ["capture", "keeper"] {
        run(
            server,
            &[
                &format!("CREATE USER {user} IDENTIFIED BY '{PASSWORD}'"),
                &format!("GRANT ALL ON *.* TO {user}"),
            ],
        );
    }
    run(
        server,
        &["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)"],
    );
}

/// Commits some rows, and waits until the view shows each.
fn insert(server: &Server, ids: [u32; 3], stream: &mut Stream) {
    for id in ids {
        run(server, &[&format!("INSERT INTO d.t VALUES ({id})")]);
        let sql = format!(
            "SELECT pk_values FROM binlog_events WHERE pk_values = '{id}' AND table_name = 't'"
        );
        until(|| {
            stream.assert_runs();
            (!ask(stream, &sql).is_empty()).then_some(())
        });
    }
}

const TABLES: &str = "SELECT CONCAT(table_name, ' ', COUNT(*)) FROM binlog_events
    GROUP BY table_name ORDER BY table_name";

#[test]
fn beside_the_tables_of_others() {
    let server = server();
    let scratch = Scratch::new();
    let file = server.position().unwrap().0;
    let options = ["--start-file", &file, "--schemas", "shop,d"];
    let mut stream = Stream::new("shop", &server, Some(&server), &scratch, &options);
    run(&server, &["CREATE TABLE shop.orders (id INT PRIMARY KEY)"]);
    stream.start();
    stream.says("streaming", 1);
    run(&server, &["INSERT INTO shop.orders VALUES (1), (2)"]);
    insert(&server, [1, 2, 3], &mut stream);
    stream.terminate();
    assert_eq!(ask(&stream, TABLES), ["orders 2", "t 3"]);
}

#[test]
fn on_the_server_that_the_source_replicates() {
    let first = server();
    let second = replica(&first);
    wait_for(&second, &first);
    let scratch = Scratch::new();
    let mut stream = Stream::new(
        "around",
        &second,
        Some(&first),
        &scratch,
        &["--start-gtid", ""],
    );
    stream.start();
    stream.says("streaming", 1);
    insert(&first, [1, 2, 3], &mut stream);
    stream.terminate();
    assert_eq!(ask(&stream, TABLES), ["t 3"]);
}

/// Two streams, each into an index on the server that the other reads; the first is under way when that index is made.
#[test]
fn across() {
    let servers = [server(), server()];
    let [one, other] = &servers;
    let scratch = Scratch::new();
    let mut streams = [("forth", one, other), ("back", other, one)]
        .map(|(name, from, to)| Stream::new(name, from, Some(to), &scratch, &["--start-gtid", ""]));
    for (stream, from) in streams.iter_mut().zip(&servers) {
        stream.start();
        stream.says("streaming", 1);
        insert(from, [1, 2, 3], stream);
    }
    for (stream, from) in streams.iter_mut().zip(&servers) {
        insert(from, [4, 5, 6], stream);
    }
    let [mut forth, mut back] = streams;
    forth.terminate();
    back.terminate();
    assert_eq!(ask(&forth, TABLES), ["t 6"]);
    assert_eq!(ask(&back, TABLES), ["t 6"]);
}
