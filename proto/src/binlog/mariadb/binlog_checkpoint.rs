//! BINLOG_CHECKPOINT_EVENT (161): the oldest file that a crashed server needs to recover.

use crate::error::{Error, Fault, Parsed, read};
use crate::primitive::{bytes, int4, length};

/// The body of a BINLOG_CHECKPOINT_EVENT.
///
/// ```text
/// int<4>     length of the name
/// string<n>  name of the file
/// ```
///
/// It is for the server itself and says nothing of the rows.
///
/// Source: MariaDB's `Binlog_checkpoint_log_event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinlogCheckpoint<'a> {
    /// The file's name.
    pub file: &'a str,
}

impl<'a> BinlogCheckpoint<'a> {
    /// Reads the body: what is between the common header and the checksum.
    ///
    /// # Errors
    /// When it ends early, or the name is not UTF-8.
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        read("Binlog_checkpoint_log_event", body, Self::fields)
    }

    fn fields(input: &'a [u8]) -> Parsed<'a, Self> {
        let (at_name, len) = int4(input)?;
        let (rest, name) = bytes(length(input, u64::from(len))?)(at_name)?;
        let file = std::str::from_utf8(name)
            .map_err(|_| Fault::invalid(at_name, "file name is not UTF-8"))?;
        Ok((rest, Self { file }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_nothing_else() {
        let body = b"\x10\0\0\0maria-bin.000001";
        assert_eq!(
            BinlogCheckpoint::parse(body).unwrap().file,
            "maria-bin.000001"
        );
        for end in 0..body.len() {
            assert!(BinlogCheckpoint::parse(&body[..end]).is_err());
        }
        assert!(BinlogCheckpoint::parse(b"\x01\0\0\0\xFF").is_err());
        assert!(BinlogCheckpoint::parse(b"\x01\0\0\0ab").is_err());
    }
}
