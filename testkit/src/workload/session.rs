//! One session of a workload: its transactions, and the rows in them.

use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::generate::{self, GROUPS, Gen, Rng};
use super::shapes::{self, Shape};
use super::{AGAIN, Away, Workload, away, expected};
use crate::Result;

pub(super) struct Session<'a> {
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
pub(super) struct Pace {
    pub(super) run: u64,
    pub(super) started: Instant,
    /// Row changes committed in earlier runs.
    pub(super) before: u64,
}

impl<'a> Session<'a> {
    pub(super) async fn connect(
        workload: &'a Workload,
        number: u64,
        pace: Pace,
    ) -> Result<Session<'a>> {
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
    pub(super) async fn run(&mut self) -> Result<()> {
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
