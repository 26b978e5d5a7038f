//! `mysql_clear_password`: the password as it is, for servers that hand it on to PAM, LDAP and the like.
//!
//! The session lets it start over TLS only.
//!
//! Source: MySQL source, `sql-common/client_authentication.cc`, `clear_password_auth_client`.

use super::{Context, Method, Reply, in_clear};
use crate::error::{Error, Kind};

pub(super) struct ClearPassword;

impl Method for ClearPassword {
    fn name(&self) -> &'static str {
        "mysql_clear_password"
    }

    fn needs_tls(&self) -> bool {
        true
    }

    fn start(&mut self, context: Context<'_>) -> Result<Vec<u8>, Error> {
        Ok(in_clear(context).to_vec())
    }

    fn more(&mut self, _: &[u8], _: Context<'_>) -> Result<Reply, Error> {
        Err(Error::new(
            "AuthMoreData",
            Kind::Invalid("mysql_clear_password has no second round"),
        ))
    }
}
