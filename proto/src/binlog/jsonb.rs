//! JSON column values in MySQL's binary form.
//!
//! ```text
//! document    int<1> type, value
//! type        00, 02 object, array (small: offset_or_size is int<2>)
//!             01, 03 object, array (large: offset_or_size is int<4>)
//!             04 literal (int<1>: 00 null, 01 true, 02 false)
//!             05, 06 int16, uint16   07, 08 int32, uint32   09, 0A int64, uint64
//!             0B double              0C string: length, utf8mb4 bytes
//!             0F opaque: int<1> column type code, length, bytes
//! length      7 bits a byte, lowest first, the high bit set in all but the last; at most 5 bytes
//! object      offset_or_size count, size; count key entries, count value entries; keys; values
//! array       offset_or_size count, size; count value entries; values
//! key entry   offset_or_size offset, int<2> length
//! value entry int<1> type, then the value itself if it is a literal, int16 or uint16 (large: or
//!             int32 or uint32), else its offset_or_size offset
//! ```
//!
//! Offsets count from the count of the object or array that holds them. Values lie in any order
//! and may have gaps between them: an update in place leaves them.
//!
//! Source: WL#8132 and `sql-common/json_binary.h` of the MySQL source.

mod container;
mod escape;
mod number;
mod opaque;
mod part;
mod print;
mod scalar;
mod temporal;

pub use container::{Array, Object};
pub use escape::{push_escaped, write_string, write_utf8};
pub use opaque::Opaque;
pub(crate) use part::{Part, is_container, is_inlined, is_object, parts, take_part};
pub use print::Style;

use crate::error::{Error, Kind, Parsed};
use crate::primitive::bytes;

use scalar::Scalar;

const WHAT: &str = "JSON";

// The types that are told apart before the value is read.
const SMALL_OBJECT: u8 = 0x00;
const LARGE_OBJECT: u8 = 0x01;
const SMALL_ARRAY: u8 = 0x02;
const LARGE_ARRAY: u8 = 0x03;
const STRING: u8 = 0x0C;

/// A JSON column value as it stands in a row image, behind its length prefix.
///
/// Nothing is looked at before it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jsonb<'a> {
    document: &'a [u8],
}

/// One value of a document. Objects and arrays are read on as their members are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number that MySQL took for a signed one.
    Int(i64),
    /// A whole number that MySQL took for an unsigned one, also a small one.
    Uint(u64),
    /// A number with a fraction or exponent; finite.
    Double(f64),
    /// A string.
    String(&'a str),
    /// A value of a type that JSON does not have.
    Opaque(Opaque<'a>),
    /// An array.
    Array(Array<'a>),
    /// An object.
    Object(Object<'a>),
}

impl<'a> Jsonb<'a> {
    /// The value that `document` holds.
    ///
    /// A document of no bytes is the literal `null`, as the server reads it: non-strict SQL modes
    /// store it for NULL in a NOT NULL column.
    #[must_use]
    pub const fn new(document: &'a [u8]) -> Self {
        Self { document }
    }

    /// The document's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.document
    }

    /// Whether the value is the literal `null`, of which nothing else is looked at.
    #[must_use]
    #[inline]
    pub const fn is_null(&self) -> bool {
        matches!(self.document, [] | [0x04, 0x00, ..])
    }

    /// The outermost value.
    ///
    /// # Errors
    /// When the value, or the header of the object or array that it is, is malformed. Offsets in
    /// errors of this module count from the start of the document.
    pub fn root(&self) -> Result<Node<'a>, Error> {
        let Some(&kind) = self.document.first() else {
            return Ok(Node::Null);
        };
        let value = Span {
            document: self.document,
            start: 1,
            end: self.document.len(),
        };
        value.node(kind)
    }
}

/// A part of a document: where a value begins, and the end of what holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span<'a> {
    document: &'a [u8],
    start: usize,
    end: usize,
}

impl<'a> Span<'a> {
    /// The value of type `kind` at the start.
    fn node(&self, kind: u8) -> Result<Node<'a>, Error> {
        match kind {
            SMALL_OBJECT | LARGE_OBJECT => {
                Object::new(self, kind == LARGE_OBJECT).map(Node::Object)
            }
            SMALL_ARRAY | LARGE_ARRAY => Array::new(self, kind == LARGE_ARRAY).map(Node::Array),
            STRING => {
                let (start, text) = self.string()?;
                let text = str::from_utf8(text).map_err(|_| not_utf8(start))?;
                Ok(Node::String(text))
            }
            _ => self.scalar(kind).map(Node::from),
        }
    }

    /// The value of type `kind` at the start, which is neither an object nor an array nor a string.
    #[inline(always)]
    fn scalar(&self, kind: u8) -> Result<Scalar<'a>, Error> {
        self.read_at(self.start, scalar::scalar(kind))
    }

    /// The bytes of the string at the start, and where in the document they are.
    #[inline]
    fn string(&self) -> Result<(usize, &'a [u8]), Error> {
        self.read_at(self.start, |input| {
            let (text, len) = scalar::length(input)?;
            let start = self.end.saturating_sub(text.len());
            let (rest, text) = bytes(len)(text)?;
            Ok((rest, (start, text)))
        })
    }

    /// Runs `parser` over the bytes from `offset` to the end.
    #[inline(always)]
    fn read_at<T>(
        &self,
        offset: usize,
        parser: impl FnOnce(&'a [u8]) -> Parsed<'a, T>,
    ) -> Result<T, Error> {
        let input = self
            .document
            .get(offset..self.end)
            .ok_or_else(|| fault(offset, Kind::Truncated))?;
        match crate::error::read_prefix(WHAT, input, parser) {
            Ok((_, value)) => Ok(value),
            Err(error) => Err(fault(offset.saturating_add(error.offset), error.kind)),
        }
    }
}

#[cold]
const fn not_utf8(offset: usize) -> Error {
    fault(offset, Kind::Invalid("string is not UTF-8"))
}

const fn fault(offset: usize, kind: Kind) -> Error {
    Error {
        what: WHAT,
        kind,
        offset,
    }
}
