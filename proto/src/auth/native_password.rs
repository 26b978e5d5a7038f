//! `mysql_native_password`: SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password))).
//!
//! Source: MySQL source documentation,
//! `page_protocol_connection_phase_authentication_methods_native_password_authentication`.

use sha1::{Digest, Sha1};

use super::{Context, Method, Reply};
use crate::error::{Error, Kind};

pub(super) struct Native;

impl Method for Native {
    fn name(&self) -> &'static str {
        "mysql_native_password"
    }

    fn start(&mut self, context: Context<'_>) -> Result<Vec<u8>, Error> {
        if context.password.is_empty() {
            return Ok(Vec::new());
        }
        let once = Sha1::digest(context.password);
        let twice = Sha1::digest(once);
        let mask = Sha1::new()
            .chain_update(context.nonce)
            .chain_update(twice)
            .finalize();
        Ok(once.iter().zip(mask).map(|(a, b)| a ^ b).collect())
    }

    fn more(&mut self, _: &[u8], _: Context<'_>) -> Result<Reply, Error> {
        Err(Error::new(
            "AuthMoreData",
            Kind::Invalid("mysql_native_password has no second round"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_that_5_6_accepted() {
        let context = Context {
            password: b"secret",
            nonce: b")2`kw9QnU@~zl,6i0R+~",
            secure: false,
        };
        assert_eq!(
            Native.start(context).unwrap(),
            b"\xde\x11\x91\xb1\xa3^FkZY\x98\xe3\x01I\xd3\xe6\x9f\x97j\x84"
        );
        let empty = Context {
            password: b"",
            ..context
        };
        assert_eq!(Native.start(empty).unwrap(), b"");
        assert!(Native.more(b"", context).is_err());
    }
}
