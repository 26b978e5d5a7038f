//! How a column's values are written, by its type.

use bintrail_proto::binlog::value::charset::Charset;

use crate::index::record::Column;

/// How a column's values are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Integers, BIT and YEAR.
    Number,
    Float,
    Double,
    Decimal,
    /// Dates, times and what MariaDB has of its own: as the server prints them.
    Quoted,
    Text(Option<Charset>),
    /// ENUM; is `''` one of its members?
    Enum {
        members: bool,
        empty: bool,
    },
    Set,
    Json,
    Binary,
    /// Bytes that cannot be compared but as hex digits.
    Opaque,
}

impl Kind {
    /// The kind of a column by its type; `None` for a type that is not known.
    pub(super) fn of(column: &Column) -> Option<Self> {
        let name = column.column_type.as_str();
        let base = name.split(['(', ' ']).next().unwrap_or_default();
        Some(match base {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "bit" | "year" => {
                Self::Number
            }
            "float" => Self::Float,
            "double" => Self::Double,
            "decimal" => Self::Decimal,
            "date" | "time" | "datetime" | "timestamp" | "uuid" | "inet4" | "inet6" => Self::Quoted,
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
                Self::Text(column.charset.as_deref().and_then(Charset::from_name))
            }
            "enum" => {
                let members = column.members.as_deref();
                let empty = members.is_some_and(|members| members.iter().any(String::is_empty));
                Self::Enum {
                    members: members.is_some(),
                    empty,
                }
            }
            "set" => Self::Set,
            "json" => Self::Json,
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
                Self::Binary
            }
            "vector" | "geometry" | "point" | "linestring" | "polygon" | "multipoint"
            | "multilinestring" | "multipolygon" | "geomcollection" | "geometrycollection" => {
                Self::Opaque
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::recover) fn kind(
        column_type: &str,
        charset: Option<&str>,
        members: Option<&[&str]>,
    ) -> Kind {
        Kind::of(&Column {
            name: "c".into(),
            column_type: column_type.into(),
            charset: charset.map(Into::into),
            nullable: true,
            pk: None,
            members: members.map(|list| list.iter().map(ToString::to_string).collect()),
            generated: None,
            invisible: false,
        })
        .unwrap()
    }
}
