//! bintrail's engine: binlog sources, the pipeline, the change index.

pub mod clock;
mod described;
pub mod doctor;
pub mod dsn;
pub mod error;
pub mod files;
pub mod filter;
pub mod gtids;
pub mod image;
pub mod index;
mod json;
pub mod pipeline;
pub mod print;
pub mod query;
pub mod recover;
pub mod render;
pub mod rotate;
mod schema;
pub mod secret;
pub mod source;
pub mod status;
pub mod stream;
pub mod table;
pub mod tail;
pub mod telemetry;
pub mod tls;

pub use error::Error;
