//! Strings in JSON text.

/// Appends `text` as a JSON string, in quotes, with the escapes that the server uses.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

/// Appends `text` as it stands inside a JSON string's quotes.
pub fn push_escaped(out: &mut Vec<u8>, text: &str) {
    push_bytes(out, text.as_bytes());
}

/// Appends `bytes` as a JSON string, as [`write_string`] does, if they are UTF-8; returns whether they are, and
/// appends nothing when they are not.
#[inline]
pub fn write_utf8(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    // What is ASCII and plain, as most text is, is all looked at once.
    let plain = plain::<HIGH_BITS>(bytes);
    if plain == bytes.len() {
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
        return true;
    }
    let (front, rest) = bytes.split_at_checked(plain).unwrap_or((bytes, &[]));
    // The byte before is ASCII, so that a character begins here.
    if str::from_utf8(rest).is_err() {
        return false;
    }
    out.push(b'"');
    out.extend_from_slice(front);
    push_bytes(out, rest);
    out.push(b'"');
    true
}

fn push_bytes(out: &mut Vec<u8>, mut rest: &[u8]) {
    loop {
        let (plain, from) = rest
            .split_at_checked(plain::<0>(rest))
            .unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = from.split_first() else {
            return;
        };
        write_escape(out, byte);
        rest = behind;
    }
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH_BITS: u64 = ONES << 7;

/// How many bytes there are before the first that has to be escaped, or has a bit of `ALSO` in its place of eight.
#[inline(always)]
fn plain<const ALSO: u64>(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut start = 0;
    for chunk in chunks {
        let special = special(u64::from_le_bytes(*chunk)) | u64::from_le_bytes(*chunk) & ALSO;
        if special != 0 {
            return start + place(special);
        }
        start += 8;
    }
    if rest.is_empty() {
        return start;
    }
    // The last ones together with those before them, which are plain, or with others that are.
    let (word, before) = match (bytes.last_chunk::<8>(), rest) {
        (Some(last), _) => (u64::from_le_bytes(*last), 8 - rest.len()),
        (None, rest) => {
            let mut word = [b'a'; 8];
            for (slot, byte) in word.iter_mut().zip(rest) {
                *slot = *byte;
            }
            (u64::from_le_bytes(word), 0)
        }
    };
    match special(word) | word & ALSO {
        0 => bytes.len(),
        special => start + place(special) - before,
    }
}

/// A word whose lowest bit that is 1 is the highest of the first byte of `word` that has to be escaped; 0 when
/// none has.
#[inline(always)]
const fn special(word: u64) -> u64 {
    // The highest bit of a byte of `word - limit & !word` is 1 where the byte is below the limit, and else only
    // above such a byte.
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    const fn equal(word: u64, byte: u8) -> u64 {
        below(word ^ (ONES * byte as u64), 1)
    }
    (below(word, 0x20) | equal(word, b'"') | equal(word, b'\\')) & HIGH_BITS
}

/// Which of a word's bytes its lowest bit is in.
#[inline(always)]
const fn place(word: u64) -> usize {
    word.trailing_zeros() as usize / 8
}

#[cold]
fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0C => b'f',
        _ => {
            out.extend_from_slice(b"\\u00");
            for digit in [byte >> 4, byte & 0xF] {
                out.extend(HEX.get(usize::from(digit)));
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A byte that is escaped, at each place of texts of each length and behind every other.
    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            let escaped = byte < 0x20 || byte == b'"' || byte == b'\\';
            for place in 0..20 {
                for other in [b'a', b'!', b'#', b'[', b']', 0x7F] {
                    for len in place + 1..=20 {
                        let mut text = vec![other; len];
                        text[place] = byte;
                        let expected = if escaped { place } else { len };
                        assert_eq!(plain::<0>(&text), expected, "{byte} in {other} at {place}");
                        let expected = if escaped || byte > 0x7F { place } else { len };
                        assert_eq!(plain::<HIGH_BITS>(&text), expected, "{byte} at {place}");
                    }
                }
            }
        }
    }

    /// Characters of every length, whole and not, at each place of texts of each length.
    #[test]
    fn what_is_no_utf8_is_refused_wherever_it_stands() {
        let parts: [&[u8]; 14] = [
            "é".as_bytes(),
            "€".as_bytes(),
            "😀".as_bytes(),
            "\"é\\€\n".as_bytes(),
            b"\x80",
            b"\xC3",
            b"\xC3\"",
            b"\xC0\x80",
            b"\xE2\x82",
            b"\xED\xA0\x80",
            b"\xF0\x9F\x98",
            b"\xF4\x90\x80\x80",
            b"\x9F\x98\x80",
            b"\xFF",
        ];
        for part in parts {
            for front in 0..20 {
                for behind in 0..20 {
                    let bytes = [&vec![b'a'; front], part, &vec![b'z'; behind]].concat();
                    let (mut out, mut expected) = (b"x".to_vec(), b"x".to_vec());
                    let text = str::from_utf8(&bytes);
                    assert_eq!(write_utf8(&mut out, &bytes), text.is_ok(), "{bytes:x?}");
                    if let Ok(text) = text {
                        write_string(&mut expected, text);
                    }
                    assert_eq!(out, expected, "{bytes:x?}");
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn strings_of_bytes_are_strings_of_text(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40)) {
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            if let Ok(text) = str::from_utf8(&bytes) {
                write_string(&mut expected, text);
            }
            assert_eq!(write_utf8(&mut out, &bytes), !expected.is_empty());
            assert_eq!(out, expected);
        }

        #[test]
        fn text_of_any_characters(text in ".{0,40}") {
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            write_string(&mut expected, &text);
            assert!(write_utf8(&mut out, text.as_bytes()));
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn escapes() {
        let mut out = Vec::new();
        write_string(&mut out, "a\"b\\c\n\u{1}é\u{8}\u{c}\r\t");
        let expected = r#""a\"b\\c\n\u0001é\b\f\r\t""#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
