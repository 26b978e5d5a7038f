//! Ids of rows that a key or a table leads to, and the rows of those ids.

use std::collections::VecDeque;

use super::Segment;
use super::plan::Plan;
use super::statements::{Statements, direction, list, select};
use crate::index::Result;
use crate::index::read::{Cells, Rows, Select, Value};

/// A row to be read, found through its key. On MySQL its commit time leads to its partition.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) change_id: u64,
    committed_at: Option<String>,
}

impl Candidate {
    /// One to show a plan with.
    pub(super) fn example(change_id: u64) -> Self {
        Self {
            change_id,
            committed_at: Some("1970-01-01 00:00:00.000000".to_owned()),
        }
    }
}

impl Statements {
    /// The rows that had or got one of these keys, or all of a table, by the indexes on keys alone: up to `most` of them.
    pub(super) fn candidates(
        self,
        plan: &Plan,
        hashes: &[[u8; 8]],
        segment: Segment,
        newest_first: bool,
        most: u64,
    ) -> Select {
        let order = direction(newest_first);
        let tables = plan.tables.as_deref().unwrap_or_default();
        // MySQL would go into every partition twice to guess how many rows each of several keys has, before it does so to read
        // them; not where it is asked for keys alone, and told that it may.
        let several = tables.len().saturating_mul(hashes.len()) > 1;
        let (hint, id) = if several && self == Self::MySql {
            (
                "/*+ SET_VAR(eq_range_index_dive_limit = 1) */ ",
                "r.change_id + 0",
            )
        } else {
            ("", "r.change_id")
        };
        let mut values = Vec::new();
        let mut branch = |hint: &str, table: &str, index: &str| {
            let mut sql = format!(
                "SELECT {hint}{} FROM {table} AS r {} WHERE r.table_id IN ({})",
                match self {
                    Self::Sqlite => "r.change_id AS change_id",
                    Self::MySql => "r.change_id AS change_id, CAST(r.committed_at AS CHAR)",
                },
                match self {
                    Self::Sqlite => format!("INDEXED BY {index}"),
                    Self::MySql => format!("FORCE INDEX ({index})"),
                },
                list(tables)
            );
            if !hashes.is_empty() {
                sql.push_str(&format!(" AND r.pk_hash IN ({})", self.hashes(hashes)));
            }
            sql.push_str(&format!(" AND {id} >= ? AND {id} < ?"));
            values.extend([Value::Number(segment.from), Value::Number(segment.to)]);
            if self == Self::MySql {
                self.time(&mut sql, &mut values, plan.span);
                if !hashes.is_empty() {
                    // So that neither is read to its end.
                    sql = format!("({sql} ORDER BY change_id {order} LIMIT {most})");
                }
            }
            sql
        };
        let mut sql = branch(hint, "row_changes", "row_changes_key");
        if !hashes.is_empty() {
            sql.push_str(" UNION ");
            sql.push_str(&branch("", "key_changes", "key_changes_key"));
        }
        sql.push_str(&format!(" ORDER BY change_id {order} LIMIT {most}"));
        select(sql, values)
    }

    pub(super) fn hashes(self, hashes: &[[u8; 8]]) -> String {
        list(hashes.iter().map(|hash| match self {
            Self::Sqlite => i64::from_be_bytes(*hash).to_string(),
            Self::MySql => {
                let hex: String = hash.iter().map(|byte| format!("{byte:02X}")).collect();
                format!("X'{hex}'")
            }
        }))
    }

    pub(super) fn read_candidates(self, found: Rows) -> Result<VecDeque<Candidate>> {
        let rows = found.rows.into_iter();
        rows.map(|mut cells| self.candidate(&mut cells)).collect()
    }

    pub(super) fn candidate(self, cells: &mut Cells) -> Result<Candidate> {
        Ok(Candidate {
            change_id: cells.a_number(0)?,
            committed_at: match self {
                Self::Sqlite => None,
                Self::MySql => Some(cells.a_text(1)?),
            },
        })
    }

    /// The rows of these ids.
    pub(super) fn of_ids(self, ids: &[u64]) -> Select {
        let sql = format!(
            "{} WHERE r.change_id IN ({}) ORDER BY r.change_id",
            self.rows(),
            list(ids)
        );
        select(sql, Vec::new())
    }

    /// The rows of candidates.
    pub(super) fn rows_of(self, candidates: &[Candidate], newest_first: bool) -> Select {
        let ids = match self {
            Self::Sqlite => {
                let ids = candidates.iter().map(|candidate| candidate.change_id);
                format!("r.change_id IN ({})", list(ids))
            }
            Self::MySql => {
                let ids = candidates.iter().map(|candidate| {
                    let committed_at = candidate.committed_at.as_deref().unwrap_or_default();
                    format!("({},'{committed_at}')", candidate.change_id)
                });
                format!("(r.change_id, r.committed_at) IN ({})", list(ids))
            }
        };
        let order = direction(newest_first);
        select(
            format!("{} WHERE {ids} ORDER BY r.change_id {order}", self.rows()),
            Vec::new(),
        )
    }
}
