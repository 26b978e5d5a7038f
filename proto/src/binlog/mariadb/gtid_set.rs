//! MariaDB's GTIDs, and where a replica stands among them.
//!
//! A server's transactions are in domains, and in each they have one order: so the last GTID of each
//! domain says all. Numbers rise within a domain, but a transaction may be missing, and the
//! number alone tells nothing of the servers before.
//!
//! Source: MariaDB documentation, "Global Transaction ID".

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Fault, Parsed, read};

/// The identifier of one transaction: `domain-server-sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MariadbGtid {
    /// `gtid_domain_id` of the session that made it.
    pub domain: u32,
    /// The server that it comes from.
    pub server_id: u32,
    /// Its number in the domain, from 1.
    pub sequence: u64,
}

impl fmt::Display for MariadbGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server_id, self.sequence)
    }
}

/// The last transaction of each domain: what MariaDB calls a GTID position.
///
/// It prints in the order of the domains, as the server prints `@@gtid_binlog_pos`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MariadbGtidSet {
    /// Server id and number, by domain.
    domains: BTreeMap<u32, (u32, u64)>,
}

impl MariadbGtidSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            domains: BTreeMap::new(),
        }
    }

    /// Is no domain in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }

    /// `gtid` is the last of its domain now, whatever its number: without `gtid_strict_mode` a server
    /// may log a lower one behind a higher one.
    pub fn update(&mut self, gtid: MariadbGtid) {
        self.domains
            .insert(gtid.domain, (gtid.server_id, gtid.sequence));
    }

    /// Is `gtid` at or before the last of its domain, as far as numbers tell?
    #[must_use]
    pub fn contains(&self, gtid: MariadbGtid) -> bool {
        self.domains
            .get(&gtid.domain)
            .is_some_and(|&(_, last)| gtid.sequence <= last)
    }

    /// Is there a transaction of `domain`?
    #[must_use]
    pub fn has(&self, domain: u32) -> bool {
        self.domains.contains_key(&domain)
    }

    /// Keeps the domains for which `keeps` says so.
    pub fn retain(&mut self, keeps: impl Fn(u32) -> bool) {
        self.domains.retain(|&domain, _| keeps(domain));
    }

    /// The last GTID of each domain, in the order of the domains.
    pub fn gtids(&self) -> impl Iterator<Item = MariadbGtid> {
        self.domains
            .iter()
            .map(|(&domain, &(server_id, sequence))| MariadbGtid {
                domain,
                server_id,
                sequence,
            })
    }
}

impl fmt::Display for MariadbGtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, gtid) in self.gtids().enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            fmt::Display::fmt(&gtid, f)?;
        }
        Ok(())
    }
}

impl FromStr for MariadbGtid {
    type Err = Error;

    /// Reads `domain-server-sequence`.
    fn from_str(text: &str) -> Result<Self, Error> {
        read("MariaDB GTID", text.as_bytes(), |input| {
            let (rest, gtid) = gtid(space(input))?;
            Ok((space(rest), gtid))
        })
    }
}

impl FromStr for MariadbGtidSet {
    type Err = Error;

    /// Reads GTIDs separated by commas, with white space around them; nothing is the empty set.
    ///
    /// # Errors
    /// What is no GTID, and, as on the server, two GTIDs of one domain.
    fn from_str(text: &str) -> Result<Self, Error> {
        read("MariaDB GTID set", text.as_bytes(), set)
    }
}

fn set(input: &[u8]) -> Parsed<'_, MariadbGtidSet> {
    let mut set = MariadbGtidSet::new();
    let mut rest = space(input);
    if rest.is_empty() {
        return Ok((rest, set));
    }
    loop {
        let at = rest;
        let (after, gtid) = gtid(at)?;
        if set.domains.contains_key(&gtid.domain) {
            return Err(Fault::invalid(at, "a second GTID of the same domain"));
        }
        set.update(gtid);
        rest = space(after);
        match rest.split_first() {
            None => return Ok((rest, set)),
            Some((b',', after)) => rest = space(after),
            Some(_) => return Err(Fault::invalid(rest, "expected ','")),
        }
    }
}

fn gtid(input: &[u8]) -> Parsed<'_, MariadbGtid> {
    let (rest, domain) = number(input)?;
    let (rest, server_id) = number(hyphen(rest)?)?;
    let (rest, sequence) = number(hyphen(rest)?)?;
    let gtid = MariadbGtid {
        domain,
        server_id,
        sequence,
    };
    Ok((rest, gtid))
}

fn hyphen(input: &[u8]) -> Result<&[u8], nom::Err<Fault>> {
    input
        .strip_prefix(b"-")
        .ok_or_else(|| Fault::invalid(input, "expected '-'"))
}

/// Decimal digits.
fn number<T: TryFrom<u64>>(input: &[u8]) -> Parsed<'_, T> {
    let end = input
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (digits, rest) = input.split_at_checked(end).unwrap_or((input, &[]));
    let number = str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse::<u64>().ok())
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| Fault::invalid(input, "expected a number that is not too great"))?;
    Ok((rest, number))
}

fn space(input: &[u8]) -> &[u8] {
    input.trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> MariadbGtidSet {
        text.parse().unwrap()
    }

    #[test]
    fn texts() {
        for text in [
            "",
            "0-1-100",
            "0-1-100,1-2-5,4294967295-4294967295-18446744073709551615",
        ] {
            assert_eq!(set(text).to_string(), text);
        }
        assert_eq!(set(" 2-1-1 ,\n0-3-4 ").to_string(), "0-3-4,2-1-1");
        assert_eq!(set("  "), MariadbGtidSet::new());
        for text in [
            "0",
            "0-1",
            "0-1-",
            "-1-1",
            "0-1-1,",
            ",0-1-1",
            "0-1-1 1-1-1",
            "0-1-1,0-2-2",
            "4294967296-1-1",
            "0-1-18446744073709551616",
            "0 -1-1",
            "3e11fa47-71ca-11e1-9e33-c80aa9429562:1",
        ] {
            assert!(text.parse::<MariadbGtidSet>().is_err(), "{text}");
        }
        let gtid: MariadbGtid = " 7-8-9 ".parse().unwrap();
        assert_eq!(gtid.to_string(), "7-8-9");
        assert!("7-8-9,1-1-1".parse::<MariadbGtid>().is_err());
    }

    #[test]
    fn the_last_of_a_domain_stands_for_those_before_it() {
        let gtid = |text: &str| text.parse::<MariadbGtid>().unwrap();
        let mut set = set("0-1-100");
        assert!(set.contains(gtid("0-1-100")) && set.contains(gtid("0-2-7")));
        assert!(!set.contains(gtid("0-1-101")) && !set.contains(gtid("1-1-1")));
        set.update(gtid("0-2-101"));
        set.update(gtid("1-2-3"));
        assert_eq!(set.to_string(), "0-2-101,1-2-3");
        set.update(gtid("0-1-50"));
        assert_eq!(set.to_string(), "0-1-50,1-2-3");
    }
}
