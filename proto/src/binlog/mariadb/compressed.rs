//! QUERY_COMPRESSED_EVENT (165) and the compressed rows events (166–168 of v1, 169–171 of v2):
//! `log_bin_compress=ON`.

use super::{Format, inflate};
use crate::binlog::header::EventType;
use crate::binlog::table_map::MAX_COLUMNS;
use crate::error::{Error, Fault, Kind, Parsed, read};
use crate::primitive::{bytes, int_be, int_lenenc, int1, int2, length, rest};

const WHAT: &str = "compressed event";

/// The most bytes that an event inflates to: the greatest `max_allowed_packet`, and room for headers.
const MAX_LEN: u64 = (1 << 30) + (1 << 20);

/// An event whose last part is compressed: a statement, or rows.
///
/// ```text
/// string<n>    the front of the plain event's body
/// int<1>       0x80 | algorithm << 4 | bytes of the length; the algorithm is 0, zlib
/// int<be n>    length of what is compressed
/// string<EOF>  compressed
/// ```
///
/// Source: MariaDB's `sql/log_event.cc`, "Compressed Record".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compressed<'a> {
    /// The type of the event that it inflates to.
    pub event_type: EventType,
    /// The front of that event's body.
    front: &'a [u8],
    len: usize,
    compressed: &'a [u8],
}

impl<'a> Compressed<'a> {
    /// The plain type of a compressed one; `None` for all others.
    #[must_use]
    pub const fn plain(event_type: EventType) -> Option<EventType> {
        Some(match event_type {
            EventType::QUERY_COMPRESSED_EVENT => EventType::QUERY_EVENT,
            EventType::WRITE_ROWS_COMPRESSED_EVENT_V1 => EventType::WRITE_ROWS_EVENT_V1,
            EventType::UPDATE_ROWS_COMPRESSED_EVENT_V1 => EventType::UPDATE_ROWS_EVENT_V1,
            EventType::DELETE_ROWS_COMPRESSED_EVENT_V1 => EventType::DELETE_ROWS_EVENT_V1,
            EventType::WRITE_ROWS_COMPRESSED_EVENT => EventType::WRITE_ROWS_EVENT,
            EventType::UPDATE_ROWS_COMPRESSED_EVENT => EventType::UPDATE_ROWS_EVENT,
            EventType::DELETE_ROWS_COMPRESSED_EVENT => EventType::DELETE_ROWS_EVENT,
            _ => return None,
        })
    }

    /// Reads the body of an event that inflates to one of type `event_type`.
    ///
    /// # Errors
    /// What does not fit the layout; [`Kind::Unsupported`] for another algorithm than zlib, and for
    /// lengths that no event has.
    pub fn parse(event_type: EventType, body: &'a [u8]) -> Result<Self, Error> {
        read(WHAT, body, |input| Self::fields(event_type, input))
    }

    fn fields(event_type: EventType, input: &'a [u8]) -> Parsed<'a, Self> {
        let (record, ()) = match event_type {
            EventType::QUERY_EVENT => query_front(input)?,
            event_type => rows_front(event_type, input)?,
        };
        let front_len = input.len().saturating_sub(record.len());
        let (_, front) = bytes(front_len)(input)?;
        let (after, head) = int1(record)?;
        let len_bytes = usize::from(head & 7);
        if head & 0x80 == 0 || !matches!(len_bytes, 1..=4) {
            return Err(Fault::invalid(record, "not the head of a compressed part"));
        }
        if head & 0x70 != 0 {
            return Err(Fault::at(
                record,
                Kind::Unsupported("this compression algorithm"),
            ));
        }
        let (after, len) = int_be(len_bytes)(after)?;
        if len > MAX_LEN {
            return Err(Fault::at(
                record,
                Kind::Unsupported("an event of more than 1 GiB"),
            ));
        }
        let len = length(record, len)?;
        let (after, compressed) = rest(after)?;
        Ok((
            after,
            Self {
                event_type,
                front,
                len,
                compressed,
            },
        ))
    }

    /// Puts the plain event's body into `body`, in place of what is there.
    ///
    /// Its length is the event's own claim: memory is taken as bytes come out, and when they are
    /// more or fewer, that is an error.
    ///
    /// # Errors
    /// Compressed data that is damaged or not as long as it says.
    pub fn inflate(&self, body: &mut Vec<u8>) -> Result<(), Error> {
        body.clear();
        body.extend_from_slice(self.front);
        inflate(WHAT, Format::Zlib, self.compressed, self.len, body)
    }
}

/// All of a QUERY_EVENT before its statement.
fn query_front(input: &[u8]) -> Parsed<'_, ()> {
    let (rest, _ids_and_time) = bytes(8)(input)?;
    let (rest, schema_len) = int1(rest)?;
    let (rest, _error) = int2(rest)?;
    let (rest, status_len) = int2(rest)?;
    let (rest, _) = bytes(usize::from(status_len))(rest)?;
    let (rest, _) = bytes(usize::from(schema_len))(rest)?;
    let (rest, _nul) = int1(rest)?;
    Ok((rest, ()))
}

/// All of a rows event before its rows.
fn rows_front(event_type: EventType, input: &[u8]) -> Parsed<'_, ()> {
    let (mut rest, _table_and_flags) = bytes(8)(input)?;
    let v2 = matches!(
        event_type,
        EventType::WRITE_ROWS_EVENT | EventType::UPDATE_ROWS_EVENT | EventType::DELETE_ROWS_EVENT
    );
    if v2 {
        let (behind, extra_len) = int2(rest)?;
        let Some(extra_len) = extra_len.checked_sub(2) else {
            return Err(Fault::invalid(
                rest,
                "the extra data's length leaves itself out",
            ));
        };
        rest = bytes(usize::from(extra_len))(behind)?.0;
    }
    let (behind, columns) = int_lenenc(rest)?;
    let columns = length(rest, columns)?;
    if columns > MAX_COLUMNS {
        return Err(Fault::invalid(rest, "more than 4096 columns"));
    }
    let update = matches!(
        event_type,
        EventType::UPDATE_ROWS_EVENT | EventType::UPDATE_ROWS_EVENT_V1
    );
    let bitmaps = if update { 2 } else { 1 };
    let (rest, _) = bytes(columns.div_ceil(8).saturating_mul(bitmaps))(behind)?;
    Ok((rest, ()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binlog::query::Query;
    use crate::binlog::rows::RowsEvent;

    /// Bodies that MariaDB 10.11.18 wrote.
    const QUERY: &str = "080000000100000001000023000000000001010000205400000000060373746404210021\
        00080081370000000000000064008153789c4bcc29492d5228494cca4955482e5648cecfcd4dcd2b51504f241ba8\
        0300078b1eb2";
    const UPDATE: &str = "17000000000001000203038138789cfbc3c8c0c0c058f1074c25ff61055195102af90f\
        3b88aa8250c97f38405401844a060055620b7a";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
        digits
            .chunks(2)
            .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap())
            .collect()
    }

    fn inflated(event_type: EventType, body: &[u8]) -> Result<Vec<u8>, Error> {
        let mut plain = b"left over".to_vec();
        Compressed::parse(event_type, body)?.inflate(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn a_statement() {
        let body = bytes(QUERY);
        let plain = inflated(EventType::QUERY_EVENT, &body).unwrap();
        let query = Query::parse(&plain).unwrap();
        assert_eq!((query.thread_id, query.schema), (8, &b"d"[..]));
        let statement = format!("alter table cs comment '{}'", "a".repeat(58));
        assert_eq!(query.statement, statement.as_bytes());
    }

    #[test]
    fn rows() {
        let body = bytes(UPDATE);
        let plain = inflated(EventType::UPDATE_ROWS_EVENT_V1, &body).unwrap();
        let rows = RowsEvent::parse(EventType::UPDATE_ROWS_EVENT_V1, &plain).unwrap();
        assert_eq!((rows.table_id, rows.flags), (0x17, 1));
        assert_eq!(plain.len(), 11 + 0x38);
    }

    #[test]
    fn every_truncation_is_an_error() {
        for (event_type, body) in [
            (EventType::QUERY_EVENT, bytes(QUERY)),
            (EventType::UPDATE_ROWS_EVENT_V1, bytes(UPDATE)),
        ] {
            for end in 0..body.len() {
                assert!(inflated(event_type, &body[..end]).is_err(), "{end}");
            }
        }
    }

    #[test]
    fn heads_that_are_none() {
        let mut body = bytes(UPDATE);
        assert_eq!(body[11], 0x81);
        for head in [0x01, 0x80, 0x85, 0x91] {
            body[11] = head;
            assert!(inflated(EventType::UPDATE_ROWS_EVENT_V1, &body).is_err());
        }
        let mut huge = bytes(UPDATE);
        huge.splice(11..13, [0x84, 0xFF, 0xFF, 0xFF, 0xFF]);
        let error = inflated(EventType::UPDATE_ROWS_EVENT_V1, &huge).unwrap_err();
        assert!(matches!(error.kind, Kind::Unsupported(_)), "{error}");
    }
}
