//! Tests against real servers, which `scripts/test` runs: `cargo test --release -p bintrail
//! --features live-tests --test live`.

// clippy.toml frees #[test] functions from these, but not the functions they share.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

mod server;

use server::Server;

/// The other tests stand on what this one shows: the server logs rows, its own mysqlbinlog reads
/// them, and it comes back with them after a stop.
#[test]
fn a_server_logs_rows_and_survives_a_restart() {
    let mut server = Server::up("mysql97", &["--binlog-row-metadata=FULL"]);
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, name TEXT)");
    server.sql("INSERT INTO d.t VALUES (1, 'é\\n')");
    server.stop();
    server.start();
    assert_eq!(
        server.sql(
            "SELECT @@log_bin, @@gtid_mode, @@bind_address, @@binlog_row_metadata, id FROM d.t"
        ),
        "1\tON\t127.0.0.1\tFULL\t1\n"
    );

    let binlogs = server.binlogs();
    assert_eq!(binlogs.len(), 2, "a restart begins a new file: {binlogs:?}");
    let rows = server.mysqlbinlog(
        ["-vv".as_ref(), "--base64-output=decode-rows".as_ref()]
            .into_iter()
            .chain(binlogs.iter().map(|file| file.as_os_str())),
    );
    let rows: Vec<&str> = rows.lines().filter(|l| l.starts_with("###")).collect();
    assert_eq!(rows.len(), 4, "{rows:#?}");
    assert_eq!(rows[0], "### INSERT INTO `d`.`t`");
    assert!(rows[2].starts_with("###   @1=1 "), "{rows:#?}");

    let data = server.fact("datadir").to_owned();
    drop(server);
    assert!(!std::path::Path::new(&data).exists());
}
