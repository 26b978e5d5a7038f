//! What was read and is not printed, or not as it should be.

use std::collections::BTreeMap;

/// What is to be said of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Note {
    Unreadable,
    NoTable,
    OldRows,
    UnknownEvent,
    Incident,
    Statement,
    Undecodable,
    OldFractions,
    Unpatched,
    RolledBackInPart,
    XaRolledBack,
}

impl Note {
    /// Is something missing of what is printed, or wrong in it?
    pub(super) const fn is_loss(self) -> bool {
        !matches!(self, Self::RolledBackInPart | Self::XaRolledBack)
    }

    /// What that means for what is printed.
    pub(super) const fn outcome(self) -> &'static str {
        match self {
            Self::RolledBackInPart | Self::XaRolledBack => "rows are printed that were rolled back",
            Self::OldFractions => "rows are printed that may be wrong",
            _ => "row changes are left out, or parts of them",
        }
    }

    /// What the event is, and what that means.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Unreadable => "it cannot be read",
            Self::NoTable => "its table's TABLE_MAP_EVENT is not there or cannot be read",
            Self::OldRows => "rows in the form of before MySQL 5.1.16 are not read",
            Self::UnknownEvent => "events of this type are not known, and may hold rows",
            Self::Incident => "the source itself lost events here",
            Self::Statement => {
                "a statement that changed rows was logged instead of them (binlog_format STATEMENT or MIXED)"
            }
            Self::Undecodable => {
                "a value is none of its column's type: its bytes are printed in JSON, and nothing of its row in the \
                 format mysqlbinlog"
            }
            Self::OldFractions => {
                "a table has columns in the temporal format of MariaDB before 10.1, and no event tells whether they have \
                 fractions: the rows are printed as if they had none, and may have been written with some as well"
            }
            Self::Unpatched => {
                "a JSON document is left out: its changes do not fit the row before it, or that leaves it out, too"
            }
            Self::RolledBackInPart => {
                "a transaction was rolled back behind its rows, which it could not undo all: all are printed, and which \
                 of them stayed is not logged"
            }
            Self::XaRolledBack => {
                "a prepared XA transaction was rolled back: its rows, which are printed where it was prepared, never \
                 came to be"
            }
        }
    }
}

/// How often each was, and where first.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<Note, (u64, String)>);

impl Notes {
    /// `more` of them; returns how many that makes.
    pub(super) fn add(&mut self, note: Note, more: u64, first: impl FnOnce() -> String) -> u64 {
        let (count, _) = self.0.entry(note).or_insert_with(|| (0, first()));
        *count = count.saturating_add(more);
        *count
    }

    /// Each with its count and first place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Note, u64, &str)> {
        self.0
            .iter()
            .map(|(note, (count, first))| (*note, *count, first.as_str()))
    }
}
