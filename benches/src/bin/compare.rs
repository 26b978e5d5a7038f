//! `compare`: runs every engine on every workload, in turns, and prints what each took.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use bintrail_benches::engines::{ENGINES, Kind};
use bintrail_benches::{Counts, Result};
use wait4::Wait4;

const USAGE: &str = "compare WORKLOADS BINTRAIL MYSQLBINLOG RECORD";

/// Made by `benches/workloads`.
const WORKLOADS: [&str; 4] = ["narrow", "wide", "bulk", "zstd"];

/// Each engine runs at least so many times on a workload,
const LEAST_RUNS: usize = 5;
/// and those that are done in no time more often, until they took this together,
const LEAST_TIME: Duration = Duration::from_millis(1500);
/// or ran so many times.
const MOST_RUNS: usize = 15;
/// Those that take longer than this run three times.
const LONG: Duration = Duration::from_secs(2);

/// A program that reads a file.
struct Contender {
    name: &'static str,
    kind: Kind,
    program: PathBuf,
    /// Before the file's name.
    args: Vec<&'static str>,
    /// It prints counts, which are checked.
    counts: bool,
}

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

fn main() -> ExitCode {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [workloads, bintrail, mysqlbinlog, record] = args.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match compare(workloads, bintrail, mysqlbinlog, record) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn contenders(bintrail: &Path, mysqlbinlog: &Path) -> Result<Vec<Contender>> {
    let here = std::env::current_exe()?;
    let engine = here.with_file_name("engine");
    let mut all: Vec<Contender> = ENGINES
        .iter()
        .map(|of| Contender {
            name: of.name,
            kind: of.kind,
            program: engine.clone(),
            args: vec![of.name],
            counts: of.kind != Kind::Floor,
        })
        .collect();
    let text = |name, kind, program: &Path, args: &[&'static str]| Contender {
        name,
        kind,
        program: program.to_owned(),
        args: args.to_vec(),
        counts: false,
    };
    all.extend([
        text(
            "bintrail decode --format json",
            Kind::Ours,
            bintrail,
            &["decode", "--format", "json"],
        ),
        text(
            "mysqlbinlog -v",
            Kind::Tool,
            mysqlbinlog,
            &["--no-defaults", "-v", "--base64-output=decode-rows"],
        ),
        text("mysqlbinlog", Kind::Tool, mysqlbinlog, &["--no-defaults"]),
    ]);
    Ok(all)
}

fn compare(workloads: &Path, bintrail: &Path, mysqlbinlog: &Path, record: &Path) -> Result<()> {
    let contenders = contenders(bintrail, mysqlbinlog)?;
    let mut text = format!("{HEAD}\n");
    for name in WORKLOADS {
        let file = workloads.join(name);
        let counts: Counts = fs::read_to_string(file.with_extension("counts"))?.parse()?;
        let size = fs::metadata(&file)?.len();
        let mut measured: Vec<Measured> = contenders.iter().map(|_| Measured::default()).collect();
        // In turns, so that what else the machine does falls on all alike.
        while measured.iter().any(Measured::wants_more) {
            for (contender, measured) in contenders.iter().zip(&mut measured) {
                if measured.wants_more() {
                    run(contender, &file, counts, measured)?;
                }
            }
        }
        let fastest = contenders
            .iter()
            .zip(&measured)
            .filter(|(contender, _)| contender.kind == Kind::Peer)
            .filter_map(|(_, measured)| measured.median())
            .min();
        let allocations = allocations(&file)?;
        for (contender, measured) in contenders.iter().zip(&measured) {
            let line = line(
                name,
                contender,
                measured,
                &Facts {
                    counts,
                    size,
                    fastest,
                    allocations: &allocations,
                },
            );
            println!("{line}");
            writeln!(text, "{line}")?;
        }
    }
    fs::write(record, text)?;
    Ok(())
}

const HEAD: &str = "\
| workload | engine | ns/row | MB/s | peak RSS, MB | × fastest peer | allocations/row |
|---|---|--:|--:|--:|--:|--:|";

struct Facts<'a> {
    counts: Counts,
    size: u64,
    fastest: Option<Duration>,
    allocations: &'a BTreeMap<String, f64>,
}

fn line(workload: &str, of: &Contender, measured: &Measured, facts: &Facts<'_>) -> String {
    let Some(cpu) = measured.median() else {
        let why = measured.failed.as_deref().unwrap_or("it did not run");
        return format!("| {workload} | {} | cannot: {why} | | | | |", of.name);
    };
    let seconds = cpu.as_secs_f64();
    let times = match facts.fastest {
        Some(fastest) if of.kind != Kind::Floor => {
            format!("{:.2}", fastest.as_secs_f64() / seconds)
        }
        _ => String::new(),
    };
    let allocations = facts
        .allocations
        .get(of.name)
        .map_or(String::new(), |per_row| format!("{per_row:.5}"));
    format!(
        "| {workload} | {} | {:.0} | {:.0} | {:.1} | {times} | {allocations} |",
        of.name,
        seconds * 1e9 / facts.counts.rows as f64,
        facts.size as f64 / 1e6 / seconds,
        measured.rss as f64 / 1e6,
    )
}

/// Runs a program once.
fn run(of: &Contender, file: &Path, expected: Counts, measured: &mut Measured) -> Result<()> {
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

/// Allocations a row of bintrail's engines.
fn allocations(file: &Path) -> Result<BTreeMap<String, f64>> {
    let program = std::env::current_exe()?.with_file_name("allocations");
    let output = Command::new(program).arg(file).output()?;
    String::from_utf8(output.stdout)?
        .lines()
        .map(|line| {
            let (name, per_row) = line
                .split_once(' ')
                .ok_or("allocations: a line without a number")?;
            Ok((name.to_owned(), per_row.parse()?))
        })
        .collect()
}
