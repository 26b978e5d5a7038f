//! Every character of every character set, against what a server converted it to
//! (`tests/data/charsets/golden.txt`, written by `scripts/gen-charsets` from MySQL 9.7; the live test `live_charsets`
//! finds that MySQL 5.6 reads the sets that it has the same way).

use std::fmt::Write as _;

use bintrail_proto::binlog::value::Charset;
use sha2::{Digest, Sha256};

const GOLDEN: &str = include_str!("data/charsets/golden.txt");

#[test]
fn decodes_as_the_server_does() {
    let mut wrong = String::new();
    let mut lines = 0;
    for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
        let [name, set, count, decoded, sha256] =
            line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let charset = Charset::from_name(name).unwrap();
        let (mut hash, mut scratch, mut seen, mut valid) = (Sha256::new(), String::new(), 0, 0);
        for_each_sequence(name, set, |bytes| {
            seen += 1;
            match charset.to_utf8(bytes, &mut scratch) {
                Ok(text) => {
                    valid += 1;
                    hash.update(text);
                }
                Err(_) => hash.update("!"),
            }
            hash.update("\n");
        });
        let mut actual = String::new();
        for byte in hash.finalize() {
            write!(actual, "{byte:02x}").unwrap();
        }
        if [&seen.to_string(), &valid.to_string(), &actual] != [count, decoded, sha256] {
            writeln!(
                wrong,
                "{name} {set}: {valid} of {seen} decoded, not {decoded}"
            )
            .unwrap();
        }
        lines += 1;
    }
    assert_eq!(lines, 61, "sets of sequences");
    assert_eq!(wrong, "");
}

/// The byte sequences of a set: the same that `sets` in `scripts/gen-charsets` makes.
fn for_each_sequence(charset: &str, set: &str, mut visit: impl FnMut(&[u8])) {
    let utf16 = |unit: u16| match charset {
        "utf16le" => unit.to_le_bytes(),
        _ => unit.to_be_bytes(),
    };
    match (charset, set) {
        (_, "one") => (0..=0xFF).for_each(|a| visit(&[a])),
        (_, "two") => {
            for a in 0x80..=0xFF {
                (0..=0xFF).for_each(|b| visit(&[a, b]));
            }
        }
        (_, "units") => (0..=0xFFFF).for_each(|unit| visit(&utf16(unit))),
        (_, "pairs") => {
            for a in (0xD7FF..0xDC02).chain([0xDFFF, 0xE000]) {
                for b in [
                    0x0041, 0xD800, 0xDBFF, 0xDC00, 0xDD55, 0xDFFE, 0xDFFF, 0xE000,
                ] {
                    visit(&[utf16(a), utf16(b)].concat());
                }
            }
        }
        (_, "points") => (0..0x10000_u32).for_each(|point| visit(&point.to_be_bytes())),
        (_, "planes") => {
            for point in (0x10000..0x0012_0000_u32).step_by(251) {
                visit(&point.to_be_bytes());
            }
        }
        ("eucjpms" | "ujis", "three") => {
            for a in 0..=0xFF {
                (0..=0xFF).for_each(|b| visit(&[0x8F, a, b]));
            }
        }
        ("gb18030", "four") => {
            for (a, b) in (0x81..=0xFE).flat_map(|a| (0x30..=0x39).map(move |b| (a, b))) {
                for c in 0x81..=0xFE {
                    (0x30..=0x39).for_each(|d| visit(&[a, b, c, d]));
                }
            }
        }
        (_, "three") => {
            for (a, b) in (0xE0..=0xF0).flat_map(|a| (0x70..0xD0).map(move |b| (a, b))) {
                for c in [0x7F, 0x80, 0x9F, 0xA0, 0xBE, 0xBF, 0xC0] {
                    visit(&[a, b, c]);
                }
            }
        }
        (_, "four") => {
            for (a, b) in (0xF0..=0xFF).flat_map(|a| (0x70..0xD0).map(move |b| (a, b))) {
                for c in [0x7F, 0x80, 0xBF, 0xC0] {
                    for d in [0x7F, 0x80, 0xBE, 0xBF, 0xC0] {
                        visit(&[a, b, c, d]);
                    }
                }
            }
        }
        _ => unreachable!("unknown set {set}"),
    }
}
