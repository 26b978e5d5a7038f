//! The text notation.
//!
//! ```text
//! set:      [part] *( "," [part] )
//! part:     uuid *( ":" ( tag | interval ) )
//! uuid:     32 hex digits, or with hyphens 8-4-4-4-12, or those in braces
//! tag:      1 to 32 characters of [A-Za-z0-9_], not a digit first
//! interval: number [ "-" number ]
//! number:   decimal digits, below 2^63 - 1
//! ```
//!
//! There may be white space before and behind each token. A tag holds for the intervals that
//! follow it in its part. An interval whose end is below its start is empty. This is what
//! MySQL 9.7 takes, to the letter.
//!
//! Source: MySQL reference manual, "GTID Sets".

use std::str::FromStr;

use super::ops::normalise;
use super::{Gtid, GtidSet, Interval, MAX_GNO, Tag, Uuid};
use crate::error::{Error, Fault, Parsed, read};

impl FromStr for GtidSet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        read("GTID set", text.as_bytes(), set)
    }
}

impl FromStr for Gtid {
    type Err = Error;

    /// Reads `uuid:gno` or `uuid:tag:gno`, with white space as in a set.
    fn from_str(text: &str) -> Result<Self, Error> {
        read("GTID", text.as_bytes(), gtid)
    }
}

impl FromStr for Uuid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        read("UUID", text.as_bytes(), uuid)
    }
}

fn set(input: &[u8]) -> Parsed<'_, GtidSet> {
    let mut set = GtidSet::new();
    let mut rest = space(input);
    loop {
        if !matches!(rest.first(), None | Some(b',')) {
            rest = part(rest, &mut set)?.0;
        }
        match rest.split_first() {
            Some((b',', after)) => rest = space(after),
            Some(_) => return Err(Fault::invalid(rest, "expected ',' or ':'")),
            None => break,
        }
    }
    // Sorting once is what keeps intervals in any order from taking quadratic time.
    set.sources.retain(|_, intervals| {
        normalise(intervals);
        !intervals.is_empty()
    });
    Ok((rest, set))
}

/// Adds the intervals of one UUID, as they stand, to `set`.
fn part<'a>(input: &'a [u8], set: &mut GtidSet) -> Parsed<'a, ()> {
    let (rest, uuid) = uuid(input)?;
    let mut rest = space(rest);
    let mut intervals = set.sources.entry((uuid, Tag::default())).or_default();
    while let Some((b':', after)) = rest.split_first() {
        let after = space(after);
        rest = if is_tag(after) {
            let (after, tag) = tag(after)?;
            intervals = set.sources.entry((uuid, tag)).or_default();
            space(after)
        } else {
            let (after, first) = gno(after)?;
            let mut last = first;
            let mut after = space(after);
            if let Some((b'-', end)) = after.split_first() {
                (after, last) = number(space(end))?;
                after = space(after);
            }
            if first <= last {
                intervals.push(Interval { first, last });
            }
            after
        };
    }
    Ok((rest, ()))
}

fn gtid(input: &[u8]) -> Parsed<'_, Gtid> {
    let (rest, uuid) = uuid(space(input))?;
    let mut rest = colon(space(rest))?;
    let mut tag = Tag::default();
    if is_tag(rest) {
        let (after, read) = self::tag(rest)?;
        tag = read;
        rest = colon(space(after))?;
    }
    let (rest, gno) = gno(rest)?;
    Ok((space(rest), Gtid { uuid, tag, gno }))
}

fn colon(input: &[u8]) -> Result<&[u8], nom::Err<Fault>> {
    match input.split_first() {
        Some((b':', rest)) => Ok(space(rest)),
        _ => Err(Fault::invalid(input, "expected ':'")),
    }
}

/// What follows the white space at the start of `input`.
fn space(input: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let end = input.iter().position(|byte| !is_space(byte));
    end.and_then(|end| input.get(end..)).unwrap_or_default()
}

fn uuid(input: &[u8]) -> Parsed<'_, Uuid> {
    let invalid = || Fault::invalid(input, "expected a UUID");
    let (mut rest, braces) = match input.split_first() {
        Some((b'{', rest)) => (rest, true),
        _ => (input, false),
    };
    let hyphens = braces || rest.get(8) == Some(&b'-');
    let mut uuid = [0; 16];
    for (i, byte) in uuid.iter_mut().enumerate() {
        if hyphens && matches!(i, 4 | 6 | 8 | 10) {
            rest = rest.strip_prefix(b"-").ok_or_else(invalid)?;
        }
        let [high, low, after @ ..] = rest else {
            return Err(invalid());
        };
        *byte = (hex(*high).ok_or_else(invalid)? << 4) | hex(*low).ok_or_else(invalid)?;
        rest = after;
    }
    if braces {
        rest = rest.strip_prefix(b"}").ok_or_else(invalid)?;
    }
    Ok((rest, Uuid(uuid)))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

fn is_tag(input: &[u8]) -> bool {
    input
        .first()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
}

fn tag(input: &[u8]) -> Parsed<'_, Tag> {
    let is_tag = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let len = input.iter().take_while(|byte| is_tag(byte)).count();
    let (text, rest) = input.split_at_checked(len).unwrap_or((input, &[]));
    let tag = Tag::new(text).ok_or_else(|| Fault::invalid(input, "tag is too long"))?;
    Ok((rest, tag))
}

/// The number of a transaction.
fn gno(input: &[u8]) -> Parsed<'_, u64> {
    match number(input)? {
        (_, 0) => Err(Fault::invalid(input, "transaction numbers start at 1")),
        read => Ok(read),
    }
}

/// A decimal number up to [`MAX_GNO`].
fn number(input: &[u8]) -> Parsed<'_, u64> {
    let mut value: u64 = 0;
    let mut rest = input;
    while let Some((digit @ b'0'..=b'9', after)) = rest.split_first() {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u64::from(digit - b'0')))
            .filter(|value| *value <= MAX_GNO)
            .ok_or_else(|| Fault::invalid(input, "number is out of range"))?;
        rest = after;
    }
    if rest.len() == input.len() {
        return Err(Fault::invalid(input, "expected a number"));
    }
    Ok((rest, value))
}
