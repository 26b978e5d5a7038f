//! Binlog files: a magic number, then events without a frame of their own.
//!
//! ```text
//! string<4>    fe 'bin'; fd 'bin' when the server encrypted the file
//! events       one behind the other: the event_size of each says where the next begins
//! ```
//!
//! Source: MySQL source documentation, "Binary Log Overview"; `BINLOG_MAGIC` in `sql/log_event.h`.

use crate::error::{Error, Kind};

use super::header::{EventHeader, HEADER_LEN};

/// The first bytes of a binlog file.
pub const MAGIC: [u8; 4] = *b"\xfebin";

/// The first bytes of a binlog file that the server encrypted (`binlog_encryption=ON`).
const MAGIC_ENCRYPTED: [u8; 4] = *b"\xfdbin";

/// Checks the first 4 bytes of a file.
///
/// # Errors
/// [`Kind::Unsupported`] for an encrypted binlog, [`Kind::Invalid`] for any other file.
pub fn check_magic(first: [u8; 4]) -> Result<(), Error> {
    match first {
        MAGIC => Ok(()),
        MAGIC_ENCRYPTED => Err(Error::new(
            "binlog file",
            Kind::Unsupported("an encrypted binlog file"),
        )),
        _ => Err(Error::new(
            "binlog file",
            Kind::Invalid("not a binlog file: no magic number"),
        )),
    }
}

/// The size of the event that `bytes` begin with; `None` until its whole header is there.
///
/// # Errors
/// [`Kind::Invalid`] when the header gives a size that is less than its own.
#[inline]
pub fn event_len(bytes: &[u8]) -> Result<Option<usize>, Error> {
    if bytes.len() < HEADER_LEN {
        return Ok(None);
    }
    let header = EventHeader::parse(bytes)?;
    usize::try_from(header.event_size)
        .map(Some)
        .map_err(|_| Error::new("event header", Kind::Unsupported("an event of this size")))
}
