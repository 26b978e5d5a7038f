//! JSON text, written without a tree.

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

/// Appends `text` as it stands inside a JSON string's quotes.
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut rest = bytes;
    while let Some(at) = rest
        .iter()
        .position(|&byte| ESCAPED.contains(&byte) || byte < 0x20)
    {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = from.split_first() else {
            break;
        };
        write_escape(out, byte);
        rest = behind;
    }
    out.extend_from_slice(rest);
}

const ESCAPED: [u8; 2] = [b'"', b'\\'];

#[cold]
fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            out.extend_from_slice(b"\\u00");
            for digit in [byte >> 4, byte & 0xf] {
                out.extend(HEX.get(usize::from(digit)));
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Levels of arrays and objects in JSON text.
pub(crate) fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                // To the quote that no backslash escapes.
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

/// How the form for bytes begins.
pub(crate) const BASE64: &str = "base64:type";

/// Appends `"base64:type<N>:<data>"`, the form that MySQL's JSON functions give to binary values.
pub(crate) fn write_base64(out: &mut Vec<u8>, type_code: u8, data: &[u8]) {
    out.push(b'"');
    push_base64(out, type_code, data);
    out.push(b'"');
}

/// As [`write_base64`], without the quotes.
pub(crate) fn push_base64(out: &mut Vec<u8>, type_code: u8, data: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.extend_from_slice(BASE64.as_bytes());
    out.extend_from_slice(itoa::Buffer::new().format(type_code).as_bytes());
    out.push(b':');
    out.reserve(data.len().div_ceil(3).saturating_mul(4));
    for chunk in data.chunks(3) {
        let mut group = 0_u32;
        for place in 0..3 {
            group = group << 8 | u32::from(chunk.get(place).copied().unwrap_or(0));
        }
        for place in 0..4_usize {
            let digit = group >> (18 - 6 * place) & 0x3f;
            // A chunk of n bytes has n + 1 digits; the rest is padding.
            let digit = if place <= chunk.len() {
                DIGITS.get(digit as usize)
            } else {
                Some(&b'=')
            };
            out.extend(digit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        write_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_read_back() {
        assert_eq!(string(""), r#""""#);
        assert_eq!(string("a\"b\\c\n\u{1}é"), "\"a\\\"b\\\\c\\n\\u0001é\"");
        let every: String = (0..0x250_u32).filter_map(char::from_u32).collect();
        assert_eq!(
            serde_json::from_str::<String>(&string(&every)).unwrap(),
            every
        );
    }

    #[test]
    fn depth_counts_levels_and_no_brackets_in_strings() {
        for (text, levels) in [
            ("1", 0),
            ("[]", 1),
            (r#"{"a":[1,{"b":[]}],"c":[]}"#, 4),
            (r#"["[[[","\"[[",{"[\\":1}]"#, 2),
        ] {
            assert_eq!(depth(text.as_bytes()), levels, "{text}");
        }
    }

    /// RFC 4648, section 10.
    #[test]
    fn base64_vectors() {
        for (data, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            write_base64(&mut out, 252, data.as_bytes());
            assert_eq!(
                String::from_utf8(out).unwrap(),
                format!("\"base64:type252:{text}\"")
            );
        }
    }
}
