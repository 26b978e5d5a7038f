//! Rows that are not as they should be.

use std::collections::BTreeMap;
use std::fmt;

/// A row that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Schema and table.
    pub table: String,
    /// Its key, where it has one.
    pub key: Option<String>,
    /// The row change that expects it otherwise.
    pub change_id: u64,
    /// What is expected, and what is there.
    pub(super) what: What,
}

/// What is expected of a row, and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Another row has its key.
    Taken,
    /// The same, and that row is there by another of the row changes.
    Brought,
    /// There is no row with its key.
    Missing,
    /// Without a key: no row is as it should be.
    NoneAlike,
    /// It has other values.
    Differs(String),
    /// By these row changes it has come to be another than it should be.
    Between,
    /// In the server's words, or ours.
    Other(String),
    /// Nobody looked.
    Untold,
}

impl What {
    /// Why it is so, where many are.
    const fn likely(&self) -> Option<&'static str> {
        Some(match self {
            Self::Taken => "this was run before, or the rows came back since",
            Self::Missing | Self::NoneAlike => "this was run before, or the rows are gone since",
            Self::Differs(_) => "this was run before, or the rows were changed since",
            Self::Brought | Self::Between => {
                "the rows came, went or were changed more than once; ask for one of these times alone, or for all of them"
            }
            Self::Other(_) | Self::Untold => return None,
        })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "its key is taken by another row",
            Self::Brought => "its key is taken by a row that another of these changes brings",
            Self::Missing => "there is no row with its key",
            Self::NoneAlike => "no row holds its values",
            Self::Between => "it was changed in between by what is not among these row changes",
            Self::Differs(text) | Self::Other(text) => text,
            Self::Untold => "",
        })
    }
}

/// Conflicts that are kept; those beyond are counted.
const KEPT: usize = 1000;

/// Conflicts with one likely reason that are listed; of more, that is said once.
const LISTED: usize = 5;

/// All that were found.
#[derive(Debug, Default)]
pub struct Conflicts {
    /// The first of them.
    pub first: Vec<Conflict>,
    /// How many there are.
    pub count: u64,
    /// How many of them have a likely reason, by that.
    likely: BTreeMap<&'static str, u64>,
}

impl Conflicts {
    /// Are more of them kept?
    pub(super) const fn has_room(&self) -> bool {
        self.first.len() < KEPT
    }

    pub(super) fn add(&mut self, conflict: Conflict) {
        if let Some(reason) = conflict.what.likely() {
            let count = self.likely.entry(reason).or_default();
            *count = count.saturating_add(1);
        }
        if self.has_room() {
            self.first.push(conflict);
        }
        self.count = self.count.saturating_add(1);
    }

    /// A line for each, unless many with one likely reason are not all wanted; one for those that are not listed; and the
    /// reasons.
    #[must_use]
    pub fn describe(&self, all: bool) -> String {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let listed = self.first.iter().filter(|conflict| {
            conflict.what.likely().is_none_or(|reason| {
                let seen = seen.entry(reason).or_default();
                *seen = seen.saturating_add(1);
                all || *seen <= LISTED
            })
        });
        let mut lines: Vec<String> = listed.map(|row| format!("conflict: {row}\n")).collect();
        let more = self.count.saturating_sub(lines.len() as u64);
        if more > 0 {
            let left_out = self.first.len() > lines.len();
            let how = match (left_out, self.count > self.first.len() as u64) {
                (true, false) => "; --on-conflict skip lists them all".to_owned(),
                (true, true) => format!("; --on-conflict skip lists the first {KEPT}"),
                (false, _) => String::new(),
            };
            lines.push(format!("conflict: and {more} more{how}\n"));
        }
        lines.extend(self.likely().into_iter().map(|line| line + "\n"));
        lines.concat()
    }

    /// What to make of many that are alike.
    pub(super) fn likely(&self) -> Vec<String> {
        let many = self
            .likely
            .iter()
            .filter(|(_, count)| **count > LISTED as u64);
        let mut lines: Vec<String> = many
            .map(|(reason, count)| format!("{count} of them are alike: likely {reason}"))
            .collect();
        if !lines.is_empty() {
            lines.push(
                "--since, --until, --gtid or --connection-id narrow what is asked for".to_owned(),
            );
        }
        lines
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_deref().unwrap_or("(no key)");
        let line = format!(
            "{} {key}: {} (change {})",
            self.table, self.what, self.change_id
        );
        f.write_str(&super::one_line(&line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conflicts(taken: u64) -> Conflicts {
        let mut conflicts = Conflicts::default();
        let mut add = |change_id: u64, what| {
            conflicts.add(Conflict {
                table: "d.t".to_owned(),
                key: Some(change_id.to_string()),
                change_id,
                what,
            });
        };
        for change_id in 1..=taken {
            add(change_id, What::Taken);
        }
        add(9999, What::Other("no".to_owned()));
        conflicts
    }

    #[test]
    fn many_that_are_alike_are_told_once_and_all_on_demand() {
        let few = conflicts(5).describe(false);
        assert_eq!(few.lines().count(), 6, "{few}");
        assert_eq!(few, conflicts(5).describe(true));
        let many = conflicts(7).describe(false);
        assert_eq!(
            many.lines().skip(4).collect::<Vec<_>>(),
            [
                "conflict: d.t 5: its key is taken by another row (change 5)",
                "conflict: d.t 9999: no (change 9999)",
                "conflict: and 2 more; --on-conflict skip lists them all",
                "7 of them are alike: likely this was run before, or the rows came back since",
                "--since, --until, --gtid or --connection-id narrow what is asked for",
            ]
        );
        let all = conflicts(7).describe(true);
        assert_eq!(all.matches("conflict: d.t ").count(), 8, "{all}");
        let more = conflicts(1200);
        assert!(
            more.describe(false)
                .contains("and 1196 more; --on-conflict skip lists the first 1000\n1200 of them")
        );
        assert!(
            more.describe(true)
                .contains("conflict: and 201 more\n1200 of them")
        );
    }
}
