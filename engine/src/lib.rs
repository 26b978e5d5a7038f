//! bintrail's engine: binlog sources, the pipeline, the change index.

pub mod index;
pub mod secret;
pub mod source;
