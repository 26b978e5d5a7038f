//! GTIDs and sets of them, with tags.
//!
//! A set is kept as MySQL keeps it: for each source of transactions (a server's UUID and a tag)
//! the sorted, disjoint intervals of transaction numbers, none of which touches the next.
//!
//! Source: MySQL reference manual, "GTID Format and Storage"; WL#15294 for tags.

mod encode;
mod ops;
mod parse;

use std::collections::BTreeMap;
use std::fmt;

/// The greatest transaction number: 2^63 − 2.
pub const MAX_GNO: u64 = i64::MAX.unsigned_abs() - 1;

/// The UUID of a server, as 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl fmt::Display for Uuid {
    /// The server's notation: lower case, with hyphens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'-'; 36];
        let mut to = text.iter_mut();
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                to.next();
            }
            for nibble in [byte >> 4, byte & 15] {
                let digit = b"0123456789abcdef".get(usize::from(nibble));
                if let (Some(to), Some(&digit)) = (to.next(), digit) {
                    *to = digit;
                }
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The tag of a GTID: empty, or up to 32 characters of `[a-z_][a-z0-9_]*`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tag([u8; Tag::MAX_LEN]);

impl Tag {
    /// The greatest length, in bytes.
    pub const MAX_LEN: usize = 32;

    /// The tag that `text` is, in lower case; `None` when it is none.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut tag = [0; Self::MAX_LEN];
        if text.len() > Self::MAX_LEN || text.first().is_some_and(u8::is_ascii_digit) {
            return None;
        }
        for (to, &from) in tag.iter_mut().zip(text) {
            if !(from.is_ascii_alphanumeric() || from == b'_') {
                return None;
            }
            *to = from.to_ascii_lowercase();
        }
        Some(Self(tag))
    }

    /// Is there no tag?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.0, [0, ..])
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = self.0.split(|&byte| byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The identifier of one transaction: `uuid:gno` or `uuid:tag:gno`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Gtid {
    uuid: Uuid,
    tag: Tag,
    gno: u64,
}

impl Gtid {
    /// The transaction `gno` of `uuid` and `tag`; `None` when `gno` is not in `1..=MAX_GNO`.
    #[must_use]
    pub const fn new(uuid: Uuid, tag: Tag, gno: u64) -> Option<Self> {
        match gno {
            1..=MAX_GNO => Some(Self { uuid, tag, gno }),
            _ => None,
        }
    }

    /// The server that the transaction comes from.
    #[must_use]
    pub const fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// Its tag.
    #[must_use]
    pub const fn tag(&self) -> Tag {
        self.tag
    }

    /// Its number, `1..=MAX_GNO`.
    #[must_use]
    pub const fn gno(&self) -> u64 {
        self.gno
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.uuid)?;
        if !self.tag.is_empty() {
            write!(f, "{}:", self.tag)?;
        }
        write!(f, "{}", self.gno)
    }
}

/// Transaction numbers without a gap, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Interval {
    /// The first, at least 1.
    pub first: u64,
    /// The last, at least `first` and at most [`MAX_GNO`].
    pub last: u64,
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// A set of GTIDs.
///
/// It prints in the server's normalised notation, which [`str::parse`] reads along with every
/// other notation that the server takes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct GtidSet {
    /// No list is empty.
    sources: BTreeMap<(Uuid, Tag), Vec<Interval>>,
}

impl GtidSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sources: BTreeMap::new(),
        }
    }

    /// Is nothing in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Adds `gtid`; tells whether it was not in the set before.
    ///
    /// Takes the same time whatever the length of the set when `gtid` is above all others of its
    /// source, as those that a server hands out are.
    pub fn add(&mut self, gtid: Gtid) -> bool {
        let intervals = self.sources.entry((gtid.uuid, gtid.tag)).or_default();
        insert(intervals, gtid.gno)
    }

    /// Is `gtid` in it?
    #[must_use]
    pub fn contains(&self, gtid: Gtid) -> bool {
        self.sources
            .get(&(gtid.uuid, gtid.tag))
            .is_some_and(|intervals| ops::find(intervals, gtid.gno).is_some())
    }

    /// Its intervals, sorted by UUID, tag and number.
    pub fn intervals(&self) -> impl Iterator<Item = (Uuid, Tag, Interval)> {
        self.sources
            .iter()
            .flat_map(|(&(uuid, tag), intervals)| intervals.iter().map(move |&i| (uuid, tag, i)))
    }
}

impl fmt::Display for GtidSet {
    /// As the server prints `@@gtid_executed`: intervals of one UUID stand together, those
    /// without a tag first; UUIDs are separated by a comma and a newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut previous = None;
        for (&(uuid, tag), intervals) in &self.sources {
            if previous != Some(uuid) {
                if previous.is_some() {
                    f.write_str(",\n")?;
                }
                fmt::Display::fmt(&uuid, f)?;
                previous = Some(uuid);
            }
            if !tag.is_empty() {
                write!(f, ":{tag}")?;
            }
            for interval in intervals {
                write!(f, ":{interval}")?;
            }
        }
        Ok(())
    }
}

/// Adds `gno` to a source's intervals; tells whether it was not among them.
fn insert(intervals: &mut Vec<Interval>, gno: u64) -> bool {
    let at = match intervals.last() {
        Some(last) if gno < last.first => intervals.partition_point(|i| i.first <= gno),
        _ => intervals.len(),
    };
    let joins_next = intervals.get(at).is_some_and(|i| i.first == gno + 1);
    let before = at.checked_sub(1).and_then(|i| intervals.get_mut(i));
    match before {
        Some(before) if gno <= before.last => return false,
        Some(before) if gno == before.last + 1 => {
            before.last = gno;
            if joins_next {
                let next = intervals.remove(at);
                if let Some(before) = intervals.get_mut(at - 1) {
                    before.last = next.last;
                }
            }
        }
        _ => {
            if joins_next && let Some(next) = intervals.get_mut(at) {
                next.first = gno;
            } else {
                intervals.insert(
                    at,
                    Interval {
                        first: gno,
                        last: gno,
                    },
                );
            }
        }
    }
    true
}

#[cfg(test)]
mod tests;
