//! Set operations.

use super::{GtidSet, Interval};

impl GtidSet {
    /// Adds all of `other`.
    pub fn union(&mut self, other: &Self) {
        for (source, theirs) in &other.sources {
            let ours = self.sources.entry(*source).or_default();
            ours.extend_from_slice(theirs);
            normalise(ours);
        }
    }

    /// Removes all of `other`.
    pub fn subtract(&mut self, other: &Self) {
        self.sources.retain(|source, ours| {
            if let Some(theirs) = other.sources.get(source) {
                *ours = difference(ours, theirs);
            }
            !ours.is_empty()
        });
    }

    /// Is all of it in `other`?
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.sources.iter().all(|(source, ours)| {
            other.sources.get(source).is_some_and(|theirs| {
                ours.iter()
                    .all(|i| find(theirs, i.first).is_some_and(|found| i.last <= found.last))
            })
        })
    }

    /// Is any of it in `other`?
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        self.sources.iter().any(|(source, ours)| {
            other.sources.get(source).is_some_and(|theirs| {
                ours.iter().any(|i| {
                    let at = theirs.partition_point(|their| their.last < i.first);
                    theirs.get(at).is_some_and(|their| their.first <= i.last)
                })
            })
        })
    }
}

/// The interval that `gno` is in.
pub(super) fn find(intervals: &[Interval], gno: u64) -> Option<Interval> {
    let at = intervals.partition_point(|i| i.last < gno);
    intervals.get(at).copied().filter(|i| i.first <= gno)
}

/// Sorts `intervals` and joins those that overlap or touch.
pub(super) fn normalise(intervals: &mut Vec<Interval>) {
    // A stable sort takes sorted runs as they are, which is what comes here.
    intervals.sort_by_key(|i| i.first);
    intervals.dedup_by(|next, kept| {
        let joins = next.first <= kept.last + 1;
        if joins {
            kept.last = kept.last.max(next.last);
        }
        joins
    });
}

/// What of `ours` is not in `theirs`.
fn difference(ours: &[Interval], theirs: &[Interval]) -> Vec<Interval> {
    let mut left = Vec::with_capacity(ours.len());
    let mut theirs = theirs.iter().copied().peekable();
    for &Interval { mut first, last } in ours {
        while let Some(their) = theirs.peek().copied().filter(|their| their.first <= last) {
            if first < their.first {
                left.push(Interval {
                    first,
                    last: their.first - 1,
                });
            }
            first = first.max(their.last + 1);
            if first > last {
                // It may reach into the next of ours, so it stays.
                break;
            }
            theirs.next();
        }
        if first <= last {
            left.push(Interval { first, last });
        }
    }
    left
}
