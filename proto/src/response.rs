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
