//! The connection phase: the server's greeting and the client's answers to it.

use crate::capabilities::Capabilities;
use crate::error::{Error, Fault, Kind, Parsed, read};
use crate::primitive::{bytes, int1, int2, int4, rest, string_nul};

/// The collation `utf8mb4_general_ci`: the one of `utf8mb4` that every server knows.
pub const UTF8MB4_GENERAL_CI: u8 = 45;

/// The longest packet that the client says it takes: 1 GiB, the most that a server can be set to.
pub const MAX_PACKET: u32 = 1 << 30;

/// `Protocol::HandshakeV10`, the server's greeting.
///
/// ```text
/// int<1>       10
/// string<NUL>  server version
/// int<4>       connection id
/// string<8>    nonce, first part
/// int<1>       0
/// int<2>       capabilities, lower half
/// int<1>       collation
/// int<2>       status flags
/// int<2>       capabilities, upper half
/// int<1>       length of the nonce and its NUL
/// string<10>   reserved
/// string<n>    nonce, second part: max(13, length - 8) bytes, the last one NUL
/// string<NUL>  authentication plugin, if PLUGIN_AUTH
/// ```
///
/// Source: MySQL source documentation,
/// `page_protocol_connection_phase_packets_protocol_handshake_v10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandshakeV10<'a> {
    /// For example `9.7.0` or `5.5.5-10.11.6-MariaDB-log`.
    pub server_version: &'a [u8],
    /// The id of the connection in `SHOW PROCESSLIST` and `KILL`.
    pub connection_id: u32,
    /// The first 8 bytes of the nonce.
    pub nonce_head: [u8; 8],
    /// The rest of the nonce, without its NUL: 12 bytes.
    pub nonce_tail: &'a [u8],
    /// What the server offers.
    pub capabilities: Capabilities,
    /// The server's default plugin; empty when it does not name one.
    pub auth_plugin: &'a [u8],
}

impl<'a> HandshakeV10<'a> {
    /// Reads a greeting.
    ///
    /// # Errors
    /// Another protocol version, a server that does not speak the 4.1 protocol, or malformed bytes.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Error> {
        read("HandshakeV10", payload, handshake_v10)
    }

    /// The nonce: 20 bytes from every server in use.
    #[must_use]
    pub fn nonce(&self) -> Vec<u8> {
        [&self.nonce_head[..], self.nonce_tail].concat()
    }
}

fn handshake_v10(input: &[u8]) -> Parsed<'_, HandshakeV10<'_>> {
    let (after, version) = int1(input)?;
    if version != 10 {
        return Err(Fault::at(input, Kind::Unsupported("its protocol version")));
    }
    let (input, server_version) = string_nul(after)?;
    let (input, connection_id) = int4(input)?;
    let (input, nonce_head) = crate::primitive::array::<8>(input)?;
    let (input, _) = int1(input)?;
    let (input, lower) = int2(input)?;
    if !Capabilities::from_bits(lower.into()).contains(Capabilities::PROTOCOL_41) {
        return Err(Fault::at(
            input,
            Kind::Unsupported("a server older than 4.1"),
        ));
    }
    let (input, _collation) = int1(input)?;
    let (input, _status) = int2(input)?;
    let (input, upper) = int2(input)?;
    let capabilities = Capabilities::from_bits(u32::from(upper) << 16 | u32::from(lower));
    let (input, nonce_len) = int1(input)?;
    let (input, _reserved) = bytes(10)(input)?;
    let (input, tail) = if capabilities.contains(Capabilities::SECURE_CONNECTION) {
        bytes(usize::from(nonce_len.saturating_sub(8)).max(13))(input)?
    } else {
        (input, &[][..])
    };
    let (input, auth_plugin) = if capabilities.contains(Capabilities::PLUGIN_AUTH) {
        // Servers before 5.5.10 leave out the NUL.
        string_nul(input).or_else(|_| rest(input))?
    } else {
        (input, &[][..])
    };
    Ok((
        input,
        HandshakeV10 {
            server_version,
            connection_id,
            nonce_head,
            nonce_tail: tail.strip_suffix(&[0]).unwrap_or(tail),
            capabilities,
            auth_plugin,
        },
    ))
}

fn write_head(capabilities: Capabilities, out: &mut Vec<u8>) {
    out.extend_from_slice(&capabilities.bits().to_le_bytes());
    out.extend_from_slice(&MAX_PACKET.to_le_bytes());
    out.push(UTF8MB4_GENERAL_CI);
    out.extend_from_slice(&[0; 23]);
}

/// `Protocol::SSLRequest`: the first 32 bytes of the handshake response, after which TLS starts.
///
/// ```text
/// int<4>      capabilities, SSL among them
/// int<4>      longest packet
/// int<1>      collation
/// string<23>  NULs
/// ```
///
/// Source: `page_protocol_connection_phase_packets_protocol_ssl_request`.
#[must_use]
pub fn ssl_request(capabilities: Capabilities) -> Vec<u8> {
    let mut out = Vec::with_capacity(32);
    write_head(capabilities, &mut out);
    out
}

/// `Protocol::HandshakeResponse41`, the client's answer to the greeting.
///
/// ```text
/// the 32 bytes of SSLRequest
/// string<NUL>     user
/// string<lenenc>  authentication response (int<1> length without PLUGIN_AUTH_LENENC_CLIENT_DATA)
/// string<NUL>     database, if CONNECT_WITH_DB
/// string<NUL>     authentication plugin, if PLUGIN_AUTH
/// int<lenenc>     length of the attributes, if CONNECT_ATTRS, and each of them:
///   string<lenenc>  key
///   string<lenenc>  value
/// ```
///
/// Source: `page_protocol_connection_phase_packets_protocol_handshake_response`.
pub struct HandshakeResponse41<'a> {
    /// What both sides have.
    pub capabilities: Capabilities,
    /// The account's user name, without NULs.
    pub user: &'a str,
    /// What the plugin answers to the nonce.
    pub auth_response: &'a [u8],
    /// The default database, without NULs; sent if `CONNECT_WITH_DB`.
    pub database: &'a str,
    /// The plugin that `auth_response` is for; sent if `PLUGIN_AUTH`.
    pub auth_plugin: &'a str,
    /// What `performance_schema.session_connect_attrs` shows; sent if `CONNECT_ATTRS`.
    pub attributes: &'a [(String, String)],
}

impl HandshakeResponse41<'_> {
    /// The packet's payload.
    ///
    /// # Errors
    /// A user or database with a NUL, or a response too long for the server, cannot be expressed.
    pub fn to_payload(&self) -> Result<Vec<u8>, Error> {
        let wrong = |why| Error::new("HandshakeResponse41", Kind::Invalid(why));
        if self.user.contains('\0') || self.database.contains('\0') {
            return Err(wrong("a user or database name holds a NUL"));
        }
        let mut out = Vec::with_capacity(256);
        write_head(self.capabilities, &mut out);
        out.extend_from_slice(self.user.as_bytes());
        out.push(0);
        if self
            .capabilities
            .contains(Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA)
        {
            put_lenenc(self.auth_response, &mut out);
        } else {
            let len = u8::try_from(self.auth_response.len())
                .map_err(|_| wrong("the authentication response passes 255 bytes"))?;
            out.push(len);
            out.extend_from_slice(self.auth_response);
        }
        if self.capabilities.contains(Capabilities::CONNECT_WITH_DB) {
            out.extend_from_slice(self.database.as_bytes());
            out.push(0);
        }
        if self.capabilities.contains(Capabilities::PLUGIN_AUTH) {
            out.extend_from_slice(self.auth_plugin.as_bytes());
            out.push(0);
        }
        if self.capabilities.contains(Capabilities::CONNECT_ATTRS) {
            let mut attributes = Vec::new();
            for (key, value) in self.attributes {
                put_lenenc(key.as_bytes(), &mut attributes);
                put_lenenc(value.as_bytes(), &mut attributes);
            }
            put_lenenc(&attributes, &mut out);
        }
        Ok(out)
    }
}

fn put_lenenc(value: &[u8], out: &mut Vec<u8>) {
    let [a, b, c, d, e, f, g, h] = (value.len() as u64).to_le_bytes();
    match value.len() {
        0..=250 => out.push(a),
        251..=0xFFFF => out.extend_from_slice(&[0xFC, a, b]),
        0x1_0000..=0xFF_FFFF => out.extend_from_slice(&[0xFD, a, b, c]),
        _ => out.extend_from_slice(&[0xFE, a, b, c, d, e, f, g, h]),
    }
    out.extend_from_slice(value);
}
