//! bintrail's engine: binlog sources, the pipeline, the change index.

pub mod dsn;
pub mod index;
pub mod secret;
