//! Guessing is made slow.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures that cost nothing: people mistype.
const FREE: u32 = 5;

/// The wait after the next one; it doubles with each that follows.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Failures are forgotten after so long without one.
const FORGOTTEN: Duration = Duration::from_secs(15 * 60);

/// Addresses that are remembered; those that failed longest ago make room.
const MOST: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn until(self) -> Instant {
        let over = self.count.saturating_sub(FREE);
        if over == 0 {
            return self.last;
        }
        let wait = FIRST.saturating_mul(1_u32.checked_shl(over - 1).unwrap_or(u32::MAX));
        self.last + wait.min(LONGEST)
    }
}

/// Failed log-ins by where they came from.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<IpAddr, Failures>>);

impl Throttle {
    /// An attempt: counted as a failure until it is known to be none, so that many at once are not free. Seconds to
    /// wait where it is too early.
    pub(crate) fn attempt(&self, from: IpAddr, now: Instant) -> Result<(), u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(&from) {
            all.retain(|_, failures| now.duration_since(failures.last) < FORGOTTEN);
            let oldest = all.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(address) = oldest.map(|(address, _)| *address)
                && all.len() >= MOST
            {
                all.remove(&address);
            }
        }
        let failures = all.entry(from).or_insert(Failures {
            count: 0,
            last: now,
        });
        if now.duration_since(failures.last) >= FORGOTTEN {
            failures.count = 0;
        }
        let left = failures.until().saturating_duration_since(now);
        if !left.is_zero() {
            return Err(left.as_secs().saturating_add(1));
        }
        *failures = Failures {
            count: failures.count.saturating_add(1),
            last: now,
        };
        Ok(())
    }

    /// The attempt was good.
    pub(crate) fn succeeded(&self, from: IpAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_beyond_the_free_ones_doubles_the_wait() {
        let throttle = Throttle::default();
        let from: IpAddr = "192.0.2.1".parse().unwrap();
        let mut now = Instant::now();
        for _ in 0..=FREE {
            throttle.attempt(from, now).unwrap();
        }
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            let early = now + Duration::from_secs(wait) - Duration::from_millis(1);
            assert!(throttle.attempt(from, early).is_err(), "{wait}");
            now += Duration::from_secs(wait);
            assert_eq!(throttle.attempt(from, now), Ok(()), "{wait}");
        }
        assert_eq!(throttle.attempt("192.0.2.2".parse().unwrap(), now), Ok(()));
        throttle.succeeded(from);
        assert_eq!(throttle.attempt(from, now), Ok(()));
    }

    #[test]
    fn the_memory_of_failures_is_bounded() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for number in 0..20_000_u32 {
            let at = now + Duration::from_millis(number.into());
            throttle
                .attempt(IpAddr::from(number.to_be_bytes()), at)
                .unwrap();
        }
        assert_eq!(throttle.0.lock().unwrap().len(), MOST);
    }
}
