//! GTID_EVENT (162): the start of a transaction.

use super::gtid_set::MariadbGtid;
use crate::binlog::xa_prepare::Xid;
use crate::error::{Error, Fault, Parsed, read};
use crate::primitive::{bytes, int1, int4, int8};

/// The body of a GTID_EVENT.
///
/// ```text
/// int<8>       sequence number
/// int<4>       domain
/// int<1>       flags
/// [int<8>]     id of the group commit             } FLAG_GROUP_COMMIT_ID
/// [int<4>      format of the xid                  }
///  int<1>      length of its gtrid                } FLAG_PREPARED_XA, FLAG_COMPLETED_XA
///  int<1>      length of its bqual                } (MariaDB 10.5 and later)
///  string<n>]  both of them                       }
/// [int<1>]     more flags                         (MariaDB 10.5 and later)
/// [int<1>]     number of engines                  } more flags & 1
/// [int<8>]     where the ALTER TABLE began        } more flags & (4 | 8)
/// [int<4>]     id of the session                  } more flags & 16 (MariaDB 11.5 and later)
/// zeros, up to 19 bytes in all
/// ```
///
/// The transaction has no `BEGIN` of its own. It ends with XID_EVENT, XA_PREPARE_LOG_EVENT or the
/// statement `COMMIT`; a [stand-alone](Self::is_standalone) one is the statement behind this event.
///
/// Source: MariaDB's `Gtid_log_event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MariadbGtidEvent<'a> {
    /// The transaction's GTID: the server id in it is that of the event's header.
    pub gtid: MariadbGtid,
    /// `FL_*` bits.
    pub flags: u8,
    /// Transactions with the same number were committed together.
    pub commit_id: Option<u64>,
    /// The XA transaction that is prepared, or was decided.
    pub xid: Option<Xid<'a>>,
    /// The session that made it (`CONNECTION_ID()` on the source), where the server says so.
    pub thread_id: Option<u32>,
    /// The ALTER TABLE behind it only begins there, or was rolled back (`binlog_alter_two_phase`): another transaction
    /// has it once more when it is done.
    pub alters_nothing: bool,
}

impl<'a> MariadbGtidEvent<'a> {
    /// No event ends it: it is one statement, such as DDL.
    pub const FLAG_STANDALONE: u8 = 0x01;
    /// It has a commit id.
    pub const FLAG_GROUP_COMMIT_ID: u8 = 0x02;
    /// All of it can be rolled back.
    pub const FLAG_TRANSACTIONAL: u8 = 0x04;
    /// It holds DDL.
    pub const FLAG_DDL: u8 = 0x20;
    /// It ends with XA PREPARE.
    pub const FLAG_PREPARED_XA: u8 = 0x40;
    /// It is XA COMMIT or XA ROLLBACK.
    pub const FLAG_COMPLETED_XA: u8 = 0x80;

    /// Reads the body of an event of server `server_id`.
    ///
    /// # Errors
    /// When it ends within a field.
    pub fn parse(body: &'a [u8], server_id: u32) -> Result<Self, Error> {
        read("Gtid_log_event", body, |input| event(input, server_id))
    }

    /// Is it one statement, without an event that ends it?
    #[must_use]
    pub const fn is_standalone(&self) -> bool {
        self.flags & Self::FLAG_STANDALONE != 0
    }
}

fn event(input: &[u8], server_id: u32) -> Parsed<'_, MariadbGtidEvent<'_>> {
    const MULTI_ENGINE: u8 = 1;
    const START_ALTER: u8 = 2;
    const COMMIT_ALTER: u8 = 4;
    const ROLLBACK_ALTER: u8 = 8;
    const THREAD_ID: u8 = 16;
    type Event<'a> = MariadbGtidEvent<'a>;

    let (after, sequence) = int8(input)?;
    let (after, domain) = int4(after)?;
    let (mut rest, flags) = int1(after)?;
    let (mut commit_id, mut xid, mut thread_id) = (None, None, None);
    let mut alters_nothing = false;
    if flags & Event::FLAG_GROUP_COMMIT_ID != 0 {
        rest = keep(int8(rest)?, &mut commit_id);
    }
    if flags & (Event::FLAG_PREPARED_XA | Event::FLAG_COMPLETED_XA) != 0 {
        rest = keep(self::xid(rest)?, &mut xid);
    }
    // Older servers end here; what fills the event up to 19 bytes reads as no flags.
    if let Ok((after, more)) = int1(rest) {
        rest = after;
        alters_nothing = more & (START_ALTER | ROLLBACK_ALTER) != 0;
        if more & MULTI_ENGINE != 0 {
            rest = int1(rest)?.0;
        }
        if more & (COMMIT_ALTER | ROLLBACK_ALTER) != 0 {
            rest = int8(rest)?.0;
        }
        if more & THREAD_ID != 0 {
            rest = keep(int4(rest)?, &mut thread_id);
        }
    }
    let gtid = MariadbGtid {
        domain,
        server_id,
        sequence,
    };
    // Servers add to the end of it, so what is left is passed over.
    let _ = rest;
    let event = Event {
        gtid,
        flags,
        commit_id,
        xid,
        thread_id,
        alters_nothing,
    };
    Ok((&[], event))
}

fn keep<'a, T>((rest, value): (&'a [u8], T), to: &mut Option<T>) -> &'a [u8] {
    *to = Some(value);
    rest
}

fn xid(input: &[u8]) -> Parsed<'_, Xid<'_>> {
    const MAX_PART: u8 = 64;
    let (at_lengths, format_id) = int4(input)?;
    let (rest, gtrid) = int1(at_lengths)?;
    let (rest, bqual) = int1(rest)?;
    if gtrid > MAX_PART || bqual > MAX_PART {
        return Err(Fault::invalid(
            at_lengths,
            "a part of the xid is longer than 64 bytes",
        ));
    }
    let (rest, gtrid) = bytes(usize::from(gtrid))(rest)?;
    let (rest, bqual) = bytes(usize::from(bqual))(rest)?;
    let xid = Xid {
        format_id,
        gtrid,
        bqual,
    };
    Ok((rest, xid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(hex: &str) -> Result<MariadbGtidEvent<'static>, Error> {
        let digits: Vec<u32> = hex.chars().map(|c| c.to_digit(16).unwrap()).collect();
        let body: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap())
            .collect();
        MariadbGtidEvent::parse(body.leak(), 5)
    }

    /// Bodies that MariaDB 10.11.18 and 11.8.6 wrote.
    #[test]
    fn of_old_and_new_servers() {
        let ddl = parse("01000000000000000000000029000000000000").unwrap();
        assert_eq!(ddl.gtid.to_string(), "0-5-1");
        assert!(ddl.is_standalone());
        assert_eq!((ddl.xid, ddl.thread_id, ddl.commit_id), (None, None, None));
        let rows = parse("0300000000000000070000000c100800000000").unwrap();
        assert_eq!(rows.gtid.to_string(), "7-5-3");
        assert!(!rows.is_standalone());
        assert_eq!(rows.thread_id, Some(8));
        let prepared = parse("0a000000000000000000000048010000000200783111ff08000000").unwrap();
        assert_eq!(prepared.xid.unwrap().to_string(), "X'7831',X'',1");
        assert_eq!(prepared.thread_id, Some(8));
        let rolled_back = parse("0d00000000000000000000008d0100000002007832").unwrap();
        assert_eq!(rolled_back.xid.unwrap().to_string(), "X'7832',X'',1");
        assert_eq!(rolled_back.thread_id, None);
    }

    #[test]
    fn fields_that_are_cut_off() {
        let commit_id = parse("010000000000000000000000020900000000000000").unwrap();
        assert_eq!(commit_id.commit_id, Some(9));
        let whole = "0a000000000000000000000048010000000200783111ff08000000";
        for end in (0..whole.len()).step_by(2) {
            let cut = parse(&whole[..end]);
            // Behind the xid the flags that say of more fields are missing too.
            assert_eq!(cut.is_ok(), end == 42, "{end}");
        }
        assert!(parse("0100000000000000000000004001000000410078").is_err());
    }
}
