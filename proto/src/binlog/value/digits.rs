//! Decimal digits of a fixed width.

/// Appends the last `WIDTH` decimal digits of `value`, with leading zeros.
#[inline]
pub(super) fn push<const WIDTH: usize>(out: &mut Vec<u8>, value: u32) {
    let mut digits = [b'0'; WIDTH];
    fill(&mut digits, value);
    out.extend_from_slice(&digits);
}

/// Appends the last `width` decimal digits of `value`, with leading zeros; at most 10.
#[inline]
pub(super) fn push_padded(out: &mut Vec<u8>, value: u32, width: usize) {
    let mut digits = [b'0'; 10];
    fill(&mut digits, value);
    let skip = digits.len().saturating_sub(width);
    out.extend_from_slice(digits.get(skip..).unwrap_or_default());
}

#[inline]
fn fill(digits: &mut [u8], mut value: u32) {
    for digit in digits.iter_mut().rev() {
        let [low, ..] = (value % 10).to_le_bytes();
        *digit = b'0' + low;
        value /= 10;
    }
}
