//! Makes a source busy: concurrent sessions, tables of every shape, and every way work can be
//! committed, undone or torn apart.
//!
//! Each session's statements follow from the seed; how the sessions interleave does not.

mod generate;
mod session;
mod shapes;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mysql_async::Opts;

pub use generate::Rng;
use session::{Pace, Session};
use shapes::{Shape, shapes};

use crate::Result;
use crate::client::{Client, block_on};
use crate::schema::Catalog;
use crate::server::Server;

/// What to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where all randomness comes from.
    pub seed: u64,
    /// Concurrent sessions.
    pub sessions: u64,
    /// Row events to commit at least.
    pub row_events: u64,
    /// Rows of each bulk transaction's INSERT, which is updated and half of it deleted again.
    pub bulk_rows: u64,
    /// How many bulk transactions.
    pub bulks: u64,
    /// Change tables meanwhile: ADD COLUMN, CREATE, CREATE … SELECT, DROP, RENAME.
    pub ddl: bool,
    /// Row events a second at most, to be busy for longer.
    pub rate: Option<u64>,
    /// The server may go away meanwhile: sessions connect again and go on.
    pub outages: bool,
}

impl Plan {
    /// A mixed load of so many row events.
    #[must_use]
    pub fn mixed(seed: u64, row_events: u64) -> Plan {
        Plan {
            seed,
            sessions: 8,
            row_events,
            bulk_rows: 20_000.min(row_events / 10),
            bulks: 2,
            ddl: false,
            rate: None,
            outages: false,
        }
    }
}

/// What was done. With outages, of what was under way when one began nobody knows whether it was committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Row changes committed.
    pub row_changes: u64,
    /// Transactions committed, XA and autocommitted statements included.
    pub committed: u64,
    /// Transactions rolled back, by plan or after a deadlock.
    pub rolled_back: u64,
    /// XA transactions rolled back after XA PREPARE.
    pub xa_rolled_back: u64,
    /// DDL statements.
    pub ddl: u64,
}

/// A source with the workload's tables.
#[derive(Debug)]
pub struct Workload {
    opts: Opts,
    plan: Plan,
    shapes: Vec<Shape>,
    counts: Counts,
    stop: AtomicBool,
    /// Number of the next change of tables.
    next_change: AtomicU64,
    runs: AtomicU64,
    /// What the tables looked like at any time.
    catalog: Mutex<Catalog>,
}

#[derive(Debug, Default)]
struct Counts {
    row_changes: AtomicU64,
    committed: AtomicU64,
    rolled_back: AtomicU64,
    xa_rolled_back: AtomicU64,
    ddl: AtomicU64,
}

/// The schemas that the workload writes to.
#[must_use]
pub fn schemas() -> Vec<String> {
    vec!["shop".to_owned(), "we.ird".to_owned()]
}

impl Workload {
    /// Makes the tables.
    pub fn create(server: &Server, plan: Plan) -> Result<Workload> {
        let mut client = server.client()?;
        for schema in schemas() {
            client.run(&format!("CREATE DATABASE `{schema}` CHARACTER SET utf8mb4"))?;
        }
        let shapes = shapes();
        for shape in &shapes {
            for sql in shape.create() {
                client.run(&sql)?;
            }
            client.run("SET SESSION sql_generate_invisible_primary_key = OFF")?;
        }
        for number in 0..plan.bulks {
            client.run(&format!(
                "CREATE TABLE `shop`.`bulk{number}` (`id` INT PRIMARY KEY, `a` VARCHAR(80), `b` DOUBLE)"
            ))?;
        }
        let opts = Opts::from(server.opts().db_name(Some("shop")));
        Ok(Workload {
            opts,
            plan,
            shapes,
            counts: Counts::default(),
            stop: AtomicBool::new(false),
            next_change: AtomicU64::new(0),
            runs: AtomicU64::new(0),
            catalog: Mutex::default(),
        })
    }

    /// Names of all tables, schema first, without those that DDL makes.
    #[must_use]
    pub fn tables(&self) -> Vec<(String, String)> {
        self.shapes
            .iter()
            .map(|shape| (shape.schema.clone(), shape.name.clone()))
            .collect()
    }

    /// Row changes committed so far.
    #[must_use]
    pub fn row_changes(&self) -> u64 {
        self.counts.row_changes.load(Ordering::Relaxed)
    }

    /// Makes [`run`](Workload::run) end early.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Runs until the plan is fulfilled, and returns what was done and what the tables looked like
    /// at any time, in this and earlier runs.
    pub fn run(self: &Arc<Workload>) -> Result<(Report, Catalog)> {
        self.stop.store(false, Ordering::Relaxed);
        let mut catalog = self.catalog.lock().unwrap_or_else(PoisonError::into_inner);
        let mut client = self.client(&mut catalog)?;
        let pace = Pace {
            run: self.runs.fetch_add(1, Ordering::Relaxed),
            started: Instant::now(),
            before: self.row_changes(),
        };
        let mut sessions = Vec::new();
        for number in 0..self.plan.sessions {
            let workload = Arc::clone(self);
            sessions.push(crate::client::runtime().spawn(async move {
                loop {
                    match Session::connect(&workload, number, pace).await {
                        Ok(mut session) => return session.run().await,
                        Err(_) if workload.finished() => return Ok(()),
                        Err(_) if workload.plan.outages => tokio::time::sleep(AGAIN).await,
                        Err(error) => return Err(error),
                    }
                }
            }));
        }
        let mut outcome = Ok(());
        if self.plan.ddl {
            outcome = self.keep_changing(&mut client, &mut catalog);
            if outcome.is_err() {
                self.stop();
            }
        }
        for session in sessions {
            let ended = block_on(session)
                .map_err(Into::into)
                .and_then(|ended| ended);
            if ended.is_err() {
                self.stop();
            }
            outcome = outcome.and(ended);
        }
        outcome?;
        if self.plan.outages {
            self.client(&mut catalog)?;
        }
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let report = Report {
            row_changes: read(&self.counts.row_changes),
            committed: read(&self.counts.committed),
            rolled_back: read(&self.counts.rolled_back),
            xa_rolled_back: read(&self.counts.xa_rolled_back),
            ddl: read(&self.counts.ddl),
        };
        Ok((report, catalog.clone()))
    }

    fn finished(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.row_changes() >= self.plan.row_events
    }

    /// DDL between the sessions' work. A table is renamed before it has rows, and a name is never used
    /// twice, for row events tell nothing of either. A table never has the same number of columns twice with
    /// another meaning, and a new column is NULL in the rows there are, for the binlog tells
    /// nothing of those.
    fn change_tables(&self, client: &mut Client, catalog: &mut Catalog) -> Result<()> {
        let growing: Vec<&Shape> = self.shapes.iter().filter(|shape| shape.grows).collect();
        let first = self.next_change.load(Ordering::Relaxed);
        let mut rng = Rng::new(self.plan.seed ^ 0xdd1 ^ first << 32);
        client.run("SET SESSION lock_wait_timeout = 20")?;
        while !self.finished() {
            // What broke off is not tried again: nobody knows how far it came.
            let number = self.next_change.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(30));
            let table = growing[rng.below(growing.len() as u64) as usize].sql_name();
            let place = ["", "FIRST", "AFTER `n`"][rng.below(3) as usize];
            let column = [
                "INT",
                "VARCHAR(20) CHARACTER SET latin1",
                "DATETIME(3)",
                "ENUM('x','y')",
            ][rng.below(4) as usize];
            let side = format!("`shop`.`side{number}`");
            let mut statements = match number % 3 {
                0 => vec![format!(
                    "ALTER TABLE {table} ADD COLUMN `added{number}` {column} NULL {place}"
                )],
                1 => vec![
                    format!(
                        "/* a comment first */\n CREATE TABLE {side} (`a` INT PRIMARY KEY, `b` VARCHAR(10))"
                    ),
                    format!("RENAME TABLE {side} TO `shop`.`renamed{number}`"),
                    format!("INSERT INTO `shop`.`renamed{number}` VALUES (1, 'one'), (2, 'two')"),
                    format!("UPDATE `shop`.`renamed{number}` SET `b` = NULL"),
                ],
                _ => vec![
                    format!(
                        "CREATE TABLE {side} (PRIMARY KEY (`id`)) SELECT `id`, `n`, `amount` FROM `shop`.`orders` LIMIT 20"
                    ),
                    format!("DELETE FROM {side} LIMIT 3"),
                    format!("DROP TABLE {side}"),
                    "CREATE INDEX `by_note` ON `shop`.`orders` (`note`)".to_owned(),
                    "DROP INDEX `by_note` ON `shop`.`orders`".to_owned(),
                ],
            };
            // Wide tables make nothing more true.
            if number > 40 {
                statements.clear();
            }
            for sql in statements {
                let changed = client.run(&sql)?;
                let rows = ["INSERT", "UPDATE", "DELETE"]
                    .iter()
                    .any(|word| sql.starts_with(word));
                if rows || sql.contains(" SELECT ") {
                    self.counts
                        .row_changes
                        .fetch_add(changed, Ordering::Relaxed);
                } else {
                    self.counts.ddl.fetch_add(1, Ordering::Relaxed);
                }
                catalog.refresh(client, &schemas())?;
            }
        }
        Ok(())
    }

    /// The same through outages.
    fn keep_changing(&self, client: &mut Client, catalog: &mut Catalog) -> Result<()> {
        loop {
            match self.change_tables(client, catalog) {
                Err(_) if self.plan.outages && !self.finished() => {}
                done => {
                    return done.or_else(|error| {
                        if self.plan.outages {
                            Ok(())
                        } else {
                            Err(error)
                        }
                    });
                }
            }
            *client = self.client(catalog)?;
        }
    }

    /// A connection, and what the tables look like now. Waits through an outage.
    fn client(&self, catalog: &mut Catalog) -> Result<Client> {
        let started = Instant::now();
        loop {
            let connected = Client::connect(self.opts.clone()).and_then(|mut client| {
                catalog.refresh(&mut client, &schemas())?;
                Ok(client)
            });
            let enough = started.elapsed() > Duration::from_secs(60);
            if connected.is_ok() || !self.plan.outages || enough {
                return connected;
            }
            std::thread::sleep(AGAIN);
        }
    }
}

/// Pause before a session connects again.
const AGAIN: Duration = Duration::from_millis(200);

/// Deadlock, lock wait timeout and duplicate key: what concurrent sessions have to live with.
fn expected(error: &mysql_async::Error) -> bool {
    matches!(error, mysql_async::Error::Server(error) if matches!(error.code, 1213 | 1205 | 1062 | 1613 | 1614))
}

/// The server went away.
#[derive(Debug)]
struct Away(mysql_async::Error);

impl std::fmt::Display for Away {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Away {}

/// Is it the connection that failed? Of the server's errors these are a shutdown, in its steps.
fn away(error: &mysql_async::Error) -> bool {
    match error {
        mysql_async::Error::Server(error) => matches!(error.code, 1053 | 1077 | 1079 | 3169),
        error => matches!(
            error,
            mysql_async::Error::Io(_) | mysql_async::Error::Driver(_)
        ),
    }
}
