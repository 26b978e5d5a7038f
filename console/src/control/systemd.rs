//! Streams as systemd's units, `bintrail-stream-SERVER_ID.service`: written and driven, and otherwise systemd's affair.
//! They go on without the console, and start with the machine.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bintrail_engine::Error;
use bintrail_engine::clock::now;
use bintrail_engine::status::CRASHES;

use super::Streams;
use super::supervisor::{Sight, StreamState, Supervisor, last_words, make_dir};
use crate::store::Server;

/// The unit for one of several streams, which all of it but what is this stream's own comes from.
const TEMPLATE: &str = include_str!("../../../deploy/bintrail-stream@.service");

/// Where systemd's directory of its own is while it runs.
const RUNS: &str = "/run/systemd/system";

/// One that ran for so many microseconds is no crash loop.
const STEADY: i64 = 60_000_000;

/// The supervisor.
#[derive(Debug)]
pub(crate) struct Systemd {
    streams: Arc<Streams>,
    units: PathBuf,
}

/// Does systemd run here, and may this user write its units?
pub(crate) fn is_there() -> bool {
    Path::new(RUNS).is_dir() && rustix::process::geteuid().is_root()
}

impl Systemd {
    pub(crate) fn start(streams: Arc<Streams>, units: PathBuf) -> Result<Self, Error> {
        let this = Self { streams, units };
        // What another console left undone.
        for server in this.streams.store.servers(true)? {
            if let Err(error) = this.settle(&server, false) {
                tracing::warn!(server_id = server.server_id, %error, "a unit cannot be looked after");
            }
        }
        Ok(this)
    }

    fn settle(&self, server: &Server, anew: bool) -> Result<(), Error> {
        let unit = unit(&server.server_id);
        let path = self.units.join(&unit);
        if !server.wanted || server.decommissioned_at.is_some() {
            if path.exists() {
                systemctl(&["disable", "--now", "--no-block", &unit])?;
                if server.decommissioned_at.is_some() {
                    // The unit last: while it is there, who ends in between has the rest done by the next console.
                    remove(&self.environment_file(&server.server_id))?;
                    remove(&path)?;
                    systemctl(&["daemon-reload"])?;
                }
                forget(&unit);
            }
            return Ok(());
        }
        make_dir(&self.streams.place(&server.server_id))?;
        let mut environment = String::new();
        for (name, value) in self.streams.environment(server)? {
            environment.push_str(&assignment(&name, value.expose()));
        }
        let file = self.environment_file(&server.server_id);
        let written = write(&file, &environment, 0o600)?;
        let text = self.unit(server, &file);
        let changed = write(&path, &text, 0o644)?;
        if changed {
            systemctl(&["daemon-reload"])?;
        }
        systemctl(&["enable", &unit])?;
        match anew || written || changed {
            // What it is started with is new, or it is to be tried again: systemd may have given up.
            true => {
                forget(&unit);
                systemctl(&["restart", "--no-block", &unit])
            }
            false => systemctl(&["start", "--no-block", &unit]),
        }
    }

    fn environment_file(&self, server_id: &str) -> PathBuf {
        self.streams.place(server_id).join("stream.env")
    }

    /// The template's unit, for this server.
    fn unit(&self, server: &Server, environment: &Path) -> String {
        let id = &*server.server_id;
        let mut out = String::from(
            "# Written by bintrail-console, which writes it again: change it with `systemctl edit`.\n",
        );
        for line in TEMPLATE.lines().skip_while(|line| line.starts_with('#')) {
            let (key, _) = line.split_once('=').unwrap_or((line, ""));
            match key {
                "EnvironmentFile" => {
                    // No quotes, and no escapes but this.
                    let path = environment.display().to_string().replace('%', "%%");
                    out.push_str(&format!("EnvironmentFile={path}"));
                }
                "ExecStart" => {
                    let program = escape(&self.streams.program.display().to_string());
                    out.push_str(&format!("ExecStart=\"{program}\" stream"));
                }
                _ => out.push_str(&line.replace("%i", id)),
            }
            out.push('\n');
            if let ("StateDirectory", Some(index)) = (key, self.streams.index_file.as_deref())
                && let Some(dir) = index.parent()
            {
                out.push_str(&format!(
                    "ReadWritePaths=\"{}\"\n",
                    escape(&dir.display().to_string())
                ));
            }
        }
        out
    }
}

impl Supervisor for Systemd {
    fn name(&self) -> &'static str {
        "systemd"
    }

    fn apply(&self, server: &Server, anew: bool) -> Result<(), Error> {
        self.settle(server, anew)
    }

    fn look(&self, server: &Server) -> Result<Sight, Error> {
        let unit = unit(&server.server_id);
        let shown = output(&[
            "show",
            "--property=ActiveState,SubState,MainPID,NRestarts,Result,ExecMainCode,ExecMainStatus,\
             ActiveEnterTimestampMonotonic,ActiveExitTimestampMonotonic,InactiveExitTimestampMonotonic",
            &unit,
        ])?;
        let mut sight = read(&shown, &unit, server.wanted);
        if sight.last_error.is_some()
            && let Some(said) = last_error(&server.server_id)
        {
            sight.last_error = Some(said);
        }
        Ok(sight)
    }
}

/// What `systemctl show` tells.
fn read(shown: &str, unit: &str, wanted: bool) -> Sight {
    let value = |name: &str| {
        shown
            .lines()
            .filter_map(|line| line.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
            .unwrap_or_default()
    };
    let number = |name: &str| value(name).parse::<i64>().unwrap_or(0);
    let restarts = number("NRestarts");
    // They are counted for months: the end of one that ran well is no crash loop, whatever was before.
    let ended = number("ActiveExitTimestampMonotonic");
    let ran_well = ended - number("ActiveEnterTimestampMonotonic") >= STEADY
        && number("InactiveExitTimestampMonotonic") - ended < STEADY;
    let crashes = restarts >= i64::from(CRASHES) && !ran_well;
    let state = match (value("ActiveState"), value("SubState")) {
        ("active" | "reloading", _) => StreamState::Running,
        ("activating", "auto-restart" | "auto-restart-queued") if crashes => {
            StreamState::CrashLooping
        }
        ("activating", "auto-restart" | "auto-restart-queued") => StreamState::Restarting,
        ("activating", _) if crashes => StreamState::CrashLooping,
        ("activating", _) => StreamState::Starting,
        ("deactivating", _) => StreamState::Stopping,
        ("failed", _) if wanted => StreamState::Failed,
        _ => StreamState::Stopped,
    };
    let status = value("ExecMainStatus");
    let ended = match value("ExecMainCode") {
        "1" => Some(format!("it ended with {status}")),
        "2" | "3" => Some(format!("signal {status} ended it")),
        _ => None,
    };
    let troubled = matches!(
        state,
        StreamState::CrashLooping | StreamState::Restarting | StreamState::Failed
    );
    Sight {
        pid: value("MainPID").parse().ok().filter(|pid| *pid > 0),
        since: since(value("ActiveEnterTimestampMonotonic"))
            .filter(|_| state == StreamState::Running),
        restarts,
        last_exit: ended,
        last_error: troubled.then(|| {
            format!(
                "systemd says {}: see `journalctl -u {unit}`",
                value("Result")
            )
        }),
        ..Sight::of(state)
    }
}

/// Of microseconds since the machine started, when that was.
fn since(monotonic: &str) -> Option<i64> {
    let at: i64 = monotonic.parse().ok().filter(|at| *at > 0)?;
    let up = fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, parts) = up.split(' ').next()?.split_once('.')?;
    let hundredths: i64 = format!("{seconds}{parts:0<2}").parse().ok()?;
    Some(now() - hundredths.checked_mul(10_000)? + at)
}

fn unit(server_id: &str) -> String {
    format!("bintrail-stream-{server_id}.service")
}

/// A line of an `EnvironmentFile`.
fn assignment(name: &str, value: &str) -> String {
    let mut line = format!("{name}=\"");
    for character in value.chars() {
        if matches!(character, '"' | '\\' | '`' | '$') {
            line.push('\\');
        }
        line.push(character);
    }
    line.push_str("\"\n");
    line
}

/// A path within a unit, where `%` begins a specifier.
fn escape(path: &str) -> String {
    path.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%")
        .replace('$', "$$")
}

/// Has systemd forget a failure: it would list the unit as failed for ever, also without its file. That it has not loaded the
/// unit, and so has nothing to forget, is an error to it.
fn forget(unit: &str) {
    let _ = systemctl(&["reset-failed", unit]);
}

/// What `bintrail` said last when it ended: its line in the journal.
fn last_error(server_id: &str) -> Option<String> {
    let said = Command::new("journalctl")
        .args(["--no-pager", "--quiet", "--output=cat", "--lines=1"])
        .args(["--unit", &unit(server_id)])
        .args(["--identifier", &format!("bintrail-{server_id}")])
        .output()
        .ok()?;
    last_words(&said.stdout)
}

fn systemctl(arguments: &[&str]) -> Result<(), Error> {
    output(arguments).map(drop)
}

fn output(arguments: &[&str]) -> Result<String, Error> {
    let said = Command::new("systemctl")
        .args(["--no-ask-password", "--no-pager"])
        .args(arguments)
        .output()
        .map_err(|error| Error::Usage(format!("systemctl cannot be started: {error}")))?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    let line = String::from_utf8_lossy(&said.stderr);
    Err(Error::Usage(format!(
        "`systemctl {}`: {}",
        arguments.join(" "),
        line.lines().next().unwrap_or("it failed").trim()
    )))
}

/// Puts it in the place of what is there, at once and whole; false where it is there already.
fn write(path: &Path, text: &str, mode: u32) -> Result<bool, Error> {
    let unwritable = |error| Error::File {
        path: path.to_owned(),
        error,
    };
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(false);
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    remove(&new)?;
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(mode)
        .open(&new)
        .map_err(unwritable)?;
    file.write_all(text.as_bytes()).map_err(unwritable)?;
    fs::rename(&new, path).map_err(unwritable)?;
    Ok(true)
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::File {
            path: path.to_owned(),
            error,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_says_is_read() {
        let state = |shown: &str, wanted| read(shown, "u.service", wanted);
        let running = state(
            "MainPID=42\nNRestarts=7\nActiveState=active\nSubState=running\nExecMainCode=0\nExecMainStatus=0",
            true,
        );
        assert_eq!(
            (running.state, running.pid, running.restarts),
            (StreamState::Running, Some(42), 7)
        );
        assert_eq!((running.last_exit, running.last_error), (None, None));
        for (shown, wanted, expected) in [
            (
                "ActiveState=inactive\nSubState=dead",
                true,
                StreamState::Stopped,
            ),
            (
                "ActiveState=failed\nSubState=failed",
                true,
                StreamState::Failed,
            ),
            (
                "ActiveState=failed\nSubState=failed",
                false,
                StreamState::Stopped,
            ),
            (
                "ActiveState=activating\nSubState=start\nNRestarts=0",
                true,
                StreamState::Starting,
            ),
            (
                "ActiveState=activating\nSubState=auto-restart\nNRestarts=1",
                true,
                StreamState::Restarting,
            ),
            (
                "ActiveState=activating\nSubState=auto-restart\nNRestarts=3",
                true,
                StreamState::CrashLooping,
            ),
            // It ran for an hour after the last of them, and ended 5 s ago.
            (
                "ActiveState=activating\nSubState=auto-restart\nNRestarts=3\nActiveEnterTimestampMonotonic=1000000\n\
                 ActiveExitTimestampMonotonic=3601000000\nInactiveExitTimestampMonotonic=3601000000",
                true,
                StreamState::Restarting,
            ),
            // That was long ago.
            (
                "ActiveState=activating\nSubState=start\nNRestarts=3\nActiveEnterTimestampMonotonic=1000000\n\
                 ActiveExitTimestampMonotonic=3601000000\nInactiveExitTimestampMonotonic=3661000000",
                true,
                StreamState::CrashLooping,
            ),
            (
                "ActiveState=deactivating\nSubState=stop-sigterm",
                false,
                StreamState::Stopping,
            ),
            ("", false, StreamState::Stopped),
        ] {
            assert_eq!(state(shown, wanted).state, expected, "{shown}");
        }
        let failed = state(
            "ActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainCode=1\nExecMainStatus=11",
            true,
        );
        assert_eq!(failed.last_exit.as_deref(), Some("it ended with 11"));
        assert_eq!(
            failed.last_error.as_deref(),
            Some("systemd says exit-code: see `journalctl -u u.service`")
        );
    }

    #[test]
    fn values_stay_what_they_are() {
        assert_eq!(
            assignment("A", "a\"b\\c$d`e%f g"),
            "A=\"a\\\"b\\\\c\\$d\\`e%f g\"\n"
        );
        assert_eq!(escape("/a%b \"c\""), "/a%%b \\\"c\\\"");
    }
}
