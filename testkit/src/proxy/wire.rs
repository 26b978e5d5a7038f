//! The packets of a connection, told apart as far as a fault has to know them.

/// Bytes of a packet's header.
pub(super) const HEADER: usize = 4;

/// Bytes of a payload that tell what it is: of an event, the OK byte, its time and its type.
pub(super) const HEAD: usize = 6;

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The server's first packet.
    Greeting,
    /// The client asks for TLS.
    TlsRequest,
    /// TLS, in which packets cannot be told apart: what one read brought.
    Tls,
    /// The client's user name and first proof.
    Login,
    /// Of either side, until the server has let the client in.
    Auth,
    /// A command, by its code.
    Command(u8),
    /// What a client sends for LOAD DATA LOCAL.
    Upload,
    /// A packet of the server's answer to a command.
    Answer,
    /// An event of a dump, by its type code.
    Event(u8),
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// How far a connection is. Both directions have their part in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    #[default]
    Greeting,
    Login,
    Tls,
    Auth,
    Command,
    Upload,
    Dump,
}

const COM_BINLOG_DUMP: u8 = 0x12;
const COM_BINLOG_DUMP_GTID: u8 = 0x1e;
/// Payload of a login that ends behind the character set: the client wants TLS first.
const TLS_REQUEST_LEN: usize = 32;
const OK: u8 = 0x00;
const LOCAL_INFILE: u8 = 0xfb;

impl Phase {
    /// What the packet is that begins with `head`, and what it makes of the connection.
    pub(super) fn packet(&mut self, side: Side, sequence: u8, len: usize, head: &[u8]) -> Kind {
        let first = head.first().copied();
        match (side, *self) {
            (_, Phase::Tls) => Kind::Tls,
            (Side::Server, Phase::Greeting) => {
                *self = Phase::Login;
                Kind::Greeting
            }
            (Side::Client, Phase::Greeting | Phase::Login) => {
                if len == TLS_REQUEST_LEN {
                    *self = Phase::Tls;
                    Kind::TlsRequest
                } else {
                    *self = Phase::Auth;
                    Kind::Login
                }
            }
            (Side::Server, Phase::Login | Phase::Auth) => {
                if first == Some(OK) {
                    *self = Phase::Command;
                }
                Kind::Auth
            }
            (Side::Client, Phase::Auth) => Kind::Auth,
            (Side::Client, Phase::Upload) => {
                if len == 0 {
                    *self = Phase::Command;
                }
                Kind::Upload
            }
            (Side::Client, Phase::Command | Phase::Dump) => {
                let code = first.unwrap_or_default();
                if sequence == 0 && matches!(code, COM_BINLOG_DUMP | COM_BINLOG_DUMP_GTID) {
                    *self = Phase::Dump;
                }
                Kind::Command(code)
            }
            (Side::Server, Phase::Command | Phase::Upload) => {
                // The first packet of an answer: a row's may begin so too.
                if sequence == 1 && first == Some(LOCAL_INFILE) {
                    *self = Phase::Upload;
                }
                Kind::Answer
            }
            (Side::Server, Phase::Dump) => match head {
                [OK, _, _, _, _, code, ..] => Kind::Event(*code),
                _ => Kind::Answer,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_from_greeting_to_dump() {
        let mut phase = Phase::default();
        let mut kind = |side, sequence, payload: &[u8]| {
            let head = &payload[..payload.len().min(HEAD)];
            phase.packet(side, sequence, payload.len(), head)
        };
        use Side::{Client, Server};
        assert_eq!(kind(Server, 0, b"\x0a9.7.0\0"), Kind::Greeting);
        assert_eq!(kind(Client, 1, &[0; 80]), Kind::Login);
        assert_eq!(kind(Server, 2, b"\x01\x04"), Kind::Auth);
        assert_eq!(kind(Client, 3, b"\x02"), Kind::Auth);
        assert_eq!(kind(Server, 4, b"\0\0\0"), Kind::Auth);
        assert_eq!(kind(Client, 0, b"\x03LOAD"), Kind::Command(3));
        assert_eq!(kind(Server, 1, b"\xfbname"), Kind::Answer);
        assert_eq!(kind(Client, 2, b"rows"), Kind::Upload);
        assert_eq!(kind(Client, 0, b"more rows"), Kind::Upload);
        assert_eq!(kind(Client, 1, b""), Kind::Upload);
        assert_eq!(kind(Server, 2, b"\0"), Kind::Answer);
        assert_eq!(kind(Client, 0, b"\x1e"), Kind::Command(0x1e));
        assert_eq!(kind(Server, 1, b"\0\0\0\0\0\x0f"), Kind::Event(15));
        assert_eq!(kind(Server, 2, b"\xff\x04"), Kind::Answer);
    }

    #[test]
    fn behind_a_request_for_tls_there_are_no_packets() {
        let mut phase = Phase::Login;
        assert_eq!(phase.packet(Side::Client, 1, 32, &[0; 6]), Kind::TlsRequest);
        assert_eq!(phase.packet(Side::Server, 0, 9, &[0; 6]), Kind::Tls);
    }
}
