//! The definitions that the index knows of a source's tables, and up to where each holds.

use std::collections::HashMap;

use super::change::{Change, apply};
use super::concern::{Concern, Folded};
use super::reader::Name;
use super::{Place, is_before};
use crate::error::Error;
use crate::index::Index;
use crate::index::record::{Column, KnownBy, TableVersion, ValidTable};

/// What holds at the stream's place or further on.
#[derive(Debug)]
pub(super) struct History<'a> {
    index: &'a Index,
    source_id: u32,
    tables: HashMap<(Folded, Folded), Vec<ValidTable>>,
}

impl<'a> History<'a> {
    /// Where it is kept.
    pub(super) const fn index(&self) -> &'a Index {
        self.index
    }

    /// What holds behind `checkpoint`, where the stream goes on. Without one it begins there, and what is known
    /// may be of another course of things.
    pub(super) async fn load(
        index: &'a Index,
        source_id: u32,
        place: &Place,
        goes_on: bool,
    ) -> Result<Self, Error> {
        let mut tables: HashMap<_, Vec<ValidTable>> = HashMap::new();
        // By GTIDs a stream may go on at a place not known yet.
        if goes_on && !place.0.is_empty() {
            for table in index.valid_tables(source_id, place).await? {
                let name = folded(&table.schema, &table.table);
                tables.entry(name).or_default().push(table);
            }
        } else {
            index.forget_tables(source_id, place).await?;
        }
        Ok(Self {
            index,
            source_id,
            tables,
        })
    }

    /// The definition that a table has at a place, where it is known.
    pub(super) async fn at(
        &self,
        schema: &str,
        table: &str,
        place: &Place,
    ) -> Result<Option<(u32, TableVersion)>, Error> {
        let known = self.tables.get(&folded(schema, table));
        let latest = known.into_iter().flatten().rfind(|known| {
            known.schema == schema
                && known.table == table
                && !is_before(place, &known.valid_from)
                && base(&place.0) == base(&known.valid_from.0)
                && known
                    .valid_until
                    .as_ref()
                    .is_none_or(|until| is_before(place, until))
        });
        let Some(ValidTable { table_id, .. }) = latest else {
            return Ok(None);
        };
        let version = self.index.table_version(*table_id).await?;
        Ok(Some((*table_id, version)))
    }

    /// Keeps the definition that a table has from a place on. What was known of it ends there.
    pub(super) async fn add(&mut self, version: &TableVersion) -> Result<u32, Error> {
        let (schema, table) = (&version.schema, &version.table);
        let place = &version.valid_from;
        let name = folded(schema, table);
        self.end(std::slice::from_ref(&name), place, |known| {
            known.schema == *schema && known.table == *table
        })
        .await?;
        let table_id = self.index.register_table(self.source_id, version).await?;
        self.tables.entry(name).or_default().push(ValidTable {
            table_id,
            schema: schema.clone(),
            table: table.clone(),
            valid_from: place.clone(),
            valid_until: None,
        });
        Ok(table_id)
    }

    /// The definitions that a statement at `at` makes, valid from behind it; none where what it begins with
    /// is not known.
    pub(super) async fn made(
        &self,
        change: Change,
        at: &Place,
        behind: &Place,
    ) -> Result<Vec<TableVersion>, Error> {
        let version = |(schema, table): Name, columns| TableVersion {
            schema,
            table,
            columns,
            known_by: KnownBy::Ddl,
            valid_from: behind.clone(),
        };
        Ok(match change {
            Change::Create(name, columns) => vec![version(name, columns)],
            Change::Like(name, of) => {
                let columns = self.columns(&of, at).await?;
                columns
                    .map(|columns| version(name, columns))
                    .into_iter()
                    .collect()
            }
            Change::Alter(name, edits, renamed) => {
                let before = self.columns(&name, at).await?;
                let columns = before.and_then(|columns| apply(&columns, &edits));
                let name = renamed.unwrap_or(name);
                columns
                    .map(|columns| version(name, columns))
                    .into_iter()
                    .collect()
            }
            Change::Rename(pairs) => {
                let mut now: HashMap<Name, Option<Vec<Column>>> = HashMap::new();
                for (from, to) in pairs {
                    let columns = match now.insert(from.clone(), None) {
                        Some(columns) => columns,
                        None => self.columns(&from, at).await?,
                    };
                    now.insert(to, columns);
                }
                now.into_iter()
                    .filter_map(|(name, columns)| Some(version(name, columns?)))
                    .collect()
            }
        })
    }

    /// The columns of a table, where their names are known.
    async fn columns(
        &self,
        (schema, table): &Name,
        place: &Place,
    ) -> Result<Option<Vec<Column>>, Error> {
        let known = self.at(schema, table, place).await?;
        Ok(known
            .filter(|(_, version)| version.known_by != KnownBy::Position)
            .map(|(_, version)| version.columns))
    }

    /// Keeps a definition, unless it is known, for the stream was there before.
    pub(super) async fn define(&mut self, version: &TableVersion) -> Result<(), Error> {
        let name = (version.schema.clone(), version.table.clone());
        let known = self.columns(&name, &version.valid_from).await?;
        if known.as_ref() != Some(&version.columns) {
            self.add(version).await?;
        }
        Ok(())
    }

    /// A statement passes that may give tables other columns: what is known of them ends there.
    pub(super) async fn pass(&mut self, concern: &Concern, place: &Place) -> Result<(), Error> {
        let names = match concern {
            Concern::Nothing => return Ok(()),
            Concern::Tables(names) => names.clone(),
            concern => self
                .tables
                .keys()
                .filter(|(schema, table)| concern.has(schema, table))
                .cloned()
                .collect(),
        };
        self.end(&names, place, |_| true).await
    }

    /// Ends what is known of tables at a place. What begins further on stays: the stream was there before,
    /// and comes there again.
    async fn end(
        &mut self,
        names: &[(Folded, Folded)],
        place: &Place,
        which: impl Fn(&ValidTable) -> bool,
    ) -> Result<(), Error> {
        let mut ended = Vec::new();
        for name in names {
            if let Some(known) = self.tables.get_mut(name) {
                known.retain(|known| {
                    let ahead = base(&known.valid_from.0) == base(&place.0)
                        && is_before(place, &known.valid_from);
                    if !ahead && which(known) {
                        ended.push(known.table_id);
                    }
                    ahead || !which(known)
                });
                if known.is_empty() {
                    self.tables.remove(name);
                }
            }
        }
        if !ended.is_empty() {
            self.index.end_tables(&ended, place).await?;
        }
        Ok(())
    }
}

fn folded(schema: &str, table: &str) -> (Folded, Folded) {
    (Folded::new(schema), Folded::new(table))
}

/// What the names of a server's binlog files have in common until `log_bin` is changed.
fn base(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(base, _)| base)
}
