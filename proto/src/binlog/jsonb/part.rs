//! Values as runs of bytes, for taking a document apart and putting it together again.
//!
//! A value's bytes mean the same wherever they stand: what is in an object or array is found by offsets
//! from its own start.

use crate::error::{Error, Kind, read_prefix};
use crate::primitive::{bytes, int1};

use super::container::{Array, Object};
use super::scalar::length;
use super::{Span, WHAT, fault};

pub(crate) use super::scalar::is_inlined;

/// A value in a document: its type, and where its bytes stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) kind: u8,
    pub(crate) start: usize,
    pub(crate) len: usize,
}

/// Is a value of type `kind` an object or an array?
pub(crate) const fn is_container(kind: u8) -> bool {
    matches!(kind, 0x00..=0x03)
}

/// Is a value of type `kind` an object?
pub(crate) const fn is_object(kind: u8) -> bool {
    matches!(kind, 0x00 | 0x01)
}

/// The value that stands behind its type in `document` from `start` on, and ends before `end`.
pub(crate) fn take_part(document: &[u8], start: usize, end: usize) -> Result<Part, Error> {
    let span = Span {
        document,
        start,
        end,
    };
    let kind = span.read_at(start, int1)?;
    let value = Span {
        start: start.saturating_add(1),
        ..span
    };
    part(kind, value)
}

/// Hands on the key, if any, and the value of each member of the object or array that `part` is.
///
/// Together they take no more bytes than `part` does: no two may share one.
pub(crate) fn parts<'d>(
    document: &'d [u8],
    part: Part,
    mut each: impl FnMut(Option<(usize, &'d str)>, Part),
) -> Result<(), Error> {
    let span = Span {
        document,
        start: part.start,
        end: part.start.saturating_add(part.len),
    };
    let large = part.kind & 1 != 0;
    let mut unread = part.len;
    let mut take = |bytes: usize| {
        unread = unread
            .checked_sub(bytes)
            .ok_or_else(|| fault(part.start, Kind::Invalid("values overlap")))?;
        Ok::<_, Error>(())
    };
    if is_object(part.kind) {
        let object = Object::new(&span, large)?;
        take(object.header().1)?;
        for index in 0..object.len() {
            let (key, kind, value) = object.locate(index)?;
            let value = self::part(kind, value)?;
            take(key.1.len())?;
            if !is_inlined(kind, large) {
                take(value.len)?;
            }
            each(Some(key), value);
        }
    } else {
        let array = Array::new(&span, large)?;
        take(array.header().1)?;
        for index in 0..array.len() {
            let (kind, value) = array.locate(index)?;
            let value = self::part(kind, value)?;
            if !is_inlined(kind, large) {
                take(value.len)?;
            }
            each(None, value);
        }
    }
    Ok(())
}

/// The value of type `kind` at the start of `value`.
fn part(kind: u8, value: Span<'_>) -> Result<Part, Error> {
    let Span {
        document,
        start,
        end,
    } = value;
    let len = match kind {
        0x00 | 0x01 => Object::new(&value, kind == 0x01)?.size(),
        0x02 | 0x03 => Array::new(&value, kind == 0x03)?.size(),
        0x04 => 1,
        0x05 | 0x06 => 2,
        0x07 | 0x08 => 4,
        0x09..=0x0B => 8,
        0x0C | 0x0F => {
            let input = document.get(start..end).unwrap_or_default();
            let (rest, ()) = read_prefix(WHAT, input, |input| {
                let text = if kind == 0x0F { int1(input)?.0 } else { input };
                let (text, len) = length(text)?;
                Ok((bytes(len)(text)?.0, ()))
            })
            .map_err(|error| fault(start.saturating_add(error.offset), error.kind))?;
            input.len().saturating_sub(rest.len())
        }
        _ => return Err(fault(start, Kind::Invalid("unknown value type"))),
    };
    if len > end.saturating_sub(start) {
        return Err(fault(start, Kind::Truncated));
    }
    Ok(Part { kind, start, len })
}
