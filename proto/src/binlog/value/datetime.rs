//! DATETIME (`MYSQL_TYPE_DATETIME2`, and `MYSQL_TYPE_DATETIME` of tables made before MySQL 5.6).

use crate::error::{Error, Fault, read};
use crate::primitive::{int_be, int8};

use crate::binlog::column::old_fraction_width;

use super::clock::{Clock, split_decimal, unpack};
use super::date::Date;
use super::digits::push_front;
use super::fraction::{self, fraction};

const MAX_HOUR: u16 = 23;

/// A date and a time of day, in no time zone, with up to 6 fractional digits.
///
/// ```text
/// DATETIME2   5 bytes, big-endian: 1 bit sign (always 1), 17 bits year * 13 + month, 5 day,
///             5 hour, 6 minute, 6 second
///             (fsp + 1) / 2 bytes: fraction
/// DATETIME    8 bytes, little-endian: the decimal number YYYYMMDDhhmmss
///             in MariaDB with fsp > 0: 6 to 8 bytes, big-endian: ((((year * 13 + month) * 32 + day) * 24 + hour)
///             * 60 + minute) * 60 + second and the fraction, counted in its last digit
/// ```
///
/// The date part is as [`Date`] allows it.
///
/// Source: `my_datetime_packed_to_binary` in MySQL's `sql-common/my_time.cc`, WL#946;
/// `Field_datetime` in `sql/field.cc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    date: Date,
    clock: Clock,
}

impl DateTime {
    /// The bytes of the old format without a fraction.
    pub const OLD_WIDTH: usize = 8;

    /// The bytes of a DATETIME2 with `fsp` fractional digits.
    #[must_use]
    pub const fn width(fsp: u8) -> usize {
        5 + fraction::width(fsp)
    }

    /// Reads a DATETIME2 with `fsp` (0–6) fractional digits, of [`Self::width`] bytes.
    ///
    /// # Errors
    /// When `bytes` are not as many, or the value is out of range.
    #[inline(always)]
    pub fn new(bytes: &[u8], fsp: u8) -> Result<Self, Error> {
        const WHAT: &str = "DATETIME2";
        fraction::check_fsp(WHAT, fsp)?;
        read(WHAT, bytes, |input| {
            let (rest, stored) = int_be(5)(input)?;
            let packed = stored
                .checked_sub(1 << 39)
                .ok_or_else(|| Fault::invalid(input, "negative date and time"))?;
            let months = packed >> 22;
            let date = Date::from_parts(input, months / 13, months % 13, packed >> 17 & 31)?;
            let clock = Clock::whole_seconds(input, MAX_HOUR, unpack(packed & 0x1_FFFF))?;
            let (rest, micros) = fraction(fsp)(rest)?;
            Ok((
                rest,
                Self {
                    date,
                    clock: clock.with_fraction(micros, fsp),
                },
            ))
        })
    }

    /// Reads a DATETIME of the old format, with `fsp` (0–6) fractional digits.
    ///
    /// # Errors
    /// When `bytes` are not as many as its column's width, or the value is out of range.
    pub fn new_old(bytes: &[u8], fsp: u8) -> Result<Self, Error> {
        if fsp > 0 {
            return Self::new_old_fraction(bytes, fsp);
        }
        read("DATETIME", bytes, |input| {
            let (rest, digits) = int8(input)?;
            let [year, month, day] = split_decimal(digits / 1_000_000);
            let date = Date::from_parts(input, year, month, day)?;
            let clock = Clock::whole_seconds(input, MAX_HOUR, split_decimal(digits % 1_000_000))?;
            Ok((rest, Self { date, clock }))
        })
    }

    fn new_old_fraction(bytes: &[u8], fsp: u8) -> Result<Self, Error> {
        fraction::check_fsp("DATETIME", fsp)?;
        read("DATETIME", bytes, |input| {
            let (rest, stored) = int_be(5 + usize::from(old_fraction_width(fsp)))(input)?;
            let (seconds, micros) = fraction::split(stored, fsp);
            let days = seconds / 86_400;
            let date = Date::from_parts(input, days / 32 / 13, days / 32 % 13, days % 32)?;
            let clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
            let clock = Clock::whole_seconds(input, MAX_HOUR, clock)?.with_fraction(micros, fsp);
            Ok((rest, Self { date, clock }))
        })
    }

    /// Appends `YYYY-MM-DD hh:mm:ss[.f…]`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        push_front(out, &self.date.text(), 11);
        self.clock.write_to(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::value::tests::hex;

    fn print(value: Result<DateTime, Error>) -> Result<String, Error> {
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
            ("8000000000", 0, "0000-00-00 00:00:00"),
            ("99b2000000", 0, "2024-00-00 00:00:00"),
            ("fef3ff7efb", 0, "9999-12-31 23:59:59"),
            ("8cb2420000", 0, "1000-01-01 00:00:00"),
            ("99b2bac8b85a", 1, "2024-02-29 12:34:56.9"),
            ("99b2bac8b809", 2, "2024-02-29 12:34:56.09"),
            ("99b2bac8b8005a", 3, "2024-02-29 12:34:56.009"),
            ("99b2bac8b80009", 4, "2024-02-29 12:34:56.0009"),
            ("99b2bac8b800005a", 5, "2024-02-29 12:34:56.00009"),
            ("8000000000000000", 6, "0000-00-00 00:00:00.000000"),
            ("fef3ff7efb0f423f", 6, "9999-12-31 23:59:59.999999"),
            ("99b2000000000000", 6, "2024-00-00 00:00:00.000000"),
            ("8000000000000001", 6, "0000-00-00 00:00:00.000001"),
            ("800000a2cc000000", 6, "0000-00-00 10:11:12.000000"),
            ("99b2be1083000004", 6, "2024-02-31 01:02:03.000004"),
            ("8003820000000000", 6, "0001-01-01 00:00:00.000000"),
        ];
        for (bytes, fsp, expected) in cases {
            let bytes = hex(bytes);
            assert_eq!(bytes.len(), DateTime::width(fsp));
            assert_eq!(print(DateTime::new(&bytes, fsp)).as_deref(), Ok(expected));
        }
    }

    /// The layout of the server's `Field_datetime`; no server since 5.6 makes such a column.
    #[test]
    fn old_format() {
        let old = |digits: u64| print(DateTime::new_old(&digits.to_le_bytes(), 0));
        assert_eq!(
            old(20_240_229_123_456).as_deref(),
            Ok("2024-02-29 12:34:56")
        );
        assert_eq!(
            old(99_991_231_235_959).as_deref(),
            Ok("9999-12-31 23:59:59")
        );
        assert_eq!(
            old(20_240_000_000_000).as_deref(),
            Ok("2024-00-00 00:00:00")
        );
        assert_eq!(old(0).as_deref(), Ok("0000-00-00 00:00:00"));
        for digits in [
            100_000_101_000_000,
            20_241_301_000_000,
            20_240_132_000_000,
            20_240_101_240_000,
            20_240_101_006_000,
            20_240_101_000_060,
            u64::MAX,
        ] {
            assert!(old(digits).is_err(), "{digits}");
        }
    }

    /// Bytes from a binlog of MariaDB 11.8 with `mysql56_temporal_format=OFF`, text from its SELECT.
    #[test]
    fn old_format_with_fractions() {
        let cases = [
            ("0344d965ffff", 1, "9999-12-31 23:59:59.9"),
            ("00a960d70005", 1, "2024-00-00 00:00:00.5"),
            ("069df958184c", 2, "2024-02-31 01:02:03.00"),
            ("000000000032", 2, "0000-00-00 00:00:00.50"),
            ("0146e4ebd7ffff", 3, "9999-12-31 23:59:59.999"),
            ("004229d3fc01f4", 3, "2024-00-00 00:00:00.500"),
            ("00005a8423df00", 4, "0001-01-01 23:00:00.0000"),
            ("7fb16c205fffff", 5, "9999-12-31 23:59:59.99999"),
            ("01027adc013518c4", 6, "2024-02-31 01:02:03.000004"),
            ("04fcee3943bfffff", 6, "9999-12-31 23:59:59.999999"),
            ("0000000000000000", 6, "0000-00-00 00:00:00.000000"),
        ];
        for (bytes, fsp, expected) in cases {
            assert_eq!(
                print(DateTime::new_old(&hex(bytes), fsp)).as_deref(),
                Ok(expected)
            );
        }
        // Year 10000, too many digits, and a byte too few.
        assert!(DateTime::new_old(&hex("034d00000000"), 1).is_err());
        assert!(DateTime::new_old(&hex("0000000000000000"), 7).is_err());
        assert!(DateTime::new_old(&hex("00000000000000"), 6).is_err());
    }

    #[test]
    fn refuses_what_no_column_holds() {
        assert!(DateTime::new(&hex("99b2bac8b8"), 7).is_err());
        assert!(DateTime::new(&hex("99b2bac8b8"), 1).is_err());
        assert!(DateTime::new(&hex("99b2bac8b800"), 0).is_err());
        // Negative; year 10000; 24:00:00; 00:60:00; 00:00:60.
        for bytes in [
            "7fffffffff",
            "fef4400000",
            "8003838000",
            "8003820f00",
            "800382003c",
        ] {
            assert!(DateTime::new(&hex(bytes), 0).is_err(), "{bytes}");
        }
        assert!(DateTime::new(&hex("99b2bac8b864"), 2).is_err());
        assert!(DateTime::new(&hex("99b2bac8b80f4240"), 6).is_err());
        assert!(DateTime::new(&hex("99b2bac8b80001"), 3).is_err());
    }
}
