//! The common header of every binlog event.

use crate::error::{Error, Kind};

/// Bytes of the common header in binlog version 4.
pub const HEADER_LEN: usize = 19;

/// The common header.
///
/// ```text
/// int<4> timestamp   seconds since the epoch when the statement began
/// int<1> type
/// int<4> server_id   of the server that first wrote it
/// int<4> event_size  header and checksum included
/// int<4> log_pos     end of the event in the file, modulo 2^32; 0 in events made up for a dump
/// int<2> flags
/// ```
///
/// Source: MySQL source documentation, `mysql::binlog::event::Log_event_header`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventHeader {
    /// Seconds since the epoch when the statement began; 0 in events made up for a dump.
    pub timestamp: u32,
    /// What the body is.
    pub event_type: EventType,
    /// The server that first wrote the event.
    pub server_id: u32,
    /// Length of the event in bytes, header and checksum included.
    pub event_size: u32,
    /// Where the event ends in its file, modulo 2^32.
    pub log_pos: u32,
    /// `LOG_EVENT_*_F` bits.
    pub flags: u16,
}

impl EventHeader {
    /// In FORMAT_DESCRIPTION_EVENT: the server has not closed the file.
    pub const FLAG_IN_USE: u16 = 0x01;
    /// The event is a replica's or dump thread's own, not from the log file.
    pub const FLAG_ARTIFICIAL: u16 = 0x20;
    /// The event is a replica's own, in its relay log.
    pub const FLAG_RELAY_LOG: u16 = 0x40;
    /// A server that does not know the event's type may skip it.
    pub const FLAG_IGNORABLE: u16 = 0x80;

    /// Reads the header at the front of an event.
    ///
    /// # Errors
    /// [`Kind::Truncated`]; [`Kind::Invalid`] when `event_size` is less than the header's own size.
    #[inline]
    pub fn parse(event: &[u8]) -> Result<Self, Error> {
        // Read for every event, so at once: the field-wise parsers check each field's bounds.
        let Some(header) = event.first_chunk::<HEADER_LEN>() else {
            return Err(Error {
                what: "event header",
                kind: Kind::Truncated,
                offset: event.len(),
            });
        };
        let [
            t0,
            t1,
            t2,
            t3,
            event_type,
            i0,
            i1,
            i2,
            i3,
            s0,
            s1,
            s2,
            s3,
            p0,
            p1,
            p2,
            p3,
            f0,
            f1,
        ] = *header;
        let event_size = u32::from_le_bytes([s0, s1, s2, s3]);
        if usize::try_from(event_size).is_ok_and(|size| size < HEADER_LEN) {
            return Err(Error {
                what: "event header",
                kind: Kind::Invalid("event_size is less than the header's"),
                offset: 9,
            });
        }
        Ok(Self {
            timestamp: u32::from_le_bytes([t0, t1, t2, t3]),
            event_type: EventType(event_type),
            server_id: u32::from_le_bytes([i0, i1, i2, i3]),
            event_size,
            log_pos: u32::from_le_bytes([p0, p1, p2, p3]),
            flags: u16::from_le_bytes([f0, f1]),
        })
    }

    /// Was the event made up by the server for this dump, rather than read from a file?
    #[must_use]
    pub const fn is_artificial(&self) -> bool {
        self.flags & Self::FLAG_ARTIFICIAL != 0 || self.log_pos == 0
    }
}

/// An event's type code. Codes without a name here are kept as they are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventType(pub u8);

macro_rules! event_types {
    ($($name:ident = $code:literal;)*) => {
        #[allow(missing_docs, reason = "the names are those of MySQL's `Log_event_type`")]
        impl EventType {
            $(pub const $name: Self = Self($code);)*

            /// The name in MySQL's `Log_event_type` (MariaDB's for its own codes).
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    _ => "UNKNOWN_EVENT",
                }
            }
        }
    };
}

event_types! {
    START_EVENT_V3 = 1;
    QUERY_EVENT = 2;
    STOP_EVENT = 3;
    ROTATE_EVENT = 4;
    INTVAR_EVENT = 5;
    LOAD_EVENT = 6;
    SLAVE_EVENT = 7;
    CREATE_FILE_EVENT = 8;
    APPEND_BLOCK_EVENT = 9;
    EXEC_LOAD_EVENT = 10;
    DELETE_FILE_EVENT = 11;
    NEW_LOAD_EVENT = 12;
    RAND_EVENT = 13;
    USER_VAR_EVENT = 14;
    FORMAT_DESCRIPTION_EVENT = 15;
    XID_EVENT = 16;
    BEGIN_LOAD_QUERY_EVENT = 17;
    EXECUTE_LOAD_QUERY_EVENT = 18;
    TABLE_MAP_EVENT = 19;
    PRE_GA_WRITE_ROWS_EVENT = 20;
    PRE_GA_UPDATE_ROWS_EVENT = 21;
    PRE_GA_DELETE_ROWS_EVENT = 22;
    WRITE_ROWS_EVENT_V1 = 23;
    UPDATE_ROWS_EVENT_V1 = 24;
    DELETE_ROWS_EVENT_V1 = 25;
    INCIDENT_EVENT = 26;
    HEARTBEAT_LOG_EVENT = 27;
    IGNORABLE_LOG_EVENT = 28;
    ROWS_QUERY_LOG_EVENT = 29;
    WRITE_ROWS_EVENT = 30;
    UPDATE_ROWS_EVENT = 31;
    DELETE_ROWS_EVENT = 32;
    GTID_LOG_EVENT = 33;
    ANONYMOUS_GTID_LOG_EVENT = 34;
    PREVIOUS_GTIDS_LOG_EVENT = 35;
    TRANSACTION_CONTEXT_EVENT = 36;
    VIEW_CHANGE_EVENT = 37;
    XA_PREPARE_LOG_EVENT = 38;
    PARTIAL_UPDATE_ROWS_EVENT = 39;
    TRANSACTION_PAYLOAD_EVENT = 40;
    HEARTBEAT_LOG_EVENT_V2 = 41;
    GTID_TAGGED_LOG_EVENT = 42;
    ANNOTATE_ROWS_EVENT = 160;
    BINLOG_CHECKPOINT_EVENT = 161;
    GTID_EVENT = 162;
    GTID_LIST_EVENT = 163;
    START_ENCRYPTION_EVENT = 164;
    QUERY_COMPRESSED_EVENT = 165;
    WRITE_ROWS_COMPRESSED_EVENT_V1 = 166;
    UPDATE_ROWS_COMPRESSED_EVENT_V1 = 167;
    DELETE_ROWS_COMPRESSED_EVENT_V1 = 168;
    WRITE_ROWS_COMPRESSED_EVENT = 169;
    UPDATE_ROWS_COMPRESSED_EVENT = 170;
    DELETE_ROWS_COMPRESSED_EVENT = 171;
}

impl std::fmt::Debug for EventType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for EventType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ROTATE event's header at the end of a MySQL 9.7 binlog file.
    const ROTATE: [u8; 19] = [
        0x5c, 0x1f, 0x02, 0x69, 0x04, 0x01, 0x00, 0x00, 0x00, 0x2f, 0x00, 0x00, 0x00, 0x9c, 0x01,
        0x00, 0x00, 0x00, 0x00,
    ];

    #[test]
    fn reads_every_field() {
        let header = EventHeader::parse(&ROTATE).unwrap();
        assert_eq!(header.timestamp, 0x6902_1f5c);
        assert_eq!(header.event_type, EventType::ROTATE_EVENT);
        assert_eq!(header.server_id, 1);
        assert_eq!(header.event_size, 47);
        assert_eq!(header.log_pos, 412);
        assert_eq!(header.flags, 0);
        assert!(!header.is_artificial());
        assert_eq!(header.event_type.to_string(), "ROTATE_EVENT (4)");
    }

    /// `Log_event_type` of MySQL 9.7 and what older servers had there, and MariaDB's own.
    #[test]
    fn every_type_has_a_name() {
        let named = |code| EventType(code).name() != "UNKNOWN_EVENT";
        let codes: Vec<u8> = (0..=255).filter(|code| named(*code)).collect();
        assert!(codes.into_iter().eq((1..=42).chain(160..=171)));
        assert_eq!(EventType(0).to_string(), "UNKNOWN_EVENT (0)");
        assert_eq!(EventType(39).name(), "PARTIAL_UPDATE_ROWS_EVENT");
        assert_eq!(EventType(26).name(), "INCIDENT_EVENT");
    }

    #[test]
    fn every_truncation_is_an_error() {
        for len in 0..ROTATE.len() {
            assert!(EventHeader::parse(&ROTATE[..len]).is_err());
        }
        let mut short = ROTATE;
        short[9] = 18;
        assert_eq!(EventHeader::parse(&short).unwrap_err().offset, 9);
    }
}
