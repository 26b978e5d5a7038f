//! Tests against real servers, which `scripts/test` runs: `cargo test -p bintrail
//! --features live-tests --test live`.

// clippy.toml frees #[test] functions from these, but not the functions they share.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod access;
mod afternoons;
mod amid;
mod apply;
mod bad_input;
mod both;
mod columns;
mod compressed;
mod coordinates;
mod crossed;
mod disk;
mod doctor;
mod domains;
mod emptied;
mod failover;
mod faults;
mod files;
mod foreign;
mod gaps;
mod hints;
mod history;
mod holes;
mod huge;
mod index_failover;
mod index_trouble;
mod link;
mod memory;
mod names;
mod old_fractions;
mod operation;
mod other_servers;
mod own_index;
mod query;
mod recover;
mod redefined;
mod rotate;
mod schema;
mod secrets;
mod show;
mod stream;
mod support;
mod tls;
mod torture;
mod trouble;
mod undo;
mod unlogged;
mod unwritten;
mod values;

use bintrail_testkit::oracle::{Cell, Oracle};
use bintrail_testkit::server::Server;

/// The other tests stand on what this one shows: the server logs rows, its own mysqlbinlog reads
/// them, and it comes back with them after a stop.
#[test]
fn a_server_logs_rows_and_survives_a_restart() {
    let server = Server::start("mysql97", "restart", &["--binlog-row-metadata=FULL"]).unwrap();
    let mut client = server.client().unwrap();
    client.run("CREATE DATABASE d").unwrap();
    client
        .run("CREATE TABLE d.t (id INT PRIMARY KEY, name TEXT)")
        .unwrap();
    client.run("INSERT INTO d.t VALUES (1, 'é\\n')").unwrap();
    server.stop().unwrap();
    server.restart().unwrap();
    let facts = server.client().unwrap().strings(
        "SELECT @@log_bin, @@gtid_mode, @@bind_address, @@binlog_row_metadata, id FROM d.t",
    );
    assert_eq!(facts.unwrap(), [["1", "ON", "127.0.0.1", "FULL", "1"]]);

    let files = server.binlog_files().unwrap();
    assert_eq!(files.len(), 2, "a restart begins a new file: {files:?}");
    let transactions: Vec<_> = Oracle::of(&server).unwrap().map(Result::unwrap).collect();
    assert_eq!(transactions.len(), 3);
    let rows = &transactions[2].rows;
    assert_eq!((rows.len(), rows[0].table.as_str()), (1, "t"));
    let text = Cell::Bytes("é\n".as_bytes().to_vec());
    assert_eq!(rows[0].after.as_ref().unwrap()[1], (2, text));

    let data = server.datadir.clone();
    drop(server);
    assert!(!data.exists());
}
