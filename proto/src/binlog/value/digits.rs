//! Decimal digits, written without a loop or a branch for each.

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

/// What eight digits can hold, and one more.
pub(super) const EIGHT: u64 = 100_000_000;

/// `0` in each byte.
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// The digits of `value`, which is below [`EIGHT`], as numbers: the first in the lowest byte.
///
/// Halves go to two lanes of 32 bits, theirs to four of 16, and theirs to eight of 8; in each lane the quotient
/// is a product and a shift, exact for numbers this small.
#[inline(always)]
const fn spread(value: u64) -> u64 {
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let high = (fours.wrapping_mul(10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = high | (fours.wrapping_sub(high.wrapping_mul(100)) << 16);
    let high = (twos.wrapping_mul(103) >> 10) & 0x000F_000F_000F_000F;
    high | (twos.wrapping_sub(high.wrapping_mul(10)) << 8)
}

/// The digits of `value`, which is below [`EIGHT`], zeros in front of them.
#[inline(always)]
pub(super) const fn eight(value: u64) -> [u8; 8] {
    (spread(value) | ZEROS).to_le_bytes()
}

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

/// `YYYY-MM-DD ` and bytes of no meaning, for [`push_front`].
#[inline(always)]
pub(super) const fn date(year: u32, month: u32, day: u32) -> [u8; 16] {
    const SEPARATORS: u128 = (b'-' as u128) << 32 | (b'-' as u128) << 56 | (b' ' as u128) << 80;
    let digits = (spread((10_000 * year + 100 * month + day) as u64) | ZEROS) as u128;
    let (year, month, day) = (digits & 0xFFFF_FFFF, digits >> 32 & 0xFFFF, digits >> 48);
    (year | month << 40 | day << 64 | SEPARATORS).to_le_bytes()
}

/// `hh:mm:ss.ffffff` and a byte of no meaning, for [`push_front`].
#[inline(always)]
pub(super) const fn clock(hour: u32, minute: u32, second: u32, micros: u32) -> [u8; 16] {
    const SEPARATORS: u64 = (b':' as u64) << 16 | (b':' as u64) << 40;
    let digits = spread((10_000 * hour + 100 * minute + second) as u64) | ZEROS;
    let (hour, minute, second) = (digits >> 16 & 0xFFFF, digits >> 32 & 0xFFFF, digits >> 48);
    let clock = hour | minute << 24 | second << 48 | SEPARATORS;
    // Of eight digits the last six.
    let fraction = (spread(micros as u64) | ZEROS) >> 16 << 8 | b'.' as u64;
    (clock as u128 | (fraction as u128) << 64).to_le_bytes()
}

/// Appends the first `len` bytes of `block`: a copy of a length that the compiler knows, which no call is made for.
#[inline(always)]
pub fn push_front<const N: usize>(out: &mut Vec<u8>, block: &[u8; N], len: usize) {
    let end = out.len().saturating_add(len);
    out.extend_from_slice(block);
    out.truncate(end);
}

/// Appends `value`, which is below [`EIGHT`], without zeros in front.
#[inline(always)]
pub(super) fn push_short(out: &mut Vec<u8>, value: u64) {
    let digits = spread(value);
    // The bits of the zeros in front; the last digit is printed in any case.
    let zeros = (digits | 1 << 56).trailing_zeros() & !7;
    let text = ((digits | ZEROS) >> zeros).to_le_bytes();
    push_front(out, &text, 8_usize.saturating_sub(zeros as usize / 8));
}

/// Appends `value`, which has at most nine digits, as nine.
#[inline(always)]
pub(super) fn push_nine(out: &mut Vec<u8>, value: u32) {
    let value = u64::from(value);
    let [first, ..] = (value / EIGHT).to_le_bytes();
    let [a, b, c, d, e, f, g, h] = eight(value % EIGHT);
    out.extend_from_slice(&[b'0'.wrapping_add(first), a, b, c, d, e, f, g, h]);
}

/// Appends `value`, which has at most as many digits, as `width` (up to 8) digits.
#[inline(always)]
pub(super) fn push_padded(out: &mut Vec<u8>, value: u32, width: usize) {
    // With zeros behind it, so that what is appended is always as long, and the zeros can be cut off.
    let zeros = POWERS.get(8_usize.saturating_sub(width)).copied();
    let value = u64::from(value.wrapping_mul(zeros.unwrap_or(1)));
    push_front(out, &eight(value), width);
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
            (99_999_999, 8, "99999999"),
            (1, 8, "00000001"),
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

    /// Every half of eight digits, in either place, which is all that there is: the halves never meet.
    #[test]
    fn eight_digits() {
        for half in 0..10_000 {
            for value in [half, half * 10_000, half * 10_001, EIGHT - 1 - half] {
                assert_eq!(eight(value), *format!("{value:08}").as_bytes(), "{value}");
                let mut out = b"x".to_vec();
                push_short(&mut out, value);
                assert_eq!(out, format!("x{value}").as_bytes());
            }
        }
    }

    #[test]
    fn nine_digits() {
        for value in [0, 1, 99_999_999, 100_000_000, 123_456_789, 999_999_999] {
            let mut out = b"x".to_vec();
            push_nine(&mut out, value);
            assert_eq!(out, format!("x{value:09}").as_bytes());
        }
    }

    #[test]
    fn dates_and_clocks() {
        for year in [0, 7, 99, 1000, 1970, 2024, 9999] {
            for (month, day) in (0..=12).flat_map(|month| (0..=31).map(move |day| (month, day))) {
                let expected = format!("{year:04}-{month:02}-{day:02} ");
                assert_eq!(
                    date(year, month, day).first_chunk(),
                    Some(expected.as_bytes().first_chunk::<11>().unwrap())
                );
            }
        }
        for (minute, second) in
            (0..60).flat_map(|minute| (0..60).map(move |second| (minute, second)))
        {
            for (hour, micros) in [
                (0, 0),
                (9, 9),
                (23, 999_999),
                (99, 120_003),
                (59 - minute, 16_666 * second),
            ] {
                let expected = format!("{hour:02}:{minute:02}:{second:02}.{micros:06}");
                let text = clock(hour, minute, second, micros);
                assert_eq!(
                    text.first_chunk(),
                    Some(expected.as_bytes().first_chunk::<15>().unwrap())
                );
            }
        }
    }
}
