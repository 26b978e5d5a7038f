//! TIMESTAMP (`MYSQL_TYPE_TIMESTAMP2`, and `MYSQL_TYPE_TIMESTAMP` of tables made before MySQL 5.6).

use crate::error::{Error, Fault, read};
use crate::primitive::{int_be, int4};

use super::clock;
use super::digits::{self, push_front};

use super::fraction::{self, fraction};
use super::int::write_uint;

/// A moment, with up to 6 fractional digits, or the zero date.
///
/// ```text
/// TIMESTAMP2   4 bytes, big-endian: seconds since the Unix epoch; 0 without a fraction is the zero date
///              (fsp + 1) / 2 bytes: fraction
/// TIMESTAMP    4 bytes, little-endian: the same seconds
///              in MariaDB with fsp > 0: 4 bytes, big-endian, and (fsp + 1) / 2 of the fraction, counted in its last digit
/// ```
///
/// The seconds are unsigned. MySQL stores no fraction of second 0; MariaDB does. MySQL stores them up to
/// 2038-01-19 03:14:07, MariaDB 11.5 and later up to 2106-02-07 06:28:15.
///
/// Source: `my_timestamp_to_binary` in MySQL's `sql-common/my_time.cc`, WL#946.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    seconds: u32,
    micros: u32,
    fsp: u8,
}

impl Timestamp {
    /// The bytes of the old format without a fraction.
    pub const OLD_WIDTH: usize = 4;

    /// The bytes of a TIMESTAMP2 with `fsp` fractional digits.
    #[must_use]
    pub const fn width(fsp: u8) -> usize {
        4 + fraction::width(fsp)
    }

    /// Reads a TIMESTAMP2 with `fsp` (0–6) fractional digits, of [`Self::width`] bytes.
    ///
    /// # Errors
    /// When `bytes` are not as many, or the fraction is out of range.
    #[inline(always)]
    pub fn new(bytes: &[u8], fsp: u8) -> Result<Self, Error> {
        const WHAT: &str = "TIMESTAMP2";
        fraction::check_fsp(WHAT, fsp)?;
        read(WHAT, bytes, |input| {
            let (after, seconds) = int_be(4)(input)?;
            let (rest, micros) = fraction(fsp)(after)?;
            match u32::try_from(seconds) {
                Ok(seconds) => Ok((
                    rest,
                    Self {
                        seconds,
                        micros,
                        fsp,
                    },
                )),
                Err(_) => Err(Fault::invalid(input, "seconds out of range")),
            }
        })
    }

    /// Reads a TIMESTAMP of the old format, with `fsp` (0–6) fractional digits.
    ///
    /// # Errors
    /// When `bytes` are not as many as its column's width, or the fraction is out of range.
    pub fn new_old(bytes: &[u8], fsp: u8) -> Result<Self, Error> {
        if fsp > 0 {
            return Self::new_old_fraction(bytes, fsp);
        }
        let seconds = read("TIMESTAMP", bytes, int4)?;
        Ok(Self {
            seconds,
            micros: 0,
            fsp: 0,
        })
    }

    fn new_old_fraction(bytes: &[u8], fsp: u8) -> Result<Self, Error> {
        const WHAT: &str = "TIMESTAMP";
        fraction::check_fsp(WHAT, fsp)?;
        read(WHAT, bytes, |input| {
            let (rest, seconds) = int_be(4)(input)?;
            let (rest, stored) = int_be(fraction::width(fsp))(rest)?;
            match (u32::try_from(seconds), fraction::split(stored, fsp)) {
                (Ok(seconds), (0, micros)) => Ok((
                    rest,
                    Self {
                        seconds,
                        micros,
                        fsp,
                    },
                )),
                _ => Err(Fault::invalid(input, "fraction of a second out of range")),
            }
        })
    }

    /// Seconds since the Unix epoch; 0 is the zero date, where there are no microseconds.
    #[must_use]
    pub const fn seconds(&self) -> u32 {
        self.seconds
    }

    /// Microseconds of the second, below 1,000,000.
    #[must_use]
    pub const fn micros(&self) -> u32 {
        self.micros
    }

    /// Appends the seconds since the Unix epoch and their fraction: `1709210096.50`.
    pub fn write_epoch_to(&self, out: &mut Vec<u8>) {
        write_uint(out, self.seconds.into());
        fraction::write(out, self.micros, self.fsp);
    }

    /// Appends `YYYY-MM-DD hh:mm:ss[.f…]` in UTC, for the zero date all of zeros.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let (year, month, day) = if self.seconds == 0 && self.micros == 0 {
            (0, 0, 0)
        } else {
            civil(self.seconds / 86_400)
        };
        let second_of_day = self.seconds % 86_400;
        let (hour, minute) = (second_of_day / 3600, second_of_day / 60 % 60);
        push_front(out, &digits::date(year, month, day), 11);
        let clock = [hour, minute, second_of_day % 60];
        clock::write(out, clock, self.micros, self.fsp);
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Counted from 0000-03-01, so that the leap day is the last of its year, and the leap years last of their
/// century. Each step divides four times what is left, and 3, by four times the mean length of what is counted;
/// those below the century by multiplying, which is exact for numbers this small.
///
/// Source: C. Neri and L. Schneider, "Euclidean affine functions and their application to calendar
/// algorithms" (2022).
const fn civil(days: u32) -> (u32, u32, u32) {
    const DAYS_TO_1970: u32 = 719_468;
    const DAYS_OF_400_YEARS: u32 = 146_097;
    let quarters = 4 * (days + DAYS_TO_1970) + 3;
    let (century, day_of_century) = (
        quarters / DAYS_OF_400_YEARS,
        quarters % DAYS_OF_400_YEARS / 4,
    );
    // 2^32 / 1461, above which the low half says how far into the year it is.
    const YEARS: u64 = 2_939_745;
    let product = YEARS * (4 * day_of_century as u64 + 3);
    let [y1, y2, y3, y4, c1, c2, c3, c4] = product.to_be_bytes();
    let year_of_century = u32::from_be_bytes([y1, y2, y3, y4]);
    let day_of_year = u32::from_be_bytes([c1, c2, c3, c4]) / 2_939_745 / 4;
    // In 2^16ths of a month; March is 3, and January 13.
    let months = 2141 * day_of_year + 197_913;
    let (month, day) = (months >> 16, (months & 0xFFFF) / 2141 + 1);
    let year = 100 * century + year_of_century;
    if month > 12 {
        (year + 1, month - 12, day)
    } else {
        (year, month, day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::value::tests::hex;

    fn print(value: Result<Timestamp, Error>) -> Result<String, Error> {
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
            ("00000000", 0, "0000-00-00 00:00:00"),
            ("00000001", 0, "1970-01-01 00:00:01"),
            ("7fffffff", 0, "2038-01-19 03:14:07"),
            ("38bc5d7f", 0, "2000-02-29 23:59:59"),
            ("65e11a800a", 1, "2024-03-01 00:00:00.1"),
            ("0000000000", 1, "0000-00-00 00:00:00.0"),
            ("65e11a8001", 2, "2024-03-01 00:00:00.01"),
            ("6774857f2706", 3, "2024-12-31 23:59:59.999"),
            ("6774857f270f", 4, "2024-12-31 23:59:59.9999"),
            ("6774857f0f4236", 5, "2024-12-31 23:59:59.99999"),
            ("00000001000000", 6, "1970-01-01 00:00:01.000000"),
            ("7fffffff0f423f", 6, "2038-01-19 03:14:07.999999"),
            ("00000000000000", 6, "0000-00-00 00:00:00.000000"),
            ("386d437f000001", 6, "1999-12-31 23:59:59.000001"),
        ];
        for (bytes, fsp, expected) in cases {
            let bytes = hex(bytes);
            assert_eq!(bytes.len(), Timestamp::width(fsp));
            assert_eq!(print(Timestamp::new(&bytes, fsp)).as_deref(), Ok(expected));
        }
    }

    /// Expected from `mysqlbinlog` 9.7.4.
    #[test]
    fn prints_the_epoch() {
        let print = |bytes: &str, fsp| {
            let mut out = Vec::new();
            Timestamp::new(&hex(bytes), fsp)
                .unwrap()
                .write_epoch_to(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(print("00000000", 0), "0");
        assert_eq!(print("65e079f001", 2), "1709210096.01");
        assert_eq!(print("7fffffff0f423f", 6), "2147483647.999999");
    }

    /// Expected from `date -u -d @SECONDS`.
    #[test]
    fn old_format_and_leap_years() {
        let old = |seconds: u32| print(Timestamp::new_old(&seconds.to_le_bytes(), 0));
        assert_eq!(old(0).as_deref(), Ok("0000-00-00 00:00:00"));
        assert_eq!(old(951_782_399).as_deref(), Ok("2000-02-28 23:59:59"));
        assert_eq!(old(951_868_799).as_deref(), Ok("2000-02-29 23:59:59"));
        assert_eq!(old(951_868_800).as_deref(), Ok("2000-03-01 00:00:00"));
        assert_eq!(old(1_735_603_200).as_deref(), Ok("2024-12-31 00:00:00"));
        assert_eq!(old(4_107_542_399).as_deref(), Ok("2100-02-28 23:59:59"));
        assert_eq!(old(4_107_542_400).as_deref(), Ok("2100-03-01 00:00:00"));
        assert_eq!(old(u32::MAX).as_deref(), Ok("2106-02-07 06:28:15"));
    }

    /// MariaDB 11.8 stores it.
    #[test]
    fn a_fraction_of_second_0() {
        let moment = |bytes, fsp| print(Timestamp::new(&hex(bytes), fsp));
        assert_eq!(
            moment("0000000032", 2).as_deref(),
            Ok("1970-01-01 00:00:00.50")
        );
        assert_eq!(
            moment("0000000000", 2).as_deref(),
            Ok("0000-00-00 00:00:00.00")
        );
    }

    /// Bytes from a binlog of MariaDB 11.8 with `mysql56_temporal_format=OFF`, text from its SELECT.
    #[test]
    fn old_format_with_fractions() {
        let cases = [
            ("7fffffff09", 1, "2038-01-19 03:14:07.9"),
            ("65e079f009", 2, "2024-02-29 12:34:56.09"),
            ("0000000032", 2, "1970-01-01 00:00:00.50"),
            ("65e079f00062", 3, "2024-02-29 12:34:56.098"),
            ("7fffffff270f", 4, "2038-01-19 03:14:07.9999"),
            ("65e079f0002694", 5, "2024-02-29 12:34:56.09876"),
            ("00000001000001", 6, "1970-01-01 00:00:01.000001"),
            ("7fffffff0f423f", 6, "2038-01-19 03:14:07.999999"),
            ("00000000000000", 6, "0000-00-00 00:00:00.000000"),
        ];
        for (bytes, fsp, expected) in cases {
            assert_eq!(
                print(Timestamp::new_old(&hex(bytes), fsp)).as_deref(),
                Ok(expected)
            );
        }
        // A whole second in the fraction, too many digits, and a byte too few.
        assert!(Timestamp::new_old(&hex("65e079f00a"), 1).is_err());
        assert!(Timestamp::new_old(&hex("65e079f000000000"), 7).is_err());
        assert!(Timestamp::new_old(&hex("65e079f00000"), 6).is_err());
    }

    /// Every day that there is, by going from one to the next.
    #[test]
    fn every_day() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..=u32::MAX / 86_400 {
            assert_eq!(civil(days), (year, month, day), "{days}");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + u32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                _ if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
        assert_eq!((year, month, day), (2106, 2, 8));
    }

    #[test]
    fn refuses_what_no_column_holds() {
        assert!(Timestamp::new(&hex("65e11a80"), 7).is_err());
        assert!(Timestamp::new(&hex("65e11a80"), 1).is_err());
        assert!(Timestamp::new(&hex("65e11a8000"), 0).is_err());
        assert!(Timestamp::new(&hex("65e11a8064"), 2).is_err());
        assert!(Timestamp::new(&hex("65e11a800b"), 1).is_err());
    }
}
