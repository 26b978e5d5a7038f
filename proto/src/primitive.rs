//! The protocol's basic types: `int<n>`, `int<lenenc>`, `string<n>`, `string<NUL>`,
//! `string<lenenc>`.
//!
//! Each is a complete nom parser: input that ends too early is an error, never a request for
//! more. Integers are little-endian unless the name says `be`.
//!
//! Source: MySQL source documentation, "Protocol Basics":
//! `page_protocol_basic_dt_integers`, `page_protocol_basic_dt_strings`.

use crate::error::{Fault, Kind, Parsed};

const fn truncated(input: &[u8]) -> nom::Err<Fault> {
    nom::Err::Error(Fault {
        remaining: input.len(),
        kind: Kind::Truncated,
    })
}

/// Exactly `N` bytes, as an array.
///
/// # Errors
/// [`Kind::Truncated`] when there are fewer.
#[inline]
pub fn array<const N: usize>(input: &[u8]) -> Parsed<'_, [u8; N]> {
    match input.split_first_chunk::<N>() {
        Some((head, rest)) => Ok((rest, *head)),
        None => Err(truncated(input)),
    }
}

macro_rules! integers {
    ($($(#[$doc:meta])* $name:ident: $n:literal => |$bytes:ident| $value:expr => $ty:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Kind::Truncated`] when there are too few bytes.
        #[inline]
        pub fn $name(input: &[u8]) -> Parsed<'_, $ty> {
            let (rest, $bytes) = array::<$n>(input)?;
            Ok((rest, $value))
        }
    )*};
}

integers! {
    /// `int<1>`.
    int1: 1 => |b| { let [a] = b; a } => u8;
    /// `int<2>`.
    int2: 2 => |b| u16::from_le_bytes(b) => u16;
    /// `int<3>`.
    int3: 3 => |b| { let [a, b, c] = b; u32::from_le_bytes([a, b, c, 0]) } => u32;
    /// `int<4>`.
    int4: 4 => |b| u32::from_le_bytes(b) => u32;
    /// `int<6>`.
    int6: 6 => |b| { let [a, b, c, d, e, f] = b; u64::from_le_bytes([a, b, c, d, e, f, 0, 0]) } => u64;
    /// `int<8>`.
    int8: 8 => |b| u64::from_le_bytes(b) => u64;
}

/// An unsigned big-endian integer of `n` bytes, as the storage engines' formats have it; at most 8.
///
/// # Errors
/// [`Kind::Truncated`] when there are too few bytes.
#[inline]
pub fn int_be(n: usize) -> impl for<'a> Fn(&'a [u8]) -> Parsed<'a, u64> {
    move |input| {
        let (rest, head) = bytes(n)(input)?;
        let value = head.iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
        Ok((rest, value))
    }
}

/// `string<n>`: exactly `n` bytes.
///
/// # Errors
/// [`Kind::Truncated`] when there are fewer.
#[inline]
pub fn bytes(n: usize) -> impl for<'a> Fn(&'a [u8]) -> Parsed<'a, &'a [u8]> {
    move |input| match input.split_at_checked(n) {
        Some((head, rest)) => Ok((rest, head)),
        None => Err(truncated(input)),
    }
}

/// `string<EOF>`: all that is left.
///
/// # Errors
/// None; the result is a [`Parsed`] so that it combines with the other parsers.
#[inline]
pub const fn rest(input: &[u8]) -> Parsed<'_, &[u8]> {
    Ok((&[], input))
}

/// `string<NUL>`: the bytes before the next NUL, which is consumed.
///
/// # Errors
/// [`Kind::Truncated`] when there is no NUL.
#[inline]
pub fn string_nul(input: &[u8]) -> Parsed<'_, &[u8]> {
    let end = input
        .iter()
        .position(|&byte| byte == 0)
        .ok_or_else(|| truncated(input))?;
    let (rest, head) = bytes(end)(input)?;
    let (rest, _) = int1(rest)?;
    Ok((rest, head))
}

/// `int<lenenc>`: 1 byte below 251, else a marker (`FC`, `FD`, `FE`) and 2, 3 or 8 bytes.
///
/// # Errors
/// [`Kind::Truncated`], or [`Kind::Invalid`] for the markers `FB` (NULL in a result set) and
/// `FF` (an error packet), which are no integers.
#[inline]
pub fn int_lenenc(input: &[u8]) -> Parsed<'_, u64> {
    let (rest, first) = int1(input)?;
    match first {
        0..=250 => Ok((rest, u64::from(first))),
        0xFC => int2(rest).map(|(rest, n)| (rest, u64::from(n))),
        0xFD => int3(rest).map(|(rest, n)| (rest, u64::from(n))),
        0xFE => int8(rest),
        0xFB | 0xFF => Err(Fault::invalid(input, "not a length-encoded integer")),
    }
}

/// `string<lenenc>`: an `int<lenenc>` and that many bytes.
///
/// # Errors
/// As [`int_lenenc`]; [`Kind::Truncated`] when the length passes the end of the input.
#[inline]
pub fn string_lenenc(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, len) = int_lenenc(input)?;
    let len = usize::try_from(len).map_err(|_| truncated(input))?;
    bytes(len)(rest)
}

/// A length as `usize`, which a length that the address space cannot hold is not.
///
/// # Errors
/// [`Kind::Truncated`] at `input`: no input could be that long.
#[inline]
pub fn length(input: &[u8], n: u64) -> Result<usize, nom::Err<Fault>> {
    usize::try_from(n).map_err(|_| truncated(input))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_little_endian() {
        let input = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(int3(&input), Ok((&input[3..], 0x03_02_01)));
        assert_eq!(int6(&input), Ok((&input[6..], 0x0605_0403_0201)));
        assert!(int4(&input[..3]).is_err());
    }

    #[test]
    fn big_endian_integers() {
        assert_eq!(int_be(0)(&[1]), Ok((&[1][..], 0)));
        assert_eq!(int_be(3)(&[1, 2, 3, 4]), Ok((&[4][..], 0x01_02_03)));
        assert_eq!(int_be(8)(&[0xFF; 8]), Ok((&[][..], u64::MAX)));
        assert!(int_be(4)(&[1, 2, 3]).is_err());
    }

    #[test]
    fn lenenc_boundaries() {
        assert_eq!(int_lenenc(&[250]), Ok((&[][..], 250)));
        assert_eq!(int_lenenc(&[0xFC, 251, 0]), Ok((&[][..], 251)));
        assert_eq!(int_lenenc(&[0xFD, 0, 0, 1]), Ok((&[][..], 65536)));
        assert_eq!(
            int_lenenc(&[0xFE, 255, 255, 255, 255, 255, 255, 255, 255]),
            Ok((&[][..], u64::MAX))
        );
        assert!(int_lenenc(&[0xFB]).is_err());
        assert!(int_lenenc(&[0xFC, 1]).is_err());
        assert!(string_lenenc(&[0xFE, 255, 255, 255, 255, 255, 255, 255, 255, 1]).is_err());
        assert_eq!(
            string_lenenc(&[2, b'a', b'b', b'c']),
            Ok((&b"c"[..], &b"ab"[..]))
        );
    }

    #[test]
    fn string_nul_consumes_the_nul() {
        assert_eq!(string_nul(b"ab\0c"), Ok((&b"c"[..], &b"ab"[..])));
        assert!(string_nul(b"ab").is_err());
    }
}
