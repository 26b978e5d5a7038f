//! GTID_LIST_EVENT (163): the GTIDs in the files before this one.

use super::gtid_set::{MariadbGtid, MariadbGtidSet};
use crate::error::{Error, Fault, Kind, Parsed, read};
use crate::primitive::{int4, int8, length};

/// The body of a GTID_LIST_EVENT, which stands near the start of each file.
///
/// ```text
/// int<4>  number of GTIDs in the low 28 bits, flags above
/// for each:
///   int<4>  domain
///   int<4>  server id
///   int<8>  sequence number
/// when there is none: int<2> 0
/// ```
///
/// It is the server's `gtid_binlog_state`: for each domain the last GTID of each server, the last
/// of the domain behind the others of it.
///
/// Source: MariaDB's `Gtid_list_log_event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MariadbGtidList<'a> {
    /// The top 4 bits of the number: `FLAG_UNTIL_REACHED`, `FLAG_IGN_GTIDS`.
    pub flags: u8,
    list: &'a [u8],
}

/// Bytes of a GTID in the list.
const GTID_LEN: usize = 16;

impl<'a> MariadbGtidList<'a> {
    /// Reads the body: what is between the common header and the checksum.
    ///
    /// # Errors
    /// When it is not as long as its number says.
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        read("Gtid_list_log_event", body, Self::fields)
    }

    fn fields(input: &'a [u8]) -> Parsed<'a, Self> {
        const COUNT: u32 = (1 << 28) - 1;
        let (list, number) = int4(input)?;
        let count = length(input, u64::from(number & COUNT))?;
        // An empty list is filled up to the 6 bytes that old replicas take for the least.
        let list = if count == 0 {
            list.strip_prefix(&[0, 0]).unwrap_or(list)
        } else {
            list
        };
        if count.checked_mul(GTID_LEN) != Some(list.len()) {
            return Err(Fault::at(
                list,
                Kind::Invalid("not as many GTIDs as it says"),
            ));
        }
        let flags = u8::try_from(number >> 28).unwrap_or_default();
        Ok((&[], Self { flags, list }))
    }

    /// The GTIDs, in order.
    pub fn gtids(&self) -> impl Iterator<Item = MariadbGtid> + use<'a> {
        self.list
            .chunks_exact(GTID_LEN)
            .filter_map(|gtid| Some(self::gtid(gtid).ok()?.1))
    }

    /// The last GTID of each domain, behind which a replica goes on.
    #[must_use]
    pub fn position(&self) -> MariadbGtidSet {
        let mut set = MariadbGtidSet::new();
        for gtid in self.gtids() {
            set.update(gtid);
        }
        set
    }
}

fn gtid(input: &[u8]) -> Parsed<'_, MariadbGtid> {
    let (rest, domain) = int4(input)?;
    let (rest, server_id) = int4(rest)?;
    let (rest, sequence) = int8(rest)?;
    let gtid = MariadbGtid {
        domain,
        server_id,
        sequence,
    };
    Ok((rest, gtid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_each_domain_counts() {
        let mut body = vec![3, 0, 0, 0x10];
        for (domain, server_id, sequence) in [(0_u32, 1_u32, 7_u64), (0, 2, 5), (9, 1, 1)] {
            body.extend(domain.to_le_bytes());
            body.extend(server_id.to_le_bytes());
            body.extend(sequence.to_le_bytes());
        }
        let list = MariadbGtidList::parse(&body).unwrap();
        assert_eq!(list.flags, 1);
        assert_eq!(list.gtids().count(), 3);
        assert_eq!(list.position().to_string(), "0-2-5,9-1-1");
        for end in 0..body.len() {
            assert!(MariadbGtidList::parse(&body[..end]).is_err());
        }
        body.push(0);
        assert!(MariadbGtidList::parse(&body).is_err());
        assert_eq!(MariadbGtidList::parse(&[0; 4]).unwrap().gtids().count(), 0);
        assert!(MariadbGtidList::parse(&[0xFF; 4]).is_err());
    }
}
