//! What `/proc` tells of a process and of the machine.

use std::fs;
use std::time::Duration;

use crate::Result;

/// A tick of the times in `/proc`, which is 10 ms wherever Linux runs.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process, user and system, all of its threads together.
pub fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The program's name may hold anything, a bracket too.
    let (_, fields) = stat.rsplit_once(") ").ok_or("/proc: no stat")?;
    let ticks = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(str::parse::<u32>)
        .sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}

/// The most memory that it had, in bytes.
pub fn peak_rss(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kilobytes.ok_or("/proc: no VmHWM")?.parse::<u64>()? * 1024)
}

/// Bytes that it wrote to files and pipes.
pub fn written(pid: u32) -> Result<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    Ok(line.ok_or("/proc: no wchar")?.parse()?)
}

/// CPU time that the whole machine has spent, idle time left out.
pub fn machine() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u32> = line
        .split_whitespace()
        .skip(1)
        .map(|field| field.parse().unwrap_or(u32::MAX))
        .collect();
    // user, nice, system, idle, iowait, irq, softirq
    let busy = [0, 1, 2, 5, 6].map(|at| ticks.get(at).copied().unwrap_or_default());
    Ok(TICK * busy.iter().sum())
}
