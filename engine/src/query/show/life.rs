//! What the changes of a row say about it at a moment.
//!
//! Two witnesses: the last change before the moment says how it left the row, and the first one behind it how it found
//! it. Each counts only when nothing that the index has not seen may lie between it and the moment; where both
//! count and do not agree, something did.

use std::sync::Arc;

use super::view::{Barrier, View};
use super::{Mark, RowAt, State};
use crate::clock::rfc3339;
use crate::index::convert::damaged;
use crate::index::record::{EventType, TableVersion};
use crate::index::{Result, record::Micros};
use crate::query::{Change, Image};
use crate::schema::Effect;

/// What is known of a row's columns, and under which definition.
#[derive(Debug, Clone)]
pub struct Row {
    table: Arc<TableVersion>,
    /// Name and JSON.
    columns: Vec<(String, String)>,
}

impl Row {
    fn new(table: &Arc<TableVersion>) -> Self {
        Self {
            table: Arc::clone(table),
            columns: Vec::new(),
        }
    }

    /// Takes over what an image has.
    fn set(&mut self, image: Option<&str>) -> Result<()> {
        let image = image.map(Image::parse).transpose().map_err(damaged)?;
        for (name, value) in image.iter().flat_map(Image::columns) {
            match self.columns.iter_mut().find(|(held, _)| held == name) {
                Some((_, held)) => value.clone_into(held),
                None => self.columns.push((name.to_owned(), value.to_owned())),
            }
        }
        Ok(())
    }

    /// Has a column of both another value?
    fn contradicts(&self, image: Option<&str>) -> Result<bool> {
        let image = image.map(Image::parse).transpose().map_err(damaged)?;
        let mut both = image.iter().flat_map(Image::columns);
        Ok(both.any(|(name, value)| self.get(name).is_some_and(|held| held != value)))
    }

    /// The JSON of a column, where it is known.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&str> {
        let found = self.columns.iter().find(|(name, _)| name == column);
        found.map(|(_, json)| json.as_str())
    }

    /// The columns in their order, with the JSON of those that are known.
    pub fn columns(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let named = self.table.columns.iter();
        named.map(|column| (column.name.as_str(), self.get(&column.name)))
    }
}

/// What is known at a place in the history.
#[derive(Debug, Clone)]
enum Now {
    /// Nothing.
    Nobody,
    There(Row),
    Gone,
}

/// The row with a key, followed change by change.
#[derive(Debug)]
pub(super) struct Life<'v> {
    view: &'v View,
    key: String,
    now: Now,
    /// The last change before the moment.
    last: Option<Mark>,
    /// How the first change behind the moment found the row, and that change.
    next: Option<(Now, Mark)>,
}

impl<'v> Life<'v> {
    pub(super) fn new(view: &'v View, key: String) -> Self {
        Self {
            view,
            key,
            now: Now::Nobody,
            last: None,
            next: None,
        }
    }

    /// Is what it knows all that there is to know, so that no further change tells more?
    pub(super) fn is_over(&self) -> bool {
        self.next.is_some()
    }

    /// Does what comes before this change not matter, as seen from the moment?
    pub(super) fn is_whole(&self, change: &Change) -> Result<bool> {
        Ok(!self.is_behind(change)
            && (change.event_type != EventType::Update
                || change.new_key.is_some()
                || change.is_full()?))
    }

    fn is_behind(&self, change: &Change) -> bool {
        change.change_id >= self.view.cut || committed(change) > self.view.at
    }

    /// Takes the next change of the row, in order.
    pub(super) fn take(&mut self, change: &Change) -> Result<()> {
        if self.is_over() {
            return Ok(());
        }
        let moved = change
            .new_key
            .as_deref()
            .filter(|new| Some(*new) != change.pk_values.as_deref());
        let had = change.pk_values.as_deref() == Some(&*self.key);
        let found = had && change.event_type != EventType::Insert;
        let left = match change.event_type {
            EventType::Insert => had,
            EventType::Update => moved.map_or(had, |new| new == self.key),
            EventType::Delete => false,
        };
        if !found && !left {
            return Ok(());
        }
        let mark = Mark {
            change_id: Some(change.change_id),
            at: Some(committed(change)),
            what: what(change, &self.key),
        };
        if self.is_behind(change) {
            let mut row = Row::new(&change.table);
            let now = if found {
                row.set(change.before.as_deref())?;
                Now::There(row)
            } else {
                Now::Gone
            };
            self.next = Some((now, mark));
            return Ok(());
        }
        let after_barrier = self.last.as_ref().and_then(|last| last.change_id);
        let mut unseen = self
            .view
            .before(after_barrier)
            .any(|barrier| barrier.from <= change.change_id);
        let before = change.before.as_deref();
        let mut row = match std::mem::replace(&mut self.now, Now::Gone) {
            // What a minimal image leaves out is as it was.
            Now::There(row) if found && *row.table == *change.table => row,
            _ => {
                unseen = true;
                Row::new(&change.table)
            }
        };
        if unseen || row.contradicts(before)? {
            row = Row::new(&change.table);
        }
        if left {
            row.set(before)?;
            row.set(change.after.as_deref())?;
            self.now = Now::There(row);
        }
        self.last = Some(mark);
        Ok(())
    }

    /// What it comes to.
    pub(super) fn end(self) -> Result<RowAt> {
        let view = self.view;
        let last_id = self.last.as_ref().and_then(|mark| mark.change_id);
        let (mut now, mut since) = (self.now, self.last);
        let mut unseen = None;
        for barrier in view.before(last_id) {
            // What empties a table is known as well as any change.
            if barrier.effect == Effect::Empties {
                now = Now::Gone;
                since = Some(Mark {
                    change_id: None,
                    at: barrier.at,
                    what: barrier.what.clone(),
                });
                unseen = None;
            } else if touches(barrier, &now) {
                unseen = Some(barrier);
            }
        }
        let begun = view.begins.is_some_and(|begins| begins <= view.at);
        let forward = !matches!(now, Now::Nobody) && unseen.is_none() && begun;
        let unseen_behind = self.next.as_ref().and_then(|(found, mark)| {
            let mut behind = view.behind(mark.change_id.unwrap_or(u64::MAX));
            behind.find(|barrier| touches(barrier, found))
        });
        let backward = self.next.is_some() && unseen_behind.is_none() && begun;
        let mut row_at = RowAt {
            key: self.key,
            state: State::Unknown,
            row: None,
            since: since.filter(|_| forward),
            until: self.next.as_ref().map(|(_, mark)| mark.clone()),
            why: None,
        };
        let found = self.next.map(|(found, _)| found);
        match (forward.then_some(now), found.filter(|_| backward)) {
            (Some(now), None) | (None, Some(now)) => row_at.is(now),
            (Some(Now::Gone), Some(Now::Gone)) => row_at.is(Now::Gone),
            (Some(Now::There(mut row)), Some(Now::There(found))) => {
                let text = found.json();
                if row.contradicts(Some(&text))? {
                    row_at.why = Some(between(&row_at));
                } else {
                    row.set(Some(&text))?;
                    row_at.is(Now::There(row));
                }
            }
            (Some(_), Some(_)) => row_at.why = Some(between(&row_at)),
            (None, None) => {
                row_at.why = Some(if !begun {
                    match view.begins {
                        Some(begins) => {
                            format!("the history in the index begins at {}", rfc3339(begins))
                        }
                        None => "the index has no history of this source".to_owned(),
                    }
                } else if let Some(barrier) = unseen.or(unseen_behind) {
                    let at = barrier
                        .at
                        .map_or_else(String::new, |at| format!(" at {}", rfc3339(at)));
                    format!(
                        "it may have been changed by what has no row changes: {}{at}",
                        barrier.what
                    )
                } else {
                    "the index has no change of such a row: if it was there, then unchanged since the history begins"
                        .to_owned()
                });
            }
        }
        Ok(row_at)
    }
}

impl Row {
    fn json(&self) -> String {
        let mut out = String::from("{");
        for (at, (name, value)) in self.columns.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(&serde_json::Value::from(name.as_str()).to_string());
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        out
    }
}

impl RowAt {
    fn is(&mut self, now: Now) {
        (self.state, self.row) = match now {
            Now::There(row) => (State::Present, Some(row)),
            Now::Gone => (State::Absent, None),
            Now::Nobody => (State::Unknown, None),
        };
    }
}

/// May it make something else of it?
fn touches(barrier: &Barrier, now: &Now) -> bool {
    // No row comes with a column.
    barrier.effect != Effect::Columns || !matches!(now, Now::Gone)
}

fn between(row_at: &RowAt) -> String {
    let at = |mark: &Option<Mark>| {
        let at = mark.as_ref().and_then(|mark| mark.at);
        at.map_or_else(|| "?".to_owned(), rfc3339)
    };
    format!(
        "it was changed between {} and {} by something that is not in the index",
        at(&row_at.since),
        at(&row_at.until)
    )
}

/// When it came to be.
fn committed(change: &Change) -> Micros {
    let facts = &change.transaction;
    facts.decided_at.unwrap_or(facts.committed_at)
}

fn what(change: &Change, key: &str) -> String {
    let moved = change.new_key.as_deref();
    match (change.event_type, moved) {
        (EventType::Insert, _) => "INSERT".to_owned(),
        (EventType::Delete, _) => "DELETE".to_owned(),
        (EventType::Update, Some(new)) if new == key => {
            format!(
                "UPDATE from key {}",
                change.pk_values.as_deref().unwrap_or("?")
            )
        }
        (EventType::Update, Some(new)) => format!("UPDATE to key {new}"),
        (EventType::Update, None) => "UPDATE".to_owned(),
    }
}
