//! JSON text of a binary value.

use crate::error::{Error, Kind};

use super::number::write_double;
use super::{Jsonb, Node, escape, fault};

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
        let mut printer = Printer {
            separators: match style {
                Style::Compact => (",", ":"),
                Style::MySql => (", ", ": "),
            },
            unread: self.as_bytes().len(),
            out,
        };
        let printed = self.root().and_then(|root| printer.node(root, 0, 0));
        printed.inspect_err(|_| out.truncate(start))
    }
}

struct Printer<'o> {
    /// Between members, and between a key and its value.
    separators: (&'static str, &'static str),
    /// How many of the document's bytes no value has taken so far.
    unread: usize,
    out: &'o mut Vec<u8>,
}

impl Printer<'_> {
    /// Prints a value that stands in an object or array at byte `at`, `depth` levels deep.
    fn node(&mut self, node: Node<'_>, at: usize, depth: usize) -> Result<(), Error> {
        let (between, behind_key) = self.separators;
        match node {
            Node::Null => self.push("null"),
            Node::Bool(true) => self.push("true"),
            Node::Bool(false) => self.push("false"),
            Node::Int(number) => self.push(itoa::Buffer::new().format(number)),
            Node::Uint(number) => self.push(itoa::Buffer::new().format(number)),
            Node::Double(number) => write_double(number, self.out),
            Node::String(text) => {
                self.take(at, text.len())?;
                escape::write_string(self.out, text);
            }
            Node::Opaque(opaque) => {
                self.take(at, opaque.data.len())?;
                opaque.write_to(self.out)?;
            }
            Node::Array(array) => {
                let (at, header) = array.header();
                self.enter(at, header, depth)?;
                self.push("[");
                let mut index = 0;
                while let Some(value) = array.get(index)? {
                    if index > 0 {
                        self.push(between);
                    }
                    self.node(value, at, depth + 1)?;
                    index += 1;
                }
                self.push("]");
            }
            Node::Object(object) => {
                let (at, header) = object.header();
                self.enter(at, header, depth)?;
                self.push("{");
                let mut index = 0;
                while let Some((key, value)) = object.member(index)? {
                    if index > 0 {
                        self.push(between);
                    }
                    self.take(at, key.len())?;
                    escape::write_string(self.out, key);
                    self.push(behind_key);
                    self.node(value, at, depth + 1)?;
                    index += 1;
                }
                self.push("}");
            }
        }
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
    fn take(&mut self, at: usize, bytes: usize) -> Result<(), Error> {
        self.unread = self
            .unread
            .checked_sub(bytes)
            .ok_or_else(|| fault(at, Kind::Invalid("values overlap")))?;
        Ok(())
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}
