//! Paths into documents.

use crate::error::{Error, Kind};

/// A path: `$`, and a leg for each level that it goes down.
///
/// ```text
/// .name      a member of an object
/// ."name"    the same, escaped as a JSON string is
/// [n]        the value at n in an array, from 0
/// [last]     the last value
/// [last-n]   the value at n from the last
/// ```
///
/// Source: `Json_path` and `Json_path_leg::to_string` in MySQL's `sql-common/json_path.cc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<'a> {
    text: &'a str,
}

/// A step of a [`Path`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg<'a> {
    /// To the member of this name.
    Member(&'a str),
    /// To the member whose name is this, in which `\` escapes as in JSON.
    EscapedMember(&'a str),
    /// To the value at this place of an array.
    Cell(u32),
    /// To the value at this place, counted from the last one of an array.
    CellFromEnd(u32),
}

const WHAT: &str = "JSON path";

impl<'a> Path<'a> {
    /// The path that `text` is; it is looked at by [`legs`](Self::legs).
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// The path as it is written.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// Its legs, from the outermost on; an error is the last item.
    pub fn legs(&self) -> impl Iterator<Item = Result<Leg<'a>, Error>> + use<'a> {
        let all = self.text;
        let mut rest = all.strip_prefix('$');
        let mut failed = rest.is_none();
        std::iter::from_fn(move || {
            if std::mem::take(&mut failed) {
                return Some(Err(fault(0, "does not begin with $")));
            }
            let input = rest.filter(|rest| !rest.is_empty())?;
            let (leg, behind) = match leg(input) {
                Ok(leg) => leg,
                Err(why) => {
                    rest = None;
                    return Some(Err(fault(all.len().saturating_sub(input.len()), why)));
                }
            };
            rest = Some(behind);
            Some(Ok(leg))
        })
    }
}

const fn fault(offset: usize, why: &'static str) -> Error {
    Error {
        what: WHAT,
        kind: Kind::Invalid(why),
        offset,
    }
}

fn leg(input: &str) -> Result<(Leg<'_>, &str), &'static str> {
    if let Some(quoted) = input.strip_prefix(".\"") {
        let end = closing_quote(quoted).ok_or("a name without its closing quote")?;
        let (name, rest) = quoted.split_at_checked(end).unwrap_or((quoted, ""));
        let leg = if name.contains('\\') {
            Leg::EscapedMember(name)
        } else {
            Leg::Member(name)
        };
        return Ok((leg, rest.get(1..).unwrap_or_default()));
    }
    if let Some(name) = input.strip_prefix('.') {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, rest) = name.split_at_checked(end).unwrap_or((name, ""));
        if name.is_empty() || name.starts_with('*') {
            return Err("not a member's name");
        }
        return Ok((Leg::Member(name), rest));
    }
    let cell = input.strip_prefix('[').ok_or("neither . nor [")?;
    let (index, rest) = cell.split_once(']').ok_or("[ without ]")?;
    let leg = match index.strip_prefix("last") {
        None => Leg::Cell(number(index)?),
        Some("") => Leg::CellFromEnd(0),
        Some(back) => Leg::CellFromEnd(number(back.strip_prefix('-').ok_or(NOT_A_CELL)?)?),
    };
    Ok((leg, rest))
}

const NOT_A_CELL: &str = "not a place in an array";

fn number(digits: &str) -> Result<u32, &'static str> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        digits.parse().map_err(|_| NOT_A_CELL)
    } else {
        Err(NOT_A_CELL)
    }
}

/// Where the first quote stands that no backslash escapes.
fn closing_quote(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(at),
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    None
}

/// Appends the name that `escaped` stands for.
pub(super) fn unescape(escaped: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    const BAD: Error = fault(0, "not an escape");
    let mut rest = escaped;
    while let Some((plain, behind)) = rest.split_once('\\') {
        out.extend_from_slice(plain.as_bytes());
        let mut characters = behind.chars();
        let character = match characters.next().ok_or(BAD)? {
            plain @ ('"' | '\\' | '/') => plain,
            'b' => '\u{8}',
            'f' => '\u{C}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (digits, behind) = characters.as_str().split_at_checked(4).ok_or(BAD)?;
                characters = behind.chars();
                let high = hex(digits).ok_or(BAD)?;
                match char::from_u32(high) {
                    Some(character) => character,
                    // Half of a pair: the other half follows.
                    None => {
                        let low = behind.strip_prefix("\\u").ok_or(BAD)?;
                        let (digits, behind) = low.split_at_checked(4).ok_or(BAD)?;
                        characters = behind.chars();
                        let low = hex(digits)
                            .filter(|low| low & 0xFC00 == 0xDC00)
                            .ok_or(BAD)?;
                        if high & 0xFC00 != 0xD800 {
                            return Err(BAD);
                        }
                        char::from_u32(0x1_0000 + ((high & 0x3FF) << 10 | low & 0x3FF))
                            .ok_or(BAD)?
                    }
                }
            }
            _ => return Err(BAD),
        };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = characters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(())
}

fn hex(digits: &str) -> Option<u32> {
    digits
        .chars()
        .try_fold(0, |number, digit| Some(number << 4 | digit.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legs(text: &str) -> Result<Vec<Leg<'_>>, Error> {
        Path::new(text).legs().collect()
    }

    #[test]
    fn as_the_server_writes_them() {
        assert_eq!(legs("$"), Ok(vec![]));
        assert_eq!(
            legs(r#"$.a[0]."b c"[last][last-12].ü."""#),
            Ok(vec![
                Leg::Member("a"),
                Leg::Cell(0),
                Leg::Member("b c"),
                Leg::CellFromEnd(0),
                Leg::CellFromEnd(12),
                Leg::Member("ü"),
                Leg::Member(""),
            ])
        );
        assert_eq!(
            legs(r#"$."a\"].[\\".b"#),
            Ok(vec![Leg::EscapedMember(r#"a\"].[\\"#), Leg::Member("b")])
        );
    }

    #[test]
    fn what_is_no_path_to_one_value() {
        for (text, offset) in [
            ("", 0),
            ("a", 0),
            ("$a", 1),
            ("$.", 1),
            ("$.a.", 3),
            ("$.*", 1),
            ("$**.a", 1),
            ("$[*]", 1),
            ("$[0 to 1]", 1),
            ("$[-1]", 1),
            ("$[+1]", 1),
            ("$[]", 1),
            ("$[last+1]", 1),
            ("$.a[4294967296]", 3),
            ("$.a[1", 3),
            ("$.\"a", 1),
            ("$.\"a\\\"", 1),
        ] {
            let error = legs(text).unwrap_err();
            assert_eq!((error.what, error.offset), (WHAT, offset), "{text}");
        }
    }

    #[test]
    fn escapes() {
        let of = |escaped| {
            let mut out = Vec::new();
            unescape(escaped, &mut out).map(|()| String::from_utf8(out).unwrap())
        };
        assert_eq!(
            of(r#"\"\\\/\b\f\n\r\t\u0001\u00e4\ud83d\ude00ü"#).unwrap(),
            "\"\\/\u{8}\u{C}\n\r\t\u{1}ä😀ü"
        );
        for bad in [
            r"\",
            r"\x",
            r"\u12",
            r"\u12g4",
            r"\ud83d",
            r"\ud83d\n",
            r"\ude00\ud83d",
            r"\u+123",
            r"\ud83d\u0041",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
