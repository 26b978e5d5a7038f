//! Binary JSON values as a server logged them, against the text that it printed
//! (`tests/data/jsonb/golden.txt`, written by `scripts/gen-jsonb`), and hostile ones.

use bintrail_proto::binlog::jsonb::{Jsonb, Node, Style};
use bintrail_proto::{Error, Kind};
use proptest::prelude::*;

const GOLDEN: &str = include_str!("data/jsonb/golden.txt");

/// The golden values: label, document, text.
fn golden() -> impl Iterator<Item = (&'static str, Vec<u8>, String)> {
    GOLDEN
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut fields = line.split('\t').map(expand);
            let (_, document, text) = (fields.next(), fields.next(), fields.next());
            let label = line.split('\t').next().unwrap_or_default();
            (
                label,
                hex(&document.unwrap_or_default()),
                text.unwrap_or_default(),
            )
        })
}

/// `«x*n»` as x n times.
fn expand(field: &str) -> String {
    let mut out = String::new();
    let mut rest = field;
    while let Some((plain, run)) = rest.split_once('«') {
        let (run, after) = run.split_once('»').unwrap_or_default();
        let (part, count) = run.split_once('*').unwrap_or_default();
        out += plain;
        out += &part.repeat(count.parse().unwrap_or_default());
        rest = after;
    }
    out + rest
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| u8::try_from(char::from(*byte).to_digit(16).unwrap_or(0)).unwrap_or(0);
    let pairs = text.as_bytes().as_chunks::<2>().0.iter();
    pairs
        .map(|[high, low]| digit(high) << 4 | digit(low))
        .collect()
}

fn print(document: &[u8], style: Style) -> Result<String, Error> {
    let mut out = b"before ".to_vec();
    let printed = Jsonb::new(document).write_json(style, &mut out);
    let out = String::from_utf8(out).unwrap_or_default();
    let text = out.strip_prefix("before ").unwrap_or_default().to_owned();
    if printed.is_err() {
        assert_eq!(out, "before ");
    }
    printed.map(|()| text)
}

#[test]
fn prints_as_the_server_does() {
    let mut seen = 0;
    for (label, document, text) in golden() {
        assert_eq!(print(&document, Style::MySql), Ok(text), "{label}");
        seen += 1;
    }
    assert_eq!(seen, 106, "golden values");
}

#[test]
fn compact_is_the_same_value_without_white_space() {
    for (label, document, text) in golden() {
        let compact = print(&document, Style::Compact).unwrap();
        let mut expected = String::new();
        let (mut quoted, mut escaped) = (false, false);
        for c in text.chars() {
            if quoted || c != ' ' {
                expected.push(c);
            }
            quoted ^= c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
        }
        assert_eq!(compact, expected, "{label}");
    }
}

#[test]
fn finds_what_is_asked_for() {
    let (_, document, _) = golden().find(|(label, ..)| *label == "mixed").unwrap();
    let Ok(Node::Object(object)) = Jsonb::new(&document).root() else {
        panic!("an object");
    };
    assert_eq!(object.len(), 4);
    assert_eq!(object.get("bb"), Ok(Some(Node::String("x"))));
    assert_eq!(object.get("d"), Ok(Some(Node::Int(65536))));
    assert_eq!(object.get("e"), Ok(None));
    assert_eq!(object.get(""), Ok(None));
    assert_eq!(object.member(1), Ok(Some(("c", Node::Double(1.5)))));
    assert_eq!(object.member(4), Ok(None));
    let Ok(Some(Node::Array(array))) = object.get("a") else {
        panic!("an array");
    };
    assert_eq!(array.get(1), Ok(Some(Node::Int(-1))));
    assert_eq!(array.get(3), Ok(Some(Node::Null)));
    assert_eq!(array.get(5), Ok(None));
}

#[test]
fn every_prefix_is_refused() {
    for (label, document, text) in golden() {
        // Documents that MySQL updated in place may end with bytes that no value uses.
        if label.contains("in place") {
            continue;
        }
        for length in (1..document.len()).rev().take(3000) {
            let printed = print(&document[..length], Style::MySql);
            assert!(printed.is_err(), "{label}: {length} bytes of {text}");
        }
    }
}

/// An array in the large format whose `count` entries all point at offset `to`.
fn pointing(count: u32, kind: u8, to: u32, values: &[u8]) -> Vec<u8> {
    let size = 8 + count * 5 + u32::try_from(values.len()).unwrap_or(0);
    let mut array = [count.to_le_bytes(), size.to_le_bytes()].concat();
    for _ in 0..count {
        array.push(kind);
        array.extend(to.to_le_bytes());
    }
    array.extend(values);
    array
}

#[test]
fn shared_values_do_not_multiply() {
    // 16 levels of arrays, each of whose 16 entries is the next level: 2^64 values.
    let mut array = pointing(1, 0x04, 0, &[]);
    for _ in 0..16 {
        array = pointing(16, 0x03, 8 + 16 * 5, &array);
    }
    let error = print(&[&[0x03], &array[..]].concat(), Style::Compact).unwrap_err();
    assert_eq!(error.kind, Kind::Invalid("values overlap"));

    let string = [&[0x80, 0x08][..], &[b'\x01'; 1024]].concat();
    let opaque = [&[0xFC], &string[..]].concat();
    for (kind, value) in [(0x0C, string), (0x0F, opaque)] {
        let array = pointing(1000, kind, 8 + 1000 * 5, &value);
        let error = print(&[&[0x03], &array[..]].concat(), Style::Compact).unwrap_err();
        assert_eq!(error.kind, Kind::Invalid("values overlap"), "{kind}");
    }
}

#[test]
fn depth_is_bounded() {
    let mut document = vec![0x02, 0, 0, 4, 0];
    for depth in 1..=300_u16 {
        assert_eq!(
            print(&document, Style::Compact).is_ok(),
            depth <= 100,
            "{depth}"
        );
        let size = u16::try_from(document.len() - 1 + 7).unwrap().to_le_bytes();
        let inner = document.split_off(1);
        document.extend([1, 0, size[0], size[1], 0x02, 7, 0]);
        document.extend(inner);
    }
}

#[test]
fn malformed_values_are_refused() {
    for (why, document) in [
        ("unknown type", "0d00"),
        ("unknown literal", "0403"),
        ("infinity", "0b000000000000f07f"),
        ("not a number", "0b010000000000f07f"),
        ("string is not UTF-8", "0c02c328"),
        ("surrogate", "0c03eda080"),
        ("length above 32 bits", "0cffffffff1f"),
        ("length of 6 bytes", "0c808080808000"),
        ("more entries than fit", "02ffff0400"),
        ("size behind the end", "020000ff00"),
        ("size below the header", "020000000000"),
        ("value within the header", "020100070002000000"),
        ("value outside", "02010007000cff00"),
        ("key within the header", "00010010000400010004000061"),
        ("key outside", "0001000c000b00020004000061"),
        ("key is not UTF-8", "0001000c000b000100040000ff"),
        ("year 10000", "0f0c080000000000c8fb7e"),
        ("negative date", "0f0c08ffffffffffffffff"),
        ("hour 24", "0f0c08000000008001b219"),
        ("hour 839", "0f0b080000000070340000"),
        ("minute 60", "0f0b08000000000f000000"),
        ("least time", "0f0b080000000000000080"),
        ("short date", "0f0a0700000000000000"),
        ("decimal without scale", "0ff60102"),
        ("decimal of too many digits", "0ff6034200ff"),
    ] {
        assert!(print(&hex(document), Style::MySql).is_err(), "{why}");
    }
}

#[test]
fn errors_say_where() {
    let error = print(&hex("02010007000cff00"), Style::MySql).unwrap_err();
    assert_eq!((error.what, error.offset), ("JSON", 5));
    let error = print(&hex("0201000700040300"), Style::MySql).unwrap_err();
    assert_eq!(error.offset, 6);
}

/// What 5.7 made of binary strings; the server of today prints the first as "ab".
#[test]
fn opaque_strings_of_old_servers() {
    let text = |document| print(&hex(document), Style::MySql);
    assert_eq!(text("0ffd026162").as_deref(), Ok("\"ab\""));
    assert_eq!(text("0ffd0200ff").as_deref(), Ok("\"base64:type253:AP8=\""));
}

proptest! {
    #[test]
    fn damage_gives_an_error_or_bounded_text(
        index in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let documents: Vec<_> = golden().map(|(_, document, _)| document).filter(|d| !d.is_empty()).collect();
        let mut document = index.get(&documents).clone();
        for (at, byte) in damage {
            let at = at.index(document.len());
            document[at] = byte;
        }
        if let Ok(text) = print(&document, Style::MySql) {
            prop_assert!(text.len() <= 16 * document.len() + 64);
        }
    }

    #[test]
    fn any_bytes_give_an_error_or_bounded_text(
        document in prop::collection::vec(prop_oneof![0_u8..16, any::<u8>()], 0..200),
    ) {
        if let Ok(text) = print(&document, Style::MySql) {
            prop_assert!(text.len() <= 16 * document.len() + 64);
        }
    }

    #[test]
    fn doubles_read_back_the_same(bits: u64) {
        let document = [&[0x0B], &bits.to_le_bytes()[..]].concat();
        let value = f64::from_bits(bits);
        match print(&document, Style::Compact) {
            Ok(text) => prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits),
            Err(_) => prop_assert!(!value.is_finite()),
        }
    }
}
