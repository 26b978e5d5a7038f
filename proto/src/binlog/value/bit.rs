//! BIT (`MYSQL_TYPE_BIT`).

use crate::error::{Error, Fault, Kind, read};
use crate::primitive::int_be;

use super::int::write_uint;

/// A bit field: 1–64 bits, big-endian, in as many bytes as they need.
///
/// Source: `Field_bit` and `Field_bit_as_char` in MySQL's `sql/field.cc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bit {
    value: u64,
    bits: u8,
}

impl Bit {
    /// The bytes of a field of `bits` bits.
    #[must_use]
    pub const fn width(bits: u8) -> usize {
        bits.div_ceil(8) as usize
    }

    /// Reads a field of `bits` (1–64) bits, of [`Self::width`] bytes.
    ///
    /// # Errors
    /// When `bytes` are not as many, or bits beyond the field are set.
    #[inline(always)]
    pub fn new(bytes: &[u8], bits: u8) -> Result<Self, Error> {
        const WHAT: &str = "BIT";
        if !matches!(bits, 1..=64) {
            return Err(Error::new(WHAT, Kind::Invalid("not 1 to 64 bits")));
        }
        read(WHAT, bytes, |input| {
            let (rest, value) = int_be(Self::width(bits))(input)?;
            if value.leading_zeros() + u32::from(bits) < u64::BITS {
                return Err(Fault::invalid(input, "more bits than the column has"));
            }
            Ok((rest, Self { value, bits }))
        })
    }

    /// The field as a number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.value
    }

    /// How many bits the field has.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// Appends the field as a decimal number.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        write_uint(out, self.value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::value::tests::hex;

    /// Bytes from a binlog of MySQL 9.7.4, text from its SELECT of the column plus 0.
    #[test]
    fn prints_as_the_server_does() {
        let cases = [
            ("00", 1, "0"),
            ("01", 1, "1"),
            ("0101", 9, "257"),
            ("01ff", 9, "511"),
            ("ffffffffffffffff", 64, "18446744073709551615"),
            ("8000000000000000", 64, "9223372036854775808"),
            ("0000000000000001", 64, "1"),
        ];
        for (bytes, bits, expected) in cases {
            let field = Bit::new(&hex(bytes), bits).unwrap();
            let mut out = Vec::new();
            field.write_to(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
            assert_eq!(field.bits(), bits);
        }
    }

    #[test]
    fn refuses_what_no_column_holds() {
        assert!(Bit::new(&[], 0).is_err());
        assert!(Bit::new(&[0; 9], 65).is_err());
        assert!(Bit::new(&[2], 1).is_err());
        assert!(Bit::new(&[2, 0], 9).is_err());
        assert!(Bit::new(&[0], 9).is_err());
        assert!(Bit::new(&[0, 0], 8).is_err());
    }
}
