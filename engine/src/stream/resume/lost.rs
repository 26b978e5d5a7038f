//! What is lost between a checkpoint and what the source has, in words, and the place behind it.

use bintrail_proto::gtid_set::GtidSet;

use super::domains;
use crate::clock::rfc3339;
use crate::gtids::Gtids;
use crate::index::record::{Checkpoint, Micros};
use crate::source::server::log_order;
use crate::stream::Start;

/// What is known of a gap is kept up to this many bytes.
const MAX_DETAIL: usize = 16 * 1024;

/// Transactions that the source has purged, or that somebody has removed, before they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::stream) struct Lost {
    /// From where to where, and what.
    pub(in crate::stream) detail: String,
    /// The first place behind them.
    pub(in crate::stream) go_on: Start,
}

/// All from a checkpoint to the beginning of a file.
pub(super) fn lost_up_to(checkpoint: &Checkpoint, next: &str, may_be_reset: bool) -> Lost {
    let or_reset = if may_be_reset {
        ", or its binary logs were reset to a later number (RESET … TO)"
    } else {
        ""
    };
    Lost {
        detail: format!(
            "purged or removed on the source before it was read{or_reset}: everything from {}:{} to {next}:4{}",
            checkpoint.binlog_file,
            checkpoint.binlog_position,
            since(checkpoint)
        ),
        go_on: Start::Position(next.to_owned(), 4),
    }
}

/// What a source that goes on without its binary log commits behind a checkpoint.
pub(in crate::stream) fn unlogged(checkpoint: &Checkpoint) -> String {
    format!(
        "not logged by the source, which had stopped writing its binary log (binlog_error_action=IGNORE_ERROR): what it \
         committed behind {}:{}{}, until it logged again",
        checkpoint.binlog_file,
        checkpoint.binlog_position,
        since(checkpoint)
    )
}

/// The transactions that no file holds any more, in GTID mode: they lie before the file `next`.
pub(super) fn lost_gtids(
    checkpoint: &Checkpoint,
    read: &Gtids,
    before: &Gtids,
    next: Option<&str>,
) -> Option<Lost> {
    let (lost, go_on) = match (read, before) {
        (Gtids::MySql(read), Gtids::MySql(purged)) => {
            let (mut lost, mut go_on) = (purged.clone(), read.clone());
            lost.subtract(read);
            go_on.union(purged);
            if lost.is_empty() {
                return None;
            }
            let lost = format!("{} transactions, {}", count(&lost), one_line(&lost));
            (lost, Gtids::MySql(go_on))
        }
        (Gtids::MariaDb(read), Gtids::MariaDb(purged)) => {
            let (lost, go_on) = domains::lost(read, purged);
            if lost.is_empty() {
                return None;
            }
            (lost.join(", "), Gtids::MariaDb(go_on))
        }
        _ => return None,
    };
    Some(lost_behind(checkpoint, &lost, go_on, next))
}

/// The transactions that are, in words, `lost` behind a checkpoint.
pub(super) fn lost_behind(
    checkpoint: &Checkpoint,
    lost: &str,
    go_on: Gtids,
    next: Option<&str>,
) -> Lost {
    let (file, position) = (checkpoint.binlog_file.as_str(), checkpoint.binlog_position);
    let place = match next {
        // Not where a crash has cut off the checkpoint's own file.
        Some(next) if log_order(file, position) < log_order(next, 4) && !file.is_empty() => {
            format!(", from {file}:{position} to {next}:4")
        }
        _ => String::new(),
    };
    Lost {
        detail: format!(
            "purged, removed or lost in a crash on the source before it was read: {lost}{place}{}",
            since(checkpoint)
        ),
        go_on: Start::Gtids(go_on),
    }
}

fn since(checkpoint: &Checkpoint) -> String {
    checkpoint.last_event_time.map_or(String::new(), |time| {
        format!(", committed after {}", rfc3339(time))
    })
}

fn count(set: &GtidSet) -> u64 {
    set.intervals()
        .map(|(_, _, interval)| {
            interval
                .last
                .saturating_sub(interval.first)
                .saturating_add(1)
        })
        .fold(0, u64::saturating_add)
}

fn one_line(set: &GtidSet) -> String {
    set.to_string().replace('\n', "")
}

/// What `stream_state` says of gaps once `detail` is known too.
pub(in crate::stream) fn with_earlier(earlier: Option<&(Micros, String)>, detail: &str) -> String {
    let mut detail = detail.to_owned();
    detail.truncate(boundary(&detail, MAX_DETAIL / 4));
    let all = match earlier {
        None => detail,
        // Found again after a crash in the middle of it.
        Some((_, earlier)) if earlier.ends_with(&detail) => earlier.clone(),
        Some((at, earlier)) => format!("{earlier} (found {}); {detail}", rfc3339(*at)),
    };
    // The newest is nowhere else.
    let cut = boundary(&all, all.len().saturating_sub(MAX_DETAIL));
    match cut {
        0 => all,
        cut => format!("…{}", all.get(cut..).unwrap_or_default()),
    }
}

/// The last place at or before `at` between two characters.
fn boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::next_behind;
    use super::super::tests::{A, checkpoint, logs};
    use super::*;
    use crate::index::record::{Flavor, Mode};

    #[test]
    fn files_that_are_gone() {
        let checkpoint = checkpoint(Mode::Position, "");
        for there in [
            logs(&[("log.000007", 1000)]),
            logs(&[("log.000005", 1000), ("log.000006", 5)]),
            logs(&[("other.000009", 5)]),
            Vec::new(),
        ] {
            assert_eq!(next_behind(&checkpoint.binlog_file, &there), None);
        }
        for older in [&[][..], &[("log.000006", 9)]] {
            let there = logs(&[older, &[("log.1000000", 9)]].concat());
            let next = next_behind(&checkpoint.binlog_file, &there).unwrap();
            assert_eq!(next.name, "log.1000000");
        }
        for (may_be_reset, said) in [
            (
                false,
                "read: everything from log.000007:1000 to log.000009:4",
            ),
            (true, "(RESET … TO): everything from log.000007:1000 to log"),
        ] {
            let lost = lost_up_to(&checkpoint, "log.000009", may_be_reset);
            assert_eq!(lost.go_on, Start::Position("log.000009".to_owned(), 4));
            assert!(lost.detail.contains(said), "{lost:?}");
        }
    }

    fn gtids(read: &str, purged: &str, flavor: Flavor) -> Option<(String, String)> {
        let parse = |text| Gtids::parse(text, flavor).unwrap();
        let lost = lost_gtids(
            &checkpoint(Mode::Gtid, read),
            &parse(read),
            &parse(purged),
            Some("log.000009"),
        )?;
        let Start::Gtids(go_on) = lost.go_on else {
            panic!("{lost:?}");
        };
        Some((lost.detail, go_on.to_string()))
    }

    #[test]
    fn transactions_that_are_gone() {
        let of = |purged: &str| gtids(&format!("{A}:1-5"), purged, Flavor::MySql);
        assert_eq!(of(""), None);
        assert_eq!(of(&format!("{A}:1-5")), None);
        let (detail, go_on) = of(&format!("{A}:1-9:12")).unwrap();
        assert!(
            detail.contains(&format!("5 transactions, {A}:6-9:12, from log.000007:1000 to log.000009:4, committed after 1970-01-01T")),
            "{detail}"
        );
        assert_eq!(go_on, format!("{A}:1-9:12"));

        let of = |purged: &str| gtids("0-1-100,7-2-5", purged, Flavor::MariaDb);
        assert_eq!(of(""), None);
        assert_eq!(of("0-1-100,7-2-4"), None);
        let (detail, go_on) = of("0-1-90,3-1-9,7-3-6").unwrap();
        assert!(
            detail.contains(
                "domain 3 behind the beginning up to 3-1-9, domain 7 behind 7-2-5 up to 7-3-6"
            ),
            "{detail}"
        );
        assert_eq!(go_on, "0-1-100,3-1-9,7-3-6");
    }

    #[test]
    fn gaps_add_up() {
        assert_eq!(with_earlier(None, "b"), "b");
        let two = with_earlier(Some(&(0, "a".to_owned())), "b");
        assert_eq!(two, "a (found 1970-01-01T00:00:00.000000Z); b");
        assert_eq!(with_earlier(Some(&(0, two.clone())), "b"), two);
        let long = with_earlier(Some(&(0, "ü".repeat(MAX_DETAIL))), &"x".repeat(MAX_DETAIL));
        assert!(long.len() <= MAX_DETAIL + 4, "{}", long.len());
        assert!(long.starts_with("…ü") && long.ends_with("xxx"), "{long}");
    }
}
