//! What removing old row changes has in common on both backends.

use std::ops::Range;

/// Row changes removed in one index transaction, about.
pub(super) const STEP: u32 = 2_000;

/// `transactions.xa_state` of a transaction that is being removed: it is in no view, and a part of it may be gone.
pub(super) const REMOVED: &str = "removed";

/// A transaction to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Doomed {
    pub(super) id: u64,
    pub(super) rows: u64,
    /// Its rows have to be deleted; else they go with their partition.
    pub(super) by_row: bool,
}

/// What a step has removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) transactions: u64,
    /// Row changes that were deleted one by one.
    pub(crate) rows: u64,
    /// There may be more.
    pub(crate) more: bool,
}

/// What a step removes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gathered {
    /// Ids of whole transactions, those that follow each other together.
    pub(super) ranges: Vec<Range<u64>>,
    /// Those among them whose rows have to be deleted.
    pub(super) by_row: Vec<Range<u64>>,
    /// One that is too large for one step: it goes in parts, and nothing else with it.
    pub(super) huge: Option<Doomed>,
}

/// Takes so many of the transactions that a step is not too large.
pub(super) fn gather(doomed: &[Doomed]) -> Gathered {
    let step = u64::from(STEP);
    let mut gathered = Gathered::default();
    let mut rows = 0_u64;
    for one in doomed {
        if one.rows > step {
            if rows == 0 {
                gathered.huge = Some(*one);
            }
            break;
        }
        rows = rows.saturating_add(one.rows);
        if rows > step {
            break;
        }
        let range = one.id..one.id.saturating_add(one.rows);
        push(&mut gathered.ranges, range.clone());
        if one.by_row {
            push(&mut gathered.by_row, range);
        }
    }
    gathered
}

fn push(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doomed(id: u64, rows: u64, by_row: bool) -> Doomed {
        Doomed { id, rows, by_row }
    }

    #[test]
    fn transactions_that_follow_each_other_go_together() {
        let gathered = gather(&[
            doomed(1, 2, true),
            doomed(3, 1, false),
            doomed(10, 5, true),
            doomed(15, 1, true),
        ]);
        assert_eq!(gathered.ranges, [1..4, 10..16]);
        assert_eq!(gathered.by_row, [1..3, 10..16]);
        assert_eq!(gathered.huge, None);
    }

    #[test]
    fn a_step_is_bounded() {
        let step = u64::from(STEP);
        let gathered = gather(&[doomed(1, step - 1, true), doomed(5000, 2, true)]);
        assert_eq!(gathered.ranges.first(), Some(&(1..step)));
        assert_eq!(gathered.ranges.len(), 1);
        let huge = doomed(1, step + 1, true);
        assert_eq!(gather(&[huge, doomed(9000, 1, true)]).huge, Some(huge));
        // Behind others, it comes with the next step.
        let gathered = gather(&[doomed(9000, 1, true), huge]);
        assert_eq!(gathered.ranges.first(), Some(&(9000..9001)));
        assert_eq!(gathered.huge, None);
    }
}
