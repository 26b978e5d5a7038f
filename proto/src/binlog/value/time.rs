//! TIME (`MYSQL_TYPE_TIME2`, and `MYSQL_TYPE_TIME` of tables made before MySQL 5.6).

use crate::error::{Error, Fault, read};
use crate::primitive::{int_be, int3};

use crate::binlog::column::old_fraction_width;

use super::clock::{Clock, split_decimal, unpack};
use super::fraction;

const MAX_HOUR: u16 = 838;

/// An amount of time, from -838:59:59 to 838:59:59, with up to 6 fractional digits.
///
/// ```text
/// TIME2   3 bytes: 1 bit sign (1 = not negative), 1 bit 0, 10 bits hours, 6 minutes, 6 seconds
///         (fsp + 1) / 2 bytes: fraction
/// TIME    3 bytes, little-endian, signed: the decimal number hhhmmss
///         in MariaDB with fsp > 0: 4 to 6 bytes, big-endian: 839 hours and the amount, counted in its last digit
/// ```
///
/// A TIME2 is one big-endian number over all its bytes, to which the sign bit was added: in a
/// negative one, whole seconds borrow from the fraction.
///
/// Source: `my_time_packed_to_binary` in MySQL's `sql-common/my_time.cc`, WL#946; `Field_time` in
/// `sql/field.cc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    negative: bool,
    clock: Clock,
}

impl Time {
    /// The bytes of the old format without a fraction.
    pub const OLD_WIDTH: usize = 3;

    /// The bytes of a TIME2 with `fsp` fractional digits.
    #[must_use]
    pub const fn width(fsp: u8) -> usize {
        3 + fraction::width(fsp)
    }

    /// Reads a TIME2 with `fsp` (0–6) fractional digits, of [`Self::width`] bytes.
    ///
    /// # Errors
    /// When `bytes` are not as many, or the value is out of range.
    #[inline(always)]
    pub fn new(bytes: &[u8], fsp: u8) -> Result<Self, Error> {
        const WHAT: &str = "TIME2";
        fraction::check_fsp(WHAT, fsp)?;
        read(WHAT, bytes, |input| {
            let fraction_bits = 8 * fraction::width(fsp);
            // Of a width that is known to the compiler.
            let (rest, stored) = match fraction::width(fsp) {
                0 => int_be(3)(input)?,
                1 => int_be(4)(input)?,
                2 => int_be(5)(input)?,
                _ => int_be(6)(input)?,
            };
            let sign = 0x80_0000 << fraction_bits;
            let amount = stored.abs_diff(sign);
            let micros = u32::try_from(amount & ((1 << fraction_bits) - 1))
                .ok()
                .and_then(|stored| fraction::micros(stored, fsp))
                .ok_or_else(|| Fault::invalid(input, "fraction of a second out of range"))?;
            let clock = Clock::whole_seconds(input, MAX_HOUR, unpack(amount >> fraction_bits))?
                .with_fraction(micros, fsp);
            Ok((
                rest,
                Self {
                    negative: stored < sign,
                    clock,
                },
            ))
        })
    }

    /// Reads a TIME of the old format, with `fsp` (0–6) fractional digits.
    ///
    /// # Errors
    /// When `bytes` are not as many as its column's width, or the value is out of range.
    pub fn new_old(bytes: &[u8], fsp: u8) -> Result<Self, Error> {
        if fsp > 0 {
            return Self::new_old_fraction(bytes, fsp);
        }
        read("TIME", bytes, |input| {
            let (rest, stored) = int3(input)?;
            let negative = stored & 0x80_0000 != 0;
            let amount = if negative {
                0x100_0000 - stored
            } else {
                stored
            };
            let clock = Clock::whole_seconds(input, MAX_HOUR, split_decimal(amount.into()))?;
            Ok((rest, Self { negative, clock }))
        })
    }

    fn new_old_fraction(bytes: &[u8], fsp: u8) -> Result<Self, Error> {
        fraction::check_fsp("TIME", fsp)?;
        read("TIME", bytes, |input| {
            let (rest, stored) = int_be(3 + usize::from(old_fraction_width(fsp)))(input)?;
            let zero = fraction::per_second(fsp) * 3600 * u64::from(MAX_HOUR + 1);
            let (seconds, micros) = fraction::split(stored.abs_diff(zero), fsp);
            let clock = [seconds / 3600, seconds / 60 % 60, seconds % 60];
            let clock = Clock::whole_seconds(input, MAX_HOUR, clock)?.with_fraction(micros, fsp);
            let negative = stored < zero;
            Ok((rest, Self { negative, clock }))
        })
    }

    /// Appends `[-]hh:mm:ss[.f…]`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        self.clock.write_to(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::value::tests::hex;

    fn print(value: Result<Time, Error>) -> Result<String, Error> {
        value.map(|value| {
            let mut out = Vec::new();
            value.write_to(&mut out);
            String::from_utf8(out).unwrap()
        })
    }

    /// Bytes from a binlog of MySQL 9.7.4, text from its SELECT.
    #[test]
    fn prints_as_the_server_does() {
        let cases = [
            ("4b9105", 0, "-838:59:59"),
            ("b46efb", 0, "838:59:59"),
            ("800000", 0, "00:00:00"),
            ("7fffff", 0, "-00:00:01"),
            ("80c8b8", 0, "12:34:56"),
            ("7ffffff6", 1, "-00:00:00.1"),
            ("80c8b85a", 1, "12:34:56.9"),
            ("7f3747a6", 1, "-12:34:56.9"),
            ("7ffffece", 2, "-00:00:01.50"),
            ("7fffffff", 2, "-00:00:00.01"),
            ("7ffffeec78", 3, "-00:00:01.500"),
            ("7ffffffff6", 3, "-00:00:00.001"),
            ("b46efa2706", 3, "838:59:58.999"),
            ("7fffffffff", 4, "-00:00:00.0001"),
            ("7ff0000000", 4, "-01:00:00.0000"),
            ("7ffffffffff6", 5, "-00:00:00.00001"),
            ("4b9105000000", 6, "-838:59:59.000000"),
            ("b46efb000000", 6, "838:59:59.000000"),
            ("7fffffffffff", 6, "-00:00:00.000001"),
            ("7ffffef85ee0", 6, "-00:00:01.500000"),
            ("800000000001", 6, "00:00:00.000001"),
            ("800000000000", 6, "00:00:00.000000"),
        ];
        for (bytes, fsp, expected) in cases {
            let bytes = hex(bytes);
            assert_eq!(bytes.len(), Time::width(fsp));
            assert_eq!(print(Time::new(&bytes, fsp)).as_deref(), Ok(expected));
        }
    }

    /// The layout of the server's `Field_time`; no server since 5.6 makes such a column.
    #[test]
    fn old_format() {
        assert_eq!(
            print(Time::new_old(&[0x40, 0xE2, 0x01], 0)).as_deref(),
            Ok("12:34:56")
        );
        assert_eq!(
            print(Time::new_old(&[0xC0, 0x1D, 0xFE], 0)).as_deref(),
            Ok("-12:34:56")
        );
        assert_eq!(
            print(Time::new_old(&[0, 0, 0], 0)).as_deref(),
            Ok("00:00:00")
        );
        // 8385959 and 8385960
        assert_eq!(
            print(Time::new_old(&[0xA7, 0xF5, 0x7F], 0)).as_deref(),
            Ok("838:59:59")
        );
        assert!(Time::new_old(&[0xA8, 0xF5, 0x7F], 0).is_err());
    }

    /// Bytes from a binlog of MariaDB 11.8 with `mysql56_temporal_format=OFF`, text from its SELECT.
    #[test]
    fn old_format_with_fractions() {
        let cases = [
            ("00000001", 1, "-838:59:59.9"),
            ("01c5f6f7", 1, "-12:34:56.9"),
            ("1200c32a", 2, "-00:00:01.50"),
            ("2401877f", 2, "838:59:59.99"),
            ("00b407a580", 3, "00:00:00.000"),
            ("00b1547825", 3, "-12:34:56.987"),
            ("07234c34d2", 4, "12:34:56.7890"),
            ("4652fa5c10", 5, "-00:00:01.50000"),
            ("02bf3dde7bff", 6, "-00:00:00.000001"),
            ("057e7bbcf7ff", 6, "838:59:59.999999"),
            ("000000000001", 6, "-838:59:59.999999"),
        ];
        for (bytes, fsp, expected) in cases {
            assert_eq!(
                print(Time::new_old(&hex(bytes), fsp)).as_deref(),
                Ok(expected)
            );
        }
        // 839 hours either way, too many digits, and a byte too few.
        assert!(Time::new_old(&hex("00000000"), 1).is_err());
        assert!(Time::new_old(&hex("0399c0c0"), 1).is_err());
        assert!(Time::new_old(&hex("000000000001"), 7).is_err());
        assert!(Time::new_old(&hex("0000000001"), 6).is_err());
    }

    #[test]
    fn refuses_what_no_column_holds() {
        assert!(Time::new(&hex("80c8b8"), 7).is_err());
        assert!(Time::new(&hex("80c8b8"), 1).is_err());
        assert!(Time::new(&hex("80c8b800"), 0).is_err());
        // 839:00:00, 00:60:00, 00:00:60, and the lowest number.
        for bytes in ["b47000", "800f00", "80003c", "000000"] {
            assert!(Time::new(&hex(bytes), 0).is_err(), "{bytes}");
        }
        // 100/100 s, 10,000/10,000 s, 1,000,000 µs; and 2 digits where the column has 1.
        assert!(Time::new(&hex("80000064"), 2).is_err());
        assert!(Time::new(&hex("8000002710"), 4).is_err());
        assert!(Time::new(&hex("8000000f4240"), 6).is_err());
        assert!(Time::new(&hex("8000005b"), 1).is_err());
    }
}
