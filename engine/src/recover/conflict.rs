//! Rows that are not as they should be.

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
    pub what: String,
}

/// Conflicts that are kept; those beyond are counted.
const KEPT: usize = 1000;

/// All that were found.
#[derive(Debug, Default)]
pub struct Conflicts {
    /// The first of them.
    pub first: Vec<Conflict>,
    /// How many there are.
    pub count: u64,
}

impl Conflicts {
    /// Are more of them kept?
    pub(super) const fn has_room(&self) -> bool {
        self.first.len() < KEPT
    }

    pub(super) fn add(&mut self, conflict: Conflict) {
        if self.has_room() {
            self.first.push(conflict);
        }
        self.count = self.count.saturating_add(1);
    }

    /// A line for each, and one for those that are not kept.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut lines: Vec<String> = self.first.iter().map(ToString::to_string).collect();
        let more = self.count.saturating_sub(lines.len() as u64);
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        lines
            .iter()
            .map(|line| format!("conflict: {line}\n"))
            .collect()
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
