//! Row events and row changes as text.

pub mod changes;
pub mod mysqlbinlog;
