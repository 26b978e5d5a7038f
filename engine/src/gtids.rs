//! GTIDs of either server family.

use std::fmt;

use bintrail_proto::binlog::mariadb::gtid_set::{MariadbGtid, MariadbGtidSet};
use bintrail_proto::gtid_set::{Gtid, GtidSet};

use crate::index::record::Flavor;

/// The transactions that a replica has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gtids {
    /// MySQL's: a set of intervals.
    MySql(GtidSet),
    /// MariaDB's: the last transaction of each domain.
    MariaDb(MariadbGtidSet),
}

/// The identifier of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnyGtid {
    MySql(Gtid),
    MariaDb(MariadbGtid),
}

impl Gtids {
    /// None at all.
    #[must_use]
    pub const fn none(flavor: Flavor) -> Self {
        match flavor {
            Flavor::MySql => Self::MySql(GtidSet::new()),
            Flavor::MariaDb => Self::MariaDb(MariadbGtidSet::new()),
        }
    }

    /// Reads the notation of `flavor`.
    ///
    /// # Errors
    /// Where the text is none of it.
    pub fn parse(text: &str, flavor: Flavor) -> Result<Self, bintrail_proto::Error> {
        Ok(match flavor {
            Flavor::MySql => Self::MySql(text.parse()?),
            Flavor::MariaDb => Self::MariaDb(text.parse()?),
        })
    }

    /// Whose they are.
    #[must_use]
    pub const fn flavor(&self) -> Flavor {
        match self {
            Self::MySql(_) => Flavor::MySql,
            Self::MariaDb(_) => Flavor::MariaDb,
        }
    }

    /// What of them `executed` lacks, in one line; `None` when it has all.
    pub(crate) fn missing_in(&self, executed: &Self) -> Option<String> {
        match (self, executed) {
            (Self::MySql(read), Self::MySql(executed)) => {
                let mut missing = read.clone();
                missing.subtract(executed);
                (!missing.is_empty()).then(|| missing.to_string().replace('\n', ""))
            }
            (Self::MariaDb(read), Self::MariaDb(executed)) => {
                let has = |domain, sequence| {
                    executed
                        .gtids()
                        .any(|last| last.domain == domain && last.sequence >= sequence)
                };
                let missing: Vec<String> = read
                    .gtids()
                    .filter(|gtid| !has(gtid.domain, gtid.sequence))
                    .map(|gtid| gtid.to_string())
                    .collect();
                (!missing.is_empty()).then(|| missing.join(","))
            }
            (read, _) => Some(read.to_string()),
        }
    }

    /// Is none there?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::MySql(set) => set.is_empty(),
            Self::MariaDb(set) => set.is_empty(),
        }
    }

    /// Is a transaction among them?
    pub(crate) fn contains(&self, gtid: AnyGtid) -> bool {
        match (self, gtid) {
            (Self::MySql(set), AnyGtid::MySql(gtid)) => set.contains(gtid),
            (Self::MariaDb(set), AnyGtid::MariaDb(gtid)) => set.contains(gtid),
            _ => false,
        }
    }

    /// Adds a transaction that is behind those of its own server or domain.
    pub(crate) fn add(&mut self, gtid: AnyGtid) {
        match (self, gtid) {
            (Self::MySql(set), AnyGtid::MySql(gtid)) => {
                set.add(gtid);
            }
            (Self::MariaDb(set), AnyGtid::MariaDb(gtid)) => set.update(gtid),
            // The first transaction of a server that is not what it was says so.
            (set, AnyGtid::MySql(gtid)) => {
                let mut other = GtidSet::new();
                other.add(gtid);
                *set = Self::MySql(other);
            }
            (set, AnyGtid::MariaDb(gtid)) => {
                let mut other = MariadbGtidSet::new();
                other.update(gtid);
                *set = Self::MariaDb(other);
            }
        }
    }
}

impl fmt::Display for Gtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql(set) => fmt::Display::fmt(set, f),
            Self::MariaDb(set) => fmt::Display::fmt(set, f),
        }
    }
}

impl fmt::Display for AnyGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql(gtid) => fmt::Display::fmt(gtid, f),
            Self::MariaDb(gtid) => fmt::Display::fmt(gtid, f),
        }
    }
}
