//! Where a session starts, and what is noted of that.

use super::super::link::Link;
use super::super::resume::{Compared, Comparison, Lost, with_earlier};
use super::super::{Start, derived_server_id, place_of};
use crate::clock;
use crate::error::Error;
use crate::filter::Filter;
use crate::gtids::Gtids;
use crate::index::record::{CaptureSkips, Checkpoint, Flavor, Mode, Place, StreamState};
use crate::source::server::{self, Server, log_order};
use crate::status::starts;

/// Where a session starts.
pub(super) struct Beginning {
    pub(super) checkpoint: Checkpoint,
    /// There was no checkpoint, or it is forgotten.
    pub(super) fresh: bool,
    /// Events have still to show that it is a place in the binlog.
    pub(super) doubtful: bool,
    /// The one that a reset forgets.
    pub(super) forgotten: Option<Checkpoint>,
    /// What is passed over because the source no longer has it.
    pub(super) lost: Option<Lost>,
    /// The place that a dump by GTIDs is to begin in.
    pub(super) place: Option<Place>,
}

/// Notes that the stream starts, what it keeps from now on, and as a gap what it did not keep before.
pub(super) async fn note_start(
    link: &Link<'_>,
    source_id: u32,
    state: &mut StreamState,
) -> Result<(), Error> {
    let (index, filter) = (link.index, &link.options.filter);
    let starts = starts::with_one_at(clock::now(), state);
    let place = state.checkpoint.as_ref().map_or_else(
        || "its beginning".to_owned(),
        |at| format!("{}:{}", at.binlog_file, at.binlog_position),
    );
    let kept = filter.kept(place.clone());
    let kept = match state.kept.take() {
        Some(before) if before.schemas == kept.schemas && before.tables == kept.tables => before,
        Some(before) if state.checkpoint.is_some() => {
            let narrow = Filter::of(&before);
            if !narrow.keeps_all_of(filter) {
                let names: Vec<_> = narrow.names().iter().map(ToString::to_string).collect();
                let detail = format!(
                    "left out by {} from {} to {place}: row changes of other tables",
                    names.join(" "),
                    before.since
                );
                tracing::warn!("{detail}: `bintrail status` shows this as a gap");
                let detail = with_earlier(state.gap_lost.as_ref(), &detail);
                let saved = index.save_gap(source_id, clock::now(), &detail);
                link.patience.bound(saved).await?;
                link.options.vitals.gap(clock::now());
                state.gap_lost = Some((clock::now(), detail));
            }
            kept
        }
        _ => kept,
    };
    let noted = index.save_kept(source_id, &kept);
    link.patience.bound(noted).await?;
    let noted = index.save_starts(source_id, &starts);
    link.patience.bound(noted).await?;
    Ok(())
}

/// The server id to replicate under: the same on all hosts.
pub(super) fn server_id(link: &Link<'_>, server: &Server) -> Result<u32, Error> {
    let options = link.options;
    let server_id = options
        .server_id
        .unwrap_or_else(|| derived_server_id(&options.source, &place_of(&options.index)));
    server.check_server_id(server_id)?;
    Ok(server_id)
}

/// Finds where to start: at the checkpoint, behind a gap, or anew.
pub(super) async fn start_from(
    link: &mut Link<'_>,
    server: &mut Server,
    server_id: u32,
    state: &StreamState,
    took_over: bool,
) -> Result<Beginning, Error> {
    let options = link.options;
    let (kept, forgotten) = if link.reset {
        (None, state.checkpoint.clone())
    } else {
        (state.checkpoint.clone(), None)
    };
    let Some(kept) = kept else {
        let start = server.start(options.start.as_ref()).await?;
        // By GTIDs, nothing else would tell that it does not log.
        server.binary_logs().await?;
        let doubtful = match &options.start {
            Some(Start::Position(file, position)) => !server.has_place(file, *position).await?,
            _ => false,
        };
        let first = first_checkpoint(start, server_id, state.next_change_id);
        let checkpoint = match &forgotten {
            // They count what is in the index, and that stays.
            Some(old) => Checkpoint {
                events_indexed: old.events_indexed,
                capture_skips: old.capture_skips.clone(),
                ..first
            },
            None => first,
        };
        return Ok(Beginning {
            checkpoint,
            fresh: true,
            doubtful,
            forgotten,
            lost: None,
            place: None,
        });
    };
    let comparison = Comparison {
        checkpoint: &kept,
        server_id,
        took_over,
    };
    let Compared {
        mut lost,
        mut place,
        read,
    } = comparison.within(options.gap_timeout, server).await?;
    if let Some(hole) = link.hole.take()
        && lost.is_none()
        && let Some((behind, at)) = hole.into_lost(&kept, &server.identity().server_uuid)
    {
        (lost, place) = (Some(behind), at);
    }
    let mut checkpoint = Checkpoint {
        server_id,
        // It was true then.
        lag_seconds: None,
        ..kept
    };
    if let Some(read) = read {
        checkpoint.gtid_set = read.to_string();
    }
    if let Some(lost) = &lost {
        if options.refuse_gaps {
            return Err(Error::Gap {
                address: server::address(server.options()),
                lost: lost.detail.clone(),
            });
        }
        tracing::error!(
            lost = lost.detail,
            go_on = %lost.go_on,
            "row changes are lost; the stream goes on behind them, and `bintrail status` shows the gap"
        );
        let next = first_checkpoint(lost.go_on.clone(), server_id, checkpoint.next_change_id);
        (checkpoint.binlog_file, checkpoint.binlog_position) = place
            .clone()
            .unwrap_or((next.binlog_file, next.binlog_position));
        checkpoint.binlog_created = None;
        checkpoint.gtid_set = next.gtid_set;
    }
    Ok(Beginning {
        checkpoint,
        fresh: false,
        doubtful: false,
        forgotten: None,
        lost,
        place,
    })
}

/// Logs what a reset leaves out, or reads again; and says what is to be recorded of it.
pub(super) fn tell_of_reset(
    explicit: bool,
    old: &Checkpoint,
    new: &Start,
    flavor: Flavor,
) -> Result<Option<String>, Error> {
    let from = Start::of(old, flavor)?;
    let (left_out, again) = match (&from, new) {
        (Start::Gtids(Gtids::MySql(old)), Start::Gtids(Gtids::MySql(new))) => {
            let (mut ahead, mut behind) = (new.clone(), old.clone());
            ahead.subtract(old);
            behind.subtract(new);
            (!ahead.is_empty(), !behind.is_empty())
        }
        // A checkpoint has the file and position in either mode.
        (_, Start::Position(file, position)) => {
            let old = log_order(&old.binlog_file, old.binlog_position);
            let new = log_order(file, *position);
            (new > old, new < old)
        }
        (from, new) => (from != new, false),
    };
    // Where the source is now lies behind what was read only when its binary logs were reset: then nobody
    // knows what they held.
    let left_out = left_out || again && !explicit;
    if left_out {
        tracing::warn!(%from, to = %new, "reset: what lies between is left out");
    }
    if again {
        tracing::warn!(
            from = %new, to = %from,
            "reset: what lies between comes into the index again, unless the source's binary logs were reset"
        );
    }
    Ok(left_out.then(|| format!("reset: left out from {from} to {new}")))
}

/// The checkpoint of a stream that begins.
fn first_checkpoint(from: Start, server_id: u32, next_change_id: u64) -> Checkpoint {
    let (mode, binlog_file, binlog_position, gtid_set) = match from {
        Start::Position(file, position) => (Mode::Position, file, position, String::new()),
        // The file is only for people, and the dump itself tells it.
        Start::Gtids(set) => (Mode::Gtid, String::new(), 4, set.to_string()),
    };
    Checkpoint {
        mode,
        binlog_file,
        binlog_position,
        binlog_created: None,
        gtid_set,
        next_change_id,
        events_indexed: 0,
        last_event_time: None,
        server_id,
        lag_seconds: None,
        capture_skips: CaptureSkips::default(),
    }
}
