//! GTID_LOG_EVENT (33) and ANONYMOUS_GTID_LOG_EVENT (34): the start of a transaction.
//! [`GtidEvent::parse_tagged`] reads the third of them, GTID_TAGGED_LOG_EVENT (42).

use crate::error::{Error, Fault, Parsed, read};
use crate::gtid_set::{Gtid, Tag, Uuid};
use crate::primitive::{array, int_lenenc, int1, int4, int8};

/// How a transaction starts, with a tag, without, or without a GTID.
///
/// What a server older than the field does not send is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GtidEvent {
    /// The transaction's GTID; `None` when it is anonymous.
    pub gtid: Option<Gtid>,
    /// Bit 0: it may hold changes logged as statements.
    pub flags: u8,
    /// Where it stands among the transactions of its file (MySQL 5.7 and later).
    pub logical_clock: Option<LogicalClock>,
    /// When it was committed (MySQL 8.0.1 and later).
    pub committed: Option<CommitTimes>,
    /// Bytes of all its events, this one included (MySQL 8.0.2 and later).
    pub transaction_length: Option<u64>,
    /// The versions of the servers it comes from (MySQL 8.0.14 and later).
    pub server_versions: Option<ServerVersions>,
    /// Its commit group on the source, when group replication gave it one.
    pub commit_group_ticket: Option<u64>,
}

/// Which transactions of the file can be applied at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogicalClock {
    /// The last transaction that must be committed before this one starts.
    pub last_committed: i64,
    /// This transaction's number, from 1 in each file.
    pub sequence_number: i64,
}

/// When a transaction was committed: microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitTimes {
    /// On the server that sends it.
    pub immediate: u64,
    /// On the server that it comes from first.
    pub original: u64,
}

/// Versions as one number, 9.7.4 as 90704; 999999 is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerVersions {
    /// Of the server that sends it.
    pub immediate: u32,
    /// Of the server that it comes from first.
    pub original: u32,
}

impl GtidEvent {
    /// Reads the body of a GTID_LOG_EVENT: what is between the common header and the checksum.
    ///
    /// ```text
    /// int<1>       flags
    /// string<16>   UUID
    /// int<8>       number of the transaction
    /// int<1>       2, else nothing that follows is of use
    /// int<8>       last_committed
    /// int<8>       sequence_number
    /// int<7>       immediate commit timestamp; bit 55 tells that the original one follows
    /// [int<7>]     original commit timestamp, when it is another
    /// int<lenenc>  transaction length
    /// int<4>       immediate server version; bit 31 tells that the original one follows
    /// [int<4>]     original server version, when it is another
    /// int<8>       commit group ticket
    /// ```
    ///
    /// Servers have been adding to the end of it, so bytes behind what is known are ignored.
    ///
    /// Source: MySQL source documentation, `mysql::binlog::event::Gtid_event`.
    ///
    /// # Errors
    /// When it ends within a field, or the number is none.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        read("Gtid_event", body, |input| event(input, false))
    }

    /// Reads the body of an ANONYMOUS_GTID_LOG_EVENT, which is laid out alike; UUID and number
    /// are zero.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_anonymous(body: &[u8]) -> Result<Self, Error> {
        read("Anonymous_gtid_event", body, |input| event(input, true))
    }

    /// May it hold changes logged as statements?
    #[must_use]
    pub const fn may_have_statements(&self) -> bool {
        self.flags & 1 != 0
    }
}

fn event(input: &[u8], anonymous: bool) -> Parsed<'_, GtidEvent> {
    let (after, flags) = int1(input)?;
    let (at_gno, uuid) = array(after)?;
    let (after, gno) = int8(at_gno)?;
    let gtid = if anonymous {
        None
    } else {
        let gtid = Gtid::new(Uuid(uuid), Tag::default(), gno);
        Some(gtid.ok_or_else(|| Fault::invalid(at_gno, "transaction number is out of range"))?)
    };
    let (after, kind) = optional(after, int1)?;
    let (after, logical_clock) = match kind {
        Some(2) => logical_clock(after).map(|(after, clock)| (after, Some(clock)))?,
        // MySQL 5.7 before its release had another clock, of another length.
        _ => (&[][..], None),
    };
    let (after, committed) = optional(after, commit_times)?;
    let (after, transaction_length) = optional(after, int_lenenc)?;
    let (after, server_versions) = optional(after, server_versions)?;
    let (_, commit_group_ticket) = optional(after, int8)?;
    let event = GtidEvent {
        gtid,
        flags,
        logical_clock,
        committed,
        transaction_length,
        server_versions,
        commit_group_ticket,
    };
    Ok((&[], event))
}

/// A field that an older server's event ends before.
fn optional<'a, T>(
    input: &'a [u8],
    parser: impl Fn(&'a [u8]) -> Parsed<'a, T>,
) -> Parsed<'a, Option<T>> {
    if input.is_empty() {
        return Ok((input, None));
    }
    parser(input).map(|(rest, value)| (rest, Some(value)))
}

fn logical_clock(input: &[u8]) -> Parsed<'_, LogicalClock> {
    let (rest, last_committed) = int8(input)?;
    let (rest, sequence_number) = int8(rest)?;
    let clock = LogicalClock {
        last_committed: last_committed.cast_signed(),
        sequence_number: sequence_number.cast_signed(),
    };
    Ok((rest, clock))
}

fn commit_times(input: &[u8]) -> Parsed<'_, CommitTimes> {
    const ORIGINAL_FOLLOWS: u64 = 1 << 55;
    let (rest, first) = int7(input)?;
    let immediate = first & !ORIGINAL_FOLLOWS;
    let (rest, original) = if first == immediate {
        (rest, immediate)
    } else {
        int7(rest)?
    };
    let times = CommitTimes {
        immediate,
        original,
    };
    Ok((rest, times))
}

fn server_versions(input: &[u8]) -> Parsed<'_, ServerVersions> {
    const ORIGINAL_FOLLOWS: u32 = 1 << 31;
    let (rest, first) = int4(input)?;
    let immediate = first & !ORIGINAL_FOLLOWS;
    let (rest, original) = if first == immediate {
        (rest, immediate)
    } else {
        int4(rest)?
    };
    let versions = ServerVersions {
        immediate,
        original,
    };
    Ok((rest, versions))
}

fn int7(input: &[u8]) -> Parsed<'_, u64> {
    let (rest, [a, b, c, d, e, f, g]) = array(input)?;
    Ok((rest, u64::from_le_bytes([a, b, c, d, e, f, g, 0])))
}
