//! Tables that a statement emptied: TRUNCATE and DROP log no rows. What the index has of the rows, their last images, comes in
//! place of deletions that were not logged.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::losses::{Beginning, Losses};
use super::one_line;
use super::summary::count_of;
use crate::clock::rfc3339;
use crate::error::Error;
use crate::index::Index;
use crate::index::record::{EventType, Micros};
use crate::query::{Answer, Change, Question};
use crate::schema::{Fate, fate};

/// A table that a statement emptied.
#[derive(Debug)]
pub(super) struct Emptied {
    source_id: u32,
    schema: String,
    table: String,
    /// What did it.
    what: &'static str,
    committed_at: Micros,
    /// The rows are those of changes from one id up to another, where the statement stands.
    from: u64,
    pub(super) at: u64,
    /// Why there may have been more of them.
    missing: String,
    /// How many rows the index has.
    pub(super) rows: u64,
}

impl Emptied {
    /// For the summary.
    pub(super) fn describe(&self) -> String {
        one_line(&format!(
            "{}.{}: {} at {}: {} from the history{}",
            self.schema,
            self.table,
            self.what,
            rfc3339(self.committed_at),
            count_of(self.rows, "row"),
            self.missing
        ))
    }
}

/// The tables that statements emptied which fit the question.
pub(super) async fn find(index: &Index, question: &Question) -> Result<Vec<Emptied>, Error> {
    let deletes =
        question.event_types.is_empty() || question.event_types.contains(&EventType::Delete);
    // Of statements no session is known, and of rows that are looked for by their values the last image is.
    let told_apart = question.connection_id.is_some()
        || question.changed_column.is_some()
        || !question.values.is_empty();
    if !deletes || told_apart {
        return Ok(Vec::new());
    }
    let given =
        |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|wanted| wanted == has);
    let all = index.definitions(question.source_id).await?;
    let mut emptied = Vec::new();
    for (place, definition) in all.iter().enumerate() {
        let fits = question
            .since
            .is_none_or(|since| definition.committed_at >= since)
            && question
                .until
                .is_none_or(|until| definition.committed_at < until)
            && (question.gtid.is_none() || question.gtid == definition.gtid);
        if !fits {
            continue;
        }
        for (schema, table) in index.tables_of(definition.source_id).await? {
            let Fate::Empties(what) = fate(&definition.statement, &schema, &table) else {
                continue;
            };
            if !(given(&question.schema, &schema) && given(&question.table, &table)) {
                continue;
            }
            let before = all.iter().take(place).rev();
            let of_source = before.filter(|before| before.source_id == definition.source_id);
            let beginning = Beginning::of(of_source, &schema, &table);
            let losses = Losses::of(index, definition.source_id).await?;
            emptied.push(Emptied {
                source_id: definition.source_id,
                schema,
                table,
                what,
                committed_at: definition.committed_at,
                from: beginning.from,
                at: definition.next_change_id,
                missing: losses.between(&beginning, definition.next_change_id),
                rows: 0,
            });
        }
    }
    Ok(emptied)
}

/// The rows that a table held, read backwards from where it was emptied.
#[derive(Debug)]
pub(super) struct Rows<'i> {
    answer: Answer<'i>,
    keys: Vec<String>,
    /// Keys whose end was seen.
    seen: HashSet<u128>,
    /// Rows without a key that came to an end, by what they were.
    ended: HashMap<u128, u64>,
    /// The names of the key's columns.
    key: Option<Vec<String>>,
}

impl<'i> Rows<'i> {
    pub(super) async fn of(
        index: &'i Index,
        emptied: &Emptied,
        keys: &[String],
    ) -> Result<Self, Error> {
        let question = Question {
            source_id: Some(emptied.source_id),
            schema: Some(emptied.schema.clone()),
            table: Some(emptied.table.clone()),
            keys: keys.to_vec(),
            ids: Some(emptied.from..emptied.at),
            newest_first: true,
            ..Question::default()
        };
        Ok(Self {
            answer: index.ask(question).await?,
            keys: keys.to_vec(),
            seen: HashSet::new(),
            ended: HashMap::new(),
            key: None,
        })
    }

    /// The next of them, each as its deletion; none at the end.
    pub(super) async fn next_page(&mut self) -> Result<Vec<Change>, Error> {
        loop {
            let page = self.answer.next_page().await?;
            if page.is_empty() {
                return Ok(page);
            }
            let mut rows = Vec::new();
            for change in page {
                rows.extend(self.row(change)?);
            }
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
    }

    /// The row that a change left there to the end.
    fn row(&mut self, change: Change) -> Result<Option<Change>, Error> {
        let mut columns: Vec<_> = change
            .table
            .columns
            .iter()
            .filter(|column| column.pk.is_some())
            .collect();
        columns.sort_by_key(|column| column.pk);
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        if *self.key.get_or_insert_with(|| names.clone()) != names {
            return Err(Error::Refused(format!(
                "{}.{} got another primary key before it was emptied: which rows it had then is not known; --since and \
                 --until can leave that out",
                change.table.schema, change.table.table
            )));
        }
        let Some(own) = &change.pk_values else {
            return Ok(self.row_without_key(change));
        };
        let key = change.new_key.as_ref().unwrap_or(own).clone();
        let there = self.seen.insert(hash(&key)) && change.event_type != EventType::Delete;
        self.seen.insert(hash(own));
        let asked = self.keys.is_empty() || self.keys.contains(&key);
        Ok((there && asked).then(|| deletion(change, Some(key))))
    }

    fn row_without_key(&mut self, change: Change) -> Option<Change> {
        let mut there = false;
        if let Some(after) = &change.after {
            match self.ended.get_mut(&hash(after)).filter(|ended| **ended > 0) {
                Some(ended) => *ended -= 1,
                None => there = true,
            }
        }
        if let Some(before) = &change.before {
            let ended = self.ended.entry(hash(before)).or_default();
            *ended = ended.saturating_add(1);
        }
        there.then(|| deletion(change, None))
    }
}

fn deletion(change: Change, key: Option<String>) -> Change {
    Change {
        event_type: EventType::Delete,
        pk_values: key,
        before: change.after,
        after: None,
        new_key: None,
        ..change
    }
}

fn hash(text: &str) -> u128 {
    let digest = Sha256::digest(text);
    digest
        .first_chunk::<16>()
        .map_or(0, |first| u128::from_be_bytes(*first))
}
