//! How long to wait, and how often to speak of it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::Error;
use crate::index::Result as IndexResult;
use crate::index::record::Batch;

/// The wait before the first and the longest before any later attempt to go on.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The same where the source refuses the user: it may lock an account at which somebody knocks too often.
const REFUSED: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(60));

/// What is said again and again is said after this time at the latest.
const REMINDER: Duration = Duration::from_secs(600);

/// What every write gets, however long the index has been away before it.
const CHANCE: Duration = Duration::from_secs(10);

/// An index that has not failed for this long, and the limit of the patience with it, is well again.
const WELL: Duration = Duration::from_secs(60);

/// Different failures that are told apart; among more, old ones count as new again.
const MAX_TOLD: usize = 16;

/// A growing wait. Many streams that lost the same server must not come back at the same moment, so each
/// wait is shortened by up to half, at random.
#[derive(Debug)]
pub(super) struct Backoff {
    /// The first and the longest.
    bounds: (Duration, Duration),
    next: Duration,
}

impl Backoff {
    pub(super) const fn new() -> Self {
        Self::within(BACKOFF)
    }

    /// For a source that refuses the user: never less than ten seconds.
    pub(super) const fn refused() -> Self {
        Self::within(REFUSED)
    }

    const fn within(bounds: (Duration, Duration)) -> Self {
        Self {
            bounds,
            next: bounds.0,
        }
    }

    /// A session ran for `time` before it broke off. Had it settled? Then waits are short again.
    pub(super) fn ran(&mut self, time: Duration) -> bool {
        let settled = time > BACKOFF.1;
        if settled {
            self.next = self.bounds.0;
        }
        settled
    }

    /// The next wait.
    pub(super) fn wait(&mut self) -> Duration {
        // Its keys are random, and cost no dependency.
        let dice = RandomState::new().hash_one(0_u8) % 1000;
        let half = self.next / 2;
        let share = half.mul_f64(f64::from(u32::try_from(dice).unwrap_or(0)) / 1000.0);
        self.next = self.next.saturating_mul(2).min(self.bounds.1);
        half.saturating_add(share)
    }
}

/// Keeps what fails over and over from filling the log.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<String, (u64, Instant)>);

impl Told {
    /// Is this to be logged? Then how often it has happened by now: the 1st, 2nd, 4th, 8th … time and
    /// at least every ten minutes.
    pub(super) fn again(&mut self, what: &str) -> Option<u64> {
        let now = Instant::now();
        if self.0.len() >= MAX_TOLD && !self.0.contains_key(what) {
            self.0.clear();
        }
        let (count, last) = self.0.entry(what.to_owned()).or_insert((0, now));
        *count = count.saturating_add(1);
        let due = count.is_power_of_two() || now.duration_since(*last) >= REMINDER;
        due.then(|| {
            *last = now;
            *count
        })
    }

    /// What failed works again: the next failure is a new one.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// How long the index may take nothing: `--write-timeout`.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Option<Duration>,
    strain: Mutex<Strain>,
}

#[derive(Debug, Default)]
struct Strain {
    /// Since when something is to be written and is not.
    since: Option<Instant>,
    /// The last failure behind it.
    failed: Option<Instant>,
    /// How far the index has come: behind which change, and to which checkpoint.
    changes: u64,
    checkpoint: Option<(String, u64, String)>,
}

impl Patience {
    pub(super) const fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            strain: Mutex::new(Strain {
                since: None,
                failed: None,
                changes: 0,
                checkpoint: None,
            }),
        }
    }

    fn strain(&self) -> std::sync::MutexGuard<'_, Strain> {
        // Each of its fields is whole whoever panicked.
        self.strain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is to be written, if it was not before.
    fn begin(&self) {
        let well = self.limit.unwrap_or_default().saturating_add(WELL);
        let mut strain = self.strain();
        if strain.failed.is_some_and(|failed| failed.elapsed() > well) {
            (strain.since, strain.failed) = (None, None);
        }
        strain.since.get_or_insert_with(Instant::now);
    }

    /// Is something waiting?
    pub(super) fn is_strained(&self) -> bool {
        self.strain().since.is_some()
    }

    /// The index is well.
    pub(super) fn rewarded(&self) {
        let mut strain = self.strain();
        (strain.since, strain.failed) = (None, None);
    }

    /// The index has taken a batch. One that has failed before must have come further by it: with little room, it
    /// may take the beginning of a transaction again and again, and never its end.
    pub(super) fn took(&self, batch: &Batch) {
        let mut strain = self.strain();
        let mut further = strain.failed.is_none();
        if let Some(last) = batch.rows.last()
            && last.change_id > strain.changes
        {
            strain.changes = last.change_id;
            further = true;
        }
        if let Some(now) = &batch.checkpoint {
            let now = (
                now.binlog_file.clone(),
                now.binlog_position,
                now.gtid_set.clone(),
            );
            further |= strain.checkpoint.as_ref() != Some(&now);
            strain.checkpoint = Some(now);
        }
        if further {
            (strain.since, strain.failed) = (None, None);
        }
    }

    /// When it ends, if the index is being waited for.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let since = self.strain().since;
        since?.checked_add(self.limit?)
    }

    /// Waits for the index, no longer than the patience lasts.
    pub(super) async fn bound<T>(
        &self,
        work: impl Future<Output = IndexResult<T>>,
    ) -> Result<T, Error> {
        self.begin();
        let (Some(deadline), Some(limit)) = (self.deadline(), self.limit) else {
            return Ok(work.await?);
        };
        // The index may be back, and nothing have been written since only because there was nothing.
        let chance = Instant::now() + limit.min(CHANCE);
        match timeout_at(deadline.max(chance), work).await {
            Ok(done) => done.map_err(|error| self.judge(Error::Index(error))),
            Err(_) => Err(self.over("it has not answered")),
        }
    }

    /// Turns a failure of the index that has lasted too long into the end of the stream.
    pub(super) fn judge(&self, error: Error) -> Error {
        match &error {
            Error::Index(cause) if cause.may_pass() => {
                self.begin();
                self.strain().failed = Some(Instant::now());
                match self.deadline() {
                    Some(deadline) if deadline <= Instant::now() => self.over(&cause.to_string()),
                    _ => error,
                }
            }
            _ => error,
        }
    }

    fn over(&self, cause: &str) -> Error {
        Error::WriteTimeout {
            after: self.limit.unwrap_or_default(),
            cause: cause.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::record::{EventType, RowChange};
    use crate::index::{ErrorKind, IndexError};

    #[test]
    fn waits_grow_and_differ() {
        let waits = |mut backoff: Backoff| (0..8).map(|_| backoff.wait()).collect::<Vec<_>>();
        let first = waits(Backoff::new());
        assert_ne!(first, waits(Backoff::new()));
        for (wait, most) in first.iter().zip([1, 2, 4, 8, 16, 30, 30, 30]) {
            let most = Duration::from_secs(most);
            assert!(*wait >= most / 2 && *wait <= most, "{wait:?} of {most:?}");
        }
        for (wait, most) in waits(Backoff::refused()).iter().zip([20, 40, 60, 60]) {
            let most = Duration::from_secs(most);
            assert!(*wait >= most / 2 && *wait <= most, "{wait:?} of {most:?}");
        }
        let mut backoff = Backoff::new();
        backoff.wait();
        assert!(!backoff.ran(Duration::from_secs(1)));
        assert!(backoff.wait() >= Duration::from_secs(1));
        assert!(backoff.ran(Duration::from_secs(31)));
        assert!(backoff.wait() <= Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_repeats_is_told_ever_more_rarely() {
        let mut told = Told::default();
        let heard: Vec<_> = (0..9).filter_map(|_| told.again("a")).collect();
        assert_eq!(heard, [1, 2, 4, 8]);
        assert_eq!(told.again("b"), Some(1));
        tokio::time::advance(REMINDER).await;
        assert_eq!((told.again("a"), told.again("a")), (Some(10), None));
        told.forget();
        assert_eq!(told.again("a"), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_with_an_index_that_takes_nothing() {
        let down = || async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            Err::<(), _>(IndexError::new(ErrorKind::Unreachable, "it is away"))
        };
        let patience = Patience::new(Some(Duration::from_secs(10)));
        for _ in 0..2 {
            let error = patience.bound(down()).await.unwrap_err();
            assert!(matches!(error, Error::Index(_)), "{error}");
        }
        let error = patience.bound(down()).await.unwrap_err();
        assert!(matches!(error, Error::WriteTimeout { .. }), "{error}");
        // It gets a chance all the same.
        let slow = async {
            tokio::time::sleep(CHANCE / 2).await;
            Ok(())
        };
        patience.bound(slow).await.unwrap();
        // One success, and it begins anew.
        patience.rewarded();
        let error = patience.bound(down()).await.unwrap_err();
        assert!(matches!(error, Error::Index(_)), "{error}");
        let hangs = patience.bound(std::future::pending::<IndexResult<()>>());
        let error = hangs.await.unwrap_err();
        assert!(matches!(error, Error::WriteTimeout { .. }), "{error}");
        // What it had before is no success.
        let batch = |change_id| Batch {
            rows: vec![RowChange {
                change_id,
                committed_at: 0,
                table_id: 1,
                transaction_id: 1,
                event_type: EventType::Insert,
                pk_hash: [0; 8],
                pk_values: None,
                row_before: None,
                row_after: None,
                new_key: None,
                changed: 0,
            }],
            ..Batch::default()
        };
        let patience = Patience::new(Some(Duration::from_secs(10)));
        for (takes, ends) in [(5, false), (6, false), (6, false), (6, false), (6, true)] {
            let error = patience.bound(down()).await.unwrap_err();
            assert_eq!(matches!(error, Error::WriteTimeout { .. }), ends, "{error}");
            patience.took(&batch(takes));
        }
        // And one that did not fail for long begins anew.
        tokio::time::advance(Duration::from_secs(71)).await;
        let error = patience.bound(down()).await.unwrap_err();
        assert!(matches!(error, Error::Index(_)), "{error}");
        let endless = Patience::new(None);
        for _ in 0..1000 {
            let error = endless.bound(down()).await.unwrap_err();
            assert!(matches!(error, Error::Index(_)), "{error}");
        }
    }
}
