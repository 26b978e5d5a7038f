//! What keeps a stream as it is wanted.

use std::fmt::Debug;
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use bintrail_engine::Error;
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::Server;

/// Exit codes of `bintrail stream` that a restart does not mend, as `RestartPreventExitStatus` of the units has them.
pub(crate) const LASTING: [i32; 11] = [2, 11, 12, 13, 14, 15, 16, 21, 23, 28, 31];

/// What a stream's process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StreamState {
    /// It is not to run, and does not.
    Stopped,
    /// It is to run, and is about to.
    Starting,
    /// Its process runs.
    Running,
    /// It was told to end, and finishes what is under way.
    Stopping,
    /// It ended by itself, and is started again after a pause.
    Restarting,
    /// It ended soon after its start, again and again.
    CrashLooping,
    /// It ended with what a restart does not mend.
    Failed,
}

/// How a stream is, as its supervisor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) state: StreamState,
    pub(crate) pid: Option<u32>,
    /// When that process was started.
    pub(crate) since: Option<i64>,
    /// How often it was started again by itself.
    pub(crate) restarts: i64,
    /// How its last process ended.
    pub(crate) last_exit: Option<String>,
    /// What that one said last.
    pub(crate) last_error: Option<String>,
}

impl Sight {
    pub(crate) const fn of(state: StreamState) -> Self {
        Self {
            state,
            pid: None,
            since: None,
            restarts: 0,
            last_exit: None,
            last_error: None,
        }
    }
}

/// Keeps streams. What it is to do is in the store: it is called when that has changed.
pub(crate) trait Supervisor: Debug + Send + Sync {
    fn name(&self) -> &'static str;

    /// The server is new, or is not any more what it was: its stream is to be started, ended or started anew. `anew` is
    /// said where it is to be tried whatever became of it before.
    fn apply(&self, server: &Server, anew: bool) -> Result<(), Error>;

    /// How its stream is now.
    fn look(&self, server: &Server) -> Result<Sight, Error>;
}

/// The longest that an error is shown.
const LONGEST: usize = 1_000;

/// Of a log, what `bintrail` ended with, where it did: `bintrail: …`.
pub(crate) fn last_words(log: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(log);
    let line = text.lines().next_back()?.strip_prefix("bintrail: ")?;
    Some(line.chars().take(LONGEST).collect())
}

/// A directory that is its owner's alone.
pub(crate) fn make_dir(path: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made.map_err(|error| Error::File {
            path: path.to_owned(),
            error,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consoles_unit_lets_its_streams_be() {
        let unit = include_str!("../../../deploy/bintrail-console.service");
        let has = |wanted: &str| unit.lines().any(|line| line.starts_with(wanted));
        assert!(has("KillMode=process"));
        // Each of these ends with the console, or keeps the next one from seeing what the last has started.
        for gone in [
            "PrivateUsers=",
            "PrivateTmp=",
            "PrivatePIDs=",
            "DynamicUser=",
        ] {
            assert!(!has(gone), "{gone}");
        }
    }

    #[test]
    fn what_no_restart_mends_is_what_the_units_have() {
        let unit = include_str!("../../../deploy/bintrail-stream@.service");
        let line = unit
            .lines()
            .find_map(|line| line.strip_prefix("RestartPreventExitStatus="));
        let codes: Vec<i32> = line
            .unwrap()
            .split(' ')
            .map(|code| code.parse().unwrap())
            .collect();
        assert_eq!(codes, LASTING);
    }
}
