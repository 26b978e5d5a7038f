//! Which tables a statement may give other columns.
//!
//! Whatever cannot be told counts: a table too many costs a look at the source, a table too few a row
//! under wrong names.

use bintrail_proto::binlog::query::Query;
use bintrail_proto::binlog::value::charset::Charset;

use super::change::{self, Change};
use super::lex::{Lexer, Token};
use super::reader::{Name, Reader};

/// A schema's or table's name as it is compared: no more alike than the server takes two names for the
/// same, whatever its `lower_case_table_names`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Folded(Box<str>);

impl Folded {
    pub(super) fn new(name: &str) -> Self {
        let folded: String = name
            .chars()
            .map(|c| match c.to_lowercase().next() {
                Some(lower) if lower.is_ascii() => lower,
                // How the server folds these depends on its version.
                _ => '?',
            })
            .collect();
        Self(folded.into())
    }
}

/// The tables that a statement may give other columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Concern {
    /// None.
    Nothing,
    /// These, by schema and name.
    Tables(Vec<(Folded, Folded)>),
    /// All in a schema.
    Schema(Folded),
    /// Any: it cannot be told.
    Everything,
}

impl Concern {
    /// Of a statement in the binlog.
    pub(super) fn of(query: &Query<'_>) -> Self {
        // Nearly every statement in a binlog of rows is this one.
        if query.statement == b"BEGIN" {
            return Self::Nothing;
        }
        let mode = query.status.sql_mode;
        let lossy = String::from_utf8_lossy(query.statement);
        if is_harmless(Lexer::new(&lossy, mode)) {
            return Self::Nothing;
        }
        let mut scratch = String::new();
        match (
            decode(query, &mut scratch),
            std::str::from_utf8(query.schema),
        ) {
            (Some(sql), Ok(schema)) => Self::of_sql(sql, mode, schema),
            _ => Self::Everything,
        }
    }

    /// Of a statement of a session with this `sql_mode` and default schema.
    pub(super) fn of_sql(sql: &str, sql_mode: Option<u64>, schema: &str) -> Self {
        let mut reader = Reader {
            tokens: Lexer::new(sql, sql_mode),
            schema,
        };
        match reader.statement().unwrap_or(Self::Everything) {
            tables @ Self::Tables(_) => tables.unless_harmless(sql, sql_mode, schema),
            concern => concern,
        }
    }

    /// Of an ALTER TABLE that is understood to leave the columns as they are.
    fn unless_harmless(self, sql: &str, sql_mode: Option<u64>, schema: &str) -> Self {
        match change::read(sql, sql_mode, schema) {
            Some(Change::Alter(_, edits, None)) if edits.is_empty() => Self::Nothing,
            _ => self,
        }
    }

    /// May it be the table of this name?
    pub(crate) fn names(&self, schema: &str, table: &str) -> bool {
        self.has(&Folded::new(schema), &Folded::new(table))
    }

    /// May it be this table?
    pub(super) fn has(&self, schema: &Folded, table: &Folded) -> bool {
        match self {
            Self::Nothing => false,
            Self::Tables(tables) => tables.iter().any(|(s, t)| s == schema && t == table),
            Self::Schema(all) => all == schema,
            Self::Everything => true,
        }
    }
}

/// What a statement in the binlog makes of tables.
pub(super) fn read_change(query: &Query<'_>) -> Option<Change> {
    let mut scratch = String::new();
    let sql = decode(query, &mut scratch)?;
    let schema = std::str::from_utf8(query.schema).ok()?;
    change::read(sql, query.status.sql_mode, schema)
}

/// The statement in UTF-8. It is logged in the character set of its client.
pub(crate) fn decode<'a>(query: &Query<'a>, scratch: &'a mut String) -> Option<&'a str> {
    let client = query
        .status
        .charset
        .map(|[client, ..]| Charset::from_collation(client));
    match client {
        // A server that does not say has no other character set for statements.
        None | Some(Some(Charset::Binary)) => std::str::from_utf8(query.statement).ok(),
        Some(Some(charset)) => charset.to_utf8(query.statement, scratch).ok(),
        Some(None) => None,
    }
}

/// Can it be told by its first word that it defines no table?
fn is_harmless(mut tokens: Lexer<'_>) -> bool {
    const HARMLESS: [&str; 37] = [
        "ANALYZE",
        "BEGIN",
        "BINLOG",
        "CALL",
        "CHECK",
        "CHECKSUM",
        "COMMIT",
        "DELETE",
        "DO",
        "END",
        "FLUSH",
        "GRANT",
        "INSERT",
        "INSTALL",
        "KILL",
        "LOAD",
        "LOCK",
        "OPTIMIZE",
        "PURGE",
        "RELEASE",
        "REPAIR",
        "REPLACE",
        "RESET",
        "REVOKE",
        "ROLLBACK",
        "SAVEPOINT",
        "SELECT",
        "START",
        "TRUNCATE",
        "UNINSTALL",
        "UNLOCK",
        "UPDATE",
        "USE",
        "VALUES",
        "WITH",
        "XA",
        "DEALLOCATE",
    ];
    match tokens.find(|token| *token != Token::Symbol('(') && *token != Token::Symbol(';')) {
        // Nothing but comments.
        None => true,
        Some(Token::Word(word)) => HARMLESS
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known)),
        Some(_) => false,
    }
}

impl<'a> Reader<'a> {
    fn statement(&mut self) -> Option<Concern> {
        if self.eat("SET") {
            // MariaDB has SET STATEMENT … FOR in front of any statement.
            if !self.eat("STATEMENT") {
                return Some(Concern::Nothing);
            }
            self.tokens.find(|token| token.is("FOR"))?;
        }
        if is_harmless(self.tokens.clone()) {
            return Some(Concern::Nothing);
        }
        while self.eat_symbol('(') || self.eat_symbol(';') {}
        match self.word()?.to_ascii_uppercase().as_str() {
            "ALTER" => self.alter(),
            "CREATE" => self.create(),
            "DROP" => self.drop(),
            "RENAME" => self.rename(),
            _ => None,
        }
    }

    fn alter(&mut self) -> Option<Concern> {
        loop {
            match self.word()?.to_ascii_uppercase().as_str() {
                "ONLINE" | "OFFLINE" | "IGNORE" | "EXTERNAL" => {}
                "TABLE" => return self.alter_table(),
                "SEQUENCE" => return self.tables(),
                "DATABASE" | "SCHEMA" => {
                    // Old servers rename a schema so; else only what tables made later inherit is changed.
                    let name = Folded::new(&self.identifier()?);
                    let upgrade = self.tokens.any(|token| token.is("UPGRADE"));
                    return Some(if upgrade {
                        Concern::Schema(name)
                    } else {
                        Concern::Nothing
                    });
                }
                other => return OTHER_OBJECTS.contains(&other).then_some(Concern::Nothing),
            }
        }
    }

    fn alter_table(&mut self) -> Option<Concern> {
        self.if_exists();
        let (schema, table) = self.table()?;
        let mut names = vec![(schema.clone(), table)];
        let behind = self.tokens.clone();
        if names_tables(behind.clone()) {
            // Whatever is a name there may be a table's.
            let words: Vec<Token<'_>> = behind.take(MAX_WORDS).collect();
            if words.len() == MAX_WORDS {
                return None;
            }
            for at in 0..words.len() {
                let name = |at: usize| match words.get(at)? {
                    Token::Word(word) => Some((*word).to_owned()),
                    Token::Name(name) => Some(name.clone()),
                    _ => None,
                };
                let Some(first) = name(at) else { continue };
                if words.get(at.saturating_add(1)) == Some(&Token::Symbol('.'))
                    && let Some(second) = name(at.saturating_add(2))
                {
                    names.push((first.clone(), second));
                }
                names.push((schema.clone(), first.clone()));
                names.push((self.schema.to_owned(), first));
            }
            if words.contains(&Token::Unreadable) {
                return None;
            }
        }
        Some(concern(names))
    }

    fn create(&mut self) -> Option<Concern> {
        let replaces = self.eat("OR");
        loop {
            match self.word()?.to_ascii_uppercase().as_str() {
                "REPLACE" | "EXTERNAL" => {}
                // It hides a table of this name from its session, and its own rows are not logged.
                "TEMPORARY" => return Some(Concern::Nothing),
                "TABLE" | "SEQUENCE" => {
                    self.if_exists();
                    return Some(concern(vec![self.table()?]));
                }
                "DATABASE" | "SCHEMA" => {
                    self.if_exists();
                    let name = Folded::new(&self.identifier()?);
                    // A new one has no tables, and one that is there stays as it is.
                    return Some(if replaces {
                        Concern::Schema(name)
                    } else {
                        Concern::Nothing
                    });
                }
                // The columns stay as they are: a primary key is not made so.
                "INDEX" => return Some(Concern::Nothing),
                other => return OTHER_OBJECTS.contains(&other).then_some(Concern::Nothing),
            }
        }
    }

    fn drop(&mut self) -> Option<Concern> {
        self.eat("EXTERNAL");
        match self.word()?.to_ascii_uppercase().as_str() {
            "TEMPORARY" => Some(Concern::Nothing),
            "TABLE" | "TABLES" | "SEQUENCE" => self.tables(),
            "DATABASE" | "SCHEMA" => {
                self.if_exists();
                Some(Concern::Schema(Folded::new(&self.identifier()?)))
            }
            "INDEX" => {
                self.if_exists();
                if !self.identifier()?.eq_ignore_ascii_case("PRIMARY") {
                    return Some(Concern::Nothing);
                }
                self.tokens.find(|token| token.is("ON"))?;
                Some(concern(vec![self.table()?]))
            }
            other => OTHER_OBJECTS.contains(&other).then_some(Concern::Nothing),
        }
    }

    fn rename(&mut self) -> Option<Concern> {
        match self.word()?.to_ascii_uppercase().as_str() {
            "TABLE" | "TABLES" => {}
            "USER" => return Some(Concern::Nothing),
            _ => return None,
        }
        self.if_exists();
        let mut names = Vec::new();
        loop {
            names.push(self.table()?);
            // MariaDB: WAIT n, NOWAIT
            while !self.eat("TO") {
                self.word()?;
            }
            names.push(self.table()?);
            if !self.eat_symbol(',') {
                break;
            }
        }
        self.at_end().then(|| concern(names))
    }

    /// `[IF EXISTS] a, b`
    fn tables(&mut self) -> Option<Concern> {
        self.if_exists();
        let mut names = vec![self.table()?];
        while self.eat_symbol(',') {
            names.push(self.table()?);
        }
        Some(concern(names))
    }
}

/// Words of an ALTER TABLE that are looked at as names.
const MAX_WORDS: usize = 100_000;

/// What is defined besides tables and schemas, and words that stand in front of its name. None of it changes columns.
const OTHER_OBJECTS: [&str; 29] = [
    "AGGREGATE",
    "ALGORITHM",
    "DEFINER",
    "EVENT",
    "FULLTEXT",
    "FUNCTION",
    "INSTANCE",
    "JSON",
    "LIBRARY",
    "LOGFILE",
    "NODEGROUP",
    "PACKAGE",
    "PREPARE",
    "PROCEDURE",
    "PROFILE",
    "RESOURCE",
    "ROLE",
    "SERVER",
    "SPATIAL",
    "SQL",
    "TABLESPACE",
    "TRIGGER",
    "UNDO",
    "UNIQUE",
    "USER",
    "VECTOR",
    "VIEW",
    "MATERIALIZED",
    "CATALOG",
];

/// Can the clauses of an ALTER TABLE name other tables: RENAME TO, EXCHANGE PARTITION, CONVERT PARTITION?
fn names_tables(tokens: Lexer<'_>) -> bool {
    let mut tokens = tokens.peekable();
    while let Some(token) = tokens.next() {
        let renames = token.is("RENAME")
            && !tokens
                .peek()
                .is_some_and(|next| ["COLUMN", "INDEX", "KEY"].iter().any(|word| next.is(word)));
        if renames || token.is("EXCHANGE") || token.is("TABLE") || token == Token::Unreadable {
            return true;
        }
    }
    false
}

fn concern(names: Vec<Name>) -> Concern {
    Concern::Tables(
        names
            .iter()
            .map(|(schema, table)| (Folded::new(schema), Folded::new(table)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sql: &str) -> Concern {
        Concern::of_sql(sql, Some(0), "d")
    }

    fn tables(names: &[(&str, &str)]) -> Concern {
        let own = |(schema, table): &(&str, &str)| ((*schema).to_owned(), (*table).to_owned());
        concern(names.iter().map(own).collect())
    }

    #[test]
    fn tables_that_are_named() {
        for (sql, names) in [
            ("ALTER TABLE t ADD c INT", &[("d", "t")][..]),
            (
                "/* x */ alter\n-- `u`\ntable\t`e`.`t.u` drop c",
                &[("e", "t.u")],
            ),
            (
                "ALTER ONLINE IGNORE TABLE IF EXISTS .t DROP c",
                &[("d", "t")],
            ),
            (
                "/*!50000 ALTER TABLE*/ t RENAME COLUMN a TO u, RENAME KEY x TO y",
                &[("d", "t")],
            ),
            (
                "ALTER TABLE t COMMENT 'RENAME TO u', ADD a INT",
                &[("d", "t")],
            ),
            ("ALTER IGNORE TABLE t ADD UNIQUE KEY (a)", &[("d", "t")]),
            ("ALTER TABLE t /*M!100100 COMMENT */", &[("d", "t")]),
            ("CREATE TABLE IF NOT EXISTS t LIKE u", &[("d", "t")]),
            ("CREATE OR REPLACE TABLE `a``b` (c INT)", &[("d", "a`b")]),
            ("CREATE TABLE t (a INT) START TRANSACTION", &[("d", "t")]),
            (
                "DROP TABLE IF EXISTS `t`,e . u /* generated by server */",
                &[("d", "t"), ("e", "u")],
            ),
            ("DROP INDEX `PRIMARY` ON e.t", &[("e", "t")]),
            (
                "RENAME TABLE t TO x, u TO t, e.x NOWAIT TO u",
                &[
                    ("d", "t"),
                    ("d", "x"),
                    ("d", "u"),
                    ("d", "t"),
                    ("e", "x"),
                    ("d", "u"),
                ],
            ),
            (
                "SET STATEMENT max_statement_time=1, x='FOR' FOR DROP TABLE t",
                &[("d", "t")],
            ),
            ("CREATE SEQUENCE s", &[("d", "s")]),
        ] {
            assert_eq!(of(sql), tables(names), "{sql}");
        }
        let ansi = Concern::of_sql("ALTER TABLE \"e\".\"t\" DROP \"c\"", Some(4), "d");
        assert_eq!(ansi, tables(&[("e", "t")]));
    }

    #[test]
    fn tables_that_may_be_meant() {
        for sql in [
            "ALTER TABLE e.t ADD c INT, RENAME TO u",
            "ALTER TABLE e.t RENAME u",
            "ALTER TABLE e.t RENAME AS `u`",
            "ALTER TABLE e.t CONVERT PARTITION p TO TABLE u",
        ] {
            let concern = of(sql);
            for (schema, table) in [("e", "t"), ("e", "u"), ("d", "U")] {
                assert!(
                    concern.has(&Folded::new(schema), &Folded::new(table)),
                    "{sql}"
                );
            }
            assert!(!concern.has(&Folded::new("d"), &Folded::new("t")), "{sql}");
        }
        let moved = of("ALTER TABLE t RENAME TO f.u");
        assert!(moved.has(&Folded::new("f"), &Folded::new("u")));
        for (one, other) in [("T\u{130}", "ti"), ("é", "È"), ("\u{212A}", "k")] {
            assert_eq!(Folded::new(one), Folded::new(other));
        }
        assert_ne!(Folded::new("ti"), Folded::new("tj"));
    }

    #[test]
    fn whole_schemas() {
        for sql in [
            "DROP DATABASE IF EXISTS `E`",
            "drop schema e",
            "CREATE OR REPLACE DATABASE e",
            "ALTER DATABASE `e` UPGRADE DATA DIRECTORY NAME",
        ] {
            assert_eq!(of(sql), Concern::Schema(Folded::new("e")), "{sql}");
        }
    }

    #[test]
    fn no_tables() {
        for sql in [
            "",
            "BEGIN",
            "# a comment",
            "TRUNCATE TABLE t",
            "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u",
            "ALTER TABLE t ADD INDEX (a), COMMENT 'RENAME TO u'",
            "CREATE UNIQUE INDEX i ON t (a)",
            "CREATE INDEX i ON t (a)",
            "CREATE DEFINER=`a`@`b` TRIGGER t BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
            "CREATE OR REPLACE ALGORITHM=MERGE VIEW v AS SELECT 1",
            "CREATE TEMPORARY TABLE t (a INT)",
            "DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `t`",
            "ALTER DATABASE d CHARACTER SET latin1",
            "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `e` /*!40100 DEFAULT CHARACTER SET utf8mb4 */",
            "DROP INDEX i ON t",
            "/*!40000 ALTER TABLE `t` DISABLE KEYS */",
            "/*!40000 ALTER TABLE `t` ENABLE KEYS */ /* xid=413 */",
            "ALTER ONLINE TABLE IF EXISTS t FORCE, LOCK=NONE",
            "ALTER TABLE t ENGINE=InnoDB /* 99999 ADD x INT */ COMMENT 'x' AUTO_INCREMENT=7",
            "ALTER TABLE t IMPORT TABLESPACE",
            "ALTER USER a IDENTIFIED BY 'b'",
            "GRANT ALL ON *.* TO a",
            "SET @a = 1",
            "SET PASSWORD FOR a = 'x'",
            "INSERT INTO t VALUES ('",
            "(SELECT 1)",
            "RENAME USER a TO b",
        ] {
            assert_eq!(of(sql), Concern::Nothing, "{sql}");
        }
    }

    #[test]
    fn what_cannot_be_told() {
        for sql in [
            "FROB TABLE t",
            "ALTER TABLE 't' ADD c INT",
            "ALTER FROB t",
            "ALTER TABLE t RENAME TO `u",
            "DROP TABLE t,",
            "RENAME TABLE t TO u v",
            "RENAME TABLE t",
            "CREATE TABLE `t",
            "SET STATEMENT a=1",
        ] {
            assert_eq!(of(sql), Concern::Everything, "{sql}");
        }
        let unknown = Concern::of_sql("ALTER TABLE \"t\" ADD c INT", None, "d");
        assert_eq!(unknown, Concern::Everything);
    }
}
