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

#[cfg(test)]
mod tests {
    use ed25519_dalek::Signature;

    use super::*;

    /// What MariaDB 10.11 keeps of the password "secret", from its base64.
    const PUBLIC: &[u8; 32] = b"\x64\x88\x14\x44\x45\x20\xe4\xf5\x60\x43\xa2\xec\x92\x15\xe6\x3b\
        \xe7\x99\x2d\x2d\x27\x0b\xc6\xde\xe8\x73\xe3\x61\x64\x78\x60\x96";

    #[test]
    fn the_answer_is_signed_by_the_key_that_mariadb_has() {
        let mut nonce = [7; 32];
        // A nonce may end with a NUL.
        nonce[31] = 0;
        let context = Context {
            password: b"secret",
            nonce: &nonce,
            secure: false,
        };
        let answer = ClientEd25519.start(context).unwrap();
        let public = VerifyingKey::from_bytes(PUBLIC).unwrap();
        let signature = Signature::from_slice(&answer).unwrap();
        public.verify_strict(&nonce, &signature).unwrap();
        let others = Context {
            password: b"Secret",
            ..context
        };
        let answer = ClientEd25519.start(others).unwrap();
        let signature = Signature::from_slice(&answer).unwrap();
        assert!(public.verify_strict(&nonce, &signature).is_err());
    }

    #[test]
    fn a_nonce_of_another_length_is_an_error() {
        for len in [0, 20, 31, 33] {
            let context = Context {
                password: b"secret",
                nonce: &vec![7; len],
                secure: false,
            };
            assert!(ClientEd25519.start(context).is_err());
        }
    }
}
