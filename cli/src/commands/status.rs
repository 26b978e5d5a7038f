//! `bintrail status`.

mod text;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use bintrail_engine::Error;
use bintrail_engine::dsn::IndexDsn;
use bintrail_engine::index::Index;
use bintrail_engine::status::{self, Limits, Report, StreamState};

use crate::args::{StatusArgs, StatusFormat};

pub(crate) async fn run(args: &StatusArgs) -> Result<(), Error> {
    let dsn = args.index.dsn()?;
    let limits = args.fail_on_lag.map_or_else(Limits::default, |lag| Limits {
        lag_seconds: lag.as_secs_f64(),
    });
    if args.acknowledge_gaps {
        let index = Index::open(&dsn, false).await?;
        let noted = status::acknowledge(&index).await;
        let closed = index.close().await;
        noted.and(closed)?;
    }
    let Some(seconds) = args.watch else {
        let report = read(&dsn, limits).await?;
        print(&shown(&report, args)?)?;
        return judge(&report, args);
    };
    loop {
        match read(&dsn, limits).await {
            Ok(report) => {
                print(&shown(&report, args)?)?;
                judge(&report, args)?;
            }
            // It may come back, as a stream that waits for it believes too.
            Err(error @ Error::Index(_)) if error.may_pass() => tracing::error!("{error}"),
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

/// Warns of what an answer about the present may lack.
pub(super) async fn tell_of_lacks(index: &Index, source_id: Option<u32>) -> Result<(), Error> {
    for lack in status::lacks(index, source_id).await? {
        tracing::warn!("{lack}");
    }
    Ok(())
}

async fn read(dsn: &IndexDsn, limits: Limits) -> Result<Report, Error> {
    let index = Index::open(dsn, false).await?;
    let report = Report::read(&index, limits).await;
    let closed = index.close().await;
    let report = report?;
    closed?;
    Ok(report)
}

fn shown(report: &Report, args: &StatusArgs) -> Result<String, Error> {
    let json = |json: serde_json::Result<String>| {
        json.map(|json| json + "\n")
            .map_err(|error| Error::Internal(error.to_string()))
    };
    Ok(match (args.format, args.watch) {
        (StatusFormat::Json, None) => json(serde_json::to_string_pretty(report))?,
        (StatusFormat::Json, Some(_)) => json(serde_json::to_string(report))?,
        (StatusFormat::Text, None) => text::of(report),
        // Cleared from the top, so that a terminal shows one report; elsewhere a blank line parts them.
        (StatusFormat::Text, Some(_)) if io::stdout().is_terminal() => {
            format!("\x1b[H\x1b[2J{}", text::of(report))
        }
        (StatusFormat::Text, Some(_)) => text::of(report) + "\n",
    })
}

fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::Output)
}

/// Is it a failure? A watch goes on at a gap unless it is to end there.
fn judge(report: &Report, args: &StatusArgs) -> Result<(), Error> {
    let mut gaps = report
        .sources
        .iter()
        .filter_map(|source| source.coverage.gap.as_ref());
    let new = gaps.find(|gap| gap.acknowledged.is_none());
    if let Some(gap) = new
        && (args.fail_on_gap || args.watch.is_none())
    {
        return Err(Error::RecordedGap(gap.detail.clone()));
    }
    let Some(limit) = args.fail_on_lag else {
        return Ok(());
    };
    if report.sources.is_empty() {
        return Err(Error::Late(report.verdict.detail.clone()));
    }
    for source in &report.sources {
        let late = match source.stream.lag_seconds {
            Some(lag) if lag > limit.as_secs_f64() => format!("{lag:.1} s"),
            // It has only just begun.
            None if source.stream.state != StreamState::Streaming => {
                "not known by how much".to_owned()
            }
            _ => continue,
        };
        let (host, port) = (&source.source.host, source.source.port);
        let limit = limit.as_secs_f64();
        return Err(Error::Late(format!(
            "source {} ({host}:{port}) by {late}, with a limit of {limit} s; `bintrail status` says what to do",
            source.source_id
        )));
    }
    Ok(())
}
