//! The form of keys, for those who ask for one that no row can have.

use super::statements::select;
use crate::index::convert::{parse_columns, parse_known_by};
use crate::index::read::Value;
use crate::index::record::{Column, KnownBy};
use crate::index::{Index, Result};

/// A definition that a table has had.
struct Definition {
    name: String,
    /// The columns of its primary key, in their order there.
    key: Vec<Column>,
}

impl Index {
    /// What to know of a table's keys when one is asked for that no row of it can have, by all definitions that it has had;
    /// `None` when there may be such rows, or the definitions do not tell.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub async fn key_form(
        &self,
        schema: Option<&str>,
        table: &str,
        keys: &[String],
    ) -> Result<Option<String>> {
        let mut sql =
            "SELECT schema_name, table_name, columns, known_by FROM table_versions WHERE table_name = ?".to_owned();
        let mut values = vec![Value::Text(table.to_owned())];
        if let Some(schema) = schema {
            sql.push_str(" AND schema_name = ?");
            values.push(Value::Text(schema.to_owned()));
        }
        sql.push_str(" ORDER BY table_id");
        let mut definitions = Vec::new();
        for mut cells in self.read_again(select(sql, values), usize::MAX).await?.rows {
            let name = format!("{}.{}", cells.a_text(0)?, cells.a_text(1)?);
            let mut key = parse_columns(&cells.a_text(2)?)?;
            if parse_known_by(&cells.a_text(3)?)? == KnownBy::Position {
                return Ok(None);
            }
            key.retain(|column| column.pk.is_some());
            key.sort_by_key(|column| column.pk);
            definitions.push(Definition { name, key });
        }
        Ok(form(&definitions, keys))
    }
}

fn form(definitions: &[Definition], keys: &[String]) -> Option<String> {
    let Definition { name, key } = definitions.last()?;
    let none_has = |asked: &&String| !definitions.iter().any(|table| may_be(asked, &table.key));
    let asked = keys.iter().find(none_has)?;
    if key.is_empty() {
        return Some(format!(
            "{name} has no primary key, so --pk finds none of its rows: ask for them with --where COLUMN=VALUE"
        ));
    }
    let columns: Vec<String> = key
        .iter()
        .map(|column| format!("{} ({})", column.name, column.column_type))
        .collect();
    let values: Vec<&str> = key
        .iter()
        .map(|column| if is_integer(column) { "42" } else { "…" })
        .collect();
    let mut told = format!(
        "no row of {name} can have the key {asked}: its primary key is {}, written as --pk '{}'",
        columns.join(", "),
        values.join("|")
    );
    if asked.contains(',') {
        told.push_str("; --pks takes several keys, with commas between them");
    }
    Some(told)
}

/// Can a row with this primary key have it, as `pk_values` has them?
fn may_be(asked: &str, key: &[Column]) -> bool {
    let parts = parts(asked);
    !key.is_empty()
        && parts.len() == key.len()
        && parts.iter().zip(key).all(|(part, column)| {
            let number = part.parse::<i128>();
            !is_integer(column) || number.is_ok_and(|number| number.to_string() == *part)
        })
}

fn is_integer(column: &Column) -> bool {
    let name = column.column_type.split(['(', ' ']).next();
    ["tinyint", "smallint", "mediumint", "int", "bigint"].contains(&name.unwrap_or_default())
}

/// The values of a key, as they stand between its `|`.
fn parts(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for char in key.chars() {
        if char == '|' && !escaped {
            parts.push(String::new());
            continue;
        }
        escaped = char == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(char);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(key: &[(&str, &str)]) -> Definition {
        let columns = key.iter().zip(1..).map(|((name, column_type), pk)| Column {
            name: (*name).to_owned(),
            column_type: (*column_type).to_owned(),
            charset: None,
            nullable: false,
            pk: Some(pk),
            members: None,
            generated: None,
            invisible: false,
        });
        Definition {
            name: "d.t".to_owned(),
            key: columns.collect(),
        }
    }

    #[test]
    fn a_key_that_no_row_can_have_is_told_with_the_form_of_those_that_can() {
        let id = [("id", "bigint unsigned")];
        let both = [("a", "int"), ("b", "varchar(9)")];
        for (key, asked) in [
            (&id[..], "5"),
            (&id, "-5"),
            (&id, "18446744073709551615"),
            (&both, "5|x"),
            (&both, r"5|x\|y"),
            (&both, r"5|\\"),
            (&both, "5|"),
            (&both[1..], "id=5"),
        ] {
            assert_eq!(form(&[table(key)], &[asked.to_owned()]), None, "{asked}");
        }
        for (key, asked, told) in [
            (
                &id[..],
                "id=5",
                "no row of d.t can have the key id=5: its primary key is id (bigint unsigned), written as --pk '42'",
            ),
            (&id, "\"5\"", "written as --pk '42'"),
            (&id, "05", "written as --pk '42'"),
            (&id, "", "written as --pk '42'"),
            (&id, "5|6", "written as --pk '42'"),
            (
                &id,
                "5,6",
                "written as --pk '42'; --pks takes several keys, with commas between them",
            ),
            (
                &both,
                "5",
                "its primary key is a (int), b (varchar(9)), written as --pk '42|…'",
            ),
            (&both, "x|5", "written as --pk '42|…'"),
            (&both, r"5\|x", "written as --pk '42|…'"),
            (&both, r"5|x\\|y", "written as --pk '42|…'"),
            (&[], "5", "d.t has no primary key"),
        ] {
            // One that may be there is nothing against the other.
            let keys = ["7".to_owned(), asked.to_owned()];
            let keys = if key.len() == 1 {
                &keys[..]
            } else {
                &keys[1..]
            };
            let found = form(&[table(key)], keys).unwrap_or_default();
            assert!(found.contains(told), "{asked}: {found}");
        }
        // A definition of before may have had it.
        assert_eq!(form(&[table(&both), table(&id)], &["5|x".to_owned()]), None);
        assert_eq!(form(&[], &["5".to_owned()]), None);
    }
}
