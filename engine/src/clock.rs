//! The time, as the index keeps it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::index::record::Micros;
use crate::index::time::{TIMESTAMP_LEN, timestamp};

/// Now. Clocks set before 1970 read as 1970.
#[must_use]
pub fn now() -> Micros {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| Micros::try_from(since.as_micros()).ok())
        .unwrap_or(0)
}

/// How many seconds the machine's zone is ahead of UTC when its own clocks show what those of UTC show at `seconds` since 1970.
pub(crate) fn local_ahead(seconds: i64) -> Option<i64> {
    // SQLite asks the C library, which is not safe to ask from here.
    let sqlite = rusqlite::Connection::open_in_memory().ok()?;
    let sql = "SELECT ?1 - unixepoch(?1, 'unixepoch', 'utc')";
    sqlite.query_row(sql, [seconds], |row| row.get(0)).ok()
}

/// Seconds from `time` to `now`, never negative: the source's clock may be ahead.
#[must_use]
pub fn seconds_between(time: Micros, now: Micros) -> f64 {
    let micros = u64::try_from(now.saturating_sub(time)).unwrap_or(0);
    std::time::Duration::from_micros(micros).as_secs_f64()
}

/// The time as RFC 3339 has it, with microseconds, UTC.
#[must_use]
pub fn rfc3339(time: Micros) -> String {
    String::from_utf8_lossy(&rfc3339_bytes(time)).into_owned()
}

/// [`rfc3339`] without a string made for it.
pub(crate) fn rfc3339_bytes(time: Micros) -> [u8; TIMESTAMP_LEN + 1] {
    let mut text = [b'Z'; TIMESTAMP_LEN + 1];
    for (to, byte) in text.iter_mut().zip(timestamp(time)) {
        *to = if byte == b' ' { b'T' } else { byte };
    }
    text
}
