//! `client_ed25519`, MariaDB's plugin: the server's nonce of 32 bytes, signed by Ed25519.
//!
//! The private key is the password itself where Ed25519 has a seed of 32 bytes, so that its SHA-512 is the
//! expanded key. An empty password is signed with like any other.
//!
//! Source: MariaDB source, `plugin/auth_ed25519/server_ed25519.c` and `client_ed25519.c`.

use ed25519_dalek::VerifyingKey;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use super::{Context, Method, Reply};
use crate::error::{Error, Kind};

const NONCE_LEN: usize = 32;

pub(super) struct ClientEd25519;

impl Method for ClientEd25519 {
    fn name(&self) -> &'static str {
        "client_ed25519"
    }

    fn start(&mut self, context: Context<'_>) -> Result<Vec<u8>, Error> {
        if context.nonce.len() != NONCE_LEN {
            return Err(Error::new(
                "AuthSwitchRequest",
                Kind::Invalid("the nonce of client_ed25519 is not 32 bytes long"),
            ));
        }
        let hash = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(context.password)));
        let key = ExpandedSecretKey::from_bytes(&hash);
        let public = VerifyingKey::from(&key);
        Ok(raw_sign::<Sha512>(&key, context.nonce, &public)
            .to_bytes()
            .to_vec())
    }

    fn more(&mut self, _: &[u8], _: Context<'_>) -> Result<Reply, Error> {
        Err(Error::new(
            "AuthMoreData",
            Kind::Invalid("client_ed25519 has no second round"),
        ))
    }
}
