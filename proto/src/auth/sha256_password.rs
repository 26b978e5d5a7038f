//! `sha256_password`: the password itself, over TLS or encrypted by RSA.
//!
//! Servers also ask for it on behalf of accounts they do not have, so as not to tell who is there.
//!
//! Source: MySQL source, `sql-common/client_authentication.cc`, `sha256_password_auth_client`.

use super::{Context, Method, Reply, encrypted, in_clear};
use crate::error::Error;

/// Asks for the server's RSA key.
const REQUEST_PUBLIC_KEY: u8 = 1;

pub(super) struct Sha256Password;

impl Method for Sha256Password {
    fn name(&self) -> &'static str {
        "sha256_password"
    }

    fn start(&mut self, context: Context<'_>) -> Result<Vec<u8>, Error> {
        Ok(if context.password.is_empty() || context.secure {
            in_clear(context).to_vec()
        } else {
            vec![REQUEST_PUBLIC_KEY]
        })
    }

    fn more(&mut self, data: &[u8], context: Context<'_>) -> Result<Reply, Error> {
        encrypted(data, context)
    }
}
