//! Strings in JSON text.

/// Appends `text` as a JSON string, in quotes, with the escapes that the server uses.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

/// Appends `text` as it stands inside a JSON string's quotes.
pub fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, from) = rest.split_at_checked(plain(rest)).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = from.split_first() else {
            return;
        };
        write_escape(out, byte);
        rest = behind;
    }
}

/// How many bytes there are before the first that has to be escaped.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH_BITS: u64 = ONES << 7;
    // Eight at a time. The highest bit of a byte of `word - limit & !word` is 1 where the byte is below
    // the limit, and else only above such a byte.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let (chunks, _) = bytes.as_chunks::<8>();
    let is_plain = |chunk: &&[u8; 8]| {
        let word = u64::from_le_bytes(**chunk);
        let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        (below(word, 0x20) | equal(b'"') | equal(b'\\')) & HIGH_BITS == 0
    };
    let start = chunks.iter().take_while(is_plain).count() * 8;
    let rest = bytes.get(start..).unwrap_or_default();
    let special = |&byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\');
    start + rest.iter().position(special).unwrap_or(rest.len())
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

    /// A byte that is escaped, at each place of a chunk and behind every other.
    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            let escaped = byte < 0x20 || byte == b'"' || byte == b'\\';
            for place in 0..20 {
                for other in [b'a', b'!', b'#', b'[', b']', 0x7F] {
                    let mut text = [other; 20];
                    text[place] = byte;
                    let expected = if escaped { place } else { 20 };
                    assert_eq!(plain(&text), expected, "{byte} in {other} at {place}");
                }
            }
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
