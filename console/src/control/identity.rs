//! Which process a pid is: one that ends leaves its pid to others, and so does a machine that starts anew.

use std::fmt;
use std::fs;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process, and no other that had or will have its pid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    /// When it started, in the kernel's ticks since the machine did.
    started: u64,
    /// The machine's start.
    boot: String,
}

impl Identity {
    /// The process of a pid, while it lives.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        Some(Self {
            pid,
            started: started(pid)?,
            boot: boot()?,
        })
    }

    /// The process that works in `directory` as `program stream`.
    pub(crate) fn of_stream_in(directory: &Path, program: &Path) -> Option<Self> {
        let name = program.file_name()?.as_encoded_bytes();
        let directory = fs::canonicalize(directory).ok()?;
        let is_stream = |process: &Path| {
            let arguments = fs::read(process.join("cmdline")).ok()?;
            let rest = arguments.strip_suffix(b"\0stream\0")?.strip_suffix(name)?;
            let works_there = fs::read_link(process.join("cwd")).ok()? == directory;
            Some(works_there && rest.last().is_none_or(|before| matches!(before, b'/' | 0)))
        };
        let mut processes = fs::read_dir("/proc").ok()?.flatten();
        processes.find_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            is_stream(&process.path())?.then(|| Self::of(pid))?
        })
    }

    /// As [`Display`](fmt::Display) writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        Some(Self {
            pid: parts.next()?.parse().ok()?,
            started: parts.next()?.parse().ok()?,
            boot: parts.next()?.to_owned(),
        })
    }

    /// Does it still run?
    pub(crate) fn lives(&self) -> bool {
        started(self.pid) == Some(self.started) && boot().as_deref() == Some(&*self.boot)
    }

    /// Sends it a signal; false when it is gone. Another process with its pid does not get it.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return false;
        };
        // What the descriptor stands for stays the same; then it is looked which one that is.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
            return false;
        };
        self.lives() && pidfd_send_signal(&process, signal).is_ok()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.pid, self.started, self.boot)
    }
}

/// When the process of a pid started, unless it has ended and only waits for its parent to see that.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, but the last parenthesis is the one behind it.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_known_until_it_ends() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        let read = Identity::parse(&identity.to_string()).unwrap();
        assert_eq!(read, identity);
        assert!(read.lives());
        for other in [
            Identity {
                started: identity.started + 1,
                ..identity.clone()
            },
            Identity {
                boot: "another".to_owned(),
                ..identity.clone()
            },
        ] {
            assert!(!other.lives() && !other.signal(Signal::KILL));
        }
        assert!(child.try_wait().unwrap().is_none());
        assert!(identity.signal(Signal::TERM));
        // A zombie is gone, too.
        while identity.lives() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        child.wait().unwrap();
        assert!(!identity.signal(Signal::TERM));
        assert_eq!(Identity::of(0), None);
        assert_eq!(Identity::parse("1:x:y"), None);
    }
}
