//! Diffs, applied to the document that they were made from.

use crate::binlog::jsonb::{Jsonb, Part, is_container, is_inlined, is_object, parts, take_part};
use crate::error::{Error, Kind};

use super::members::Members;
use super::path::{Leg, unescape};
use super::{JsonDiff, JsonDiffs, Operation};

/// The server's own limit, `JSON_DOCUMENT_MAX_DEPTH`.
const MAX_LEGS: usize = 100;

/// Applies diffs; holds what is used again from one document to the next.
///
/// Only the objects and arrays that a path goes through are taken apart. All others are copied as they are.
#[derive(Debug, Clone, Default)]
pub struct Patcher {
    /// Those taken apart. Whatever is in one that is taken apart, too, stands behind it.
    opened: Vec<Opened>,
    /// How many of them are in use.
    used: usize,
    /// Names of new members that were escaped in their paths.
    names: Vec<u8>,
}

/// An object or array that was taken apart.
#[derive(Debug, Clone, Default)]
struct Opened {
    object: bool,
    members: Members<Member>,
    /// What it takes when it is written.
    size: usize,
    /// In the large format.
    large: bool,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    /// Empty in an array.
    key: Slice,
    value: Value,
}

#[derive(Debug, Clone, Copy)]
enum Value {
    /// As it stands in its source.
    Raw(Source, Part),
    /// Taken apart: a number in [`Patcher::opened`].
    Opened(usize),
}

/// Where bytes stand.
#[derive(Debug, Clone, Copy)]
enum Source {
    Document,
    Diffs,
    Names,
}

#[derive(Debug, Clone, Copy)]
struct Slice {
    source: Source,
    start: usize,
    len: usize,
}

const NO_KEY: Slice = Slice {
    source: Source::Names,
    start: 0,
    len: 0,
};

/// What values and keys are slices of.
#[derive(Clone, Copy)]
struct Sources<'a> {
    document: &'a [u8],
    diffs: &'a [u8],
}

const NOT_THERE: &str = "its path leads to nothing in the document";
const TOO_LARGE: &str = "a key or a document too large for its format";

const fn invalid(why: &'static str) -> Error {
    Error::new(super::WHAT, Kind::Invalid(why))
}

impl<'a> Sources<'a> {
    const fn of(&self, source: Source, names: &'a [u8]) -> &'a [u8] {
        match source {
            Source::Document => self.document,
            Source::Diffs => self.diffs,
            Source::Names => names,
        }
    }

    fn slice(&self, slice: Slice, names: &'a [u8]) -> &'a [u8] {
        let end = slice.start.saturating_add(slice.len);
        // Carved from the same bytes, so it is always there.
        let all = self.of(slice.source, names);
        all.get(slice.start..end).unwrap_or_default()
    }
}

impl Patcher {
    /// Appends to `out` what `diffs` make of `document`, in binary JSON.
    ///
    /// # Errors
    /// Diffs, or objects and arrays on the way of their paths, that are malformed; a path that leads to nothing, or, of
    /// a member to insert, to one that is there already. `out` is then as it was.
    pub fn apply(
        &mut self,
        document: Jsonb<'_>,
        diffs: JsonDiffs<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let sources = Sources {
            // A document of no bytes is `null`.
            document: match document.as_bytes() {
                [] => &[4, 0],
                document => document,
            },
            diffs: diffs.as_bytes(),
        };
        if sources.diffs.is_empty() {
            out.extend_from_slice(sources.document);
            return Ok(());
        }
        self.used = 0;
        self.names.clear();
        let root = take_part(sources.document, 0, sources.document.len())?;
        let root = self.open(sources, Source::Document, root)?;
        let mut rest = diffs;
        while let Some(first) = rest.split_first(&diffs) {
            let (diff, behind) = first?;
            let end = sources.diffs.len().saturating_sub(behind.bytes.len());
            // The value is the last of it.
            let value = match diff.value {
                Some(value) => {
                    let start = end.saturating_sub(value.as_bytes().len());
                    Some(take_part(sources.diffs, start, end)?)
                }
                None => None,
            };
            self.apply_one(sources, root, &diff, value)?;
            rest = behind;
        }
        self.measure()?;
        let start = out.len();
        let opened = self.opened.get(root).ok_or(invalid(NOT_THERE))?;
        out.reserve(opened.size.saturating_add(1));
        out.push(opened.kind());
        self.write(sources, opened, out)
            .inspect_err(|_| out.truncate(start))
    }

    fn apply_one(
        &mut self,
        sources: Sources<'_>,
        root: usize,
        diff: &JsonDiff<'_>,
        value: Option<Part>,
    ) -> Result<(), Error> {
        let mut legs = diff.path.legs();
        let mut leg = legs
            .next()
            .ok_or(invalid("its path is that of the whole document"))??;
        let names = self.names.len();
        let mut parent = root;
        for (depth, next) in legs.enumerate() {
            let next = next?;
            if depth.saturating_add(2) > MAX_LEGS {
                return Err(invalid("its path is more than 100 levels deep"));
            }
            let index = self.find(sources, parent, leg)?.index;
            self.names.truncate(names);
            parent = self.open_member(sources, parent, index.ok_or(invalid(NOT_THERE))?)?;
            leg = next;
        }
        let Found { index, place, key } = self.find(sources, parent, leg)?;
        let opened = self.opened.get_mut(parent).ok_or(invalid(NOT_THERE))?;
        let value = value.map(|part| Value::Raw(Source::Diffs, part));
        match (diff.operation, index, value) {
            (Operation::Replace, Some(index), Some(value)) => {
                if let Some(member) = opened.members.get_mut(index) {
                    member.value = value;
                }
            }
            (Operation::Insert, Some(_), _) if opened.object => {
                return Err(invalid("it inserts a member that is there already"));
            }
            (Operation::Insert, _, Some(value)) => {
                opened.members.insert(place, Member { key, value });
                // Its name has to stay.
                return Ok(());
            }
            (Operation::Remove, Some(index), _) if index < opened.members.len() => {
                opened.members.remove(index);
            }
            _ => return Err(invalid(NOT_THERE)),
        }
        self.names.truncate(names);
        Ok(())
    }

    /// Where `leg` leads in an object or array that was taken apart. The name of a member is left at the end of
    /// `names`.
    fn find(&mut self, sources: Sources<'_>, parent: usize, leg: Leg<'_>) -> Result<Found, Error> {
        let opened = self.opened.get(parent).ok_or(invalid(NOT_THERE))?;
        let start = self.names.len();
        match leg {
            Leg::Member(name) => self.names.extend_from_slice(name.as_bytes()),
            Leg::EscapedMember(name) => unescape(name, &mut self.names)?,
            Leg::Cell(_) | Leg::CellFromEnd(_) => {}
        }
        let len = opened.members.len();
        let (index, place) = match leg {
            _ if opened.object != matches!(leg, Leg::Member(_) | Leg::EscapedMember(_)) => {
                return Err(invalid(NOT_THERE));
            }
            Leg::Cell(index) => (usize::try_from(index).ok(), len),
            Leg::CellFromEnd(back) => {
                let back = usize::try_from(back).unwrap_or(usize::MAX);
                (len.checked_sub(back.saturating_add(1)), 0)
            }
            Leg::Member(_) | Leg::EscapedMember(_) => {
                let name = self.names.get(start..).unwrap_or_default();
                if name.len() > usize::from(u16::MAX) {
                    return Err(invalid(TOO_LARGE));
                }
                let found = opened.members.search(|member| {
                    let key = sources.slice(member.key, &self.names);
                    (key.len(), key).cmp(&(name.len(), name))
                });
                match found {
                    Ok(index) => (Some(index), index),
                    Err(place) => (None, place),
                }
            }
        };
        let index = index.filter(|index| *index < len);
        let key = Slice {
            source: Source::Names,
            start,
            len: self.names.len().saturating_sub(start),
        };
        Ok(Found {
            index,
            place: index.unwrap_or(place),
            key,
        })
    }

    /// Takes the value of a member apart, unless it is already.
    fn open_member(
        &mut self,
        sources: Sources<'_>,
        parent: usize,
        index: usize,
    ) -> Result<usize, Error> {
        let value = self.member(parent, index).map(|member| member.value);
        let opened = match value.ok_or(invalid(NOT_THERE))? {
            Value::Opened(number) => return Ok(number),
            Value::Raw(source, part) => self.open(sources, source, part)?,
        };
        if let Some(member) = self.member(parent, index) {
            member.value = Value::Opened(opened);
        }
        Ok(opened)
    }

    fn member(&mut self, parent: usize, index: usize) -> Option<&mut Member> {
        self.opened.get_mut(parent)?.members.get_mut(index)
    }

    /// Takes an object or array apart; returns its number in `opened`.
    fn open(&mut self, sources: Sources<'_>, source: Source, part: Part) -> Result<usize, Error> {
        if !is_container(part.kind) {
            return Err(invalid(NOT_THERE));
        }
        let number = self.used;
        if number == self.opened.len() {
            self.opened.push(Opened::default());
        }
        let opened = self.opened.get_mut(number).ok_or(invalid(NOT_THERE))?;
        opened.object = is_object(part.kind);
        opened.members.clear();
        let document = sources.of(source, &[]);
        parts(document, part, |key, part| {
            let key = key.map_or(NO_KEY, |(start, key)| Slice {
                source,
                start,
                len: key.len(),
            });
            let value = Value::Raw(source, part);
            opened.members.push(Member { key, value });
        })?;
        self.used = number.saturating_add(1);
        Ok(number)
    }

    /// Works out what each object and array takes: those inside of others stand behind them.
    fn measure(&mut self) -> Result<(), Error> {
        for number in (0..self.used).rev() {
            let Some((opened, inner)) = self
                .opened
                .get(number..self.used)
                .and_then(<[Opened]>::split_first)
            else {
                break;
            };
            let mut size = opened.size_in(false, number, inner);
            let large = size > usize::from(u16::MAX);
            if large {
                size = opened.size_in(true, number, inner);
            }
            if u32::try_from(size).is_err() {
                return Err(invalid(TOO_LARGE));
            }
            if let Some(opened) = self.opened.get_mut(number) {
                (opened.size, opened.large) = (size, large);
            }
        }
        Ok(())
    }

    /// Appends an object or array in binary JSON, without its type.
    fn write(&self, sources: Sources<'_>, opened: &Opened, out: &mut Vec<u8>) -> Result<(), Error> {
        let Opened { large, members, .. } = opened;
        let mut offset = opened.header(*large);
        push_number(out, *large, members.len())?;
        push_number(out, *large, opened.size)?;
        if opened.object {
            for Member { key, .. } in members.iter() {
                push_number(out, *large, offset)?;
                let len = u16::try_from(key.len).map_err(|_| invalid(TOO_LARGE))?;
                out.extend_from_slice(&len.to_le_bytes());
                offset = offset.saturating_add(key.len);
            }
        }
        for Member { value, .. } in members.iter() {
            let (kind, len) = match value {
                Value::Raw(source, part) => {
                    if is_inlined(part.kind, *large) {
                        out.push(part.kind);
                        let start = out.len();
                        self.push_part(sources, *source, *part, out);
                        out.resize(start.saturating_add(width(*large)), 0);
                        continue;
                    }
                    (part.kind, part.len)
                }
                Value::Opened(number) => {
                    let inner = self.opened.get(*number).ok_or(invalid(NOT_THERE))?;
                    (inner.kind(), inner.size)
                }
            };
            out.push(kind);
            push_number(out, *large, offset)?;
            offset = offset.saturating_add(len);
        }
        for Member { key, .. } in members.iter() {
            out.extend_from_slice(sources.slice(*key, &self.names));
        }
        for Member { value, .. } in members.iter() {
            match value {
                Value::Raw(_, part) if is_inlined(part.kind, *large) => {}
                Value::Raw(source, part) => self.push_part(sources, *source, *part, out),
                Value::Opened(number) => {
                    let inner = self.opened.get(*number).ok_or(invalid(NOT_THERE))?;
                    self.write(sources, inner, out)?;
                }
            }
        }
        Ok(())
    }

    fn push_part(&self, sources: Sources<'_>, source: Source, part: Part, out: &mut Vec<u8>) {
        let slice = Slice {
            source,
            start: part.start,
            len: part.len,
        };
        out.extend_from_slice(sources.slice(slice, &self.names));
    }
}

/// What a leg leads to.
struct Found {
    /// The member that is there.
    index: Option<usize>,
    /// Where one that is inserted goes.
    place: usize,
    key: Slice,
}

impl Opened {
    /// Its type.
    const fn kind(&self) -> u8 {
        match (self.object, self.large) {
            (true, false) => 0x00,
            (true, true) => 0x01,
            (false, false) => 0x02,
            (false, true) => 0x03,
        }
    }

    /// Bytes up to the end of the value entries.
    const fn header(&self, large: bool) -> usize {
        let key_entry = if self.object { width(large) + 2 } else { 0 };
        let entries = self
            .members
            .len()
            .saturating_mul(key_entry + 1 + width(large));
        entries.saturating_add(2 * width(large))
    }

    /// What it takes in a format. `inner` are those taken apart from `number + 1` on.
    fn size_in(&self, large: bool, number: usize, inner: &[Self]) -> usize {
        let members = self.members.iter().map(|member| {
            let value = match member.value {
                Value::Raw(_, part) if is_inlined(part.kind, large) => 0,
                Value::Raw(_, part) => part.len,
                Value::Opened(other) => other
                    .checked_sub(number.saturating_add(1))
                    .and_then(|place| inner.get(place))
                    .map_or(0, |inner| inner.size),
            };
            member.key.len.saturating_add(value)
        });
        members.fold(self.header(large), usize::saturating_add)
    }
}

/// Bytes of a count, a size or an offset.
const fn width(large: bool) -> usize {
    if large { 4 } else { 2 }
}

fn push_number(out: &mut Vec<u8>, large: bool, number: usize) -> Result<(), Error> {
    let number = u32::try_from(number).map_err(|_| invalid(TOO_LARGE))?;
    let bytes = number.to_le_bytes();
    let (low, _) = bytes
        .split_at_checked(width(large))
        .unwrap_or((&bytes, &[]));
    out.extend_from_slice(low);
    Ok(())
}
