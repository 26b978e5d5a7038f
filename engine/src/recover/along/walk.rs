//! Which rows went along with others: the tables' changes are gone through once more from the beginning, oldest first. For each
//! row of a table that refers to others it is kept which change left it there last, and what it refers to; a change of
//! a row that is referred to then tells which rows went along with it.

use std::collections::{HashMap, HashSet, VecDeque};

use sha2::{Digest, Sha256};

use super::super::foreign::{ForeignKey, Name, Rule};
use super::super::losses::{Beginning, Losses};
use super::super::summary::count_of;
use super::{Along, Follower, Values, What};
use crate::error::Error;
use crate::index::Index;
use crate::query::{Change, Image, Question};
use crate::schema::{Fate, fate};

/// Tables that rows lead along, as deep as the server goes.
const DEPTH: usize = 15;

/// A table on the walk.
#[derive(Debug)]
struct Table {
    name: Name,
    /// The columns that foreign keys are about, lower case.
    columns: Vec<String>,
    /// Those of its primary key, lower case.
    key: Vec<String>,
    refers: bool,
    /// Rows of it that went along.
    found: u64,
    /// Why there may be more.
    missing: Option<&'static str>,
    /// And what its history lacks.
    lost: String,
}

/// A row that refers to others.
#[derive(Debug)]
struct Row {
    base: u64,
    /// Has its image all columns?
    whole: bool,
    values: Vec<Option<String>>,
    /// Those of the values that it got below the binlog, with their columns' names.
    set: Values,
}

const KEYLESS: &str = "the table has no primary key, by which its rows could be followed";
const PARTIAL: &str = "images of its rows are not whole (binlog_row_image was not FULL)";
const MOVED: &str = "rows whose primary key went along are not among them";
const OTHER: &str = "it had no column of a name that its foreign key has by now";

struct Walk<'k> {
    keys: &'k [ForeignKey],
    tables: Vec<Table>,
    by_name: HashMap<Name, usize>,
    rows: HashMap<(usize, u128), Row>,
    /// The rows that refer to some values, by foreign key.
    referring: HashMap<(usize, u128), HashSet<u128>>,
    asked: HashSet<u64>,
    foreign_key_checks: bool,
    along: Along,
}

/// Finds what went along with the row changes of these ids, which are of `source_id`.
pub(in crate::recover) async fn find(
    index: &Index,
    source_id: u32,
    keys: &[ForeignKey],
    asked: HashSet<u64>,
    foreign_key_checks: bool,
) -> Result<Along, Error> {
    let end = asked.iter().max().map_or(0, |last| last.saturating_add(1));
    let mut walk = Walk::new(keys, asked, foreign_key_checks);
    let mut emptied = VecDeque::new();
    let definitions = index.definitions(Some(source_id)).await?;
    let losses = Losses::of(index, source_id).await?;
    for (at, table) in walk.tables.iter_mut().enumerate() {
        let (schema, name) = &table.name;
        for definition in &definitions {
            if let Fate::Empties(_) = fate(&definition.statement, schema, name) {
                emptied.push_back((definition.next_change_id, at));
            }
        }
        let before = definitions
            .iter()
            .rev()
            .filter(|definition| definition.next_change_id <= end);
        let beginning = Beginning::of(before, schema, name);
        table.lost = losses.between(&beginning, end);
    }
    emptied.make_contiguous().sort_unstable();
    let mut answers = Vec::new();
    for table in &walk.tables {
        let question = Question {
            source_id: Some(source_id),
            schema: Some(table.name.0.clone()),
            table: Some(table.name.1.clone()),
            ids: Some(0..end),
            ..Question::default()
        };
        answers.push((index.ask(question).await?, VecDeque::new()));
    }
    loop {
        let mut first: Option<(u64, usize)> = None;
        for (at, (answer, page)) in answers.iter_mut().enumerate() {
            if page.is_empty() {
                page.extend(answer.next_page().await?);
            }
            let next = page.front().map(|change: &Change| (change.change_id, at));
            first = match (first, next) {
                (Some(first), Some(next)) => Some(first.min(next)),
                (first, next) => first.or(next),
            };
        }
        let Some((id, at)) = first else { break };
        while let Some((_, table)) = emptied.pop_front_if(|(from, _)| *from <= id) {
            walk.empty(table);
        }
        if let Some(change) = answers.get_mut(at).and_then(|(_, page)| page.pop_front()) {
            walk.pass(at, &change)?;
        }
    }
    Ok(walk.end())
}

impl<'k> Walk<'k> {
    fn new(keys: &'k [ForeignKey], asked: HashSet<u64>, foreign_key_checks: bool) -> Self {
        let mut walk = Self {
            keys,
            tables: Vec::new(),
            by_name: HashMap::new(),
            rows: HashMap::new(),
            referring: HashMap::new(),
            asked,
            foreign_key_checks,
            along: Along::default(),
        };
        for key in keys {
            for (name, refers) in [(&key.parent, false), (&key.child, true)] {
                let next = walk.tables.len();
                let at = *walk.by_name.entry(name.clone()).or_insert(next);
                if at == next {
                    walk.tables.push(Table {
                        name: name.clone(),
                        columns: Vec::new(),
                        key: Vec::new(),
                        refers: false,
                        found: 0,
                        missing: None,
                        lost: String::new(),
                    });
                }
                let Some(table) = walk.tables.get_mut(at) else {
                    continue;
                };
                table.refers |= refers;
                for (own, referred) in &key.columns {
                    let column = if refers { own } else { referred }.to_lowercase();
                    if !table.columns.contains(&column) {
                        table.columns.push(column);
                    }
                }
            }
        }
        walk
    }

    fn table_of(&self, name: &Name) -> usize {
        self.by_name.get(name).copied().unwrap_or(usize::MAX)
    }

    /// A hash of some columns' values; `None` when one is NULL or not known.
    fn hash(&self, table: usize, values: &[Option<String>], columns: &[String]) -> Option<u128> {
        let own = &self.tables.get(table)?.columns;
        let mut hash = Sha256::new();
        for column in columns {
            let at = own.iter().position(|own| *own == column.to_lowercase())?;
            let value = values
                .get(at)?
                .as_deref()
                .filter(|value| *value != "null")?;
            // To most collations these are the same.
            hash.update(value.to_lowercase());
            hash.update([0]);
        }
        digest(hash)
    }

    /// What a row refers to, by each of its foreign keys.
    fn references(&self, table: usize, values: &[Option<String>]) -> Vec<(usize, u128)> {
        let keys = self.keys.iter().enumerate();
        keys.filter(|(_, key)| self.table_of(&key.child) == table)
            .filter_map(|(at, key)| Some((at, self.hash(table, values, &child_columns(key))?)))
            .collect()
    }

    fn put(&mut self, table: usize, id: u128, row: Row) {
        for reference in self.references(table, &row.values) {
            self.referring.entry(reference).or_default().insert(id);
        }
        self.rows.insert((table, id), row);
    }

    fn take(&mut self, table: usize, id: u128) -> Option<Row> {
        let row = self.rows.remove(&(table, id))?;
        for reference in self.references(table, &row.values) {
            if let Some(rows) = self.referring.get_mut(&reference) {
                rows.remove(&id);
                if rows.is_empty() {
                    self.referring.remove(&reference);
                }
            }
        }
        Some(row)
    }

    fn empty(&mut self, table: usize) {
        self.rows.retain(|(of, _), _| *of != table);
        let keys = self.keys;
        for (at, key) in keys.iter().enumerate() {
            if self.table_of(&key.child) == table {
                self.referring.retain(|(of, _), _| *of != at);
            }
        }
    }

    fn missing(&mut self, table: usize, why: &'static str) {
        if let Some(table) = self.tables.get_mut(table) {
            table.missing = Some(why);
        }
    }

    /// The values of the columns that foreign keys are about; what an image leaves out comes from `else`.
    fn values(
        &mut self,
        table: usize,
        image: &str,
        rest: Option<&[Option<String>]>,
    ) -> Result<Vec<Option<String>>, Error> {
        let image = Image::parse(image)
            .map_err(|error| Error::Refused(format!("a row's image cannot be read: {error}")))?;
        let columns = self.tables.get(table).map(|table| table.columns.clone());
        let mut values = Vec::new();
        for (at, column) in columns.into_iter().flatten().enumerate() {
            let held = image
                .columns()
                .find(|(name, _)| name.to_lowercase() == column)
                .map(|(_, value)| value.to_owned());
            let value = held.or_else(|| rest?.get(at)?.clone());
            values.push(value);
        }
        Ok(values)
    }

    /// Goes on behind a row change.
    fn pass(&mut self, table: usize, change: &Change) -> Result<(), Error> {
        let refers = self.tables.get(table).is_some_and(|table| table.refers);
        let columns = self.tables.get(table).map(|table| table.columns.len());
        if let Some(table) = self.tables.get_mut(table) {
            let key = change
                .table
                .columns
                .iter()
                .filter(|column| column.pk.is_some());
            table.key = key.map(|column| column.name.to_lowercase()).collect();
        }
        let own = change.pk_values.as_deref().map(key);
        let was = own.and_then(|own| self.take(table, own));
        let before = match &change.before {
            Some(image) => Some(self.values(table, image, was.as_ref().map(|row| &*row.values))?),
            None => None,
        };
        let after = match &change.after {
            Some(image) => Some(self.values(table, image, before.as_deref())?),
            None => None,
        };
        if let Some(before) = &before {
            let root = self.asked.contains(&change.change_id);
            let mut found = Vec::new();
            self.lead(table, before, after.as_deref(), 0, &mut found);
            if root && !found.is_empty() {
                for (of, _) in &found {
                    if let Some(table) = self.tables.get_mut(*of) {
                        table.found = table.found.saturating_add(1);
                    }
                }
                let found = found.into_iter().map(|(_, follower)| follower).collect();
                self.along.rows.insert(change.change_id, found);
            }
        }
        let (Some(values), true) = (after, refers) else {
            return Ok(());
        };
        let id = change.new_key.as_deref().map(key).or(own);
        let whole = Some(values.iter().flatten().count()) == columns;
        if !whole || id.is_none() {
            let definition = &change.table.columns;
            let named = |column: &String| {
                definition
                    .iter()
                    .any(|own| own.name.to_lowercase() == *column)
            };
            let all = self
                .tables
                .get(table)
                .is_some_and(|table| table.columns.iter().all(named));
            // Where its columns' names are not known, its key is not either.
            let why = match (all, id) {
                (false, _) => OTHER,
                (true, None) => KEYLESS,
                (true, Some(_)) => PARTIAL,
            };
            self.missing(table, why);
        }
        let Some(id) = id else {
            return Ok(());
        };
        let image = change.after.as_deref().unwrap_or_default();
        let held = Image::parse(image).map_or(0, |image| image.columns().len());
        let stored = change.table.columns.iter();
        let stored = stored.filter(|column| column.generated != Some(true));
        let row = Row {
            base: change.change_id,
            whole: held >= stored.count(),
            values,
            set: Vec::new(),
        };
        self.put(table, id, row);
        Ok(())
    }

    /// A row that had these values goes, or gets others: what goes along with it?
    fn lead(
        &mut self,
        table: usize,
        old: &[Option<String>],
        new: Option<&[Option<String>]>,
        depth: usize,
        found: &mut Vec<(usize, Follower)>,
    ) {
        if depth >= DEPTH {
            return;
        }
        let keys = self.keys;
        for (at, key) in keys.iter().enumerate() {
            if self.table_of(&key.parent) != table {
                continue;
            }
            let rule = if new.is_some() {
                key.on_update
            } else {
                key.on_delete
            };
            let parents: Vec<String> = key
                .columns
                .iter()
                .map(|(_, parent)| parent.clone())
                .collect();
            let held = self.hash(table, old, &parents);
            let holds = new.and_then(|new| self.hash(table, new, &parents));
            let (Some(held), true) = (held, rule != Rule::Forbid && held != holds) else {
                continue;
            };
            let child = self.table_of(&key.child);
            let referring = self.referring.get(&(at, held));
            let mut ids: Vec<u128> = referring.into_iter().flatten().copied().collect();
            ids.sort_unstable_by_key(|id| self.rows.get(&(child, *id)).map(|row| row.base));
            for id in ids {
                let Some(mut row) = self.take(child, id) else {
                    continue;
                };
                let mut follower = Follower {
                    base: row.base,
                    set: row.set.clone(),
                    what: What::Gone,
                    by_server: false,
                };
                let was = row.values.clone();
                let whole = row.whole;
                if !whole {
                    self.missing(child, PARTIAL);
                }
                if new.is_none() && rule == Rule::Cascade {
                    found.extend(whole.then_some((child, follower)));
                    self.lead(child, &was, None, depth.saturating_add(1), found);
                    continue;
                }
                let got = self.got(
                    key,
                    (table, child),
                    new.filter(|_| rule == Rule::Cascade),
                    &mut row,
                );
                follower.what = What::Got(got);
                follower.by_server = rule == Rule::Cascade && self.foreign_key_checks;
                let becomes = row.values.clone();
                let of_key = |column: &String| {
                    let of = self.tables.get(child);
                    of.is_some_and(|of| of.key.contains(&column.to_lowercase()))
                };
                if key.columns.iter().any(|(own, _)| of_key(own)) {
                    self.missing(child, MOVED);
                } else {
                    found.extend(whole.then_some((child, follower)));
                    self.put(child, id, row);
                }
                self.lead(child, &was, Some(&becomes), depth.saturating_add(1), found);
            }
        }
    }

    /// Gives a row the values of the one that it refers to, or NULL.
    fn got(
        &self,
        key: &ForeignKey,
        (parent, child): (usize, usize),
        new: Option<&[Option<String>]>,
        row: &mut Row,
    ) -> Values {
        let place = |table: usize, column: &str| {
            let columns = &self.tables.get(table)?.columns;
            let lower = column.to_lowercase();
            columns.iter().position(|own| *own == lower)
        };
        let mut got = Vec::new();
        for (own, referred) in &key.columns {
            let value = new.and_then(|new| new.get(place(parent, referred)?)?.clone());
            let value = value.unwrap_or_else(|| "null".to_owned());
            if let Some(held) = place(child, own).and_then(|at| row.values.get_mut(at)) {
                *held = Some(value.clone());
            }
            row.set.retain(|(column, _)| column != own);
            row.set.push((own.clone(), value.clone()));
            got.push((own.clone(), value));
        }
        got
    }

    fn end(mut self) -> Along {
        for key in self.keys {
            let Some(table) = self.tables.get(self.table_of(&key.child)) else {
                continue;
            };
            let (schema, name) = &table.name;
            let missing = table.missing.map(|why| format!("; {why}"));
            self.along.notes.insert(format!(
                "{schema}.{name}: {} that the source changed along with those of {}.{} ({}), below its binlog, from the \
                 history{}{}",
                count_of(table.found, "row"),
                key.parent.0,
                key.parent.1,
                key.rules(),
                table.lost,
                missing.unwrap_or_default()
            ));
        }
        self.along
    }
}

fn child_columns(key: &ForeignKey) -> Vec<String> {
    key.columns.iter().map(|(own, _)| own.clone()).collect()
}

fn key(text: &str) -> u128 {
    digest(Sha256::new_with_prefix(text)).unwrap_or_default()
}

fn digest(hash: Sha256) -> Option<u128> {
    let digest = hash.finalize();
    digest
        .first_chunk::<16>()
        .map(|first| u128::from_be_bytes(*first))
}
