//! What bintrail's programs have in common: flags and how they are read, the log, signals.

mod argv;
pub mod doctor_report;
pub mod env_file;
mod environment;
pub mod flags;
pub mod logging;
pub mod stop;
pub mod stream_flags;
