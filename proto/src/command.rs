//! Commands: the payloads that a client sends once it is connected. Each starts a new packet
//! sequence at 0.

use crate::error::{Error, Kind};

/// Flags of the two dump commands.
pub mod dump_flags {
    /// `BINLOG_DUMP_NON_BLOCK`: end with an EOF packet instead of waiting for more events.
    pub const NON_BLOCK: u16 = 0x01;
    /// `USE_HEARTBEAT_EVENT_V2`: send heartbeats with 64-bit positions (MySQL since 8.0.26; servers before do not look at it).
    pub const HEARTBEAT_V2: u16 = 0x02;
    /// `BINLOG_SEND_ANNOTATE_ROWS_EVENT`: send the statements of row events (MariaDB).
    pub const SEND_ANNOTATE_ROWS: u16 = 0x02;
}

/// `COM_QUIT`: ends the connection.
///
/// Source: MySQL source documentation, `page_protocol_com_quit`.
pub const QUIT: &[u8] = &[0x01];

/// `COM_PING`: asks for an OK packet.
///
/// Source: `page_protocol_com_ping`.
pub const PING: &[u8] = &[0x0E];

/// `COM_QUERY`: runs one statement.
///
/// ```text
/// int<1>       0x03
/// string<EOF>  statement
/// ```
///
/// Source: `page_protocol_com_query`, without CLIENT_QUERY_ATTRIBUTES.
#[must_use]
pub fn query(statement: &str) -> Vec<u8> {
    [&[0x03], statement.as_bytes()].concat()
}

/// `COM_REGISTER_SLAVE`: has the server list this connection in `SHOW REPLICAS`.
///
/// ```text
/// int<1>     0x15
/// int<4>     server id
/// string<n>  int<1> length and host
/// string<n>  int<1> length and user
/// string<n>  int<1> length and password
/// int<2>     port
/// int<4>     replication rank, 0
/// int<4>     source's server id, 0
/// ```
///
/// User and password are those that `SHOW REPLICAS` would show, not those of the connection; they are
/// sent empty.
///
/// Source: `sql/rpl_source.cc`, `register_replica`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterReplica<'a> {
    /// The replica's server id, 1 to 4 294 967 295.
    pub server_id: u32,
    /// The host to list, at most 60 bytes.
    pub host: &'a str,
    /// The port to list.
    pub port: u16,
}

impl RegisterReplica<'_> {
    /// The longest host that every server takes (`HOSTNAME_LENGTH` of MySQL 5.x).
    const MAX_HOST: usize = 60;

    /// The command's payload.
    ///
    /// # Errors
    /// The host passes 60 bytes.
    pub fn to_payload(&self) -> Result<Vec<u8>, Error> {
        let host_len = u8::try_from(self.host.len())
            .ok()
            .filter(|len| usize::from(*len) <= Self::MAX_HOST)
            .ok_or_else(|| {
                Error::new(
                    "COM_REGISTER_SLAVE",
                    Kind::Invalid("the host passes 60 bytes"),
                )
            })?;
        let mut out = vec![0x15];
        out.extend_from_slice(&self.server_id.to_le_bytes());
        out.push(host_len);
        out.extend_from_slice(self.host.as_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&self.port.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        Ok(out)
    }
}

/// `COM_BINLOG_DUMP`: asks for the events from a position on.
///
/// ```text
/// int<1>       0x12
/// int<4>       position
/// int<2>       flags
/// int<4>       server id
/// string<EOF>  file
/// ```
///
/// Source: `page_protocol_com_binlog_dump`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinlogDump<'a> {
    /// The file's name; empty for the first one.
    pub file: &'a [u8],
    /// Bytes from the file's start; 4 or more.
    pub position: u64,
    /// See [`dump_flags`].
    pub flags: u16,
    /// The replica's server id.
    pub server_id: u32,
}

impl BinlogDump<'_> {
    /// The command's payload.
    ///
    /// # Errors
    /// The position passes 4 294 967 295, which this command cannot express.
    pub fn to_payload(&self) -> Result<Vec<u8>, Error> {
        let position = u32::try_from(self.position).map_err(|_| {
            Error::new(
                "COM_BINLOG_DUMP",
                Kind::Unsupported("a position above 4 GiB (only a dump by GTID starts there)"),
            )
        })?;
        let mut out = vec![0x12];
        out.extend_from_slice(&position.to_le_bytes());
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.extend_from_slice(&self.server_id.to_le_bytes());
        out.extend_from_slice(self.file);
        Ok(out)
    }
}

/// `COM_BINLOG_DUMP_GTID`: asks for the transactions that a GTID set does not hold.
///
/// ```text
/// int<1>     0x1E
/// int<2>     flags
/// int<4>     server id
/// int<4>     length of the file's name, and
/// string<n>  file: empty, the server finds it
/// int<8>     position: 4
/// int<4>     length of the set, and
/// string<n>  encoded GTID set
/// ```
///
/// Source: `page_protocol_com_binlog_dump_gtid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinlogDumpGtid<'a> {
    /// The file to begin in, without a directory. Empty, the server looks for the last one before which all is in
    /// `gtid_set`, and transactions without a GTID that lie before it are left out without a word.
    pub file: &'a [u8],
    /// The transactions that the replica has, as `Gtid_set::encode` writes them.
    pub gtid_set: &'a [u8],
    /// See [`dump_flags`].
    pub flags: u16,
    /// The replica's server id.
    pub server_id: u32,
}

impl BinlogDumpGtid<'_> {
    /// The command's payload.
    ///
    /// # Errors
    /// The set passes 4 GiB.
    pub fn to_payload(&self) -> Result<Vec<u8>, Error> {
        let len = u32::try_from(self.gtid_set.len()).map_err(|_| {
            Error::new(
                "COM_BINLOG_DUMP_GTID",
                Kind::Unsupported("a GTID set above 4 GiB"),
            )
        })?;
        let file_len = u32::try_from(self.file.len()).map_err(|_| {
            Error::new(
                "COM_BINLOG_DUMP_GTID",
                Kind::Unsupported("a file name above 4 GiB"),
            )
        })?;
        let mut out = vec![0x1E];
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.extend_from_slice(&self.server_id.to_le_bytes());
        out.extend_from_slice(&file_len.to_le_bytes());
        out.extend_from_slice(self.file);
        out.extend_from_slice(&4_u64.to_le_bytes());
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(self.gtid_set);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_are_those_of_mysqlbinlog() {
        let mut dump = BinlogDump {
            file: b"mysql-bin.000002",
            position: 4,
            flags: dump_flags::NON_BLOCK,
            server_id: 77,
        };
        assert_eq!(
            dump.to_payload().unwrap(),
            b"\x12\x04\x00\x00\x00\x01\x00M\x00\x00\x00mysql-bin.000002"
        );
        dump.position = u64::from(u32::MAX);
        assert_eq!(dump.to_payload().unwrap()[1..5], [0xFF; 4]);
        dump.position += 1;
        assert!(dump.to_payload().is_err());

        let set = b"\x01\x00\x00\x00\x00\x00\x00\x00>\x11\xfaGq\xca\x11\xe1\x9e3\xc8\n\xa9B\x95b\
            \x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00";
        let mut dump = BinlogDumpGtid {
            file: b"mysql-bin.000002",
            gtid_set: set,
            flags: dump_flags::NON_BLOCK,
            server_id: 77,
        };
        let theirs = b"\x1e\x01\x00M\x00\x00\x00\x10\x00\x00\x00mysql-bin.000002\
            \x04\x00\x00\x00\x00\x00\x00\x000\x00\x00\x00";
        let mut expected = theirs.to_vec();
        expected.extend_from_slice(set);
        assert_eq!(dump.to_payload().unwrap(), expected);
        dump.file = b"";
        expected.drain(11..27);
        expected[7] = 0;
        assert_eq!(dump.to_payload().unwrap(), expected);
    }

    #[test]
    fn register_replica() {
        let mut register = RegisterReplica {
            server_id: 0x0102_0304,
            host: "here",
            port: 3306,
        };
        assert_eq!(
            register.to_payload().unwrap(),
            b"\x15\x04\x03\x02\x01\x04here\x00\x00\xea\x0c\x00\x00\x00\x00\x00\x00\x00\x00"
        );
        let long = "h".repeat(61);
        register.host = &long[..60];
        assert!(register.to_payload().is_ok());
        register.host = &long;
        assert!(register.to_payload().is_err());
    }
}
