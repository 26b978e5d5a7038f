//! The wire and binary log formats of MySQL and MariaDB.
//!
//! Sans-IO: bytes in, borrowed views out. There is no socket, clock, runtime or policy in this
//! crate, and no `unsafe`. Every length, count and depth that comes from the wire is checked
//! before it is used, so no input can make it panic, loop or allocate without bound.

#![forbid(unsafe_code)]

pub mod binlog;
pub mod error;
pub mod gtid_set;
pub mod primitive;
mod serialization;

pub use error::{Error, Kind};
