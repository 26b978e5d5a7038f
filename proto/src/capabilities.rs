//! What a client and a server agreed to speak.
//!
//! Source: MySQL source documentation, `group__group__cs__capabilities__flags`.

use std::fmt;
use std::ops::{BitAnd, BitOr};

/// The capability flags of one side, or, joined by `&`, what both have.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl Capabilities {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*

            const NAMES: &[(Self, &str)] = &[$((Self::$name, stringify!($name)),)*];
        }
    };
}

flags! {
    /// MySQL rather than MariaDB (`CLIENT_LONG_PASSWORD`, which MariaDB leaves out in its greeting).
    LONG_PASSWORD = 0;
    /// 32-bit column flags.
    LONG_FLAG = 2;
    /// The handshake response names a database.
    CONNECT_WITH_DB = 3;
    /// The server may ask for a file of the client's.
    LOCAL_FILES = 7;
    /// The 4.1 protocol: SQLSTATE in errors, warnings in EOF. Everything here needs it.
    PROTOCOL_41 = 9;
    /// TLS.
    SSL = 11;
    /// Status flags in OK and EOF packets.
    TRANSACTIONS = 13;
    /// The 20-byte nonce of 4.1 authentication (`CLIENT_RESERVED2`).
    SECURE_CONNECTION = 15;
    /// Several statements in one COM_QUERY.
    MULTI_STATEMENTS = 16;
    /// Several result sets from one COM_QUERY.
    MULTI_RESULTS = 17;
    /// Named authentication plugins.
    PLUGIN_AUTH = 19;
    /// Connection attributes in the handshake response.
    CONNECT_ATTRS = 20;
    /// The authentication response may pass 255 bytes.
    PLUGIN_AUTH_LENENC_CLIENT_DATA = 21;
    /// OK packets carry changes of session state.
    SESSION_TRACK = 23;
    /// An OK packet, with the header of an EOF packet, ends a result set.
    DEPRECATE_EOF = 24;
    /// The client knows AuthNextFactor. Without it the server denies accounts of several factors
    /// access, as if their password were wrong.
    MULTI_FACTOR_AUTHENTICATION = 28;
}

impl Capabilities {
    /// The flags of an `int<4>`.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The flags as an `int<4>`.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether every flag of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Capabilities {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)?;
        f.debug_set()
            .entries(
                Self::NAMES
                    .iter()
                    .filter(|(flag, _)| self.contains(*flag))
                    .map(|(_, name)| name),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_needs_every_flag() {
        let both = Capabilities::SSL | Capabilities::PLUGIN_AUTH;
        assert_eq!(both.bits(), 0x0008_0800);
        assert!(both.contains(Capabilities::SSL));
        assert!(!Capabilities::SSL.contains(both));
        assert_eq!(both & Capabilities::SSL, Capabilities::SSL);
        assert_eq!(format!("{both:?}"), r#"0x00080800{"SSL", "PLUGIN_AUTH"}"#);
    }
}
