//! Compares: the index with the binlog, and either of them with the source's tables.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::Result;
use crate::client::Client;
use crate::index::{Event, Reader};
use crate::json::Json;
use crate::oracle::{Image, Oracle, Outcome, RowEvent, Transaction};
use crate::schema::{Catalog, Table, quoted};
use crate::value::{Charsets, Value, timestamp};

/// (a): the index holds the row events of the binlog one for one, in order. Returns how many.
///
/// Rows of transactions that were rolled back, or are not decided yet, are in the binlog and not
/// in the index's view.
pub fn same_events(
    index: Reader,
    oracle: impl IntoIterator<Item = Result<Transaction>>,
    catalog: &Catalog,
    charsets: &mut Charsets,
) -> Result<u64> {
    let (count, unnamed) = same_or_unnamed_events(index, oracle, catalog, charsets)?;
    match unnamed {
        0 => Ok(count),
        unnamed => {
            Err(format!("{unnamed} of {count} rows have columns named by their place").into())
        }
    }
}

/// The same, where rows may have their columns named by their place: `@1`, `@2`, …. Their values are not
/// compared. Returns how many rows there are, and how many of these.
pub fn same_or_unnamed_events(
    index: Reader,
    oracle: impl IntoIterator<Item = Result<Transaction>>,
    catalog: &Catalog,
    charsets: &mut Charsets,
) -> Result<(u64, u64)> {
    let mut events = index.events();
    let mut count = 0;
    let mut unnamed = 0;
    let mut last: Option<Event> = None;
    for transaction in oracle {
        let transaction = transaction?;
        if transaction.outcome != Outcome::Committed {
            continue;
        }
        for (n, row) in transaction.rows.iter().enumerate() {
            let whence = || {
                let Transaction {
                    file,
                    start,
                    end,
                    gtid,
                    ..
                } = &transaction;
                let gtid = gtid.as_deref().unwrap_or("no GTID");
                format!(
                    "event {count} of the binlog: row {n} of transaction {gtid} at {file} {start}–{end}, \
                     {} of {}.{}, in the event at {}",
                    row.change.name(),
                    row.schema,
                    row.table,
                    row.position
                )
            };
            let Some(event) = events.next().transpose()? else {
                return Err(format!(
                    "the index ends early, behind {last:?}; missing is {}",
                    whence()
                )
                .into());
            };
            let named =
                same_event(&event, row, &transaction, catalog, charsets).map_err(|error| {
                    format!(
                        "{error}\n{}\nin the index: {event:?}\nbefore it: {last:?}",
                        whence()
                    )
                })?;
            last = Some(event);
            count += 1;
            unnamed += u64::from(!named);
        }
    }
    match events.next().transpose()? {
        None => Ok((count, unnamed)),
        Some(event) => {
            Err(format!("behind the {count} events of the binlog the index has {event:?}").into())
        }
    }
}

/// Returns whether its columns are named.
fn same_event(
    event: &Event,
    row: &RowEvent,
    transaction: &Transaction,
    catalog: &Catalog,
    charsets: &mut Charsets,
) -> Result<bool> {
    let same = |name: &str, found: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
        let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
        if found == expected {
            Ok(())
        } else {
            Err(format!("{name} is {found}, not {expected}"))
        }
    };
    same("schema_name", &event.schema_name, &row.schema)?;
    same("table_name", &event.table_name, &row.table)?;
    same("event_type", &event.event_type.as_str(), &row.change.name())?;
    same("gtid", &event.gtid, &transaction.gtid)?;
    same("binlog_file", &event.binlog_file, &transaction.file)?;
    same("start_pos", &event.start_pos, &transaction.start)?;
    same("end_pos", &event.end_pos, &transaction.end)?;
    same(
        "connection_id",
        &event.connection_id,
        &transaction.connection_id,
    )?;
    if !transaction.xa {
        let micros = transaction.committed_at;
        let fraction = format!("{:06}", micros.rem_euclid(1_000_000));
        let expected = timestamp(micros.div_euclid(1_000_000), &fraction);
        same("event_timestamp", &event.event_timestamp, &expected)?;
    }
    let mut named = true;
    for (name, found, expected) in [
        ("row_before", &event.row_before, &row.before),
        ("row_after", &event.row_after, &row.after),
    ] {
        let expected = expected
            .as_ref()
            .map(|image| (image, definition(catalog, row, image)));
        match (found, expected) {
            (None, None) => {}
            (Some(text), Some((image, _))) if is_unnamed(text, image)? => named = false,
            (Some(text), Some((image, table))) => {
                same_image(text, image, table?, charsets)
                    .map_err(|error| format!("{name}: {error}"))?;
            }
            (found, _) => return Err(format!("{name} is {found:?}").into()),
        }
    }
    Ok(named)
}

/// Has an image of the index the very columns of the other one, all named by their place?
fn is_unnamed(text: &str, image: &Image) -> Result<bool> {
    let Json::Object(members) = Json::parse(text)? else {
        return Err("not an object".into());
    };
    let places = image.iter().map(|(place, _)| format!("@{place}"));
    Ok(members.iter().map(|(name, _)| name.clone()).eq(places))
}

fn definition<'a>(catalog: &'a Catalog, row: &RowEvent, image: &Image) -> Result<&'a Table> {
    let columns = image.last().map_or(0, |(place, _)| *place);
    let table = catalog.table(&row.schema, &row.table, columns);
    // An image may lack the last columns.
    let table = table.or_else(|| catalog.latest(&row.schema, &row.table));
    Ok(table.ok_or_else(|| {
        format!(
            "{}.{} with {columns} columns is not known",
            row.schema, row.table
        )
    })?)
}

/// Does an image of the index hold what `mysqlbinlog` printed, member for member, in column order?
pub fn same_image(text: &str, image: &Image, table: &Table, charsets: &mut Charsets) -> Result<()> {
    let Json::Object(members) = Json::parse(text)? else {
        return Err("not an object".into());
    };
    if members.len() != image.len() {
        let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        return Err(format!(
            "{} members for {} columns: {names:?}",
            members.len(),
            image.len()
        )
        .into());
    }
    for ((name, json), (place, cell)) in members.iter().zip(image) {
        let column = table
            .columns
            .get(place - 1)
            .ok_or("more columns than the table has")?;
        if *name != column.name {
            return Err(format!("column {place} is named {name:?}, not {:?}", column.name).into());
        }
        let expected = Value::from_oracle(cell, column, charsets)?;
        let found = Value::from_image(json, column)?;
        if !expected.same(&found) {
            return Err(format!("column {place}, {name:?}: {found:.1000} in the index, {expected:.1000} in the binlog").into());
        }
    }
    Ok(())
}

/// Tables rebuilt from images.
#[derive(Debug)]
pub struct Replay<'a> {
    catalog: &'a Catalog,
    /// Are FLOATs and VECTORs known to six digits only?
    rounded: bool,
    tables: HashMap<(String, String), Rebuilt>,
}

/// The rows of a table, as texts.
#[derive(Debug, Default)]
struct Rebuilt {
    /// By primary key.
    keyed: HashMap<String, String>,
    /// Without a primary key: how often each row is there.
    counted: HashMap<String, u64>,
}

/// Column name and value, in column order.
type Named<'t> = Vec<(&'t str, Value)>;

impl<'a> Replay<'a> {
    /// Empty tables. `rounded` when the images come from `mysqlbinlog`.
    #[must_use]
    pub fn new(catalog: &'a Catalog, rounded: bool) -> Replay<'a> {
        Replay {
            catalog,
            rounded,
            tables: HashMap::new(),
        }
    }

    /// (b), for the index: applies all its events.
    pub fn index(&mut self, index: Reader) -> Result<u64> {
        let mut count = 0;
        for event in index.events() {
            let event = event?;
            let latest = self.catalog.latest(&event.schema_name, &event.table_name);
            let latest = latest.ok_or_else(|| {
                format!(
                    "an unknown table, {}.{}",
                    event.schema_name, event.table_name
                )
            })?;
            let image = |text: &Option<String>| {
                text.as_deref()
                    .map(|text| from_json(text, latest))
                    .transpose()
            };
            image(&event.row_before)
                .and_then(|before| Ok((before, image(&event.row_after)?)))
                .and_then(|(before, after)| self.apply(latest, before, after))
                .map_err(|error| format!("{error}\nat {event:?}"))?;
            count += 1;
        }
        Ok(count)
    }

    /// (b), for the binlog itself: proves the oracle, the catalog and the workload.
    pub fn oracle(&mut self, oracle: Oracle, charsets: &mut Charsets) -> Result<u64> {
        let mut count = 0;
        for transaction in oracle {
            let transaction = transaction?;
            if transaction.outcome != Outcome::Committed {
                continue;
            }
            for row in &transaction.rows {
                let latest = self.catalog.latest(&row.schema, &row.table);
                let latest = latest
                    .ok_or_else(|| format!("an unknown table, {}.{}", row.schema, row.table))?;
                let mut image = |image: &Option<Image>| {
                    let named =
                        |image| from_oracle(image, definition(self.catalog, row, image)?, charsets);
                    image.as_ref().map(named).transpose()
                };
                let (before, after) = (image(&row.before)?, image(&row.after)?);
                self.apply(latest, before, after).map_err(|error| {
                    format!(
                        "{error}\nat {row:?} of {} {}",
                        transaction.file, transaction.start
                    )
                })?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Takes `before` out of the table and puts `after` into it.
    fn apply(
        &mut self,
        table: &Table,
        before: Option<Named<'_>>,
        after: Option<Named<'_>>,
    ) -> Result<()> {
        let rounded = self.rounded;
        let rebuilt = self
            .tables
            .entry((table.schema.clone(), table.name.clone()))
            .or_default();
        if let Some(before) = before {
            rebuilt.remove(table, &row(table, before, rounded))?;
        }
        if let Some(after) = after {
            rebuilt.add(table, &row(table, after, rounded))?;
        }
        Ok(())
    }

    /// Compares every table of `schemas` with what the source holds. Returns the number of rows.
    pub fn same_tables(&self, client: &mut Client, schemas: &[String]) -> Result<u64> {
        let list: Vec<String> = schemas
            .iter()
            .map(|name| format!("'{}'", name.replace('\'', "''")))
            .collect();
        let names = client.strings(&format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA IN ({})",
            list.join(",")
        ))?;
        let mut count = 0;
        let empty = Rebuilt::default();
        for name in names {
            let table = self
                .catalog
                .latest(&name[0], &name[1])
                .ok_or_else(|| format!("{name:?} is not in the catalog"))?;
            let rebuilt = self
                .tables
                .get(&(name[0].clone(), name[1].clone()))
                .unwrap_or(&empty);
            count += rebuilt
                .same(table, client, self.rounded)
                .map_err(|error| format!("{}.{}: {error}", table.schema, table.name))?;
        }
        Ok(count)
    }
}

fn from_json<'t>(text: &str, table: &'t Table) -> Result<Named<'t>> {
    let Json::Object(members) = Json::parse(text)? else {
        return Err("not an object".into());
    };
    let named = |(name, json): &(String, Json)| {
        let column = table.columns.iter().find(|column| column.name == *name);
        let column = column.ok_or_else(|| format!("no column {name:?}"))?;
        Ok((column.name.as_str(), Value::from_image(json, column)?))
    };
    members.iter().map(named).collect()
}

fn from_oracle<'t>(image: &Image, table: &'t Table, charsets: &mut Charsets) -> Result<Named<'t>> {
    let mut named = Vec::with_capacity(image.len());
    for (place, cell) in image {
        let column = table
            .columns
            .get(place - 1)
            .ok_or("more columns than the table has")?;
        named.push((
            column.name.as_str(),
            Value::from_oracle(cell, column, charsets)?,
        ));
    }
    Ok(named)
}

/// A row's key and all of it as texts, with NULL in columns that came later.
fn row(table: &Table, named: Named<'_>, rounded: bool) -> (String, String) {
    let mut values: HashMap<&str, Value> = named.into_iter().collect();
    let texts: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let value = values.remove(column.name.as_str()).unwrap_or(Value::Null);
            let value = if rounded { value.rounded() } else { value };
            value.to_string()
        })
        .collect();
    let key: Vec<&str> = table
        .key
        .iter()
        .map(|column| texts[*column].as_str())
        .collect();
    (key.join("\u{1f}"), texts.join("\u{1f}"))
}

impl Rebuilt {
    fn remove(&mut self, table: &Table, (key, row): &(String, String)) -> Result<()> {
        if table.key.is_empty() {
            match self.counted.get_mut(row) {
                Some(1) => self.counted.remove(row).map(|_| ()),
                Some(count) => {
                    *count -= 1;
                    Some(())
                }
                None => None,
            }
            .ok_or_else(|| format!("the row to change is not there: {row:.2000}").into())
        } else {
            match self.keyed.remove(key) {
                Some(found) if found == *row => Ok(()),
                Some(found) => {
                    Err(format!("the row to change is\n{found:.2000}\nnot\n{row:.2000}").into())
                }
                None => Err(format!("the row to change is not there: {key:.2000}").into()),
            }
        }
    }

    fn add(&mut self, table: &Table, (key, row): &(String, String)) -> Result<()> {
        if table.key.is_empty() {
            *self.counted.entry(row.clone()).or_default() += 1;
        } else if self.keyed.insert(key.clone(), row.clone()).is_some() {
            return Err(format!("the row to insert is there already: {key:.2000}").into());
        }
        Ok(())
    }

    fn same(&self, table: &Table, client: &mut Client, rounded: bool) -> Result<u64> {
        let columns: Vec<String> = table.columns.iter().map(Value::select).collect();
        let rows = client.query(&format!(
            "SELECT {} FROM {}.{}",
            columns.join(", "),
            quoted(&table.schema),
            quoted(&table.name)
        ))?;
        let count = rows.len() as u64;
        let mut left = self.counted.clone();
        let mut seen = HashSet::new();
        for cells in rows {
            let mut named = Vec::new();
            for (column, cell) in table.columns.iter().zip(cells) {
                named.push((column.name.as_str(), Value::from_source(cell, column)?));
            }
            let (key, row) = row(table, named, rounded);
            if table.key.is_empty() {
                match left.get_mut(&row) {
                    Some(count) if *count > 0 => *count -= 1,
                    _ => return Err(format!("missing or too rare: {row:.2000}").into()),
                }
            } else {
                match self.keyed.get(&key) {
                    Some(found) if *found == row => seen.insert(key),
                    Some(found) => {
                        return Err(format!(
                            "rebuilt is\n{found:.2000}\nthe source has\n{row:.2000}"
                        )
                        .into());
                    }
                    None => return Err(format!("missing: {row:.2000}").into()),
                };
            }
        }
        let too_much: BTreeSet<&String> = if table.key.is_empty() {
            left.iter()
                .filter(|(_, count)| **count > 0)
                .map(|(row, _)| row)
                .collect()
        } else {
            self.keyed
                .keys()
                .filter(|key| !seen.contains(*key))
                .collect()
        };
        match too_much.first() {
            None => Ok(count),
            Some(row) => Err(format!(
                "{} rows the source has not, first {row:.2000}",
                too_much.len()
            )
            .into()),
        }
    }
}
