//! The change index: where row changes are kept, and what is read back from it.

pub mod record;
