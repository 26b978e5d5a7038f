//! The binary log: events, row images and the values in them.

pub mod format_description;
pub mod gtid;
mod gtid_tagged;
pub mod heartbeat;
pub mod previous_gtids;
pub mod query;
pub mod rotate;
pub mod rows_query;
pub mod value;
pub mod xa_prepare;
pub mod xid;
