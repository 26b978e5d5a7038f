//! PREVIOUS_GTIDS_LOG_EVENT (35): what is in the files before this one.

use crate::error::Error;
use crate::gtid_set::GtidSet;

/// The body of a PREVIOUS_GTIDS_LOG_EVENT: a [`GtidSet`] in its binary form, with or without
/// tags.
///
/// Source: MySQL source documentation, `mysql::binlog::event::Previous_gtids_event`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousGtids {
    /// All GTIDs logged before this file began.
    pub set: GtidSet,
}

impl PreviousGtids {
    /// Reads the body: what is between the common header and the checksum.
    ///
    /// # Errors
    /// As [`GtidSet::decode`].
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        GtidSet::decode(body).map(|set| Self { set })
    }
}
