//! Starts of a stream, one soon after the end of the one before that nobody had asked for.
//!
//! The index has them: a stream notes its start once it has its source's lock, and forgets them when it is told to end. One
//! that is killed, or ends with an error, leaves its own there.

use crate::index::record::{Micros, StreamState};

/// Ends in a row, each soon after its start, that make a crash loop.
pub const CRASHES: u32 = 3;

const SECOND: Micros = 1_000_000;

/// One that ran for so long is no crash loop, whatever was before.
const STEADY: Micros = 60 * SECOND;

/// One that was not started again within this is not being started again: supervisors wait for a minute at most, behind
/// a run of a minute at most.
const AGAIN: Micros = 3 * 60 * SECOND;

/// So many are kept.
const MOST: usize = 50;

/// The starts, with one that takes place now.
pub(crate) fn with_one_at(now: Micros, state: &StreamState) -> Vec<Micros> {
    let went_on = |last: Micros| {
        now.saturating_sub(last) < AGAIN
            // It saves checkpoints for as long as it runs.
            && state
                .last_checkpoint
                .is_none_or(|saved| saved.saturating_sub(last) < STEADY)
    };
    let mut starts = match state.starts.last() {
        Some(last) if went_on(*last) => state.starts.clone(),
        _ => Vec::new(),
    };
    if starts.len() >= MOST {
        starts.remove(0);
    }
    starts.push(now);
    starts
}

/// Does it end soon after its start, again and again?
pub(super) fn crash_looping(starts: &[Micros], runs: bool, now: Micros) -> bool {
    let ends = starts.len().saturating_sub(usize::from(runs));
    let limit = if runs { STEADY } else { AGAIN };
    u32::try_from(ends).is_ok_and(|ends| ends >= CRASHES)
        && starts
            .last()
            .is_some_and(|last| now.saturating_sub(*last) < limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(starts: &[Micros], last_checkpoint: Option<Micros>) -> StreamState {
        StreamState {
            checkpoint: None,
            next_change_id: 1,
            last_checkpoint,
            last_error: None,
            gap_lost: None,
            streaming_since: None,
            checkpoint_seconds: None,
            removed_before: None,
            starts: starts.to_vec(),
            kept: None,
        }
    }

    #[test]
    fn short_runs_are_counted_and_a_long_one_begins_anew() {
        let s = |seconds: Micros| seconds * SECOND;
        assert_eq!(with_one_at(s(100), &state(&[], None)), [s(100)]);
        let short = state(&[s(100)], Some(s(105)));
        assert_eq!(with_one_at(s(110), &short), [s(100), s(110)]);
        let steady = state(&[s(100)], Some(s(165)));
        assert_eq!(with_one_at(s(170), &steady), [s(170)]);
        // Who comes an hour later is no supervisor.
        assert_eq!(with_one_at(s(3_700), &short), [s(3_700)]);
        let many: Vec<_> = (0..50).map(s).collect();
        assert_eq!(with_one_at(s(51), &state(&many, None)).len(), 50);
    }

    #[test]
    fn three_short_runs_are_a_crash_loop_until_one_lasts() {
        let s = |seconds: Micros| seconds * SECOND;
        let three = [s(0), s(2), s(5)];
        assert!(!crash_looping(&three, true, s(6)));
        assert!(crash_looping(&three, false, s(7)));
        assert!(!crash_looping(&three, false, s(185)));
        let four = [s(0), s(2), s(5), s(10)];
        assert!(crash_looping(&four, true, s(11)));
        assert!(!crash_looping(&four, true, s(70)));
        assert!(!crash_looping(&[], false, s(0)));
    }
}
