//! The hourly partitions of `row_changes`.
//!
//! They are cut off the catch-all partition `later` some hours before rows need them, while it is
//! empty and that is cheap. When it cannot be done (somebody holds the table, or there are too many
//! partitions) the rows go into `later`, which is slower to read and never wrong.

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::super::record::Micros;
use super::super::time::{now, timestamp};
use super::fault::Fault;

pub(super) const HOUR: Micros = 3_600_000_000;

/// Hours made ahead of the newest row, and when to make them again.
const AHEAD: i64 = 24;
const LOW: i64 = 6;

/// MySQL takes 8192 partitions a table.
const MOST: usize = 8_000;

/// How long to leave the table alone when it could not be changed.
const PAUSE: Duration = Duration::from_secs(600);

/// What is known of the partitions.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    /// All rows of the hours below have a partition of their own, counted from 1970.
    below: Option<i64>,
    count: usize,
    paused: Option<Instant>,
}

impl Partitions {
    /// Makes the partitions for rows up to `newest`. Commits what is open.
    pub(super) async fn make(&mut self, conn: &mut Conn, newest: Micros) -> Result<(), Fault> {
        // A commit time in the far future is a fault of the source's clock: following it would
        // leave all other rows in one partition.
        let newest = newest.min(now() + HOUR).div_euclid(HOUR);
        let enough = |below: Option<i64>| below.is_some_and(|below| below > newest + LOW);
        if enough(self.below) || self.paused.is_some_and(|since| since.elapsed() < PAUSE) {
            return Ok(());
        }
        // Another source's writer may have made them.
        self.read(conn).await?;
        let bounds = bounds(self.below, newest);
        if enough(self.below) || self.count + bounds.len() > MOST {
            self.paused = Some(Instant::now());
            return Ok(());
        }
        match conn
            .query_drop(statement(&bounds))
            .await
            .map_err(Fault::from)
        {
            Ok(()) => {
                self.below = bounds.last().copied();
                self.paused = None;
                Ok(())
            }
            // ER_SAME_NAME_PARTITION: another source's writer has made them in between.
            Err(fault) if fault.code() == Some(1517) => self.read(conn).await,
            Err(fault) if fault.code().is_some() => {
                let opts = conn.opts();
                let place = format!("{}:{}", opts.ip_or_hostname(), opts.tcp_port());
                tracing::warn!(
                    "cannot add partitions to row_changes, the last one takes the rows: {}",
                    fault.at(&place, true)
                );
                self.paused = Some(Instant::now());
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    /// Has every hour up to so many from now have a partition. Returns how many were made.
    pub(super) async fn make_ahead(&mut self, conn: &mut Conn, hours: u32) -> Result<usize, Fault> {
        self.read(conn).await?;
        let newest = now().div_euclid(HOUR);
        let last = newest + i64::from(hours);
        let mut bounds = bounds(self.below, newest);
        bounds.extend(bounds.last().copied().unwrap_or(newest) + 1..=last + 1);
        bounds.retain(|bound| *bound <= last + 1 && self.below.is_none_or(|below| *bound > below));
        bounds.truncate(MOST.saturating_sub(self.count));
        if bounds.is_empty() {
            return Ok(0);
        }
        conn.query_drop(statement(&bounds)).await?;
        Ok(bounds.len())
    }

    async fn read(&mut self, conn: &mut Conn) -> Result<(), Fault> {
        let (count, below): (usize, Option<i64>) = conn
            .query_first(
                "SELECT COUNT(*), MAX(CASE WHEN PARTITION_DESCRIPTION = 'MAXVALUE' THEN NULL
                   ELSE TIMESTAMPDIFF(HOUR, '1970-01-01',
                     TRIM(BOTH '''' FROM PARTITION_DESCRIPTION)) END)
                 FROM information_schema.PARTITIONS
                 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'row_changes'",
            )
            .await?
            .unwrap_or_default();
        self.count = count;
        self.below = below;
        Ok(())
    }
}

/// The ends of the new partitions, when all hours up to `below` have one.
fn bounds(below: Option<i64>, newest: i64) -> Vec<i64> {
    let last = newest + 1 + AHEAD;
    let first = below.map_or(newest + 1, |below| below + 1);
    if first < newest {
        // Nothing came for long: one partition for all of that.
        std::iter::once(newest).chain(newest + 1..=last).collect()
    } else {
        (first..=last).collect()
    }
}

fn statement(bounds: &[i64]) -> String {
    let mut sql = "ALTER TABLE row_changes REORGANIZE PARTITION later INTO (".to_owned();
    for bound in bounds {
        let time = |hour: i64| {
            let text = timestamp(hour.saturating_mul(HOUR));
            String::from_utf8_lossy(&text).into_owned()
        };
        let mut name = time(bound - 1);
        name.retain(|c| c.is_ascii_digit());
        name.truncate("YYYYMMDDhh".len());
        let end = time(*bound);
        sql.push_str(&format!("PARTITION p{name} VALUES LESS THAN ('{end}'), "));
    }
    sql.push_str("PARTITION later VALUES LESS THAN (MAXVALUE))");
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hour_has_one() {
        let ahead = |first: i64| (first..first + 25).collect::<Vec<_>>();
        assert_eq!(bounds(None, 100), ahead(101));
        assert_eq!(bounds(Some(103), 100), (104..=125).collect::<Vec<_>>());
        assert_eq!(bounds(Some(100), 100), ahead(101));
        assert_eq!(bounds(Some(99), 100), [&[100][..], &ahead(101)].concat());
        assert_eq!(bounds(Some(5), 100), [&[100][..], &ahead(101)].concat());
    }

    #[test]
    fn the_name_is_the_hour_it_holds() {
        let sql = statement(&[498_704]);
        assert!(
            sql.contains("PARTITION p2026112207 VALUES LESS THAN ('2026-11-22 08:00:00.000000')"),
            "{sql}"
        );
    }
}
