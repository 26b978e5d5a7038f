//! The state of the streams, for everybody who looks: one reader of the index, however many pages are open.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bintrail_engine::clock::now;
use bintrail_engine::dsn::IndexDsn;
use bintrail_engine::index::Index;
use bintrail_engine::status::{Limits, Report};
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

/// Between two looks while somebody watches, and while nobody does.
const WATCHED: Duration = Duration::from_secs(2);
const ALONE: Duration = Duration::from_secs(10);

/// The longest that a look may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the plots show: so many points, at least so far apart: an hour or more.
const POINTS: usize = 720;
const APART: i64 = 5_000;

/// What was seen at the last look.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    /// The report, as JSON.
    Report(Arc<str>),
    /// Why the index could not be read.
    Trouble(Arc<str>),
}

/// A time in milliseconds, the lag then in seconds where it was known, and row changes a second.
type Point = (i64, Option<f64>, f64);

#[derive(Debug)]
struct Shared {
    index: IndexDsn,
    seen: watch::Sender<Option<(Seen, Instant)>>,
    wanted: Notify,
    history: Mutex<BTreeMap<u32, VecDeque<Point>>>,
}

/// What everybody sees.
#[derive(Debug, Clone)]
pub(crate) struct Live(Arc<Shared>);

impl Live {
    pub(crate) fn new(index: IndexDsn) -> Self {
        Self(Arc::new(Shared {
            index,
            seen: watch::Sender::new(None),
            wanted: Notify::new(),
            history: Mutex::default(),
        }))
    }

    /// Looks again and again, for ever.
    pub(crate) async fn poll(self) {
        let shared = &self.0;
        loop {
            let begun = Instant::now();
            let seen = match timeout(PATIENCE, self.look()).await {
                Ok(seen) => seen,
                Err(_) => trouble(&format!(
                    "the index has not answered for {} s",
                    PATIENCE.as_secs()
                )),
            };
            shared.seen.send_replace(Some((seen, Instant::now())));
            let pause = if shared.seen.receiver_count() > 0 {
                WATCHED
            } else {
                ALONE
            };
            tokio::select! {
                () = tokio::time::sleep_until(begun + pause) => {}
                // Whoever comes does not wait, and does not make it look more often either.
                () = shared.wanted.notified() => tokio::time::sleep_until(begun + WATCHED).await,
            }
        }
    }

    async fn look(&self) -> Seen {
        let read = async {
            let index = Index::open(&self.0.index, false).await?;
            let report = Report::read(&index, Limits::default()).await;
            let closed = index.close().await;
            let report = report?;
            closed.map(|()| report)
        };
        match read.await {
            Ok(report) => {
                self.remember(&report);
                match serde_json::to_string(&report) {
                    Ok(json) => Seen::Report(json.into()),
                    Err(error) => trouble(&error.to_string()),
                }
            }
            Err(error) => trouble(&format!("index: {error}")),
        }
    }

    fn remember(&self, report: &Report) {
        let at = report.read_at / 1_000;
        let mut history = self
            .0
            .history
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        history.retain(|id, _| report.sources.iter().any(|source| source.source_id == *id));
        for source in &report.sources {
            let points = history.entry(source.source_id).or_default();
            if points.back().is_some_and(|last| at - last.0 < APART) {
                continue;
            }
            if points.len() >= POINTS {
                points.pop_front();
            }
            let stream = &source.stream;
            points.push_back((at, stream.lag_seconds, stream.rows_per_second));
        }
    }

    /// The plots' points so far, by source, as JSON.
    pub(crate) fn history(&self) -> String {
        let history = self
            .0
            .history
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        json!(*history).to_string()
    }

    /// Follows what is seen; what was seen last comes first.
    pub(crate) fn follow(&self) -> Follower {
        let mut seen = self.0.seen.subscribe();
        seen.mark_changed();
        self.0.wanted.notify_one();
        Follower(seen)
    }

    /// What was seen within the last [`WATCHED`], or is next.
    pub(crate) async fn fresh(&self) -> Seen {
        let mut seen = self.0.seen.subscribe();
        let fresh = |last: &Option<(Seen, Instant)>| {
            last.as_ref().is_some_and(|(_, at)| at.elapsed() < WATCHED)
        };
        self.0.wanted.notify_one();
        let found = timeout(PATIENCE, seen.wait_for(fresh)).await;
        match found {
            Ok(Ok(found)) => found.as_ref().map(|(seen, _)| seen.clone()),
            _ => None,
        }
        .unwrap_or_else(|| trouble("the index does not answer"))
    }
}

/// One who follows.
#[derive(Debug)]
pub(crate) struct Follower(watch::Receiver<Option<(Seen, Instant)>>);

impl Follower {
    /// What is seen next.
    pub(crate) async fn next(&mut self) -> Option<Seen> {
        loop {
            self.0.changed().await.ok()?;
            if let Some((seen, _)) = &*self.0.borrow_and_update() {
                return Some(seen.clone());
            }
        }
    }
}

fn trouble(line: &str) -> Seen {
    tracing::debug!("{line}");
    Seen::Trouble(
        json!({ "error": line, "at": now() / 1_000 })
            .to_string()
            .into(),
    )
}
