//! GTID_TAGGED_LOG_EVENT (42): the start of a transaction whose GTID has a tag.
//!
//! ```text
//! unsigned  version of the serialization library's format, 1
//! unsigned  size of the whole body
//! unsigned  the last field that a reader has to know, plus 1; 0 for none
//! fields, in rising order, each:
//!   unsigned  number of the field
//!   its value
//! ```
//!
//! | field | value | |
//! |---|---|---|
//! | 0 | unsigned | flags |
//! | 1 | 16 times unsigned | UUID |
//! | 2 | signed | number of the transaction |
//! | 3 | string | tag |
//! | 4 | signed | last_committed |
//! | 5 | signed | sequence_number |
//! | 6 | unsigned | immediate commit timestamp |
//! | 7 | unsigned | original commit timestamp, when it is another |
//! | 8 | unsigned | transaction length |
//! | 9 | unsigned | immediate server version |
//! | 10 | unsigned | original server version, when it is another |
//! | 11 | unsigned | commit group ticket, when there is one |
//!
//! Source: MySQL source documentation, `PageLibsMysqlSerialization` and
//! `mysql::binlog::event::Gtid_event`; WL#15294.

use super::gtid::{CommitTimes, GtidEvent, LogicalClock, ServerVersions};
use crate::error::{Error, Fault, Kind, Parsed, read};
use crate::gtid_set::{Gtid, Tag, Uuid};
use crate::serialization::{signed, string, unsigned};

/// The greatest field number known here.
const LAST_FIELD: u64 = 11;

impl GtidEvent {
    /// Reads the body of a GTID_TAGGED_LOG_EVENT: what is between the common header and the
    /// checksum.
    ///
    /// Fields that a later server adds are skipped when it says that they can be.
    ///
    /// # Errors
    /// When it ends early or late, lacks a field, has one that it says must be known and is not,
    /// or a value is out of its range.
    pub fn parse_tagged(body: &[u8]) -> Result<Self, Error> {
        read("Gtid_tagged_event", body, event)
    }
}

/// The fields as they come.
#[derive(Default)]
struct Fields {
    flags: Option<u8>,
    uuid: Option<Uuid>,
    gno: Option<i64>,
    tag: Option<Tag>,
    last_committed: Option<i64>,
    sequence_number: Option<i64>,
    immediate_time: Option<u64>,
    original_time: Option<u64>,
    transaction_length: Option<u64>,
    immediate_version: Option<u32>,
    original_version: Option<u32>,
    commit_group_ticket: Option<u64>,
}

fn event(input: &[u8]) -> Parsed<'_, GtidEvent> {
    let (rest, version) = unsigned(input)?;
    if version != 1 {
        return Err(Fault::at(
            input,
            Kind::Unsupported("this version of the serialization format"),
        ));
    }
    let (after, size) = unsigned(rest)?;
    check_size(rest, size, input.len())?;
    let (mut rest, needed) = unsigned(after)?;
    if needed > LAST_FIELD + 1 {
        return Err(Fault::at(
            after,
            Kind::Unsupported("a field that must be known"),
        ));
    }

    let mut fields = Fields::default();
    let mut least = 0;
    while !rest.is_empty() {
        let (after, number) = unsigned(rest)?;
        if number > LAST_FIELD {
            // The type of an unknown field is not told, but it and all behind it can be skipped.
            rest = &[];
            break;
        }
        if number < least {
            return Err(Fault::invalid(rest, "fields are not in rising order"));
        }
        least = number + 1;
        rest = field(number, after, &mut fields)?.0;
    }
    let event = complete(&fields).ok_or_else(|| Fault::invalid(rest, "a field is missing"))?;
    Ok((rest, event))
}

/// Is the body as long as it says?
///
/// The writer counts one byte for the size itself whenever the fields take up to 127 bytes, also
/// when the sum is above 127 and the size takes two.
fn check_size(at: &[u8], size: u64, len: usize) -> Result<(), nom::Err<Fault>> {
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    let miscounted = (128..=130).contains(&size) && len == size + 1;
    if len == size || miscounted {
        Ok(())
    } else if len < size {
        Err(Fault::at(at, Kind::Truncated))
    } else {
        Err(Fault::at(at, Kind::TrailingBytes))
    }
}

fn field<'a>(number: u64, input: &'a [u8], fields: &mut Fields) -> Parsed<'a, ()> {
    let rest = match number {
        0 => keep(narrow(input)?, &mut fields.flags),
        1 => keep(uuid(input)?, &mut fields.uuid),
        2 => keep(signed(input)?, &mut fields.gno),
        3 => keep(tag(input)?, &mut fields.tag),
        4 => keep(signed(input)?, &mut fields.last_committed),
        5 => keep(signed(input)?, &mut fields.sequence_number),
        6 => keep(unsigned(input)?, &mut fields.immediate_time),
        7 => keep(unsigned(input)?, &mut fields.original_time),
        8 => keep(unsigned(input)?, &mut fields.transaction_length),
        9 => keep(narrow(input)?, &mut fields.immediate_version),
        10 => keep(narrow(input)?, &mut fields.original_version),
        _ => keep(unsigned(input)?, &mut fields.commit_group_ticket),
    };
    Ok((rest, ()))
}

fn keep<'a, T>((rest, value): (&'a [u8], T), to: &mut Option<T>) -> &'a [u8] {
    *to = Some(value);
    rest
}

/// An unsigned integer of a narrower type.
fn narrow<T: TryFrom<u64>>(input: &[u8]) -> Parsed<'_, T> {
    let (rest, n) = unsigned(input)?;
    let n = T::try_from(n).map_err(|_| Fault::invalid(input, "number is out of range"))?;
    Ok((rest, n))
}

fn uuid(input: &[u8]) -> Parsed<'_, Uuid> {
    let mut uuid = [0; 16];
    let mut rest = input;
    for byte in &mut uuid {
        (rest, *byte) = narrow(rest)?;
    }
    Ok((rest, Uuid(uuid)))
}

fn tag(input: &[u8]) -> Parsed<'_, Tag> {
    let (rest, text) = string(input)?;
    let tag = Tag::new(text).ok_or_else(|| Fault::invalid(input, "not a GTID tag"))?;
    Ok((rest, tag))
}

/// The event, unless a field that is always written is missing or the number is none.
fn complete(fields: &Fields) -> Option<GtidEvent> {
    let immediate_time = fields.immediate_time?;
    let immediate_version = fields.immediate_version?;
    let gno = u64::try_from(fields.gno?).ok()?;
    Some(GtidEvent {
        gtid: Some(Gtid::new(fields.uuid?, fields.tag?, gno)?),
        flags: fields.flags?,
        logical_clock: Some(LogicalClock {
            last_committed: fields.last_committed?,
            sequence_number: fields.sequence_number?,
        }),
        committed: Some(CommitTimes {
            immediate: immediate_time,
            original: fields.original_time.unwrap_or(immediate_time),
        }),
        transaction_length: Some(fields.transaction_length?),
        server_versions: Some(ServerVersions {
            immediate: immediate_version,
            original: fields.original_version.unwrap_or(immediate_version),
        }),
        commit_group_ticket: fields.commit_group_ticket,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MySQL 9.7: `uuid:blue:1`, one microsecond timestamp, one version.
    const REAL: &[u8] = b"\x02\x72\0\0\0\x02\x39\x03\x8d\x03\x64\x4e\x99\x03\x9c\x22\xc5\x03\
        \x99\x02\xbd\x02\x04\xf1\x03\0\0\0\x02\x04\x04\x06\x08blue\x08\0\x0a\x04\x0c\x7f\x2a\x51\
        \xb8\x51\xd9\x60\x06\x10\x69\x04\x12\x83\x12\x0b";

    /// `REAL` with `fields` behind its own, and all it says of itself right.
    fn with(fields: &[u8], needed: u8) -> Vec<u8> {
        let fields = [&REAL[3..], fields].concat();
        let size = fields.len() + if fields.len() < 125 { 3 } else { 4 };
        let mut body = vec![2];
        match u8::try_from(size * 2) {
            Ok(size) => body.push(size),
            Err(_) => body.extend(u16::try_from(size * 4 + 1).unwrap().to_le_bytes()),
        }
        body.push(needed * 2);
        body.extend(fields);
        body
    }

    #[test]
    fn fields_are_the_source_s() {
        let event = GtidEvent::parse_tagged(REAL).unwrap();
        let gtid = "cee33227-e64e-11f1-a6af-02fc00000001:blue:1";
        assert_eq!(event.gtid.unwrap().to_string(), gtid);
        assert!(!event.may_have_statements());
        assert_eq!(event.transaction_length, Some(282));
        assert_eq!(event.server_versions.unwrap().original, 90704);
        assert_eq!(event.commit_group_ticket, None);
        assert_eq!(with(&[], 0), REAL);
    }

    #[test]
    fn a_ticket_may_follow() {
        let event = GtidEvent::parse_tagged(&with(&[22, 14], 0)).unwrap();
        assert_eq!(event.commit_group_ticket, Some(7));
    }

    #[test]
    fn unknown_fields_are_skipped_unless_needed() {
        let known = GtidEvent::parse_tagged(REAL);
        assert_eq!(GtidEvent::parse_tagged(&with(&[24, 255, 255], 0)), known);
        assert_eq!(GtidEvent::parse_tagged(&with(&[24, 255, 255], 12)), known);
        let error = GtidEvent::parse_tagged(&with(&[24, 255, 255], 13)).unwrap_err();
        assert!(matches!(error.kind, Kind::Unsupported(_)));
    }

    #[test]
    fn sizes_about_the_writer_s_miscount() {
        for extra in 60..80 {
            let body = with(&vec![24; extra], 0);
            assert!(GtidEvent::parse_tagged(&body).is_ok(), "{extra}");
            let longer = [&body[..], &[0, 0]].concat();
            assert!(GtidEvent::parse_tagged(&longer).is_err(), "{extra}");
            assert!(GtidEvent::parse_tagged(&body[..body.len() - 2]).is_err());
        }
        // 125 bytes of fields, which the writer counts as 128 with what is before them.
        let mut miscounted = with(&vec![24; 125 - REAL[3..].len()], 0);
        assert_eq!(miscounted[1..3], (129u16 * 4 + 1).to_le_bytes());
        miscounted[1..3].copy_from_slice(&(128u16 * 4 + 1).to_le_bytes());
        assert!(GtidEvent::parse_tagged(&miscounted).is_ok());
    }

    #[test]
    fn bad_fields() {
        let changed = |at: usize, byte: u8| {
            let mut body = REAL.to_vec();
            body[at] = byte;
            GtidEvent::parse_tagged(&body)
        };
        assert!(changed(30, 4).is_ok());
        // Version 2 of the format; numbers 0 and −1; a tag that is none; fields out of order.
        assert!(changed(0, 4).is_err());
        assert!(changed(30, 0).is_err());
        assert!(changed(30, 6).is_err());
        assert!(changed(33, b'-').is_err());
        assert!(changed(29, 2).is_err());
        // A field left out.
        assert!(GtidEvent::parse_tagged(&[2, 6, 0]).is_err());
    }
}
