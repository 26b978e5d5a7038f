//! YEAR (`MYSQL_TYPE_YEAR`).

use crate::error::{Error, read};
use crate::primitive::int1;

use super::digits::four;

/// A year: 1 byte, years since 1900, from 1901 to 2155; 0 is the year 0000.
///
/// Source: `Field_year` in MySQL's `sql/field.cc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Year(u16);

impl Year {
    /// The bytes that it takes.
    pub const WIDTH: usize = 1;

    /// Reads a YEAR, of [`Self::WIDTH`] bytes.
    ///
    /// # Errors
    /// When `bytes` are not as many.
    #[inline(always)]
    pub fn new(bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self(match read("YEAR", bytes, int1)? {
            0 => 0,
            since_1900 => 1900 + u16::from(since_1900),
        }))
    }

    /// The year as a number: 0, or 1901–2155.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.0
    }

    /// Appends `YYYY`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&four(self.0.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::value::tests::hex;

    /// Bytes from a binlog of MySQL 9.7.4, text from its SELECT.
    #[test]
    fn prints_as_the_server_does() {
        let cases = [("00", "0000"), ("01", "1901"), ("ff", "2155")];
        for (bytes, expected) in cases {
            let year = Year::new(&hex(bytes)).unwrap();
            let mut out = Vec::new();
            year.write_to(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
            assert_eq!(Ok(year.number()), expected.parse());
        }
        assert!(Year::new(&[]).is_err());
        assert!(Year::new(&[1, 2]).is_err());
    }
}
