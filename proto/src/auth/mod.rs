//! Authentication plugins: how a client proves that it knows the password.
//!
//! A plugin is one file with a `Method`, and one line in `by_name`.
//!
//! Source: MySQL source documentation, `page_protocol_connection_phase_authentication_methods`.

mod caching_sha2_password;
mod clear_password;
mod client_ed25519;
mod native_password;
mod sha256_password;

use nom::bytes::complete::tag;
use zeroize::Zeroizing;

use crate::error::{Error, Kind, read};
use crate::primitive::{rest, string_nul};

/// What a plugin works with.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The password; empty for none.
    pub(crate) password: &'a [u8],
    /// The server's nonce, without its NUL.
    pub(crate) nonce: &'a [u8],
    /// Whether nobody can listen: TLS is on.
    pub(crate) secure: bool,
}

/// What a plugin wants done with what it answers.
pub(crate) enum Reply {
    /// Send it.
    Send(Zeroizing<Vec<u8>>),
    /// Encrypt `plaintext` by RSA with OAEP for the public key `pem`, and send the result.
    Encrypt {
        plaintext: Zeroizing<Vec<u8>>,
        pem: Vec<u8>,
    },
    /// Wait: the server's verdict comes by itself.
    Wait,
}

/// One authentication, from the nonce to the server's verdict.
pub(crate) trait Method: Send {
    /// The plugin's name on the wire.
    fn name(&self) -> &'static str;

    /// Whether its answers hold the password for anyone to read who can listen.
    fn needs_tls(&self) -> bool {
        false
    }

    /// The answer to the nonce.
    fn start(&mut self, context: Context<'_>) -> Result<Vec<u8>, Error>;

    /// The answer to what follows [`MORE_DATA`].
    fn more(&mut self, data: &[u8], context: Context<'_>) -> Result<Reply, Error>;
}

/// The method of the plugin `name`, or `None` if there is none here.
pub(crate) fn by_name(name: &[u8]) -> Option<Box<dyn Method>> {
    match name {
        b"caching_sha2_password" => Some(Box::<caching_sha2_password::CachingSha2>::default()),
        b"client_ed25519" => Some(Box::new(client_ed25519::ClientEd25519)),
        b"mysql_clear_password" => Some(Box::new(clear_password::ClearPassword)),
        b"mysql_native_password" => Some(Box::new(native_password::Native)),
        b"sha256_password" => Some(Box::<sha256_password::Sha256Password>::default()),
        _ => None,
    }
}

/// The password with a NUL, as both SHA-256 plugins send it over TLS.
fn in_clear(context: Context<'_>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([context.password, &[0]].concat())
}

/// The same without TLS: each byte XORed with the nonce's, repeated, and all of it encrypted.
fn encrypted(pem: &[u8], context: Context<'_>) -> Result<Reply, Error> {
    if context.nonce.is_empty() {
        return Err(Error::new(
            "AuthMoreData",
            Kind::Invalid("there is no nonce to encrypt the password with"),
        ));
    }
    let plain = in_clear(context);
    let masked = plain.iter().zip(context.nonce.iter().cycle());
    Ok(Reply::Encrypt {
        plaintext: Zeroizing::new(masked.map(|(a, b)| a ^ b).collect()),
        pem: pem.to_vec(),
    })
}

/// The first byte of `Protocol::AuthMoreData`; the rest is the plugin's own.
///
/// Source: `page_protocol_connection_phase_packets_protocol_auth_more_data`.
pub const MORE_DATA: u8 = 0x01;

/// `Protocol::AuthSwitchRequest`: the account needs another plugin than the one that was tried.
///
/// ```text
/// int<1>       0xFE
/// string<NUL>  plugin
/// string<EOF>  what the plugin is to work with
/// ```
///
/// The plugins of MySQL get a nonce of 20 bytes and a NUL; MariaDB's `client_ed25519` gets one of 32 bytes, the
/// last of which may be any.
///
/// The byte 0xFE alone asks for `mysql_old_password`, the scheme of servers before 4.1.
///
/// Source: `page_protocol_connection_phase_packets_protocol_auth_switch_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthSwitchRequest<'a> {
    /// The plugin to go on with.
    pub plugin: &'a [u8],
    /// Its nonce, without the NUL that ends one of 20 bytes.
    pub nonce: &'a [u8],
}

/// The nonce's length in MySQL's own plugins.
const NONCE_LEN: usize = 20;

/// The first byte of `Protocol::AuthNextFactor`: the account wants another proof, of another kind.
///
/// Source: `page_protocol_connection_phase_packets_protocol_auth_next_factor_request`.
pub const NEXT_FACTOR: u8 = 0x02;

impl<'a> AuthSwitchRequest<'a> {
    /// The first byte of its payload.
    pub const HEADER: u8 = 0xFE;

    /// Reads one.
    ///
    /// # Errors
    /// Malformed bytes.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Error> {
        if payload == [Self::HEADER] {
            return Ok(Self {
                plugin: b"mysql_old_password",
                nonce: &[],
            });
        }
        read("AuthSwitchRequest", payload, |input| {
            let (input, _) = tag(&[Self::HEADER][..])(input)?;
            let (input, plugin) = string_nul(input)?;
            let (input, nonce) = rest(input)?;
            let nonce = match nonce.split_last() {
                Some((0, head)) if head.len() == NONCE_LEN => head,
                _ => nonce,
            };
            Ok((input, Self { plugin, nonce }))
        })
    }
}
