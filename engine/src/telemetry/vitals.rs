//! The numbers, as the pipeline counts them.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::numbers::{Numbers, seconds};
use crate::clock;
use crate::error::Error;
use crate::index::record::{Batch, Checkpoint, Micros};
use crate::status::{Limits, STALL_GRACE, Signs, State, at_reading, is_recent};

/// Row changes of this time are of now.
const MINUTE: Micros = 60_000_000;

/// How often work without a batch is a sign of life.
const BEAT: Duration = Duration::from_secs(1);

/// What a stream does, as it knows itself. `bintrail status` tells the same from the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It has not read from the source yet.
    Starting,
    /// It follows the source.
    Streaming,
    /// It cannot reach the source or the index, and tries again: why.
    Waiting(String),
    /// It has saved no checkpoint when it should have.
    Stalled,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Streaming => f.write_str("streaming"),
            Self::Waiting(why) => write!(f, "waiting: {why}"),
            Self::Stalled => f.write_str("stalled: no checkpoint when one was due"),
        }
    }
}

/// What a stream tells of itself while it runs.
#[derive(Debug)]
pub struct Vitals {
    numbers: Numbers,
    checkpoint_seconds: u32,
    moments: Mutex<Moments>,
}

#[derive(Debug)]
struct Moments {
    started: Instant,
    /// A session is under way.
    session: bool,
    /// There was one before.
    began: bool,
    /// Why the last one broke off, or was not to be had, and what it waits for.
    trouble: Option<(String, State)>,
    /// The lag that the last checkpoint tells of, and when it was saved.
    saved: Option<(Option<f64>, Instant)>,
    /// When the source wrote what was last not captured.
    skipped: Option<Micros>,
    /// The last commit with row changes.
    rows: Option<Micros>,
    /// When it last got something done, or found out that it cannot.
    beat: Instant,
}

impl Vitals {
    /// Of a stream from `source`, a host and port, that saves a checkpoint every so often.
    #[must_use]
    pub fn new(source: &str, checkpoint: Duration) -> Self {
        let now = Instant::now();
        Self {
            numbers: Numbers::new(source),
            checkpoint_seconds: u32::try_from(checkpoint.as_secs()).unwrap_or(u32::MAX),
            moments: Mutex::new(Moments {
                started: now,
                session: false,
                began: false,
                trouble: None,
                saved: None,
                skipped: None,
                rows: None,
                beat: now,
            }),
        }
    }

    fn moments(&self) -> MutexGuard<'_, Moments> {
        // Each is whole by itself, whoever panicked.
        self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session begins, behind this checkpoint.
    pub(crate) fn session_began(&self, checkpoint: &Checkpoint) {
        self.numbers.of_session(checkpoint);
        let now = Instant::now();
        let mut moments = self.moments();
        if std::mem::replace(&mut moments.began, true) {
            self.numbers.reconnects.inc();
        }
        moments.session = true;
        moments.trouble = None;
        moments.saved = Some((checkpoint.lag_seconds, now));
        moments.skipped = last_skip(checkpoint);
        moments.beat = now;
    }

    /// A session broke off, or could not begin.
    pub(crate) fn broke_off(&self, error: &Error) {
        self.numbers.error(error);
        let mut moments = self.moments();
        moments.session = false;
        let waits_for = match error {
            Error::Index(_) => State::IndexDown,
            _ if error.is_refusal() => State::NoAccess,
            _ => State::SourceDown,
        };
        moments.trouble = Some((error.to_string(), waits_for));
        moments.beat = Instant::now();
    }

    /// The stream was told to stop.
    pub(crate) fn stopped(&self) {
        self.numbers.connected.set(0);
        self.moments().session = false;
    }

    /// Events have come.
    pub(crate) fn received(&self, frames: &[Bytes]) {
        let bytes = frames.iter().map(Bytes::len).sum::<usize>();
        self.numbers.received_events.inc_by(whole(frames.len()));
        self.numbers.received_bytes.inc_by(whole(bytes));
    }

    /// A batch of so many bytes is on its way to the index.
    pub(crate) fn queued(&self, bytes: u32) {
        self.numbers.queue_batches.inc();
        self.numbers.queue_bytes.inc_by(bytes.into());
    }

    /// The index has it.
    pub(crate) fn committed(&self, batch: &Batch, took: Duration, bytes: usize) {
        self.numbers.queue_batches.dec();
        self.numbers
            .queue_bytes
            .dec_by(i64::try_from(bytes).unwrap_or(0));
        self.numbers.committed(batch, took);
        let now = Instant::now();
        let mut moments = self.moments();
        moments.beat = now;
        if let Some(newest) = batch.transactions.last() {
            moments.rows = Some(newest.committed_at);
        }
        if let Some(checkpoint) = &batch.checkpoint {
            moments.saved = Some((checkpoint.lag_seconds, now));
            moments.skipped = last_skip(checkpoint);
        }
    }

    /// Changes are lost, as was found out at this time.
    pub(crate) fn gap(&self, found: Micros) {
        self.numbers.gap.set(seconds(found));
    }

    /// Does what may take long without a batch. Each wait in it has a limit of its own, so that it moves or ends.
    pub(crate) async fn busy<T>(&self, work: impl Future<Output = T>) -> T {
        let mut beat = tokio::time::interval(BEAT);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = beat.tick() => self.moments().beat = Instant::now(),
            }
        }
    }

    /// Has it got something done of late: written a batch or a checkpoint, which there is with an idle source too,
    /// or found that it has to wait for source or index?
    #[must_use]
    pub fn moved_within(&self, time: Duration) -> bool {
        self.moments().beat.elapsed() <= time
    }

    /// What it does.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let moments = self.moments();
        if let Some((trouble, _)) = &moments.trouble {
            return Condition::Waiting(trouble.clone());
        }
        let due = Duration::from_secs(self.checkpoint_seconds.into()) + STALL_GRACE;
        match moments.saved {
            Some((_, at)) if at.elapsed() > due && moments.beat.elapsed() > due => {
                Condition::Stalled
            }
            Some(_) if moments.session => Condition::Streaming,
            _ => Condition::Starting,
        }
    }

    /// What it does in one word, as `bintrail status` has it.
    fn state(&self) -> State {
        let condition = self.condition();
        let lag_seconds = self.lag_seconds();
        let now = clock::now();
        let moments = self.moments();
        let signs = Signs {
            kept: match condition {
                Condition::Starting => Some(State::Starting),
                Condition::Waiting(_) => moments.trouble.as_ref().map(|(_, state)| *state),
                Condition::Stalled => Some(State::Stalled),
                Condition::Streaming => None,
            },
            lag_seconds,
            gap: self.numbers.gap.get() > 0.0,
            skipping: moments.skipped.is_some_and(|at| is_recent(at, now)),
            // Only the index knows.
            unnamed: false,
            moving: moments
                .rows
                .is_some_and(|at| now.saturating_sub(at) < MINUTE),
        };
        let states = signs.states(Limits::default());
        states.first().copied().unwrap_or(State::Starting)
    }

    /// Seconds that the index may be behind the source now; `None` when that is not known.
    #[must_use]
    pub fn lag_seconds(&self) -> Option<f64> {
        let moments = self.moments();
        let grace = if moments.session {
            self.checkpoint_seconds
        } else {
            0
        };
        let (lag, at) = moments.saved.unwrap_or((None, moments.started));
        at_reading(lag, at.elapsed().as_secs_f64(), grace)
    }

    /// Row changes indexed since the process started.
    #[must_use]
    pub fn indexed(&self) -> u64 {
        self.numbers.indexed_events.get()
    }

    /// All numbers, as the OpenMetrics format has them.
    #[must_use]
    pub fn render(&self) -> String {
        let numbers = &self.numbers;
        let lag = self.lag_seconds();
        numbers.replication_lag.set(lag.unwrap_or(f64::NAN));
        numbers.connected.set(i64::from(self.moments().session));
        numbers.state(self.state());
        numbers.render()
    }
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// How long it takes from a commit on the source until the index shows it, at this moment.
pub(super) fn availability(batch: &Batch) -> Option<f64> {
    let newest = batch.transactions.last()?;
    Some(clock::seconds_between(newest.committed_at, clock::now()))
}

/// Rows of whole transactions in it.
pub(super) fn rows(batch: &Batch) -> u64 {
    let rows = batch.transactions.iter().map(|whole| whole.row_count);
    rows.fold(0, u64::saturating_add)
}

/// When the source wrote the last of what was not captured; the end of time where one of it has none.
fn last_skip(checkpoint: &Checkpoint) -> Option<Micros> {
    let skips = checkpoint.capture_skips.0.values();
    skips
        .map(|skip| {
            Some(skip.last_at)
                .filter(|at| *at > 0)
                .unwrap_or(Micros::MAX)
        })
        .max()
}

/// What is kept of a checkpoint's numbers.
pub(super) fn skips(checkpoint: &Checkpoint) -> impl Iterator<Item = (&str, u64)> {
    let skips = checkpoint.capture_skips.0.iter();
    skips.map(|(reason, skip)| (reason.as_str(), skip.count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::record::{CaptureSkips, Mode, Skip};
    use crate::source;

    fn batch(lag: f64, skipped: u64) -> Batch {
        let skip = Skip {
            count: skipped,
            ..Skip::default()
        };
        Batch {
            checkpoint: Some(Checkpoint {
                mode: Mode::Position,
                binlog_file: "log.000001".to_owned(),
                binlog_position: 4,
                binlog_created: None,
                gtid_set: String::new(),
                next_change_id: 1,
                events_indexed: 0,
                last_event_time: Some(1_500_000),
                server_id: 1,
                lag_seconds: Some(lag),
                capture_skips: CaptureSkips([("incident".to_owned(), skip)].into()),
            }),
            ..Batch::default()
        }
    }

    fn number(vitals: &Vitals, name: &str) -> f64 {
        let text = vitals.render();
        let line = text
            .lines()
            .find(|line| line.starts_with(name) && line[name.len()..].starts_with(['{', ' ']))
            .unwrap_or_else(|| panic!("no {name} in\n{text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_lag_rises_when_nothing_moves() {
        let vitals = Vitals::new("db:3306", Duration::from_secs(10));
        let lag = || number(&vitals, "bintrail_stream_replication_lag_seconds");
        assert_eq!(vitals.condition(), Condition::Starting);
        assert!(lag().is_nan());
        let work = batch(0.0, 3);
        vitals.session_began(work.checkpoint.as_ref().unwrap());
        vitals.queued(7);
        vitals.committed(&work, Duration::from_millis(2), 7);
        assert_eq!(vitals.condition(), Condition::Streaming);
        assert_eq!(vitals.state(), State::Skipping);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(lag(), 0.0);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(lag(), 10.0);
        assert!(!vitals.moved_within(Duration::from_secs(19)));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(vitals.condition(), Condition::Stalled);
        let error = Error::Source {
            address: "db:3306".to_owned(),
            error: source::Error::Lost(std::io::ErrorKind::BrokenPipe.into()),
        };
        vitals.broke_off(&error);
        assert!(matches!(vitals.condition(), Condition::Waiting(_)));
        assert_eq!(vitals.state(), State::SourceDown);
        assert_eq!(lag(), 26.0);
        assert!(vitals.moved_within(Duration::from_secs(1)));
        assert_eq!(number(&vitals, "bintrail_stream_connected"), 0.0);
        let errors = r#"bintrail_stream_errors_total{source="db:3306",type="source"} 1"#;
        assert!(vitals.render().contains(errors), "{}", vitals.render());
    }

    #[tokio::test]
    async fn skips_are_those_of_the_checkpoint() {
        let vitals = Vitals::new("db:3306", Duration::from_secs(10));
        vitals.session_began(batch(0.0, 3).checkpoint.as_ref().unwrap());
        for count in [5, 5] {
            vitals.committed(&batch(0.5, count), Duration::from_millis(2), 0);
        }
        let text = vitals.render();
        let skips = r#"bintrail_capture_skips_total{source="db:3306",reason="incident"} 5"#;
        assert!(text.contains(skips), "{text}");
        assert_eq!(
            number(&vitals, "bintrail_stream_checkpoint_saves_total"),
            2.0
        );
        assert_eq!(
            number(&vitals, "bintrail_stream_last_event_timestamp_seconds"),
            1.5
        );
        assert_eq!(
            number(
                &vitals,
                "bintrail_stream_index_commit_latency_seconds_count"
            ),
            2.0
        );
        assert!(number(&vitals, "process_resident_memory_bytes") > 1e6);
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
