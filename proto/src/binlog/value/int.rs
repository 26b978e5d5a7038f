//! Integers as text.

use super::digits::{EIGHT, eight, push_short};

/// Appends an unsigned integer.
#[inline]
pub fn write_uint(out: &mut Vec<u8>, value: u64) {
    let (high, low) = (value / EIGHT, value % EIGHT);
    if high == 0 {
        return push_short(out, low);
    }
    if high < EIGHT {
        push_short(out, high);
    } else {
        push_short(out, high / EIGHT);
        out.extend_from_slice(&eight(high % EIGHT));
    }
    out.extend_from_slice(&eight(low));
}

/// Appends a signed integer.
#[inline]
pub fn write_int(out: &mut Vec<u8>, value: i64) {
    // Taken back where it is wrong, because which sign comes next is hard to foresee.
    let end = out.len().saturating_add(usize::from(value < 0));
    out.push(b'-');
    out.truncate(end);
    write_uint(out, value.unsigned_abs());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length() {
        let mut values = vec![0, i64::MAX, i64::MIN, i64::MIN + 1];
        for power in (0..19).map(|n| 10_i64.pow(n)) {
            for near in [
                power - 1,
                power,
                power + 1,
                2 * (power / 3),
                7 * (power / 8),
            ] {
                values.extend([near, -near]);
            }
        }
        let text = |out: Vec<u8>| String::from_utf8(out).unwrap();
        for value in values {
            let mut out = b"x".to_vec();
            write_int(&mut out, value);
            assert_eq!(text(out), format!("x{value}"));
            for value in [value.unsigned_abs(), value.cast_unsigned()] {
                let mut out = b"x".to_vec();
                write_uint(&mut out, value);
                assert_eq!(text(out), format!("x{value}"));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn as_the_standard_library_prints_them(bits: u64, shift in 0..64_u32) {
            let value = bits >> shift;
            let mut out = Vec::new();
            write_uint(&mut out, value);
            out.push(b' ');
            write_int(&mut out, value.cast_signed().wrapping_neg());
            let expected = format!("{value} {}", value.cast_signed().wrapping_neg());
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
