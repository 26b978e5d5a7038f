//! The fraction of a second behind TIME2, DATETIME2 and TIMESTAMP2 values.
//!
//! `(fsp + 1) / 2` bytes, big-endian, in units of the even number of digits that fits: 1/100 s
//! in one byte, 1/10,000 s in two, 1/1,000,000 s in three.
//!
//! Source: WL#946 and `sql-common/my_time.cc`, `my_timestamp_from_binary`.

use crate::error::{Error, Fault, Kind, Parsed};
use crate::primitive::int_be;

use super::digits::{four, two};

/// The bytes that `fsp` fractional digits take.
pub(super) const fn width(fsp: u8) -> usize {
    fsp.div_ceil(2) as usize
}

/// How many of the last of `fsp` (0–6) digits make a second.
pub(super) const fn per_second(fsp: u8) -> u64 {
    10_u64.pow(fsp as u32)
}

/// The seconds in a number counted in the last of `fsp` digits, and the microseconds beside them.
pub(super) fn split(number: u64, fsp: u8) -> (u64, u32) {
    let per_second = per_second(fsp);
    let micros = number % per_second * (1_000_000 / per_second);
    (
        number / per_second,
        u32::try_from(micros).unwrap_or_default(),
    )
}

/// Refuses more fractional digits than MySQL has.
pub(super) const fn check_fsp(what: &'static str, fsp: u8) -> Result<(), Error> {
    if fsp > 6 {
        return Err(Error::new(
            what,
            Kind::Invalid("more than 6 fractional digits"),
        ));
    }
    Ok(())
}

/// Reads the fraction of a second, as microseconds.
#[inline(always)]
pub(super) fn fraction(fsp: u8) -> impl for<'a> Fn(&'a [u8]) -> Parsed<'a, u32> {
    move |input| {
        if fsp == 0 {
            return Ok((input, 0));
        }
        // Of a width that is known to the compiler.
        let (rest, stored) = match width(fsp) {
            1 => int_be(1)(input)?,
            2 => int_be(2)(input)?,
            _ => int_be(3)(input)?,
        };
        match u32::try_from(stored).ok().and_then(|n| micros(n, fsp)) {
            Some(micros) => Ok((rest, micros)),
            None => Err(Fault::invalid(input, "fraction of a second out of range")),
        }
    }
}

/// The microseconds that a stored fraction stands for, if a column of `fsp` digits can hold it.
///
/// The server rounds a value to `fsp` digits before it stores it, so with an odd `fsp` the last
/// of the stored digits is 0.
#[inline]
pub(super) fn micros(stored: u32, fsp: u8) -> Option<u32> {
    let limit = match width(fsp) {
        0 => 1,
        1 => 100,
        2 => 10_000,
        _ => 1_000_000,
    };
    let unused_digit = fsp % 2 == 1 && !stored.is_multiple_of(10);
    if stored >= limit || unused_digit {
        return None;
    }
    Some(stored * (1_000_000 / limit))
}

/// Appends a point and `fsp` digits; nothing when `fsp` is 0.
#[inline]
pub(super) fn write(out: &mut Vec<u8>, micros: u32, fsp: u8) {
    if fsp == 0 {
        return;
    }
    let end = out.len().saturating_add(1).saturating_add(fsp.into());
    let ([a, b], [c, d, e, f]) = (two(micros / 10_000), four(micros));
    out.extend_from_slice(&[b'.', a, b, c, d, e, f]);
    out.truncate(end);
}
