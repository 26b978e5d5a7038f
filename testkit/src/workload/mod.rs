//! Makes a source busy: concurrent sessions, tables of every shape, and every way work can be
//! committed, undone or torn apart.
//!
//! Each session's statements follow from the seed; how the sessions interleave does not.

mod generate;
mod shapes;

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

pub use generate::Rng;
use generate::{GROUPS, Gen};
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

struct Session<'a> {
    workload: &'a Workload,
    conn: Conn,
    rng: Rng,
    number: u64,
    pace: Pace,
    next_bulk: u64,
    sql: String,
}

/// A run, and what it began with.
#[derive(Debug, Clone, Copy)]
struct Pace {
    run: u64,
    started: Instant,
    /// Row changes committed in earlier runs.
    before: u64,
}

impl<'a> Session<'a> {
    async fn connect(workload: &'a Workload, number: u64, pace: Pace) -> Result<Session<'a>> {
        let mut conn = Conn::new(workload.opts.clone()).await?;
        // Nothing of the index may depend on a session's own settings.
        let zone = ["+00:00", "+03:00", "-11:30"][(number % 3) as usize];
        let level = if number.is_multiple_of(4) {
            "REPEATABLE READ"
        } else {
            "READ COMMITTED"
        };
        conn.query_drop(format!(
            "SET NAMES utf8mb4, time_zone = '{zone}', sql_mode = '', innodb_lock_wait_timeout = 2, \
             transaction_isolation = '{}', cte_max_recursion_depth = 10000000",
            level.replace(' ', "-")
        ))
        .await?;
        let seed = workload.plan.seed.wrapping_mul(1000).wrapping_add(number);
        let rng = Rng::new(seed ^ pace.run << 40);
        Ok(Session {
            workload,
            conn,
            rng,
            number,
            pace,
            next_bulk: 0,
            sql: String::new(),
        })
    }

    /// Works until the plan is fulfilled, through outages if it speaks of them.
    async fn run(&mut self) -> Result<()> {
        loop {
            let mut worked = Ok(());
            if self.workload.plan.outages {
                worked = self.decide_left_over().await;
            }
            if worked.is_ok() {
                worked = self.work().await;
            }
            match worked {
                Err(error) if self.workload.plan.outages && error.is::<Away>() => {}
                done => return done,
            }
            while !self.workload.finished() {
                tokio::time::sleep(AGAIN).await;
                if let Ok(again) = Session::connect(self.workload, self.number, self.pace).await {
                    self.conn = again.conn;
                    break;
                }
            }
            if self.workload.finished() {
                return Ok(());
            }
        }
    }

    /// Ends the XA transaction that this session had prepared when the server went away, if there is one:
    /// its locks would stay.
    async fn decide_left_over(&mut self) -> Result<()> {
        let rows = self.conn.query("XA RECOVER CONVERT XID").await;
        let rows: Vec<(i64, i64, i64, String)> = rows.map_err(|error| -> crate::Error {
            if away(&error) {
                Away(error).into()
            } else {
                error.into()
            }
        })?;
        let own = format!("s{}", self.number);
        let own: String = own.bytes().map(|byte| format!("{byte:02X}")).collect();
        for (format, gtrid, _, data) in rows {
            let data = data.trim_start_matches("0x");
            let (first, second) = data.split_at(2 * gtrid as usize);
            if first == own {
                let end = ["COMMIT", "ROLLBACK"][self.rng.below(2) as usize];
                let sql = format!("XA {end} X'{first}',X'{second}',{format}");
                self.execute(&sql).await?;
            }
        }
        Ok(())
    }

    async fn work(&mut self) -> Result<()> {
        let plan = &self.workload.plan;
        for bulk in self.next_bulk..plan.bulks {
            self.next_bulk = bulk + 1;
            if bulk % plan.sessions == self.number && plan.bulk_rows > 0 {
                self.bulk(bulk).await?;
            }
        }
        while !self.workload.finished() {
            match self.rng.below(100) {
                0..35 => self.single().await?,
                35..92 => self.transaction().await?,
                _ => self.xa().await?,
            }
            if let Some(rate) = plan.rate {
                let Pace {
                    started, before, ..
                } = self.pace;
                while self.workload.row_changes() - before
                    > (started.elapsed().as_secs_f64() * rate as f64) as u64
                    && !self.workload.finished()
                {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
        Ok(())
    }

    /// Runs a statement; `None` when other sessions were in its way.
    async fn execute(&mut self, sql: &str) -> Result<Option<u64>> {
        match self.conn.query_drop(sql).await {
            Ok(()) => Ok(Some(self.conn.affected_rows())),
            Err(error) if expected(&error) => Ok(None),
            Err(error) if away(&error) => Err(Away(error).into()),
            Err(error) => Err(format!("{error}: {sql:.500}").into()),
        }
    }

    fn committed(&self, rows: u64) {
        self.workload
            .counts
            .row_changes
            .fetch_add(rows, Ordering::Relaxed);
        self.workload
            .counts
            .committed
            .fetch_add(1, Ordering::Relaxed);
    }

    /// A random statement that changes rows of a random table.
    async fn change(&mut self) -> Result<Option<u64>> {
        let shapes = &self.workload.shapes;
        // Half of the work goes to the first few tables.
        let bound = if self.rng.chance(50) {
            3
        } else {
            shapes.len() as u64
        };
        let shape = &shapes[self.rng.below(bound) as usize];
        let mut sql = std::mem::take(&mut self.sql);
        sql.clear();
        match self.rng.below(100) {
            0..50 => insert(shape, &mut self.rng, &mut sql),
            50..85 => update(shape, &mut self.rng, &mut sql),
            _ => {
                let (group, limit) = (self.rng.below(GROUPS), 1 + self.rng.below(4));
                write!(
                    sql,
                    "DELETE FROM {} WHERE `n` = {group} LIMIT {limit}",
                    shape.sql_name()
                )?;
            }
        }
        let changed = self.execute(&sql).await;
        self.sql = sql;
        changed
    }

    async fn single(&mut self) -> Result<()> {
        if let Some(rows) = self.change().await? {
            self.committed(rows);
        }
        Ok(())
    }

    /// Several statements on several tables, some undone to a savepoint; `None` when it failed.
    async fn statements(&mut self) -> Result<Option<u64>> {
        let mut rows = 0;
        for _ in 0..1 + self.rng.below(6) {
            if self.rng.chance(10) {
                self.execute("SAVEPOINT `here``s`").await?;
                for _ in 0..1 + self.rng.below(2) {
                    if self.change().await?.is_none() {
                        return Ok(None);
                    }
                }
                if self
                    .execute("ROLLBACK TO SAVEPOINT `here``s`")
                    .await?
                    .is_none()
                {
                    return Ok(None);
                }
            } else {
                match self.change().await? {
                    Some(changed) => rows += changed,
                    None => return Ok(None),
                }
            }
        }
        Ok(Some(rows))
    }

    async fn transaction(&mut self) -> Result<()> {
        self.execute("BEGIN").await?;
        match self.statements().await? {
            Some(rows) if !self.rng.chance(12) => {
                if self.execute("COMMIT").await?.is_some() {
                    self.committed(rows);
                }
            }
            _ => {
                self.execute("ROLLBACK").await?;
                self.workload
                    .counts
                    .rolled_back
                    .fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    async fn xa(&mut self) -> Result<()> {
        let xid = format!(
            "'s{}','b''{}',{}",
            self.number,
            self.rng.below(4),
            1 + self.rng.below(3)
        );
        self.execute(&format!("XA START {xid}")).await?;
        let mut rows = Some(0);
        for _ in 0..1 + self.rng.below(3) {
            rows = match (rows, self.change().await?) {
                (Some(rows), Some(changed)) => Some(rows + changed),
                _ => None,
            };
            if rows.is_none() {
                break;
            }
        }
        self.execute(&format!("XA END {xid}")).await?;
        let Some(rows) = rows else {
            self.execute(&format!("XA ROLLBACK {xid}")).await?;
            self.workload
                .counts
                .rolled_back
                .fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        if self.rng.chance(20) {
            if self
                .execute(&format!("XA COMMIT {xid} ONE PHASE"))
                .await?
                .is_some()
            {
                self.committed(rows);
            }
            return Ok(());
        }
        self.execute(&format!("XA PREPARE {xid}")).await?;
        if self.rng.chance(60) {
            tokio::time::sleep(Duration::from_millis(self.rng.below(30))).await;
        }
        if self.rng.chance(70) {
            self.execute(&format!("XA COMMIT {xid}")).await?;
            self.committed(rows);
        } else {
            self.execute(&format!("XA ROLLBACK {xid}")).await?;
            self.workload
                .counts
                .xa_rolled_back
                .fetch_add(u64::from(rows > 0), Ordering::Relaxed);
        }
        Ok(())
    }

    /// One transaction of very many rows, in a table of its own.
    async fn bulk(&mut self, number: u64) -> Result<()> {
        let rows = self.workload.plan.bulk_rows;
        let used = generate::SERIAL.fetch_add(rows, Ordering::Relaxed);
        let table = format!("`shop`.`bulk{number}`");
        let statements = [
            format!(
                "INSERT INTO {table} WITH RECURSIVE `seq` (`i`) AS (SELECT 1 UNION ALL SELECT `i` + 1 FROM `seq` WHERE `i` < {rows}) SELECT `i` + {used}, SHA2(`i`, 256), `i` / 7 FROM `seq`"
            ),
            format!("UPDATE {table} SET `a` = CONCAT(`a`, ' changed'), `b` = NULL"),
            format!("DELETE FROM {table} WHERE `id` % 2 = 0"),
        ];
        self.execute("BEGIN").await?;
        let mut changed = 0;
        for sql in statements {
            changed += self
                .execute(&sql)
                .await?
                .ok_or("a bulk statement was in the way of another")?;
        }
        self.execute("COMMIT").await?;
        self.committed(changed);
        Ok(())
    }
}

fn value(rng: &mut Rng, column: &shapes::Col, sql: &mut String) {
    if !column.key && !matches!(column.values, Gen::Group) && rng.chance(10) {
        sql.push_str("NULL");
    } else {
        column.values.literal(rng, sql);
    }
}

fn insert(shape: &Shape, rng: &mut Rng, sql: &mut String) {
    let names: Vec<String> = shape
        .columns
        .iter()
        .map(|column| crate::schema::quoted(&column.name))
        .collect();
    write!(
        sql,
        "INSERT INTO {} ({}) VALUES ",
        shape.sql_name(),
        names.join(", ")
    )
    .expect("writing to a string");
    for row in 0..1 + rng.below(shape.rows) {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for (n, column) in shape.columns.iter().enumerate() {
            sql.push_str(if n == 0 { "" } else { ", " });
            value(rng, column, sql);
        }
        sql.push(')');
    }
}

fn update(shape: &Shape, rng: &mut Rng, sql: &mut String) {
    write!(sql, "UPDATE {} SET ", shape.sql_name()).expect("writing to a string");
    let keys = shape.columns.iter().filter(|column| column.key).count();
    let change_key = keys > 0 && rng.chance(12);
    let mut first = true;
    let sure = keys + rng.below((shape.columns.len() - keys) as u64) as usize;
    for (n, column) in shape.columns.iter().enumerate() {
        let chosen = if column.key {
            change_key
        } else {
            n == sure || rng.chance(25)
        };
        if chosen {
            write!(
                sql,
                "{}{} = ",
                if first { "" } else { ", " },
                crate::schema::quoted(&column.name)
            )
            .expect("writing to a string");
            value(rng, column, sql);
            first = false;
        }
    }
    let limit = if change_key { 1 } else { 1 + rng.below(20) };
    write!(sql, " WHERE `n` = {} LIMIT {limit}", rng.below(GROUPS)).expect("writing to a string");
}
