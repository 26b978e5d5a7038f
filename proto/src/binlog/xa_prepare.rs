//! XA_PREPARE_LOG_EVENT (38): the end of an XA transaction's first phase, or of all of it.

use std::fmt;

use crate::error::{Error, Fault, Parsed, read};
use crate::primitive::{bytes, int1, int4, length};

/// The greatest length of each part of an xid, in bytes.
const MAX_PART: u32 = 64;

/// The body of an XA_PREPARE_LOG_EVENT.
///
/// ```text
/// int<1>     1 when committed in one phase, 0 when prepared
/// int<4>     format id
/// int<4>     length of gtrid, up to 64
/// int<4>     length of bqual, up to 64
/// string<n>  gtrid
/// string<n>  bqual
/// ```
///
/// Source: MySQL source documentation, `mysql::binlog::event::XA_prepare_event`, WL#6860.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XaPrepare<'a> {
    /// Is it committed already (`XA COMMIT … ONE PHASE`), and not only prepared?
    pub one_phase: bool,
    /// The transaction.
    pub xid: Xid<'a>,
}

/// The name of an XA transaction. Prints as the server writes it in `XA COMMIT` and
/// `XA ROLLBACK`: `X'6774',X'6271',1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Xid<'a> {
    /// Which scheme the two parts are made by.
    pub format_id: u32,
    /// Global transaction id.
    pub gtrid: &'a [u8],
    /// Branch qualifier.
    pub bqual: &'a [u8],
}

impl<'a> XaPrepare<'a> {
    /// Reads the body: what is between the common header and the checksum.
    ///
    /// # Errors
    /// When it ends early or late, or a length is above 64.
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        read("XA_prepare_event", body, event)
    }
}

fn event(input: &[u8]) -> Parsed<'_, XaPrepare<'_>> {
    let (rest, one_phase) = int1(input)?;
    let (rest, format_id) = int4(rest)?;
    let (rest, gtrid_len) = part_length(rest)?;
    let (rest, bqual_len) = part_length(rest)?;
    let (rest, gtrid) = bytes(gtrid_len)(rest)?;
    let (rest, bqual) = bytes(bqual_len)(rest)?;
    let event = XaPrepare {
        one_phase: one_phase != 0,
        xid: Xid {
            format_id,
            gtrid,
            bqual,
        },
    };
    Ok((rest, event))
}

fn part_length(input: &[u8]) -> Parsed<'_, usize> {
    let (rest, len) = int4(input)?;
    if len > MAX_PART {
        return Err(Fault::invalid(input, "xid is too long"));
    }
    Ok((rest, length(input, u64::from(len))?))
}

impl fmt::Display for Xid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [self.gtrid, self.bqual] {
            f.write_str("X'")?;
            for byte in part {
                write!(f, "{byte:02x}")?;
            }
            f.write_str("',")?;
        }
        write!(f, "{}", self.format_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_bounded() {
        let body = |len: u8| {
            let mut body = vec![0, 1, 0, 0, 0, len, 0, 0, 0, 0, 0, 0, 0];
            body.resize(13 + usize::from(len), b'x');
            body
        };
        assert_eq!(XaPrepare::parse(&body(64)).unwrap().xid.gtrid.len(), 64);
        assert!(XaPrepare::parse(&body(65)).is_err());
    }
}
