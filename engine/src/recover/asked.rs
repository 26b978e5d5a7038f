//! The row changes that are asked about, and in their places among them the rows of tables that were emptied.

use std::collections::VecDeque;

use super::along::{Along, Item};
use super::emptied::{self, Emptied, Rows};
use crate::error::Error;
use crate::index::Index;
use crate::query::{Answer, Change, Question};

/// What is to be undone, read as often as it takes.
#[derive(Debug)]
pub struct Asked<'i> {
    pub(super) index: &'i Index,
    pub(super) answer: Answer<'i>,
    keys: Vec<String>,
    newest_first: bool,
    /// Oldest first.
    emptied: Vec<Emptied>,
    /// How many of them are done.
    done: usize,
    /// The rows of the one that is under way.
    rows: Option<Rows<'i>>,
    /// Row changes that come later.
    held: VecDeque<Change>,
    /// There are no more.
    ended: bool,
    /// What the source changed along with them, below its binlog.
    pub(super) along: Along,
}

/// Asks what is to be undone.
///
/// # Errors
///
/// The index's.
pub async fn ask(index: &Index, question: Question) -> Result<Asked<'_>, Error> {
    Ok(Asked {
        index,
        keys: question.keys.clone(),
        newest_first: question.newest_first,
        emptied: emptied::find(index, &question).await?,
        answer: index.ask(question).await?,
        done: 0,
        rows: None,
        held: VecDeque::new(),
        ended: false,
        along: Along::default(),
    })
}

impl Asked<'_> {
    /// Begins again.
    pub(super) fn rewind(&mut self, newest_first: bool) {
        self.answer.rewind(newest_first);
        self.newest_first = newest_first;
        self.done = 0;
        self.rows = None;
        self.held.clear();
        self.ended = false;
    }

    /// Are single rows asked for, and changes of theirs alone?
    pub(super) const fn is_of_rows(&self) -> bool {
        !self.keys.is_empty() && self.emptied.is_empty()
    }

    /// What was emptied, a line each.
    pub(super) fn describe(&self) -> String {
        let lines = self.emptied.iter().map(|emptied| emptied.describe() + "\n");
        lines.collect()
    }

    /// The next row changes, each followed by what went along with it; none at the end.
    pub(super) async fn next_page(&mut self) -> Result<Vec<Item>, Error> {
        let page = self.next_changes().await?;
        self.along.complete(&mut self.answer, page).await
    }

    async fn next_changes(&mut self) -> Result<Vec<Change>, Error> {
        loop {
            let place = if self.newest_first {
                self.emptied.len().checked_sub(self.done.saturating_add(1))
            } else {
                Some(self.done)
            };
            let next = place.and_then(|place| self.emptied.get_mut(place));
            if let (Some(rows), Some(emptied)) = (&mut self.rows, next) {
                let page = rows.next_page().await?;
                if !page.is_empty() {
                    emptied.rows = emptied.rows.saturating_add(page.len() as u64);
                    return Ok(page);
                }
                self.rows = None;
                self.done = self.done.saturating_add(1);
                continue;
            }
            if self.held.is_empty() && !self.ended {
                self.held = self.answer.next_page().await?.into();
                self.ended = self.held.is_empty();
            }
            let Some(emptied) = place.and_then(|place| self.emptied.get_mut(place)) else {
                return Ok(self.held.drain(..).collect());
            };
            let comes_first =
                |change: &&Change| self.newest_first == (change.change_id >= emptied.at);
            let first = self.held.iter().take_while(comes_first).count();
            if first > 0 {
                return Ok(self.held.drain(..first).collect());
            }
            emptied.rows = 0;
            self.rows = Some(Rows::of(self.index, emptied, &self.keys).await?);
        }
    }
}
