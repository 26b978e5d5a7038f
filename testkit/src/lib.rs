//! Proves `bintrail stream` right against real servers, with no help from bintrail's own decoder.
//!
//! The truth comes from two sides that know nothing of us: `mysqlbinlog` says which row events the
//! binlog holds ([`oracle`]), and the source itself says what its tables hold now. [`workload`]
//! makes a source busy in every way we can think of, [`index`] reads what bintrail kept, and
//! [`check`] compares.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "test code: what goes wrong here has to end the test, and its input is our own"
)]

pub mod check;
pub mod client;
pub mod index;
pub mod json;
pub mod oracle;
pub mod proxy;
pub mod schema;
pub mod server;
pub mod value;
pub mod workload;

/// Any failure, as text for whoever reads the test's output.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// What nearly everything here returns.
pub type Result<T> = std::result::Result<T, Error>;
