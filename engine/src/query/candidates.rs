//! Ids of rows that a key or a table leads to, and the rows of those ids.

use std::collections::VecDeque;

use super::plan::Plan;
use super::statements::{Statements, direction, list, select};
use super::{Answer, PAGE_BYTES, Segment};
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

impl Answer<'_> {
    /// The rows of the next candidates.
    pub(super) async fn next_candidates(&mut self) -> Result<Vec<Cells>> {
        let count = usize::try_from(self.page)
            .unwrap_or(1)
            .min(self.candidates.len());
        let chunk: Vec<_> = self.candidates.iter().take(count).cloned().collect();
        let select = self.statements.rows_of(&chunk, self.question.newest_first);
        let read = self.index.read_again(select, PAGE_BYTES).await?;
        // Those behind the last row that there was room for come again.
        let mut done = count;
        if let Some(last) = read.cut.then(|| read.rows.last()).flatten() {
            let last = last.peek(0)?;
            let at = chunk
                .iter()
                .position(|candidate| candidate.change_id == last);
            done = at.map_or(count, |at| at.saturating_add(1));
        }
        self.candidates.drain(..done);
        Ok(read.rows)
    }

    /// Finds the candidates among images, while the index reads the next ones.
    pub(super) async fn sift(&mut self, images: Vec<Cells>) -> Result<()> {
        let mut next = if self.is_far() {
            self.found.pop_front()
        } else {
            None
        };
        let ahead = async {
            match &mut next {
                Some(segment) => self.range(segment, true).await.map(Some),
                None => Ok(None),
            }
        };
        let look = async { self.candidates_among(images) };
        let (ahead, candidates) = tokio::join!(ahead, look);
        self.candidates.extend(candidates?);
        self.images = ahead?;
        if let Some(rest) = next.filter(|rest| !rest.is_empty()) {
            self.found.push_front(rest);
        }
        Ok(())
    }

    fn candidates_among(&self, images: Vec<Cells>) -> Result<Vec<Candidate>> {
        let mut candidates = Vec::new();
        for mut cells in images {
            let (before, after) = (cells.text(2)?, cells.text(3)?);
            if self
                .question
                .fits_images(before.as_deref(), after.as_deref())?
            {
                candidates.push(self.statements.candidate(&mut cells)?);
            }
        }
        Ok(candidates)
    }
}
