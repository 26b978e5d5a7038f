//! `caching_sha2_password`: a scramble that the server checks against its cache, and the password
//! itself, protected by TLS or RSA, when the cache does not know the account yet.
//!
//! The scramble is SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce).
//!
//! Source: MySQL source documentation,
//! `page_caching_sha2_authentication_exchanges`.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Context, Method, Reply, encrypted, in_clear};
use crate::error::{Error, Kind};

/// The scramble was right; an OK packet follows.
const FAST_AUTH_SUCCESS: &[u8] = &[3];
/// The server needs the password itself.
const PERFORM_FULL_AUTHENTICATION: &[u8] = &[4];
/// Asks for the server's RSA key.
const REQUEST_PUBLIC_KEY: u8 = 2;

#[derive(Default)]
pub(super) struct CachingSha2 {
    awaits_key: bool,
}

impl Method for CachingSha2 {
    fn name(&self) -> &'static str {
        "caching_sha2_password"
    }

    fn start(&mut self, context: Context<'_>) -> Result<Vec<u8>, Error> {
        if context.password.is_empty() {
            return Ok(vec![0]);
        }
        let once = Sha256::digest(context.password);
        let twice = Sha256::digest(once);
        let mask = Sha256::new()
            .chain_update(twice)
            .chain_update(context.nonce)
            .finalize();
        Ok(once.iter().zip(mask).map(|(a, b)| a ^ b).collect())
    }

    fn more(&mut self, data: &[u8], context: Context<'_>) -> Result<Reply, Error> {
        if std::mem::take(&mut self.awaits_key) {
            return encrypted(data, context);
        }
        match data {
            FAST_AUTH_SUCCESS => Ok(Reply::Wait),
            PERFORM_FULL_AUTHENTICATION if context.secure => Ok(Reply::Send(in_clear(context))),
            PERFORM_FULL_AUTHENTICATION => {
                self.awaits_key = true;
                Ok(Reply::Send(Zeroizing::new(vec![REQUEST_PUBLIC_KEY])))
            }
            _ => Err(Error::new(
                "AuthMoreData",
                Kind::Invalid("unknown request of caching_sha2_password"),
            )),
        }
    }
}
