//! Characters that a character set writes in more than one way.

use std::collections::HashSet;

use bintrail_proto::binlog::value::charset::Charset;

/// The characters that more than one sequence of bytes of a character set stands for.
pub(super) fn twofold(charset: Charset) -> HashSet<char> {
    let mut seen = HashSet::new();
    let mut twice = HashSet::new();
    let mut scratch = String::new();
    let mut look = |bytes: &[u8]| {
        let Ok(text) = charset.to_utf8(bytes, &mut scratch) else {
            return;
        };
        let mut chars = text.chars();
        if let (Some(char), None) = (chars.next(), chars.next())
            && !seen.insert(char)
        {
            twice.insert(char);
        }
    };
    match charset {
        Charset::Utf8mb4
        | Charset::Utf8mb3
        | Charset::Ucs2
        | Charset::Utf16
        | Charset::Utf16le
        | Charset::Utf32 => {
            return twice;
        }
        _ => {}
    }
    for first in 0..=u8::MAX {
        look(&[first]);
        if charset.max_bytes_per_char() == 1 {
            continue;
        }
        for second in 0..=u8::MAX {
            look(&[first, second]);
            // The only sequences of three bytes begin so.
            if first == 0x8F && charset.max_bytes_per_char() == 3 {
                for third in 0..=u8::MAX {
                    look(&[first, second, third]);
                }
            }
        }
    }
    twice
}
