//! Numbers as C's `printf` writes them.

use super::print;

/// `%.{precision}e`: one digit, a point, `precision` digits, and at least 2 of exponent.
pub(super) fn exponential(out: &mut Vec<u8>, precision: usize, value: f64) {
    let start = out.len();
    let exponent = scientific(out, precision, value);
    if let Some(exponent) = exponent {
        print(out, format_args!("e{exponent:+03}"));
    } else {
        out.truncate(start);
        not_finite(out, value);
    }
}

/// `%.{digits}g`: `digits` significant digits without trailing zeros, with an exponent where it is
/// below -4 or not below `digits`.
pub(super) fn general(out: &mut Vec<u8>, digits: usize, value: f64) {
    let start = out.len();
    let precision = digits.saturating_sub(1);
    let Some(exponent) = scientific(out, precision, value) else {
        out.truncate(start);
        not_finite(out, value);
        return;
    };
    let decimals = i64::try_from(precision)
        .ok()
        .and_then(|precision| usize::try_from(precision - i64::from(exponent)).ok());
    match decimals {
        Some(decimals) if exponent >= -4 => {
            out.truncate(start);
            print(out, format_args!("{value:.decimals$}"));
            strip_zeros(out, start);
        }
        _ => {
            strip_zeros(out, start);
            print(out, format_args!("e{exponent:+03}"));
        }
    }
}

/// Appends the digits of `value` and returns its exponent; `None` when it has none.
fn scientific(out: &mut Vec<u8>, precision: usize, value: f64) -> Option<i16> {
    let start = out.len();
    print(out, format_args!("{value:.precision$e}"));
    let printed = out.get(start..)?;
    let point = printed.iter().rposition(|&byte| byte == b'e')?;
    let exponent = std::str::from_utf8(printed.get(point + 1..)?)
        .ok()?
        .parse()
        .ok()?;
    out.truncate(start + point);
    Some(exponent)
}

/// Removes zeros at the end of a fraction, and the point when nothing is left of it.
fn strip_zeros(out: &mut Vec<u8>, start: usize) {
    if !out
        .get(start..)
        .is_some_and(|digits| digits.contains(&b'.'))
    {
        return;
    }
    while out.last() == Some(&b'0') {
        out.pop();
    }
    if out.last() == Some(&b'.') {
        out.pop();
    }
}

fn not_finite(out: &mut Vec<u8>, value: f64) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    out.extend_from_slice(if value.is_nan() { b"nan" } else { b"inf" });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn g(digits: usize, value: f64) -> String {
        let mut out = b"0.0e".to_vec();
        general(&mut out, digits, value);
        String::from_utf8(out.split_off(4)).unwrap()
    }

    fn e(precision: usize, value: f64) -> String {
        let mut out = b"0.0e".to_vec();
        exponential(&mut out, precision, value);
        String::from_utf8(out.split_off(4)).unwrap()
    }

    /// Expected from glibc's `printf`.
    #[test]
    fn as_c_prints_them() {
        assert_eq!(g(6, 0.0), "0");
        assert_eq!(g(6, -0.0), "-0");
        assert_eq!(g(6, 1.0), "1");
        assert_eq!(g(6, -1.5), "-1.5");
        assert_eq!(g(6, 999999.5), "1e+06");
        assert_eq!(g(6, 999_999.4), "999999");
        assert_eq!(g(6, 1e6), "1e+06");
        assert_eq!(g(6, 1e-4), "0.0001");
        assert_eq!(g(6, 1e-5), "1e-05");
        assert_eq!(g(6, 9.9999995e-5), "0.0001");
        assert_eq!(g(6, 0.1), "0.1");
        assert_eq!(g(6, 123456.789), "123457");
        assert_eq!(g(6, 2.5), "2.5");
        assert_eq!(g(6, 0.000_123_456_785), "0.000123457");
        assert_eq!(g(6, 1234565.0), "1.23456e+06");
        assert_eq!(g(6, 1e300), "1e+300");
        assert_eq!(g(6, 5e-324), "4.94066e-324");
        assert_eq!(g(6, 1.7976931348623157e308), "1.79769e+308");
        assert_eq!(g(6, f64::INFINITY), "inf");
        assert_eq!(g(6, f64::NEG_INFINITY), "-inf");
        assert_eq!(g(20, 0.1), "0.10000000000000000555");
        assert_eq!(g(20, 1e19), "10000000000000000000");
        assert_eq!(g(20, 1e20), "1e+20");
        assert_eq!(g(20, 123456.789), "123456.78900000000431");
        assert_eq!(g(20, 1e-5), "1.0000000000000000818e-05");
        assert_eq!(g(20, 0.0001), "0.00010000000000000000479");
        assert_eq!(g(20, 5e-324), "4.9406564584124654418e-324");
        assert_eq!(g(20, 1.7976931348623157e308), "1.7976931348623157081e+308");
        assert_eq!(g(20, 1234567890123456789.0), "1234567890123456768");
        assert_eq!(e(5, 0.0), "0.00000e+00");
        assert_eq!(e(5, 1.0), "1.00000e+00");
        assert_eq!(e(5, -3.5), "-3.50000e+00");
        assert_eq!(e(5, 1e100), "1.00000e+100");
        assert_eq!(e(5, 1e-100), "1.00000e-100");
        assert_eq!(e(5, 9.999995), "1.00000e+01");
        assert_eq!(e(5, 1.000005), "1.00001e+00");
        assert_eq!(e(5, 0.1), "1.00000e-01");
    }
}
