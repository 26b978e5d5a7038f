//! The binary form: in COM_BINLOG_DUMP_GTID and PREVIOUS_GTIDS_LOG_EVENT.
//!
//! ```text
//! int<8>        number of sources, or, when any source has a tag:
//!                 byte 0 is 1, bytes 1 to 6 are the number, byte 7 is 1
//! for each source:
//!   string<16>  UUID
//!   string      tag, only when any source has one (see `serialization`)
//!   int<8>      number of intervals
//!   for each interval, in rising order:
//!     int<8>    first
//!     int<8>    last, plus 1
//! ```
//!
//! Source: MySQL source documentation, `page_protocol_com_binlog_dump_gtid`; `Gtid_set::encode`
//! in `rpl_gtid_set.cc` for the tagged form (MySQL 8.3 and later).

use super::ops::normalise;
use super::{GtidSet, Interval, MAX_GNO, Tag, Uuid};
use crate::error::{Error, Fault, Kind, Parsed, read};
use crate::primitive::{array, bytes, int8, length};
use crate::serialization;

/// Bytes of an interval.
const INTERVAL: usize = 16;

impl GtidSet {
    /// Appends the binary form, which is the tagged one only when there is a tag.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let tagged = self.sources.keys().any(|(_, tag)| !tag.is_empty());
        let mut count = u64_of(self.sources.len());
        if tagged {
            count = 1 << 56 | count << 8 | 1;
        }
        out.extend_from_slice(&count.to_le_bytes());
        for ((uuid, tag), intervals) in &self.sources {
            out.extend_from_slice(&uuid.0);
            if tagged {
                serialization::put_short_string(tag.as_str(), out);
            }
            out.extend_from_slice(&u64_of(intervals.len()).to_le_bytes());
            for interval in intervals {
                out.extend_from_slice(&interval.first.to_le_bytes());
                out.extend_from_slice(&(interval.last + 1).to_le_bytes());
            }
        }
    }

    /// Reads the binary form, which `input` is all of.
    ///
    /// # Errors
    /// When `input` ends early or late, or names a form, tag or interval that there is not.
    pub fn decode(input: &[u8]) -> Result<Self, Error> {
        read("Gtid_set", input, set)
    }
}

fn u64_of(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn set(input: &[u8]) -> Parsed<'_, GtidSet> {
    let (mut rest, head) = int8(input)?;
    let (tagged, count) = match head.to_le_bytes() {
        [.., 0] => (false, head),
        [1, a, b, c, d, e, f, 1] => (true, u64::from_le_bytes([a, b, c, d, e, f, 0, 0])),
        _ => return Err(Fault::at(input, Kind::Unsupported("this GTID set format"))),
    };
    let mut set = GtidSet::new();
    let mut repeated = false;
    // Each turn takes 24 bytes or more, so the input's end bounds the loop, not the count.
    for _ in 0..count {
        let (after, uuid) = array(rest)?;
        let (after, tag) = if tagged {
            tag(after)?
        } else {
            (after, Tag::default())
        };
        let (after, intervals) = intervals(after)?;
        if !intervals.is_empty() {
            let all = set.sources.entry((Uuid(uuid), tag)).or_default();
            if all.is_empty() {
                *all = intervals;
            } else {
                all.extend(intervals);
                repeated = true;
            }
        }
        rest = after;
    }
    // Once behind all of them: a source that is repeated must not take quadratic time.
    if repeated {
        set.sources.values_mut().for_each(normalise);
    }
    Ok((rest, set))
}

fn tag(input: &[u8]) -> Parsed<'_, Tag> {
    let (rest, text) = serialization::string(input)?;
    let tag = Tag::new(text).ok_or_else(|| Fault::invalid(input, "not a GTID tag"))?;
    Ok((rest, tag))
}

fn intervals(input: &[u8]) -> Parsed<'_, Vec<Interval>> {
    let (rest, count) = int8(input)?;
    let size = count.saturating_mul(u64_of(INTERVAL));
    let (rest, mut raw) = bytes(length(rest, size)?)(rest)?;
    let mut intervals: Vec<Interval> = Vec::with_capacity(raw.len() / INTERVAL);
    let mut least = 1;
    while !raw.is_empty() {
        let (after, first) = int8(raw)?;
        let (after, end) = int8(after)?;
        // The server, too, refuses intervals that touch.
        if first < least || end <= first || end > MAX_GNO + 1 {
            return Err(Fault::invalid(input, "intervals are not in rising order"));
        }
        intervals.push(Interval {
            first,
            last: end - 1,
        });
        least = end + 1;
        raw = after;
    }
    Ok((rest, intervals))
}
