//! Engines that follow a server: each asks it for one of its binlog files, and reads every value of every row of what
//! comes.

mod bintrail;
mod mysql_async;

use crate::engines::Kind;
use crate::{Counts, Result};

/// An engine.
pub struct Engine {
    /// Its name on the command line and in tables.
    pub name: &'static str,
    /// Decodes a file of the server that listens on a port of this machine.
    pub run: fn(u16, &str) -> Result<Counts>,
    /// What it is.
    pub kind: Kind,
}

const fn engine(name: &'static str, kind: Kind, run: fn(u16, &str) -> Result<Counts>) -> Engine {
    Engine { name, run, kind }
}

/// All of them.
pub const ENGINES: &[Engine] = &[
    engine("receive", Kind::Floor, bintrail::receive),
    engine("bintrail", Kind::Ours, bintrail::typed),
    engine("bintrail-json", Kind::Ours, bintrail::json),
    engine("mysql_async", Kind::Peer, mysql_async::run),
];

/// The replica's server id. The engines run one after the other.
const SERVER_ID: u32 = 4_000_000_001;

/// A runtime of one thread, as one connection needs.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
