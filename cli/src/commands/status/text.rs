//! A report for people.

use std::fmt::Write as _;

use bintrail_engine::clock::{rfc3339, seconds_between};
use bintrail_engine::index::record::{Flavor, Micros, Mode};
use bintrail_engine::status::{
    Coverage, Disk, Finding, Partition, Report, SourceReport, StreamReport, StreamState, length,
};

/// Partitions and files that are shown; JSON has all of them.
const SHOWN: usize = 6;

struct Lines {
    text: String,
    now: Micros,
}

impl Lines {
    fn line(&mut self, name: &str, value: impl AsRef<str>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{name:<16} {}", value.as_ref());
    }

    fn with_age(&self, time: Micros) -> String {
        let age = seconds_between(time, self.now);
        format!("{} ({} ago)", rfc3339(time), length(age))
    }

    fn some_time(&self, time: Option<Micros>) -> String {
        time.map_or("none yet".to_owned(), |time| self.with_age(time))
    }
}

pub(super) fn of(report: &Report) -> String {
    let mut lines = Lines {
        text: String::new(),
        now: report.read_at,
    };
    let verdict = &report.verdict;
    lines.line(
        "Verdict",
        format!("{}: {}", verdict.verdict.name(), verdict.detail),
    );
    if let Some(next_step) = &verdict.next_step {
        lines.line("Next step", next_step);
    }
    for source in &report.sources {
        lines.text.push('\n');
        a_source(source, verdict, &mut lines);
    }
    lines.text.push('\n');
    disk(&report.disk, &mut lines);
    partitions(&report.partitions, &mut lines);
    lines.text
}

fn a_source(report: &SourceReport, headline: &Finding, lines: &mut Lines) {
    let source = &report.source;
    let flavor = match source.flavor {
        Flavor::MySql => "MySQL",
        Flavor::MariaDb => "MariaDB",
    };
    lines.line(
        "Source",
        format!(
            "{}: {flavor} {} at {}:{} (server_uuid {})",
            report.source_id, source.version, source.host, source.port, source.server_uuid
        ),
    );
    lines.line("State", report.state.name());
    for finding in report
        .findings
        .iter()
        .filter(|finding| *finding != headline)
    {
        lines.line(
            "Verdict",
            format!("{}: {}", finding.verdict.name(), finding.detail),
        );
        if let Some(next_step) = &finding.next_step {
            lines.line("  next step", next_step);
        }
    }
    for pair in report.servers.windows(2) {
        if let [before, after] = pair {
            let (uuid, host, port) = (&before.server_uuid, &before.host, before.port);
            let until = rfc3339(after.since);
            lines.line(
                "Before",
                format!("{host}:{port} (server_uuid {uuid}), until {until}"),
            );
        }
    }
    stream(&report.stream, lines);
    coverage(&report.coverage, lines);
    if report.capture_skips.is_empty() {
        lines.line("Not captured", "nothing");
    }
    for (reason, skip) in &report.capture_skips {
        let at = skip
            .last_at
            .map_or(String::new(), |at| format!(" ({})", lines.with_age(at)));
        lines.line(
            "Not captured",
            format!("{} × {reason}, last at {}{at}", skip.count, skip.last),
        );
    }
    for (status, count) in &report.files.by_status {
        lines.line("Indexed files", format!("{count} {status}"));
    }
    for file in report.files.last.iter().take(SHOWN) {
        let error = file.error.as_deref().unwrap_or_default();
        lines.line(
            "",
            format!(
                "{} up to {} of {}, {} row changes, {} {error}",
                file.name, file.last_position, file.size, file.row_changes, file.status
            )
            .trim_end(),
        );
    }
}

fn stream(stream: &StreamReport, lines: &mut Lines) {
    let state = match stream.state {
        StreamState::Streaming => "streaming",
        StreamState::Waiting => "waiting for the source",
        StreamState::Stalled => "stalled",
        StreamState::Stopped => "stopped",
    };
    let by = stream
        .writer
        .as_ref()
        .map_or(String::new(), |writer| format!(", by {writer}"));
    let since = match (stream.state, stream.streaming_since) {
        (StreamState::Streaming, Some(since)) => format!(", since {}", lines.with_age(since)),
        _ => String::new(),
    };
    lines.line("Stream", format!("{state}{by}{since}"));
    let Some(mode) = stream.mode else {
        lines.line("Last checkpoint", "none yet");
        lines.line("Last error", stream.last_error.as_deref().unwrap_or("none"));
        return;
    };
    match (mode, &stream.gtid_set) {
        (Mode::Gtid, Some(set)) => {
            lines.line("Mode", "GTID");
            lines.line("GTID set", if set.is_empty() { "empty" } else { set });
        }
        _ => lines.line("Mode", "file and position"),
    }
    let position = match (&stream.binlog_file, stream.binlog_position) {
        (Some(file), Some(position)) => format!("{file}:{position}"),
        _ => "not known before the first event; the GTID set tells where to go on".to_owned(),
    };
    lines.line("Position", position);
    let lag = stream.lag_seconds.map_or(
        "not known before the source has sent something".to_owned(),
        |lag| match stream.state {
            StreamState::Streaming => length(lag),
            _ => format!("{}, and rising", length(lag)),
        },
    );
    lines.line("Lag", lag);
    lines.line(
        "Rate",
        format!("{:.1} row changes a second", stream.rows_per_second),
    );
    if let Some(events) = stream.events_indexed {
        lines.line("Events indexed", events.to_string());
    }
    lines.line("Last event", lines.some_time(stream.last_event_time));
    lines.line("Last checkpoint", lines.some_time(stream.last_checkpoint));
    if let Some(server_id) = stream.server_id {
        lines.line("Server id", server_id.to_string());
    }
    lines.line("Last error", stream.last_error.as_deref().unwrap_or("none"));
}

fn coverage(coverage: &Coverage, lines: &mut Lines) {
    match (coverage.earliest, coverage.latest) {
        (Some(earliest), Some(latest)) => lines.line(
            "Coverage",
            format!(
                "{} to {}, {} row changes",
                rfc3339(earliest),
                rfc3339(latest),
                coverage.row_changes
            ),
        ),
        _ => lines.line("Coverage", "no row changes yet"),
    }
    if let Some(before) = coverage.removed_before {
        lines.line(
            "Removed",
            format!(
                "what was committed before {} (bintrail rotate)",
                rfc3339(before)
            ),
        );
    }
    let schema = &coverage.schema;
    let more = if schema.ddl_statements_more {
        "at least "
    } else {
        ""
    };
    lines.line(
        "Schema",
        format!(
            "{} table definitions, {more}{} DDL statements",
            schema.versions, schema.ddl_statements
        ),
    );
    if schema.unnamed_tables > 0 {
        lines.line(
            "Unnamed columns",
            format!(
                "in rows of {} tables, as @1, @2, …: their names then are not certain \
                 (known_by = 'position' in table_versions)",
                schema.unnamed_tables
            ),
        );
    }
    if let Some(gap) = &coverage.gap {
        lines.line(
            "Gap",
            format!("found {}: {}", rfc3339(gap.found), gap.detail),
        );
    }
}

fn disk(disk: &Disk, lines: &mut Lines) {
    let free = disk
        .free_bytes
        .map_or(String::new(), |free| format!(", {} free", size(free)));
    lines.line("Index size", format!("{}{free}", size(disk.bytes)));
    if let Some(each) = disk.bytes_per_row_change {
        let growth = disk.growth_bytes_per_day.map_or(String::new(), |growth| {
            format!(", about {} a day", size_of(growth))
        });
        lines.line("Growth", format!("{each:.0} bytes a row change{growth}"));
    }
}

fn partitions(partitions: &[Partition], lines: &mut Lines) {
    let filled: Vec<&Partition> = partitions
        .iter()
        .filter(|partition| partition.rows > 0)
        .collect();
    if partitions.is_empty() {
        return;
    }
    lines.line(
        "Partitions",
        format!("{}, {} with rows", partitions.len(), filled.len()),
    );
    for partition in filled.iter().rev().take(SHOWN).rev() {
        let before = match &partition.before {
            Some(before) => format!("before {before}"),
            None => "all later ones".to_owned(),
        };
        lines.line(
            "",
            format!(
                "{} ({before}): about {} rows, {}",
                partition.name,
                partition.rows,
                size(partition.bytes)
            ),
        );
    }
}

fn size(bytes: u64) -> String {
    // Precise up to what matters here.
    size_of(u32::try_from(bytes).map_or_else(
        |_| u32::try_from(bytes >> 20).map_or(f64::INFINITY, f64::from) * 1_048_576.0,
        f64::from,
    ))
}

fn size_of(bytes: f64) -> String {
    let mut bytes = bytes;
    for unit in ["bytes", "KiB", "MiB", "GiB"] {
        if bytes < 1024.0 {
            return match unit {
                "bytes" => format!("{bytes:.0} bytes"),
                unit => format!("{bytes:.1} {unit}"),
            };
        }
        bytes /= 1024.0;
    }
    format!("{bytes:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_lengths() {
        let sizes = [0, 1023, 1024, 5_000_000, 6_442_450_944, 1 << 50].map(size);
        let expected = [
            "0 bytes",
            "1023 bytes",
            "1.0 KiB",
            "4.8 MiB",
            "6.0 GiB",
            "1024.0 TiB",
        ];
        assert_eq!(sizes, expected);
        let lengths = [0.04, 90.0, 600.0, 7_300.0, 259_200.0].map(length);
        assert_eq!(lengths, ["0.0 s", "90.0 s", "10 min", "2.0 h", "3.0 days"]);
    }
}
