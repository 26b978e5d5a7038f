//! JSON text, written without a tree.

use bintrail_proto::binlog::value::push_front;

pub(crate) use bintrail_proto::binlog::jsonb::{push_escaped, write_string, write_utf8};

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
    let (front, len) = front_of_base64(type_code);
    push_front(out, front, *len);
    push_digits(out, data);
    out.push(b'"');
}

/// As [`write_base64`], without the quotes.
pub(crate) fn push_base64(out: &mut Vec<u8>, type_code: u8, data: &[u8]) {
    let (front, len) = front_of_base64(type_code);
    out.extend_from_slice(front.get(1..*len).unwrap_or_default());
    push_digits(out, data);
}

/// `"base64:type<N>:`, spaces behind it where it is short, and how long it is.
type Front = ([u8; 16], usize);

#[allow(
    clippy::indexing_slicing,
    reason = "there is one for each value of a byte, and they are made when it is compiled"
)]
fn front_of_base64(type_code: u8) -> &'static Front {
    /// Those of all types.
    static FRONTS: [Front; 256] = {
        let mut fronts = [(*b"\"base64:type    ", 0); 256];
        let mut code = 0;
        while code < 256 {
            let (front, len) = &mut fronts[code];
            *len = 12;
            let mut power = 100;
            while power > 0 {
                if code >= power || power == 1 {
                    front[*len] = b"0123456789"[code / power % 10];
                    *len += 1;
                }
                power /= 10;
            }
            front[*len] = b':';
            *len += 1;
            code += 1;
        }
        fronts
    };
    &FRONTS[usize::from(type_code)]
}

/// Appends the digits of base64, and the padding.
fn push_digits(out: &mut Vec<u8>, data: &[u8]) {
    let (chunks, tail) = data.as_chunks::<12>();
    for chunk in chunks {
        out.extend_from_slice(&encode_twelve(*chunk));
    }
    if !tail.is_empty() {
        let mut chunk = [0; 12];
        if let Some(front) = chunk.get_mut(..tail.len()) {
            front.copy_from_slice(tail);
        }
        // Of a group of three, n bytes have n + 1 digits; the rest is padding.
        let padding = tail.len().next_multiple_of(3).saturating_sub(tail.len());
        let digits = tail.len().div_ceil(3).saturating_mul(4);
        push_front(out, &encode_twelve(chunk), digits.saturating_sub(padding));
        push_front(out, b"==", padding);
    }
}

/// The base64 digits of twelve bytes, without a table: eight digits are worked on at once, as the bytes of a word.
#[inline(always)]
fn encode_twelve(bytes: [u8; 12]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
    let front = encode_six(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
    let behind = encode_six(u64::from_be_bytes([0, 0, g, h, i, j, k, l]));
    (u128::from(front) << 64 | u128::from(behind)).to_be_bytes()
}

/// The base64 digits of the low 48 bits, the first in the highest byte.
#[inline(always)]
const fn encode_six(bits: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // 1 in each byte that is at least `limit`; all are below 64.
    const fn from(values: u64, limit: u64) -> u64 {
        (values + ONES * (0x80 - limit)) >> 7 & ONES
    }
    // Halves to 32 bits each, theirs to 16, and theirs, of 6 bits, to 8.
    let bits = (bits & 0xFFFF_FF00_0000) << 8 | bits & 0xFF_FFFF;
    let bits = (bits & 0x00FF_F000_00FF_F000) << 4 | bits & 0x0000_0FFF_0000_0FFF;
    let values = (bits & 0x0FC0_0FC0_0FC0_0FC0) << 2 | bits & 0x003F_003F_003F_003F;
    // From A on; and from there on where a, 0, + and / are.
    let to_small = (b'a' - b'A' - 26) as u64;
    let to_digits = (b'a' as u64 + 26) - b'0' as u64;
    let to_plus = (b'0' as u64 + 10) - b'+' as u64;
    let to_slash = b'/' as u64 - (b'+' as u64 + 1);
    values + ONES * b'A' as u64 + from(values, 26) * to_small + from(values, 63) * to_slash
        - from(values, 52) * to_digits
        - from(values, 62) * to_plus
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
    fn every_type_code() {
        for code in 0..=u8::MAX {
            let (mut quoted, mut plain) = (b"x".to_vec(), b"x".to_vec());
            write_base64(&mut quoted, code, b"abc");
            push_base64(&mut plain, code, b"");
            let expected = format!("x\"base64:type{code}:YWJj\"");
            assert_eq!(String::from_utf8(quoted).unwrap(), expected);
            let expected = format!("xbase64:type{code}:");
            assert_eq!(String::from_utf8(plain).unwrap(), expected);
        }
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

    /// Every digit at every place, and every length of what is behind whole chunks.
    #[test]
    fn base64_is_what_a_table_gives() {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let slow = |data: &[u8]| -> Vec<u8> {
            data.chunks(3)
                .flat_map(|group| {
                    let bits = group
                        .iter()
                        .fold(0, |bits, &byte| bits << 8 | u32::from(byte));
                    let bits = bits << (8 * (3 - group.len()));
                    (0..4).map(move |place| match place <= group.len() {
                        true => DIGITS[(bits >> (18 - 6 * place) & 63) as usize],
                        false => b'=',
                    })
                })
                .collect()
        };
        for digit in 0..64_u8 {
            for place in 0..16 {
                for fill in [0_u128, u128::MAX >> 32] {
                    let shift = 90 - 6 * place;
                    let bits = fill & !(63 << shift) | u128::from(digit) << shift;
                    let bytes = bits.to_be_bytes();
                    for len in 0..=bytes.len() {
                        let mut out = Vec::new();
                        push_base64(&mut out, 15, &bytes[bytes.len() - len..]);
                        let expected = slow(&bytes[bytes.len() - len..]);
                        assert_eq!(out.split_off("base64:type15:".len()), expected);
                    }
                }
            }
        }
    }
}
