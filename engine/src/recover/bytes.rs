//! Bytes as the images have them, and as SQL does.

/// The bytes of the form `base64:type<N>:<data>`.
pub(super) fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let (code, data) = text.strip_prefix("base64:type")?.split_once(':')?;
    if code.is_empty()
        || !code.bytes().all(|byte| byte.is_ascii_digit())
        || !data.len().is_multiple_of(4)
    {
        return None;
    }
    let mut bytes = Vec::with_capacity(data.len() / 4 * 3);
    for chunk in data.as_bytes().chunks(4) {
        let digits = chunk.iter().take_while(|byte| **byte != b'=');
        let (mut group, mut count) = (0_u32, 0_u32);
        for digit in digits {
            group = group << 6 | digit_of(*digit)?;
            count += 1;
        }
        group <<= 6 * (4 - count);
        let [_, three @ ..] = group.to_be_bytes();
        // One digit alone is no byte.
        let whole = usize::try_from(count.checked_sub(1)?)
            .ok()
            .filter(|whole| *whole > 0)?;
        bytes.extend(three.iter().take(whole));
    }
    Some(bytes)
}

fn digit_of(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// `X'…'`
pub(super) fn write_hex(out: &mut String, bytes: &[u8]) {
    out.push_str("X'");
    write_digits(out, bytes);
    out.push('\'');
}

pub(super) fn write_digits(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.reserve(bytes.len().saturating_mul(2));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.extend(
                DIGITS
                    .get(usize::from(digit))
                    .map(|digit| char::from(*digit)),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads_back() {
        let mut bytes = Vec::new();
        for number in 0..=u8::MAX {
            let mut json = Vec::new();
            crate::json::push_base64(&mut json, 252, &bytes);
            let text = String::from_utf8(json).unwrap();
            assert_eq!(bytes_of(&text).as_ref(), Some(&bytes));
            bytes.push(number.wrapping_mul(31));
        }
        for text in [
            "base64:type:AA==",
            "base64:typeX:AA==",
            "base64:type1:A",
            "base64:type1:A===",
            "base64:type1:!A==",
        ] {
            assert_eq!(bytes_of(text), None, "{text}");
        }
    }
}
