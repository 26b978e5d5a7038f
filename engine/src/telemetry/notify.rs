//! Signs of life for systemd: datagrams on the socket that it names in `NOTIFY_SOCKET` (sd_notify(3)).

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::{Condition, Vitals};

/// How often the status line is brought up to date.
const STATUS: Duration = Duration::from_secs(5);

/// How often it is looked whether the stream is ready, or has been told to stop.
const LOOK: Duration = Duration::from_millis(200);

/// The service manager, where there is one.
#[derive(Debug)]
pub struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    /// It ends a service that it has not heard from for so long.
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that started this process, as its environment tells; `None` without one.
    ///
    /// # Errors
    /// When there is one that cannot be reached.
    pub fn of_environment() -> io::Result<Option<Self>> {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else {
            return Ok(None);
        };
        let name = name
            .into_string()
            .map_err(|_| io::Error::other("its name is no text"))?;
        let address = address(&name)?;
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        // The watchdog may be another process's, such as that of a shell around this one.
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC")
            .filter(|micros| ours && *micros > 0)
            .map(Duration::from_micros);
        Ok(Some(Self {
            socket: UnixDatagram::unbound()?,
            address,
            watchdog,
        }))
    }

    fn send(&self, state: &str) {
        // A manager that is gone has no use for it.
        let _ = self.socket.send_to_addr(state.as_bytes(), &self.address);
    }

    /// Tells it that the stream ends. Again is no harm.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping: what is under way is finished first");
    }

    /// Tells of the stream until it has been told to stop. The watchdog hears only of a stream that gets something
    /// done: of one that hangs, nothing.
    pub async fn keep_informed(
        self: Arc<Self>,
        vitals: Arc<Vitals>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut ready = false;
        let mut told = None;
        let mut since_told = Duration::MAX;
        let mut since_fed = Duration::MAX;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {
                    self.stopping();
                    return;
                }
                _ = look.tick() => {}
            }
            since_told = since_told.saturating_add(LOOK);
            since_fed = since_fed.saturating_add(LOOK);
            let condition = vitals.condition();
            if !ready && condition == Condition::Streaming {
                ready = true;
                self.send("READY=1");
            }
            if since_told >= STATUS || told.as_ref() != Some(&condition) {
                let line = status(&condition, &vitals);
                self.send(&format!("STATUS={line}"));
                told = Some(condition);
                since_told = Duration::ZERO;
            }
            if let Some(watchdog) = self.watchdog
                && since_fed >= watchdog / 4
                && vitals.moved_within(watchdog / 2)
            {
                self.send("WATCHDOG=1");
                since_fed = Duration::ZERO;
            }
        }
    }
}

/// A path, or a name in the abstract namespace behind `@`.
fn address(name: &str) -> io::Result<SocketAddr> {
    match name.strip_prefix('@') {
        None => SocketAddr::from_pathname(name),
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)
        }
        #[cfg(not(target_os = "linux"))]
        Some(_) => Err(io::Error::other("there are no abstract names here")),
    }
}

/// One line: a line break would begin another assignment.
fn status(condition: &Condition, vitals: &Vitals) -> String {
    let line = match (condition, vitals.lag_seconds()) {
        (Condition::Streaming, Some(lag)) => format!(
            "{condition}, {lag:.1} s behind, {} row changes indexed since the start",
            vitals.indexed()
        ),
        _ => condition.to_string(),
    };
    line.replace('\n', " ")
}
