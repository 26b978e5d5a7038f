//! Names for the tables that rows come from: never a name that a column did not have when its row was written.
//!
//! With `binlog_row_metadata=FULL` the event names its columns. Else there are two who know them:
//!
//! - the index, whose definition of a table holds until a statement in the binlog that may change it
//!   ([`Concern`]), and is led on by what the statement says where all of that is understood ([`change`]). So rows
//!   are named that lie before a change when the stream is behind it;
//! - the source's `information_schema`, which knows the present. It tells of the past as well if no statement in
//!   between may have changed the table: that stretch of the binlog is read ahead to know ([`Ahead`]).
//!
//! Where neither is certain, columns are named by their place, `@1`, `@2`, ….

mod about;
mod ahead;
mod change;
mod column;
mod concern;
mod effect;
mod history;
mod lex;
mod reader;
mod way;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bintrail_proto::binlog::decoder::Event;
use bintrail_proto::binlog::query::Query;
use bintrail_proto::binlog::table_map::TableMap;
use bintrail_proto::binlog::value::charset::Charset;
use tokio::sync::watch;

use crate::described::{may_be_native, native};
use crate::error::Error;
use crate::filter::Filter;
use crate::index::Index;
use crate::index::record::{Column, Flavor, KnownBy, Place, TableVersion};
use crate::source;
use crate::source::server::{Server, log_order};
use crate::table::{SchemaColumn, Table, members, same_labels, settle_old_fractions};
pub(crate) use about::{may_be_one, schemas};
use ahead::Ahead;
pub(crate) use column::is_text;
use concern::Folded;
pub(crate) use concern::{Concern, decode};
pub(crate) use effect::{Effect, Fate, effect, fate};
use history::History;
pub(crate) use lex::{Lexer, Token};
pub(crate) use way::{State, Statement, Way, same_columns};

/// How often it is looked whether the index has answered, when told to stop.
const LOOK: Duration = Duration::from_millis(10);

/// Names the columns of one stream's tables.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    history: Option<History<'a>>,
    ahead: Ahead,
    filter: Filter,
    /// Are statements read for the definitions they make?
    reads_changes: bool,
    /// Does the source keep names of tables in lower case, whatever a statement says?
    folds: bool,
    /// Definitions of the index that the source was asked about.
    checked: HashSet<u32>,
    /// What is said of each table was said in sessions before.
    pub(crate) quiet: bool,
}

/// Does a definition of the index hold?
enum Holds {
    No,
    Yes,
    /// And it is the source's present one.
    As(Vec<SchemaColumn>),
}

/// A table with its columns named.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) table: Table,
    /// Its row in the index's `table_versions`; 0 without an index.
    pub(crate) table_id: u32,
}

impl Names<'static> {
    /// For a reader without an index. The binlog is read ahead under `server_id`.
    pub(crate) fn without_index(server_id: u32) -> Self {
        Self {
            history: None,
            ahead: Ahead::new(server_id),
            filter: Filter::default(),
            reads_changes: false,
            folds: false,
            checked: HashSet::new(),
            quiet: false,
        }
    }
}

impl<'a> Names<'a> {
    /// For a stream into an index that reads from `place` on; `goes_on` when all before that was read.
    pub(crate) async fn with_index(
        index: &'a Index,
        source_id: u32,
        place: &Place,
        goes_on: bool,
        filter: Filter,
        (server_id, flavor): (u32, Flavor),
        server: Option<&Server>,
    ) -> Result<Self, Error> {
        let folds = server.is_some_and(|server| {
            let variables = &server.settings.variables;
            variables.text("lower_case_table_names") != "0"
        });
        Ok(Self {
            history: Some(History::load(index, source_id, place, goes_on).await?),
            ahead: Ahead::new(server_id),
            filter,
            // MariaDB can log an ALTER TABLE when it begins (binlog_alter_two_phase), with rows under the old
            // definition behind it.
            reads_changes: flavor == Flavor::MySql,
            folds,
            checked: HashSet::new(),
            quiet: false,
        })
    }

    /// Takes note of a statement, before the stream's place moves behind it. Returns the tables that may have
    /// other columns from there on.
    pub(crate) async fn pass(
        &mut self,
        query: &Query<'_>,
        event: &Event<'_>,
        file: &str,
    ) -> Result<Option<Concern>, Error> {
        let concern = Concern::of(query);
        if concern == Concern::Nothing {
            return Ok(None);
        }
        let Some(history) = &mut self.history else {
            return Ok(Some(concern));
        };
        let (at, behind) = ((file.to_owned(), event.start), (file.to_owned(), event.end));
        // A session's own temporary table may hide the one of that name.
        let temporary = event.header.flags & THREAD_SPECIFIC != 0;
        let mut made = Vec::new();
        if self.reads_changes
            && !temporary
            && query.error_code == 0
            && let Some(change) = concern::read_change(query)
            && let Some(change) = if self.folds {
                change.in_lower_case()
            } else {
                Some(change)
            }
        {
            made = history.made(change, &at, &behind).await?;
        }
        history.pass(&concern, &at).await?;
        for version in made {
            if self.filter.keeps(&version.schema, &version.table) {
                history.define(&version).await?;
            }
        }
        Ok(Some(concern))
    }

    /// Names the columns of `map`, which stands at `place`, as they were then; `None` when told to stop meanwhile.
    pub(crate) async fn resolve(
        &mut self,
        map: TableMap,
        place: Place,
        server: Option<&mut Server>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Option<Named>, Error> {
        let mut stop = stop.clone();
        let index = self.history.as_ref().map(History::index);
        let named = self.name(map, place, server);
        tokio::pin!(named);
        tokio::select! {
            biased;
            named = &mut named => return named.map(Some),
            // An error means that nobody can stop it any more, and the source's answer comes by itself.
            Ok(_) = stop.wait_for(|stop| *stop) => {}
        }
        // The source may take its time, and is not waited for. A question to the index is: dropped halfway, it would
        // end the session that is to write what was read.
        while index.is_some_and(|index| !index.is_idle()) {
            tokio::select! {
                biased;
                named = &mut named => return named.map(Some),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        Ok(None)
    }

    async fn name(
        &mut self,
        mut map: TableMap,
        place: Place,
        mut server: Option<&mut Server>,
    ) -> Result<Named, Error> {
        if map.may_have_old_fractions()
            && let Some(server) = &mut server
        {
            let now = server.columns(&map.schema, &map.table).await?;
            if !self.changed_since(&map, &place, server).await? {
                settle_old_fractions(&mut map, &now);
            }
        }
        let known = match &self.history {
            Some(history) => history.at(&map.schema, &map.table, &place).await?,
            None => None,
        };
        let Some(server) = server else {
            return self.name_alone(map, place, known).await;
        };
        if map.has_names() {
            let table = self
                .named_by_event(map, known.as_ref(), place, server)
                .await?;
            return self.keep(table, known).await;
        }
        if let Some((table_id, version)) = &known
            && version.known_by != KnownBy::Position
        {
            let columns = columns_of(version);
            if let Some(table) = Table::from_schema(&map, &columns, version.known_by, place.clone())
            {
                let (table_id, ddl) = (*table_id, version.known_by == KnownBy::Ddl);
                let known_by = KnownBy::InformationSchema;
                let mut now = match self.still_holds(table_id, &map, &table, server).await? {
                    Holds::No => return self.by_place(map, place, UNLOGGED, known).await,
                    Holds::As(now) => now,
                    Holds::Yes => Vec::new(),
                };
                if !ddl {
                    return Ok(Named { table, table_id });
                }
                // A statement leaves out what a table's defaults say.
                if !now.is_empty() && self.changed_since(&map, &place, server).await? {
                    now.clear();
                }
                let whole = Table::from_schema(&map, &now, known_by, place);
                return self.keep(whole.unwrap_or(table), known).await;
            }
        }
        let columns = server.columns(&map.schema, &map.table).await?;
        let known_by = KnownBy::InformationSchema;
        let Some(table) = Table::from_schema(&map, &columns, known_by, place.clone()) else {
            let why = if columns.is_empty() { UNSEEN } else { OTHER };
            return self.by_place(map, place, why, known).await;
        };
        if self.changed_since(&map, &place, server).await? {
            return self.by_place(map, place, SINCE, known).await;
        }
        self.keep(table, known).await
    }

    /// Without a source to ask: by the event itself, or by what the index knows and the statements since then.
    async fn name_alone(
        &mut self,
        mut map: TableMap,
        place: Place,
        known: Option<(u32, TableVersion)>,
    ) -> Result<Named, Error> {
        let certain = known
            .as_ref()
            .filter(|(_, version)| version.known_by != KnownBy::Position)
            .map(|(_, version)| columns_of(version))
            .unwrap_or_default();
        if map.has_names() {
            give_native_types(&mut map, &certain);
            let table = Table::from_event(Arc::new(map), place).with_generated(&certain);
            return self.keep(table, known).await;
        }
        if let Some((table_id, version)) = &known
            && let Some(table) = Table::from_schema(&map, &certain, version.known_by, place.clone())
        {
            let table_id = *table_id;
            return Ok(Named { table, table_id });
        }
        self.by_place(map, place, UNASKED, known).await
    }

    /// The event's names, and MariaDB's own types that it has stand-ins for. Which columns are generated no event
    /// tells.
    async fn named_by_event(
        &mut self,
        mut map: TableMap,
        known: Option<&(u32, TableVersion)>,
        place: Place,
        server: &mut Server,
    ) -> Result<Table, Error> {
        let known = known.map(|(_, version)| columns_of(version));
        if server.flavor() == Flavor::MariaDb && map.columns.iter().any(may_be_native) {
            let certain = match &known {
                Some(columns) => columns.clone(),
                None => {
                    let columns = server.columns(&map.schema, &map.table).await?;
                    if self.changed_since(&map, &place, server).await? {
                        Vec::new()
                    } else {
                        columns
                    }
                }
            };
            give_native_types(&mut map, &certain);
        }
        let table = Table::from_event(Arc::new(map), place)
            .with_generated(known.as_deref().unwrap_or_default());
        if table
            .version
            .columns
            .iter()
            .all(|column| column.generated.is_some())
        {
            return Ok(table);
        }
        let now = server.columns(&table.map.schema, &table.map.table).await?;
        Ok(table.with_generated(&now))
    }

    /// Is the definition that the index has of a table the one it has at `place`? It is unless it was
    /// changed behind the binlog's back, with `sql_log_bin=0`; asked once for each.
    async fn still_holds(
        &mut self,
        table_id: u32,
        map: &TableMap,
        table: &Table,
        server: &mut Server,
    ) -> Result<Holds, Error> {
        if self.checked.contains(&table_id) {
            return Ok(Holds::Yes);
        }
        let columns = columns_of(&table.version);
        let now = server.columns(&map.schema, &map.table).await?;
        let place = &table.version.valid_from;
        let holds = if same(&columns, &now) {
            Holds::As(now)
        } else if now.is_empty() || self.changed_since(map, place, server).await? {
            Holds::Yes
        } else {
            return Ok(Holds::No);
        };
        self.checked.insert(table_id);
        Ok(holds)
    }

    /// May a statement behind `place` have changed what `information_schema` has just said of the table?
    async fn changed_since(
        &mut self,
        map: &TableMap,
        place: &Place,
        server: &mut Server,
    ) -> Result<bool, Error> {
        if !server.settled(&map.schema, &map.table).await? {
            return Ok(true);
        }
        let now = server.readable_place().await?;
        let name = (Folded::new(&map.schema), Folded::new(&map.table));
        let concerns = self
            .ahead
            .concerns((&name.0, &name.1), place, now.as_ref(), server);
        match concerns.await {
            // Of files that the source no longer has.
            Err(Error::Source {
                error:
                    source::Error::PositionPurged(_)
                    | source::Error::PositionUnknown(_)
                    | source::Error::LogCutOff(_),
                ..
            }) => Ok(true),
            concerns => concerns,
        }
    }

    async fn by_place(
        &mut self,
        map: TableMap,
        place: Place,
        why: &str,
        known: Option<(u32, TableVersion)>,
    ) -> Result<Named, Error> {
        if !self.quiet {
            tracing::warn!(
                schema = &*map.schema,
                table = &*map.table,
                file = place.0,
                position = place.1,
                "{why}: columns are named @1, @2, …; SET PERSIST binlog_row_metadata = FULL on the source has every \
                 event name its columns"
            );
        }
        self.keep(Table::from_event(Arc::new(map), place), known)
            .await
    }

    /// Keeps a definition in the index, unless that is what it has.
    async fn keep(
        &mut self,
        table: Table,
        known: Option<(u32, TableVersion)>,
    ) -> Result<Named, Error> {
        let Some(history) = &mut self.history else {
            let table_id = 0;
            return Ok(Named { table, table_id });
        };
        let version = &table.version;
        let table_id = match known {
            Some((table_id, known))
                if known.columns == version.columns && known.known_by == version.known_by =>
            {
                table_id
            }
            _ => history.add(version).await?,
        };
        // It is what the source says, or does not say, now.
        self.checked.insert(table_id);
        Ok(Named { table, table_id })
    }
}

/// `LOG_EVENT_THREAD_SPECIFIC_F` of an event's header: a statement that uses a temporary table.
pub(crate) const THREAD_SPECIFIC: u16 = 0x04;

const UNLOGGED: &str =
    "the table was changed without a trace in the binlog (sql_log_bin=0), nobody knows where";
const UNSEEN: &str = "the table is gone, or the user has no privilege to see it";
const OTHER: &str = "the table's definition is not the one that these rows were written under";
const SINCE: &str = "the table may have been changed since these rows were written";

const UNASKED: &str = "neither the files nor the index tell the names of its columns, and no source is there to ask \
                       (--source-dsn)";

/// Gives columns the types of MariaDB that the event only has stand-ins for, where the table's definition tells them.
fn give_native_types(map: &mut TableMap, certain: &[SchemaColumn]) {
    for column in &mut map.columns {
        let known = certain
            .iter()
            .find(|known| Some(&*known.name) == column.name.as_deref());
        if let Some(native) = known.and_then(|known| native(column, &known.column_type)) {
            column.column_type = native;
        }
    }
}

/// The columns of a definition, as `information_schema` would give them.
fn columns_of(version: &TableVersion) -> Vec<SchemaColumn> {
    version
        .columns
        .iter()
        .map(|column| SchemaColumn {
            name: column.name.clone(),
            column_type: full_type(column),
            charset: column.charset.clone(),
            nullable: column.nullable,
            generated: column.generated,
            invisible: column.invisible,
            pk: column.pk,
        })
        .collect()
}

/// With the labels, which stand apart in what row metadata told.
fn full_type(column: &Column) -> String {
    match &column.members {
        Some(labels) if !column.column_type.contains('(') => {
            with_labels(&column.column_type, labels)
        }
        _ => column.column_type.clone(),
    }
}

/// `enum('a','b')`
fn with_labels(name: &str, labels: &[String]) -> String {
    let quoted: Vec<String> = labels
        .iter()
        .map(|label| format!("'{}'", label.replace('\\', "\\\\").replace('\'', "''")))
        .collect();
    format!("{name}({})", quoted.join(","))
}

/// Are rows read alike under both? What the event itself tells of types is not compared.
fn same(one: &[SchemaColumn], other: &[SchemaColumn]) -> bool {
    let charset = |column: &SchemaColumn| column.charset.as_deref().map(Charset::from_name);
    // Of labels, neither a statement nor the event may tell it, and they are UTF-8 here.
    let labels = |column: &SchemaColumn| members(&column.column_type);
    let unsigned = |column: &SchemaColumn| column.column_type.contains(" unsigned");
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            one.name == other.name
                && one.pk == other.pk
                && (charset(one) == charset(other)
                    || one.charset.is_none() && labels(one).is_some())
                && unsigned(one) == unsigned(other)
                && match (labels(one), labels(other)) {
                    (Some(one), Some(other)) => same_labels(&one, &other),
                    (one, other) => one == other,
                }
        })
}

/// Does one place come before another in the source's binlog?
fn is_before(one: &Place, other: &Place) -> bool {
    log_order(&one.0, one.1) < log_order(&other.0, other.1)
}
