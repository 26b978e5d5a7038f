//! FLOAT and DOUBLE (`MYSQL_TYPE_FLOAT`, `MYSQL_TYPE_DOUBLE`): IEEE 754, little-endian.
//!
//! They are printed as the shortest number that reads back the same, in JSON's syntax, whose
//! numbers have no infinity and no NaN; MySQL stores neither.

use crate::error::{Error, Kind};

macro_rules! floats {
    ($($(#[$doc:meta])* $name:ident: $ty:ty, $what:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// When it is infinite or not a number; `out` is then as it was.
        pub fn $name(out: &mut Vec<u8>, value: $ty) -> Result<(), Error> {
            if !value.is_finite() {
                return Err(Error::new($what, Kind::Invalid("not a finite number")));
            }
            push(out, zmij::Buffer::new().format_finite(value));
            Ok(())
        }
    )*};
}

floats! {
    /// Appends a FLOAT: `1`, `-0.0`, `3.4028235e38`.
    write_float: f32, "FLOAT";
    /// Appends a DOUBLE: `1`, `-0.0`, `1.5e300`.
    write_double: f64, "DOUBLE";
}

/// Appends `text`, a whole number without its `.0`, and an exponent without its `+`; negative zero keeps it,
/// because readers take `-0` for the integer 0 and drop the sign.
#[inline(always)]
fn push(out: &mut Vec<u8>, text: &str) {
    match text.as_bytes() {
        b"-0.0" => out.extend_from_slice(b"-0.0"),
        [whole @ .., b'.', b'0'] => out.extend_from_slice(whole),
        [digits @ .., b'+', a, b] => {
            out.extend_from_slice(digits);
            out.extend_from_slice(&[*a, *b]);
        }
        [digits @ .., b'+', a, b, c] => {
            out.extend_from_slice(digits);
            out.extend_from_slice(&[*a, *b, *c]);
        }
        text => out.extend_from_slice(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::value::tests::hex;

    fn float(value: f32) -> String {
        let mut out = Vec::new();
        write_float(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn double(value: f64) -> String {
        let mut out = Vec::new();
        write_double(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// Bytes from a binlog of MySQL 9.7.4, whose SELECT prints the shortest DOUBLE too, though
    /// with an exponent at other places.
    #[test]
    fn a_double_is_the_number_that_the_server_prints() {
        let cases = [
            ("0000000000000000", "0"),
            ("0000000000000080", "-0"),
            ("000000000000f03f", "1"),
            ("9a9999999999b93f", "0.1"),
            ("355800662deb417e", "1.5e300"),
            ("ffffffffffffef7f", "1.7976931348623157e308"),
            ("0000000000001080", "-2.2250738585072014e-308"),
            ("0100000000000000", "5e-324"),
            ("00003426f56b0c43", "1e15"),
            ("0080e03779c34143", "1e16"),
            ("00a0d88557347643", "1e17"),
            ("50efe2d6e41a4b44", "1e21"),
            ("350f63bab4697b43", "1.2345678901234568e17"),
            ("f168e388b5f8e43e", "0.00001"),
            ("8dedb5a0f7c6b03e", "0.000001"),
            ("0000000000000840", "3"),
        ];
        for (bytes, expected) in cases {
            let bytes: [u8; 8] = hex(bytes).try_into().unwrap();
            let text = double(f64::from_le_bytes(bytes));
            let [text, expected] = [&text, expected].map(|n| n.parse::<f64>().unwrap());
            assert_eq!(text.to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn is_json_and_keeps_the_sign_of_zero() {
        assert_eq!(double(1.0), "1");
        assert_eq!(double(0.0), "0");
        assert_eq!(double(-0.0), "-0.0");
        assert_eq!(double(1.5e300), "1.5e300");
        assert_eq!(float(-0.0), "-0.0");
        assert_eq!(float(0.1), "0.1");
        assert_eq!(float(f32::MAX), "3.4028235e38");
        assert_eq!(float(f32::from_bits(1)), "1e-45");
        assert_eq!(float(16_777_216.0), "16777216");
    }

    #[test]
    fn refuses_what_json_cannot_hold() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut out = Vec::new();
            assert!(write_float(&mut out, value).is_err());
            assert!(write_double(&mut out, value.into()).is_err());
            assert!(out.is_empty());
        }
    }

    proptest::proptest! {
        #[test]
        fn reads_back_the_same(bits: u32, wide_bits: u64) {
            let value = f32::from_bits(bits);
            if value.is_finite() {
                assert_eq!(float(value).parse::<f32>().unwrap().to_bits(), bits);
            }
            let value = f64::from_bits(wide_bits);
            if value.is_finite() {
                assert_eq!(double(value).parse::<f64>().unwrap().to_bits(), wide_bits);
            }
        }
    }
}
