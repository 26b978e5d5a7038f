//! Values that hold no others.

use crate::error::{Fault, Parsed};
use crate::primitive::{array, bytes, int1, int2, int4, int8, length as usize_length};

use super::{Node, Opaque};

/// A value that holds no others and is no string.
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Opaque(Opaque<'a>),
}

impl<'a> From<Scalar<'a>> for Node<'a> {
    fn from(scalar: Scalar<'a>) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Bool(value) => Self::Bool(value),
            Scalar::Int(number) => Self::Int(number),
            Scalar::Uint(number) => Self::Uint(number),
            Scalar::Double(number) => Self::Double(number),
            Scalar::Opaque(opaque) => Self::Opaque(opaque),
        }
    }
}

/// A value of type `kind`, which is neither an object nor an array nor a string.
#[inline(always)]
pub(super) fn scalar(kind: u8) -> impl for<'a> Fn(&'a [u8]) -> Parsed<'a, Scalar<'a>> {
    move |input| match kind {
        0x04 => literal(input),
        0x05 => map(array(input), |n| Scalar::Int(i16::from_le_bytes(n).into())),
        0x06 => map(int2(input), |n| Scalar::Uint(n.into())),
        0x07 => map(array(input), |n| Scalar::Int(i32::from_le_bytes(n).into())),
        0x08 => map(int4(input), |n| Scalar::Uint(n.into())),
        0x09 => map(array(input), |n| Scalar::Int(i64::from_le_bytes(n))),
        0x0A => map(int8(input), Scalar::Uint),
        0x0B => double(input),
        0x0F => opaque(input),
        _ => Err(Fault::invalid(input, "unknown value type")),
    }
}

/// Whether a value of type `kind` stands in its value entry.
pub(crate) const fn is_inlined(kind: u8, large: bool) -> bool {
    matches!(kind, 0x04..=0x06) || large && matches!(kind, 0x07 | 0x08)
}

fn map<'a, T>(parsed: Parsed<'a, T>, node: impl FnOnce(T) -> Scalar<'a>) -> Parsed<'a, Scalar<'a>> {
    parsed.map(|(rest, value)| (rest, node(value)))
}

fn literal(input: &[u8]) -> Parsed<'_, Scalar<'_>> {
    let (rest, literal) = int1(input)?;
    let node = match literal {
        0x00 => Scalar::Null,
        0x01 => Scalar::Bool(true),
        0x02 => Scalar::Bool(false),
        _ => return Err(Fault::invalid(input, "unknown literal")),
    };
    Ok((rest, node))
}

fn double(input: &[u8]) -> Parsed<'_, Scalar<'_>> {
    let (rest, bytes) = array(input)?;
    let value = f64::from_le_bytes(bytes);
    if !value.is_finite() {
        return Err(Fault::invalid(input, "double is not a finite number"));
    }
    Ok((rest, Scalar::Double(value)))
}

fn opaque(input: &[u8]) -> Parsed<'_, Scalar<'_>> {
    let (rest, column_type) = int1(input)?;
    let (rest, length) = length(rest)?;
    let (rest, data) = bytes(length)(rest)?;
    Ok((rest, Scalar::Opaque(Opaque { column_type, data })))
}

/// A length of 1 to 5 bytes, below 2^32.
#[inline]
pub(super) fn length(input: &[u8]) -> Parsed<'_, usize> {
    // Most strings are short.
    if let [len @ 0..0x80, rest @ ..] = input {
        return Ok((rest, usize::from(*len)));
    }
    long_length(input)
}

fn long_length(input: &[u8]) -> Parsed<'_, usize> {
    let (mut rest, mut value) = (input, 0_u64);
    for shift in [0, 7, 14, 21, 28] {
        let (after, byte) = int1(rest)?;
        rest = after;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 && value <= u64::from(u32::MAX) {
            return Ok((rest, usize_length(rest, value)?));
        }
    }
    Err(Fault::invalid(input, "length above 32 bits"))
}
