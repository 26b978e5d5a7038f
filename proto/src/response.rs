//! The generic responses: OK, ERR, EOF.

use std::fmt;

use nom::bytes::complete::tag;

use crate::capabilities::Capabilities;
use crate::error::{Error, Fault, Parsed, read};
use crate::primitive::{array, int_lenenc, int2, rest, string_lenenc};

/// Another result follows this one.
pub const SERVER_MORE_RESULTS_EXISTS: u16 = 0x0008;
/// An OK packet holds changes of session state.
pub const SERVER_SESSION_STATE_CHANGED: u16 = 0x4000;

/// `OK_Packet`: a command has succeeded.
///
/// ```text
/// int<1>          0x00, or 0xFE at the end of a result set with DEPRECATE_EOF
/// int<lenenc>     affected rows
/// int<lenenc>     last insert id
/// int<2>          status flags
/// int<2>          warnings
/// string<EOF>     info; with SESSION_TRACK string<lenenc>, and if SERVER_SESSION_STATE_CHANGED:
/// string<lenenc>  session state
/// ```
///
/// Source: MySQL source documentation, `page_protocol_basic_ok_packet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OkPacket<'a> {
    /// Rows that the statement changed.
    pub affected_rows: u64,
    /// The last AUTO_INCREMENT value that it made.
    pub last_insert_id: u64,
    /// Status flags.
    pub status: u16,
    /// How many warnings `SHOW WARNINGS` would list.
    pub warnings: u16,
    /// Text for people.
    pub info: &'a [u8],
    /// Changes of session state, as the server wrote them; empty if there are none.
    pub session_state: &'a [u8],
}

impl<'a> OkPacket<'a> {
    /// The first byte of its payload, except at the end of a result set.
    pub const HEADER: u8 = 0x00;

    /// Reads one, in either of its places.
    ///
    /// # Errors
    /// Malformed bytes.
    pub fn parse(payload: &'a [u8], capabilities: Capabilities) -> Result<Self, Error> {
        read("OK_Packet", payload, |input| ok(input, capabilities))
    }
}

fn ok(input: &[u8], capabilities: Capabilities) -> Parsed<'_, OkPacket<'_>> {
    let (input, _) = tag(&[OkPacket::HEADER][..])(input)
        .or_else(|_: nom::Err<Fault>| tag(&[EofPacket::HEADER][..])(input))?;
    let (input, affected_rows) = int_lenenc(input)?;
    let (input, last_insert_id) = int_lenenc(input)?;
    let (input, status) = int2(input)?;
    let (input, warnings) = int2(input)?;
    // The server leaves out the info, length and all, when there is none and no state either.
    let (input, info, session_state) =
        if capabilities.contains(Capabilities::SESSION_TRACK) && !input.is_empty() {
            let (input, info) = string_lenenc(input)?;
            if status & SERVER_SESSION_STATE_CHANGED == 0 {
                (input, info, &[][..])
            } else {
                let (input, state) = string_lenenc(input)?;
                (input, info, state)
            }
        } else {
            let (input, info) = rest(input)?;
            (input, info, &[][..])
        };
    Ok((
        input,
        OkPacket {
            affected_rows,
            last_insert_id,
            status,
            warnings,
            info,
            session_state,
        },
    ))
}

/// `EOF_Packet`: the end of column definitions, of rows, or of a binlog dump.
///
/// ```text
/// int<1>  0xFE
/// int<2>  warnings
/// int<2>  status flags
/// ```
///
/// Source: `page_protocol_basic_eof_packet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EofPacket {
    /// How many warnings `SHOW WARNINGS` would list.
    pub warnings: u16,
    /// Status flags.
    pub status: u16,
}

impl EofPacket {
    /// The first byte of its payload.
    pub const HEADER: u8 = 0xFE;

    /// Whether `payload` ends a result set, as an EOF packet or, with DEPRECATE_EOF, as an OK packet.
    ///
    /// A row may begin with 0xFE too, but only if its first value is 16 MiB or longer.
    #[must_use]
    pub fn ends_rows(payload: &[u8], capabilities: Capabilities) -> bool {
        let longest = if capabilities.contains(Capabilities::DEPRECATE_EOF) {
            crate::packet::MAX_BODY - 1
        } else {
            8
        };
        payload.first() == Some(&Self::HEADER) && payload.len() <= longest
    }

    /// Reads one.
    ///
    /// # Errors
    /// Malformed bytes.
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        read("EOF_Packet", payload, |input| {
            let (input, _) = tag(&[Self::HEADER][..])(input)?;
            let (input, warnings) = int2(input)?;
            let (input, status) = int2(input)?;
            Ok((input, Self { warnings, status }))
        })
    }
}

/// `ERR_Packet`: a command has failed.
///
/// ```text
/// int<1>       0xFF
/// int<2>       error code
/// string<1>    "#", and
/// string<5>    SQLSTATE, both left out before the server knows the client's capabilities
/// string<EOF>  message
/// ```
///
/// Source: `page_protocol_basic_err_packet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrPacket<'a> {
    /// MySQL's error number, as in "Server Error Message Reference".
    pub code: u16,
    /// SQLSTATE.
    pub sql_state: Option<[u8; 5]>,
    /// The message, in UTF-8 on a connection of ours.
    pub message: &'a [u8],
}

impl<'a> ErrPacket<'a> {
    /// The first byte of its payload.
    pub const HEADER: u8 = 0xFF;

    /// Reads one.
    ///
    /// # Errors
    /// Malformed bytes.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Error> {
        read("ERR_Packet", payload, |input| {
            let (input, _) = tag(&[Self::HEADER][..])(input)?;
            let (input, code) = int2(input)?;
            let (input, sql_state) = match input.split_first() {
                Some((b'#', behind)) => {
                    let (input, state) = array::<5>(behind)?;
                    (input, Some(state))
                }
                _ => (input, None),
            };
            let (input, message) = rest(input)?;
            Ok((
                input,
                Self {
                    code,
                    sql_state,
                    message,
                },
            ))
        })
    }
}

/// What a server said in an ERR packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// MySQL's error number.
    pub code: u16,
    /// SQLSTATE; empty if the server did not send it.
    pub sql_state: String,
    /// The server's message.
    pub message: String,
}

impl ServerError {
    /// The error that the ERR packet `payload` holds.
    ///
    /// # Errors
    /// Malformed bytes.
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        let err = ErrPacket::parse(payload)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Self {
            code: err.code,
            sql_state: err.sql_state.map(|state| text(&state)).unwrap_or_default(),
            message: text(err.message),
        })
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (error {}", self.message, self.code)?;
        if !self.sql_state.is_empty() {
            write!(f, ", SQLSTATE {}", self.sql_state)?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for ServerError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONE: Capabilities = Capabilities::from_bits(0);

    #[test]
    fn ok_of_9_7() {
        for capabilities in [NONE, Capabilities::SESSION_TRACK] {
            let ok = OkPacket::parse(&[0, 0, 0, 2, 0, 0, 0], capabilities).unwrap();
            assert_eq!((ok.affected_rows, ok.status, ok.warnings), (0, 2, 0));
            assert_eq!((ok.info, ok.session_state), (&b""[..], &b""[..]));
        }
    }

    #[test]
    fn ok_with_session_state() {
        // From page_protocol_basic_ok_packet: SET autocommit = OFF.
        let payload = b"\x00\x00\x00\x00\x40\x00\x00\x00\x11\x00\x0f\x0aautocommit\x03OFF";
        let ok = OkPacket::parse(payload, Capabilities::SESSION_TRACK).unwrap();
        assert_eq!(ok.info, b"");
        assert_eq!(ok.session_state, b"\x00\x0f\x0aautocommit\x03OFF");
        for len in 0..payload.len() {
            let cut = OkPacket::parse(&payload[..len], Capabilities::SESSION_TRACK);
            // One without info is one of its own.
            assert_eq!(cut.is_ok(), len == 7, "{len}");
        }
        assert!(
            OkPacket::parse(&[payload, &b"x"[..]].concat(), Capabilities::SESSION_TRACK).is_err()
        );
    }

    #[test]
    fn ends_of_rows() {
        let eof = [0xFE, 0, 0, 2, 0];
        let ok = [0xFE, 0, 0, 2, 0, 0, 0];
        assert_eq!(
            EofPacket::parse(&eof),
            Ok(EofPacket {
                warnings: 0,
                status: 2
            })
        );
        assert!(EofPacket::ends_rows(&eof, NONE));
        assert!(EofPacket::ends_rows(&ok, Capabilities::DEPRECATE_EOF));
        assert_eq!(OkPacket::parse(&ok, NONE).unwrap().status, 2);
        // A row whose first value has an 8-byte length.
        let mut row = vec![0xFE, 0, 0, 0, 1, 0, 0, 0, 0];
        assert!(!EofPacket::ends_rows(&row, NONE));
        row.resize(crate::packet::MAX_BODY, 0);
        assert!(!EofPacket::ends_rows(&row, Capabilities::DEPRECATE_EOF));
        assert!(!EofPacket::ends_rows(&[], NONE));
    }

    #[test]
    fn err_of_9_7() {
        let error = ServerError::parse(
            b"\xff\x15\x04#28000Access denied for user 'cap'@'localhost' (using password: YES)",
        )
        .unwrap();
        assert_eq!((error.code, &*error.sql_state), (1045, "28000"));
        assert_eq!(
            error.to_string(),
            "Access denied for user 'cap'@'localhost' (using password: YES) (error 1045, SQLSTATE 28000)"
        );
    }

    #[test]
    fn err_without_sql_state() {
        // From page_protocol_basic_err_packet's 3.2x form, as it comes in place of a greeting.
        let error = ServerError::parse(b"\xff\x10\x04Too many connections").unwrap();
        assert_eq!(error.to_string(), "Too many connections (error 1040)");
        assert!(ServerError::parse(b"\xff\x10").is_err());
        assert!(ServerError::parse(b"\xff\x10\x04#280").is_err());
        assert!(ServerError::parse(b"\xff\x10\x04").is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..60), bits: u32) {
            let _ = OkPacket::parse(&bytes, Capabilities::from_bits(bits));
            let _ = EofPacket::parse(&bytes);
            let _ = ServerError::parse(&bytes);
        }
    }
}
