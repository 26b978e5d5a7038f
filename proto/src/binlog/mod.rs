//! The binary log: events, row images and the values in them.

pub mod jsonb;
pub mod value;
