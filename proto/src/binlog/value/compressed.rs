//! Strings of MariaDB's columns with the attribute COMPRESSED.

use super::Charset;
use crate::binlog::mariadb::{Format, inflate};
use crate::error::{Error, Fault, Kind, Parsed, read};
use crate::primitive::{int_be, int1, length, rest};

const WHAT: &str = "compressed string";

/// The most bytes that it inflates to: the greatest `max_allowed_packet`.
const MAX_LEN: u64 = 1 << 30;

/// A value of a column that is COMPRESSED.
///
/// ```text
/// (empty)      the empty string
/// int<1>       0: the string follows as it is
///              0x80 | 8 when without zlib's header | bytes of the length: compressed
/// int<be n>    length of the string
/// string<EOF>  compressed
/// ```
///
/// Source: MariaDB's `sql/field_comp.cc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressedString<'a> {
    /// The column's character set; `None` when the event does not say.
    pub charset: Option<Charset>,
    bytes: &'a [u8],
}

enum Content<'a> {
    Plain(&'a [u8]),
    Compressed {
        format: Format,
        len: usize,
        bytes: &'a [u8],
    },
}

impl<'a> CompressedString<'a> {
    /// Reads a value's bytes; nothing is inflated yet.
    ///
    /// # Errors
    /// A head that is none; [`Kind::Unsupported`] for other algorithms than zlib.
    pub fn new(bytes: &'a [u8], charset: Option<Charset>) -> Result<Self, Error> {
        read(WHAT, bytes, content)?;
        Ok(Self { charset, bytes })
    }

    /// The string. One that is compressed is put into `scratch`, in place of what is there.
    ///
    /// # Errors
    /// Compressed data that is damaged or not as long as it says.
    pub fn inflate<'s>(&self, scratch: &'s mut Vec<u8>) -> Result<&'s [u8], Error>
    where
        'a: 's,
    {
        match read(WHAT, self.bytes, content)? {
            Content::Plain(bytes) => Ok(bytes),
            Content::Compressed { format, len, bytes } => {
                scratch.clear();
                inflate(WHAT, format, bytes, len, scratch)?;
                Ok(scratch)
            }
        }
    }
}

fn content(input: &[u8]) -> Parsed<'_, Content<'_>> {
    if input.is_empty() {
        return Ok((input, Content::Plain(input)));
    }
    let (after, head) = int1(input)?;
    if head == 0 {
        let (after, bytes) = rest(after)?;
        return Ok((after, Content::Plain(bytes)));
    }
    if head & 0xF0 != 0x80 {
        return Err(Fault::at(
            input,
            Kind::Unsupported("this compression algorithm"),
        ));
    }
    let (after, len) = int_be(usize::from(head & 7))(after)?;
    if len > MAX_LEN {
        return Err(Fault::at(
            input,
            Kind::Unsupported("a string of more than 1 GiB"),
        ));
    }
    let format = if head & 8 != 0 {
        Format::Raw
    } else {
        Format::Zlib
    };
    let len = length(input, len)?;
    let (after, bytes) = rest(after)?;
    Ok((after, Content::Compressed { format, len, bytes }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    fn text(bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let mut scratch = b"left over".to_vec();
        let string = CompressedString::new(bytes, None)?;
        string.inflate(&mut scratch).map(<[u8]>::to_vec)
    }

    /// What MariaDB 10.11.18 wrote.
    #[test]
    fn plain_and_compressed() {
        assert_eq!(text(b"").unwrap(), b"");
        assert_eq!(text(b"\0abc").unwrap(), b"abc");
        let xyz = hex("8A0384ABA8ACAA1845A368140D1C0200");
        assert_eq!(text(&xyz).unwrap(), b"xyz".repeat(300));
        for end in 1..xyz.len() {
            assert!(text(&xyz[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_is_none() {
        for bytes in [
            &b"\x10abc"[..],
            b"\x90\x01",
            b"\x84\xFF\xFF\xFF\xFF",
            b"\x82\x01",
            b"\x81",
        ] {
            assert!(text(bytes).is_err(), "{bytes:?}");
        }
    }
}
