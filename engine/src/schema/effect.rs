//! What a statement that is not logged row by row does to the rows of a table.

use super::change::{self, Change};
use super::concern::{Concern, Folded};
use super::lex::{Lexer, Token};
use super::reader::{Name, Reader};
use super::way::Statement;

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
    let mut reader = Reader {
        tokens: Lexer::new(sql, sql_mode),
        schema: default,
    };
    let asked = Asked {
        name: table,
        folded: (Folded::new(table.0), Folded::new(table.1)),
    };
    reader.effect(&asked).unwrap_or_else(|| {
        if !Concern::of_sql(sql, sql_mode, default).names(table.0, table.1) {
            Effect::None
        } else if let Some(Change::Alter(_, _, None)) = change::read(sql, sql_mode, default) {
            Effect::Columns
        } else {
            Effect::Unknown
        }
    })
}

struct Asked<'a> {
    name: (&'a str, &'a str),
    folded: (Folded, Folded),
}

impl Asked<'_> {
    /// Of a statement that empties the table of this name.
    fn emptied(&self, (schema, table): &Name) -> Effect {
        if (schema.as_str(), table.as_str()) == self.name {
            Effect::Empties
        } else {
            self.touched(schema, table)
        }
    }

    /// Whether two names that differ in case are one table depends on the server.
    fn touched(&self, schema: &str, table: &str) -> Effect {
        if self.folded == (Folded::new(schema), Folded::new(table)) {
            Effect::Unknown
        } else {
            Effect::None
        }
    }
}

impl Reader<'_> {
    /// `None` where it cannot be told here.
    fn effect(&mut self, asked: &Asked<'_>) -> Option<Effect> {
        if self.eat("SET") {
            // MariaDB has SET STATEMENT … FOR in front of any statement.
            self.tokens.find(|token| token.is("FOR"))?;
        }
        match self.word()?.to_ascii_uppercase().as_str() {
            "TRUNCATE" => {
                self.eat("TABLE");
                Some(asked.emptied(&self.table()?))
            }
            "DROP" => self.dropped(asked),
            "CREATE" => self.created(asked),
            "ALTER" => {
                self.eat("ONLINE");
                self.eat("IGNORE");
                if !self.eat("TABLE") {
                    return None;
                }
                self.if_exists();
                let (schema, table) = self.table()?;
                if !self.tokens.clone().any(|token| loses_rows(&token)) {
                    return None;
                }
                // Partitions change places with another table, too, that is named behind.
                let mut names = self.tokens.clone();
                let named = names.any(|token| match token {
                    Token::Word(word) => Folded::new(word) == asked.folded.1,
                    Token::Name(name) => Folded::new(&name) == asked.folded.1,
                    Token::Unreadable => true,
                    _ => false,
                });
                Some(if named {
                    Effect::Unknown
                } else {
                    asked.touched(&schema, &table)
                })
            }
            _ => None,
        }
    }

    fn dropped(&mut self, asked: &Asked<'_>) -> Option<Effect> {
        // It hides a table of this name from its session, and that one stays.
        if self.eat("TEMPORARY") {
            return Some(Effect::None);
        }
        if self.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
            self.if_exists();
            let schema = self.identifier()?;
            return Some(if schema == asked.name.0 {
                Effect::Empties
            } else if Folded::new(&schema) == asked.folded.0 {
                Effect::Unknown
            } else {
                Effect::None
            });
        }
        self.eat_any(&["TABLE", "TABLES"])?;
        self.if_exists();
        loop {
            let effect = asked.emptied(&self.table()?);
            if effect != Effect::None {
                return Some(effect);
            }
            if !self.eat_symbol(',') {
                return Some(Effect::None);
            }
        }
    }

    fn created(&mut self, asked: &Asked<'_>) -> Option<Effect> {
        if self.eat("OR") && !self.eat("REPLACE") {
            return None;
        }
        if self.eat("TEMPORARY") {
            return Some(Effect::None);
        }
        if !self.eat("TABLE") {
            return None;
        }
        // A table that is there stays as it is; whether it was there nobody knows.
        if self.if_exists() {
            return Some(Effect::None);
        }
        Some(asked.emptied(&self.table()?))
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
            ("DROP INDEX i ON t", Unknown),
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
}
