//! HEARTBEAT_LOG_EVENT (27) and HEARTBEAT_LOG_EVENT_V2 (41): the source has nothing to send, and
//! lives. They are never in a file.

use super::rotate::file_name;
use crate::error::{Error, Fault, Parsed, read};
use crate::primitive::{int_lenenc, string_lenenc};

/// Where the source stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat<'a> {
    /// The file that it sends from.
    pub file: &'a str,
    /// The end of the last event sent; `None` in version 1, where it is the header's `log_pos`
    /// and 32 bits wide.
    pub position: Option<u64>,
}

impl<'a> Heartbeat<'a> {
    /// Reads the body of a HEARTBEAT_LOG_EVENT: what is between the common header and the
    /// checksum.
    ///
    /// ```text
    /// string<EOF>  name of the file
    /// ```
    ///
    /// Source: MySQL source documentation, `mysql::binlog::event::Heartbeat_event`.
    ///
    /// # Errors
    /// When it is empty or not UTF-8.
    pub fn parse_v1(body: &'a [u8]) -> Result<Self, Error> {
        let file = read("Heartbeat_event", body, file_name)?;
        Ok(Self {
            file,
            position: None,
        })
    }

    /// Reads the body of a HEARTBEAT_LOG_EVENT_V2: what is between the common header and the
    /// checksum. A replica is sent these when it asks for them in the flags of its dump command.
    ///
    /// ```text
    /// fields, each:
    ///   int<lenenc>     type
    ///   string<lenenc>  value: type 1, name of the file; type 2, int<lenenc>, position
    /// int<lenenc>  0
    /// ```
    ///
    /// Fields of other types are skipped.
    ///
    /// Source: MySQL source documentation, `mysql::binlog::event::Heartbeat_event_v2`.
    ///
    /// # Errors
    /// When it ends early or late, lacks one of the two fields, or the name is not UTF-8.
    pub fn parse_v2(body: &'a [u8]) -> Result<Self, Error> {
        read("Heartbeat_event_v2", body, fields)
    }
}

fn fields(input: &[u8]) -> Parsed<'_, Heartbeat<'_>> {
    let mut file = None;
    let mut position = None;
    let mut rest = input;
    loop {
        let (after, kind) = int_lenenc(rest)?;
        if kind == 0 {
            let file = file.ok_or_else(|| Fault::invalid(rest, "no file name"))?;
            let position = position.ok_or_else(|| Fault::invalid(rest, "no position"))?;
            let heartbeat = Heartbeat {
                file,
                position: Some(position),
            };
            return Ok((after, heartbeat));
        }
        let (after, value) = string_lenenc(after)?;
        match kind {
            1 => file = Some(file_name(value)?.1),
            2 => position = Some(int_lenenc(value)?.1),
            _ => {}
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As MySQL 9.7 sent it with `@source_heartbeat_period` set.
    #[test]
    fn version_1_from_a_server() {
        let body = b"mysql-bin.000008";
        let heartbeat = Heartbeat::parse_v1(body).unwrap();
        assert_eq!(heartbeat.file, "mysql-bin.000008");
        assert_eq!(heartbeat.position, None);
        assert!(Heartbeat::parse_v1(b"").is_err());
    }

    /// The same, dumped with the flag for version 2; the other one's `log_pos` was 578.
    #[test]
    fn version_2_from_a_server() {
        let body = b"\x01\x10mysql-bin.000008\x02\x03\xFC\x42\x02\0";
        let heartbeat = Heartbeat::parse_v2(body).unwrap();
        assert_eq!(heartbeat.file, "mysql-bin.000008");
        assert_eq!(heartbeat.position, Some(578));
        for end in 0..body.len() {
            assert!(Heartbeat::parse_v2(&body[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn version_2_skips_unknown_fields() {
        let body = b"\x07\x02??\x02\x01\x04\x01\x01b\0";
        let heartbeat = Heartbeat::parse_v2(body).unwrap();
        assert_eq!((heartbeat.file, heartbeat.position), ("b", Some(4)));
        assert!(Heartbeat::parse_v2(b"\x01\x01b\0").is_err());
        assert!(Heartbeat::parse_v2(b"\x02\x01\x04\0").is_err());
        assert!(Heartbeat::parse_v2(b"\x02\x01\x04\x01\x01b\0\0").is_err());
        assert!(Heartbeat::parse_v2(b"\x02\0\x01\x01b\0").is_err());
    }
}
