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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a MySQL 9.7.4 sent it.
    const GREETING: &[u8] = b"\n9.7.4-2\x00\xed\x00\x00\x00~&{\x03_}\x03e\x00\xff\xff\xff\x02\x00\
        \xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x06\x1bNO>P5\x08|k%G\x00\
        caching_sha2_password\x00";

    #[test]
    fn greeting_of_9_7() {
        let greeting = HandshakeV10::parse(GREETING).unwrap();
        assert_eq!(greeting.server_version, b"9.7.4-2");
        assert_eq!(greeting.connection_id, 0xED);
        assert_eq!(greeting.nonce(), b"~&{\x03_}\x03e\x06\x1bNO>P5\x08|k%G");
        assert_eq!(greeting.capabilities.bits(), 0xDFFF_FFFF);
        assert_eq!(greeting.auth_plugin, b"caching_sha2_password");
    }

    #[test]
    fn greeting_of_5_6() {
        let greeting = HandshakeV10::parse(
            b"\n5.6.24-log\x00\x04\x00\x00\x00)2`kw9Qn\x00\xff\xf7\x08\x02\x00\x7f\x80\x15\x00\x00\
            \x00\x00\x00\x00\x00\x00\x00\x00U@~zl,6i0R+~\x00mysql_native_password\x00",
        )
        .unwrap();
        assert_eq!(greeting.nonce(), b")2`kw9QnU@~zl,6i0R+~");
        assert_eq!(greeting.auth_plugin, b"mysql_native_password");
        assert!(!greeting.capabilities.contains(Capabilities::SSL));
        assert!(!greeting.capabilities.contains(Capabilities::DEPRECATE_EOF));
    }

    #[test]
    fn every_cut_greeting_is_an_error() {
        // Without its last NUL it is one of a server before 5.5.10.
        for len in 0..GREETING.len() - 1 {
            let parsed = HandshakeV10::parse(&GREETING[..len]);
            let plugin = GREETING.len() - b"caching_sha2_password\0".len();
            assert_eq!(parsed.is_ok(), len >= plugin, "{len}");
        }
        assert!(HandshakeV10::parse(&[GREETING, b"x"].concat()).is_err());
        assert!(HandshakeV10::parse(&[b"\x09", &GREETING[1..]].concat()).is_err());
    }

    #[test]
    fn response_is_that_of_the_mysql_client() {
        // What mysql 9.7.4 sent, behind the packet size and collation, which it has other ones of.
        let theirs = b"cap\x00 \x8c]Q\xbb$\xf9\x8a\xdb\"H:P\xd9\xd5\xc3\xe7U\x8e\xc4\x0b\xe9r\x1b&\
            \x17\xbc\x83Z\x8f\x80\x98\xf0caching_sha2_password\x00r\x04_pid\x0527400\t_platform\x06\
            x86_64\x03_os\x05Linux\x0c_client_name\x08libmysql\x07os_user\x04root\x0f_client_version\
            \x059.7.4\x0cprogram_name\x05mysql";
        let attributes = [
            ("_pid", "27400"),
            ("_platform", "x86_64"),
            ("_os", "Linux"),
            ("_client_name", "libmysql"),
            ("os_user", "root"),
            ("_client_version", "9.7.4"),
            ("program_name", "mysql"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut response = HandshakeResponse41 {
            capabilities: Capabilities::from_bits(0x19BF_A285),
            user: "cap",
            auth_response: &theirs[5..37],
            database: "",
            auth_plugin: "caching_sha2_password",
            attributes: &attributes,
        };
        let ours = response.to_payload().unwrap();
        assert_eq!(ours[..4], [0x85, 0xA2, 0xBF, 0x19]);
        assert_eq!(ours[4..9], [0, 0, 0, 0x40, 45]);
        assert_eq!(ours[9..32], [0; 23]);
        assert_eq!(ours[32..], *theirs);

        response.user = "c\0ap";
        assert!(response.to_payload().is_err());
    }

    #[test]
    fn ssl_request_is_the_head_of_the_response() {
        let capabilities = Capabilities::PROTOCOL_41 | Capabilities::SSL;
        let request = ssl_request(capabilities);
        assert_eq!(request.len(), 32);
        assert_eq!(request[..4], [0, 0x0A, 0, 0]);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = HandshakeV10::parse(&bytes);
            let _ = HandshakeV10::parse(&[b"\n", &bytes[..]].concat());
        }
    }
}
