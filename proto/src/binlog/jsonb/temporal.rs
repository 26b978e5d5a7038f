//! Dates and times in opaque values: 8 bytes, little-endian, signed.
//!
//! ```text
//! date and time  (year * 13 + month) << 46 | day << 41 | hour << 36 | minute << 30
//!                | second << 24 | microseconds
//! time           hours << 36 | minute << 30 | second << 24 | microseconds; negated if negative
//! ```
//!
//! Source: `TIME_to_longlong_datetime_packed` and `TIME_to_longlong_time_packed` in MySQL's
//! `mysys/my_time.cc`.

use std::io::Write as _;

use crate::error::{Error, Kind, read};
use crate::primitive::array;

const WHAT: &str = "JSON date or time";
const OUT_OF_RANGE: Error = Error::new(WHAT, Kind::Invalid("date or time out of range"));

/// Appends `YYYY-MM-DD hh:mm:ss.ffffff`.
pub(super) fn write_datetime(data: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let packed = packed(data)?;
    write_date_part(packed, out)?;
    out.push(b' ');
    write_clock(packed >> 36 & 31, 23, packed, out)
}

/// Appends `YYYY-MM-DD`.
pub(super) fn write_date(data: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    write_date_part(packed(data)?, out)
}

/// Appends `[-]hh:mm:ss.ffffff`, with a third digit for hours above 99.
pub(super) fn write_time(data: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let packed = packed(data)?;
    if packed < 0 {
        out.push(b'-');
    }
    let packed = packed.checked_abs().ok_or(OUT_OF_RANGE)?;
    write_clock(packed >> 36, 838, packed, out)
}

fn packed(data: &[u8]) -> Result<i64, Error> {
    read(WHAT, data, array).map(i64::from_le_bytes)
}

fn write_date_part(packed: i64, out: &mut Vec<u8>) -> Result<(), Error> {
    let months = packed >> 46;
    let (year, month, day) = (months / 13, months % 13, packed >> 41 & 31);
    if !(0..=9999).contains(&year) || month < 0 {
        return Err(OUT_OF_RANGE);
    }
    write!(out, "{year:04}-{month:02}-{day:02}").map_err(|_| OUT_OF_RANGE)
}

fn write_clock(hour: i64, max_hour: i64, packed: i64, out: &mut Vec<u8>) -> Result<(), Error> {
    let (minute, second, micros) = (packed >> 30 & 63, packed >> 24 & 63, packed & 0xFF_FFFF);
    if hour > max_hour || minute > 59 || second > 59 || micros > 999_999 {
        return Err(OUT_OF_RANGE);
    }
    write!(out, "{hour:02}:{minute:02}:{second:02}.{micros:06}").map_err(|_| OUT_OF_RANGE)
}
