//! `bintrail status`.

use std::fmt::Write as _;
use std::io::Write as _;

use bintrail_engine::Error;
use bintrail_engine::clock::{now, rfc3339, seconds_between};
use bintrail_engine::index::Index;
use bintrail_engine::index::record::{Flavor, Micros, Mode, SourceStatus};
use serde_json::{Value, json};

use crate::args::{StatusArgs, StatusFormat};

pub(crate) async fn run(args: &StatusArgs) -> Result<(), Error> {
    let index = Index::open(&super::index_dsn(&args.index)?, false).await?;
    let sources = index.statuses().await?;
    index.close().await?;
    let text = match args.format {
        StatusFormat::Json => {
            let sources: Vec<Value> = sources.iter().map(as_json).collect();
            format!("{:#}\n", json!({ "version": 1, "sources": sources }))
        }
        StatusFormat::Text if sources.is_empty() => {
            "The index is empty: no stream has written to it.\n".to_owned()
        }
        StatusFormat::Text => sources.iter().map(as_text).collect::<Vec<_>>().join("\n"),
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(Error::Output)?;
    let gap = |source: &SourceStatus| source.state.gap_lost.clone().map(|(_, lost)| lost);
    match sources.iter().find_map(gap) {
        Some(lost) if args.fail_on_gap => Err(Error::RecordedGap(lost)),
        _ => Ok(()),
    }
}

fn as_json(status: &SourceStatus) -> Value {
    let SourceStatus {
        source_id,
        source,
        seen,
        state,
        coverage,
        unnamed_tables,
        servers,
    } = status;
    let time = |time: Option<Micros>| time.map(rfc3339);
    let checkpoint = state.checkpoint.as_ref();
    json!({
        "source_id": source_id,
        "source": {
            "server_uuid": source.server_uuid,
            "flavor": flavor(source.flavor),
            "version": source.version,
            "host": source.host,
            "port": source.port,
            "first_seen": rfc3339(seen.0),
            "last_seen": rfc3339(seen.1),
        },
        "servers": servers.iter().map(|server| json!({
            "server_uuid": server.server_uuid,
            "host": server.host,
            "port": server.port,
            "since": rfc3339(server.since),
            "first_change_id": server.first_change_id,
        })).collect::<Vec<_>>(),
        "stream": checkpoint.map(|checkpoint| json!({
            "mode": checkpoint.mode,
            "binlog_file": checkpoint.binlog_file,
            "binlog_position": checkpoint.binlog_position,
            "gtid_set": checkpoint.gtid_set,
            "server_id": checkpoint.server_id,
            "lag_seconds": checkpoint.lag_seconds,
            "events_indexed": checkpoint.events_indexed,
            "last_event_time": time(checkpoint.last_event_time),
            "last_checkpoint": time(state.last_checkpoint),
            "capture_skips": checkpoint.capture_skips,
        })),
        "unnamed_tables": unnamed_tables,
        "next_change_id": state.next_change_id,
        "last_error": state.last_error,
        "gap_lost": state.gap_lost.as_ref().map(|(at, detail)| json!({ "at": rfc3339(*at), "detail": detail })),
        "coverage": coverage.map(|(from, to)| json!({ "from": rfc3339(from), "to": rfc3339(to) })),
    })
}

const fn flavor(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MySql => "MySQL",
        Flavor::MariaDb => "MariaDB",
    }
}

fn as_text(status: &SourceStatus) -> String {
    let SourceStatus {
        source_id,
        source,
        state,
        coverage,
        unnamed_tables,
        servers,
        ..
    } = status;
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<16} {value}");
    };
    line(
        "Source",
        &format!(
            "{source_id}: {} {} at {}:{} (server_uuid {})",
            flavor(source.flavor),
            source.version,
            source.host,
            source.port,
            source.server_uuid
        ),
    );
    for pair in servers.windows(2) {
        if let [before, after] = pair {
            let (uuid, host, port) = (&before.server_uuid, &before.host, before.port);
            line(
                "Before",
                &format!(
                    "{host}:{port} (server_uuid {uuid}), until {}",
                    rfc3339(after.since)
                ),
            );
        }
    }
    match &state.checkpoint {
        None => line("Stream", "no checkpoint yet"),
        Some(checkpoint) => {
            match checkpoint.mode {
                Mode::Gtid => {
                    line("Mode", "GTID");
                    line("GTID set", &checkpoint.gtid_set.replace('\n', " "));
                }
                Mode::Position => line("Mode", "file and position"),
            }
            line(
                "Position",
                &format!("{}:{}", checkpoint.binlog_file, checkpoint.binlog_position),
            );
            line("Events indexed", &checkpoint.events_indexed.to_string());
            line(
                "Lag",
                &checkpoint
                    .lag_seconds
                    .map_or("unknown: no event yet".to_owned(), |lag| {
                        format!("{lag:.1} s")
                    }),
            );
            line(
                "Last event",
                &checkpoint
                    .last_event_time
                    .map_or("none yet".to_owned(), with_age),
            );
            line(
                "Last checkpoint",
                &state
                    .last_checkpoint
                    .map_or("none yet".to_owned(), with_age),
            );
            line("Server id", &checkpoint.server_id.to_string());
            if checkpoint.capture_skips.0.is_empty() {
                line("Not captured", "nothing");
            }
            for (reason, skip) in &checkpoint.capture_skips.0 {
                line(
                    "Not captured",
                    &format!("{} × {reason}, last at {}", skip.count, skip.last),
                );
            }
        }
    }
    match coverage {
        Some((from, to)) => line(
            "Coverage",
            &format!("{} to {}", rfc3339(*from), rfc3339(*to)),
        ),
        None => line("Coverage", "no row changes yet"),
    }
    if *unnamed_tables > 0 {
        line(
            "Unnamed columns",
            &format!(
                "in rows of {unnamed_tables} tables, as @1, @2, …: their names then are not certain \
                 (known_by = 'position' in table_versions)"
            ),
        );
    }
    if let Some((at, detail)) = &state.gap_lost {
        line("Gap", &format!("found {}: {detail}", rfc3339(*at)));
    }
    line("Last error", state.last_error.as_deref().unwrap_or("none"));
    out
}

fn with_age(time: Micros) -> String {
    format!(
        "{} ({:.0} s ago)",
        rfc3339(time),
        seconds_between(time, now())
    )
}
