//! `bintrail stream`: a live source into the index, from where it was left.

mod far;
pub mod files;
mod link;
mod memory;
mod patience;
mod resume;
mod session;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::dsn::IndexDsn;
use crate::error::Error;
use crate::filter::Filter;
use crate::gtids::Gtids;
use crate::index::record::{Checkpoint, Flavor, Mode};
use crate::index::{Index, KEEP_ALIVE_SECONDS};
use crate::source;
use crate::source::connection::ConnectOptions;
use crate::source::replication::{Progress, ReplicationStream};
use crate::source::server;
use crate::telemetry::Vitals;

/// What to stream, and where to.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// Where the index is.
    pub index: IndexDsn,
    /// How to reach the source.
    pub source: ConnectOptions,
    /// Where else it may be: hosts and ports, tried in turn.
    pub more_hosts: Vec<(String, u16)>,
    /// The server id to replicate under; derived from host and source when `None`.
    pub server_id: Option<u32>,
    /// Which tables are kept.
    pub filter: Filter,
    /// Row changes after which a batch goes to the index even while it is busy.
    pub batch_size: u64,
    /// Memory to get by with, in MB.
    pub memory: u32,
    /// The longest time between two checkpoints.
    pub checkpoint: Duration,
    /// Where to start when there is no checkpoint; `None` for where the source is now.
    pub start: Option<Start>,
    /// Forget the checkpoint and start from `start`.
    pub reset: bool,
    /// How long the index may take nothing before the stream ends; `None` for ever.
    pub write_timeout: Option<Duration>,
    /// Stop at a gap, instead of recording it and going on behind it.
    pub refuse_gaps: bool,
    /// How long the source may take to tell what it still has.
    pub gap_timeout: Duration,
    /// Where it tells of itself while it runs.
    pub vitals: Arc<Vitals>,
}

/// How often a checkpoint is saved when nothing happens, with `--checkpoint` at `wanted`.
#[must_use]
pub fn checkpoint_every(wanted: Duration) -> Duration {
    // An idle index ends the connection of a writer that it does not hear from.
    wanted.min(Duration::from_secs(KEEP_ALIVE_SECONDS))
}

/// A place in a source's binlog to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At a binlog file and position.
    Position(String, u64),
    /// Behind these GTIDs.
    Gtids(Gtids),
}

impl Start {
    /// Behind the GTIDs that `text` lists: MySQL's have colons, MariaDB's have none. No GTID at all is
    /// the beginning of either.
    ///
    /// # Errors
    /// [`Error::Usage`] for text that is neither.
    pub fn behind(text: &str) -> Result<Self, Error> {
        let flavor = if text.trim().is_empty() || text.contains(':') {
            Flavor::MySql
        } else {
            Flavor::MariaDb
        };
        Gtids::parse(text, flavor).map(Self::Gtids).map_err(|error| {
            Error::Usage(format!(
                "--start-gtid {text:?}: {error}; give a set as `SELECT @@GLOBAL.gtid_executed` of MySQL prints it, or \
                 a position as `SELECT @@GLOBAL.gtid_binlog_pos` of MariaDB does"
            ))
        })
    }

    /// Where a checkpoint says to go on.
    fn of(checkpoint: &Checkpoint, flavor: Flavor) -> Result<Self, Error> {
        Ok(match checkpoint.mode {
            Mode::Gtid => Self::Gtids(server::parse_set(&checkpoint.gtid_set, flavor)?),
            Mode::Position => {
                Self::Position(checkpoint.binlog_file.clone(), checkpoint.binlog_position)
            }
        })
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(file, position) => write!(f, "{file}:{position}"),
            Self::Gtids(set) if set.is_empty() => f.write_str("the empty GTID set"),
            Self::Gtids(set) => write!(f, "GTID set {}", set.to_string().replace('\n', " ")),
        }
    }
}

/// Streams until `stop` turns true, through whatever passes: a source or an index that is away for a while is
/// waited for, and the stream goes on from its checkpoint.
///
/// # Errors
/// What will not pass; and anything that is wrong at the start, before the first event.
pub async fn stream(options: &StreamOptions, mut stop: watch::Receiver<bool>) -> Result<(), Error> {
    let index = Index::open(&options.index, true).await?;
    let result = link::keep_streaming(options, &index, &mut stop).await;
    let closed = index.close().await;
    result?;
    closed?;
    Ok(())
}

/// Reads what has come. `from` is where the dump was asked to start.
pub(crate) async fn read(
    events: &mut ReplicationStream,
    frames: &mut Vec<Bytes>,
    source: &ConnectOptions,
    from: &Start,
) -> Result<(), Error> {
    let error = match events.next_frames(frames).await {
        Ok(Progress::Events) => return Ok(()),
        Ok(Progress::End) => source::Error::Lost(std::io::ErrorKind::UnexpectedEof.into()),
        Err(error) => error,
    };
    Err(match error {
        source::Error::PositionPurged(_)
        | source::Error::PositionUnknown(_)
        | source::Error::LogCutOff(_) => Error::Place {
            address: server::address(source),
            place: from.to_string(),
            error,
        },
        error => server::source_error(source, error),
    })
}

/// Where an index is, for telling it from others.
pub(crate) fn place_of(index: &IndexDsn) -> String {
    match index {
        IndexDsn::Sqlite(path) => {
            // The index is there by now, whatever links lead to it.
            let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            path.display().to_string()
        }
        IndexDsn::MySql(dsn) => {
            let database = dsn.database.as_deref().unwrap_or_default();
            format!("{}:{}/{database}", dsn.host, dsn.port)
        }
    }
}

/// The server id of a replica that was not given one: the same each time for this host, source and
/// `purpose`, and above the ids that people give to servers.
pub(crate) fn derived_server_id(source: &ConnectOptions, purpose: &str) -> u32 {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_default();
    let digest = Sha256::digest(format!(
        "{}|{}|{}|{purpose}",
        host.trim(),
        source.host,
        source.port
    ));
    let number = digest
        .first_chunk::<4>()
        .copied()
        .map_or(0, u32::from_le_bytes);
    1 << 30 | number >> 2
}
