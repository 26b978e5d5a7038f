//! What `--memory` leaves for row changes on their way.

/// What the program takes besides: its code, its stacks, an SQLite index's pages, packets and what the allocator holds back.
const BESIDE: u64 = 32 << 20;

/// Batches under way at the most when all are as large as they may be.
const BATCHES: u64 = 2;

/// Bytes, as [`Work::weight`](crate::pipeline::assemble::Work) counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    /// In all the batches between the reader and the index. A batch that is larger by itself goes alone.
    pub(super) in_flight: u32,
    /// In one batch, unless a single event has more.
    pub(super) batch: u64,
}

impl Budget {
    pub(super) fn of(megabytes: u32) -> Self {
        let all = u64::from(megabytes) << 20;
        // The rest is for the batch that is being put together, for buffers that grow by doubling, and for what weighs
        // more than it seems.
        let in_flight = (all.saturating_sub(BESIDE) / 8 * 3).max(1 << 20);
        Self {
            in_flight: u32::try_from(in_flight).unwrap_or(u32::MAX),
            batch: in_flight / BATCHES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_eighths_of_what_is_left_are_for_batches() {
        let of = |megabytes| {
            let budget = Budget::of(megabytes);
            (budget.in_flight, budget.batch)
        };
        assert_eq!(of(64), (12 << 20, 6 << 20));
        assert_eq!(of(1), (1 << 20, 1 << 19));
        assert_eq!(of(u32::MAX).0, u32::MAX);
    }
}
