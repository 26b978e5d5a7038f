//! Where binlog events come from.

pub mod connection;
pub(crate) mod dump;
mod error;
pub(crate) mod logs;
mod packets;
pub(crate) mod pinned;
pub mod replication;
mod rsa;
pub(crate) mod seam;
pub(crate) mod server;
mod transport;
pub(crate) mod variables;

pub use error::Error;
