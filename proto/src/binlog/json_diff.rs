//! Changes of JSON documents, which PARTIAL_UPDATE_ROWS_EVENT has in place of the changed documents.

mod members;
mod patch;
mod path;

pub use patch::Patcher;
pub use path::{Leg, Path};

use crate::error::{Error, Fault, Kind, Parsed, read_prefix};
use crate::primitive::{int1, string_lenenc};

use super::jsonb::Jsonb;

const WHAT: &str = "JSON diff";

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Puts the value in place of the one that is at the path, as `JSON_REPLACE` does.
    Replace,
    /// Adds a member to an object, as `JSON_INSERT` does, or puts a value between those of an array, as
    /// `JSON_ARRAY_INSERT` does.
    Insert,
    /// Takes the value at the path away, as `JSON_REMOVE` does.
    Remove,
}

/// One change of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonDiff<'a> {
    /// What it does.
    pub operation: Operation,
    /// Where.
    pub path: Path<'a>,
    /// The new value; `None` for [`Operation::Remove`].
    pub value: Option<Jsonb<'a>>,
}

/// The changes of a document, in the order in which they are made.
///
/// ```text
/// (
///     int<1>         operation: 0 replace, 1 insert, 2 remove
///     string<lenenc> path, such as $.a[0]."b c"[last-1]
///     not remove: string<lenenc> value, in binary JSON
/// ) …
/// ```
///
/// No change at all is how an update that leaves the document as it is may be logged.
///
/// Source: WL#2955, WL#10570, and `Json_diff_vector::read_binary` in MySQL's `sql-common/json_diff.cc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonDiffs<'a> {
    bytes: &'a [u8],
}

impl<'a> JsonDiffs<'a> {
    /// The changes that `bytes` hold, which stand in a row image behind their length.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Their bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The changes, one after another; an error is the last item.
    pub fn iter(&self) -> impl Iterator<Item = Result<JsonDiff<'a>, Error>> + use<'a> {
        let all = *self;
        let mut rest = all;
        std::iter::from_fn(move || {
            let first = rest.split_first(&all)?;
            rest = first.map_or(Self::new(&[]), |(_, behind)| behind);
            Some(first.map(|(diff, _)| diff))
        })
    }

    /// The first change and those behind it; offsets in errors count from the start of `all`.
    fn split_first(&self, all: &Self) -> Option<Result<(JsonDiff<'a>, Self), Error>> {
        if self.bytes.is_empty() {
            return None;
        }
        let offset = all.bytes.len().saturating_sub(self.bytes.len());
        let first = read_prefix(WHAT, self.bytes, diff);
        Some(match first {
            Ok((behind, diff)) => Ok((diff, Self::new(behind))),
            Err(error) => Err(Error {
                offset: offset.saturating_add(error.offset),
                ..error
            }),
        })
    }
}

fn diff(input: &[u8]) -> Parsed<'_, JsonDiff<'_>> {
    let (rest, operation) = int1(input)?;
    let operation = match operation {
        0 => Operation::Replace,
        1 => Operation::Insert,
        2 => Operation::Remove,
        _ => return Err(Fault::invalid(input, "not an operation")),
    };
    let at = rest;
    let (rest, path) = string_lenenc(rest)?;
    let Ok(path) = str::from_utf8(path) else {
        return Err(Fault::invalid(at, "a path that is not UTF-8"));
    };
    let (rest, value) = match operation {
        Operation::Remove => (rest, None),
        Operation::Replace | Operation::Insert => {
            let at = rest;
            let (rest, value) = string_lenenc(rest)?;
            if value.is_empty() {
                return Err(Fault::at(at, Kind::Invalid("a value of no bytes")));
            }
            (rest, Some(Jsonb::new(value)))
        }
    };
    let diff = JsonDiff {
        operation,
        path: Path::new(path),
        value,
    };
    Ok((rest, diff))
}
