//! Measures programs: each runs many times, in turns with the others, and what it uses is what the system accounts it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use wait4::Wait4;

use crate::engines::Kind;
use crate::{Counts, Result};

/// Made by `benches/workloads`.
pub const WORKLOADS: [&str; 4] = ["narrow", "wide", "bulk", "zstd"];

/// Each engine runs at least so many times on a workload,
const LEAST_RUNS: usize = 5;
/// and those that are done in no time more often, until they took this together,
const LEAST_TIME: Duration = Duration::from_millis(1500);
/// or ran so many times.
const MOST_RUNS: usize = 15;
/// Those that take longer than this run three times.
const LONG: Duration = Duration::from_secs(2);

/// A program that reads a file.
pub struct Contender {
    /// Its name in tables.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub program: PathBuf,
    /// Before the file's name.
    pub args: Vec<String>,
    /// It prints counts, which are checked.
    pub counts: bool,
}

/// A workload.
pub struct Workload {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub counts: Counts,
    /// How long it is.
    pub size: u64,
}

impl Workload {
    /// The one of that name in a directory.
    pub fn open(dir: &Path, name: &'static str) -> Result<Self> {
        let file = dir.join(name);
        Ok(Self {
            name,
            counts: fs::read_to_string(file.with_extension("counts"))?.parse()?,
            size: fs::metadata(file)?.len(),
        })
    }
}

/// Runs each on a workload, `file` being the name it has for them, and returns the lines of the table.
pub fn lines(
    contenders: &[Contender],
    workload: &Workload,
    file: &OsStr,
    allocations: &BTreeMap<String, f64>,
) -> Result<String> {
    let mut measured: Vec<Measured> = contenders.iter().map(|_| Measured::default()).collect();
    // In turns, so that what else the machine does falls on all alike.
    while measured.iter().any(Measured::wants_more) {
        for (contender, measured) in contenders.iter().zip(&mut measured) {
            if measured.wants_more() {
                run(contender, file, workload.counts, measured)?;
            }
        }
    }
    let fastest = contenders
        .iter()
        .zip(&measured)
        .filter(|(contender, _)| contender.kind == Kind::Peer)
        .filter_map(|(_, measured)| measured.median())
        .min();
    let mut lines = String::new();
    for (contender, measured) in contenders.iter().zip(&measured) {
        lines += &line(contender, measured, workload, fastest, allocations);
        lines.push('\n');
    }
    Ok(lines)
}

/// Above the lines.
pub const HEAD: &str = "\
| workload | engine | ns/row | MB/s | peak RSS, MB | × fastest peer | allocations/row |
|---|---|--:|--:|--:|--:|--:|
";

#[derive(Default)]
struct Measured {
    cpu: Vec<Duration>,
    rss: u64,
    failed: Option<String>,
}

impl Measured {
    fn median(&self) -> Option<Duration> {
        let mut cpu = self.cpu.clone();
        cpu.sort();
        cpu.get(cpu.len() / 2).copied()
    }

    fn wants_more(&self) -> bool {
        let total: Duration = self.cpu.iter().sum();
        let runs = self.cpu.len();
        let least = if self.cpu.first().is_some_and(|first| *first > LONG) {
            3
        } else {
            LEAST_RUNS
        };
        self.failed.is_none() && (runs < least || total < LEAST_TIME && runs < MOST_RUNS)
    }
}

fn line(
    of: &Contender,
    measured: &Measured,
    workload: &Workload,
    fastest: Option<Duration>,
    allocations: &BTreeMap<String, f64>,
) -> String {
    let Some(cpu) = measured.median() else {
        let why = measured.failed.as_deref().unwrap_or("it did not run");
        return format!(
            "| {} | {} | cannot: {why} | | | | |",
            workload.name, of.name
        );
    };
    let seconds = cpu.as_secs_f64();
    let times = match fastest {
        Some(fastest) if of.kind != Kind::Floor => {
            format!("{:.2}", fastest.as_secs_f64() / seconds)
        }
        _ => String::new(),
    };
    let allocations = allocations
        .get(of.name)
        .map_or(String::new(), |per_row| format!("{per_row:.5}"));
    format!(
        "| {} | {} | {:.0} | {:.0} | {:.1} | {times} | {allocations} |",
        workload.name,
        of.name,
        seconds * 1e9 / workload.counts.rows as f64,
        workload.size as f64 / 1e6 / seconds,
        measured.rss as f64 / 1e6,
    )
}

/// Runs a program once.
fn run(of: &Contender, file: &OsStr, expected: Counts, measured: &mut Measured) -> Result<()> {
    let output = if of.counts {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    let mut child = Command::new(&of.program)
        .args(&of.args)
        .arg(file)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", of.program.display()))?;
    let read = |stream: Option<&mut dyn std::io::Read>| {
        let mut text = String::new();
        stream.map_or(Ok(0), |stream| stream.read_to_string(&mut text))?;
        Ok::<_, std::io::Error>(text)
    };
    // A few lines at most: neither pipe fills while the other is read.
    let printed = read(child.stdout.as_mut().map(|stream| stream as _))?;
    let errors = read(child.stderr.as_mut().map(|stream| stream as _))?;
    let used = child.wait4()?;
    if !used.status.success() {
        let why = errors
            .lines()
            .find(|line| !line.is_empty() && !line.starts_with("thread "))
            .unwrap_or("it ends without a word");
        measured.failed = Some(why.replace('|', "/").chars().take(120).collect());
        measured.cpu.clear();
        return Ok(());
    }
    if of.counts {
        let counts: Counts = printed.trim().parse()?;
        if counts != expected {
            measured.failed = Some(format!("it finds {counts}, and there are {expected}"));
            measured.cpu.clear();
            return Ok(());
        }
    }
    measured.cpu.push(used.rusage.utime + used.rusage.stime);
    measured.rss = measured.rss.max(used.rusage.maxrss);
    Ok(())
}
