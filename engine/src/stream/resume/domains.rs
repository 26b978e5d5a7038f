//! MariaDB's domains.
//!
//! `FLUSH BINARY LOGS DELETE_DOMAIN_ID` takes a domain of which no binary log has anything out of the server's count, and
//! when it is used again its numbers begin anew. A dump behind GTIDs would then pass over what has a number up to the one
//! that was read, without a word. One from a place passes over nothing: so a stream by GTIDs goes on from its place where
//! that says the same.

use bintrail_proto::binlog::mariadb::gtid_set::MariadbGtidSet;

use super::lost::lost_behind;
use super::{Compared, Lost, is_purged};
use crate::error::Error;
use crate::gtids::Gtids;
use crate::index::record::{Checkpoint, Place};
use crate::source::logs::{Held, LogFile};
use crate::source::server::Server;

/// Compares the server that was read with a checkpoint by GTIDs, `read`. `place` is the checkpoint's, where the server has its
/// file.
pub(super) async fn compare(
    server: &mut Server,
    checkpoint: &Checkpoint,
    read: &Gtids,
    held: &Held,
    oldest: Option<&LogFile>,
    place: Option<Place>,
) -> Result<Compared, Error> {
    let there = match &place {
        Some(place) => server.logged_up_to(place).await?,
        None => None,
    };
    let (Gtids::MariaDb(read), Gtids::MariaDb(executed), Gtids::MariaDb(purged)) =
        (read, &held.executed, &held.purged)
    else {
        return Ok(Compared::default());
    };
    if let Some(Gtids::MariaDb(there)) = there
        && let Some(kept) = same(read, &there, executed)
    {
        return Ok(Compared {
            lost: None,
            place,
            read: without(read, kept),
        });
    }
    let oldest = oldest.filter(|oldest| is_purged(&checkpoint.binlog_file, oldest));
    // All that was read is in the list of the oldest file, if that file is a later one.
    let listed = if oldest.is_some() { purged } else { executed };
    let mut kept = read.clone();
    kept.retain(|domain| listed.has(domain));
    let lost = match place {
        // Its file holds none of them, or they could not have been taken out.
        Some(_) => behind(checkpoint, &kept, &kept, purged, oldest),
        None => behind(checkpoint, read, &kept, purged, oldest),
    };
    Ok(Compared {
        lost,
        place: oldest.map(|oldest| (oldest.name.clone(), 4)),
        read: without(read, kept),
    })
}

/// `kept`, where it is not all of `read`.
fn without(read: &MariadbGtidSet, kept: MariadbGtidSet) -> Option<Gtids> {
    if kept == *read {
        return None;
    }
    tracing::warn!(
        read = %read, go_on = %kept,
        "the source has taken domains that were read out of its binary logs (DELETE_DOMAIN_ID): all that comes in \
         them now is new"
    );
    Some(Gtids::MariaDb(kept))
}

/// `read` without domains that the source has no more, where that is what is logged up to the checkpoint's place.
/// A stream that was told to begin behind GTIDs may be ahead of its place in some domains, and then it is not.
fn same(
    read: &MariadbGtidSet,
    there: &MariadbGtidSet,
    executed: &MariadbGtidSet,
) -> Option<MariadbGtidSet> {
    let mut kept = read.clone();
    kept.retain(|domain| there.has(domain) || executed.has(domain));
    (kept == *there).then_some(kept)
}

/// What is lost behind a checkpoint, or may be. Of the domains of `read` that are not `kept`, the last transaction cannot
/// be told any more.
fn behind(
    checkpoint: &Checkpoint,
    read: &MariadbGtidSet,
    kept: &MariadbGtidSet,
    purged: &MariadbGtidSet,
    oldest: Option<&LogFile>,
) -> Option<Lost> {
    let (mut lost, go_on) = lost(kept, purged);
    for gtid in read.gtids().filter(|gtid| !kept.has(gtid.domain)) {
        lost.push(format!(
            "perhaps domain {} behind {gtid}, which was then taken out of the binary logs (DELETE_DOMAIN_ID)",
            gtid.domain
        ));
    }
    let oldest = oldest.map(|oldest| oldest.name.as_str());
    (!lost.is_empty())
        .then(|| lost_behind(checkpoint, &lost.join(", "), Gtids::MariaDb(go_on), oldest))
}

/// What is purged and was not read, domain by domain, and the GTIDs behind it.
pub(super) fn lost(
    read: &MariadbGtidSet,
    purged: &MariadbGtidSet,
) -> (Vec<String>, MariadbGtidSet) {
    let mut go_on = read.clone();
    let mut lost = Vec::new();
    for gtid in purged.gtids() {
        let last = read.gtids().find(|read| read.domain == gtid.domain);
        if last.is_none_or(|last| last.sequence < gtid.sequence) {
            go_on.update(gtid);
            let from = last.map_or("the beginning".to_owned(), |last| last.to_string());
            lost.push(format!("domain {} behind {from} up to {gtid}", gtid.domain));
        }
    }
    (lost, go_on)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::record::{CaptureSkips, Mode};

    fn set(text: &str) -> MariadbGtidSet {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_that_says_the_same_as_the_gtids() {
        let same = |read: &str, there: &str, executed: &str| {
            same(&set(read), &set(there), &set(executed)).map(|kept| kept.to_string())
        };
        let read = "0-1-5,88-1-5";
        assert_eq!(same(read, read, "0-1-9,88-1-5").as_deref(), Some(read));
        // Taken out behind the place: used again with a lower, the same and a higher number, and not at all.
        for now in ["0-1-9,88-1-1", "0-1-9,88-1-5", "0-1-9,88-1-7", "0-1-9"] {
            assert_eq!(same(read, read, now).as_deref(), Some(read), "{now}");
        }
        // Taken out before it.
        assert_eq!(same(read, "0-1-5", "0-1-9").as_deref(), Some("0-1-5"));
        // Ahead of it in one domain, behind it in one, and another server's.
        assert_eq!(same(read, "0-1-5", "0-1-9,88-1-5"), None);
        assert_eq!(same(read, "0-1-5,88-1-4", "0-1-9,88-1-5"), None);
        assert_eq!(same(read, "0-1-5,88-1-5,7-1-1", "0-1-9,88-1-5,7-1-1"), None);
        assert_eq!(same(read, "0-2-5,88-1-5", "0-2-5,88-1-5"), None);
    }

    #[test]
    fn what_of_a_domain_that_is_no_more_may_be_lost() {
        let checkpoint = Checkpoint {
            mode: Mode::Gtid,
            binlog_file: "log.000007".to_owned(),
            binlog_position: 1000,
            binlog_created: None,
            gtid_set: String::new(),
            next_change_id: 1,
            events_indexed: 0,
            last_event_time: None,
            server_id: 1,
            lag_seconds: None,
            capture_skips: CaptureSkips::default(),
        };
        let behind = |read: &str, kept: &str, purged: &str| {
            behind(&checkpoint, &set(read), &set(kept), &set(purged), None)
                .map(|lost| (lost.detail, lost.go_on.to_string()))
        };
        assert_eq!(behind("0-1-5,88-1-5", "0-1-5,88-1-5", "0-1-5"), None);
        assert_eq!(behind("0-1-5", "0-1-5", "0-1-5"), None);
        let (detail, go_on) = behind("0-1-5,88-1-5", "0-1-5", "0-1-6").unwrap();
        assert!(
            detail.contains("domain 0 behind 0-1-5 up to 0-1-6, perhaps domain 88 behind 88-1-5,"),
            "{detail}"
        );
        assert_eq!(go_on, "GTID set 0-1-6");
    }
}
