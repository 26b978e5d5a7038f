//! What can be wrong with bytes, and where.

use nom::error::{ErrorKind, ParseError};

/// A structure that could not be read: which one, why, and at which byte of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {kind} at byte {offset}")]
pub struct Error {
    /// The wire structure that was being read, by its name in MySQL's source.
    pub what: &'static str,
    /// What is wrong with it.
    pub kind: Kind,
    /// Bytes from the start of that structure to the fault.
    pub offset: usize,
}

/// What is wrong with a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Kind {
    /// It ends before its fields do.
    #[error("ends too early")]
    Truncated,
    /// There are bytes behind its last field.
    #[error("has bytes behind its end")]
    TrailingBytes,
    /// A field holds what the format does not allow; the text says which and why.
    #[error("{0}")]
    Invalid(&'static str),
    /// Well-formed, but beyond what this crate reads; the text says what.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// The CRC32 at its end does not match its bytes.
    #[error("checksum mismatch: stored {stored:#010x}, computed {computed:#010x}")]
    Checksum {
        /// The CRC32 that the event carries.
        stored: u32,
        /// The CRC32 of the event's bytes.
        computed: u32,
    },
}

impl Error {
    /// An error at the first byte of `what`.
    #[must_use]
    pub const fn new(what: &'static str, kind: Kind) -> Self {
        Self {
            what,
            kind,
            offset: 0,
        }
    }
}

/// nom's error type in this crate: how many bytes were left where the fault was found.
///
/// It holds a count instead of the input, so that it is small and borrows nothing;
/// [`read`] turns it into an [`Error`] with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Bytes from the fault to the end of the input.
    pub remaining: usize,
    /// What is wrong there.
    pub kind: Kind,
}

impl Fault {
    /// A fault at the start of `input`, which no other alternative can mend.
    #[must_use]
    pub const fn at(input: &[u8], kind: Kind) -> nom::Err<Self> {
        nom::Err::Failure(Self {
            remaining: input.len(),
            kind,
        })
    }

    /// A fault at the start of `input`: `why` says what the field must be.
    #[must_use]
    pub const fn invalid(input: &[u8], why: &'static str) -> nom::Err<Self> {
        Self::at(input, Kind::Invalid(why))
    }
}

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(input: &[u8], kind: ErrorKind) -> Self {
        let kind = match kind {
            ErrorKind::Eof => Kind::Truncated,
            ErrorKind::Tag => Kind::Invalid("unexpected value"),
            ErrorKind::TakeUntil => Kind::Invalid("missing terminator"),
            _ => Kind::Invalid("malformed"),
        };
        Self {
            remaining: input.len(),
            kind,
        }
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// The result of a parser in this crate: the rest of the input, and what was read.
pub type Parsed<'a, T> = nom::IResult<&'a [u8], T, Fault>;

/// Runs `parser` over `input`, which is all of the structure `what`; bytes it leaves are an error.
///
/// # Errors
/// The parser's fault, or [`Kind::TrailingBytes`], with its offset in `input`.
#[inline]
pub fn read<'a, T>(
    what: &'static str,
    input: &'a [u8],
    parser: impl FnOnce(&'a [u8]) -> Parsed<'a, T>,
) -> Result<T, Error> {
    match parser(input) {
        Ok(([], value)) => Ok(value),
        Ok((rest, _)) => Err(placed(what, input, rest.len(), Kind::TrailingBytes)),
        Err(error) => Err(fault(what, input, &error)),
    }
}

/// Runs `parser` over the front of `input` and hands back the rest.
///
/// # Errors
/// The parser's fault with its offset in `input`.
#[inline]
pub fn read_prefix<'a, T>(
    what: &'static str,
    input: &'a [u8],
    parser: impl FnOnce(&'a [u8]) -> Parsed<'a, T>,
) -> Result<(&'a [u8], T), Error> {
    parser(input).map_err(|error| fault(what, input, &error))
}

#[cold]
fn fault(what: &'static str, input: &[u8], error: &nom::Err<Fault>) -> Error {
    match error {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => {
            placed(what, input, fault.remaining, fault.kind)
        }
        nom::Err::Incomplete(_) => placed(what, input, 0, Kind::Truncated),
    }
}

const fn placed(what: &'static str, input: &[u8], remaining: usize, kind: Kind) -> Error {
    Error {
        what,
        kind,
        offset: input.len().saturating_sub(remaining),
    }
}
