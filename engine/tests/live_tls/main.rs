//! TLS and authentication against real servers: who gets in, who does not, and what is said.
//!
//! What is right comes from the servers, and for the modes from MySQL's own client beside us.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test panics where it fails; clippy only knows this of functions marked as tests"
)]

mod accounts;
mod certificates;
mod index;
mod modes;

use std::time::Duration;

use bintrail_engine::secret::Secret;
use bintrail_engine::source::Error;
use bintrail_engine::source::connection::{ConnectOptions, Connection};
use bintrail_testkit::client::block_on;
use bintrail_testkit::server::Server;

/// The user that the tests log in as, where they have made it.
pub(crate) const USER: &str = "taker";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) fn options(server: &Server, user: &str, password: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new("127.0.0.1", server.port, user, Secret::new(password));
    options.read_timeout = Duration::from_secs(20);
    options
}

/// Connects, asks who it is, and says whether TLS is on by what the server says.
pub(crate) fn login(options: &ConnectOptions) -> Result<bool, Error> {
    block_on(async {
        let mut connection = Connection::connect(options).await?;
        let rows = connection.query("SHOW STATUS LIKE 'Ssl_cipher'").await?;
        let cipher = rows.rows[0][1].clone().unwrap_or_default();
        assert_eq!(connection.is_tls(), !cipher.is_empty());
        connection.close().await;
        Ok(!cipher.is_empty())
    })
}

/// The error of a login that has to fail, as one line.
pub(crate) fn refusal(options: &ConnectOptions) -> Error {
    let error = login(options).expect_err("this login has to fail");
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains(PASSWORD) && !format!("{error:?}").contains(PASSWORD));
    error
}
