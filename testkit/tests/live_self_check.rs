//! Proves the testkit itself: the rows that `mysqlbinlog` shows, applied one after the other,
//! rebuild every table of the source as it is. No part of bintrail takes part.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;
use std::time::Instant;

use bintrail_testkit::check::Replay;
use bintrail_testkit::oracle::{Oracle, Outcome};
use bintrail_testkit::server::Server;
use bintrail_testkit::value::Charsets;
use bintrail_testkit::workload::{Plan, Workload, schemas};

const OPTIONS: [&str; 3] = [
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=0",
    "--max-binlog-size=32M",
];

/// Number of row events from the environment, so that the same test serves for a quick and a big run.
fn row_events(default: u64) -> u64 {
    std::env::var("BINTRAIL_TEST_ROW_EVENTS")
        .ok()
        .map_or(default, |text| text.parse().unwrap())
}

fn check(plan: Plan) {
    let ddl = plan.ddl;
    let server = Server::start("mysql97", "self", &OPTIONS).unwrap();
    let workload = Arc::new(Workload::create(&server, plan).unwrap());
    let started = Instant::now();
    let (report, catalog) = workload.run().unwrap();
    println!("{report:?} in {:?}", started.elapsed());
    let mut charsets = Charsets::new(server.client().unwrap()).unwrap();

    let started = Instant::now();
    let mut rolled_back = 0;
    for transaction in Oracle::of(&server).unwrap() {
        let transaction = transaction.unwrap();
        assert_ne!(transaction.outcome, Outcome::Prepared);
        rolled_back +=
            u64::from(transaction.outcome == Outcome::RolledBack && !transaction.rows.is_empty());
    }
    println!("oracle read in {:?}", started.elapsed());
    assert_eq!(rolled_back, report.xa_rolled_back);
    assert!(ddl == (report.ddl > 0));

    let started = Instant::now();
    let mut replay = Replay::new(&catalog, true);
    let applied = replay
        .oracle(Oracle::of(&server).unwrap(), &mut charsets)
        .unwrap();
    assert_eq!(applied, report.row_changes);
    let rows = replay
        .same_tables(&mut server.client().unwrap(), &schemas())
        .unwrap();
    println!(
        "{applied} events rebuild {rows} rows in {:?}",
        started.elapsed()
    );
    assert!(rows > 0);
}

#[test]
fn the_oracle_rebuilds_the_tables() {
    check(Plan::mixed(1, row_events(30_000)));
}

#[test]
fn the_oracle_rebuilds_the_tables_through_ddl() {
    check(Plan {
        ddl: true,
        ..Plan::mixed(2, row_events(30_000))
    });
}
