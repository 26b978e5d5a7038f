//! Decimal digits of a fixed width.

/// 10 to the power of each index.
pub(super) const POWERS: [u32; 10] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
];

/// The last two digits of `value`.
#[inline]
pub(super) const fn two(value: u32) -> [u8; 2] {
    let last = value % 100;
    let [tens, ..] = (last / 10).to_le_bytes();
    let [ones, ..] = (last % 10).to_le_bytes();
    [b'0' + tens, b'0' + ones]
}

/// The last four digits of `value`.
#[inline]
pub(super) const fn four(value: u32) -> [u8; 4] {
    let ([a, b], [c, d]) = (two(value / 100), two(value));
    [a, b, c, d]
}

/// Appends `value`, which has at most as many digits, as `width` (up to 9) digits.
#[inline]
pub(super) fn push_padded(out: &mut Vec<u8>, value: u32, width: usize) {
    // With zeros behind it, so that what is appended is always as long, and the zeros can be cut off.
    let zeros = POWERS.get(9_usize.saturating_sub(width)).copied();
    let value = value.wrapping_mul(zeros.unwrap_or(1));
    let [a, b, c, d] = four(value / 100_000);
    let [e, f, g, h] = four(value / 10);
    let [_, i] = two(value);
    let end = out.len().saturating_add(width);
    out.extend_from_slice(&[a, b, c, d, e, f, g, h, i]);
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_width() {
        let mut out = b"x".to_vec();
        for (value, width, expected) in [
            (0, 1, "0"),
            (7, 2, "07"),
            (999_999_999, 9, "999999999"),
            (1, 9, "000000001"),
            (123_456, 6, "123456"),
            (90_000, 5, "90000"),
            (0, 0, ""),
        ] {
            out.truncate(1);
            push_padded(&mut out, value, width);
            assert_eq!(out, format!("x{expected}").as_bytes());
        }
        assert_eq!((two(107), four(2024)), (*b"07", *b"2024"));
    }
}
