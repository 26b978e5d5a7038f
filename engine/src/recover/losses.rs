//! What of a table's history the index has not.

use crate::clock::rfc3339;
use crate::error::Error;
use crate::index::Index;
use crate::index::record::Micros;
use crate::query::Definition;
use crate::rotate::removed_before;
use crate::schema::{Fate, fate};

/// What a source's history lacks.
#[derive(Debug)]
pub(super) struct Losses {
    /// Where changes were lost: the id of the next one, and when that was found.
    pub(super) gaps: Vec<(u64, Micros)>,
    /// What was committed before may have been removed.
    removed: Option<Micros>,
}

/// From where on all of a table's rows are in the index.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) from: u64,
    /// When that was; `None` when the table is older than the index.
    at: Option<Micros>,
    missing: Option<&'static str>,
}

const BEGAN: &str = "rows that did not change while the index was kept are not among them";
const NAMED: &str = "what it held when it got its name is not among them";

impl Beginning {
    /// By the statements before, newest first.
    pub(super) fn of<'d>(
        before: impl Iterator<Item = &'d Definition>,
        schema: &str,
        table: &str,
    ) -> Self {
        for definition in before {
            let missing = match fate(&definition.statement, schema, table) {
                Fate::Empties(_) | Fate::Creates => None,
                Fate::Names => Some(NAMED),
                Fate::None => continue,
            };
            return Self {
                from: definition.next_change_id,
                at: Some(definition.committed_at),
                missing,
            };
        }
        Self {
            from: 0,
            at: None,
            missing: Some(BEGAN),
        }
    }
}

impl Losses {
    pub(super) async fn of(index: &Index, source_id: u32) -> Result<Self, Error> {
        Ok(Self {
            gaps: index.gaps(source_id).await?,
            removed: removed_before(index, Some(source_id)).await?,
        })
    }

    /// Why a table's rows from its beginning up to an id may not be all or not be what they were, each behind a semicolon.
    pub(super) fn between(&self, beginning: &Beginning, to: u64) -> String {
        let mut why: Vec<String> = beginning.missing.map(str::to_owned).into_iter().collect();
        if let Some(removed) = self.removed
            && beginning.at.is_none_or(|at| at < removed)
        {
            why.push(format!(
                "what was committed before {} was removed from the index (bintrail rotate)",
                rfc3339(removed)
            ));
        }
        let mut gaps = self.gaps.iter();
        if let Some((_, found)) = gaps.find(|(next, _)| (beginning.from..=to).contains(next)) {
            why.push(format!(
                "changes were lost in a gap, found at {}, and what they did is not in them",
                rfc3339(*found)
            ));
        }
        why.into_iter().map(|why| format!("; {why}")).collect()
    }
}
