//! The way of the data: events → transactions → batches → texts → the index.

pub(crate) mod assemble;
pub mod encode;
pub mod statement;
pub(crate) mod tables;
