//! bintrail's command line.

fn main() {}
