//! What the fuzzers run: one function a target.
//!
//! `scripts/fuzz` drives them by libFuzzer; the tests `fuzz_corpus` of `bintrail-proto` and
//! `bintrail-engine` [`replay`] the corpora that it has found. A target fails by a panic, and each asserts
//! more than that there is none: what was read prints and reads back, offsets of errors lie in the
//! input, and what is printed is bounded by what was read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "test code: what goes wrong here has to end the run"
)]

use std::path::Path;

mod charset;
mod chunking;
mod document;
mod event;
mod gtid_set;
mod handshake;
mod json_diff;
mod jsonb;
mod model;
mod packet;
mod rows;
mod session;
mod transaction_payload;
mod value;
mod values;

#[cfg(feature = "engine")]
mod decode;
#[cfg(feature = "engine")]
mod differential;
#[cfg(feature = "engine")]
mod image;
#[cfg(feature = "engine")]
mod statement;

pub use charset::charset;
pub use chunking::chunking;
pub use event::event;
pub use gtid_set::{gtid_set_binary, gtid_set_text};
pub use handshake::handshake;
pub use json_diff::json_diff;
pub use jsonb::{json_document, jsonb};
pub use packet::packet;
pub use rows::rows;
pub use session::session;
pub use transaction_payload::transaction_payload;

#[cfg(feature = "engine")]
pub use decode::decode;
#[cfg(feature = "engine")]
pub use differential::differential;
#[cfg(feature = "engine")]
pub use image::image;
#[cfg(feature = "engine")]
pub use statement::statement;

/// A target: its name, which is also its corpus's, and what it runs on one input.
pub type Target = (&'static str, fn(&[u8]));

/// The targets of `bintrail-proto`.
pub const PROTO: &[Target] = &[
    ("charset", charset),
    ("chunking", chunking),
    ("event", event),
    ("gtid_set_binary", gtid_set_binary),
    ("gtid_set_text", gtid_set_text),
    ("handshake", handshake),
    ("json_diff", json_diff),
    ("json_document", json_document),
    ("jsonb", jsonb),
    ("packet", packet),
    ("rows", rows),
    ("session", session),
    ("transaction_payload", transaction_payload),
];

/// The targets of `bintrail-engine`, and the one that compares with another decoder.
#[cfg(feature = "engine")]
pub const ENGINE: &[Target] = &[
    ("decode", decode),
    ("differential", differential),
    ("image", image),
    ("statement", statement),
];

/// Runs every target over its corpus, which is in `corpora`, in the folder of the target's name.
///
/// # Panics
/// When a corpus is missing or empty, and when a target fails: the input's path is printed then.
pub fn replay(corpora: &Path, targets: &[Target]) {
    struct Told<'a>(&'a Path);
    impl Drop for Told<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("on the input {}", self.0.display());
            }
        }
    }
    for (name, run) in targets {
        let corpus = corpora.join(name);
        let mut inputs = 0;
        let files =
            std::fs::read_dir(&corpus).unwrap_or_else(|e| panic!("{}: {e}", corpus.display()));
        for file in files {
            let path = file.unwrap().path();
            let input = std::fs::read(&path).unwrap();
            let _told = Told(&path);
            run(&input);
            inputs += 1;
        }
        assert!(inputs > 0, "{}: no inputs", corpus.display());
    }
}

/// An error's offset lies in what was read.
#[track_caller]
fn check_error(error: &bintrail_proto::Error, len: usize) {
    assert!(error.offset <= len, "{error:?} in {len} bytes");
}
