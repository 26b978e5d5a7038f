//! Row events as text.

pub mod mysqlbinlog;
