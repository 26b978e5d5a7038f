//! One word for what a stream does.
//!
//! The report has it from the index, and a running stream from itself; both have it from here.

use serde::Serialize;

use super::{Limits, Verdict};
use crate::index::record::Micros;

/// Skips older than this are told of, and are no reason to act any more.
const RECENT: Micros = 24 * 3_600 * 1_000_000;

/// What a source's stream does: one word for it, the same in the report, the metrics and the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has not read from the source yet: a stream knows that of itself.
    Starting,
    /// It streams, and row changes come.
    Running,
    /// It streams, and none came in the last minute.
    Idle,
    /// It streams, and does not know the names of columns.
    Unnamed,
    /// It streams, and something was not captured of late.
    Skipping,
    /// It streams, and changes were lost to it some time.
    Gap,
    /// It streams, and is late.
    Behind,
    /// It waits for its source.
    SourceDown,
    /// It waits for its source to let its account in again.
    NoAccess,
    /// It waits for its index.
    IndexDown,
    /// It runs, and has saved no checkpoint when it should have.
    Stalled,
    /// It ends soon after its start, again and again.
    CrashLooping,
    /// It does not run.
    Stopped,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Starting,
        Self::Running,
        Self::Idle,
        Self::Unnamed,
        Self::Skipping,
        Self::Gap,
        Self::Behind,
        Self::SourceDown,
        Self::NoAccess,
        Self::IndexDown,
        Self::Stalled,
        Self::CrashLooping,
        Self::Stopped,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Idle => "idle",
            Self::Unnamed => "unnamed",
            Self::Skipping => "skipping",
            Self::Gap => "gap",
            Self::Behind => "behind",
            Self::SourceDown => "source_down",
            Self::NoAccess => "no_access",
            Self::IndexDown => "index_down",
            Self::Stalled => "stalled",
            Self::CrashLooping => "crash_looping",
            Self::Stopped => "stopped",
        }
    }

    pub(super) const fn verdict(self) -> Verdict {
        match self {
            Self::Starting | Self::Running | Self::Idle => Verdict::Ok,
            Self::Unnamed | Self::Skipping => Verdict::Degraded,
            Self::Gap => Verdict::Gap,
            Self::Behind => Verdict::Behind,
            Self::SourceDown | Self::NoAccess | Self::IndexDown | Self::Stalled => Verdict::Stalled,
            Self::CrashLooping => Verdict::CrashLooping,
            Self::Stopped => Verdict::Stopped,
        }
    }
}

/// What tells the state of a stream, whoever reads it off: the index, or the stream itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signs {
    /// What keeps it from streaming.
    pub(crate) kept: Option<State>,
    pub(crate) lag_seconds: Option<f64>,
    /// Changes were lost, and nobody has taken note of it.
    pub(crate) gap: bool,
    /// Something was not captured of late.
    pub(crate) skipping: bool,
    pub(crate) unnamed: bool,
    /// Row changes were committed in the last minute.
    pub(crate) moving: bool,
}

impl Signs {
    /// All that is so, the most urgent first: at least one.
    pub(crate) fn states(self, limits: Limits) -> Vec<State> {
        let late = |lag| lag > limits.lag_seconds;
        let behind = self.kept.is_none() && self.lag_seconds.is_some_and(late);
        let mut states: Vec<State> = self.kept.into_iter().collect();
        for (is, state) in [
            (behind, State::Behind),
            (self.gap, State::Gap),
            (self.skipping, State::Skipping),
            (self.unnamed, State::Unnamed),
        ] {
            if is {
                states.push(state);
            }
        }
        if states.is_empty() {
            states.push(if self.moving {
                State::Running
            } else {
                State::Idle
            });
        }
        states
    }
}

/// Is a skip of this time still a reason to act?
pub(crate) fn is_recent(at: Micros, now: Micros) -> bool {
    at > now.saturating_sub(RECENT)
}
