//! How long a commit on a quiet source takes into the index.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mysql_async::prelude::Queryable;
use tokio::time::sleep;

use super::index::Place;
use super::program::Program;
use crate::Result;

/// Commits that are followed.
const COMMITS: u32 = 300;

/// The longest wait for one.
const PATIENCE: Duration = Duration::from_secs(60);

/// Follows commits of one row each, some time apart, until a checkpoint covers them, from when the source has
/// answered the COMMIT. In microseconds.
pub async fn measure(program: &Program, place: &Place, batch_size: &str) -> Result<Histogram<u64>> {
    place.remove().await?;
    program.init(place)?;
    let mut reader = place.open().await?;
    let running = program.stream(place, &["--batch-size", batch_size])?;
    let mut source = program.source.connect(Some("bench")).await?;
    source.query_drop("SET autocommit = 1").await?;
    // What is committed before it has started is not its concern.
    let started = Instant::now();
    while reader
        .number("SELECT COUNT(*) FROM stream_state WHERE mode IS NOT NULL")
        .await?
        .unwrap_or_default()
        == 0
    {
        if started.elapsed() > PATIENCE {
            return Err("the stream does not start".into());
        }
        sleep(Duration::from_millis(10)).await;
    }
    let mut histogram = Histogram::new(3)?;
    for number in 1..=COMMITS {
        // At odd moments, so that nothing that happens every so often is always met or missed.
        let pause = 20 + u64::from(number.wrapping_mul(2_654_435_761) >> 16) % 80;
        sleep(Duration::from_millis(pause)).await;
        source.query_drop("INSERT INTO ticks () VALUES ()").await?;
        let committed = Instant::now();
        while reader.indexed().await? < u64::from(number) {
            if committed.elapsed() > PATIENCE {
                return Err(format!("commit {number} does not come").into());
            }
            sleep(Duration::from_micros(500)).await;
        }
        let micros = committed.elapsed().as_micros();
        histogram.record(u64::try_from(micros)?)?;
    }
    running.stop()?;
    let seen = reader
        .number("SELECT COUNT(*) FROM binlog_events")
        .await?
        .unwrap_or_default();
    if seen != u64::from(COMMITS) {
        return Err(format!("the view shows {seen} of {COMMITS} commits").into());
    }
    drop(reader);
    place.remove().await?;
    Ok(histogram)
}
