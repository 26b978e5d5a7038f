//! Connections and replication streams against a real MySQL 8.4 or newer.
//!
//! The server is the one that `BINTRAIL_TEST_MYSQL` names (`host:port`, on this machine, root without
//! password, GTIDs on), or else one that `scripts/servers` starts for this run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics where it fails; clippy only knows this of functions marked as tests"
)]

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bintrail_engine::secret::Secret;
use bintrail_engine::source::Error;
use bintrail_engine::source::connection::{ConnectOptions, Connection};
use bintrail_engine::source::replication::{Progress, ReplicationStream};
use bintrail_engine::tls::SslMode;
use bintrail_proto::command::dump_flags::NON_BLOCK;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const PASSWORD: &str = "correct horse battery staple";
const EMPTY_GTID_SET: &[u8] = &[0; 8];
const FORMAT_DESCRIPTION: u8 = 15;
const WRITE_ROWS: u8 = 30;

struct Server {
    host: String,
    port: u16,
    /// What to take down at the end.
    name: Option<String>,
}

/// One server may be used by all tests, so they go one after the other.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/servers");

impl Server {
    fn start(label: &str) -> Self {
        if let Ok(address) = std::env::var("BINTRAIL_TEST_MYSQL") {
            let (host, port) = address.rsplit_once(':').expect("host:port");
            return Self {
                host: host.to_owned(),
                port: port.parse().expect("a port"),
                name: None,
            };
        }
        let name = format!("{label}-{}", std::process::id());
        let output = Command::new(SCRIPT)
            .args(["up", "mysql97", "--name", &name])
            .output()
            .expect("scripts/servers runs");
        assert!(output.status.success(), "scripts/servers up: {output:?}");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .unwrap_or_else(|| panic!("no {key} in {text}"))
        };
        Self {
            host: value("host").to_owned(),
            port: value("port").parse().expect("a port"),
            name: Some(name),
        }
    }

    fn root(&self) -> ConnectOptions {
        let mut options = ConnectOptions::new(&self.host, self.port, "root", Secret::default());
        options.read_timeout = Duration::from_secs(20);
        options
    }

    fn user(&self, name: &str, password: &str) -> ConnectOptions {
        let mut options = self.root();
        name.clone_into(&mut options.user);
        options.password = Secret::new(password);
        options
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let down = Command::new(SCRIPT).args(["down", name]).output();
            assert!(down.is_ok_and(|output| output.status.success()));
        }
    }
}

/// A connection in between, which keeps what went over it: from the client, and from the server.
async fn tapped(mut options: ConnectOptions) -> (Result<Connection, Error>, Vec<u8>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = (options.host.clone(), options.port);
    options.port = listener.local_addr().unwrap().port();
    let kept = [
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(Mutex::new(Vec::new())),
    ];
    let [up, down] = kept.clone();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(target).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        tokio::join!(
            keep(&mut from_client, &mut to_server, &up),
            keep(&mut from_server, &mut to_client, &down),
        );
    });
    let connection = Connection::connect(&options).await;
    let [up, down] = kept.map(|kept| kept.lock().unwrap().clone());
    (connection, up, down)
}

async fn keep(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    kept: &Mutex<Vec<u8>>,
) {
    let mut buf = vec![0; 65_536];
    while let Ok(len @ 1..) = from.read(&mut buf).await {
        kept.lock().unwrap().extend_from_slice(&buf[..len]);
        if to.write_all(&buf[..len]).await.is_err() {
            return;
        }
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

async fn one(connection: &mut Connection, statement: &str) -> String {
    let rows = connection.query(statement).await.unwrap();
    let value = rows.rows[0][0].clone().expect("not NULL");
    String::from_utf8(value.to_vec()).unwrap()
}

#[tokio::test]
async fn connects_and_queries() {
    let _turn = TURN.lock().await;
    let server = Server::start("connects");
    let mut root = Connection::connect(&server.root()).await.unwrap();
    assert!(root.is_tls(), "preferred takes TLS that is offered");
    for statement in [
        "DROP USER IF EXISTS bt_user, bt_empty".to_owned(),
        format!("CREATE USER bt_user IDENTIFIED BY '{PASSWORD}'"),
        "CREATE USER bt_empty IDENTIFIED BY ''".to_owned(),
    ] {
        root.execute(&statement).await.unwrap();
    }

    caching_sha2(&server, &mut root).await;
    refusals(&server).await;
    queries(&mut root).await;
    left_half_way(&server).await;

    root.execute("DROP USER bt_user, bt_empty").await.unwrap();
    root.close().await;
}

async fn caching_sha2(server: &Server, root: &mut Connection) {
    let mut plain = server.user("bt_user", PASSWORD);
    plain.tls.mode = Some(SslMode::Disabled);
    let mut tls = plain.clone();
    tls.tls.mode = Some(SslMode::Required);
    let key = b"-----BEGIN PUBLIC KEY-----";
    let fast = [2, 0, 0, 2, 1, 3];
    let full = [2, 0, 0, 2, 1, 4];

    // The cache is cold: the password goes by RSA.
    let (connection, up, down) = tapped(plain.clone()).await;
    let mut connection = connection.unwrap();
    assert!(!connection.is_tls());
    assert_eq!(
        one(&mut connection, "SELECT USER()").await,
        "bt_user@localhost"
    );
    assert!(holds(&down, &full) && holds(&down, key));
    assert!(holds(&up, b"bt_user") && !holds(&up, PASSWORD.as_bytes()));

    // It is warm: the scramble will do.
    let (connection, up, down) = tapped(plain.clone()).await;
    connection.unwrap();
    assert!(holds(&down, &fast) && !holds(&down, key));
    assert!(!holds(&up, PASSWORD.as_bytes()));

    // Cold again, and TLS: the password goes through it, and nothing else is to be seen either.
    root.execute("FLUSH PRIVILEGES").await.unwrap();
    let (connection, up, _) = tapped(tls.clone()).await;
    let mut connection = connection.unwrap();
    assert!(connection.is_tls());
    assert!(!holds(&up, b"bt_user"));
    let cipher = connection.query("SHOW STATUS LIKE 'Ssl_cipher'").await;
    assert!(
        cipher.unwrap().rows[0][1]
            .as_ref()
            .unwrap()
            .starts_with(b"TLS_")
    );
    // That this login has filled the cache shows that it was a full one.
    let (connection, _, down) = tapped(plain.clone()).await;
    connection.unwrap();
    assert!(holds(&down, &fast));

    for mode in [SslMode::Disabled, SslMode::Preferred] {
        let mut empty = server.user("bt_empty", "");
        empty.tls.mode = Some(mode);
        let mut connection = Connection::connect(&empty).await.unwrap();
        connection.ping().await.unwrap();
    }
}

async fn refusals(server: &Server) {
    for mode in [SslMode::Disabled, SslMode::Required] {
        for (name, password) in [("bt_user", "wrong"), ("bt_user", ""), ("bt_empty", "wrong")] {
            let mut options = server.user(name, password);
            options.tls.mode = Some(mode);
            let error = Connection::connect(&options).await.unwrap_err();
            let Error::AccessDenied(denied) = &error else {
                panic!("{name}: {error}");
            };
            assert_eq!((denied.code, &*denied.sql_state), (1045, "28000"));
        }
        // The server makes up a plugin for each user it does not have, so that nobody learns who is there.
        for n in 0..20 {
            let mut options = server.user(&format!("bt_nobody{n}"), PASSWORD);
            options.tls.mode = Some(mode);
            let error = Connection::connect(&options).await.unwrap_err();
            assert!(matches!(error, Error::AccessDenied(_)), "{error}");
        }
    }

    let mut nowhere = server.root();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    nowhere.port = free.local_addr().unwrap().port();
    nowhere.connect_timeout = Duration::from_millis(500);
    let error = Connection::connect(&nowhere).await.unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout { .. }), "{error}");
    drop(free);
    let error = Connection::connect(&nowhere).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    nowhere.host = "no-such-host.invalid".to_owned();
    nowhere.connect_timeout = Duration::from_secs(10);
    let error = Connection::connect(&nowhere).await.unwrap_err();
    assert!(matches!(error, Error::UnknownHost { .. }), "{error}");
}

async fn queries(root: &mut Connection) {
    let rows = root
        .query("SELECT 1 AS one, NULL AS none, '' AS blank, REPEAT('ä', 200) AS s UNION ALL SELECT 2, 3, 4, 5")
        .await
        .unwrap();
    assert_eq!(rows.columns, ["one", "none", "blank", "s"]);
    let text = |value: &str| Some(Bytes::copy_from_slice(value.as_bytes()));
    assert_eq!(
        rows.rows,
        [
            [text("1"), None, text(""), text(&"ä".repeat(200))],
            [text("2"), text("3"), text("4"), text("5")],
        ]
    );
    assert!(
        root.query("SELECT 1 LIMIT 0")
            .await
            .unwrap()
            .rows
            .is_empty()
    );

    // A value that no single packet holds, in an answer and in a statement.
    let long = "x".repeat(20 << 20);
    assert!(one(root, "SELECT REPEAT('x', 20 << 20)").await == long);
    assert_eq!(
        one(root, &format!("SELECT LENGTH('{long}')")).await,
        (20 << 20).to_string()
    );

    let error = root.query("SELECT nonsense").await.unwrap_err();
    let Error::Server(error) = error else {
        panic!("{error}");
    };
    assert_eq!((error.code, &*error.sql_state), (1054, "42S22"));
    // An error in the middle of the rows.
    let error = root
        .query("SELECT n + (SELECT 1 UNION SELECT n) FROM (SELECT 1 n UNION ALL SELECT 2) t")
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Server(e) if e.code == 1242),
        "{error}"
    );
    assert_eq!(one(root, "SELECT 'still here'").await, "still here");
}

/// A command that was dropped half-way must not lend its answer to the next one.
async fn left_half_way(server: &Server) {
    let mut connection = Connection::connect(&server.root()).await.unwrap();
    let sleep = connection.query("SELECT SLEEP(1)");
    assert!(timeout(Duration::from_millis(100), sleep).await.is_err());
    let error = connection.query("SELECT 2").await.unwrap_err();
    assert!(matches!(error, Error::Lost(_)), "{error}");
}

/// The position behind an event, from its header; 0 if the server made it up.
fn end_position(event: &[u8]) -> usize {
    usize::try_from(u32::from_le_bytes(event[13..17].try_into().unwrap())).unwrap()
}

async fn ready_to_dump(options: &ConnectOptions) -> Connection {
    let mut connection = Connection::connect(options).await.unwrap();
    connection
        .execute("SET @source_binlog_checksum = @@GLOBAL.binlog_checksum")
        .await
        .unwrap();
    connection.register_replica(4001, "", 0).await.unwrap();
    connection
}

async fn drain(mut stream: ReplicationStream) -> Result<Vec<Bytes>, Error> {
    let mut frames = Vec::new();
    while stream.next_frames(&mut frames).await? == Progress::Events {}
    Ok(frames)
}

#[tokio::test]
async fn reads_the_replication_stream() {
    let _turn = TURN.lock().await;
    let server = Server::start("streams");
    let mut root = Connection::connect(&server.root()).await.unwrap();
    for statement in [
        "RESET BINARY LOGS AND GTIDS",
        "DROP DATABASE IF EXISTS bt_stream",
        "CREATE DATABASE bt_stream",
        "CREATE TABLE bt_stream.t (id INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)",
        "INSERT INTO bt_stream.t (b) VALUES ('a'), (NULL), (REPEAT('b', 300000))",
        "INSERT INTO bt_stream.t (b) VALUES (REPEAT('c', 21 << 20))",
        // Round the boundary of a packet: with its OK byte the event is one below it, on it, one above it.
        "SET @body = 0xFFFFFF - 1",
        "INSERT INTO bt_stream.t (b) VALUES (REPEAT('d', @body - 45))",
        "INSERT INTO bt_stream.t (b) VALUES (REPEAT('d', @body - 44))",
        "INSERT INTO bt_stream.t (b) VALUES (REPEAT('d', @body - 43))",
        "INSERT INTO bt_stream.t (b) SELECT 'e' FROM information_schema.collations, \
         (SELECT 1 UNION SELECT 2 UNION SELECT 3) x",
    ] {
        root.execute(statement).await.unwrap();
    }
    let status = root.query("SHOW BINARY LOG STATUS").await.unwrap();
    let file = status.rows[0][0].clone().unwrap();
    let datadir = one(&mut root, "SELECT @@datadir").await;
    let path = format!("{datadir}/{}", String::from_utf8_lossy(&file));
    let on_disk = std::fs::read(path).expect("the server's binlog, on this machine");

    for mode in [SslMode::Disabled, SslMode::Required] {
        let mut options = server.root();
        options.tls.mode = Some(mode);
        let by_gtid = ready_to_dump(&options).await;
        let by_gtid = by_gtid
            .dump_by_gtid(4001, b"", EMPTY_GTID_SET, NON_BLOCK)
            .await;
        let by_gtid = drain(by_gtid.unwrap()).await.unwrap();
        same_as_on_disk(&by_gtid, &on_disk);

        let by_position = ready_to_dump(&options).await;
        let by_position = by_position
            .dump_by_position(4001, &file, 4, NON_BLOCK)
            .await;
        let by_position = drain(by_position.unwrap()).await.unwrap();
        assert!(by_position == by_gtid, "both ways give the same events");
    }

    follows(&server, &mut root, &file, on_disk.len()).await;
    dump_errors(&server, &mut root, &file).await;
    root.execute("DROP DATABASE bt_stream").await.unwrap();
}

/// Every event is there once, byte for byte as the server's own file has it.
fn same_as_on_disk(frames: &[Bytes], on_disk: &[u8]) {
    let mut position = 4;
    let mut sizes = Vec::new();
    for frame in frames {
        let end = end_position(frame);
        if end == 0 {
            continue;
        }
        assert_eq!(position + frame.len(), end);
        // The server marks its copy of a format description that is sent.
        if frame[4] != FORMAT_DESCRIPTION {
            assert!(frame == &on_disk[position..end], "event at {position}");
        }
        if frame[4] == WRITE_ROWS {
            sizes.push(frame.len());
        }
        position = end;
    }
    assert_eq!(position, on_disk.len(), "the last event is there");
    assert!(sizes.iter().any(|&size| size > 21 << 20));
    for size in [0xFF_FFFF - 2, 0xFF_FFFF - 1, 0xFF_FFFF] {
        assert!(sizes.contains(&size), "{size} in {sizes:?}");
    }
}

/// A blocking dump hands on what is committed later, and loses nothing when a wait for it is dropped.
async fn follows(server: &Server, root: &mut Connection, file: &[u8], from: usize) {
    let connection = ready_to_dump(&server.root()).await;
    let from = u64::try_from(from).unwrap();
    let mut stream = connection
        .dump_by_position(4001, file, from, 0)
        .await
        .unwrap();
    let mut frames = Vec::new();
    let mut position = usize::try_from(from).unwrap();
    for round in 0..5 {
        root.execute("INSERT INTO bt_stream.t (b) VALUES (REPEAT('f', 2 << 20))")
            .await
            .unwrap();
        let status = root.query("SHOW BINARY LOG STATUS").await.unwrap();
        let end = status.rows[0][1].clone().unwrap();
        let end: usize = std::str::from_utf8(&end).unwrap().parse().unwrap();
        let mut waits = 0;
        while position < end {
            waits += 1;
            assert!(waits < 100_000, "round {round}");
            let wait = Duration::from_micros(200 * (waits % 7));
            if let Ok(progress) = timeout(wait, stream.next_frames(&mut frames)).await {
                assert_eq!(progress.unwrap(), Progress::Events);
            }
            for frame in frames.drain(..).filter(|frame| end_position(frame) != 0) {
                position += frame.len();
                assert_eq!(end_position(&frame), position);
            }
        }
    }
}

async fn dump_errors(server: &Server, root: &mut Connection, file: &[u8]) {
    let refused = async |gtid_or_position: Result<&[u8], (&[u8], u64)>| {
        let connection = ready_to_dump(&server.root()).await;
        let stream = match gtid_or_position {
            Ok(set) => connection.dump_by_gtid(4001, b"", set, NON_BLOCK).await,
            Err((file, position)) => {
                connection
                    .dump_by_position(4001, file, position, NON_BLOCK)
                    .await
            }
        };
        match stream {
            Ok(stream) => drain(stream).await.map(|frames| frames.len()).unwrap_err(),
            Err(error) => error,
        }
    };
    let error = refused(Err((b"mysql-bin.999999", 4))).await;
    assert!(matches!(error, Error::PositionPurged(_)), "{error}");
    let error = refused(Err((file, 4_000_000_000))).await;
    assert!(matches!(error, Error::PositionUnknown(_)), "{error}");
    let error = refused(Err((file, 1 << 32))).await;
    assert!(matches!(error, Error::Protocol(_)), "{error}");

    // Silence is an error, and no reason to give up the stream.
    let mut options = server.root();
    options.read_timeout = Duration::from_millis(300);
    let quiet = ready_to_dump(&options).await;
    let mut first = quiet
        .dump_by_gtid(4001, b"", EMPTY_GTID_SET, 0)
        .await
        .unwrap();
    let mut frames = Vec::new();
    let error = loop {
        match first.next_frames(&mut frames).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Silent { .. }), "{error}");

    // The same server id a second time ends the first stream.
    let second = ready_to_dump(&server.root()).await;
    let second = second
        .dump_by_gtid(4001, b"", EMPTY_GTID_SET, 0)
        .await
        .unwrap();
    let mut tries = 0;
    let error = loop {
        tries += 1;
        match first.next_frames(&mut frames).await {
            Err(Error::Silent { .. }) | Ok(_) if tries < 50 => {}
            Ok(_) => panic!("the first stream goes on"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::ServerIdClash(_)), "{error}");
    drop((first, second));

    root.execute("CREATE USER bt_weak IDENTIFIED BY ''")
        .await
        .unwrap();
    let mut weak = Connection::connect(&server.user("bt_weak", ""))
        .await
        .unwrap();
    let registered = weak.register_replica(4002, "", 0).await;
    let dumped = drain(
        weak.dump_by_gtid(4002, b"", EMPTY_GTID_SET, NON_BLOCK)
            .await
            .unwrap(),
    )
    .await;
    root.execute("DROP USER bt_weak").await.unwrap();
    let error = registered.unwrap_err();
    assert!(matches!(error, Error::AccessDenied(_)), "{error}");
    let error = dumped.map(|frames| frames.len()).unwrap_err();
    assert!(matches!(error, Error::PrivilegeMissing(_)), "{error}");

    root.execute("FLUSH BINARY LOGS").await.unwrap();
    let status = root.query("SHOW BINARY LOG STATUS").await.unwrap();
    let newest = status.rows[0][0].clone().unwrap();
    let newest = String::from_utf8_lossy(&newest).into_owned();
    // The server keeps a file for as long as it takes it to notice that nobody reads it any more.
    let mut tries = 0;
    while root.query("SHOW BINARY LOGS").await.unwrap().rows.len() > 1 {
        tries += 1;
        assert!(tries < 100, "the binlogs are not purged");
        let purge = format!("PURGE BINARY LOGS TO '{newest}'");
        root.execute(&purge).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let error = refused(Ok(EMPTY_GTID_SET)).await;
    assert!(matches!(error, Error::PositionPurged(_)), "{error}");
    let error = refused(Err((file, 4))).await;
    assert!(matches!(error, Error::PositionPurged(_)), "{error}");
}
