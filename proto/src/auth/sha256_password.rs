//! `sha256_password`: the password itself, over TLS or encrypted by RSA.
//!
//! Servers also ask for it on behalf of accounts they do not have, so as not to tell who is there.
//!
//! Source: MySQL source, `sql-common/client_authentication.cc`, `sha256_password_auth_client`.

use super::{Context, Method, Reply, encrypted, in_clear};
use crate::error::{Error, Kind};

/// Asks for the server's RSA key.
const REQUEST_PUBLIC_KEY: u8 = 1;

#[derive(Default)]
pub(super) struct Sha256Password {
    awaits_key: bool,
}

impl Method for Sha256Password {
    fn name(&self) -> &'static str {
        "sha256_password"
    }

    fn start(&mut self, context: Context<'_>) -> Result<Vec<u8>, Error> {
        self.awaits_key = !context.password.is_empty() && !context.secure;
        Ok(if self.awaits_key {
            vec![REQUEST_PUBLIC_KEY]
        } else {
            in_clear(context).to_vec()
        })
    }

    fn more(&mut self, data: &[u8], context: Context<'_>) -> Result<Reply, Error> {
        if !std::mem::take(&mut self.awaits_key) {
            return Err(Error::new(
                "AuthMoreData",
                Kind::Invalid("a key that sha256_password did not ask for"),
            ));
        }
        encrypted(data, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_once_and_only_when_asked_for() {
        let mut context = Context {
            password: b"secret",
            nonce: b"abcdefghijklmnopqrst",
            secure: false,
        };
        let mut method = Sha256Password::default();
        assert_eq!(method.start(context).unwrap(), [REQUEST_PUBLIC_KEY]);
        assert!(matches!(
            method.more(b"a key", context),
            Ok(Reply::Encrypt { .. })
        ));
        assert!(method.more(b"a key", context).is_err());

        context.secure = true;
        assert_eq!(method.start(context).unwrap(), b"secret\0");
        assert!(method.more(b"a key", context).is_err());
    }
}
