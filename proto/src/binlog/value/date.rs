//! DATE (`MYSQL_TYPE_DATE`, and `MYSQL_TYPE_NEWDATE` of the same layout).

use crate::error::{Error, Fault, read};
use crate::primitive::int3;

use super::digits::{self, push_front};

/// A date: 3 bytes, little-endian, of 15 bits year, 4 bits month and 5 bits day.
///
/// Year 0–9999, month 0–12, day 0–31. Zero and partial dates (`0000-00-00`, `2024-12-00`), and
/// with `ALLOW_INVALID_DATES` days that a month does not have, can be stored and are valid here.
///
/// Source: `my_date_to_binary` in MySQL's `sql-common/my_time.cc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The bytes that it takes.
    pub const WIDTH: usize = 3;

    /// Reads a DATE, of [`Self::WIDTH`] bytes.
    ///
    /// # Errors
    /// When `bytes` are not as many, or a part of the date is out of its range.
    #[inline(always)]
    pub fn new(bytes: &[u8]) -> Result<Self, Error> {
        read("DATE", bytes, |input| {
            let (rest, packed) = int3(input)?;
            Self::from_parts(
                input,
                (packed >> 9).into(),
                (packed >> 5 & 15).into(),
                (packed & 31).into(),
            )
            .map(|date| (rest, date))
        })
    }

    /// A date of these parts, if a column can hold them; they were read at `input`.
    #[inline(always)]
    pub(super) fn from_parts(
        input: &[u8],
        year: u64,
        month: u64,
        day: u64,
    ) -> Result<Self, nom::Err<Fault>> {
        match (u16::try_from(year), u8::try_from(month), u8::try_from(day)) {
            (Ok(year @ ..=9999), Ok(month @ ..=12), Ok(day @ ..=31)) => {
                Ok(Self { year, month, day })
            }
            _ => Err(Fault::invalid(input, "date out of range")),
        }
    }

    /// The year, 0–9999.
    #[must_use]
    pub const fn year(&self) -> u16 {
        self.year
    }

    /// The month, 0–12.
    #[must_use]
    pub const fn month(&self) -> u8 {
        self.month
    }

    /// The day of the month, 0–31.
    #[must_use]
    pub const fn day(&self) -> u8 {
        self.day
    }

    /// Appends `YYYY-MM-DD`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        push_front(out, &self.text(), 10);
    }

    /// `YYYY-MM-DD ` and bytes of no meaning.
    #[inline]
    pub(super) fn text(&self) -> [u8; 16] {
        digits::date(self.year.into(), self.month.into(), self.day.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::value::tests::hex;

    /// Bytes from a binlog of MySQL 9.7.4, text from its SELECT.
    #[test]
    fn prints_as_the_server_does() {
        let cases = [
            ("000000", "0000-00-00"),
            ("00d00f", "2024-00-00"),
            ("80d10f", "2024-12-00"),
            ("210000", "0000-01-01"),
            ("9f1f4e", "9999-12-31"),
            ("5dd00f", "2024-02-29"),
            ("5fd00f", "2024-02-31"),
        ];
        for (bytes, expected) in cases {
            let mut out = Vec::new();
            Date::new(&hex(bytes)).unwrap().write_to(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn refuses_what_no_column_holds() {
        // Month 13 and year 10000; there is no day above 31 in 5 bits.
        assert!(Date::new(&hex("a1d10f")).is_err());
        assert!(Date::new(&hex("21204e")).is_err());
        assert!(Date::new(&hex("0000")).is_err());
        assert!(Date::new(&hex("00000000")).is_err());
    }
}
