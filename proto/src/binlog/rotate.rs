//! ROTATE_EVENT (4): the stream goes on in another file.

use crate::error::{Error, Fault, Kind, Parsed, read};
use crate::primitive::{int8, rest};

/// The body of a ROTATE_EVENT, whether it stands at the end of a file or is made up by the server
/// at the start of a stream.
///
/// ```text
/// int<8>       position in the next file
/// string<EOF>  its name, without a directory
/// ```
///
/// Source: MySQL source documentation, `mysql::binlog::event::Rotate_event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotate<'a> {
    /// Where the next event is in it, in bytes.
    pub position: u64,
    /// The file's name.
    pub file: &'a str,
}

impl<'a> Rotate<'a> {
    /// Reads the body: what is between the common header and the checksum.
    ///
    /// # Errors
    /// When it is 8 bytes or shorter, or the name is not UTF-8.
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        read("Rotate_event", body, |input| {
            let (input, position) = int8(input)?;
            let (input, file) = file_name(input)?;
            Ok((input, Self { position, file }))
        })
    }
}

/// A binlog file's name, which is all of `input`.
pub(super) fn file_name(input: &[u8]) -> Parsed<'_, &str> {
    let (after, name) = rest(input)?;
    if name.is_empty() {
        return Err(Fault::at(input, Kind::Truncated));
    }
    let name = std::str::from_utf8(name)
        .map_err(|_| Fault::invalid(input, "binlog file name is not UTF-8"))?;
    Ok((after, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_needed() {
        let body = b"\x04\0\0\0\0\0\0\0b.1";
        assert_eq!(Rotate::parse(body).unwrap().file, "b.1");
        for end in 0..=8 {
            assert_eq!(
                Rotate::parse(&body[..end]).unwrap_err().kind,
                Kind::Truncated
            );
        }
        assert!(Rotate::parse(b"\x04\0\0\0\0\0\0\0\xFF").is_err());
    }
}
