//! `gtid-sets`: how long a large GTID set takes to parse, print, encode, decode, unite and subtract, in milliseconds.
//!
//! Of 50 servers, each with and without a tag, there are 1,000 intervals each, 100,000 in all. Each interval of the other
//! set begins in one of this and ends in the gap behind it.

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bintrail_benches::Result;
use bintrail_proto::gtid_set::GtidSet;

const RUNS: usize = 51;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gtid-sets: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let (text, other) = (text(1), text(5));
    let set: GtidSet = text.parse()?;
    let other: GtidSet = other.parse()?;
    let mut bytes = Vec::new();
    set.encode(&mut bytes);
    let (mut union, mut difference) = (set.clone(), set.clone());
    union.union(&other);
    difference.subtract(&other);
    for (set, intervals) in [(&set, 100_000), (&other, 100_000), (&difference, 100_000)] {
        let counted = set.intervals().count();
        if counted != intervals {
            return Err(format!("{counted} intervals, not {intervals}").into());
        }
    }
    let mut rest = union.clone();
    rest.subtract(&other);
    if set.to_string() != text || rest != difference || !set.is_subset(&union) {
        return Err("what comes out is not what went in".into());
    }

    println!(
        "| 100,000 intervals, {} bytes | fastest of {RUNS}, ms | median, ms |",
        text.len()
    );
    println!("|---|--:|--:|");
    line("parse the text", || text.parse::<GtidSet>());
    line("print it", || set.to_string());
    line("decode the server's form", || GtidSet::decode(&bytes));
    line("encode it", || {
        let mut out = Vec::with_capacity(bytes.len());
        set.encode(&mut out);
        out
    });
    line("copy, and unite with another", || {
        let mut union = set.clone();
        union.union(&other);
        union
    });
    line("copy, and subtract another", || {
        let mut difference = set.clone();
        difference.subtract(&other);
        difference
    });
    line("is it in another", || set.is_subset(&union));
    Ok(())
}

/// The intervals of each server and tag are of five numbers, and begin ten apart from `first` on.
fn text(first: u64) -> String {
    let mut text = String::new();
    for server in 0..50_u64 {
        if server > 0 {
            text.push_str(",\n");
        }
        let _ = write!(text, "{server:08x}-71ca-11e1-9e33-c80aa9429562");
        for tag in ["", ":orders"] {
            text.push_str(tag);
            for number in 0..1_000 {
                let first = first + number * 10;
                let _ = write!(text, ":{first}-{}", first + 4);
            }
        }
    }
    text
}

fn line<T>(name: &str, mut work: impl FnMut() -> T) {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            let done = black_box(work());
            let time = start.elapsed();
            drop(done);
            time
        })
        .collect();
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "| {name} | {:.2} | {:.2} |",
        ms(times[0]),
        ms(times[RUNS / 2])
    );
}
