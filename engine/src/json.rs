//! JSON text, written without a tree.

pub(crate) use bintrail_proto::binlog::jsonb::{push_escaped, write_string};

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
    let digit = |n: u8| DIGITS.get(usize::from(n & 63)).copied().unwrap_or(b'=');
    let encode = |[a, b, c]: [u8; 3]| {
        [
            digit(a >> 2),
            digit(a << 4 | b >> 4),
            digit(b << 2 | c >> 6),
            digit(c),
        ]
    };
    let (groups, tail) = data.as_chunks::<3>();
    let start = out.len();
    let digits = data.len().div_ceil(3).saturating_mul(4);
    out.resize(start.saturating_add(digits), b'=');
    let (texts, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut();
    for (text, group) in texts.iter_mut().zip(groups) {
        *text = encode(*group);
    }
    // A group of n bytes has n + 1 digits; the rest is padding.
    if let Some([first, second, third, _]) = texts.get_mut(groups.len()) {
        match *tail {
            [a] => [*first, *second, ..] = encode([a, 0, 0]),
            [a, b] => [*first, *second, *third, _] = encode([a, b, 0]),
            _ => {}
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
