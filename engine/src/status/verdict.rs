//! What to make of it: one headline, and the next step to take.

use std::collections::BTreeMap;

use serde::Serialize;

use super::starts::crash_looping;
use super::state::{Signs, State, is_recent};
use super::{Coverage, Limits, SkipFacts, StreamReport, StreamState, length};
use crate::clock::seconds_between;
use crate::index::record::Micros;
use crate::source;

/// How a source's stream is, the least urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All is well, also when the source is idle.
    Ok,
    /// It streams, and what it keeps is not complete or not named.
    Degraded,
    /// Changes were lost to the stream some time.
    Gap,
    /// It streams, and is late.
    Behind,
    /// It runs, and does not move.
    Stalled,
    /// It ends soon after its start, again and again.
    CrashLooping,
    /// It does not run.
    Stopped,
}

impl Verdict {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Gap => "gap",
            Self::Behind => "behind",
            Self::Stalled => "stalled",
            Self::CrashLooping => "crash_looping",
            Self::Stopped => "stopped",
        }
    }
}

/// Something to say of a source, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How urgent it is.
    pub verdict: Verdict,
    /// What is so, in one word.
    pub state: State,
    /// What is so.
    pub detail: String,
    /// What to do; `null` where there is nothing to do.
    pub next_step: Option<String>,
}

impl Finding {
    fn new(state: State, detail: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self {
            verdict: state.verdict(),
            state,
            detail: detail.into(),
            next_step: Some(next_step.into()),
        }
    }

    /// Of an index without a source.
    pub(super) fn empty() -> Self {
        Self::new(
            State::Stopped,
            "the index is empty: no stream has written to it",
            "start `bintrail stream`",
        )
    }
}

/// What is read of a source.
struct Facts<'a> {
    stream: &'a StreamReport,
    coverage: &'a Coverage,
    /// What was not captured of late.
    skips: Vec<String>,
    now: Micros,
}

/// What is to be said, most urgent first: at least one.
pub(super) fn judge(
    stream: &StreamReport,
    coverage: &Coverage,
    skips: &BTreeMap<String, SkipFacts>,
    limits: Limits,
    now: Micros,
) -> Vec<Finding> {
    let facts = Facts {
        stream,
        coverage,
        skips: skips
            .iter()
            .filter(|(_, skip)| skip.last_at.is_none_or(|at| is_recent(at, now)))
            .map(|(reason, skip)| format!("{} × {reason}", skip.count))
            .collect(),
        now,
    };
    let mut states = facts.signs().states(limits);
    if crash_looping(&stream.starts, facts.runs(), now) {
        // What it does at this moment stands behind it.
        states.retain(|state| *state != State::Stopped);
        states.insert(0, State::CrashLooping);
    }
    states
        .into_iter()
        .map(|state| facts.finding(state))
        .collect()
}

impl Facts<'_> {
    fn signs(&self) -> Signs {
        let Self {
            stream, coverage, ..
        } = self;
        let gap = coverage.gap.as_ref();
        Signs {
            kept: self.kept(),
            lag_seconds: stream.lag_seconds,
            gap: gap.is_some_and(|gap| gap.acknowledged.is_none()),
            skipping: !self.skips.is_empty(),
            unnamed: coverage.schema.unnamed_tables_now > 0,
            moving: stream.rows_per_second > 0.0,
        }
    }

    fn kept(&self) -> Option<State> {
        match self.stream.state {
            StreamState::Streaming => None,
            StreamState::Waiting if self.error().starts_with("index: ") => Some(State::IndexDown),
            StreamState::Waiting if source::Error::is_told_refusal(self.error()) => {
                Some(State::NoAccess)
            }
            StreamState::Waiting => Some(State::SourceDown),
            StreamState::Stalled => Some(State::Stalled),
            StreamState::Stopped => Some(State::Stopped),
        }
    }

    fn runs(&self) -> bool {
        self.stream.state != StreamState::Stopped
    }

    fn error(&self) -> &str {
        self.stream.last_error.as_deref().unwrap_or_default()
    }

    fn finding(&self, state: State) -> Finding {
        let stream = self.stream;
        match state {
            State::Starting | State::Running => Finding {
                verdict: state.verdict(),
                state,
                detail: "the stream follows its source".to_owned(),
                next_step: None,
            },
            State::Idle => Finding {
                verdict: state.verdict(),
                state,
                detail:
                    "the stream follows its source, which has had no row changes in the last minute"
                        .to_owned(),
                next_step: None,
            },
            State::Unnamed => Finding::new(
                state,
                format!(
                    "the columns of {} tables are named @1, @2, …: their names are not certain",
                    self.coverage.schema.unnamed_tables_now
                ),
                "SET PERSIST binlog_row_metadata = FULL on the source",
            ),
            State::Skipping => Finding::new(
                state,
                format!("not captured: {}", self.skips.join(", ")),
                "docs/index.md tells of each reason, and `bintrail doctor` of the settings behind most",
            ),
            State::Gap => Finding::new(
                state,
                format!(
                    "changes were lost: {}",
                    self.coverage
                        .gap
                        .as_ref()
                        .map_or("", |gap| gap.detail.as_str())
                ),
                "no stream can bring them back: look for them in the source's backups of its binary logs, and keep those \
                 logs longer than the stream may be down; once that is done, `bintrail status --acknowledge-gaps`",
            ),
            State::Behind => Finding::new(
                state,
                format!(
                    "the index is {} behind the source",
                    length(stream.lag_seconds.unwrap_or_default())
                ),
                "it catches up when the index takes more than the source commits: watch the lag with `bintrail status \
                 --watch`, and look at the load of the index when it does not fall",
            ),
            State::SourceDown => Finding::new(
                state,
                format!("the stream waits for its source: {}", self.error()),
                "see to the source: the stream tries again by itself, and goes on from its checkpoint",
            ),
            State::NoAccess => Finding::new(
                state,
                format!(
                    "the source refuses the stream's account, and the stream waits: {}",
                    self.error()
                ),
                "give the account what the error says, on the source; where its password was changed, write the new one \
                 into the stream's --source-password-file, or start the stream again with it. The stream tries again by \
                 itself, each minute at the latest, and goes on from its checkpoint",
            ),
            State::IndexDown => Finding::new(
                state,
                format!("the stream waits for its {}", self.error()),
                "see to the index: the stream tries again by itself, and goes on from its checkpoint",
            ),
            State::Stalled => Finding::new(
                state,
                format!("the stream runs, and has not moved {}", self.long()),
                "look into its log and at the load of the index; restart it when neither tells why",
            ),
            State::CrashLooping => self.crash_looping(),
            State::Stopped => self.stopped(),
        }
    }

    /// How long nothing was saved.
    fn long(&self) -> String {
        self.stream.checkpoint_age_seconds.map_or_else(
            || "before its first checkpoint".to_owned(),
            |age| format!("for {}", length(age)),
        )
    }

    fn crash_looping(&self) -> Finding {
        let starts = &self.stream.starts;
        let first = starts.first().copied().unwrap_or(self.now);
        let now = match (self.runs(), self.error()) {
            (true, "") => "it runs at this moment".to_owned(),
            (true, error) => format!("at this moment it runs, and waits: {error}"),
            (false, "") => "it does not run at this moment".to_owned(),
            (false, error) => format!("it does not run at this moment; the last one: {error}"),
        };
        Finding::new(
            State::CrashLooping,
            format!(
                "the stream was started {} times within {}, and ended soon after each of them{}; {now}",
                starts.len(),
                length(seconds_between(first, self.now)),
                if self.runs() { " but the last" } else { "" },
            ),
            "mend what it ends with: its log says what, and each start goes on from the checkpoint",
        )
    }

    fn stopped(&self) -> Finding {
        let (detail, next_step) = match (self.error(), self.stream.mode) {
            ("", Some(_)) => (
                format!("no stream has run {}", self.long()),
                "start `bintrail stream`: it goes on from its checkpoint. Should it have ended by itself, its log \
                 says why",
            ),
            ("", None) => (
                "no stream runs, and none has saved a checkpoint yet".to_owned(),
                "start `bintrail stream`; its log says why the last one ended",
            ),
            (error, _) => (
                format!("no stream runs; the last one: {error}"),
                "do as the error says, and start `bintrail stream`: it goes on from its checkpoint",
            ),
        };
        Finding::new(State::Stopped, detail, next_step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::facts::Schema;

    const SECOND: Micros = 1_000_000;

    /// What is said of a stream that was started four times, the last time two seconds ago.
    fn of_a_crash_loop(state: StreamState, last_error: Option<&str>) -> Vec<Finding> {
        let stream = StreamReport {
            state,
            writer: None,
            streaming_since: None,
            mode: None,
            binlog_file: None,
            binlog_position: None,
            gtid_set: None,
            server_id: None,
            lag_seconds: None,
            rows_per_second: 0.0,
            events_indexed: None,
            last_event_time: None,
            last_checkpoint: None,
            checkpoint_age_seconds: None,
            checkpoint_seconds: None,
            last_error: last_error.map(str::to_owned),
            starts: [0, 2, 4, 6].map(|second| second * SECOND).into(),
        };
        let coverage = Coverage {
            earliest: None,
            latest: None,
            row_changes: 0,
            removed_before: None,
            next_change_id: 1,
            gap: None,
            schema: Schema {
                versions: 0,
                ddl_statements: 0,
                ddl_statements_more: false,
                unnamed_tables: 0,
                unnamed_tables_now: 0,
            },
        };
        let (skips, limits) = (BTreeMap::new(), Limits::default());
        judge(&stream, &coverage, &skips, limits, 8 * SECOND)
    }

    #[test]
    fn a_crash_loop_does_not_hide_what_the_stream_does_now() {
        let refused = "source db:3306, user u: Access denied (error 1045); check it";
        for (state, error, states, now) in [
            (
                StreamState::Streaming,
                None,
                &[State::CrashLooping, State::Idle][..],
                "each of them but the last; it runs at this moment",
            ),
            (
                StreamState::Waiting,
                Some(refused),
                &[State::CrashLooping, State::NoAccess],
                "but the last; at this moment it runs, and waits: source db:3306, user u",
            ),
            (
                StreamState::Stopped,
                Some("index: it is full"),
                &[State::CrashLooping],
                "each of them; it does not run at this moment; the last one: index: it is full",
            ),
        ] {
            let findings = of_a_crash_loop(state, error);
            let found: Vec<State> = findings.iter().map(|finding| finding.state).collect();
            assert_eq!(found, states);
            let detail = &findings[0].detail;
            assert!(
                detail.contains("started 4 times within 8.0 s, "),
                "{detail}"
            );
            assert!(detail.contains(now), "{detail}");
        }
    }
}
