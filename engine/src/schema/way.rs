//! The way of one table through the statements that came after a row of it: under which names its columns go on.

use super::change::{self, Change, Edit, apply, is};
use super::concern::{Concern, Folded};
use super::lex::{Lexer, Token};
use super::reader::{Name, Reader};
use crate::index::record::Column;

/// A DDL statement, as the index has it.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// The default schema of its session.
    pub(crate) schema: String,
    pub(crate) sql_mode: Option<u64>,
    /// It uses a temporary table of its session.
    pub(crate) temporary: bool,
    pub(crate) sql: String,
}

/// What became of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is there.
    There,
    /// It was dropped, and a table of its name was created. There the columns are known by their names alone.
    Again,
    /// It was dropped.
    Dropped,
}

/// A table on its way.
#[derive(Debug)]
pub(crate) struct Way {
    /// What it is called.
    pub(crate) name: Name,
    /// For each of the columns that it had at first, the name that it has; `None` when it was dropped.
    pub(crate) names: Vec<Option<String>>,
    /// The columns that it has; `None` where that is not certain.
    pub(crate) columns: Option<Vec<Column>>,
    pub(crate) state: State,
    /// Names and columns of it up to here.
    passed: Vec<(Name, Vec<Column>)>,
}

impl Way {
    pub(crate) fn new(schema: &str, table: &str, columns: &[Column]) -> Self {
        Self {
            name: (schema.to_owned(), table.to_owned()),
            names: columns
                .iter()
                .map(|column| Some(column.name.clone()))
                .collect(),
            columns: Some(columns.to_vec()),
            state: State::There,
            passed: Vec::new(),
        }
    }

    /// Had the table of the name that it has now these columns at some time on its way? `None` when that is not
    /// certain.
    pub(crate) fn has_been(&self, columns: &[Column]) -> Option<bool> {
        let own = self.columns.as_ref()?;
        let passed = self.passed.iter().rev();
        let of_name = passed.take_while(|(name, _)| same_name(name, &self.name));
        Some(
            same_columns(own, columns)
                || of_name.into_iter().any(|(_, of)| same_columns(of, columns)),
        )
    }

    /// Goes on behind a statement.
    ///
    /// # Errors
    ///
    /// When nobody can tell what it made of the columns.
    pub(crate) fn pass(&mut self, statement: &Statement) -> Result<(), String> {
        let Statement {
            schema,
            sql_mode,
            temporary,
            sql,
        } = statement;
        if !Concern::of_sql(sql, *sql_mode, schema).names(&self.name.0, &self.name.1) {
            return Ok(());
        }
        let unclear = || {
            let mut start: String = sql.chars().take(SHOWN).collect();
            if start.len() < sql.len() {
                start.push('…');
            }
            format!("what became of its columns is not known behind the statement {start}")
        };
        // Which of two tables of this name it is about, nobody knows.
        if *temporary && !drops(sql, *sql_mode) {
            return Err(unclear());
        }
        if let Some(columns) = &self.columns {
            self.passed.push((self.name.clone(), columns.clone()));
        }
        let known = change::read(sql, *sql_mode, schema);
        match known {
            Some(change) => self.follow(change).ok_or_else(unclear),
            None => self.guess(sql, *sql_mode, schema).ok_or_else(unclear),
        }
    }

    /// Behind a statement that is understood.
    fn follow(&mut self, change: Change) -> Option<()> {
        match change {
            Change::Create(name, columns) if self.is(&name) => self.again(Some(columns)),
            Change::Like(name, _) if self.is(&name) => self.again(None),
            Change::Alter(name, edits, renamed) => {
                let own = self.is(&name);
                if own && self.state == State::Dropped {
                    // It is another one, whose beginning was not seen.
                    return None;
                }
                if own {
                    self.edit(&edits)?;
                }
                match renamed {
                    Some(to) if own => self.name = to,
                    // Another table gets the name.
                    Some(to) if self.is(&to) => self.again(None),
                    _ => {}
                }
            }
            Change::Rename(pairs) => {
                for (from, to) in pairs {
                    if self.state != State::Dropped && self.is(&from) {
                        self.name = to;
                    } else if self.state == State::Dropped && self.is(&to) {
                        self.again(None);
                    }
                }
            }
            Change::Create(..) | Change::Like(..) => {}
        }
        Some(())
    }

    /// Behind a statement of which no more is understood than what it is about.
    fn guess(&mut self, sql: &str, sql_mode: Option<u64>, schema: &str) -> Option<()> {
        let mut reader = Reader {
            tokens: Lexer::new(sql, sql_mode),
            schema,
        };
        if reader.eat("SET") {
            reader.tokens.find(|token| token.is("FOR"))?;
        }
        match reader.word()?.to_ascii_uppercase().as_str() {
            "DROP" => match reader.word()?.to_ascii_uppercase().as_str() {
                "TABLE" | "TABLES" | "DATABASE" | "SCHEMA" => self.state = State::Dropped,
                // It may be the primary key.
                "INDEX" => self.columns = None,
                _ => return None,
            },
            "CREATE" => {
                let replace = reader.eat("OR");
                let table = reader.tokens.any(|token| token.is("TABLE"));
                // One that is there stays as it is.
                match (self.state, table) {
                    (State::Dropped, true) => self.again(None),
                    (_, true) if replace => self.again(None),
                    (_, false) if replace => self.state = State::Dropped,
                    _ => {}
                }
            }
            "ALTER" => {
                // Does a name change hands?
                let moves = ["RENAME", "CHANGE", "DROP", "CONVERT", "EXCHANGE"];
                let moved = reader.tokens.any(|token| {
                    token == Token::Unreadable || moves.iter().any(|word| token.is(word))
                });
                if moved || self.state == State::Dropped {
                    return None;
                }
                self.columns = None;
            }
            _ => return None,
        }
        Some(())
    }

    /// It was dropped, if it was not before, and created.
    fn again(&mut self, columns: Option<Vec<Column>>) {
        self.state = State::Again;
        self.columns = columns;
    }

    fn is(&self, name: &Name) -> bool {
        same_name(name, &self.name)
    }

    fn edit(&mut self, edits: &[Edit]) -> Option<()> {
        for known in &mut self.names {
            let Some(name) = known else { continue };
            let mut of_this = edits.iter().filter_map(|edit| match edit {
                Edit::Drop(of) => is(of, name).then_some(None),
                Edit::Change(of, definition) => {
                    is(of, name).then(|| Some(definition.column.name.clone()))
                }
                Edit::Rename(of, to) => is(of, name).then(|| Some(to.clone())),
                _ => None,
            });
            let next = of_this.next();
            if of_this.next().is_some() {
                return None;
            }
            if let Some(next) = next {
                *known = next;
            }
        }
        if let Some(columns) = &self.columns {
            self.columns = Some(apply(columns, edits)?);
        }
        Some(())
    }
}

/// Does it drop something? Then it says whether that is temporary, whatever its event does.
pub(super) fn drops(sql: &str, sql_mode: Option<u64>) -> bool {
    Lexer::new(sql, sql_mode)
        .next()
        .is_some_and(|token| token.is("DROP"))
}

/// Characters of a statement that are shown.
const SHOWN: usize = 120;

pub(super) fn same_name(one: &Name, other: &Name) -> bool {
    Folded::new(&one.0) == Folded::new(&other.0) && Folded::new(&one.1) == Folded::new(&other.1)
}

/// Have both the same columns in the same order? The server's own hidden ones are of no matter.
pub(crate) fn same_columns(one: &[Column], other: &[Column]) -> bool {
    let seen = |column: &&Column| !column.name.starts_with("!hidden!");
    let (mut one, mut other) = (one.iter().filter(seen), other.iter().filter(seen));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if is(&one.name, &other.name) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<Column> {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            column_type: "int".to_owned(),
            charset: None,
            nullable: true,
            pk: None,
            members: None,
            generated: Some(false),
            invisible: false,
        };
        names.iter().map(column).collect()
    }

    fn way(statements: &[&str]) -> Result<Way, String> {
        let mut way = Way::new("d", "t", &columns(&["id", "a", "b"]));
        for sql in statements {
            way.pass(&Statement {
                schema: "d".to_owned(),
                sql_mode: Some(0),
                temporary: false,
                sql: (*sql).to_owned(),
            })?;
        }
        Ok(way)
    }

    #[test]
    fn columns_keep_what_they_are_under_other_names() {
        for (statements, names, columns) in [
            (&[][..], "id a b", "id a b"),
            (
                &["ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a"],
                "id b a",
                "id b a",
            ),
            (
                &[
                    "ALTER TABLE t CHANGE a x INT",
                    "ALTER TABLE t CHANGE b a INT FIRST",
                    "ALTER TABLE t ADD b INT",
                ],
                "id x a",
                "a id x b",
            ),
            (
                &["ALTER TABLE t DROP a", "ALTER TABLE t ADD a INT AFTER id"],
                "id - b",
                "id a b",
            ),
            (&["ALTER TABLE t DROP a, ADD a INT"], "id - b", "id b a"),
            (
                &[
                    "ALTER TABLE t MODIFY a BIGINT AFTER b, RENAME TO u",
                    "ALTER TABLE t DROP a",
                    "ALTER TABLE u RENAME COLUMN a TO c",
                ],
                "id c b",
                "id b c",
            ),
            (
                &[
                    "RENAME TABLE t TO x, u TO t, x TO u",
                    "ALTER TABLE u RENAME COLUMN A TO Z",
                    "ALTER TABLE t DROP b",
                ],
                "id Z b",
                "id Z b",
            ),
            // What is not understood to the last word, and gives no name to another column.
            (&["ALTER TABLE t ADD c FROB"], "id a b", "?"),
            (&["DROP INDEX `PRIMARY` ON t"], "id a b", "?"),
            (
                &["CREATE TABLE IF NOT EXISTS t (x INT)"],
                "id a b",
                "id a b",
            ),
            (&["CREATE DATABASE IF NOT EXISTS d"], "id a b", "id a b"),
        ] {
            let way = way(statements).unwrap();
            let got: Vec<&str> = way
                .names
                .iter()
                .map(|name| name.as_deref().unwrap_or("-"))
                .collect();
            assert_eq!(got.join(" "), names, "{statements:?}");
            let got = way.columns.map_or("?".to_owned(), |columns| {
                let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                names.join(" ")
            });
            assert_eq!(got, columns, "{statements:?}");
            assert_eq!(way.state, State::There);
        }
    }

    #[test]
    fn what_cannot_be_followed_is_told() {
        for sql in [
            "ALTER TABLE t DROP c",
            "ALTER TABLE t RENAME COLUMN IF EXISTS a TO b",
            "ALTER TABLE t CHANGE a b FROB, CHANGE b a FROB",
            "ALTER TABLE t DROP COLUMN IF EXISTS a",
            "RENAME TABLE t TO",
            "FROB",
        ] {
            let error = way(&[sql]).unwrap_err();
            assert!(error.contains(sql), "{error}");
        }
        let mut temporary = Way::new("d", "t", &columns(&["a"]));
        let mut statement = Statement {
            schema: "d".to_owned(),
            sql_mode: None,
            temporary: true,
            sql: "ALTER TABLE t RENAME COLUMN a TO b".to_owned(),
        };
        assert!(temporary.pass(&statement).is_err());
        // MySQL 9.7 marks every DROP TABLE so.
        statement.sql = "DROP TABLE `t` /* generated by server */".to_owned();
        temporary.pass(&statement).unwrap();
        assert_eq!(temporary.state, State::Dropped);
    }

    #[test]
    fn a_table_goes_and_comes_again() {
        for (statements, state) in [
            (
                &["DROP TABLE IF EXISTS `t` /* generated by server */"][..],
                State::Dropped,
            ),
            (&["DROP DATABASE d"], State::Dropped),
            (
                &["DROP TABLE t", "CREATE TABLE t (id INT, a INT, b INT)"],
                State::Again,
            ),
            (
                &[
                    "DROP TABLE t",
                    "CREATE TABLE IF NOT EXISTS t (id INT, a INT, b INT)",
                ],
                State::Again,
            ),
            (&["DROP TABLE t", "RENAME TABLE u TO t"], State::Again),
            (
                &["CREATE OR REPLACE TABLE t (id INT, a INT, b INT)"],
                State::Again,
            ),
            (&["DROP TABLE u", "TRUNCATE TABLE t"], State::There),
        ] {
            assert_eq!(way(statements).unwrap().state, state, "{statements:?}");
        }
    }

    #[test]
    fn a_definition_is_one_that_it_had() {
        let way = way(&["ALTER TABLE t ADD c INT FIRST", "ALTER TABLE t DROP a"]).unwrap();
        for (names, had) in [
            (&["id", "a", "b"][..], true),
            (&["c", "id", "a", "b"], true),
            (&["c", "id", "B", "!hidden!x!0!0"], true),
            (&["c", "b", "id"], false),
            (&["c", "id"], false),
        ] {
            assert_eq!(way.has_been(&columns(names)), Some(had), "{names:?}");
        }
    }
}
