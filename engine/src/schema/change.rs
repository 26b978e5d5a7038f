//! What a statement makes of the definitions of tables.
//!
//! Only what is understood to the last word is told; the rows behind it show whether it fits them.

use std::collections::HashSet;

use bintrail_proto::binlog::table_map::MAX_COLUMNS;

use super::column::{Definition, Position};
use super::lex::{Lexer, Token};
use super::reader::{Name, Reader};
use crate::index::record::Column;

/// A statement that defines tables.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A table that was not there before.
    Create(Name, Vec<Column>),
    /// A table that was not there before, like another one.
    Like(Name, Name),
    /// A table's columns change; then perhaps its name.
    Alter(Name, Vec<Edit>, Option<Name>),
    /// Tables get other names, one after the other.
    Rename(Vec<(Name, Name)>),
}

/// Clauses of ALTER TABLE, by their first word, that leave columns and keys as they are.
const OPTIONS: [&str; 41] = [
    "ALGORITHM",
    "AUTOEXTEND_SIZE",
    "AUTO_INCREMENT",
    "AVG_ROW_LENGTH",
    "CHARACTER",
    "CHARSET",
    "CHECKSUM",
    "COLLATE",
    "COMMENT",
    "COMPRESSION",
    "CONNECTION",
    "DEFAULT",
    "DELAY_KEY_WRITE",
    "DISABLE",
    "ENABLE",
    "ENCRYPTED",
    "ENCRYPTION",
    "ENCRYPTION_KEY_ID",
    "ENGINE",
    "ENGINE_ATTRIBUTE",
    "FORCE",
    "INSERT_METHOD",
    "KEY_BLOCK_SIZE",
    "LOCK",
    "MAX_ROWS",
    "MIN_ROWS",
    "PACK_KEYS",
    "PAGE_CHECKSUM",
    "PAGE_COMPRESSED",
    "PAGE_COMPRESSION_LEVEL",
    "ROW_FORMAT",
    "SECONDARY_ENGINE",
    "SECONDARY_ENGINE_ATTRIBUTE",
    "SECONDARY_LOAD",
    "SECONDARY_UNLOAD",
    "STATS_AUTO_RECALC",
    "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES",
    "TABLESPACE",
    "TABLE_CHECKSUM",
    "TRANSACTIONAL",
];

/// A clause of ALTER TABLE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edit {
    Add(Definition),
    Drop(String),
    /// Of the column of this name.
    Change(String, Definition),
    Rename(String, String),
    /// A primary key over these columns.
    Key(Vec<String>),
    /// No primary key.
    NoKey,
    Invisible(String, bool),
    /// Text columns get another character set.
    Convert,
}

impl Change {
    /// As a server keeps it whose `lower_case_table_names` is not 0; `None` where it cannot be told how that folds a name.
    pub(super) fn in_lower_case(self) -> Option<Self> {
        let name = |(schema, table): Name| Some((lower(&schema)?, lower(&table)?));
        Some(match self {
            Self::Create(of, columns) => Self::Create(name(of)?, columns),
            Self::Like(of, like) => Self::Like(name(of)?, name(like)?),
            Self::Alter(of, edits, None) => Self::Alter(name(of)?, edits, None),
            Self::Alter(of, edits, Some(to)) => Self::Alter(name(of)?, edits, Some(name(to)?)),
            Self::Rename(pairs) => Self::Rename(
                pairs
                    .into_iter()
                    .map(|(from, to)| Some((name(from)?, name(to)?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }
}

/// A name whose letters beyond ASCII are in lower case already.
fn lower(name: &str) -> Option<String> {
    name.chars()
        .all(|c| c.is_ascii() || c.to_lowercase().eq([c]))
        .then(|| name.to_ascii_lowercase())
}

/// Reads a statement; `None` where it is none of these, or not all of it is understood.
pub(super) fn read(sql: &str, sql_mode: Option<u64>, schema: &str) -> Option<Change> {
    let mut reader = Reader {
        tokens: Lexer::new(sql, sql_mode),
        schema,
    };
    let change = reader.change()?;
    // Then it may have said more, or less.
    let mut all = Lexer::new(sql, sql_mode);
    while all.next().is_some() {}
    (reader.at_end() && !all.was_conditional()).then_some(change)
}

impl Reader<'_> {
    fn change(&mut self) -> Option<Change> {
        match self.word()?.to_ascii_uppercase().as_str() {
            "ALTER" => {
                // MariaDB. IGNORE makes rows go.
                self.eat("ONLINE");
                self.eat("TABLE").then_some(())?;
                self.if_exists();
                let table = self.table()?;
                self.edits(table)
            }
            "CREATE" => {
                if self.eat("OR") {
                    self.eat("REPLACE").then_some(())?;
                }
                self.eat("TABLE").then_some(())?;
                // If it exists, the statement is logged, and changes nothing.
                if self.if_exists() {
                    return None;
                }
                let table = self.table()?;
                self.new_table(table)
            }
            "RENAME" => {
                self.eat_any(&["TABLE", "TABLES"])?;
                let mut pairs = Vec::new();
                loop {
                    let from = self.table()?;
                    self.eat("TO").then_some(())?;
                    pairs.push((from, self.table()?));
                    if !self.eat_symbol(',') {
                        return Some(Change::Rename(pairs));
                    }
                }
            }
            _ => None,
        }
    }

    fn new_table(&mut self, table: Name) -> Option<Change> {
        if self.eat("LIKE") {
            return Some(Change::Like(table, self.table()?));
        }
        self.eat_symbol('(').then_some(())?;
        if self.eat("LIKE") {
            let of = self.table()?;
            self.eat_symbol(')').then_some(())?;
            return Some(Change::Like(table, of));
        }
        let mut edits = Vec::new();
        loop {
            match self.ahead().as_str() {
                "PRIMARY" | "CONSTRAINT" => edits.extend(self.constraint()?),
                "KEY" | "INDEX" | "UNIQUE" | "FULLTEXT" | "SPATIAL" | "FOREIGN" | "CHECK" => {
                    self.skip_clause()?;
                }
                _ => edits.push(Edit::Add(self.definition()?)),
            }
            if !self.eat_symbol(',') {
                break;
            }
        }
        self.eat_symbol(')').then_some(())?;
        // Options; a query would add columns.
        for token in self.tokens.by_ref() {
            let query = ["SELECT", "AS", "WITH", "TABLE", "IGNORE", "REPLACE"];
            if token == Token::Unreadable || query.iter().any(|word| token.is(word)) {
                return None;
            }
        }
        Some(Change::Create(table, apply(&[], &edits)?))
    }

    /// `[CONSTRAINT [name]] PRIMARY KEY (…)` gives an edit, other constraints none.
    fn constraint(&mut self) -> Option<Option<Edit>> {
        const KINDS: [&str; 4] = ["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"];
        if self.eat("CONSTRAINT") && !KINDS.contains(&self.ahead().as_str()) {
            self.identifier()?;
        }
        match self.eat_any(&KINDS)? {
            "PRIMARY" => {
                self.eat("KEY").then_some(())?;
                if self.eat("USING") {
                    self.word()?;
                }
                self.eat_symbol('(').then_some(())?;
                let mut names = Vec::new();
                loop {
                    names.push(self.identifier()?);
                    if self.eat_symbol('(') {
                        self.close()?;
                    }
                    self.eat_any(&["ASC", "DESC"]);
                    if !self.eat_symbol(',') {
                        break;
                    }
                }
                self.eat_symbol(')').then_some(())?;
                self.skip_clause()?;
                Some(Some(Edit::Key(names)))
            }
            _ => {
                self.skip_clause()?;
                Some(None)
            }
        }
    }

    fn edits(&mut self, table: Name) -> Option<Change> {
        let mut edits = Vec::new();
        let mut renamed = None;
        loop {
            match self.word()?.to_ascii_uppercase().as_str() {
                "ADD" => self.add(&mut edits)?,
                "DROP" => edits.extend(self.drop_part()?),
                "CHANGE" => {
                    self.eat("COLUMN");
                    let old = self.identifier()?;
                    edits.push(Edit::Change(old, self.definition()?));
                }
                "MODIFY" => {
                    self.eat("COLUMN");
                    let definition = self.definition()?;
                    edits.push(Edit::Change(definition.column.name.clone(), definition));
                }
                "RENAME" => match self.ahead().as_str() {
                    "COLUMN" => {
                        self.word()?;
                        let from = self.identifier()?;
                        self.eat("TO").then_some(())?;
                        edits.push(Edit::Rename(from, self.identifier()?));
                    }
                    "INDEX" | "KEY" => self.skip_clause()?,
                    _ => {
                        if self.eat_any(&["TO", "AS"]).is_none() {
                            self.eat_symbol('=');
                        }
                        renamed = Some(self.table()?);
                    }
                },
                "ALTER" => edits.extend(self.alter_part()?),
                "CONVERT" => {
                    (self.eat("TO") && (self.eat("CHARSET") || self.eat("CHARACTER")))
                        .then_some(())?;
                    self.skip_clause()?;
                    edits.push(Edit::Convert);
                }
                option if OPTIONS.contains(&option) => self.skip_clause()?,
                "WITH" | "WITHOUT" if self.eat("VALIDATION") => {}
                // These come alone or last, and keep the columns.
                "PARTITION" | "REMOVE" | "COALESCE" | "REORGANIZE" | "EXCHANGE" | "TRUNCATE"
                | "ANALYZE" | "CHECK" | "OPTIMIZE" | "REBUILD" | "REPAIR" | "IMPORT"
                | "DISCARD" => {
                    self.skip_all()?;
                }
                _ => return None,
            }
            if !self.eat_symbol(',') {
                // `ALTER TABLE t ADD a INT PARTITION BY …`
                if self.eat("PARTITION") || self.eat("REMOVE") {
                    self.skip_all()?;
                }
                return Some(Change::Alter(table, edits, renamed));
            }
        }
    }

    fn skip_all(&mut self) -> Option<()> {
        self.tokens
            .by_ref()
            .all(|token| token != Token::Unreadable)
            .then_some(())
    }

    fn add(&mut self, edits: &mut Vec<Edit>) -> Option<()> {
        match self.ahead().as_str() {
            "PRIMARY" | "CONSTRAINT" => edits.extend(self.constraint()?),
            "KEY" | "INDEX" | "UNIQUE" | "FULLTEXT" | "SPATIAL" | "FOREIGN" | "CHECK" => {
                self.skip_clause()?;
            }
            "PARTITION" => self.skip_all()?,
            _ => {
                self.eat("COLUMN");
                if self.eat_symbol('(') {
                    loop {
                        edits.push(Edit::Add(self.definition()?));
                        if !self.eat_symbol(',') {
                            break;
                        }
                    }
                    self.eat_symbol(')').then_some(())?;
                } else {
                    edits.push(Edit::Add(self.definition()?));
                }
            }
        }
        Some(())
    }

    fn drop_part(&mut self) -> Option<Option<Edit>> {
        match self.ahead().as_str() {
            "PRIMARY" => {
                self.word()?;
                self.eat("KEY").then_some(Some(Edit::NoKey))
            }
            "INDEX" | "KEY" => {
                self.word()?;
                let name = self.identifier()?;
                Some(name.eq_ignore_ascii_case("PRIMARY").then_some(Edit::NoKey))
            }
            "FOREIGN" | "CHECK" => {
                self.skip_clause()?;
                Some(None)
            }
            "PARTITION" => {
                self.skip_all()?;
                Some(None)
            }
            // It may be the primary key's name.
            "CONSTRAINT" => None,
            _ => {
                self.eat("COLUMN");
                let name = self.identifier()?;
                self.eat_any(&["RESTRICT", "CASCADE"]);
                Some(Some(Edit::Drop(name)))
            }
        }
    }

    fn alter_part(&mut self) -> Option<Option<Edit>> {
        if ["INDEX", "CHECK", "CONSTRAINT"].contains(&self.ahead().as_str()) {
            self.skip_clause()?;
            return Some(None);
        }
        self.eat("COLUMN");
        let name = self.identifier()?;
        let set = self.eat("SET");
        if set && self.eat("INVISIBLE") {
            return Some(Some(Edit::Invisible(name, true)));
        }
        if set && self.eat("VISIBLE") {
            return Some(Some(Edit::Invisible(name, false)));
        }
        self.skip_clause()?;
        Some(None)
    }
}

/// Column names are the same in any case.
pub(super) fn is(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    one == other || one.to_lowercase() == other.to_lowercase()
}

/// The columns that a table has after these clauses; `None` where that is not certain.
///
/// As the server does it: columns are dropped, renamed and changed where they are; then those that
/// are new, or get another place, are put in, one after the other.
pub(super) fn apply(old: &[Column], edits: &[Edit]) -> Option<Vec<Column>> {
    if edits.len() > MAX_COLUMNS {
        return None;
    }
    let mut columns = Vec::with_capacity(old.len());
    let mut placed = 0_usize;
    for column in old {
        let mut of_this = edits.iter().filter(|edit| match edit {
            Edit::Drop(name) | Edit::Change(name, _) | Edit::Rename(name, _) => {
                is(name, &column.name)
            }
            _ => false,
        });
        let edit = of_this.next();
        if of_this.next().is_some() {
            return None;
        }
        placed = placed.saturating_add(usize::from(edit.is_some()));
        match edit {
            Some(Edit::Drop(_)) => {}
            Some(Edit::Change(_, definition)) if definition.place.is_some() => {}
            Some(Edit::Change(_, definition)) => columns.push(changed(column, definition)),
            Some(Edit::Rename(_, name)) => columns.push(Column {
                name: name.clone(),
                ..column.clone()
            }),
            _ => columns.push(column.clone()),
        }
    }
    let on_old = edits
        .iter()
        .filter(|edit| matches!(edit, Edit::Drop(_) | Edit::Change(..) | Edit::Rename(..)))
        .count();
    if placed != on_old {
        return None;
    }
    for edit in edits {
        match edit {
            Edit::Add(definition) => {
                put(&mut columns, definition.column.clone(), definition, edits)?;
            }
            Edit::Change(name, definition) if definition.place.is_some() => {
                let before = old.iter().find(|column| is(name, &column.name))?;
                put(&mut columns, changed(before, definition), definition, edits)?;
            }
            _ => {}
        }
    }
    for edit in edits {
        match edit {
            Edit::Invisible(name, invisible) => {
                let column = columns.iter_mut().find(|column| is(name, &column.name))?;
                column.invisible = *invisible;
            }
            Edit::Convert => {
                for column in &mut columns {
                    column.charset = None;
                }
            }
            _ => {}
        }
    }
    set_key(&mut columns, edits)?;
    let mut names = HashSet::new();
    let unique = columns
        .iter()
        .all(|column| names.insert(column.name.to_lowercase()));
    (unique && !columns.is_empty()).then_some(columns)
}

/// A column changed stays in the primary key.
fn changed(before: &Column, definition: &Definition) -> Column {
    Column {
        pk: before.pk,
        ..definition.column.clone()
    }
}

fn put(
    columns: &mut Vec<Column>,
    column: Column,
    definition: &Definition,
    edits: &[Edit],
) -> Option<()> {
    let at = match &definition.place {
        None => columns.len(),
        Some(Position::First) => 0,
        Some(Position::After(name)) => {
            // Which of two columns is meant by a name that changes hands?
            let moved = edits.iter().any(|edit| match edit {
                Edit::Rename(from, to) => is(name, from) || is(name, to),
                Edit::Change(from, to) if !is(from, &to.column.name) => {
                    is(name, from) || is(name, &to.column.name)
                }
                _ => false,
            });
            if moved {
                return None;
            }
            let after = columns.iter().position(|column| is(name, &column.name))?;
            after.saturating_add(1)
        }
    };
    columns.insert(at, column);
    Some(())
}

fn set_key(columns: &mut [Column], edits: &[Edit]) -> Option<()> {
    if edits.contains(&Edit::NoKey) {
        for column in &mut *columns {
            column.pk = None;
        }
    }
    let mut keys: Vec<Vec<String>> = Vec::new();
    for edit in edits {
        match edit {
            Edit::Key(names) => keys.push(names.clone()),
            Edit::Add(definition) | Edit::Change(_, definition) if definition.key => {
                keys.push(vec![definition.column.name.clone()]);
            }
            _ => {}
        }
    }
    match keys.as_slice() {
        [] => {}
        [names] if columns.iter().all(|column| column.pk.is_none()) => {
            for (place, name) in (1..).zip(names) {
                let column = columns.iter_mut().find(|column| is(name, &column.name))?;
                column.pk = Some(place);
            }
        }
        _ => return None,
    }
    // A column dropped leaves the others in their order.
    let mut places: Vec<u16> = columns.iter().filter_map(|column| column.pk).collect();
    places.sort_unstable();
    for column in columns {
        if let Some(pk) = column.pk {
            let at = places.iter().position(|place| *place == pk)?;
            column.pk = Some(u16::try_from(at).ok()?.checked_add(1)?);
            column.nullable = false;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
