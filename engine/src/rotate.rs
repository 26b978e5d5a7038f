//! `bintrail rotate`: what is older than it is to be kept goes out of the index, and partitions for what is to come are
//! made.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;

use crate::clock::{now, rfc3339};
use crate::dsn::IndexDsn;
use crate::error::Error;
use crate::index::read::{Select, Value};
use crate::index::record::{FileStatus, Micros};
use crate::index::{Index, Writer};

const HOUR: Micros = 3_600_000_000;

/// After the full hour, for clocks that do not agree.
const AFTER: Micros = 60_000_000;

/// The shortest rest between two steps, for whoever else writes.
const REST: Duration = Duration::from_millis(5);

/// The wait after a failure, as long as the next hour is further away.
const AGAIN: Duration = Duration::from_secs(60);

/// What to keep, and where.
#[derive(Debug, Clone)]
pub struct RotateOptions {
    /// Where the index is.
    pub index: IndexDsn,
    /// How long row changes are kept.
    pub retain: Duration,
    /// Hours to come that have a partition of their own.
    pub add_future: u32,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// What was committed before this time is gone.
    pub before: Micros,
    /// Transactions removed.
    pub transactions: u64,
    /// Row changes deleted one by one.
    pub rows: u64,
    /// Partitions dropped; `None` when they have to wait.
    pub dropped: Option<usize>,
    /// Partitions made.
    pub made: usize,
    /// Why nothing was removed.
    pub held_off: Option<String>,
}

/// Rotates once. Told to stop, it ends after the step under way; the next time goes on.
///
/// # Errors
/// The index's.
pub async fn rotate(
    options: &RotateOptions,
    stop: &watch::Receiver<bool>,
) -> Result<Rotated, Error> {
    let index = Index::open(&options.index, false).await?;
    let rotated = run(options, &index, stop).await;
    let closed = index.close().await;
    let rotated = rotated?;
    closed?;
    Ok(rotated)
}

/// Rotates now and after every full hour, until told to stop. What fails is tried again.
///
/// # Errors
/// Those of the first time.
pub async fn keep_rotating(
    options: &RotateOptions,
    mut stop: watch::Receiver<bool>,
    tell: impl Fn(&Rotated),
) -> Result<(), Error> {
    tell(&rotate(options, &stop).await?);
    let mut failed = false;
    loop {
        let time = now();
        let next = (time.div_euclid(HOUR) + 1) * HOUR + AFTER;
        let wait = Duration::from_micros((next - time).unsigned_abs());
        let wait = if failed { wait.min(AGAIN) } else { wait };
        tokio::select! {
            () = sleep(wait) => {}
            // An error means that nobody can stop it any more.
            Ok(_) = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        let rotated = rotate(options, &stop).await;
        failed = rotated.is_err();
        match rotated {
            Ok(rotated) => tell(&rotated),
            Err(error) => tracing::warn!(%error, "nothing was removed; it is tried again"),
        }
    }
}

async fn run(
    options: &RotateOptions,
    index: &Index,
    stop: &watch::Receiver<bool>,
) -> Result<Rotated, Error> {
    let retain = Micros::try_from(options.retain.as_micros()).unwrap_or(Micros::MAX);
    // By the hour, as partitions are.
    let before = now().saturating_sub(retain).div_euclid(HOUR) * HOUR;
    let mut rotated = Rotated {
        before,
        transactions: 0,
        rows: 0,
        dropped: Some(0),
        made: 0,
        held_off: None,
    };
    if let Index::MySql(index) = index {
        rotated.made = index.add_partitions(options.add_future).await?;
    }
    rotated.held_off = backfill(index).await?;
    // Nothing is as old as 1970.
    if rotated.held_off.is_some() || before <= 0 {
        return Ok(rotated);
    }
    index.announce_removal(before).await?;
    while !*stop.borrow() {
        let begun = Instant::now();
        let removed = index.remove(before).await?;
        rotated.transactions += removed.transactions;
        rotated.rows += removed.rows;
        if !removed.more {
            break;
        }
        // Others get as much of the time.
        sleep(begun.elapsed().max(REST)).await;
    }
    while !*stop.borrow() && index.remove_beside(before).await? {
        sleep(REST).await;
    }
    if let Index::MySql(index) = index
        && !*stop.borrow()
    {
        rotated.dropped = index.drop_partitions(before).await?;
    }
    Ok(rotated)
}

/// Files that are being indexed: what they bring may be as old as what is to go, and must not go before it has come.
async fn backfill(index: &Index) -> Result<Option<String>, Error> {
    let select = Select {
        sql: "SELECT source_id, MIN(binlog_file) FROM index_state WHERE status = ? GROUP BY source_id"
            .to_owned(),
        values: vec![Value::Text(FileStatus::Indexing.name().to_owned())],
    };
    for mut cells in index.read(select, usize::MAX).await?.rows {
        let source_id = cells.a_number(0)?;
        let file = cells.a_text(1)?;
        match index.writer(source_id).await? {
            Writer::None => {}
            Writer::Is(who) => {
                return Ok(Some(format!("{who} indexes {file} of source {source_id}")));
            }
            Writer::Unknown => {
                return Ok(Some(format!(
                    "{file} of source {source_id} may be being indexed"
                )));
            }
        }
    }
    Ok(None)
}

/// Since when the index is known to hold everything of some source that it held: what was removed lies before.
///
/// # Errors
/// The index's.
pub async fn removed_before(
    index: &Index,
    source_id: Option<u32>,
) -> Result<Option<Micros>, Error> {
    let statuses = index.statuses().await?;
    let asked = statuses
        .iter()
        .filter(|status| source_id.is_none_or(|id| id == status.source_id));
    Ok(asked.filter_map(|status| status.state.removed_before).max())
}

impl Rotated {
    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        let made = match self.made {
            0 => String::new(),
            made => format!("; {made} partitions made ahead"),
        };
        if let Some(why) = &self.held_off {
            return format!("nothing is removed while {why}{made}");
        }
        let dropped = match self.dropped {
            Some(0) => String::new(),
            Some(dropped) => format!(", {dropped} partitions dropped"),
            None => ", partitions in use are left for the next time".to_owned(),
        };
        format!(
            "before {}: {} transactions removed, {} row changes one by one{dropped}{made}",
            rfc3339(self.before),
            self.transactions,
            self.rows
        )
    }
}
