//! XID_EVENT (16): a transaction of a transactional engine is committed.

use crate::error::{Error, read};
use crate::primitive::int8;

/// The body of an XID_EVENT.
///
/// ```text
/// int<8>  the server's internal number of the transaction
/// ```
///
/// Source: MySQL source documentation, `mysql::binlog::event::Xid_event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XidEvent {
    /// The server's internal number of the transaction, unique until it restarts.
    pub xid: u64,
}

impl XidEvent {
    /// Reads the body: what is between the common header and the checksum.
    ///
    /// # Errors
    /// When it is not 8 bytes.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        read("Xid_event", body, int8).map(|xid| Self { xid })
    }
}
