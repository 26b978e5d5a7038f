//! Objects and arrays: a table of entries, and what they point to.

use std::cmp::Ordering;

use crate::error::{Error, Kind, Parsed};
use crate::primitive::{int1, int2, int4, length};

use super::scalar::is_inlined;
use super::{Node, Span, fault};

/// An array; the values are read one at a time as they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Array<'a>(Container<'a>);

/// An object, its members in the order in which MySQL keeps them: by the length of the key, then
/// by its bytes. Keys and values are read one at a time as they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a>(Container<'a>);

/// What both have in common. The header lies in the document, and all of it within `span`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Container<'a> {
    span: Span<'a>,
    large: bool,
    count: usize,
    /// Bytes of the count, the size and all key entries.
    values_at: usize,
    /// Bytes up to the end of the value entries.
    header: usize,
}

impl<'a> Array<'a> {
    pub(super) fn new(value: &Span<'a>, large: bool) -> Result<Self, Error> {
        Container::new(value, large, 0).map(Self)
    }

    /// How many values there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.count == 0
    }

    /// The value at `index`, counted from 0; `None` behind the last.
    ///
    /// # Errors
    /// When the value is malformed or not within the array.
    pub fn get(&self, index: usize) -> Result<Option<Node<'a>>, Error> {
        (index < self.0.count)
            .then(|| self.0.value(index))
            .transpose()
    }

    /// Where the array begins in its document, and how many bytes its header takes.
    pub(super) const fn header(&self) -> (usize, usize) {
        (self.0.span.start, self.0.header)
    }

    /// Type and place of the value at `index`, which is below the count.
    pub(super) fn locate(&self, index: usize) -> Result<(u8, Span<'a>), Error> {
        self.0.locate(index)
    }

    /// How many bytes it says that it takes.
    pub(super) const fn size(&self) -> usize {
        self.0.span.end.saturating_sub(self.0.span.start)
    }
}

impl<'a> Object<'a> {
    pub(super) fn new(value: &Span<'a>, large: bool) -> Result<Self, Error> {
        let key_entry = offset_width(large) + 2;
        Container::new(value, large, key_entry).map(Self)
    }

    /// How many members there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.count == 0
    }

    /// Key and value of the member at `index`, counted from 0; `None` behind the last.
    ///
    /// # Errors
    /// When key or value is malformed or not within the object.
    pub fn member(&self, index: usize) -> Result<Option<(&'a str, Node<'a>)>, Error> {
        if index >= self.0.count {
            return Ok(None);
        }
        Ok(Some((self.key(index)?, self.0.value(index)?)))
    }

    /// The value of the member of that name, found by binary search as the server does.
    ///
    /// # Errors
    /// When a key on the way or the value is malformed or not within the object.
    pub fn get(&self, name: &str) -> Result<Option<Node<'a>>, Error> {
        let (mut low, mut high) = (0, self.0.count);
        while low < high {
            let middle = low.midpoint(high);
            let key = self.key(middle)?;
            match (key.len(), key).cmp(&(name.len(), name)) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return self.0.value(middle).map(Some),
            }
        }
        Ok(None)
    }

    fn key(&self, index: usize) -> Result<&'a str, Error> {
        self.key_at(index).map(|(_, key)| key)
    }

    /// The key, and where it stands in the document.
    fn key_at(&self, index: usize) -> Result<(usize, &'a str), Error> {
        let (start, key) = self.key_bytes(index)?;
        match str::from_utf8(key) {
            Ok(key) => Ok((start, key)),
            Err(_) => Err(key_not_utf8(start)),
        }
    }

    /// The bytes of the key of the member at `index`, which is below the count, and where they stand in the document.
    #[inline]
    pub(super) fn key_bytes(&self, index: usize) -> Result<(usize, &'a [u8]), Error> {
        let Container {
            span,
            large,
            header,
            ..
        } = self.0;
        let width = offset_width(large);
        let entry = span.start + 2 * width + index * (width + 2);
        let (offset, key_length) = span.read_at(entry, |input| {
            let (rest, offset) = offset_or_size(large)(input)?;
            let (rest, key_length) = int2(rest)?;
            Ok((rest, (offset, usize::from(key_length))))
        })?;
        let start = span.start.saturating_add(offset);
        let end = start.saturating_add(key_length);
        let key = span
            .document
            .get(start..end)
            .filter(|_| offset >= header && end <= span.end)
            .ok_or_else(|| fault(entry, Kind::Invalid("key outside of its object")))?;
        Ok((start, key))
    }

    /// Type and place of the value of the member at `index`, which is below the count.
    #[inline]
    pub(super) fn locate_value(&self, index: usize) -> Result<(u8, Span<'a>), Error> {
        self.0.locate(index)
    }

    /// Where the object begins in its document, and how many bytes its header takes.
    pub(super) const fn header(&self) -> (usize, usize) {
        (self.0.span.start, self.0.header)
    }

    /// The key and its place, and type and place of the value, of the member at `index`, which is below
    /// the count.
    pub(super) fn locate(&self, index: usize) -> Result<((usize, &'a str), u8, Span<'a>), Error> {
        let (kind, value) = self.0.locate(index)?;
        Ok((self.key_at(index)?, kind, value))
    }

    /// How many bytes it says that it takes.
    pub(super) const fn size(&self) -> usize {
        self.0.span.end.saturating_sub(self.0.span.start)
    }
}

impl<'a> Container<'a> {
    /// Reads the count and size at the start of `value`, and checks that the entries fit.
    fn new(value: &Span<'a>, large: bool, key_entry: usize) -> Result<Self, Error> {
        let width = offset_width(large);
        let (count, size) = value.read_at(value.start, |input| {
            let (rest, count) = offset_or_size(large)(input)?;
            let (rest, size) = offset_or_size(large)(rest)?;
            Ok((rest, (count, size)))
        })?;
        let end = value.start.saturating_add(size);
        if end > value.end {
            return Err(fault(value.start, Kind::Truncated));
        }
        let values_at = (2 * width).saturating_add(count.saturating_mul(key_entry));
        let header = values_at.saturating_add(count.saturating_mul(width + 1));
        if header > size {
            return Err(fault(value.start, Kind::Invalid("more entries than fit")));
        }
        Ok(Self {
            span: Span { end, ..*value },
            large,
            count,
            values_at,
            header,
        })
    }

    /// The value of the entry at `index`, which is below the count.
    fn value(&self, index: usize) -> Result<Node<'a>, Error> {
        let (kind, value) = self.locate(index)?;
        value.node(kind)
    }

    /// Type and place of the value of the entry at `index`, which is below the count.
    #[inline]
    fn locate(&self, index: usize) -> Result<(u8, Span<'a>), Error> {
        let Self { span, large, .. } = *self;
        let entry = span.start + self.values_at + index * (offset_width(large) + 1);
        let kind = span.read_at(entry, int1)?;
        if is_inlined(kind, large) {
            let inlined = Span {
                start: entry + 1,
                ..span
            };
            return Ok((kind, inlined));
        }
        let offset = span.read_at(entry + 1, offset_or_size(large))?;
        let start = span.start.saturating_add(offset);
        if offset < self.header || start > span.end {
            return Err(fault(entry, Kind::Invalid("value outside of its parent")));
        }
        Ok((kind, Span { start, ..span }))
    }
}

#[cold]
pub(super) const fn key_not_utf8(start: usize) -> Error {
    fault(start, Kind::Invalid("key is not UTF-8"))
}

const fn offset_width(large: bool) -> usize {
    if large { 4 } else { 2 }
}

#[inline(always)]
fn offset_or_size(large: bool) -> impl for<'a> Fn(&'a [u8]) -> Parsed<'a, usize> {
    move |input| {
        if !large {
            return int2(input).map(|(rest, n)| (rest, usize::from(n)));
        }
        let (rest, n) = int4(input)?;
        Ok((rest, length(input, n.into())?))
    }
}
