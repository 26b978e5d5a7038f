//! The engines.

mod bintrail;
mod connector;
mod floors;
mod mysql_cdc;
mod mysql_common;
mod mysql_replication;

use std::path::Path;

pub use bintrail::{Json, Rows, Take, Typed};
pub(crate) use mysql_common::take_rows;

use crate::{Counts, Result};

/// An engine.
pub struct Engine {
    /// Its name on the command line and in tables.
    pub name: &'static str,
    /// Decodes a file.
    pub run: fn(&Path) -> Result<Counts>,
    /// What it is.
    pub kind: Kind,
}

/// What an engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Part of the work of every decoder, to tell how much is left to win. Counts nothing.
    Floor,
    /// bintrail's.
    Ours,
    /// Another library.
    Peer,
    /// MySQL's own program, which prints text.
    Tool,
}

const fn engine(name: &'static str, kind: Kind, run: fn(&Path) -> Result<Counts>) -> Engine {
    Engine { name, run, kind }
}

/// All of them.
pub const ENGINES: &[Engine] = &[
    engine("read", Kind::Floor, floors::read),
    engine("walk", Kind::Floor, floors::walk),
    engine("walk+crc", Kind::Floor, floors::crc),
    engine("bintrail", Kind::Ours, bintrail::typed),
    engine("bintrail-json", Kind::Ours, bintrail::json),
    engine("mysql_common", Kind::Peer, mysql_common::run),
    engine("mysql-replication", Kind::Peer, mysql_replication::run),
    engine("mysql-binlog-connector-rust", Kind::Peer, connector::run),
    engine("mysql_cdc", Kind::Peer, mysql_cdc::run),
];
