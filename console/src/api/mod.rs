//! What programs ask for, and what the pages' scripts do.

pub(crate) mod events;
pub(crate) mod export;
mod question;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod view;
