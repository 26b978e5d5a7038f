//! `bintrail rotate`.

use bintrail_engine::Error;
use bintrail_engine::clock::rfc3339;
use bintrail_engine::index::Index;
use bintrail_engine::index::record::Micros;
use bintrail_engine::rotate::{RotateOptions, Rotated, keep_rotating, removed_before, rotate};
use tokio::sync::watch;

use crate::args::RotateArgs;

pub(super) async fn run(args: RotateArgs, stop: watch::Receiver<bool>) -> Result<(), Error> {
    let options = RotateOptions {
        index: args.index.dsn()?,
        retain: args.retain,
        add_future: args.add_future,
    };
    let tell = |rotated: &Rotated| tracing::info!("{}", rotated.line());
    if args.daemon {
        keep_rotating(&options, stop, tell).await
    } else {
        tell(&rotate(&options, &stop).await?);
        Ok(())
    }
}

/// Says what an answer cannot have because it was removed.
pub(super) async fn tell_of_removed(
    index: &Index,
    source_id: Option<u32>,
    since: Option<Micros>,
) -> Result<(), Error> {
    if let Some(before) = removed_before(index, source_id).await?
        && since.is_none_or(|since| since < before)
    {
        tracing::warn!(
            "what was committed before {} was removed from the index (bintrail rotate)",
            rfc3339(before)
        );
    }
    Ok(())
}
