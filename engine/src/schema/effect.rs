//! What a statement that is not logged row by row does to the rows of a table.

use super::change::{self, Change};
use super::concern::{Concern, Folded};
use super::lex::{Lexer, Token};
use super::reader::{Name, Reader};
use super::way::{Statement, drops, same_name};

/// What a statement does to the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// The table has no rows behind it.
    Empties,
    /// Its rows are there as before, but may have other columns and values.
    Columns,
    /// It may have come or gone, in part or as a whole, or its rows may have other columns.
    Unknown,
}

/// What a statement does to the rows of `table`. Whatever cannot be told is [`Effect::Unknown`].
pub(crate) fn effect(statement: &Statement, table: (&str, &str)) -> Effect {
    let (sql, sql_mode, default) = (&statement.sql, statement.sql_mode, &statement.schema);
    let folded = (Folded::new(table.0), Folded::new(table.1));
    // Whether two names that differ in case are one table depends on the server.
    let of_name = |schema: &str, name: &str| {
        if (schema, name) == table {
            Effect::Empties
        } else if (Folded::new(schema), Folded::new(name)) == folded {
            Effect::Unknown
        } else {
            Effect::None
        }
    };
    let own = is_of_session(statement);
    match Reader::of(statement).emptied() {
        Some((_, Emptied::Schema(schema))) => return of_name(&schema, table.1),
        Some((_, Emptied::Tables(names))) if !own || names.is_empty() => {
            let mut effects = names.iter().map(|(schema, name)| of_name(schema, name));
            let some = effects.find(|effect| *effect != Effect::None);
            return some.unwrap_or(Effect::None);
        }
        _ => {}
    }
    let partitions = Reader::of(statement).partitions(&folded);
    if !partitions
        .unwrap_or_else(|| Concern::of_sql(sql, sql_mode, default).names(table.0, table.1))
    {
        Effect::None
    } else if partitions.is_none()
        && !own
        && let Some(Change::Alter(_, _, None)) = change::read(sql, sql_mode, default)
    {
        Effect::Columns
    } else {
        Effect::Unknown
    }
}

/// What becomes of the rows of a table behind a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing that is not logged.
    None,
    /// There are none any more; the statement's kind.
    Empties(&'static str),
    /// The table begins, without rows.
    Creates,
    /// A table has this name from here on.
    Names,
}

/// What becomes behind a statement of the rows of the table of this name, whatever its case.
pub(crate) fn fate(statement: &Statement, schema: &str, table: &str) -> Fate {
    if is_of_session(statement) {
        return Fate::None;
    }
    let name = (schema.to_owned(), table.to_owned());
    if let Some((what, emptied)) = Reader::of(statement).emptied() {
        let emptied = match emptied {
            Emptied::Tables(names) => names.iter().any(|emptied| same_name(emptied, &name)),
            Emptied::Schema(emptied) => Folded::new(&emptied) == Folded::new(schema),
        };
        return match what {
            _ if !emptied => Fate::None,
            CREATE => Fate::Creates,
            what => Fate::Empties(what),
        };
    }
    match change::read(&statement.sql, statement.sql_mode, &statement.schema) {
        Some(Change::Rename(pairs)) if pairs.iter().any(|(_, to)| same_name(to, &name)) => {
            Fate::Names
        }
        Some(Change::Alter(_, _, Some(to))) if same_name(&to, &name) => Fate::Names,
        _ => Fate::None,
    }
}

/// Is it about a temporary table of its session?
fn is_of_session(statement: &Statement) -> bool {
    statement.temporary && !drops(&statement.sql, statement.sql_mode)
}

/// What has no rows behind a statement.
enum Emptied {
    Tables(Vec<Name>),
    Schema(String),
}

const CREATE: &str = "CREATE TABLE";

impl<'a> Reader<'a> {
    pub(super) fn of(statement: &'a Statement) -> Self {
        Self {
            tokens: Lexer::new(&statement.sql, statement.sql_mode),
            schema: &statement.schema,
        }
    }

    /// The statement's first word, in upper case.
    pub(super) fn verb(&mut self) -> Option<String> {
        if self.eat("SET") {
            // MariaDB has SET STATEMENT … FOR in front of any statement.
            self.tokens.find(|token| token.is("FOR"))?;
        }
        self.word().map(str::to_ascii_uppercase)
    }

    /// The statement's kind, and what it empties; `None` for a statement that does not do that.
    fn emptied(&mut self) -> Option<(&'static str, Emptied)> {
        // A temporary table hides one of its name from its session, and that one stays.
        let none = Emptied::Tables(Vec::new());
        match self.verb()?.as_str() {
            "TRUNCATE" => {
                self.eat("TABLE");
                Some(("TRUNCATE", Emptied::Tables(vec![self.table()?])))
            }
            "DROP" if self.eat("TEMPORARY") => Some(("DROP TABLE", none)),
            "DROP" if self.eat_any(&["DATABASE", "SCHEMA"]).is_some() => {
                self.if_exists();
                Some(("DROP DATABASE", Emptied::Schema(self.identifier()?)))
            }
            "DROP" => {
                self.eat_any(&["TABLE", "TABLES"])?;
                self.if_exists();
                let mut names = vec![self.table()?];
                while self.eat_symbol(',') {
                    names.push(self.table()?);
                }
                Some(("DROP TABLE", Emptied::Tables(names)))
            }
            "CREATE" => {
                let replaces = self.eat("OR");
                if replaces && !self.eat("REPLACE") {
                    return None;
                }
                let temporary = self.eat("TEMPORARY");
                if !self.eat("TABLE") {
                    return None;
                }
                let what = if replaces {
                    "CREATE OR REPLACE TABLE"
                } else {
                    CREATE
                };
                // A table that is there stays as it is; whether it was there nobody knows.
                let emptied = if temporary || self.if_exists() {
                    none
                } else {
                    Emptied::Tables(vec![self.table()?])
                };
                Some((what, emptied))
            }
            _ => None,
        }
    }

    /// Does an operation on partitions or tablespaces touch the table? `None` for a statement of another kind.
    fn partitions(&mut self, table: &(Folded, Folded)) -> Option<bool> {
        if self.verb()? != "ALTER" {
            return None;
        }
        self.eat("ONLINE");
        self.eat("IGNORE");
        if !self.eat("TABLE") {
            return None;
        }
        self.if_exists();
        let (schema, name) = self.table()?;
        if !self.tokens.clone().any(|token| loses_rows(&token)) {
            return None;
        }
        // Partitions change places with another table, too, that is named behind.
        let named = self.tokens.any(|token| match token {
            Token::Word(word) => Folded::new(word) == table.1,
            Token::Name(name) => Folded::new(&name) == table.1,
            Token::Unreadable => true,
            _ => false,
        });
        Some(named || (Folded::new(&schema), Folded::new(&name)) == *table)
    }
}

/// A word of ALTER TABLE without which no row goes or comes.
fn loses_rows(token: &Token<'_>) -> bool {
    ["PARTITION", "PARTITIONING", "TABLESPACE", "EXCHANGE"]
        .iter()
        .any(|word| token.is(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sql: &str, sql_mode: Option<u64>) -> Effect {
        let statement = Statement {
            schema: "shop".to_owned(),
            sql_mode,
            temporary: false,
            sql: sql.to_owned(),
        };
        effect(&statement, ("shop", "t"))
    }

    #[test]
    fn statements_empty_a_table_or_leave_it_or_nobody_knows() {
        use Effect::{Columns, Empties, None, Unknown};
        for (sql, expected) in [
            ("TRUNCATE t", Empties),
            ("truncate /* all */ table `shop`.`t`", Empties),
            ("TRUNCATE TABLE other.t", None),
            ("TRUNCATE TABLE T", Unknown),
            (
                "DROP TABLE IF EXISTS a, `t` /* generated by server */",
                Empties,
            ),
            ("DROP TABLE a, b", None),
            ("DROP TEMPORARY TABLE t", None),
            ("DROP DATABASE shop", Empties),
            ("DROP SCHEMA IF EXISTS `other`", None),
            ("DROP INDEX i ON t", None),
            ("CREATE TABLE t (id INT PRIMARY KEY)", Empties),
            ("CREATE OR REPLACE TABLE t (id INT)", Empties),
            ("CREATE TABLE IF NOT EXISTS t (id INT)", None),
            ("CREATE TEMPORARY TABLE t (id INT)", None),
            ("CREATE TABLE u LIKE t", None),
            ("ALTER TABLE t ADD c INT", Columns),
            ("ALTER TABLE t ADD c INT, RENAME TO u", Unknown),
            ("ALTER TABLE t COMMENT 'x'", None),
            ("ALTER TABLE u ADD c INT", None),
            ("ALTER TABLE t TRUNCATE PARTITION p0", Unknown),
            ("ALTER TABLE t DROP PARTITION p0, p1", Unknown),
            ("ALTER TABLE u EXCHANGE PARTITION p WITH TABLE t", Unknown),
            ("ALTER TABLE t DISCARD TABLESPACE", Unknown),
            ("RENAME TABLE t TO u", Unknown),
            ("RENAME TABLE a TO b, u TO shop.t", Unknown),
            ("SET STATEMENT max_statement_time=1 FOR TRUNCATE t", Empties),
            ("CREATE DATABASE x", None),
            ("nobody knows", Unknown),
        ] {
            assert_eq!(of(sql, Option::None), expected, "{sql}");
        }
        // What a double quote is, the session's sql_mode says.
        let ansi_quotes = Some(4);
        assert_eq!(of(r#"TRUNCATE "t""#, ansi_quotes), Empties);
    }

    #[test]
    fn a_temporary_table_is_none_of_those_that_are_asked_about() {
        for (sql, expected) in [
            ("TRUNCATE t", Effect::None),
            ("CREATE TEMPORARY TABLE t (id INT)", Effect::None),
            // Which of the two it is about, nobody knows.
            ("ALTER TABLE t ADD c INT", Effect::Unknown),
            ("ALTER TABLE u ADD c INT", Effect::None),
            // MySQL 9.7 marks every DROP TABLE so.
            ("DROP TABLE `t`", Effect::Empties),
        ] {
            let statement = Statement {
                schema: "shop".to_owned(),
                sql_mode: None,
                temporary: true,
                sql: sql.to_owned(),
            };
            assert_eq!(effect(&statement, ("shop", "t")), expected, "{sql}");
            let empties = fate(&statement, "shop", "t") != Fate::None;
            assert_eq!(empties, expected == Effect::Empties, "{sql}");
        }
    }

    #[test]
    fn statements_empty_tables() {
        for (sql, expected) in [
            ("TRUNCATE t", Fate::Empties("TRUNCATE")),
            ("truncate table `d`.`t`", Fate::Empties("TRUNCATE")),
            ("TRUNCATE TABLE e.t", Fate::None),
            (
                "DROP TABLE IF EXISTS u, `t` /* generated by server */",
                Fate::Empties("DROP TABLE"),
            ),
            ("DROP TABLE u", Fate::None),
            ("DROP DATABASE d", Fate::Empties("DROP DATABASE")),
            (
                "CREATE OR REPLACE TABLE t (a INT)",
                Fate::Empties("CREATE OR REPLACE TABLE"),
            ),
            ("CREATE TABLE t (a INT)", Fate::Creates),
            ("CREATE TABLE IF NOT EXISTS t (a INT)", Fate::None),
            ("RENAME TABLE t TO x, u TO t", Fate::Names),
            ("ALTER TABLE u RENAME TO t", Fate::Names),
            ("ALTER TABLE t ADD a INT", Fate::None),
            ("DROP INDEX i ON t", Fate::None),
        ] {
            let statement = Statement {
                schema: "d".to_owned(),
                sql_mode: Some(0),
                temporary: false,
                sql: sql.to_owned(),
            };
            assert_eq!(fate(&statement, "d", "t"), expected, "{sql}");
        }
    }
}
