//! Moments as people write them: absolute, with a zone or in UTC, or before now.

use std::time::Duration;

use crate::clock;
use crate::index::record::Micros;

const SECOND: Micros = 1_000_000;
const DAY: Micros = 86_400 * SECOND;

/// What [`parse`] takes, for messages.
pub const FORMS: &str = "2026-11-25, 2026-11-25T12:30:00.5 or 2026-11-25 12:30:00+01:00 (without a zone UTC), or before \
     now: 90s, 30m, 2h, 7d";

/// The moment that `text` means. `now` is what it counts back from.
#[must_use]
pub fn parse(text: &str, now: Micros) -> Option<Micros> {
    let text = text.trim();
    before_now(text, now).or_else(|| absolute(text))
}

/// `text` with this machine's zone, where it names a moment without one and the machine's is another than UTC then.
#[must_use]
pub fn in_local_zone(text: &str) -> Option<String> {
    let text = text.trim();
    let as_utc = absolute(text)?;
    let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00"));
    if time.contains(['Z', 'z', '+', '-']) {
        return None;
    }
    let ahead = clock::local_ahead(as_utc.div_euclid(SECOND))?;
    let (sign, minutes) = (if ahead < 0 { '-' } else { '+' }, ahead.abs() / 60);
    (ahead != 0).then(|| {
        let time = time.trim();
        format!("{date}T{time}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    })
}

/// The length of time that `text` means, such as `90s`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let micros = length(text.trim())?;
    Some(Duration::from_micros(u64::try_from(micros).ok()?))
}

fn before_now(text: &str, now: Micros) -> Option<Micros> {
    now.checked_sub(length(text)?)
}

fn length(text: &str) -> Option<Micros> {
    let unit = match text.chars().last()? {
        's' => SECOND,
        'm' => 60 * SECOND,
        'h' => 3_600 * SECOND,
        'd' => DAY,
        _ => return None,
    };
    let count = number(text.get(..text.len().checked_sub(1)?)?)?;
    count.checked_mul(unit)
}

fn absolute(text: &str) -> Option<Micros> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time.trim())),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let mut part = |len: usize| number(parts.next().filter(|part| part.len() == len)?);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() || day < 1 || day > days_in(year, month)? {
        return None;
    }
    let midnight = days_since_1970(year, month, day).checked_mul(DAY)?;
    let Some(time) = time else {
        return Some(midnight);
    };
    let (clock, behind_utc) = zone(time)?;
    midnight
        .checked_add(of_day(clock)?)?
        .checked_sub(behind_utc)
}

/// Splits off the zone: how far it is ahead of UTC.
fn zone(time: &str) -> Option<(&str, Micros)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, 0));
    };
    let (clock, zone) = time.split_at_checked(at)?;
    let digits = zone.get(1..)?.replace(':', "");
    if digits.len() != 4 && digits.len() != 2 {
        return None;
    }
    let hours = number(digits.get(..2)?)?;
    let minutes = digits
        .get(2..)
        .filter(|rest| !rest.is_empty())
        .map_or(Some(0), number)?;
    if hours > 14 || minutes > 59 {
        return None;
    }
    let ahead = (hours * 60 + minutes) * 60 * SECOND;
    Some((
        clock.trim_end(),
        if zone.starts_with('-') { -ahead } else { ahead },
    ))
}

fn of_day(clock: &str) -> Option<Micros> {
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let mut parts = clock.split(':');
    let mut part = |most: i64| {
        let part = parts.next()?;
        number(part).filter(|value| part.len() == 2 && *value <= most)
    };
    let (hours, minutes) = (part(23)?, part(59)?);
    let seconds = match clock.matches(':').count() {
        1 => 0,
        2 => part(59)?,
        _ => return None,
    };
    let micros = match fraction {
        None => 0,
        Some(digits) if digits.len() <= 6 => number(&format!("{digits:0<6}"))?,
        Some(_) => return None,
    };
    Some(((hours * 60 + minutes) * 60 + seconds) * SECOND + micros)
}

/// Digits only: no sign, and not nothing.
fn number(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    Some(match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    })
}

/// Years are counted from March, so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::rfc3339;

    fn shown(text: &str) -> Option<String> {
        // 2026-11-25T01:02:03Z
        parse(text, 1_795_568_523_000_000).map(rfc3339)
    }

    #[test]
    fn moments_as_people_write_them() {
        for (text, moment) in [
            ("2026-11-25", "2026-11-25T00:00:00.000000Z"),
            ("2026-11-25 12:30", "2026-11-25T12:30:00.000000Z"),
            ("2026-11-25T12:30:01.5Z", "2026-11-25T12:30:01.500000Z"),
            ("2026-11-25 00:30:01+01:00", "2026-11-24T23:30:01.000000Z"),
            (
                "2026-11-25T23:30:01.000001-0530",
                "2026-11-26T05:00:01.000001Z",
            ),
            ("2026-11-25 12:00:00 +02", "2026-11-25T10:00:00.000000Z"),
            ("2024-02-29", "2024-02-29T00:00:00.000000Z"),
            ("2h", "2026-11-24T23:02:03.000000Z"),
            ("90s", "2026-11-25T01:00:33.000000Z"),
            ("7d", "2026-11-18T01:02:03.000000Z"),
            ("30m", "2026-11-25T00:32:03.000000Z"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(moment), "{text}");
        }
        for text in [
            "",
            "h",
            "2",
            "-2h",
            "2026-02-29",
            "2026-13-01",
            "2026-1-1",
            "2026-11-25T24:00",
            "2026-11-25T12",
            "2026-11-25T12:30:00.1234567",
            "2026-11-25 12:30:00+15:00",
            "yesterday",
            "2026-11-25 12:30:00 CET",
            "99999999999999999d",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_comes_back() {
        for day in 0..150_000 {
            let moment = day * DAY;
            let text = rfc3339(moment);
            assert_eq!(parse(&text, 0), Some(moment), "{text}");
            assert_eq!(parse(&text[..10], 0), Some(moment), "{text}");
        }
    }
}
