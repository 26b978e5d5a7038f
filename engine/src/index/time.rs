//! Times as MySQL prints a `DATETIME(6)`.

use std::time::{SystemTime, UNIX_EPOCH};

use super::record::Micros;

/// `YYYY-MM-DD hh:mm:ss.ffffff`.
pub(crate) const TIMESTAMP_LEN: usize = 26;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Now, UTC.
pub(crate) fn now() -> Micros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}

/// The time as MySQL prints it; for years 0 to 9999, which is what a `DATETIME` holds.
pub(crate) fn timestamp(micros: Micros) -> [u8; TIMESTAMP_LEN] {
    let (year, month, day) = civil(micros.div_euclid(MICROS_PER_DAY));
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let seconds = of_day / 1_000_000;
    let mut out = *b"0000-00-00 00:00:00.000000";
    let mut put = |end: usize, digits: usize, mut value: i64| {
        for slot in out.iter_mut().take(end).rev().take(digits) {
            *slot = b'0' + u8::try_from(value.rem_euclid(10)).unwrap_or(0);
            value /= 10;
        }
    };
    put(4, 4, year);
    put(7, 2, month);
    put(10, 2, day);
    put(13, 2, seconds / 3600);
    put(16, 2, seconds / 60 % 60);
    put(19, 2, seconds % 60);
    put(26, 6, of_day % 1_000_000);
    out
}

/// The Gregorian date of a day counted from 1970-01-01.
fn civil(day: i64) -> (i64, i64, i64) {
    // Years are counted from March, so that the leap day is the last of its year, and the
    // calendar repeats every 400 years (146097 days).
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (month, wrap) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (year + era * 400 + wrap, month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_sqlite_does() {
        let sqlite = rusqlite::Connection::open_in_memory().unwrap();
        let mut query = sqlite
            .prepare("SELECT strftime('%Y-%m-%d %H:%M:%S', ?1, 'unixepoch')")
            .unwrap();
        // Every day from 1970 for 300 years, and the end of time.
        let days = (0..110_000).map(|day| day * 86_400 + day % 86_400);
        for seconds in days.chain([253_402_300_799]) {
            let expected: String = query.query_row([seconds], |row| row.get(0)).unwrap();
            let got = timestamp(seconds * 1_000_000 + 42);
            assert_eq!(
                std::str::from_utf8(&got).unwrap(),
                format!("{expected}.000042")
            );
        }
    }
}
