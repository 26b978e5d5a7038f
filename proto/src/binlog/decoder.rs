//! Whole events to typed ones: checksums, positions, and what FORMAT_DESCRIPTION changes.

use crate::error::{Error, Kind};

use super::checksum::Checksum;
use super::format_description::{Flavor, FormatDescription};
use super::gtid::GtidEvent;
use super::header::{EventHeader, EventType, HEADER_LEN};
use super::heartbeat::Heartbeat;
use super::mariadb::compressed::Compressed;
use super::mariadb::{BinlogCheckpoint, MariadbGtidEvent, MariadbGtidList, annotate_rows};
use super::previous_gtids::PreviousGtids;
use super::query::Query;
use super::rotate::Rotate;
use super::rows::RowsEvent;
use super::rows_query::RowsQuery;
use super::table_map::TableMap;
use super::transaction_payload::TransactionPayload;
use super::xa_prepare::XaPrepare;
use super::xid::XidEvent;

/// An event, its parts borrowed from its bytes.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// The common header.
    pub header: EventHeader,
    /// Where it starts in its file, 64 bits wide.
    pub start: u64,
    /// Where it ends in its file. Equal to `start` for events that stand in no file.
    pub end: u64,
    /// What is behind the header, without the checksum.
    pub body: &'a [u8],
    /// The body, read.
    pub data: EventData<'a>,
}

/// What an event says.
#[derive(Debug, Clone)]
pub enum EventData<'a> {
    /// How to read the events behind it.
    FormatDescription(FormatDescription<'a>),
    /// The file that comes next, or, when artificial, the file that the dump is in.
    Rotate(Rotate<'a>),
    /// A transaction begins: with a GTID, with a tagged one, or anonymous.
    Gtid(GtidEvent),
    /// The GTIDs in the files before this one.
    PreviousGtids(PreviousGtids),
    /// A statement, `BEGIN` and the like included.
    Query(Query<'a>),
    /// A transaction is committed.
    Xid(XidEvent),
    /// An XA transaction is prepared.
    XaPrepare(XaPrepare<'a>),
    /// The table that row events belong to.
    TableMap(TableMapEvent<'a>),
    /// Changed rows.
    Rows(RowsEvent<'a>),
    /// The statement whose row events follow: ROWS_QUERY_LOG_EVENT, and MariaDB's
    /// ANNOTATE_ROWS_EVENT.
    RowsQuery(RowsQuery<'a>),
    /// A transaction of MariaDB begins.
    MariadbGtid(MariadbGtidEvent<'a>),
    /// The GTIDs in the files before this one, on MariaDB.
    MariadbGtidList(MariadbGtidList<'a>),
    /// The oldest file that MariaDB's recovery needs.
    BinlogCheckpoint(BinlogCheckpoint<'a>),
    /// MariaDB compressed it: [`Event::with_body`] makes it a plain event.
    Compressed(Compressed<'a>),
    /// The events of a transaction, compressed together: an [`Unpacker`](super::transaction_payload::Unpacker)
    /// gives them, and [`Decoder::decode_packed`] reads them.
    TransactionPayload(TransactionPayload<'a>),
    /// The source is alive.
    Heartbeat(Heartbeat<'a>),
    /// The server stopped.
    Stop,
    /// Any other event: [`Event::body`] has its bytes, [`Event::header`] its type.
    Other,
}

/// A TABLE_MAP_EVENT that is not compiled yet: enough to leave its table out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableMapEvent<'a> {
    /// The server's number for the table's definition.
    pub table_id: u64,
    /// Schema name.
    pub schema: &'a str,
    /// Table name.
    pub table: &'a str,
    /// The event's body.
    pub body: &'a [u8],
    /// Whose server wrote it.
    pub flavor: Flavor,
}

impl TableMapEvent<'_> {
    /// Compiles the table.
    ///
    /// # Errors
    /// Those of [`TableMap::parse`].
    pub fn compile(&self) -> Result<TableMap, Error> {
        match self.flavor {
            Flavor::MySql => TableMap::parse(self.body),
            Flavor::MariaDb => TableMap::parse_mariadb(self.body),
        }
    }
}

impl<'a> Event<'a> {
    /// The event itself, unless MariaDB compressed it: then the plain event, its body put into `scratch`.
    ///
    /// # Errors
    /// Those of [`Compressed::inflate`] and [`with_body`](Self::with_body).
    pub fn inflate<'s>(self, scratch: &'s mut Vec<u8>) -> Result<Event<'s>, Error>
    where
        'a: 's,
    {
        match &self.data {
            EventData::Compressed(compressed) => {
                compressed.inflate(scratch)?;
                self.with_body(compressed.event_type, scratch)
            }
            _ => Ok(self),
        }
    }

    /// The plain event that a compressed one stands for: `body` is what
    /// [`Compressed::inflate`] gave.
    ///
    /// # Errors
    /// A body that does not fit the plain event's type.
    pub fn with_body<'b>(&self, plain: EventType, body: &'b [u8]) -> Result<Event<'b>, Error> {
        let data = match plain {
            EventType::QUERY_EVENT => EventData::Query(Query::parse(body)?),
            rows => EventData::Rows(RowsEvent::parse(rows, body)?),
        };
        let header = EventHeader {
            event_type: plain,
            ..self.header
        };
        Ok(Event {
            header,
            start: self.start,
            end: self.end,
            body,
            data,
        })
    }
}

/// Turns events into [`Event`]s, one after another.
///
/// It keeps what the format itself needs: the checksum algorithm, the server's flavor and the position.
#[derive(Debug, Clone)]
pub struct Decoder {
    checksum: Checksum,
    header_len: usize,
    position: u64,
    live: bool,
    /// Has FORMAT_DESCRIPTION_EVENT been read, or is what it says known without it?
    described: bool,
    flavor: Flavor,
}

impl Decoder {
    /// For the events of a binlog file, from the one behind its magic number on.
    ///
    /// Positions are counted from the events' sizes, so that files moved or cut keep true ones.
    #[must_use]
    pub const fn for_file() -> Self {
        Self {
            checksum: Checksum::None,
            header_len: HEADER_LEN,
            position: 4,
            live: false,
            described: false,
            flavor: Flavor::MySql,
        }
    }

    /// For a dump from a server that was told to send events with `checksum`.
    ///
    /// Positions are those that the events carry, widened to 64 bits.
    #[must_use]
    pub const fn for_dump(checksum: Checksum) -> Self {
        Self {
            checksum,
            header_len: HEADER_LEN,
            position: 4,
            live: true,
            described: true,
            flavor: Flavor::MySql,
        }
    }

    /// Where the next event is expected to start.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// In a file, the next event starts here: those in between are left out.
    pub const fn continue_at(&mut self, position: u64) {
        self.position = position;
    }

    /// Reads `event`: the whole of it, from its header to its checksum.
    ///
    /// # Errors
    /// A size that is not the header's `event_size`, a wrong checksum, a body that does not fit its type; in a file,
    /// an event in front of FORMAT_DESCRIPTION_EVENT, which tells whether there are checksums.
    /// Table maps and rows are read as far as their headers; types not known are [`EventData::Other`].
    pub fn decode<'a>(&mut self, event: &'a [u8]) -> Result<Event<'a>, Error> {
        let header = EventHeader::parse(event)?;
        if usize::try_from(header.event_size) != Ok(event.len()) {
            let kind = Kind::Invalid("event_size is not the event's size");
            return Err(Error {
                what: "event header",
                kind,
                offset: 9,
            });
        }
        let body = if header.event_type == EventType::FORMAT_DESCRIPTION_EVENT {
            event.get(HEADER_LEN..).unwrap_or_default()
        } else if !self.described {
            return Err(Error {
                what: "event header",
                kind: Kind::Invalid("a binlog file begins with FORMAT_DESCRIPTION_EVENT"),
                offset: 4,
            });
        } else {
            let covered = self.checksum.verify(event)?;
            let header_len = match header.event_type {
                EventType::ROTATE_EVENT => HEADER_LEN,
                _ => self.header_len,
            };
            covered
                .get(header_len..)
                .ok_or(Error::new("event header", Kind::Truncated))?
        };
        let data = self.data(&header, body, event)?;
        let (start, end) = self.place(&header, &data);
        Ok(Event {
            header,
            start,
            end,
            body,
            data,
        })
    }

    /// Reads an event that was in a TRANSACTION_PAYLOAD_EVENT, which is `payload`: its place is the payload's.
    ///
    /// # Errors
    /// A body that does not fit its type; an event of a type that stands outside of transactions, or is a
    /// payload itself.
    pub fn decode_packed<'a>(
        &self,
        event: &'a [u8],
        payload: &Event<'_>,
    ) -> Result<Event<'a>, Error> {
        let header = EventHeader::parse(event)?;
        let body = event
            .get(self.header_len..)
            .ok_or(Error::new("event header", Kind::Truncated))?;
        if !may_be_packed(header.event_type) {
            return Err(Error {
                what: "event header",
                kind: Kind::Invalid("an event of this type cannot be in a payload"),
                offset: 4,
            });
        }
        let data = self.read(&header, body)?;
        Ok(Event {
            header,
            start: payload.start,
            end: payload.end,
            body,
            data,
        })
    }

    fn data<'a>(
        &mut self,
        header: &EventHeader,
        body: &'a [u8],
        event: &[u8],
    ) -> Result<EventData<'a>, Error> {
        if header.event_type != EventType::FORMAT_DESCRIPTION_EVENT {
            return self.read(header, body);
        }
        let format = FormatDescription::parse(body)?;
        if format.checksum == Some(Checksum::Crc32) {
            verify_format_description(event)?;
        }
        self.described = true;
        self.checksum = format.checksum.unwrap_or_default();
        self.header_len = usize::from(format.common_header_length);
        self.flavor = format.flavor();
        Ok(EventData::FormatDescription(format))
    }

    /// Reads the body of an event that changes nothing about how others are read.
    fn read<'a>(&self, header: &EventHeader, body: &'a [u8]) -> Result<EventData<'a>, Error> {
        Ok(match header.event_type {
            EventType::ROTATE_EVENT => EventData::Rotate(Rotate::parse(body)?),
            EventType::GTID_LOG_EVENT => EventData::Gtid(GtidEvent::parse(body)?),
            EventType::ANONYMOUS_GTID_LOG_EVENT => {
                EventData::Gtid(GtidEvent::parse_anonymous(body)?)
            }
            EventType::GTID_TAGGED_LOG_EVENT => EventData::Gtid(GtidEvent::parse_tagged(body)?),
            EventType::PREVIOUS_GTIDS_LOG_EVENT => {
                EventData::PreviousGtids(PreviousGtids::parse(body)?)
            }
            EventType::QUERY_EVENT => EventData::Query(Query::parse(body)?),
            EventType::XID_EVENT => EventData::Xid(XidEvent::parse(body)?),
            EventType::XA_PREPARE_LOG_EVENT => EventData::XaPrepare(XaPrepare::parse(body)?),
            EventType::TABLE_MAP_EVENT => {
                let (table_id, schema, table) = TableMap::peek(body)?;
                EventData::TableMap(TableMapEvent {
                    table_id,
                    schema,
                    table,
                    body,
                    flavor: self.flavor,
                })
            }
            EventType::ROWS_QUERY_LOG_EVENT => EventData::RowsQuery(RowsQuery::parse(body)?),
            EventType::HEARTBEAT_LOG_EVENT => EventData::Heartbeat(Heartbeat::parse_v1(body)?),
            EventType::HEARTBEAT_LOG_EVENT_V2 => EventData::Heartbeat(Heartbeat::parse_v2(body)?),
            EventType::STOP_EVENT => EventData::Stop,
            EventType::TRANSACTION_PAYLOAD_EVENT => {
                EventData::TransactionPayload(TransactionPayload::parse(body)?)
            }
            EventType::ANNOTATE_ROWS_EVENT => EventData::RowsQuery(annotate_rows(body)),
            EventType::GTID_EVENT => {
                EventData::MariadbGtid(MariadbGtidEvent::parse(body, header.server_id)?)
            }
            EventType::GTID_LIST_EVENT => EventData::MariadbGtidList(MariadbGtidList::parse(body)?),
            EventType::BINLOG_CHECKPOINT_EVENT => {
                EventData::BinlogCheckpoint(BinlogCheckpoint::parse(body)?)
            }
            // A dump is decrypted, and its event says so by this flag.
            EventType::START_ENCRYPTION_EVENT
                if header.flags & EventHeader::FLAG_IGNORABLE == 0 =>
            {
                let kind = Kind::Unsupported("an encrypted binlog (START_ENCRYPTION_EVENT)");
                return Err(Error::new("binlog file", kind));
            }
            kind => match (RowsEvent::kind_of(kind), Compressed::plain(kind)) {
                (Some(_), _) => EventData::Rows(RowsEvent::parse(kind, body)?),
                (None, Some(plain)) => EventData::Compressed(Compressed::parse(plain, body)?),
                (None, None) => EventData::Other,
            },
        })
    }

    /// Where the event stands, and where the next one starts.
    fn place(&mut self, header: &EventHeader, data: &EventData<'_>) -> (u64, u64) {
        let before = self.position;
        if !self.live {
            self.position = before.saturating_add(u64::from(header.event_size));
            return (before, self.position);
        }
        if let EventData::Heartbeat(heartbeat) = data {
            // It stands in no file, but tells how far the server is past events it left out.
            self.position = heartbeat.position.unwrap_or(before).max(before);
            return (self.position, self.position);
        }
        // MariaDB leaves the position out of events inside a transaction, unless
        // `binlog_legacy_event_pos` is on.
        let unplaced = self.flavor == Flavor::MariaDb
            && header.log_pos == 0
            && header.flags & EventHeader::FLAG_ARTIFICIAL == 0
            && !matches!(data, EventData::FormatDescription(_) | EventData::Rotate(_));
        if unplaced {
            self.position = before.saturating_add(u64::from(header.event_size));
            return (before, self.position);
        }
        if header.is_artificial() {
            if let EventData::Rotate(rotate) = data {
                self.position = rotate.position;
            }
            return (self.position, self.position);
        }
        let end = widen(header.log_pos, before);
        self.position = match data {
            EventData::Rotate(rotate) => rotate.position,
            _ => end,
        };
        (end.saturating_sub(u64::from(header.event_size)), end)
    }
}

/// Can an event of this type be in a transaction behind its GTID, and so in its payload?
const fn may_be_packed(event_type: EventType) -> bool {
    Compressed::plain(event_type).is_none()
        && !matches!(
            event_type,
            EventType::FORMAT_DESCRIPTION_EVENT
                | EventType::ROTATE_EVENT
                | EventType::STOP_EVENT
                | EventType::BINLOG_CHECKPOINT_EVENT
                | EventType::HEARTBEAT_LOG_EVENT
                | EventType::HEARTBEAT_LOG_EVENT_V2
                | EventType::PREVIOUS_GTIDS_LOG_EVENT
                | EventType::GTID_LOG_EVENT
                | EventType::ANONYMOUS_GTID_LOG_EVENT
                | EventType::GTID_TAGGED_LOG_EVENT
                | EventType::GTID_EVENT
                | EventType::GTID_LIST_EVENT
                | EventType::START_ENCRYPTION_EVENT
                | EventType::TRANSACTION_PAYLOAD_EVENT
        )
}

/// The least position at or behind `before` whose low 32 bits are `log_pos`.
const fn widen(log_pos: u32, before: u64) -> u64 {
    const LAP: u64 = 1 << 32;
    let same_lap = before & !(LAP - 1) | log_pos as u64;
    if same_lap < before {
        same_lap.saturating_add(LAP)
    } else {
        same_lap
    }
}

/// FORMAT_DESCRIPTION_EVENT's own checksum, which was computed before the server set the
/// in-use flag of a file that it still writes.
fn verify_format_description(event: &[u8]) -> Result<(), Error> {
    const FLAGS_AT: usize = 17;
    const IN_USE: u8 = 1;
    let what = "Format_description_event";
    let Some((covered, stored)) = event.split_last_chunk::<4>() else {
        return Err(Error::new(what, Kind::Truncated));
    };
    let (Some(front), Some(&[flags]), Some(back)) = (
        covered.get(..FLAGS_AT),
        covered.get(FLAGS_AT..=FLAGS_AT),
        covered.get(FLAGS_AT + 1..),
    ) else {
        return Err(Error::new(what, Kind::Truncated));
    };
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(front);
    hasher.update(&[flags & !IN_USE]);
    hasher.update(back);
    let (stored, computed) = (u32::from_le_bytes(*stored), hasher.finalize());
    if stored == computed {
        Ok(())
    } else {
        Err(Error {
            what,
            kind: Kind::Checksum { stored, computed },
            offset: covered.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event with its checksum.
    fn sealed(mut event: Vec<u8>) -> Vec<u8> {
        let checksum = crc32fast::hash(&event);
        event.extend(checksum.to_le_bytes());
        event
    }

    /// A dump from the middle of a file begins with a rotation and a description that stand nowhere in it.
    #[test]
    fn events_that_a_server_makes_up_do_not_move_the_position() {
        let file = include_bytes!("../../tests/data/control/mysql-bin.000001");
        let size = u32::from_le_bytes([file[13], file[14], file[15], file[16]]) as usize;
        let description = &file[4..4 + size];
        let mut made_up = description[..size - 4].to_vec();
        // Its position and the time of the file's beginning.
        made_up[13..17].fill(0);
        let rotate = |log_pos: u32, position: u64| {
            let name = b"mysql-bin.000007";
            let mut event = vec![0; 4];
            event.push(EventType::ROTATE_EVENT.0);
            event.extend([1, 0, 0, 0]);
            event.extend(u32::to_le_bytes(
                19 + 8 + u32::try_from(name.len()).unwrap() + 4,
            ));
            event.extend(log_pos.to_le_bytes());
            event.extend([0, 0]);
            event.extend(position.to_le_bytes());
            event.extend(name);
            sealed(event)
        };
        let place = |decoder: &mut Decoder, event: &[u8]| {
            let event = decoder.decode(event).unwrap();
            let place = (event.start, event.end);
            (place, decoder.position())
        };
        let mut decoder = Decoder::for_dump(Checksum::Crc32);
        let start = 0x1_2345_6789;
        assert_eq!(
            place(&mut decoder, &rotate(0, start)),
            ((start, start), start)
        );
        assert_eq!(
            place(&mut decoder, &sealed(made_up)),
            ((start, start), start)
        );
        // A real rotation ends the file, and leads to the next one's beginning.
        assert_eq!(
            place(&mut decoder, &rotate(0x2345_6789 + 47, 4)),
            ((start, start + 47), 4)
        );
        // As it stands at the beginning of a file.
        let end = 4 + size as u64;
        assert_eq!(place(&mut decoder, description), ((4, end), end));
    }

    #[test]
    fn positions_widen_past_4_gib() {
        assert_eq!(widen(200, 100), 200);
        assert_eq!(widen(100, 100), 100);
        assert_eq!(widen(50, 0xFFFF_FFF0), 0x1_0000_0032);
        assert_eq!(widen(50, 0x2_0000_0000), 0x2_0000_0032);
    }
}
