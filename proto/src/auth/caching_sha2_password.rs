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

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: Context<'_> = Context {
        password: b"secret",
        nonce: b"~&{\x03_}\x03e\x06\x1bNO>P5\x08|k%G",
        secure: false,
    };

    #[test]
    fn scramble_is_that_of_the_mysql_client() {
        let mut method = CachingSha2::default();
        assert_eq!(
            method.start(CONTEXT).unwrap(),
            b"\x8c]Q\xbb$\xf9\x8a\xdb\"H:P\xd9\xd5\xc3\xe7U\x8e\xc4\x0b\xe9r\x1b&\x17\xbc\x83Z\x8f\x80\x98\xf0"
        );
        let empty = Context {
            password: b"",
            ..CONTEXT
        };
        assert_eq!(method.start(empty).unwrap(), [0]);
    }

    #[test]
    fn without_tls_the_password_waits_for_a_key() {
        let mut method = CachingSha2::default();
        let Ok(Reply::Send(request)) = method.more(&[4], CONTEXT) else {
            panic!("no request for the key");
        };
        assert_eq!(*request, [2]);
        let Ok(Reply::Encrypt { plaintext, pem }) = method.more(b"a key", CONTEXT) else {
            panic!("nothing to encrypt");
        };
        assert_eq!(pem, b"a key");
        // "secret" and its NUL, XOR the nonce's first 7 bytes.
        assert_eq!(*plaintext, *b"\x0dC\x18q:\x09\x03");
        assert!(method.more(b"a key", CONTEXT).is_err());

        let no_nonce = Context {
            nonce: b"",
            ..CONTEXT
        };
        assert!(method.more(&[4], no_nonce).is_ok());
        assert!(method.more(b"a key", no_nonce).is_err());
    }

    #[test]
    fn a_password_longer_than_the_nonce_is_masked_to_its_end() {
        let long = Context {
            password: &[b'x'; 41],
            ..CONTEXT
        };
        let mut method = CachingSha2::default();
        assert!(method.more(&[4], long).is_ok());
        let Ok(Reply::Encrypt { plaintext, .. }) = method.more(b"a key", long) else {
            panic!("nothing to encrypt");
        };
        assert_eq!(plaintext.len(), 42);
        assert_eq!(plaintext[40], b'x' ^ b'~');
        assert_eq!(plaintext[41], b'&');
    }

    #[test]
    fn unknown_requests_are_errors() {
        for data in [&b""[..], &[0], &[2], &[3, 3]] {
            assert!(CachingSha2::default().more(data, CONTEXT).is_err());
        }
    }
}
