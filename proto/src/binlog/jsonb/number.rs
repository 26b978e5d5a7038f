//! Floating-point numbers as the server prints them.

use crate::binlog::value::int::write_int;

/// Up to this many digits before the point, and below as many zeros behind it, the server prints
/// a number without an exponent: `MAX_DECPT_FOR_F_FORMAT`.
const MAX_PLAIN: i32 = 15;

/// Appends `value`, which is finite, with the fewest digits that read back the same, and with
/// `.0` when nothing else tells it from a whole number: `1.0`, `3.14`, `1e300`, `-1.5e-20`.
///
/// Source: `my_gcvt` in MySQL's `strings/dtoa.cc` with the widest field, and `wrapper_to_string`
/// in `sql-common/json_dom.cc`.
pub(super) fn write_double(value: f64, out: &mut Vec<u8>) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value == 0.0 {
        out.extend_from_slice(b"0.0");
        return;
    }
    let mut buffer = [0; 32];
    let (digits, point) = digits(value.abs(), &mut buffer);
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if point > -MAX_PLAIN && (point <= MAX_PLAIN || count > point) {
        let (whole, fraction) = match usize::try_from(point) {
            Ok(point) => digits.split_at_checked(point).unwrap_or((digits, b"")),
            Err(_) => (&b""[..], digits),
        };
        out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
        zeros(point - count, out);
        out.push(b'.');
        zeros(-point, out);
        out.extend_from_slice(if fraction.is_empty() { b"0" } else { fraction });
    } else {
        let (first, more) = digits.split_at_checked(1).unwrap_or((digits, b""));
        out.extend_from_slice(first);
        if !more.is_empty() {
            out.push(b'.');
            out.extend_from_slice(more);
        }
        out.push(b'e');
        write_int(out, i64::from(point - 1));
    }
}

/// The significant digits of a positive number, and how many of them (or, below 0, how many zeros
/// more) lie before the point.
fn digits(value: f64, buffer: &mut [u8; 32]) -> (&[u8], i32) {
    let mut shortest = zmij::Buffer::new();
    let text = shortest.format_finite(value);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mut point = exponent + i32::try_from(whole.len()).unwrap_or(0);
    let (mut length, mut significant) = (0, 0);
    for digit in whole.bytes().chain(fraction.bytes()) {
        if digit == b'0' && length == 0 {
            point -= 1;
            continue;
        }
        if let Some(slot) = buffer.get_mut(length) {
            *slot = digit;
        }
        length += 1;
        if digit != b'0' {
            significant = length;
        }
    }
    (buffer.get(..significant).unwrap_or_default(), point)
}

fn zeros(count: i32, out: &mut Vec<u8>) {
    out.extend((0..count).map(|_| b'0'));
}
