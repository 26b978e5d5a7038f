//! What the source itself says of its tables.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::Result;
use crate::client::Client;

/// What a column's values look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// TINYINT to BIGINT.
    Integer,
    /// BIT
    Bit,
    /// YEAR
    Year,
    /// FLOAT
    Float,
    /// DOUBLE
    Double,
    /// DECIMAL
    Decimal,
    /// DATE
    Date,
    /// TIME
    Time,
    /// DATETIME
    DateTime,
    /// TIMESTAMP, with so many fractional digits.
    Timestamp(usize),
    /// CHAR, VARCHAR and the TEXTs, in this character set.
    Text(String),
    /// ENUM, with its labels.
    Enum(Vec<String>),
    /// SET, with its labels.
    Set(Vec<String>),
    /// JSON
    Json,
    /// BINARY, padded to this many bytes.
    Binary(usize),
    /// VARBINARY, the BLOBs and GEOMETRY.
    Blob,
    /// VECTOR
    Vector,
}

/// A column as `information_schema` describes it.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its values.
    pub kind: Kind,
    /// Is it UNSIGNED?
    pub unsigned: bool,
    /// The type code that MySQL's JSON functions give for its bytes (`base64:type<N>:`).
    pub code: u8,
}

/// A table as the source had it for a while.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns, in order, invisible ones included.
    pub columns: Vec<Column>,
    /// The primary key's columns; empty without one.
    pub key: Vec<usize>,
}

/// Every definition seen of every table.
///
/// A definition is found by the number of its columns, which the binlog tells for every row: so a
/// workload may add columns to a table, but not swap, rename or change them.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    tables: HashMap<(String, String), BTreeMap<usize, Arc<Table>>>,
}

/// An identifier, quoted.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

impl Catalog {
    /// Takes in what the tables of `schemas` look like now.
    pub fn refresh(&mut self, client: &mut Client, schemas: &[String]) -> Result<()> {
        let list: Vec<String> = schemas
            .iter()
            .map(|name| format!("'{}'", name.replace('\'', "''")))
            .collect();
        let list = list.join(",");
        let mut found: BTreeMap<(String, String), Table> = BTreeMap::new();
        for row in client.strings(&format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME,
                    CHARACTER_OCTET_LENGTH, DATETIME_PRECISION
               FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN ({list})
              ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"
        ))? {
            let table = found.entry((row[0].clone(), row[1].clone())).or_insert_with(|| Table {
                schema: row[0].clone(),
                name: row[1].clone(),
                columns: Vec::new(),
                key: Vec::new(),
            });
            table.columns.push(column(&row[2..])?);
        }
        for row in client.strings(&format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.STATISTICS
              WHERE TABLE_SCHEMA IN ({list}) AND INDEX_NAME = 'PRIMARY'
              ORDER BY TABLE_SCHEMA, TABLE_NAME, SEQ_IN_INDEX"
        ))? {
            let name = (row[0].clone(), row[1].clone());
            let Some(table) = found.get_mut(&name) else {
                continue;
            };
            let at = table
                .columns
                .iter()
                .position(|column| column.name == row[2]);
            table.key.push(at.ok_or("a key over an unknown column")?);
        }
        for (name, table) in found {
            self.tables
                .entry(name)
                .or_default()
                .insert(table.columns.len(), Arc::new(table));
        }
        Ok(())
    }

    /// The definition of a table when it had this many columns.
    #[must_use]
    pub fn table(&self, schema: &str, name: &str, columns: usize) -> Option<&Arc<Table>> {
        self.tables
            .get(&(schema.to_owned(), name.to_owned()))?
            .get(&columns)
    }

    /// The widest definition of a table.
    #[must_use]
    pub fn latest(&self, schema: &str, name: &str) -> Option<&Arc<Table>> {
        Some(
            self.tables
                .get(&(schema.to_owned(), name.to_owned()))?
                .last_key_value()?
                .1,
        )
    }
}

/// From name, data type, column type, charset, octet length and temporal precision.
fn column(row: &[String]) -> Result<Column> {
    let full = row[2].as_str();
    let binary = |code: u8| (Kind::Blob, code);
    let text = |code: u8| (Kind::Text(row[3].clone()), code);
    let (kind, code) = match row[1].as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => (Kind::Integer, 0),
        "bit" => (Kind::Bit, 0),
        "year" => (Kind::Year, 0),
        "float" => (Kind::Float, 0),
        "double" => (Kind::Double, 0),
        "decimal" => (Kind::Decimal, 0),
        "date" => (Kind::Date, 0),
        "time" => (Kind::Time, 0),
        "datetime" => (Kind::DateTime, 0),
        "timestamp" => (Kind::Timestamp(row[5].parse()?), 0),
        "char" => text(254),
        "varchar" => text(15),
        "tinytext" => text(249),
        "text" => text(252),
        "mediumtext" => text(250),
        "longtext" => text(251),
        "enum" => (Kind::Enum(members(full)?), 0),
        "set" => (Kind::Set(members(full)?), 0),
        "json" => (Kind::Json, 0),
        "binary" => (Kind::Binary(row[4].parse()?), 254),
        "varbinary" => binary(15),
        "tinyblob" => binary(249),
        "blob" => binary(252),
        "mediumblob" => binary(250),
        "longblob" => binary(251),
        "vector" => (Kind::Vector, 242),
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geomcollection" | "geometrycollection" => binary(255),
        other => return Err(format!("column {}: unknown type {other}", row[0]).into()),
    };
    Ok(Column {
        name: row[0].clone(),
        kind,
        unsigned: full.contains(" unsigned"),
        code,
    })
}

/// The labels of `enum('a','b''c')`.
fn members(full: &str) -> Result<Vec<String>> {
    let list = full
        .split_once('(')
        .and_then(|(_, list)| list.strip_suffix(')'));
    let mut rest = list.ok_or("an ENUM without labels")?;
    let mut members = Vec::new();
    while let Some(body) = rest.strip_prefix('\'') {
        let (mut label, mut from) = (String::new(), 0);
        loop {
            let at = from + body[from..].find('\'').ok_or("a label without an end")?;
            label.push_str(&body[from..at]);
            if body[at + 1..].starts_with('\'') {
                label.push('\'');
                from = at + 2;
            } else {
                rest = body[at + 1..].trim_start_matches(',');
                break;
            }
        }
        members.push(label);
    }
    if rest.is_empty() {
        Ok(members)
    } else {
        Err(format!("labels not understood: {full}").into())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn labels_may_hold_quotes_and_commas() {
        assert_eq!(
            super::members("enum('a','b''c','d,e','')").unwrap(),
            ["a", "b'c", "d,e", ""]
        );
    }
}
