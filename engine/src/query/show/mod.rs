//! Rows as they were at a moment, from the history in the index alone.

mod life;
mod table;
mod view;

use std::collections::VecDeque;

use life::Life;
pub use life::Row;
use table::Windows;
use view::View;

use super::{Answer, Change, Question, Segment};
use crate::index::record::{EventType, Micros};
use crate::index::{Index, Result};

/// Changes of a row that are read backwards for one that tells all of it.
const BACKWARDS: usize = 10_000;

/// Which rows are asked for, and when.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Of this source.
    pub source_id: Option<u32>,
    /// Of a table in this schema.
    pub schema: Option<String>,
    /// Of the table of this name.
    pub table: String,
    /// The rows with these keys, as `pk_values` has them; without any, all of the table's that the index has.
    pub keys: Vec<String>,
    /// When all that was committed up to then, and nothing later, had been; `None` for the end of what the index has.
    pub at: Option<Micros>,
}

impl Asked {
    fn question(&self, view: &View) -> Question {
        Question {
            source_id: Some(view.source_id),
            schema: Some(view.schema.clone()),
            table: Some(self.table.clone()),
            ..Question::default()
        }
    }
}

/// Was there a row?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There was.
    Present,
    /// There was none.
    Absent,
    /// The history in the index does not tell.
    Unknown,
}

/// A place in a row's history.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The change that was there; `None` for a statement that emptied the table.
    pub change_id: Option<u64>,
    /// When it was committed.
    pub at: Option<Micros>,
    /// What it was.
    pub what: String,
}

/// A row as it was.
#[derive(Debug, Clone)]
pub struct RowAt {
    /// Its key.
    pub key: String,
    /// Was it there?
    pub state: State,
    /// What is known of it.
    pub row: Option<Row>,
    /// What had left it so; `None` where that is not in the index.
    pub since: Option<Mark>,
    /// What found it so; `None` where nothing did so far.
    pub until: Option<Mark>,
    /// Why its state is not known.
    pub why: Option<String>,
}

/// What emptied a table.
#[derive(Debug, Clone)]
pub struct Emptied {
    /// The statement's kind.
    pub what: &'static str,
    /// When it was.
    pub at: Micros,
    /// Its GTID.
    pub gtid: Option<String>,
}

/// Rows as they were, to be read in pages.
#[derive(Debug)]
pub struct Past<'a> {
    index: &'a Index,
    asked: Asked,
    view: View,
    keys: VecDeque<String>,
    windows: Option<Windows<'a>>,
}

impl Index {
    /// Looks at rows as they were.
    ///
    /// # Errors
    ///
    /// When the index cannot be read, and [`ErrorKind::NoSuchTable`](super::ErrorKind::NoSuchTable) when it is not
    /// clear which table is meant.
    pub async fn past(&self, asked: Asked) -> Result<Past<'_>> {
        let view = View::of(self, &asked).await?;
        let windows = if asked.keys.is_empty() {
            let question = asked.question(&view);
            let nothing = Segment { from: 0, to: 0 };
            let answer = self.ask_within(question, Some(nothing)).await?;
            Some(Windows::new(answer))
        } else {
            None
        };
        Ok(Past {
            index: self,
            keys: asked.keys.iter().cloned().collect(),
            asked,
            view,
            windows,
        })
    }

    /// The changes of rows, oldest first, and what may have changed them without one.
    ///
    /// # Errors
    ///
    /// As [`past`](Self::past).
    pub async fn history(&self, asked: Asked) -> Result<History<'_>> {
        let view = View::of(self, &asked).await?;
        let question = Question {
            keys: asked.keys.clone(),
            ..asked.question(&view)
        };
        let answer = self.ask_within(question, Some(view.all)).await?;
        Ok(History {
            answer,
            events: view.events().collect(),
        })
    }
}

impl Past<'_> {
    /// The schema of the table.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.view.schema
    }

    /// The name of the table.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.asked.table
    }

    /// The last TRUNCATE or DROP of the table before the moment.
    #[must_use]
    pub const fn emptied(&self) -> Option<&Emptied> {
        self.view.emptied.as_ref()
    }

    /// Some more rows; `None` at the end. Of a whole table, those that were not there are left out.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub async fn next_page(&mut self) -> Result<Option<Vec<RowAt>>> {
        if let Some(windows) = &mut self.windows {
            return windows.next_page(&self.view).await;
        }
        match self.keys.pop_front() {
            Some(key) => Ok(Some(vec![self.row(key).await?])),
            None => Ok(None),
        }
    }

    /// The row with a key.
    async fn row(&self, key: String) -> Result<RowAt> {
        let view = &self.view;
        let question = Question {
            keys: vec![key.clone()],
            ..self.asked.question(view)
        };
        let mut life = Life::new(view, key);
        let before = Segment {
            to: view.cut,
            ..view.all
        };
        let newest_first = Question {
            newest_first: true,
            ..question.clone()
        };
        // Nearly always the last change tells all.
        let mut answer = self.index.ask_within(newest_first, Some(before)).await?;
        let mut changes = Vec::new();
        let mut whole = false;
        while !whole && changes.len() < BACKWARDS {
            let page = answer.next_page().await?;
            if page.is_empty() {
                whole = true;
            }
            for change in page {
                whole = life.is_whole(&change)?;
                changes.push(change);
                if whole {
                    break;
                }
            }
        }
        if whole {
            for change in changes.iter().rev() {
                life.take(change)?;
            }
        } else {
            drop(changes);
            let answer = self
                .index
                .ask_within(question.clone(), Some(before))
                .await?;
            follow(&mut life, answer).await?;
        }
        let behind = Segment {
            from: view.cut,
            ..view.all
        };
        let answer = self.index.ask_within(question, Some(behind)).await?;
        follow(&mut life, answer).await?;
        life.end()
    }
}

async fn follow(life: &mut Life<'_>, mut answer: Answer<'_>) -> Result<()> {
    while !life.is_over() {
        let page = answer.next_page().await?;
        if page.is_empty() {
            break;
        }
        for change in &page {
            life.take(change)?;
        }
    }
    Ok(())
}

/// The history of rows, to be read in pages.
#[derive(Debug)]
pub struct History<'a> {
    answer: Answer<'a>,
    events: VecDeque<Event>,
}

/// What may have changed rows of a table without row changes.
#[derive(Debug, Clone)]
pub struct Event {
    /// Changes from this id on are behind it.
    next: u64,
    /// When it was.
    pub at: Option<Micros>,
    /// What it was.
    pub what: String,
}

/// A step of a history.
#[derive(Debug)]
pub enum Step {
    /// A row change.
    Change(Box<Change>),
    /// Something else.
    Event(Event),
}

impl History<'_> {
    /// The next steps; none at the end.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub async fn next_page(&mut self) -> Result<Vec<Step>> {
        let page = self.answer.next_page().await?;
        if page.is_empty() {
            return Ok(self.events.drain(..).map(Step::Event).collect());
        }
        let mut steps = Vec::with_capacity(page.len());
        for change in page {
            while let Some(event) = self
                .events
                .pop_front_if(|event| event.next <= change.change_id)
            {
                steps.push(Step::Event(event));
            }
            steps.push(Step::Change(Box::new(change)));
        }
        Ok(steps)
    }
}

impl Change {
    /// The columns of the row that it left or found, by its definition.
    fn is_full(&self) -> Result<bool> {
        let image = match self.event_type {
            EventType::Delete => &self.before,
            _ => &self.after,
        };
        let Some(image) = image else { return Ok(false) };
        let image = super::Image::parse(image).map_err(crate::index::convert::damaged)?;
        Ok(image.columns().len() >= self.table.columns.len())
    }
}
