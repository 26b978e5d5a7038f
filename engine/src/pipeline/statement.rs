//! What a QUERY_EVENT's statement means for the stream, by its first words.

use std::fmt;

use crate::schema::{Lexer, Token};

/// A statement in the binlog, as far as the stream needs to tell them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement<'a> {
    /// `BEGIN` or `XA START`: a transaction's rows follow.
    Begin,
    /// `COMMIT`: they end.
    Commit,
    /// `ROLLBACK`: they end, and those of transactional tables never came to be.
    Rollback,
    /// `ROLLBACK TO` a savepoint: the rows since then of transactional tables never came to be.
    RollbackTo,
    /// `SAVEPOINT`, `RELEASE`, `XA END`: inside a transaction, without rows.
    Inside,
    /// `XA COMMIT` of the xid: the end of a transaction prepared before.
    XaCommit(&'a str),
    /// `XA ROLLBACK` of the xid.
    XaRollback(&'a str),
    /// Changes definitions.
    Ddl(Ddl),
    /// Changes rows without logging them (`binlog_format=STATEMENT` or `MIXED`).
    Dml,
    /// Anything else, such as `GRANT`.
    Other,
}

/// What a statement that changes definitions is. Prints as its first two words in upper case, such as `ALTER TABLE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ddl {
    verb: &'static str,
    object: Option<&'static str>,
}

impl Ddl {
    /// Does it make a table and fill it from a query? `sql` is the statement, of a session with this `sql_mode`.
    pub(crate) fn fills_a_table(self, sql: &str, sql_mode: Option<u64>) -> bool {
        self.verb == "CREATE" && self.object == Some("TABLE") && fills_its_table(sql, sql_mode)
    }
}

impl fmt::Display for Ddl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb)?;
        match self.object {
            Some(object) => write!(f, " {object}"),
            None => Ok(()),
        }
    }
}

/// The words that a statement is known by.
const VERBS: [&str; 20] = [
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "XA",
    "CREATE",
    "ALTER",
    "DROP",
    "RENAME",
    "TRUNCATE",
    "INSERT",
    "UPDATE",
    "DELETE",
    "REPLACE",
    "LOAD",
    "WITH",
    "CALL",
    "SELECT",
    "ANALYZE",
];

/// Those of them that change rows. A SELECT is logged for the stored function in it, which changed rows.
const DML: [&str; 8] = [
    "INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "CALL", "SELECT",
];

/// The one of `words` that is `word`, in whatever case.
fn known(word: &str, words: &[&'static str]) -> Option<&'static str> {
    let mut words = words.iter();
    words
        .find(|known| known.eq_ignore_ascii_case(word))
        .copied()
}

/// Classifies `sql`; comments and white space in front of it are skipped.
#[must_use]
pub fn classify(sql: &str) -> Statement<'_> {
    let (mut first, mut rest) = word(sql);
    let (mut second, mut behind) = word(rest);
    // MariaDB: SET STATEMENT … FOR, and the statement.
    if first.eq_ignore_ascii_case("SET") && second.eq_ignore_ascii_case("STATEMENT") {
        (first, rest) = word(behind_for(behind));
        (second, behind) = word(rest);
    }
    let Some(verb) = known(first, &VERBS) else {
        return Statement::Other;
    };
    match verb {
        "BEGIN" => Statement::Begin,
        "COMMIT" => Statement::Commit,
        "ROLLBACK" if second.eq_ignore_ascii_case("TO") => Statement::RollbackTo,
        "ROLLBACK" => Statement::Rollback,
        "SAVEPOINT" | "RELEASE" => Statement::Inside,
        "XA" => match known(second, &["START", "BEGIN", "COMMIT", "ROLLBACK"]) {
            Some("START" | "BEGIN") => Statement::Begin,
            Some("COMMIT") => Statement::XaCommit(behind.trim()),
            Some(_) => Statement::XaRollback(behind.trim()),
            None => Statement::Inside,
        },
        "CREATE" | "ALTER" | "DROP" | "RENAME" | "TRUNCATE" => Statement::Ddl(ddl(verb, rest)),
        // MariaDB runs the statement that it analyzes. All else of that name is about tables as a whole.
        "ANALYZE" if known(behind_format(rest), &DML).is_none() => Statement::Other,
        _ => Statement::Dml,
    }
}

/// The first word, or the one behind `FORMAT = …`.
fn behind_format(sql: &str) -> &str {
    let (first, behind) = word(sql);
    if !first.eq_ignore_ascii_case("FORMAT") {
        return first;
    }
    let apart = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '\'' | '"' | '`');
    let (_value, behind) = word(behind.trim_start_matches(apart));
    word(behind.trim_start_matches(apart)).0
}

/// What follows the first `FOR` outside of quoted text; nothing without one.
fn behind_for(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        let (next, behind) = word(rest);
        if next.eq_ignore_ascii_case("FOR") {
            return behind;
        }
        rest = match behind.chars().next() {
            None => return "",
            Some(_) if !next.is_empty() => behind,
            Some(quote @ ('\'' | '"' | '`')) => behind_quoted(behind, quote),
            Some(other) => behind.get(other.len_utf8()..).unwrap_or_default(),
        };
    }
}

/// Does this `CREATE TABLE` fill its table from a query? Logged as such, its rows are not in the binlog; a server
/// that logs rows rewrites it without the query. No other place of the statement takes a subquery. What cannot be
/// read may be one.
fn fills_its_table(sql: &str, sql_mode: Option<u64>) -> bool {
    let mut tokens = Lexer::new(sql, sql_mode).peekable();
    let mut behind_table = false;
    while let Some(token) = tokens.next() {
        let is_query = match &token {
            Token::Unreadable => true,
            // Behind a dot, a keyword is a name.
            Token::Symbol('.') => {
                tokens.next();
                false
            }
            _ if !behind_table => {
                behind_table = token.is("TABLE");
                false
            }
            // Not that of a partition.
            _ if token.is("VALUES") => !tokens
                .peek()
                .is_some_and(|next| next.is("LESS") || next.is("IN")),
            _ => token.is("SELECT") || token.is("TABLE"),
        };
        if is_query {
            return true;
        }
    }
    false
}

/// What follows the quoted text that `sql` begins with.
fn behind_quoted(sql: &str, quote: char) -> &str {
    let mut escaped = true;
    for (at, c) in sql.char_indices() {
        if escaped {
            // The opening quote as well.
            escaped = false;
        } else if c == '\\' && quote != '`' {
            escaped = true;
        } else if c == quote {
            return sql.get(at.saturating_add(1)..).unwrap_or_default();
        }
    }
    ""
}

/// Such as `CREATE TABLE`, whatever stands between the two words.
fn ddl(verb: &'static str, mut rest: &str) -> Ddl {
    const OBJECTS: [&str; 15] = [
        "TABLE",
        "TABLES",
        "DATABASE",
        "SCHEMA",
        "INDEX",
        "VIEW",
        "TRIGGER",
        "PROCEDURE",
        "FUNCTION",
        "EVENT",
        "USER",
        "ROLE",
        "TABLESPACE",
        "SERVER",
        "SEQUENCE",
    ];
    // `CREATE OR REPLACE ALGORITHM=… DEFINER=… VIEW` has the most words in between.
    for _ in 0..16 {
        let (next, behind) = word(rest);
        if let Some(object) = known(next, &OBJECTS) {
            return Ddl {
                verb,
                object: Some(object),
            };
        }
        if next.is_empty() && behind.is_empty() {
            break;
        }
        // Not a word: step over one character of it.
        rest = if next.is_empty() {
            behind.get(next_char(behind)..).unwrap_or_default()
        } else {
            behind
        };
    }
    // `TRUNCATE t`
    Ddl {
        verb,
        object: (verb == "TRUNCATE").then_some("TABLE"),
    }
}

fn next_char(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// The word at the front of `sql`, behind white space and comments, and what follows it.
/// The text of `/*! … */` counts, as the server executes it.
fn word(mut sql: &str) -> (&str, &str) {
    loop {
        sql = sql.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '(' || c == ';');
        if let Some(executed) = sql.strip_prefix("/*!").or_else(|| sql.strip_prefix("/*M!")) {
            sql = executed.trim_start_matches(|c: char| c.is_ascii_digit());
        } else if let Some(comment) = sql.strip_prefix("/*") {
            sql = comment.split_once("*/").map_or("", |(_, behind)| behind);
        } else if let Some(end) = sql.strip_prefix("*/") {
            sql = end;
        } else if sql.starts_with('#') || is_dash_comment(sql) {
            sql = sql.split_once('\n').map_or("", |(_, behind)| behind);
        } else {
            break;
        }
    }
    let end = sql
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(sql.len());
    sql.split_at(end)
}

/// `--` begins a comment only where white space or the end follows.
fn is_dash_comment(sql: &str) -> bool {
    sql.strip_prefix("--")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_whitespace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ddl(sql: &str) -> String {
        match classify(sql) {
            Statement::Ddl(kind) => kind.to_string(),
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn transactions() {
        assert_eq!(classify("BEGIN"), Statement::Begin);
        assert_eq!(classify("XA START X'61',X'',1"), Statement::Begin);
        assert_eq!(classify("XA END X'61',X'',1"), Statement::Inside);
        assert_eq!(
            classify("XA COMMIT X'61',X'',1"),
            Statement::XaCommit("X'61',X'',1")
        );
        assert_eq!(
            classify("XA ROLLBACK X'61',X'',1"),
            Statement::XaRollback("X'61',X'',1")
        );
        assert_eq!(classify("COMMIT"), Statement::Commit);
        assert_eq!(classify("ROLLBACK"), Statement::Rollback);
        assert_eq!(classify("ROLLBACK TO `a`"), Statement::RollbackTo);
        assert_eq!(classify("SAVEPOINT `a`"), Statement::Inside);
    }

    #[test]
    fn definitions_behind_comments() {
        assert_eq!(ddl("ALTER TABLE t ADD c INT"), "ALTER TABLE");
        assert_eq!(
            ddl("/* app */\n-- who\n# and\nalter /* x */ table t"),
            "ALTER TABLE"
        );
        assert_eq!(
            ddl("create or replace algorithm=merge definer=`a`@`b` view v as select 1"),
            "CREATE VIEW"
        );
        assert_eq!(ddl("DROP TEMPORARY TABLE IF EXISTS t"), "DROP TABLE");
        assert_eq!(ddl("CREATE UNIQUE INDEX i ON t(a)"), "CREATE INDEX");
        assert_eq!(ddl("/*!40000 ALTER TABLE t DISABLE KEYS */"), "ALTER TABLE");
        assert_eq!(ddl("TRUNCATE t"), "TRUNCATE TABLE");
        assert_eq!(
            ddl("SET STATEMENT a=' FOR ', b=1 FOR drop table t"),
            "DROP TABLE"
        );
        assert_eq!(classify("SET STATEMENT a=1"), Statement::Other);
        assert_eq!(ddl("CREATE é"), "CREATE");
    }

    #[test]
    fn tables_filled_from_a_query() {
        for sql in [
            "create table t select * from u",
            "CREATE TABLE t (a INT COMMENT 'it''s \\' ') AS (SELECT 1)",
            "CREATE TABLE IF NOT EXISTS `t` /* x */ IGNORE\nselect 1",
            "CREATE TABLE t TABLE u",
            "CREATE OR REPLACE TABLE d.table (a INT) ENGINE=InnoDB AS TABLE u",
            "CREATE TABLE t AS VALUES ROW(7,8)",
            "CREATE TABLE t (VALUES (7,8))",
            "CREATE TABLE t (a INT) PARTITION BY LIST(a) (PARTITION p VALUES IN (1)) VALUES ROW(1)",
            "CREATE TABLE t AS WITH x AS (TABLE u) TABLE x",
            "CREATE TABLE t (a INT COMMENT 'cannot be read",
        ] {
            assert!(fills_its_table(sql, Some(0)), "{sql}");
        }
        for sql in [
            "CREATE TABLE `select` (`a select b` INT)",
            "CREATE TABLE d.select (a INT)",
            "CREATE TABLE t (a INT COMMENT 'it''s \\' select ', b INT COMMENT \" select \")",
            "CREATE TABLE t (selected INT) /* select */ START TRANSACTION",
            "CREATE TABLE t (a INT) WITH SYSTEM VERSIONING",
            "CREATE TABLE t (a INT) PARTITION BY RANGE(a) (PARTITION p VALUES LESS THAN (9) TABLESPACE x)",
            "CREATE TABLE t LIKE u",
        ] {
            assert!(!fills_its_table(sql, Some(0)), "{sql}");
        }
        let sql = r"CREATE TABLE t (a INT COMMENT 'x\') SELECT 'y'";
        assert!(fills_its_table(sql, Some(1 << 20)));
    }

    #[test]
    fn statements_that_change_rows() {
        assert_eq!(classify("insert into t values(1)"), Statement::Dml);
        assert_eq!(classify("/* c */ (UPDATE t SET a=1)"), Statement::Dml);
        assert_eq!(
            classify("WITH x AS (SELECT 1) DELETE FROM t"),
            Statement::Dml
        );
        assert_eq!(classify("SELECT `a`.`f`(1)"), Statement::Dml);
        for sql in [
            "ANALYZE UPDATE t SET a=1",
            "analyze format = json delete from t",
            "ANALYZE FORMAT=TRADITIONAL (SELECT f())",
            "ANALYZE FORMAT='json' INSERT INTO t VALUES (1)",
            "SET STATEMENT a=1 FOR ANALYZE /* x */ REPLACE t VALUES (1)",
        ] {
            assert_eq!(classify(sql), Statement::Dml, "{sql}");
        }
        for sql in [
            "ANALYZE TABLE t",
            "ANALYZE LOCAL TABLE t PERSISTENT FOR ALL",
        ] {
            assert_eq!(classify(sql), Statement::Other, "{sql}");
        }
        assert_eq!(classify("GRANT ALL ON *.* TO a"), Statement::Other);
        assert_eq!(classify(""), Statement::Other);
        assert_eq!(classify("--not a comment"), Statement::Other);
        assert_eq!(classify("/* never closed"), Statement::Other);
    }
}
