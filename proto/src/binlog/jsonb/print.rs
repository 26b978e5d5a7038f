//! JSON text of a binary value.

use crate::error::{Error, Kind};

use crate::binlog::value::int::{write_int, write_uint};

use super::container::key_not_utf8;
use super::number::write_double;
use super::scalar::Scalar;
use super::{
    Array, Jsonb, LARGE_ARRAY, LARGE_OBJECT, Object, SMALL_ARRAY, SMALL_OBJECT, STRING, Span,
    escape, fault, not_utf8,
};

/// How much white space the text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// None: `{"a":[1,2]}`.
    Compact,
    /// As the server prints it: `{"a": [1, 2]}`.
    MySql,
}

/// The server's own limit, `JSON_DOCUMENT_MAX_DEPTH`.
const MAX_DEPTH: usize = 100;

impl Jsonb<'_> {
    /// Appends the value as JSON text, which is the server's own `CAST(… AS CHAR)` but for the
    /// white space that `style` leaves out.
    ///
    /// Values of types that JSON does not have become numbers (DECIMAL) or strings: dates and
    /// times with six fractional digits, others `base64:type<N>:<data>`.
    ///
    /// The work and the text are bounded by the length of the document: no byte of it is read
    /// twice, because no two values share one.
    ///
    /// # Errors
    /// When the document is malformed, deeper than 100 levels, or its values overlap; `out` is
    /// then as it was.
    pub fn write_json(&self, style: Style, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        let printed = match style {
            Style::Compact => Printer::<false>::new(self, out).document(self.as_bytes()),
            Style::MySql => Printer::<true>::new(self, out).document(self.as_bytes()),
        };
        printed.inspect_err(|_| out.truncate(start))
    }
}

/// `SPACED`: there is a space behind each comma and colon.
struct Printer<'o, const SPACED: bool> {
    /// How many of the document's bytes no value has taken so far.
    unread: usize,
    out: &'o mut Vec<u8>,
}

impl<'o, const SPACED: bool> Printer<'o, SPACED> {
    const fn new(document: &Jsonb<'_>, out: &'o mut Vec<u8>) -> Self {
        Self {
            unread: document.as_bytes().len(),
            out,
        }
    }

    fn document(&mut self, document: &[u8]) -> Result<(), Error> {
        let Some(&kind) = document.first() else {
            self.out.extend_from_slice(b"null");
            return Ok(());
        };
        let value = Span {
            document,
            start: 1,
            end: document.len(),
        };
        self.value(kind, &value, 0, 0)
    }

    /// Prints a value that stands in an object or array at byte `at`, `depth` levels deep.
    fn value(&mut self, kind: u8, value: &Span<'_>, at: usize, depth: usize) -> Result<(), Error> {
        match kind {
            // The text is copied while it is checked, and so looked at only once.
            STRING => {
                let (start, text) = value.string()?;
                self.take(at, text.len())?;
                if !escape::write_utf8(self.out, text) {
                    return Err(not_utf8(start));
                }
            }
            SMALL_OBJECT | LARGE_OBJECT => {
                self.object(&Object::new(value, kind == LARGE_OBJECT)?, depth)?;
            }
            SMALL_ARRAY | LARGE_ARRAY => {
                self.array(&Array::new(value, kind == LARGE_ARRAY)?, depth)?;
            }
            _ => match value.scalar(kind)? {
                Scalar::Null => self.out.extend_from_slice(b"null"),
                Scalar::Bool(true) => self.out.extend_from_slice(b"true"),
                Scalar::Bool(false) => self.out.extend_from_slice(b"false"),
                Scalar::Int(number) => write_int(self.out, number),
                Scalar::Uint(number) => write_uint(self.out, number),
                Scalar::Double(number) => write_double(number, self.out),
                Scalar::Opaque(opaque) => {
                    self.take(at, opaque.data.len())?;
                    opaque.write_to(self.out)?;
                }
            },
        }
        Ok(())
    }

    fn array(&mut self, array: &Array<'_>, depth: usize) -> Result<(), Error> {
        let (at, header) = array.header();
        self.enter(at, header, depth)?;
        self.out.push(b'[');
        for index in 0..array.len() {
            if index > 0 {
                self.separate(b',');
            }
            let (kind, value) = array.locate(index)?;
            self.value(kind, &value, at, depth + 1)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, object: &Object<'_>, depth: usize) -> Result<(), Error> {
        let (at, header) = object.header();
        self.enter(at, header, depth)?;
        self.out.push(b'{');
        for index in 0..object.len() {
            if index > 0 {
                self.separate(b',');
            }
            let (start, key) = object.key_bytes(index)?;
            self.take(at, key.len())?;
            if !escape::write_utf8(self.out, key) {
                return Err(key_not_utf8(start));
            }
            self.separate(b':');
            let (kind, value) = object.locate_value(index)?;
            self.value(kind, &value, at, depth + 1)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Goes into an object or array at byte `at`, itself `depth` levels deep.
    fn enter(&mut self, at: usize, header: usize, depth: usize) -> Result<(), Error> {
        if depth >= MAX_DEPTH {
            return Err(fault(at, Kind::Invalid("more than 100 levels deep")));
        }
        self.take(at, header)
    }

    /// Counts the bytes of a value. A document whose values do not overlap has enough of them.
    #[inline]
    fn take(&mut self, at: usize, bytes: usize) -> Result<(), Error> {
        self.unread = self
            .unread
            .checked_sub(bytes)
            .ok_or_else(|| fault(at, Kind::Invalid("values overlap")))?;
        Ok(())
    }

    #[inline]
    fn separate(&mut self, by: u8) {
        self.out.push(by);
        if SPACED {
            self.out.push(b' ');
        }
    }
}
