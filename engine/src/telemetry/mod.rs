//! What a running stream tells of itself: numbers for Prometheus, answers for probes, and signs of life for the
//! service manager.

mod notify;
mod numbers;
mod server;
mod vitals;

pub use notify::Manager;
pub use server::Listener;
pub use vitals::{Condition, Vitals};
