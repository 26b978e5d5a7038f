//! Fields of MySQL's serialization library, which GTID_TAGGED_LOG_EVENT and tags in an encoded
//! GTID set are written with.
//!
//! An integer takes 1 to 9 bytes. The trailing one bits of its first byte count the bytes that
//! follow; the bits above them and the zero that ends them are the value's lowest, and the bytes
//! that follow, little-endian, are the rest of it. (With eight ones there is no such zero.)
//!
//! Source: MySQL source documentation, `PageLibsMysqlSerialization`.

use crate::error::Parsed;
use crate::primitive::{bytes, int1, length};

/// An unsigned integer.
pub(crate) fn unsigned(input: &[u8]) -> Parsed<'_, u64> {
    let (rest, first) = int1(input)?;
    let more = first.trailing_ones();
    let (rest, tail) = bytes(length(input, u64::from(more))?)(rest)?;
    let mut high = [0; 8];
    for (to, from) in high.iter_mut().zip(tail) {
        *to = *from;
    }
    let low = u64::from(first) >> (more + 1);
    let high = u64::from_le_bytes(high) << 7u32.saturating_sub(more);
    Ok((rest, high | low))
}

/// A signed integer: the sign is the lowest bit, and the complement of a negative number is
/// above it.
pub(crate) fn signed(input: &[u8]) -> Parsed<'_, i64> {
    let (rest, n) = unsigned(input)?;
    let magnitude = (n >> 1).cast_signed();
    Ok((rest, if n & 1 == 0 { magnitude } else { !magnitude }))
}

/// A string: its length in bytes, and the bytes.
pub(crate) fn string(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, len) = unsigned(input)?;
    bytes(length(input, len)?)(rest)
}

/// Appends `text`, whose length must take one byte, as a string.
pub(crate) fn put_short_string(text: &str, out: &mut Vec<u8>) {
    debug_assert!(text.len() < 128, "the length takes one byte");
    out.push(u8::try_from(text.len() << 1).unwrap_or_default());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of MySQL's documentation, which prints the bytes the other way round.
    #[test]
    fn documented_examples() {
        let bytes = [0b1111_1011, 0b1111_1111, 0b0000_0111];
        assert_eq!(unsigned(&bytes), Ok((&[][..], 65535)));
        let bytes = [0b1111_0011, 0b1111_1111, 0b0000_1111];
        assert_eq!(signed(&bytes), Ok((&[][..], 65535)));
        let bytes = [0b1110_1011, 0b1111_1111, 0b0000_1111];
        assert_eq!(signed(&bytes), Ok((&[][..], -65535)));
        let bytes = [0b1111_1011, 0b1111_1111, 0b0000_1111];
        assert_eq!(signed(&bytes), Ok((&[][..], -65536)));
    }

    #[test]
    fn widest() {
        assert_eq!(unsigned(&[0xFF; 9]), Ok((&[][..], u64::MAX)));
        assert_eq!(signed(&[0xFF; 9]), Ok((&[][..], i64::MIN)));
        // Seven ones: 56 bits, none of them in the first byte.
        assert_eq!(
            unsigned(&[0x7F, 255, 255, 255, 255, 255, 255, 255]),
            Ok((&[][..], (1 << 56) - 1))
        );
        assert!(unsigned(&[0xFF; 8]).is_err());
        assert!(unsigned(&[]).is_err());
        assert!(string(&[4, b'a']).is_err());
    }
}
