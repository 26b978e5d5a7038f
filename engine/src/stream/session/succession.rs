//! Another server in the place of the one that was streamed.

use super::super::link::Link;
use super::super::resume::{Comparison, predecessor};
use crate::error::Error;
use crate::index::record::{Checkpoint, Mode, SourceStatus};
use crate::source::server::{self, Server};

fn refused(server: &Server, problem: String) -> Error {
    Error::SourceSetup {
        address: server::address(server.options()),
        problem,
    }
}

/// Has the source in the index go on with this server, when it is not the one that was streamed but has all
/// of its transactions: after a failover, or with a new data directory. Says whether that was done.
///
/// # Errors
/// When it is another server and cannot go on: what it committed since then must not be passed over without
/// a word.
pub(super) async fn take_over(
    link: &mut Link<'_>,
    server: &mut Server,
    server_id: u32,
) -> Result<bool, Error> {
    let now = server.identity();
    let statuses = link.patience.bound(link.index.statuses()).await?;
    let own = statuses
        .iter()
        .find(|status| status.source.server_uuid == now.server_uuid);
    let hosts: Vec<_> = link
        .hosts
        .iter()
        .map(|host| (host.host.as_str(), host.port))
        .collect();
    let before = match (own, link.attached) {
        (Some(own), Some(id)) if own.source_id != id => {
            return Err(refused(
                server,
                format!(
                    "this is server_uuid {}, which the index already has as a source of its own ({}); stream it into \
                     another index, or take it out of --source-dsn",
                    now.server_uuid, own.source_id
                ),
            ));
        }
        (Some(_), _) => return Ok(false),
        // Somebody wants a new beginning.
        (None, None) if link.reset => return Ok(false),
        (None, attached) => predecessor(&statuses, attached, now.flavor, &hosts),
    };
    let Some((status, checkpoint)) = before else {
        return not_known_otherwise(server, &statuses).await.map(|()| false);
    };
    let read = server::parse_set(&checkpoint.gtid_set, now.flavor)?;
    if checkpoint.mode == Mode::Position || !server.has_gtids() || read.is_empty() {
        return Err(successor(server, status, checkpoint));
    }
    let comparison = Comparison {
        checkpoint,
        server_id,
        took_over: true,
    };
    comparison.within(link.options.gap_timeout, server).await?;
    link.patience
        .bound(link.index.take_over(status.source_id, &now))
        .await?;
    tracing::warn!(
        before = status.source.server_uuid,
        now = now.server_uuid,
        address = server::address(server.options()),
        "another server has taken over; it has all the GTIDs that were read, and the stream goes on behind them"
    );
    Ok(true)
}

/// # Errors
/// When the index has what this server committed as another's, whose address `--source-dsn` does not name: to begin where
/// it is now would leave out what it committed since then.
async fn not_known_otherwise(server: &mut Server, statuses: &[SourceStatus]) -> Result<(), Error> {
    let flavor = server.flavor();
    if !server.has_gtids() {
        return Ok(());
    }
    for status in statuses {
        let known = &status.source;
        let Some(checkpoint) = &status.state.checkpoint else {
            continue;
        };
        if known.flavor != flavor || checkpoint.gtid_set.is_empty() {
            continue;
        }
        let read = server::parse_set(&checkpoint.gtid_set, flavor)?;
        if server.shares(&read).await? {
            let address = format!("{}:{}", known.host, known.port);
            return Err(refused(
                server,
                format!(
                    "it has all that was read from {address}, source {} of the index, and may have taken its place; to go \
                     on behind that, name {address} in --source-dsn too, behind a comma; to begin a source of its own, \
                     give --reset",
                    status.source_id
                ),
            ));
        }
    }
    Ok(())
}

fn successor(server: &Server, before: &SourceStatus, checkpoint: &Checkpoint) -> Error {
    let go_on = match checkpoint.mode {
        Mode::Gtid => "without GTIDs its binlog cannot be compared with what was read",
        Mode::Position => {
            "to go on, find the place in its binlogs and give it with --reset, --start-file and --start-pos"
        }
    };
    refused(
        server,
        format!(
            "this is server_uuid {}, and what was streamed is {} by {}; {go_on}; to leave out what lies between, give \
             --reset",
            server.identity().server_uuid,
            before.source.server_uuid,
            match checkpoint.mode {
                Mode::Gtid => "GTIDs",
                Mode::Position => "file and position, which mean nothing on another server",
            }
        ),
    )
}
