//! Values of types that JSON does not have.

use crate::binlog::value::Decimal;
use crate::binlog::value::int::write_uint;
use crate::error::{Error, Kind};

use super::{escape, temporal};

/// A value of one of MySQL's own types: the code of a column type, and the bytes.
///
/// Source: `Json_wrapper` and `Json_decimal` in MySQL's `sql-common/json_dom.cc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opaque<'a> {
    /// The code of the column type, `enum_field_types`.
    pub column_type: u8,
    /// The value; how it is encoded depends on the type.
    pub data: &'a [u8],
}

const TIMESTAMP: u8 = 7;
const DATE: u8 = 10;
const TIME: u8 = 11;
const DATETIME: u8 = 12;
const NEWDECIMAL: u8 = 246;
const VAR_STRING: u8 = 253;

impl Opaque<'_> {
    /// Appends the value as the server prints it: a decimal as a number, a temporal value as a
    /// string with six fractional digits, others as the string `base64:type<N>:<data>`.
    pub(super) fn write_to(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self.column_type {
            NEWDECIMAL => return self.write_decimal(out),
            DATE => quoted(out, |out| temporal::write_date(self.data, out))?,
            TIME => quoted(out, |out| temporal::write_time(self.data, out))?,
            DATETIME | TIMESTAMP => quoted(out, |out| temporal::write_datetime(self.data, out))?,
            // What 5.7 made of binary strings. 9.7 prints them as plain strings, which is no JSON
            // when they are no text; older servers print them all as base64.
            VAR_STRING => match str::from_utf8(self.data) {
                Ok(text) => escape::write_string(out, text),
                Err(_) => self.write_base64(out),
            },
            _ => self.write_base64(out),
        }
        Ok(())
    }

    /// `int<1>` precision, `int<1>` scale, the decimal.
    fn write_decimal(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self.data {
            [precision, scale, digits @ ..] => {
                Decimal::new(digits, *precision, *scale)?.write_to(out)
            }
            _ => Err(Error::new("JSON decimal", Kind::Truncated)),
        }
    }

    /// In lines of 76 characters, as the server's `base64_encode` makes them.
    fn write_base64(&self, out: &mut Vec<u8>) {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const BYTES_A_LINE: usize = 76 / 4 * 3;
        out.extend_from_slice(b"\"base64:type");
        write_uint(out, self.column_type.into());
        out.push(b':');
        for (line, data) in self.data.chunks(BYTES_A_LINE).enumerate() {
            if line > 0 {
                out.extend_from_slice(b"\\n");
            }
            for group in data.chunks(3) {
                let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
                let bits = at(0) << 16 | at(1) << 8 | at(2);
                for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
                    let digit = usize::try_from(bits >> shift & 63).unwrap_or(0);
                    let character = ALPHABET.get(digit).filter(|_| index <= group.len());
                    out.push(character.copied().unwrap_or(b'='));
                }
            }
        }
        out.push(b'"');
    }
}

fn quoted(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    out.push(b'"');
    write(out)?;
    out.push(b'"');
    Ok(())
}
