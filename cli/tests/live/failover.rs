//! The source moves to another server: with the same GTIDs the stream goes on exactly, else it says why not.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bintrail_testkit::check::Replay;
use bintrail_testkit::oracle::{Oracle, Outcome};
use bintrail_testkit::server::Server;
use bintrail_testkit::workload::{Plan, Workload, schemas};

use crate::support::{PASSWORD, Scratch, Stream, ask, run, source, source_of};

pub(crate) const QUICK: [&str; 2] = ["--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0"];

/// A replica of `source`, with all that it has.
pub(crate) fn replica(source: &Server) -> Server {
    let server = Server::start("mysql97", "replica", &QUICK).unwrap();
    let mut client = server.client().unwrap();
    for sql in [
        // Its own beginnings are not to be in its GTIDs.
        "RESET BINARY LOGS AND GTIDS".to_owned(),
        format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {}, SOURCE_USER = 'root', \
             SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1, GET_SOURCE_PUBLIC_KEY = 1",
            source.port
        ),
        "START REPLICA".to_owned(),
    ] {
        client.run(&sql).unwrap();
    }
    server
}

pub(crate) fn wait_for(replica: &Server, source: &Server) {
    let set = source
        .client()
        .unwrap()
        .string("SELECT @@gtid_executed")
        .unwrap();
    let waited = replica
        .client()
        .unwrap()
        .string(&format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{set}', 200)"))
        .unwrap();
    assert_eq!(waited, "0");
}

/// (GTID, verb, table) of every row event that was committed.
fn expected(server: &Server) -> Vec<(String, String, String)> {
    let mut rows = Vec::new();
    for transaction in Oracle::of(server).unwrap() {
        let transaction = transaction.unwrap();
        if transaction.outcome == Outcome::Committed {
            let gtid = transaction.gtid.unwrap();
            for row in transaction.rows {
                rows.push((gtid.clone(), row.change.name().to_owned(), row.table));
            }
        }
    }
    rows
}

#[test]
fn replicas_take_over_from_one_another() {
    let source = source(&[]);
    let (b, c) = (replica(&source), replica(&source));
    let scratch = Scratch::new();
    let dsn = format!(
        "mysql://capture:{PASSWORD}@127.0.0.1:{},127.0.0.1:{}/",
        b.port, c.port
    );
    let mut plan = Plan::mixed(crate::support::setting("BINTRAIL_TEST_SEED", 7), u64::MAX);
    plan.rate = Some(3_000);
    let workload = Arc::new(Workload::create(&source, plan).unwrap());
    wait_for(&b, &source);
    let start = b
        .client()
        .unwrap()
        .string("SELECT @@gtid_executed")
        .unwrap();
    let mut stream =
        Stream::new("failover", &b, None, &scratch, &["--start-gtid", &start]).from(&dsn);
    stream.start();
    stream.says("streaming", 1);
    let running = {
        let workload = Arc::clone(&workload);
        thread::spawn(move || workload.run().unwrap())
    };
    let busy = |count: u64| {
        let from = workload.row_changes();
        while workload.row_changes() < from + count {
            thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    busy(10_000);
    b.stop().unwrap();
    stream.says("another server has taken over", 1);
    busy(10_000);
    // Killed, it finds its place on the server that it has taken over to.
    stream.kill();
    stream.start();
    stream.says("streaming", 1);
    busy(5_000);
    // One that is behind is waited for.
    b.restart().unwrap();
    b.client().unwrap().run("STOP REPLICA").unwrap();
    busy(5_000);
    c.stop().unwrap();
    stream.says("it lacks the transactions", 1);
    b.client().unwrap().run("START REPLICA").unwrap();
    stream.says("another server has taken over", 1);
    busy(5_000);
    workload.stop();
    let (report, catalog) = running.join().unwrap();
    wait_for(&b, &source);
    stream.catch_up(&b);
    stream.terminate();

    let index = || stream.index.open().unwrap();
    let events: Vec<_> = index()
        .events()
        .map(|event| event.unwrap())
        .map(|event| {
            (
                event.gtid.unwrap(),
                event.event_type.clone(),
                event.table_name,
            )
        })
        .collect();
    let expected: Vec<_> = expected(&source);
    assert_eq!(events.len(), expected.len());
    let mut sorted = (events, expected);
    // Replicas may commit what is independent in another order.
    sorted.0.sort();
    sorted.1.sort();
    assert!(sorted.0 == sorted.1);
    assert_eq!(u64::try_from(sorted.0.len()).unwrap(), report.row_changes);
    let mut replay = Replay::new(&catalog, false);
    replay.index(index()).unwrap();
    replay
        .same_tables(&mut source.client().unwrap(), &schemas())
        .unwrap();

    let uuid = |server: &Server| {
        let mut client = server.client().unwrap();
        client.string("SELECT @@server_uuid").unwrap()
    };
    let sources = index()
        .query("SELECT source_id, server_uuid FROM sources")
        .unwrap();
    assert_eq!(sources, [[Some("1".to_owned()), Some(uuid(&b))]]);
    c.restart().unwrap();
    let servers = index()
        .query("SELECT server_uuid FROM source_servers ORDER BY since")
        .unwrap();
    let servers: Vec<_> = servers.into_iter().flatten().flatten().collect();
    assert_eq!(servers, [uuid(&b), uuid(&c), uuid(&b)]);
}

/// A new server_uuid on the same data, as when `auto.cnf` was lost or a copy took the address.
fn renamed(source: &Server) {
    source.stop().unwrap();
    std::fs::remove_file(source.datadir.join("auto.cnf")).unwrap();
    source.restart().unwrap();
}

#[test]
fn a_new_name_on_the_same_data() {
    let source = source(&[]);
    let scratch = Scratch::new();
    let run = |sql: &str| source.client().unwrap().run(sql).unwrap();
    run("CREATE DATABASE d");
    run("CREATE TABLE d.t (id INT PRIMARY KEY)");
    let mut by_gtid = Stream::new("gtid", &source, None, &scratch, &["--server-id", "71"]);
    let place = ["--server-id", "72", "--start-file", "mysql-bin.000001"];
    let mut by_position = Stream::new("position", &source, None, &scratch, &place);
    for stream in [&mut by_gtid, &mut by_position] {
        stream.start();
        stream.catch_up(&source);
        stream.terminate();
    }
    renamed(&source);
    run("INSERT INTO d.t VALUES (1)");
    by_gtid.start();
    by_gtid.catch_up(&source);
    by_gtid.terminate();
    let mut index = by_gtid.index.open().unwrap();
    let rows = index
        .string("SELECT COUNT(*) FROM binlog_events WHERE source_id = 1 AND table_name = 't'")
        .unwrap();
    assert_eq!(rows.as_deref(), Some("1"));
    // File and position mean nothing there.
    let mut by_position = by_position.with(&["--server-id", "72"]);
    by_position.start();
    let (code, last) = by_position.end();
    assert_eq!(code, Some(14), "{last}");
    assert!(
        last.contains("--start-file") && last.contains("--reset"),
        "{last}"
    );

    let mut by_position = by_position.with(&place);
    by_position.start();
    assert_eq!(by_position.end().0, Some(14));

    // Start flags that have stayed are of no more effect than with the server before.
    renamed(&source);
    run("INSERT INTO d.t VALUES (11)");
    let mut by_gtid = by_gtid.with(&["--server-id", "71", "--start-gtid", ""]);
    by_gtid.start();
    by_gtid.catch_up(&source);
    by_gtid.terminate();
    let rows = "SELECT source_id || ':' || pk_values FROM binlog_events WHERE table_name = 't'";
    assert_eq!(ask(&by_gtid, rows), ["1:1", "1:11"]);

    // Another history altogether.
    run("RESET BINARY LOGS AND GTIDS");
    renamed(&source);
    run("INSERT INTO d.t VALUES (2)");
    by_gtid.start();
    let (code, last) = by_gtid.end();
    assert_eq!(code, Some(15), "{last}");
    assert!(last.contains("it lacks the transactions"), "{last}");
}

#[test]
fn files_and_positions_lead_to_their_own_server_only() {
    let (source, other) = (source(&[]), source(&[]));
    let scratch = Scratch::new();
    let run = |sql: &str| source.client().unwrap().run(sql).unwrap();
    run("CREATE DATABASE d");
    run("CREATE TABLE d.t (id INT PRIMARY KEY)");
    // The first is not there at all, not even at the start.
    let dsn = format!(
        "mysql://capture:{PASSWORD}@127.0.0.1:1,127.0.0.1:{},127.0.0.1:{}/",
        source.port, other.port
    );
    let start = ["--start-file", "mysql-bin.000001"];
    let mut stream = Stream::new("place", &source, None, &scratch, &start).from(&dsn);
    stream.start();
    stream.catch_up(&source);
    source.stop().unwrap();
    stream.says("file and position, which mean nothing on another server", 1);
    source.restart().unwrap();
    run("INSERT INTO d.t VALUES (1)");
    stream.catch_up(&source);
    stream.terminate();
    let mut index = stream.index.open().unwrap();
    let rows = index
        .query("SELECT source_id, table_name FROM binlog_events")
        .unwrap();
    assert_eq!(rows, [[Some("1".to_owned()), Some("t".to_owned())]]);
}

/// One address that leads to several servers, as a name with several addresses does.
struct Crossroads {
    port: u16,
    /// Alternately to each of them, or always to the first.
    alternate: Arc<AtomicBool>,
}

impl Crossroads {
    fn open(to: [u16; 2]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let alternate = Arc::new(AtomicBool::new(false));
        let alternates = Arc::clone(&alternate);
        thread::spawn(move || {
            // The first connection of an attempt, for questions, leads to the first server, and the next, for events, to
            // the second.
            let mut turn = 0;
            for client in listener.incoming() {
                let alternates = alternates.load(Ordering::Relaxed);
                let at = if alternates { turn } else { 0 };
                turn = if alternates { turn ^ 1 } else { 0 };
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", to[at])));
                let server = server.unwrap();
                for (mut from, mut to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server, client),
                ] {
                    thread::spawn(move || {
                        std::io::copy(&mut from, &mut to).ok();
                        to.shutdown(Shutdown::Both).ok();
                        from.shutdown(Shutdown::Both).ok();
                    });
                }
            }
        });
        Self { port, alternate }
    }
}

/// What a server is asked and what it sends must be of one server.
#[test]
fn an_address_that_leads_to_several_servers() {
    for kind in ["mysql97", "mariadb"] {
        let [one, other] = [
            source_of(kind, &["--server-id=11"]),
            source_of(kind, &["--server-id=12"]),
        ];
        for (server, first) in [(&one, 100), (&other, 900)] {
            run(
                server,
                &[
                    "CREATE DATABASE d",
                    "CREATE TABLE d.t (id INT PRIMARY KEY)",
                    &format!("INSERT INTO d.t VALUES ({first})"),
                ],
            );
        }
        let crossroads = Crossroads::open([one.port, other.port]);
        let dsn = format!("mysql://capture:{PASSWORD}@127.0.0.1:{}/", crossroads.port);
        let scratch = Scratch::new();
        let file = one.position().unwrap().0;
        let start = ["--start-file", &file];
        let mut stream = Stream::new("crossroads", &one, None, &scratch, &start).from(&dsn);
        let write = |id: u32| {
            for (server, id) in [(&one, id), (&other, id + 800)] {
                run(server, &[&format!("INSERT INTO d.t VALUES ({id})")]);
            }
        };
        stream.start();
        stream.catch_up(&one);
        crossroads.alternate.store(true, Ordering::Relaxed);
        write(101);
        let mut client = one.client().unwrap();
        for row in client.strings("SHOW PROCESSLIST").unwrap() {
            if row[4].starts_with("Binlog Dump") {
                client.run(&format!("KILL {}", row[0])).unwrap();
            }
        }
        stream.says("the same address led to the server", 2);
        write(102);
        crossroads.alternate.store(false, Ordering::Relaxed);
        stream.catch_up(&one);
        stream.terminate();
        let rows = ask(
            &stream,
            "SELECT pk_values FROM binlog_events WHERE table_name = 't' ORDER BY change_id",
        );
        assert_eq!(rows, ["100", "101", "102"], "{kind}");
        // One that starts says so, and ends.
        crossroads.alternate.store(true, Ordering::Relaxed);
        let mut stream = Stream::new("fresh", &one, None, &scratch, &start).from(&dsn);
        stream.start();
        let (code, last) = stream.end();
        assert_eq!(code, Some(17), "{kind}: {last}");
        assert!(last.contains("name each server's own address"), "{last}");
    }
}

fn mariadb_replica(source: &Server) -> Server {
    let other = Server::start("mariadb", "replica", &["--log-slave-updates"]).unwrap();
    let from = format!(
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'root', \
         MASTER_USE_GTID = slave_pos",
        source.port
    );
    run(&other, &[&from, "START SLAVE"]);
    other
}

fn wait_for_mariadb(replica: &Server, source: &Server) {
    let mut client = source.client().unwrap();
    let reached = client.string("SELECT @@gtid_binlog_pos").unwrap();
    let waited = format!("SELECT MASTER_GTID_WAIT('{reached}', 200)");
    let waited = replica.client().unwrap().string(&waited);
    assert_eq!(waited.unwrap(), "0");
}

#[test]
fn a_mariadb_replica_takes_over() {
    let source = source_of("mariadb", &[]);
    let other = mariadb_replica(&source);
    let run = |server: &Server, sql: &str| server.client().unwrap().run(sql).unwrap();
    let scratch = Scratch::new();
    let dsn = format!(
        "mysql://capture:{PASSWORD}@127.0.0.1:{},127.0.0.1:{}/",
        source.port, other.port
    );
    run(&source, "CREATE DATABASE d");
    run(&source, "CREATE TABLE d.t (id INT PRIMARY KEY)");
    let mut stream =
        Stream::new("failover", &source, None, &scratch, &["--start-gtid", ""]).from(&dsn);
    stream.start();
    stream.says("streaming", 1);
    for id in 1..20 {
        run(&source, &format!("INSERT INTO d.t VALUES ({id})"));
    }
    wait_for_mariadb(&other, &source);
    stream.catch_up(&source);
    source.stop().unwrap();
    stream.says("another server has taken over", 1);
    run(&other, "STOP SLAVE");
    for id in 20..30 {
        run(&other, &format!("INSERT INTO d.t VALUES ({id})"));
    }
    stream.catch_up(&other);
    stream.terminate();
    let sql = "SELECT pk_values FROM binlog_events WHERE source_id = 1 AND table_name = 't' ORDER BY change_id";
    let ids = stream.index.open().unwrap().query(sql).unwrap();
    let ids: Vec<_> = ids.into_iter().flatten().flatten().collect();
    let expected: Vec<_> = (1..30).map(|id| id.to_string()).collect();
    assert_eq!(ids, expected);
    source.restart().unwrap();
}

/// Whoever names only the new server after a failover is told, and not given a new beginning.
#[test]
fn a_replica_that_is_named_alone() {
    for kind in ["mysql97", "mariadb"] {
        let source = source_of(kind, &[]);
        let other = match kind {
            "mysql97" => replica(&source),
            _ => mariadb_replica(&source),
        };
        let scratch = Scratch::new();
        run(
            &source,
            &["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)"],
        );
        let mut stream = Stream::new("alone", &source, None, &scratch, &[]);
        stream.start();
        stream.says("streaming", 1);
        run(&source, &["INSERT INTO d.t VALUES (1)"]);
        stream.catch_up(&source);
        stream.terminate();
        run(&source, &["INSERT INTO d.t VALUES (2)"]);
        match kind {
            "mysql97" => wait_for(&other, &source),
            _ => wait_for_mariadb(&other, &source),
        }
        let dsn = |ports: &str| format!("mysql://capture:{PASSWORD}@127.0.0.1:{ports}/");
        for start in [&[][..], &["--start-gtid", ""]] {
            stream = stream.with(start).from(&dsn(&other.port.to_string()));
            stream.start();
            let (code, last) = stream.end();
            assert_eq!(code, Some(14), "{kind}: {last}");
            let address = format!("127.0.0.1:{}", source.port);
            assert!(
                last.contains(&address) && last.contains("--reset"),
                "{kind}: {last}"
            );
        }
        let both = dsn(&format!("{},127.0.0.1:{}", other.port, source.port));
        stream = stream.from(&both);
        stream.start();
        stream.catch_up(&other);
        stream.terminate();
        let rows = "SELECT source_id || ':' || pk_values FROM binlog_events WHERE table_name = 't'";
        assert_eq!(ask(&stream, rows), ["1:1", "1:2"], "{kind}");
    }
}
