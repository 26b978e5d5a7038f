//! bintrail's engine: binlog sources, the pipeline, the change index.

pub mod index;
