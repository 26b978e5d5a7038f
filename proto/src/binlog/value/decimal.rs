//! DECIMAL (`MYSQL_TYPE_NEWDECIMAL`).

use crate::error::{Error, Fault, Kind, Parsed, read};

use super::digits::{POWERS, push_nine, push_padded};
use super::int::write_uint;

const WHAT: &str = "NEWDECIMAL";
const DIGITS_PER_GROUP: u8 = 9;

/// `DECIMAL_BUFF_LENGTH` groups in MySQL's `include/decimal.h`.
const MAX_DIGITS: u8 = 9 * DIGITS_PER_GROUP;

/// An exact number of up to 65 digits.
///
/// ```text
/// integer part     (precision - scale) digits: a short group of the first digits, then groups of 9
/// fraction         scale digits: groups of 9, then a short group of the last digits
/// ```
///
/// A group is a big-endian integer; 9 digits take 4 bytes, 1–8 digits take 1, 1, 2, 2, 3, 3, 4, 4.
/// The very first bit is 1 for numbers that are not negative; in a negative number, all other bits
/// are inverted.
///
/// Source: `decimal2bin` in MySQL's `strings/decimal.cc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal<'a> {
    bytes: &'a [u8],
    precision: u8,
    scale: u8,
}

impl<'a> Decimal<'a> {
    /// The bytes that a column of this precision and scale takes; 0 digits where the scale
    /// exceeds the precision.
    #[must_use]
    #[inline(always)]
    pub fn width(precision: u8, scale: u8) -> usize {
        // Asked for every value.
        #[allow(clippy::indexing_slicing, reason = "done when it is compiled")]
        const PARTS: [u8; 82] = {
            let mut parts = [0; 82];
            let mut digits = 0;
            while digits < parts.len() {
                parts[digits] = part_width(digits);
                digits += 1;
            }
            parts
        };
        let part = |digits: u8| usize::from(PARTS.get(usize::from(digits)).copied().unwrap_or(0));
        part(precision.saturating_sub(scale)) + part(scale)
    }

    /// A number of `precision` digits, of which `scale` (not more than the precision) are behind the point.
    ///
    /// Columns have 1–65 digits, 0–30 of them behind the point, in MariaDB 0–38. In a JSON document the server counts
    /// whole groups of digits, up to 81.
    ///
    /// # Errors
    /// When precision or scale is out of range, or `bytes` are not as many as they ask for.
    #[inline(always)]
    pub fn new(bytes: &'a [u8], precision: u8, scale: u8) -> Result<Self, Error> {
        if !matches!(precision, 1..=MAX_DIGITS) {
            return Err(Error::new(WHAT, Kind::Invalid("precision is not 1 to 81")));
        }
        if scale > precision {
            return Err(Error::new(
                WHAT,
                Kind::Invalid("scale is above the precision"),
            ));
        }
        let width = Self::width(precision, scale);
        let (kind, offset) = match bytes.len() {
            len if len < width => (Kind::Truncated, len),
            len if len > width => (Kind::TrailingBytes, width),
            _ => {
                return Ok(Self {
                    bytes,
                    precision,
                    scale,
                });
            }
        };
        Err(Error {
            what: WHAT,
            kind,
            offset,
        })
    }

    /// Appends the number with all the digits of its scale, as MySQL prints it: `-0.50`, `7`.
    ///
    /// # Errors
    /// When a group of digits holds more than its digits can; `out` is then as it was.
    pub fn write_to(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        read(WHAT, self.bytes, |input| self.write_groups(input, out))
            .inspect_err(|_| out.truncate(start))
    }

    fn write_groups(&self, input: &'a [u8], out: &mut Vec<u8>) -> Parsed<'a, ()> {
        let negative = input.first().is_some_and(|byte| byte & 0x80 == 0);
        let inverted = if negative { u32::MAX } else { 0 };
        if negative {
            out.push(b'-');
        }

        let mut rest = input;
        // Only the first group has the sign bit, which is 1 once the inversion is undone.
        let mut sign = 1 << 31;
        let mut group = |digits: u8| match group(rest, digits, inverted ^ sign) {
            Some((after, value)) => {
                rest = after;
                sign = 0;
                Ok(value)
            }
            None => Err(Fault::invalid(rest, "more than the digits of a group")),
        };

        let integer_digits = self.precision.saturating_sub(self.scale);
        // Zeros in front are not printed.
        let mut leading = 0;
        let mut groups = integer_digits / DIGITS_PER_GROUP;
        match integer_digits % DIGITS_PER_GROUP {
            0 => {}
            short => leading = group(short)?,
        }
        while leading == 0 && groups > 0 {
            leading = group(DIGITS_PER_GROUP)?;
            groups -= 1;
        }
        write_uint(out, leading.into());
        for _ in 0..groups {
            push_nine(out, group(DIGITS_PER_GROUP)?);
        }

        if self.scale > 0 {
            out.push(b'.');
        }
        for _ in 0..self.scale / DIGITS_PER_GROUP {
            push_nine(out, group(DIGITS_PER_GROUP)?);
        }
        match self.scale % DIGITS_PER_GROUP {
            0 => {}
            short => push_padded(out, group(short)?, short.into()),
        }
        Ok((rest, ()))
    }
}

/// The group of `digits` digits at the front of `input`, and what is behind it; `None` when it holds more than
/// they can. `flip` are the bits to invert, as if every group had 4 bytes.
#[inline(always)]
fn group(input: &[u8], digits: u8, flip: u32) -> Option<(&[u8], u32)> {
    let (rest, bits, unused) = match group_width(digits) {
        1 => {
            let ([a], rest) = input.split_first_chunk()?;
            (rest, [*a, 0, 0, 0], 24)
        }
        2 => {
            let ([a, b], rest) = input.split_first_chunk()?;
            (rest, [*a, *b, 0, 0], 16)
        }
        3 => {
            let ([a, b, c], rest) = input.split_first_chunk()?;
            (rest, [*a, *b, *c, 0], 8)
        }
        _ => {
            let (bits, rest) = input.split_first_chunk()?;
            (rest, *bits, 0)
        }
    };
    let value = (u32::from_be_bytes(bits) ^ flip) >> unused;
    let limit = POWERS.get(usize::from(digits))?;
    (value < *limit).then_some((rest, value))
}

/// The bytes of a group of up to 9 digits.
const fn group_width(digits: u8) -> usize {
    if digits < DIGITS_PER_GROUP {
        digits.div_ceil(2) as usize
    } else {
        4
    }
}

/// The bytes of up to 65 digits before or behind the point.
const fn part_width(digits: usize) -> u8 {
    let mut width = 0;
    let mut left = digits;
    while left >= 9 {
        left -= 9;
        width += 4;
    }
    while left > 0 {
        left = left.saturating_sub(2);
        width += 1;
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::value::tests::hex;

    fn print(bytes: &[u8], precision: u8, scale: u8) -> Result<String, Error> {
        let mut out = b"x=".to_vec();
        let printed = Decimal::new(bytes, precision, scale).and_then(|d| d.write_to(&mut out));
        if printed.is_err() {
            assert_eq!(out, b"x=");
        }
        printed.map(|()| String::from_utf8(out.split_off(2)).unwrap())
    }

    /// Bytes from a binlog of MySQL 9.7.4, text from its SELECT.
    #[test]
    fn prints_as_the_server_does() {
        let cases = [
            (
                "85f5e0ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff03e7",
                65,
                30,
                "99999999999999999999999999999999999.999999999999999999999999999999",
            ),
            (
                "7a0a1f00c4653600c4653600c4653600c4653600c4653600c4653600fc18",
                65,
                30,
                "-99999999999999999999999999999999999.999999999999999999999999999999",
            ),
            (
                "800000000000000000000000000000000000000000000000000000000000",
                65,
                30,
                "0.000000000000000000000000000000",
            ),
            (
                "800000000000000000000000000000000000000000000000000000000001",
                65,
                30,
                "0.000000000000000000000000000001",
            ),
            (
                "7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe",
                65,
                30,
                "-0.000000000000000000000000000001",
            ),
            (
                "8000000000000000000000010dfb38d20000000100000000000000000000",
                65,
                30,
                "1234567890.000000001000000000000000000000",
            ),
            ("89", 1, 0, "9"),
            ("76", 1, 0, "-9"),
            ("80", 1, 0, "0"),
            (
                "bb9ac9ff3b9ac9ff3b9ac9ff03e7",
                30,
                30,
                "0.999999999999999999999999999999",
            ),
            (
                "79609438f9609438f9609438ff90",
                30,
                30,
                "-0.111111111111111111111111111111",
            ),
            (
                "8000000000000000000000000000",
                30,
                30,
                "0.000000000000000000000000000000",
            ),
            (
                "e33b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff3b9ac9ff",
                65,
                0,
                "99999999999999999999999999999999999999999999999999999999999999999",
            ),
            (
                "7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffe",
                65,
                0,
                "-1",
            ),
            (
                "8000000000000000000000000000000000000000000000000100000000",
                65,
                0,
                "1000000000",
            ),
            ("8000000000", 10, 2, "0.00"),
            ("7ffffffffe", 10, 2, "-0.01"),
            ("80bc614e5a", 10, 2, "12345678.90"),
            ("810dfb38d204d2", 14, 4, "1234567890.1234"),
            ("7ef204c72dfb2d", 14, 4, "-1234567890.1234"),
        ];
        for (bytes, precision, scale, expected) in cases {
            assert_eq!(
                print(&hex(bytes), precision, scale).as_deref(),
                Ok(expected),
                "{bytes}"
            );
        }
    }

    /// From `decimal_bin_size` of the server's source: `dig2bytes`, and 4 bytes a full group.
    #[test]
    fn widths() {
        let one_part = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5];
        for (digits, width) in (0..).zip(one_part) {
            assert_eq!(Decimal::width(digits, 0), width);
            assert_eq!(Decimal::width(digits, digits), width);
        }
        assert_eq!(Decimal::width(65, 30), 30);
    }

    #[test]
    fn refuses_what_no_column_holds() {
        assert!(Decimal::new(&[], 0, 0).is_err());
        assert!(Decimal::new(&[0x80; 37], 82, 0).is_err());
        assert!(Decimal::new(&[0x80], 1, 2).is_err());
        let error = Decimal::new(&[0x80, 0], 10, 2).unwrap_err();
        assert_eq!((error.kind, error.offset), (Kind::Truncated, 2));
        let error = Decimal::new(&[0x80, 0], 1, 0).unwrap_err();
        assert_eq!((error.kind, error.offset), (Kind::TrailingBytes, 1));
    }

    #[test]
    fn refuses_a_group_above_its_digits() {
        // 10 in one digit, 1,000,000,000 in nine, and the same behind valid digits.
        assert!(print(&[0x8A], 1, 0).is_err());
        assert!(print(&[0x75], 1, 0).is_err());
        assert!(print(&[0xBB, 0x9A, 0xCA, 0x00], 9, 0).is_err());
        let error = print(&[0x81, 0x3B, 0x9A, 0xCA, 0x00, 0x00], 12, 2).unwrap_err();
        assert_eq!(error.offset, 1, "{error}");
        let error = print(&[0x81, 0x00, 0x00, 0x00, 0x01, 0x64], 12, 2).unwrap_err();
        assert_eq!(error.offset, 5, "{error}");
    }

    proptest::proptest! {
        #[test]
        fn prints_all_digits_or_nothing(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..34),
            precision: u8,
            scale: u8,
        ) {
            if let Ok(text) = print(&bytes, precision, scale) {
                let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
                assert_eq!(fraction.len(), usize::from(scale));
            }
        }
    }
}
