//! Streams as processes of the console's own. They outlive it: the next console finds them again by what the store has
//! of them, and goes on.
//!
//! One thread compares, twice a second, what is wanted with what is there, and does the next step from the one to the
//! other.

mod log;

use std::collections::HashMap;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bintrail_engine::Error;
use bintrail_engine::clock::now;
use bintrail_engine::status::CRASHES;
use rustix::process::Signal;

use super::identity::Identity;
use super::supervisor::{LASTING, Sight, StreamState, Supervisor, make_dir};
use super::{OWN_VARIABLE, Streams};
use crate::store::{Attempts, Server};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// A stream that is told to stop waits 30 s for the index. After this it is ended.
const FAREWELL: Duration = Duration::from_secs(60);

/// One that ran for so long is no crash loop, whatever was before.
const STEADY: Duration = Duration::from_secs(60);

/// The longest pause before it is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The supervisor.
#[derive(Debug)]
pub(crate) struct Processes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    streams: Arc<Streams>,
    kept: Mutex<HashMap<String, Kept>>,
    wake: Condvar,
}

/// A stream, and what is known of its process.
#[derive(Debug, Default)]
struct Kept {
    attempts: Attempts,
    /// What runs.
    process: Option<Identity>,
    /// The same, where this console started it: its end is seen by it.
    child: Option<Child>,
    began: Option<Instant>,
    /// When it was told to end.
    told: Option<Instant>,
    /// Not before this, again.
    pause: Option<Instant>,
    wanted: bool,
    generation: i64,
}

impl Processes {
    pub(crate) fn start(streams: Arc<Streams>) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            streams,
            kept: Mutex::default(),
            wake: Condvar::new(),
        });
        // What is there already is known before anybody asks.
        shared.round();
        let keeper = Arc::downgrade(&shared);
        std::thread::Builder::new()
            .name("streams".to_owned())
            .spawn(move || {
                while let Some(keeper) = keeper.upgrade() {
                    let kept = keeper.lock();
                    drop(keeper.wake.wait_timeout(kept, PAUSE));
                    keeper.round();
                }
            })
            .map_err(|error| Error::Internal(format!("no thread for the streams: {error}")))?;
        Ok(Self(shared))
    }
}

impl Supervisor for Processes {
    fn name(&self) -> &'static str {
        "process"
    }

    fn apply(&self, server: &Server, anew: bool) -> Result<(), Error> {
        let mut all = self.0.lock();
        let kept = self.0.kept(&mut all, &server.server_id)?;
        if anew {
            kept.attempts.given_up = false;
            kept.attempts.fails = 0;
            kept.pause = None;
        }
        kept.follow(server);
        self.0.wake.notify_one();
        Ok(())
    }

    fn look(&self, server: &Server) -> Result<Sight, Error> {
        let mut all = self.0.lock();
        let kept = self.0.kept(&mut all, &server.server_id)?;
        Ok(kept.sight())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept<'k>(
        &self,
        all: &'k mut HashMap<String, Kept>,
        server_id: &str,
    ) -> Result<&'k mut Kept, Error> {
        if !all.contains_key(server_id) {
            let mut attempts = self.streams.store.attempts(server_id)?;
            let process = attempts.process.as_deref().and_then(Identity::parse);
            // A console that was killed before it wrote down what it had started has left it in the stream's directory.
            let adopted = process.filter(Identity::lives).or_else(|| {
                let place = self.streams.place(server_id);
                Identity::of_stream_in(&place, &self.streams.program)
            });
            if let Some(process) = &adopted {
                attempts.process = Some(process.to_string());
                tracing::info!(server_id, pid = process.pid, "a stream of before goes on");
            }
            let kept = Kept {
                process: adopted,
                attempts,
                ..Kept::default()
            };
            all.insert(server_id.to_owned(), kept);
        }
        all.get_mut(server_id)
            .ok_or_else(|| Error::Internal("a stream that is kept is gone".to_owned()))
    }

    /// One step for each stream.
    fn round(&self) {
        let servers = match self.streams.store.servers(true) {
            Ok(servers) => servers,
            Err(error) => {
                tracing::warn!(%error, "the streams cannot be looked after");
                return;
            }
        };
        for server in servers {
            let mut all = self.lock();
            let step = self
                .kept(&mut all, &server.server_id)
                .and_then(|kept| kept.step(&server, &self.streams));
            if let Err(error) = step {
                tracing::warn!(server_id = server.server_id, %error, "a stream cannot be looked after");
            }
        }
    }
}

impl Kept {
    /// Takes over what is wanted.
    fn follow(&mut self, server: &Server) {
        self.wanted = server.wanted && server.decommissioned_at.is_none();
        if self.generation != server.generation {
            self.generation = server.generation;
            // With other parameters it may well work.
            if self.attempts.generation != server.generation {
                self.attempts.given_up = false;
                self.attempts.fails = 0;
                self.pause = None;
            }
        }
    }

    fn step(&mut self, server: &Server, streams: &Streams) -> Result<(), Error> {
        let before = self.attempts.clone();
        self.follow(server);
        let id = &*server.server_id;
        if self.attempts.process.is_some() && !self.runs()? {
            self.ended(id, streams);
        }
        if self.attempts.process.is_some() {
            let right = self.wanted && self.attempts.generation == self.generation;
            match (right, self.told) {
                (true, None) => {
                    let steady = self.began.is_none_or(|began| began.elapsed() >= STEADY);
                    if self.attempts.fails > 0 && steady {
                        self.attempts.fails = 0;
                    }
                    log::cut(&streams.place(id));
                }
                // One that was told to end ends, and is started again then.
                (true, Some(_)) | (false, Some(_)) => {
                    if self.told.is_some_and(|told| told.elapsed() >= FAREWELL) {
                        tracing::warn!(server_id = id, "the stream does not end: it is ended");
                        self.signal(Signal::KILL);
                    }
                }
                (false, None) => {
                    tracing::info!(server_id = id, "the stream is told to end");
                    self.signal(Signal::TERM);
                    self.told = Some(Instant::now());
                }
            }
        } else if self.wanted
            && !self.attempts.given_up
            && self.pause.is_none_or(|pause| Instant::now() >= pause)
        {
            self.begin(server, streams)?;
        }
        if self.attempts != before {
            streams.store.keep_attempts(id, &self.attempts)?;
        }
        Ok(())
    }

    /// Starts it. That it cannot be is an end of it, too.
    fn begin(&mut self, server: &Server, streams: &Streams) -> Result<(), Error> {
        let id = &*server.server_id;
        self.attempts.generation = server.generation;
        self.attempts.began_at = Some(now());
        self.began = Some(Instant::now());
        self.told = None;
        match spawn(server, streams) {
            Ok(mut child) => {
                tracing::info!(server_id = id, pid = child.id(), "the stream is started");
                self.process = Identity::of(child.id());
                self.attempts.process = match &self.process {
                    Some(process) => Some(process.to_string()),
                    // It is gone already: the next look sees how. One that could not be found again is not kept.
                    None => {
                        let _ = child.kill();
                        Some(String::new())
                    }
                };
                self.child = Some(child);
                // Before anything else: a console that ends now leaves a stream that is found again.
                streams.store.keep_attempts(id, &self.attempts)
            }
            Err(error) => {
                self.failed(id, "it could not be started".to_owned(), None);
                self.attempts.last_error = Some(error.to_string());
                Ok(())
            }
        }
    }

    fn runs(&mut self) -> Result<bool, Error> {
        let lives = match &mut self.child {
            Some(child) => child
                .try_wait()
                .map_err(|error| Error::Internal(error.to_string()))?
                .is_none(),
            None => self.process.as_ref().is_some_and(Identity::lives),
        };
        Ok(lives)
    }

    fn ended(&mut self, id: &str, streams: &Streams) {
        let status = self
            .child
            .take()
            .and_then(|mut child| child.try_wait().ok().flatten());
        let adopted = self.process.take().is_some() && status.is_none();
        self.attempts.process = None;
        let asked = self.told.take().is_some();
        let how = match status {
            Some(status) => in_words(status),
            None if adopted => "it ended; who started it is gone, and how is not known".to_owned(),
            None => "it ended while no console ran".to_owned(),
        };
        tracing::info!(server_id = id, how, "the stream has ended");
        let place = streams.place(id);
        if asked {
            self.attempts.fails = 0;
            self.attempts.last_exit = Some(how);
            self.attempts.last_error = None;
            self.pause = None;
        } else {
            let code = status.and_then(|status| status.code());
            self.failed(id, how, code);
            self.attempts.last_error = log::last_error(&place);
        }
    }

    fn failed(&mut self, id: &str, how: String, code: Option<i32>) {
        let steady = self.began.is_none_or(|began| began.elapsed() >= STEADY);
        self.attempts.fails = if steady {
            0
        } else {
            self.attempts.fails.saturating_add(1)
        };
        self.attempts.last_exit = Some(how);
        self.attempts.given_up = code.is_some_and(|code| LASTING.contains(&code));
        if self.attempts.given_up {
            tracing::warn!(
                server_id = id,
                code,
                "a restart does not mend that: the stream stays down"
            );
            return;
        }
        let pause = pause(self.attempts.fails);
        self.pause = Some(Instant::now() + pause);
        self.attempts.restarts = self.attempts.restarts.saturating_add(1);
        tracing::warn!(server_id = id, ?pause, "the stream is started again");
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    fn sight(&self) -> Sight {
        let crashes = self.attempts.fails >= CRASHES;
        let state = match (&self.process, self.wanted) {
            (Some(_), _) if self.told.is_some() => StreamState::Stopping,
            (Some(_), false) => StreamState::Stopping,
            (None, false) => StreamState::Stopped,
            (_, true) if crashes => StreamState::CrashLooping,
            (Some(_), true) => StreamState::Running,
            (None, true) if self.attempts.given_up => StreamState::Failed,
            (None, true) if self.pause.is_some() || self.attempts.fails > 0 => {
                StreamState::Restarting
            }
            (None, true) => StreamState::Starting,
        };
        Sight {
            state,
            pid: self
                .process
                .as_ref()
                .and_then(|process| u32::try_from(process.pid).ok()),
            since: self.attempts.began_at.filter(|_| self.process.is_some()),
            restarts: self.attempts.restarts,
            last_exit: self.attempts.last_exit.clone(),
            last_error: self.attempts.last_error.clone(),
        }
    }
}

fn pause(fails: u32) -> Duration {
    Duration::from_secs(1 << fails.saturating_sub(1).min(6)).min(LONGEST_PAUSE)
}

/// In a process group of its own: what is meant for the console at its terminal is not meant for the streams.
fn spawn(server: &Server, streams: &Streams) -> Result<Child, Error> {
    let place = streams.place(&server.server_id);
    make_dir(&place)?;
    let environment = streams.environment(server)?;
    let output = log::open(&place)?;
    let unwritable = |error| Error::File {
        path: place.clone(),
        error,
    };
    let mut command = Command::new(&streams.program);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        // Not the console's own, nor the passwords of other servers, nor what its service manager told it.
        if name_text.starts_with(OWN_VARIABLE)
            || matches!(
                &*name_text,
                "NOTIFY_SOCKET" | "WATCHDOG_USEC" | "WATCHDOG_PID"
            )
        {
            command.env_remove(&name);
        }
    }
    command
        .arg("stream")
        .envs(
            environment
                .iter()
                .map(|(name, value)| (name, value.expose())),
        )
        .current_dir(&place)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(unwritable)?)
        .stderr(output)
        .spawn()
        .map_err(|error| Error::File {
            path: streams.program.clone(),
            error,
        })
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with {code}"),
        (None, Some(signal)) => format!("signal {signal} ended it"),
        (None, None) => "it ended".to_owned(),
    }
}

#[cfg(test)]
mod tests;
