//! `bintrail stream` and `bintrail tail` at full speed, and what a plain client does with the same rows.

pub mod floor;
pub mod index;
pub mod latency;
pub mod process;
pub mod program;
pub mod source;
