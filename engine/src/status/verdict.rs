//! What to make of it: one headline, and the next step to take.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Coverage, Limits, SkipFacts, StreamReport, StreamState, length};
use crate::index::record::Micros;

/// Skips and errors older than this are told of, and are no reason to act any more.
const RECENT: Micros = 24 * 3_600 * 1_000_000;

/// How a source's stream is, the least urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
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
            Self::Stopped => "stopped",
        }
    }
}

/// Something to say of a source, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How urgent it is.
    pub verdict: Verdict,
    /// What is so.
    pub detail: String,
    /// What to do; `null` where there is nothing to do.
    pub next_step: Option<String>,
}

impl Finding {
    fn new(verdict: Verdict, detail: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self {
            verdict,
            detail: detail.into(),
            next_step: Some(next_step.into()),
        }
    }

    /// Of an index without a source.
    pub(super) fn empty() -> Self {
        Self::new(
            Verdict::Stopped,
            "the index is empty: no stream has written to it",
            "start `bintrail stream`",
        )
    }
}

/// What is to be said, most urgent first: at least one.
pub(super) fn judge(
    stream: &StreamReport,
    coverage: &Coverage,
    skips: &BTreeMap<String, SkipFacts>,
    limits: Limits,
    now: Micros,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(of_stream(stream, limits));
    if let Some(gap) = &coverage.gap
        && gap.acknowledged.is_none()
    {
        findings.push(Finding::new(
            Verdict::Gap,
            format!("changes were lost: {}", gap.detail),
            "no stream can bring them back: look for them in the source's backups of its binary logs, and keep those \
             logs longer than the stream may be down; once that is done, `bintrail status --acknowledge-gaps`",
        ));
    }
    let recent: Vec<_> = skips
        .iter()
        .filter(|(_, skip)| {
            skip.last_at
                .is_none_or(|at| at > now.saturating_sub(RECENT))
        })
        .map(|(reason, skip)| format!("{} × {reason}", skip.count))
        .collect();
    if !recent.is_empty() {
        findings.push(Finding::new(
            Verdict::Degraded,
            format!("not captured: {}", recent.join(", ")),
            "docs/index.md tells of each reason, and `bintrail doctor` of the settings behind most",
        ));
    }
    let unnamed = coverage.schema.unnamed_tables_now;
    if unnamed > 0 {
        findings.push(Finding::new(
            Verdict::Degraded,
            format!(
                "the columns of {unnamed} tables are named @1, @2, …: their names are not certain"
            ),
            "SET PERSIST binlog_row_metadata = FULL on the source",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding {
            verdict: Verdict::Ok,
            detail: match stream.rows_per_second {
                rate if rate > 0.0 => "the stream follows its source".to_owned(),
                _ => {
                    "the stream follows its source, which has had no row changes in the last minute"
                        .to_owned()
                }
            },
            next_step: None,
        });
    }
    findings
}

fn of_stream(stream: &StreamReport, limits: Limits) -> Option<Finding> {
    let error = stream.last_error.as_deref();
    let age = stream.checkpoint_age_seconds;
    let long = age.map_or_else(
        || "before its first checkpoint".to_owned(),
        |age| format!("for {}", length(age)),
    );
    match stream.state {
        StreamState::Stopped => {
            let (detail, next_step) = match (error, stream.mode) {
                (Some(error), _) => (
                    format!("no stream runs; the last one: {error}"),
                    "do as the error says, and start `bintrail stream`: it goes on from its checkpoint",
                ),
                (None, Some(_)) => (
                    format!("no stream has run {long}"),
                    "start `bintrail stream`: it goes on from its checkpoint. Should it have ended by itself, its log \
                     says why",
                ),
                (None, None) => (
                    "no stream runs, and none has saved a checkpoint yet".to_owned(),
                    "start `bintrail stream`; its log says why the last one ended",
                ),
            };
            Some(Finding::new(Verdict::Stopped, detail, next_step))
        }
        StreamState::Waiting => Some(Finding::new(
            Verdict::Stalled,
            format!(
                "the stream waits for its source: {}",
                error.unwrap_or_default()
            ),
            "see to the source: the stream tries again by itself, and goes on from its checkpoint",
        )),
        StreamState::Stalled => Some(Finding::new(
            Verdict::Stalled,
            format!("the stream runs, and has not moved {long}"),
            "look into its log and at the load of the index; restart it when neither tells why",
        )),
        StreamState::Streaming => {
            let lag = stream.lag_seconds.filter(|lag| *lag > limits.lag_seconds)?;
            Some(Finding::new(
                Verdict::Behind,
                format!("the index is {} behind the source", length(lag)),
                "it catches up when the index takes more than the source commits: watch the lag with `bintrail status \
                 --watch`, and look at the load of the index when it does not fall",
            ))
        }
    }
}
