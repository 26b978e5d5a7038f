//! All rows of a table: by the index on tables and keys, a range of the keys' hashes at a time, so that memory does
//! not depend on how many there are.

use std::collections::HashMap;

use super::life::Life;
use super::view::View;
use super::{RowAt, State};
use crate::index::Result;
use crate::index::read::{Select, Value};
use crate::query::plan::hash;
use crate::query::statements::{Statements, list, select};
use crate::query::{Answer, PAGE};

/// Rows that are put in order of their keys before they are shown; more come as they are found.
const IN_ORDER: usize = 10_000;

/// Changes looked at in one go, at first and at most.
const FEW: u64 = 256;
const MOST: u64 = 4_096;

/// Bytes of rows beyond which fewer are looked at in one go, or more.
const MUCH: usize = 8 << 20;
const LITTLE: usize = 1 << 20;

/// The hashes still to be looked at, as unsigned numbers, and how many at once.
#[derive(Debug)]
pub(super) struct Windows<'a> {
    answer: Answer<'a>,
    from: Option<u64>,
    width: u64,
    most: u64,
    /// Are those that were found still being put in order?
    in_order: bool,
}

/// The hashes from one up to and with another. SQLite keeps them as signed numbers, so none has both halves.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: u64,
    last: u64,
}

impl<'a> Windows<'a> {
    pub(super) fn new(answer: Answer<'a>) -> Self {
        Self {
            answer,
            from: Some(0),
            width: u64::MAX >> 10,
            most: FEW,
            in_order: true,
        }
    }

    pub(super) async fn next_page(&mut self, view: &View) -> Result<Option<Vec<RowAt>>> {
        if self.from.is_none() {
            return Ok(None);
        }
        let mut rows: Vec<RowAt> = Vec::new();
        let enough = if self.in_order { IN_ORDER } else { 0 };
        while self.from.is_some() && rows.len() <= enough {
            rows.extend(self.next_window(view).await?);
        }
        if self.in_order && self.from.is_none() {
            rows.sort_by(|a, b| order(&a.key).cmp(&order(&b.key)));
        } else if self.in_order {
            tracing::warn!("there are more than {IN_ORDER} rows: they come in no order");
        }
        self.in_order = false;
        Ok(Some(rows))
    }

    async fn next_window(&mut self, view: &View) -> Result<Vec<RowAt>> {
        let Some(from) = self.from else {
            return Ok(Vec::new());
        };
        let end = if from >> 63 == 0 {
            u64::MAX >> 1
        } else {
            u64::MAX
        };
        let window = Window {
            from,
            last: from.saturating_add(self.width).min(end),
        };
        // The changes of a single hash are nearly always one row's: however many there are, they are read.
        let most = if self.width == 0 {
            u64::MAX >> 1
        } else {
            self.most
        };
        let statements = self.answer.statements;
        let select = statements.window(view, window, most.saturating_add(1));
        let found = self.answer.index.read_again(select, usize::MAX).await?;
        let candidates = statements.read_candidates(found)?;
        let count = candidates.len() as u64;
        if count > most {
            self.width >>= 1;
            return Ok(Vec::new());
        }
        self.answer.candidates = candidates;
        self.answer.page = PAGE;
        let mut lives: HashMap<String, Life<'_>> = HashMap::new();
        let mut bytes = 0_usize;
        loop {
            let page = self.answer.next_page().await?;
            if page.is_empty() {
                break;
            }
            for change in &page {
                let images = [&change.before, &change.after].into_iter().flatten();
                bytes = bytes.saturating_add(images.map(String::len).sum());
                let moved = change
                    .new_key
                    .iter()
                    .filter(|key| change.pk_values.as_ref() != Some(key));
                for key in change.pk_values.iter().chain(moved) {
                    let number = u64::from_be_bytes(hash(key));
                    if (window.from..=window.last).contains(&number) {
                        let life = lives.entry(key.clone());
                        life.or_insert_with(|| Life::new(view, key.clone()))
                            .take(change)?;
                    }
                }
            }
        }
        self.from = window.last.checked_add(1);
        if bytes > MUCH {
            self.most = (self.most >> 1).max(1);
        } else if bytes < LITTLE {
            self.most = self.most.saturating_mul(2).min(MOST);
        }
        if count < self.most >> 2 {
            self.width = self.width.saturating_mul(2).saturating_add(1);
        }
        let mut rows = Vec::with_capacity(lives.len());
        for life in lives.into_values() {
            let row = life.end()?;
            if row.state != State::Absent {
                rows.push(row);
            }
        }
        Ok(rows)
    }
}

/// Keys in the order of their values: numbers before texts.
fn order(key: &str) -> Vec<(i128, &str)> {
    let number = |value: &str| value.parse().unwrap_or(i128::MAX);
    key.split('|').map(|value| (number(value), value)).collect()
}

impl Statements {
    /// The changes of rows that had or got a key with one of these hashes.
    fn window(self, view: &View, window: Window, most: u64) -> Select {
        let mut values = Vec::new();
        let mut branch = |table: &str, index: &str| {
            let bound = |hash: u64| match self {
                Self::Sqlite => i64::from_be_bytes(hash.to_be_bytes()).to_string(),
                Self::MySql => format!("X'{hash:016X}'"),
            };
            values.extend([Value::Number(view.all.from), Value::Number(view.all.to)]);
            let (columns, by_index) = match self {
                Self::Sqlite => ("r.change_id AS change_id", format!("INDEXED BY {index}")),
                Self::MySql => (
                    "r.change_id AS change_id, CAST(r.committed_at AS CHAR)",
                    format!("FORCE INDEX ({index})"),
                ),
            };
            let sql = format!(
                "SELECT {columns} FROM {table} AS r {by_index} WHERE r.table_id IN ({}) \
                 AND r.pk_hash BETWEEN {} AND {} AND r.change_id >= ? AND r.change_id < ?",
                list(&view.tables),
                bound(window.from),
                bound(window.last)
            );
            match self {
                Self::Sqlite => sql,
                // So that neither is read to its end.
                Self::MySql => format!("({sql} LIMIT {most})"),
            }
        };
        let changes = branch("row_changes", "row_changes_key");
        let moved = branch("key_changes", "key_changes_key");
        select(
            format!("{changes} UNION {moved} ORDER BY change_id LIMIT {most}"),
            values,
        )
    }
}
