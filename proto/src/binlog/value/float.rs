//! FLOAT and DOUBLE (`MYSQL_TYPE_FLOAT`, `MYSQL_TYPE_DOUBLE`): IEEE 754, little-endian.
//!
//! They are printed as the shortest number that reads back the same, in JSON's syntax, whose
//! numbers have no infinity and no NaN; MySQL stores neither.
//!
//! Source: `Field_float` and `Field_double` in MySQL's `sql/field.cc`.

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

    /// A number as what it says: sign, significant digits, and the exponent of the first.
    fn said(text: &str) -> (bool, String, i32) {
        let (negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let zeros = i32::try_from(all.len() - digits.len()).unwrap();
        let exponent = exponent.parse::<i32>().unwrap() + i32::try_from(whole.len()).unwrap();
        match digits.trim_end_matches('0') {
            "" => (negative, String::new(), 0),
            digits => (negative, digits.to_owned(), exponent - zeros - 1),
        }
    }

    /// What MySQL 9.7.4 prints of a DOUBLE column, bytes as its binlog has them, and the text here: the server
    /// prints the shortest number too, though with an exponent at other places, and `-0` for what must stay
    /// a float.
    #[test]
    fn a_double_is_the_number_that_the_server_prints() {
        let cases = [
            ("0000000000000000", "0", "0"),
            ("0000000000000080", "-0", "-0.0"),
            ("000000000000f03f", "1", "1"),
            ("0000000000000840", "3", "3"),
            ("0000000000005940", "100", "100"),
            ("9a9999999999b93f", "0.1", "0.1"),
            (
                "343333333333d33f",
                "0.30000000000000004",
                "0.30000000000000004",
            ),
            ("c976be9f0c24fe40", "123456.789", "123456.789"),
            ("0000901ec4bcd642", "100000000000000", "100000000000000"),
            ("00003426f56b0c43", "1e15", "1000000000000000"),
            (
                "0000000000004043",
                "9.007199254740992e15",
                "9007199254740992",
            ),
            ("0080e03779c34143", "1e16", "1e16"),
            ("00a0d88557347643", "1e17", "1e17"),
            (
                "350f63bab4697b43",
                "1.2345678901234568e17",
                "1.2345678901234568e17",
            ),
            (
                "000000000000e043",
                "9.223372036854776e18",
                "9.223372036854776e18",
            ),
            (
                "000000000000f043",
                "1.8446744073709552e19",
                "1.8446744073709552e19",
            ),
            ("50efe2d6e41a4b44", "1e21", "1e21"),
            ("355800662deb417e", "1.5e300", "1.5e300"),
            (
                "ffffffffffffef7f",
                "1.7976931348623157e308",
                "1.7976931348623157e308",
            ),
            (
                "ffffffffffffefff",
                "-1.7976931348623157e308",
                "-1.7976931348623157e308",
            ),
            ("2d431cebe2361a3f", "0.0001", "0.0001"),
            ("f168e388b5f8e43e", "0.00001", "0.00001"),
            ("ea3587b542a2ea3e", "0.0000127", "0.0000127"),
            ("8dedb5a0f7c6b03e", "0.000001", "1e-6"),
            ("48afbc9af2d77a3e", "0.0000001", "1e-7"),
            (
                "0000000000001080",
                "-2.2250738585072014e-308",
                "-2.2250738585072014e-308",
            ),
            ("0100000000000000", "5e-324", "5e-324"),
        ];
        for (bytes, server, expected) in cases {
            let value = f64::from_le_bytes(hex(bytes).try_into().unwrap());
            assert_eq!(server.parse::<f64>().unwrap().to_bits(), value.to_bits());
            assert_eq!(double(value), expected);
            assert_eq!(said(expected), said(server));
        }
    }

    /// What MySQL 9.7.4 makes of a FLOAT as JSON, where it prints the DOUBLE of the same value, and the text here.
    #[test]
    fn a_float_is_the_number_that_the_server_prints() {
        let cases = [
            ("0.0", "0"),
            ("-0.0", "-0.0"),
            ("1.0", "1"),
            ("0.10000000149011612", "0.1"),
            ("4.349999904632568", "4.35"),
            ("123456.7890625", "123456.79"),
            ("16777216.0", "16777216"),
            ("16777218.0", "16777218"),
            ("999999986991104.0", "1e15"),
            ("1.0000000272564224e16", "1e16"),
            ("9.999999843067494e16", "1e17"),
            ("0.00009999999747378752", "0.0001"),
            ("0.000009999999747378752", "0.00001"),
            ("0.0000009999999974752427", "0.000001"),
            ("3.4028234663852886e38", "3.4028235e38"),
            ("-3.4028234663852886e38", "-3.4028235e38"),
            ("1.1754943508222875e-38", "1.1754944e-38"),
            ("1.401298464324817e-45", "1e-45"),
        ];
        for (server, expected) in cases {
            let value = server.parse::<f32>().unwrap();
            assert_eq!(f64::from(value), server.parse::<f64>().unwrap());
            assert_eq!(float(value), expected);
        }
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

    /// How many digits the number has. Of two that are as short and as near, the standard library, which has
    /// a way of its own to find them, takes the higher one.
    fn length(text: &str) -> (bool, usize, i32) {
        let (negative, digits, exponent) = said(text);
        (negative, digits.len(), exponent)
    }

    proptest::proptest! {
        #[test]
        fn is_the_shortest_that_reads_back_the_same(bits: u32, wide_bits: u64) {
            let value = f32::from_bits(bits);
            if value.is_finite() {
                let text = float(value);
                assert_eq!(text.parse::<f32>().unwrap().to_bits(), bits);
                assert_eq!(length(&text), length(&format!("{value:e}")));
            }
            let value = f64::from_bits(wide_bits);
            if value.is_finite() {
                let text = double(value);
                assert_eq!(text.parse::<f64>().unwrap().to_bits(), wide_bits);
                assert_eq!(length(&text), length(&format!("{value:e}")));
            }
        }
    }
}
