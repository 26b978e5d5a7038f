//! What the transactions of single rows changed beside them: a part of a transaction is seldom what was meant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::foreign::Name;
use super::summary::count_of;
use crate::clock::rfc3339;
use crate::error::Error;
use crate::query::{Answer, Change, Facts};

/// Transactions that are looked at, and how many of their rows.
const TRANSACTIONS: usize = 5;
const ROWS: u64 = 10_000;

/// The first transactions that the row changes are of, and the tables of these.
#[derive(Debug, Default)]
pub(super) struct Beside(BTreeMap<u64, (Arc<Facts>, BTreeSet<Name>)>);

impl Beside {
    pub(super) fn note(&mut self, change: &Change) {
        let facts = &change.transaction;
        let known = self.0.contains_key(&facts.transaction_id);
        if known || self.0.len() < TRANSACTIONS {
            let entry = self.0.entry(facts.transaction_id);
            let (_, tables) = entry.or_insert_with(|| (Arc::clone(facts), BTreeSet::new()));
            tables.insert((change.table.schema.clone(), change.table.table.clone()));
        }
    }

    /// Says which of them changed other tables as well.
    pub(super) async fn tell(&self, answer: &mut Answer<'_>, redo: bool) -> Result<(), Error> {
        let does = if redo {
            "does all of it again"
        } else {
            "undoes all of it"
        };
        for (facts, tables) in self.0.values() {
            let mut changed = answer.changed_by(facts, ROWS).await?;
            let counted: u64 = changed.iter().map(|(_, count)| count).sum();
            changed.retain(|(name, _)| !tables.contains(name));
            if changed.is_empty() {
                continue;
            }
            let at_least = if counted < ROWS { "" } else { "at least " };
            let others: Vec<String> = changed
                .iter()
                .map(|((schema, table), count)| {
                    format!("{at_least}{} of {schema}.{table}", count_of(*count, "row"))
                })
                .collect();
            let whole = facts.gtid.as_ref().map_or_else(
                || {
                    let at = facts.committed_at;
                    let until = rfc3339(at.saturating_add(1));
                    format!("--since {} --until {until}", rfc3339(at))
                },
                |gtid| format!("--gtid {gtid}"),
            );
            tracing::warn!(
                "the transaction of {} also changed {}, which are not among these: recover with {whole} alone {does}",
                rfc3339(facts.committed_at),
                others.join(", ")
            );
        }
        Ok(())
    }
}
