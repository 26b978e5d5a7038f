//! How far a server's clock is from this machine's.

use crate::index::record::Micros;

use super::finding::{Finding, Fix};

/// Asks for a server's time, UTC, in microseconds since 1970.
pub(crate) const QUESTION: &str =
    "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))";

/// What is no more than a clock that is looked after may be off, in microseconds.
const TOLERANCE: Micros = 1_000_000;

/// A server's time, and this machine's before and after it was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    pub(crate) before: Micros,
    pub(crate) theirs: Micros,
    pub(crate) after: Micros,
}

impl Clocks {
    /// By how much theirs is ahead, at the least; negative when it is behind.
    fn skew(self) -> Micros {
        if self.theirs < self.before {
            self.theirs.saturating_sub(self.before)
        } else {
            self.theirs.saturating_sub(self.after).max(0)
        }
    }
}

/// `matters` says what is wrong with a clock that is off.
pub(super) fn judge(clocks: Clocks, whose: &str, matters: &str) -> Finding {
    const CHECK: &str = "clock";
    let skew = clocks.skew();
    if skew.abs() <= TOLERANCE {
        return Finding::ok(CHECK, "agrees with this machine's");
    }
    let tenths = skew.unsigned_abs() / 100_000;
    let side = if skew > 0 { "ahead of" } else { "behind" };
    Finding::warning(
        CHECK,
        format!(
            "{whose}'s clock is {}.{} s {side} this machine's: {matters}",
            tenths / 10,
            tenths % 10
        ),
    )
    .fix(Fix::Advice(
        "let NTP (chrony, systemd-timesyncd) set the clocks of both machines".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    #[test]
    fn only_what_the_round_trip_does_not_explain_is_skew() {
        let judge = |theirs| {
            let clocks = Clocks {
                before: 10_000_000,
                theirs,
                after: 14_000_000,
            };
            judge(clocks, "the source", "the lag is wrong by that")
        };
        for within in [9_000_000, 12_000_000, 15_000_000] {
            assert_eq!(judge(within).severity, Severity::Ok, "{within}");
        }
        let ahead = judge(17_250_000);
        assert_eq!(ahead.severity, Severity::Warning);
        assert!(ahead.message.contains("3.2 s ahead of"), "{ahead}");
        assert!(judge(4_000_000).message.contains("6.0 s behind"));
    }
}
