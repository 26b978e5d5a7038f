//! `bintrail index`: its flags, and the line that tells how far it is.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use bintrail_cli::stream_flags::source_options;
use bintrail_engine::Error;
use bintrail_engine::stream::files::{FilesOptions, Progress, Standing, Which, index_files};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::args::FilesArgs;

/// How often the line is drawn anew on a terminal, and how often it is logged elsewhere.
const DRAWN: Duration = Duration::from_millis(500);
const LOGGED: Duration = Duration::from_secs(10);

pub(super) async fn run(args: FilesArgs, stop: watch::Receiver<bool>) -> Result<(), Error> {
    let source = match &args.source_dsn {
        Some(dsn) => Some(source_options(
            dsn,
            args.source_password_file.as_deref(),
            &args.tls,
        )?),
        None => None,
    };
    let progress = Arc::new(Progress::default());
    let options = FilesOptions {
        index: args.index.dsn()?,
        directory: args.binlog_dir,
        which: if args.all {
            Which::All
        } else {
            Which::Named(args.files)
        },
        source,
        server_uuid: args.server_uuid,
        filter: args.keep.filter(),
        batch_size: args.pace.batch_size,
        memory: args.pace.memory,
        checkpoint: Duration::from_secs(args.pace.checkpoint),
        progress: Arc::clone(&progress),
    };
    let drawn = io::stderr().is_terminal();
    let indexed = {
        let indexing = index_files(&options, stop.clone());
        tokio::pin!(indexing);
        let mut tick = interval(if drawn { DRAWN } else { LOGGED });
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await;
        loop {
            tokio::select! {
                indexed = &mut indexing => break indexed,
                _ = tick.tick() => if let Some(standing) = progress.standing() {
                    tell(&standing, drawn);
                }
            }
        }
    };
    let Some(standing) = progress.standing() else {
        return indexed;
    };
    if drawn {
        // The line stays, and what follows begins a new one.
        tell(&standing, true);
        let _ = writeln!(io::stderr());
    }
    indexed?;
    if *stop.borrow() {
        tracing::info!(
            "stopped: {}; run again, it goes on from there",
            line(&standing)
        );
    } else {
        tracing::info!(
            "indexed: {} row changes of {} files in {}",
            standing.rows,
            standing.files.0,
            time(standing.elapsed)
        );
    }
    Ok(())
}

fn tell(standing: &Standing, drawn: bool) {
    if drawn {
        // Nobody watches when it fails. It covers all of the longest line before.
        let _ = write!(io::stderr(), "\r{}\x1b[K", line(standing));
    } else {
        tracing::info!("{}", line(standing));
    }
}

/// `mysql-bin.000007 (3 of 12): 41%, 96340 row changes/s, 1m20s left`
fn line(standing: &Standing) -> String {
    let (read, total) = standing.bytes;
    let percent = read.saturating_mul(100).checked_div(total).unwrap_or(100);
    let rate = u128::from(standing.rows) * 1000 / standing.elapsed.as_millis().max(1);
    let left = standing
        .left
        .map_or_else(String::new, |left| format!(", {} left", time(left)));
    format!(
        "{} ({} of {}): {percent}%, {rate} row changes/s{left}",
        standing.file, standing.files.0, standing.files.1
    )
}

/// `1h02m`, `1m20s`, `3s`
fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_file_share_rate_and_rest() {
        let mut standing = Standing {
            file: "b.000007".to_owned(),
            files: (3, 12),
            bytes: (41, 100),
            rows: 1000,
            elapsed: Duration::from_secs(10),
            left: Some(Duration::from_secs(80)),
        };
        assert_eq!(
            line(&standing),
            "b.000007 (3 of 12): 41%, 100 row changes/s, 1m20s left"
        );
        standing.bytes = (0, 0);
        standing.left = None;
        assert_eq!(
            line(&standing),
            "b.000007 (3 of 12): 100%, 100 row changes/s"
        );
        assert_eq!(time(Duration::from_secs(3725)), "1h02m");
        assert_eq!(time(Duration::from_secs(3)), "3s");
    }
}
