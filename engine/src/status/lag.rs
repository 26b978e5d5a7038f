//! How far behind a stream is at the moment of asking.

use std::time::Duration;

/// A stream that is this much late with a checkpoint has stalled: three heartbeats of the source.
pub(crate) const STALL_GRACE: Duration = Duration::from_secs(15);

/// The lag now, from the lag that the last checkpoint tells of and its age. What the source has committed since
/// then nobody knows, so it rises with the age, except for the time `grace` in which no checkpoint is due: a
/// source that has nothing to say does not make a stream late.
pub(crate) fn at_reading(lag: Option<f64>, age: f64, grace: u32) -> Option<f64> {
    let late = (age - f64::from(grace)).max(0.0);
    match lag {
        Some(lag) => Some(lag + late),
        // The session has only begun, and the source told of nothing.
        None if late > 0.0 => Some(age),
        None => None,
    }
}

/// A length of time as people read it.
#[must_use]
pub fn length(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 120.0 => format!("{seconds:.1} s"),
        seconds if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{:.1} h", seconds / 3_600.0),
        seconds => format!("{:.1} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_once_a_checkpoint_is_due() {
        assert_eq!(at_reading(Some(0.0), 9.0, 10), Some(0.0));
        assert_eq!(at_reading(Some(0.5), 12.0, 10), Some(2.5));
        assert_eq!(at_reading(Some(0.5), 12.0, 0), Some(12.5));
        assert_eq!(at_reading(None, 9.0, 10), None);
        assert_eq!(at_reading(None, 12.0, 10), Some(12.0));
    }
}
