//! What MariaDB's binlog has and MySQL's has not.
//!
//! Sources: MariaDB documentation, "Replication Protocol"; MariaDB's `sql/log_event.h` and
//! `sql/log_event.cc`.

mod annotate_rows;
mod binlog_checkpoint;
pub mod compressed;
mod gtid;
mod gtid_list;
pub mod gtid_set;
mod zlib;

pub use annotate_rows::annotate_rows;
pub use binlog_checkpoint::BinlogCheckpoint;
pub use gtid::MariadbGtidEvent;
pub use gtid_list::MariadbGtidList;
pub(crate) use zlib::{Format, inflate};
