//! bintrail as a process that is measured.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::index::Place;
use super::process;
use super::source::{Server, Work};
use crate::Result;

/// How often it is asked how far it is.
const LOOK: Duration = Duration::from_millis(20);

/// The longest that nothing may happen.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a run took.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    pub name: String,
    pub wall: Duration,
    /// CPU time of bintrail, or of the client in its place.
    pub own: Duration,
    pub index: Option<Duration>,
    pub source: Duration,
    /// CPU time of everything else on the machine.
    pub others: Duration,
    pub disk: Option<u64>,
    pub rss: u64,
}

/// CPU times at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    at: Instant,
    machine: Duration,
    index: Option<Duration>,
    source: Duration,
}

impl Clocks {
    pub fn read(index: Option<u32>, source: &Server) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            machine: process::machine()?,
            index: index.map(process::cpu).transpose()?,
            source: process::cpu(source.pid)?,
        })
    }

    /// What was spent since, `own` of it by the program measured.
    pub fn until(self, now: Self, own: Duration) -> Measured {
        let index = now
            .index
            .zip(self.index)
            .map(|(now, then)| now.saturating_sub(then));
        let source = now.source.saturating_sub(self.source);
        let ours = own + index.unwrap_or_default() + source;
        Measured {
            wall: now.at - self.at,
            own,
            index,
            source,
            others: (now.machine.saturating_sub(self.machine)).saturating_sub(ours),
            ..Measured::default()
        }
    }
}

/// A bintrail that runs until it is told to stop.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    fn start(mut command: Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).spawn()?;
        Ok(Self { child })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("bintrail ended with {status}").into()),
        }
    }

    /// Has it end as Ctrl-C does.
    pub fn stop(mut self) -> Result<()> {
        self.check()?;
        let pid = self.pid().to_string();
        Command::new("kill").args(["-INT", &pid]).status()?;
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("bintrail ended with {status}").into())
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Over already, unless the benchmark has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// bintrail, and what it is run with.
#[derive(Debug)]
pub struct Program {
    pub path: PathBuf,
    pub source: Server,
}

impl Program {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(words).env("BINTRAIL_LOG_LEVEL", "error");
        command
    }

    fn on_source(&self, words: &[&str]) -> Command {
        let mut command = self.command(words);
        command.args([
            "--source-dsn",
            &self.source.dsn(""),
            "--ssl-mode",
            "disabled",
        ]);
        command
    }

    /// Makes the tables of an index.
    pub fn init(&self, place: &Place) -> Result<()> {
        let mut command = self.command(&["init", "--index-ssl-mode", "disabled"]);
        let status = command.args(["--index-dsn", &place.dsn()]).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("bintrail init ended with {status}").into())
        }
    }

    pub fn stream(&self, place: &Place, more: &[&str]) -> Result<Running> {
        let mut command = self.on_source(&["stream", "--index-ssl-mode", "disabled"]);
        command.args(["--index-dsn", &place.dsn()]).args(more);
        Running::start(command)
    }

    /// Streams all of some work into an index, and counts what is there then.
    pub async fn catch_up(&self, work: &Work, place: &Place, more: &[&str]) -> Result<Measured> {
        place.remove().await?;
        self.init(place)?;
        let mut reader = place.open().await?;
        settle(place.pid()).await?;
        let mut arguments = vec!["--start-file", &work.file];
        arguments.extend(more);
        let before = Clocks::read(place.pid(), &self.source)?;
        let mut running = self.stream(place, &arguments)?;
        let (mut indexed, mut moved) = (0, Instant::now());
        while indexed < work.events {
            sleep(LOOK).await;
            running.check()?;
            let now = reader.indexed().await?;
            if now > indexed {
                (indexed, moved) = (now, Instant::now());
            }
            // A large transaction comes into view all at once.
            if moved.elapsed() > PATIENCE + Duration::from_secs(work.bytes >> 22) {
                return Err(format!("{}: stuck at {indexed} of {}", work.name, work.events).into());
            }
        }
        let now = Clocks::read(place.pid(), &self.source)?;
        let measured = before.until(now, process::cpu(running.pid())?);
        let rss = process::peak_rss(running.pid())?;
        running.stop()?;
        self.verify(work, &mut reader).await?;
        Ok(Measured {
            disk: Some(place.size()?),
            rss,
            ..measured
        })
    }

    async fn verify(&self, work: &Work, reader: &mut super::index::Reader) -> Result<()> {
        for sql in [
            "SELECT COUNT(*) FROM row_changes",
            "SELECT CAST(SUM(row_count) AS SIGNED) FROM transactions",
            "SELECT events_indexed FROM stream_state",
        ] {
            let sql = match reader {
                super::index::Reader::MySql(_) => sql.replace("SIGNED", "UNSIGNED"),
                super::index::Reader::Sqlite(_) => sql.replace("SIGNED", "INTEGER"),
            };
            let found = reader.number(&sql).await?.unwrap_or_default();
            if found != work.events {
                return Err(format!(
                    "{}: {sql} gives {found}, and the source changed {} rows",
                    work.name, work.events
                )
                .into());
            }
        }
        Ok(())
    }

    /// Has `tail` print all of some work: once into a pipe, to count the lines, and then to /dev/null.
    pub async fn tail(&self, work: &Work) -> Result<Measured> {
        let arguments = ["tail", "--format", "json", "--start-file", &work.file];
        let printed = self.count_lines(&arguments, work)?;
        let before = Clocks::read(None, &self.source)?;
        let mut command = self.on_source(&arguments);
        command.stdout(Stdio::null());
        let mut running = Running::start(command)?;
        let mut moved = (Instant::now(), 0);
        while moved.1 < printed {
            sleep(LOOK).await;
            running.check()?;
            let written = process::written(running.pid())?;
            if written > moved.1 {
                moved = (Instant::now(), written);
            }
            if moved.0.elapsed() > PATIENCE {
                return Err(format!("{}: tail is stuck", work.name).into());
            }
        }
        let now = Clocks::read(None, &self.source)?;
        let measured = before.until(now, process::cpu(running.pid())?);
        let rss = process::peak_rss(running.pid())?;
        running.stop()?;
        Ok(Measured { rss, ..measured })
    }

    /// Bytes of the lines, which have to be as many as rows were changed.
    fn count_lines(&self, arguments: &[&str], work: &Work) -> Result<u64> {
        let mut command = self.on_source(arguments);
        command.stdout(Stdio::piped());
        let mut running = Running::start(command)?;
        let output = running.child.stdout.take().ok_or("tail without a pipe")?;
        // Nothing else is to be done meanwhile.
        let counted = count(output, work.events)?;
        running.stop()?;
        Ok(counted)
    }
}

fn count(mut output: impl std::io::Read, events: u64) -> Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let (mut lines, mut bytes) = (0, 0);
    while lines < events {
        let len = output.read(&mut buffer)?;
        let read = buffer.get(..len).unwrap_or_default();
        if read.is_empty() {
            return Err(format!("tail ended after {lines} of {events} lines").into());
        }
        lines += read.iter().filter(|byte| **byte == b'\n').count() as u64;
        bytes += len as u64;
    }
    if lines == events {
        Ok(bytes)
    } else {
        Err(format!("tail printed {lines} lines, and {events} rows were changed").into())
    }
}

/// Waits until a server has done what it does behind the last run, as far as that ends.
pub async fn settle(pid: Option<u32>) -> Result<()> {
    let Some(pid) = pid else { return Ok(()) };
    const WHILE: Duration = Duration::from_millis(500);
    for _ in 0..60 {
        let before = process::cpu(pid)?;
        sleep(WHILE).await;
        if process::cpu(pid)?.saturating_sub(before) < WHILE / 20 {
            break;
        }
    }
    Ok(())
}

/// The directory of a file that an index server writes.
pub fn outfile(data: &Path, name: &str) -> PathBuf {
    data.join(format!("bench-{name}.txt"))
}
