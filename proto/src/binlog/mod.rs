//! The binary log: events, row images and the values in them.

pub mod checksum;
pub mod column;
pub mod decoder;
pub mod extra_row_info;
pub mod file;
pub mod format_description;
pub mod gtid;
mod gtid_tagged;
pub mod header;
pub mod heartbeat;
pub mod json_diff;
pub mod jsonb;
pub mod mariadb;
mod optional_metadata;
pub mod previous_gtids;
pub mod query;
pub mod rotate;
pub mod rows;
pub mod rows_query;
pub mod table_map;
pub mod transaction_payload;
pub mod value;
pub mod xa_prepare;
pub mod xid;
