//! The wire and binary log formats of MySQL and MariaDB.
//!
//! Sans-IO: bytes in, borrowed views out. There is no socket, clock, runtime or policy in this
//! crate, and no `unsafe`. Every length, count and depth that comes from the wire is checked
//! before it is used, so no input can make it panic, loop or allocate without bound.

#![forbid(unsafe_code)]

pub mod auth;
pub mod binlog;
pub mod capabilities;
pub mod command;
pub mod error;
pub mod gtid_set;
pub mod handshake;
pub mod packet;
pub mod primitive;
pub mod response;
pub mod resultset;
mod serialization;
pub mod session;

pub use error::{Error, Kind};
