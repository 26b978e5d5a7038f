//! How an index and its streams are: what `bintrail status` shows.
//!
//! Everything is read from the index at the moment of asking, by a bounded number of look-ups by key: how many
//! row changes it holds makes no difference. Whether a stream runs is told by the lock of its writer, and
//! whether it moves by the age of its last checkpoint, so that a stream that died at a good moment does not look
//! well for ever.

mod facts;
pub(crate) mod gaps;
mod lag;
mod rate;
pub(crate) mod starts;
mod state;
mod verdict;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::clock::{now, rfc3339, seconds_between};
use crate::index::record::{Flavor, Micros, Mode, Skip, SourceStatus};
use crate::index::{Index, Result, Writer};

pub use facts::{BinlogFile, Files, Partition, Schema};
pub use gaps::acknowledge;
pub use lag::length;
pub(crate) use lag::{STALL_GRACE, at_reading};
pub use starts::CRASHES;
pub use state::State;
pub(crate) use state::{Signs, is_recent};
pub use verdict::{Finding, Verdict};

/// The version of the document that a [`Report`] serialises to. docs/status.md describes it.
pub const VERSION: u32 = 1;

/// What to call behind.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Seconds of lag.
    pub lag_seconds: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { lag_seconds: 60.0 }
    }
}

/// An index, and the streams into it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`VERSION`]
    pub version: u32,
    /// When it was read.
    #[serde(serialize_with = "time")]
    pub read_at: Micros,
    /// The most urgent finding, of all sources.
    pub verdict: Finding,
    /// By `source_id`.
    pub sources: Vec<SourceReport>,
    /// The space that the index takes.
    pub disk: Disk,
    /// The partitions of `row_changes`, in order; none in an SQLite file.
    pub partitions: Vec<Partition>,
}

/// A source, and its stream.
#[derive(Debug, Clone, Serialize)]
pub struct SourceReport {
    /// Its number in the index, from 1.
    pub source_id: u32,
    /// The most urgent of `findings`.
    pub verdict: Verdict,
    /// That one's.
    pub state: State,
    /// All that is to be said, most urgent first; one `ok` when all is well.
    pub findings: Vec<Finding>,
    /// Who it is.
    pub source: SourceFacts,
    /// The servers that it was read from, oldest first.
    pub servers: Vec<ServerFacts>,
    /// Its stream.
    pub stream: StreamReport,
    /// What the index holds of it.
    pub coverage: Coverage,
    /// What was seen and could not be kept, by reason, since the stream's first start.
    pub capture_skips: BTreeMap<String, SkipFacts>,
    /// The binlog files that were indexed as files.
    pub files: Files,
}

/// A source server.
#[derive(Debug, Clone, Serialize)]
pub struct SourceFacts {
    /// `@@server_uuid`
    pub server_uuid: String,
    /// Its family.
    pub flavor: Flavor,
    /// `@@version`
    pub version: String,
    /// As the user gave it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// When it was first connected to.
    #[serde(serialize_with = "time")]
    pub first_seen: Micros,
    /// When it was last connected to.
    #[serde(serialize_with = "time")]
    pub last_seen: Micros,
}

/// A server that a source was read from: there is a second one after a failover.
#[derive(Debug, Clone, Serialize)]
pub struct ServerFacts {
    /// `@@server_uuid`
    pub server_uuid: String,
    /// As the user gave it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// When it was first read from.
    #[serde(serialize_with = "time")]
    pub since: Micros,
    /// The first row change read from it.
    pub first_change_id: u64,
}

/// What a stream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamState {
    /// It follows the source.
    Streaming,
    /// It runs, and cannot reach the source: `last_error` says why.
    Waiting,
    /// It runs, and has saved no checkpoint when it should have.
    Stalled,
    /// No stream runs.
    Stopped,
}

/// A stream, as the index tells of it.
#[derive(Debug, Clone, Serialize)]
pub struct StreamReport {
    /// What it does.
    pub state: StreamState,
    /// Who writes for the source: `process 4711`, or a connection of the index's server.
    pub writer: Option<String>,
    /// When it last began to read from the source.
    #[serde(serialize_with = "some_time")]
    pub streaming_since: Option<Micros>,
    /// How it finds its place again; `null` before the first checkpoint, as all that follows.
    pub mode: Option<Mode>,
    /// The file to go on in; `null` where only the GTID set tells.
    pub binlog_file: Option<String>,
    /// The position in it.
    pub binlog_position: Option<u64>,
    /// The GTIDs that were read.
    pub gtid_set: Option<String>,
    /// The server id that it replicates under.
    pub server_id: Option<u32>,
    /// Seconds that the index may be behind the source now; `null` when that is not known.
    pub lag_seconds: Option<f64>,
    /// Row changes a second that were committed in the last minute.
    pub rows_per_second: f64,
    /// Row changes indexed since its first start.
    pub events_indexed: Option<u64>,
    /// Commit time of the last transaction seen, also when it was filtered out.
    #[serde(serialize_with = "some_time")]
    pub last_event_time: Option<Micros>,
    /// When the last checkpoint was saved.
    #[serde(serialize_with = "some_time")]
    pub last_checkpoint: Option<Micros>,
    /// Seconds since then.
    pub checkpoint_age_seconds: Option<f64>,
    /// Seconds after which the next one is due at the latest.
    pub checkpoint_seconds: Option<u32>,
    /// What last stopped or disturbed it; `null` while it streams.
    pub last_error: Option<String>,
    /// When it was started of late, each time soon after it had ended unasked.
    #[serde(serialize_with = "times")]
    pub starts: Vec<Micros>,
}

/// What the index holds of a source.
#[derive(Debug, Clone, Serialize)]
pub struct Coverage {
    /// Commit time of the first row change.
    #[serde(serialize_with = "some_time")]
    pub earliest: Option<Micros>,
    /// Commit time of the last.
    #[serde(serialize_with = "some_time")]
    pub latest: Option<Micros>,
    /// Row changes in it.
    pub row_changes: u64,
    /// What was committed before this time was removed (`bintrail rotate`), or may have been; `null` where nothing was.
    #[serde(serialize_with = "some_time")]
    pub removed_before: Option<Micros>,
    /// The id that the next one gets.
    pub next_change_id: u64,
    /// What was lost.
    pub gap: Option<Gap>,
    /// The definitions of its tables.
    pub schema: Schema,
}

/// Row changes that were lost to the stream.
#[derive(Debug, Clone, Serialize)]
pub struct Gap {
    /// When that was found.
    #[serde(serialize_with = "time")]
    pub found: Micros,
    /// From where to where.
    pub detail: String,
    /// When somebody took note of it, and of all before it; `null` when that is still to be done.
    pub acknowledged: Option<String>,
}

/// One reason for which something could not be kept.
#[derive(Debug, Clone, Serialize)]
pub struct SkipFacts {
    /// How often.
    pub count: u64,
    /// File, position and table of the last one.
    pub last: String,
    /// When the source wrote that one.
    #[serde(serialize_with = "some_time")]
    pub last_at: Option<Micros>,
}

/// The space that an index takes, about.
#[derive(Debug, Clone, Serialize)]
pub struct Disk {
    /// Its bytes.
    pub bytes: u64,
    /// Bytes that are free where it is, where that can be seen.
    pub free_bytes: Option<u64>,
    /// Bytes a row change, everything included; `None` for too few to tell.
    pub bytes_per_row_change: Option<f64>,
    /// Bytes that the row changes of the last 24 hours take; `null` for too few to tell.
    pub growth_bytes_per_day: Option<f64>,
}

/// What an index may lack of the present: in words, for each source whose stream does not keep up with it.
///
/// # Errors
/// When the index cannot be read.
pub async fn lacks(index: &Index, source_id: Option<u32>) -> Result<Vec<String>> {
    let mut lacks = Vec::new();
    for status in index.statuses().await? {
        let state = &status.state;
        let (Some(checkpoint), Some(saved)) = (&state.checkpoint, state.last_checkpoint) else {
            continue;
        };
        if source_id.is_some_and(|id| id != status.source_id) {
            continue;
        }
        let age = seconds_between(saved, now());
        let lag = checkpoint.lag_seconds.unwrap_or_default();
        let due = f64::from(state.checkpoint_seconds.unwrap_or_default());
        let why = match index.writer(status.source_id).await? {
            Writer::None => "nothing streams into it now".to_owned(),
            _ if age > due + STALL_GRACE.as_secs_f64() => "its stream does not move".to_owned(),
            _ if lag >= Limits::default().lag_seconds => {
                format!("its stream is {} behind", length(lag))
            }
            _ => continue,
        };
        // What the index says of it may be anything.
        let behind = std::time::Duration::try_from_secs_f64(lag).unwrap_or_default();
        let behind = Micros::try_from(behind.as_micros()).unwrap_or_default();
        lacks.push(format!(
            "what source {} ({}:{}) has committed since {} may not be in the index: {why}; `bintrail status` tells more",
            status.source_id,
            status.source.host,
            status.source.port,
            rfc3339(saved.saturating_sub(behind))
        ));
    }
    Ok(lacks)
}

impl Report {
    /// Reads it.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn read(index: &Index, limits: Limits) -> Result<Self> {
        let statuses = index.statuses().await?;
        let read_at = now();
        let mut sources = Vec::with_capacity(statuses.len());
        let (mut held, mut of_a_day) = (0_u64, None);
        for status in statuses {
            let ids = rate::ids(index, &status).await?;
            held = held.saturating_add(ids.held);
            of_a_day = match (of_a_day, ids.a_day) {
                (Some(one), Some(other)) => Some(one + other),
                (one, other) => one.or(other),
            };
            let writer = index.writer(status.source_id).await?;
            let schema = facts::schema(index, status.source_id, status.unnamed_tables).await?;
            let files = facts::files(index, status.source_id).await?;
            let read = Read {
                status,
                writer,
                ids,
                schema,
                files,
                read_at,
            };
            sources.push(read.report(limits));
        }
        let (bytes, free_bytes) = facts::room(index).await?;
        let bytes_per_row_change =
            (held >= rate::ENOUGH).then(|| (rate::as_f64(bytes) / rate::as_f64(held)).round());
        let verdict = sources
            .iter()
            .filter_map(|source| source.findings.first())
            .max_by_key(|finding| finding.verdict)
            .cloned()
            .unwrap_or_else(Finding::empty);
        Ok(Self {
            version: VERSION,
            read_at,
            verdict,
            sources,
            disk: Disk {
                bytes,
                free_bytes,
                bytes_per_row_change,
                growth_bytes_per_day: bytes_per_row_change
                    .zip(of_a_day)
                    .map(|(bytes, rows)| (bytes * rows).round()),
            },
            partitions: facts::partitions(index).await?,
        })
    }
}

/// What was read of a source.
struct Read {
    status: SourceStatus,
    writer: Writer,
    ids: rate::Ids,
    schema: Schema,
    files: Files,
    read_at: Micros,
}

impl Read {
    fn report(self, limits: Limits) -> SourceReport {
        let state = &self.status.state;
        let checkpoint = state.checkpoint.as_ref();
        let age = |time: Option<Micros>| time.map(|time| seconds_between(time, self.read_at));
        let checkpoint_age = age(state.last_checkpoint);
        let stream_state = self.stream_state(checkpoint_age.or(age(Some(self.status.seen.1))));
        let lag_seconds = checkpoint
            .zip(checkpoint_age)
            .and_then(|(checkpoint, age)| {
                let grace = match stream_state {
                    StreamState::Streaming => state.checkpoint_seconds,
                    _ => Some(0),
                };
                at_reading(checkpoint.lag_seconds, age, grace.unwrap_or(0))
            });
        let (earliest, latest) = self.status.coverage.unzip();
        let stream = StreamReport {
            state: stream_state,
            writer: match self.writer {
                Writer::Is(who) => Some(who),
                Writer::None | Writer::Unknown => None,
            },
            streaming_since: state.streaming_since,
            mode: checkpoint.map(|checkpoint| checkpoint.mode),
            // A stream by GTIDs learns it with the first event.
            binlog_file: checkpoint
                .map(|checkpoint| checkpoint.binlog_file.clone())
                .filter(|file| !file.is_empty()),
            binlog_position: checkpoint
                .filter(|checkpoint| !checkpoint.binlog_file.is_empty())
                .map(|checkpoint| checkpoint.binlog_position),
            gtid_set: checkpoint
                .filter(|checkpoint| checkpoint.mode == Mode::Gtid)
                .map(|checkpoint| checkpoint.gtid_set.replace('\n', "")),
            server_id: checkpoint.map(|checkpoint| checkpoint.server_id),
            lag_seconds: lag_seconds.map(milliseconds),
            rows_per_second: self.ids.a_second,
            events_indexed: checkpoint.map(|checkpoint| checkpoint.events_indexed),
            last_event_time: checkpoint.and_then(|checkpoint| checkpoint.last_event_time),
            last_checkpoint: state.last_checkpoint,
            checkpoint_age_seconds: checkpoint_age.map(milliseconds),
            checkpoint_seconds: state.checkpoint_seconds,
            last_error: state.last_error.clone(),
            starts: state.starts.clone(),
        };
        let capture_skips = checkpoint.map_or_else(BTreeMap::new, |checkpoint| {
            let skips = checkpoint.capture_skips.0.iter();
            skips
                .map(|(reason, skip)| (reason.clone(), skip.into()))
                .collect()
        });
        let coverage = Coverage {
            earliest,
            latest,
            row_changes: self.ids.held,
            removed_before: state.removed_before,
            next_change_id: state.next_change_id,
            gap: state.gap_lost.clone().map(|(found, detail)| Gap {
                found,
                acknowledged: gaps::acknowledged_at(&detail).map(str::to_owned),
                detail,
            }),
            schema: self.schema,
        };
        let findings = verdict::judge(&stream, &coverage, &capture_skips, limits, self.read_at);
        let source = self.status.source;
        let first = findings.first();
        SourceReport {
            source_id: self.status.source_id,
            verdict: first.map_or(Verdict::Ok, |first| first.verdict),
            state: first.map_or(State::Running, |first| first.state),
            findings,
            source: SourceFacts {
                server_uuid: source.server_uuid,
                flavor: source.flavor,
                version: source.version,
                host: source.host,
                port: source.port,
                first_seen: self.status.seen.0,
                last_seen: self.status.seen.1,
            },
            servers: self
                .status
                .servers
                .into_iter()
                .map(|server| ServerFacts {
                    server_uuid: server.server_uuid,
                    host: server.host,
                    port: server.port,
                    since: server.since,
                    first_change_id: server.first_change_id,
                })
                .collect(),
            stream,
            coverage,
            capture_skips,
            files: self.files,
        }
    }

    /// `age`: of the last checkpoint or, before the first, of the stream's first look at the source.
    fn stream_state(&self, age: Option<f64>) -> StreamState {
        let state = &self.status.state;
        let due = f64::from(state.checkpoint_seconds.unwrap_or(0)) + STALL_GRACE.as_secs_f64();
        let late = age.is_none_or(|age| age > due);
        match &self.writer {
            Writer::None => StreamState::Stopped,
            _ if state.last_error.is_some() => StreamState::Waiting,
            Writer::Is(_) if late => StreamState::Stalled,
            // Only the checkpoint tells.
            Writer::Unknown if late => StreamState::Stopped,
            _ => StreamState::Streaming,
        }
    }
}

impl From<&Skip> for SkipFacts {
    fn from(skip: &Skip) -> Self {
        Self {
            count: skip.count,
            last: skip.last.clone(),
            last_at: Some(skip.last_at).filter(|at| *at > 0),
        }
    }
}

/// Finer than that, nobody can tell.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn time<S: Serializer>(time: &Micros, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time))
}

fn some_time<S: Serializer>(
    time: &Option<Micros>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    time.map(rfc3339).serialize(serializer)
}

fn times<S: Serializer>(times: &[Micros], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(times.iter().copied().map(rfc3339))
}
