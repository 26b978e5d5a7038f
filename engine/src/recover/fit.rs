//! Where the values of an earlier definition of a table have their place in a later one.

use super::literal::Refusal;
use crate::described::plain_type;
use crate::index::record::Column;

/// A table's earlier definition in the present one.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    pub(super) schema: String,
    pub(super) table: String,
    /// A place for each column.
    pub(super) columns: Vec<Place>,
    /// Why the values have none.
    pub(super) refusal: Option<Refusal>,
}

/// Where a column is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Under this name.
    As {
        name: String,
        /// It was nullable and is not any more.
        never_null: bool,
    },
    /// Nowhere.
    Gone,
}

impl Fit {
    /// In its own definition.
    pub(super) fn new(schema: &str, table: &str, columns: &[Column]) -> Self {
        let here = |column: &Column| Place::As {
            name: column.name.clone(),
            never_null: false,
        };
        Self {
            schema: schema.to_owned(),
            table: table.to_owned(),
            columns: columns.iter().map(here).collect(),
            refusal: None,
        }
    }

    /// From the definition `was`, in which the columns have the places found so far, on to `now`, where `renamed`
    /// gives the columns that got other names in between.
    pub(super) fn lead(&mut self, was: &[Column], now: &[Column], renamed: &[(String, String)]) {
        for place in &mut self.columns {
            let Place::As { name, never_null } = place else {
                continue;
            };
            let Some(before) = was.iter().find(|column| column.name == *name) else {
                continue;
            };
            let to = renamed
                .iter()
                .find(|(from, _)| from.to_lowercase() == name.to_lowercase());
            let wanted = to.map_or(&*name, |(_, to)| to);
            // A name that another column got is not this one any more.
            let taken = to.is_none()
                && renamed
                    .iter()
                    .any(|(_, to)| to.to_lowercase() == name.to_lowercase());
            let found = now
                .iter()
                .find(|column| !taken && column.name.to_lowercase() == wanted.to_lowercase());
            let Some(found) = found else {
                if before.pk.is_some() {
                    let text = format!("its column {name}, a part of its key, is no longer there");
                    self.refusal.get_or_insert(text.into());
                }
                if before.generated != Some(true) {
                    *place = Place::Gone;
                }
                continue;
            };
            if before.generated == Some(true) {
                // Nothing of it is written, and nothing is asked of it but in a key.
                name.clone_from(&found.name);
                continue;
            }
            if let Some(why) = misfit(before, found) {
                self.refusal.get_or_insert(why);
            }
            *never_null |= before.nullable && !found.nullable;
            name.clone_from(&found.name);
        }
    }
}

/// Why the values of a column would not be what they were under its later definition.
fn misfit(was: &Column, now: &Column) -> Option<Refusal> {
    let other = || {
        let charset = |column: &Column| match &column.charset {
            Some(charset) => format!(" in {charset}"),
            None => String::new(),
        };
        let text = format!(
            "its column {} was {}{} and is {}{} by now",
            was.name,
            was.column_type,
            charset(was),
            now.column_type,
            charset(now)
        );
        Some(text.into())
    };
    if now.generated == Some(true) {
        return other();
    }
    let (mut from, mut to) = (Type::of(was), Type::of(now));
    // A statement that leaves it to the table's default does not tell it.
    if from.charset.is_none() || to.charset.is_none() {
        (from.charset, to.charset) = (None, None);
    }
    (from != to && !from.is_held_by(&to)).then(other).flatten()
}

/// A type, whichever way it is known: row metadata tells no display widths, and members apart from the type.
#[derive(Debug, PartialEq, Eq)]
struct Type<'c> {
    base: &'c str,
    numbers: Vec<u32>,
    unsigned: bool,
    charset: Option<&'c str>,
    members: Option<&'c [String]>,
}

impl<'c> Type<'c> {
    fn of(column: &'c Column) -> Self {
        let name = plain_type(&column.column_type);
        let base = name.split(['(', ' ']).next().unwrap_or_default();
        let listed = name
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'));
        let numbers = match base {
            // Widths of display, and labels.
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "enum" | "set" | "year" => {
                Vec::new()
            }
            _ => {
                let numbers = listed.map_or("", |(numbers, _)| numbers).split(',');
                numbers
                    .filter_map(|number| number.trim().parse().ok())
                    .collect()
            }
        };
        let charset = column.charset.as_deref();
        Self {
            base: match base {
                "geomcollection" => "geometrycollection",
                base => base,
            },
            numbers,
            unsigned: name.contains(" unsigned"),
            charset: charset.map(|name| if name == "utf8" { "utf8mb3" } else { name }),
            members: column.members.as_deref(),
        }
    }

    fn first(&self) -> u32 {
        self.numbers.first().copied().unwrap_or(0)
    }

    /// Has every value of this type the same value in `wider`, and no other value the same?
    fn is_held_by(&self, wider: &Self) -> bool {
        const INTEGERS: [&str; 5] = ["tinyint", "smallint", "mediumint", "int", "bigint"];
        const TEXTS: [&str; 4] = ["tinytext", "text", "mediumtext", "longtext"];
        const BLOBS: [&str; 4] = ["tinyblob", "blob", "mediumblob", "longblob"];
        let rank = |list: &[&str], base: &str| list.iter().position(|one| *one == base);
        let numbers = |of: &Self| (of.first(), of.numbers.get(1).copied().unwrap_or(0));
        if let (Some(from), Some(to)) = (rank(&INTEGERS, self.base), rank(&INTEGERS, wider.base)) {
            return match (self.unsigned, wider.unsigned) {
                (from_unsigned, to_unsigned) if from_unsigned == to_unsigned => from <= to,
                (from_unsigned, _) => from_unsigned && from < to,
            };
        }
        // Character sets that hold every character.
        let whole = |name: &str| matches!(name, "utf8mb4" | "utf16" | "utf16le" | "utf32");
        let readable = self.charset == wider.charset || wider.charset.is_some_and(whole);
        // What bytes a length stands for is known where it counts characters.
        let long = |list: &[&str]| match (self.base, wider.base) {
            (from, to) if from == to && !self.numbers.is_empty() => self.first() <= wider.first(),
            (from, to) => match (rank(list, from), rank(list, to)) {
                (Some(from), Some(to)) => from <= to && self.charset == wider.charset,
                (None, Some(to)) => to > 0 && self.first() <= 16_383,
                _ => false,
            },
        };
        match self.base {
            "char" if wider.base == "char" => readable && self.first() <= wider.first(),
            "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => readable && long(&TEXTS),
            "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => long(&BLOBS),
            "decimal" if wider.base == "decimal" => {
                let ((digits, scale), (wider_digits, wider_scale)) =
                    (numbers(self), numbers(wider));
                scale <= wider_scale
                    && digits.saturating_sub(scale) <= wider_digits.saturating_sub(wider_scale)
                    && (self.unsigned || !wider.unsigned)
            }
            "float" => {
                wider.base == "double" && self.numbers.is_empty() && wider.numbers.is_empty()
            }
            "bit" => wider.base == "bit" && self.first() <= wider.first(),
            "time" | "datetime" | "timestamp" => {
                wider.base == self.base && self.first() <= wider.first()
            }
            "enum" | "set" => {
                let (from, to) = (self.members, wider.members);
                wider.base == self.base
                    && readable
                    && from.zip(to).is_some_and(|(from, to)| to.starts_with(from))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, column_type: &str) -> Column {
        Column {
            name: name.into(),
            column_type: column_type.into(),
            charset: None,
            nullable: true,
            pk: None,
            members: None,
            generated: Some(false),
            invisible: false,
        }
    }

    fn lead(was: &[Column], now: &[Column], renamed: &[(&str, &str)]) -> Fit {
        let renamed: Vec<(String, String)> = renamed
            .iter()
            .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
            .collect();
        let mut fit = Fit::new("s", "t", was);
        fit.lead(was, now, &renamed);
        fit
    }

    fn names(fit: &Fit) -> Vec<Option<&str>> {
        assert_eq!(fit.refusal, None);
        fit.columns
            .iter()
            .map(|place| match place {
                Place::As { name, .. } => Some(name.as_str()),
                Place::Gone => None,
            })
            .collect()
    }

    #[test]
    fn columns_come_go_move_and_get_other_names() {
        let was = [column("id", "int(11)"), column("a", "datetime(6)")];
        assert_eq!(names(&lead(&was, &was, &[])), [Some("id"), Some("a")]);
        let moved = [
            column("b", "json"),
            column("A", "datetime(6)"),
            column("id", "int"),
        ];
        assert_eq!(names(&lead(&was, &moved, &[])), [Some("id"), Some("A")]);
        let now = [column("id", "int"), column("z", "datetime(6)")];
        assert_eq!(names(&lead(&was, &now, &[])), [Some("id"), None]);
        assert_eq!(
            names(&lead(&was, &now, &[("a", "z")])),
            [Some("id"), Some("z")]
        );
        // Names change hands.
        let was = [column("id", "int"), column("a", "int"), column("b", "int")];
        let swapped = lead(&was, &was, &[("a", "b"), ("b", "a")]);
        assert_eq!(names(&swapped), [Some("id"), Some("b"), Some("a")]);
        let shifted = lead(&was, &was[..2], &[("b", "a")]);
        assert_eq!(names(&shifted), [Some("id"), None, Some("a")]);
        let mut keyed = was.clone();
        keyed[0].pk = Some(1);
        assert!(lead(&keyed, &was[1..], &[]).refusal.is_some());
    }

    #[test]
    fn a_type_fits_where_every_value_stays_what_it_was() {
        let fits = |was: &str, now: &str| {
            lead(&[column("c", was)], &[column("c", now)], &[])
                .refusal
                .is_none()
        };
        for (was, now) in [
            ("int(11)", "int"),
            ("int", "bigint"),
            ("int unsigned", "bigint"),
            ("tinyint unsigned", "smallint unsigned"),
            ("varchar(9)", "varchar(10)"),
            ("varchar(9)", "text"),
            ("text", "longtext"),
            ("varbinary(9)", "varbinary(10)"),
            ("decimal(5,2)", "decimal(7,3)"),
            ("float", "double"),
            ("datetime", "datetime(6)"),
            ("bit(3)", "bit(64)"),
        ] {
            assert!(fits(was, now), "{was} {now}");
            assert!(was == "int(11)" || !fits(now, was), "{now} {was}");
        }
        for (was, now) in [
            ("int", "int unsigned"),
            ("int", "bigint unsigned"),
            ("bigint unsigned", "bigint"),
            ("datetime(6)", "varchar(26)"),
            ("datetime", "timestamp"),
            ("timestamp", "datetime"),
            ("decimal(5,2)", "decimal(5,3)"),
            ("decimal(5,2)", "double"),
            ("char(3)", "binary(3)"),
            ("binary(3)", "binary(4)"),
            ("char(3)", "varchar(3)"),
            ("varchar(65535)", "text"),
            ("varchar(9)", "tinytext"),
            ("float", "double(9,3)"),
        ] {
            assert!(!fits(was, now), "{was} {now}");
        }
        let with = |charset: &str, members: &[&str]| Column {
            charset: Some(charset.to_owned()),
            members: Some(members.iter().map(ToString::to_string).collect()),
            ..column("c", "enum")
        };
        let labels = |was, now| lead(&[was], &[now], &[]).refusal.is_none();
        assert!(labels(with("latin1", &["a"]), with("utf8mb4", &["a", "b"])));
        assert!(!labels(
            with("utf8mb4", &["a"]),
            with("latin1", &["a", "b"])
        ));
        assert!(!labels(
            with("latin1", &["a", "b"]),
            with("latin1", &["b", "a"])
        ));
        let mut computed = [column("c", "int")];
        computed[0].generated = Some(true);
        assert!(
            lead(&[column("c", "int")], &computed, &[])
                .refusal
                .is_some()
        );
    }
}
