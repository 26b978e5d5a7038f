//! Where the values of an earlier definition of a table have their place in a later one.

use super::literal::Refusal;
use crate::described::plain_type;
use crate::index::record::Column;
use crate::table::{members, same_labels};

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
    /// Of a table's columns `was`, which have `names` by now, in its columns `now`.
    pub(super) fn new(
        (schema, table): &(String, String),
        was: &[Column],
        names: &[Option<String>],
        now: &[Column],
    ) -> Self {
        let mut fit = Self {
            schema: schema.clone(),
            table: table.clone(),
            columns: Vec::with_capacity(was.len()),
            refusal: None,
        };
        for (was, name) in was.iter().zip(names) {
            let found = name.as_ref().and_then(|name| {
                now.iter()
                    .find(|column| column.name.to_lowercase() == name.to_lowercase())
            });
            let place = match found {
                Some(found) => {
                    // Of what is computed nothing is written, and nothing is asked but in a key.
                    if was.generated != Some(true)
                        && let Some(why) = misfit(was, found)
                    {
                        fit.refusal.get_or_insert(why);
                    }
                    Place::As {
                        name: found.name.clone(),
                        never_null: was.nullable && !found.nullable,
                    }
                }
                None if was.pk.is_some() => {
                    let text = format!(
                        "its column {}, a part of its key, is no longer there",
                        was.name
                    );
                    fit.refusal.get_or_insert(text.into());
                    Place::Gone
                }
                // The images need not have it.
                None if was.generated == Some(true) => Place::As {
                    name: was.name.clone(),
                    never_null: false,
                },
                None => Place::Gone,
            };
            fit.columns.push(place);
        }
        fit.check_key(was, now);
        fit
    }

    /// Where nobody can tell.
    pub(super) fn refused((schema, table): &(String, String), was: &[Column], why: String) -> Self {
        Self {
            schema: schema.clone(),
            table: table.clone(),
            columns: was.iter().map(|_| Place::Gone).collect(),
            refusal: Some(why.into()),
        }
    }

    /// Is there no more than one row of a key still?
    fn check_key(&mut self, was: &[Column], now: &[Column]) {
        let held = |column: &Column| {
            was.iter().zip(&self.columns).any(|(was, place)| {
                was.pk.is_some() && matches!(place, Place::As { name, .. } if *name == column.name)
            })
        };
        let mut key = now.iter().filter(|column| column.pk.is_some());
        let keyed = now.iter().any(|column| column.pk.is_some());
        if was.iter().any(|column| column.pk.is_some()) && !(keyed && key.all(held)) {
            let text = format!(
                "its primary key was {} and is {} by now",
                key_of(was),
                key_of(now)
            );
            self.refusal.get_or_insert(text.into());
        }
    }
}

/// `(a, b)`
fn key_of(columns: &[Column]) -> String {
    let mut key: Vec<&Column> = columns
        .iter()
        .filter(|column| column.pk.is_some())
        .collect();
    if key.is_empty() {
        return "none".to_owned();
    }
    key.sort_by_key(|column| column.pk);
    let names: Vec<&str> = key.iter().map(|column| column.name.as_str()).collect();
    format!("({})", names.join(", "))
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
    if matches!(from.base, "enum" | "set")
        && from.base == to.base
        && (from.members.is_none() || to.members.is_none())
    {
        let labels = |column: &Column| {
            let of_type = || members(&column.column_type);
            column.members.clone().or_else(of_type)
        };
        let same = labels(was)
            .zip(labels(now))
            .is_some_and(|(was, now)| same_labels(&was, &now));
        return if same { None } else { other() };
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

    fn fit(was: &[Column], names: &[Option<&str>], now: &[Column]) -> Fit {
        let names: Vec<Option<String>> = names
            .iter()
            .map(|name| name.map(ToOwned::to_owned))
            .collect();
        Fit::new(&("s".to_owned(), "t".to_owned()), was, &names, now)
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
        let same = [Some("id"), Some("a")];
        assert_eq!(names(&fit(&was, &same, &was)), same);
        let moved = [
            column("b", "json"),
            column("A", "datetime(6)"),
            column("id", "int"),
        ];
        assert_eq!(names(&fit(&was, &same, &moved)), [Some("id"), Some("A")]);
        let now = [column("id", "int"), column("z", "datetime(6)")];
        let renamed = [Some("id"), Some("z")];
        assert_eq!(names(&fit(&was, &renamed, &now)), renamed);
        // Another column of that name.
        let dropped = [Some("id"), None];
        assert_eq!(names(&fit(&was, &dropped, &was)), dropped);
    }

    #[test]
    fn a_key_still_finds_one_row() {
        let keyed = |keys: [Option<u16>; 3]| {
            let mut columns = [column("a", "int"), column("b", "int"), column("c", "int")];
            for (column, pk) in columns.iter_mut().zip(keys) {
                column.pk = pk;
            }
            columns
        };
        let same = [Some("a"), Some("b"), Some("c")];
        let was = keyed([Some(2), Some(1), None]);
        for (now, fits) in [
            (keyed([Some(1), Some(2), None]), true),
            (keyed([Some(1), None, None]), true),
            (keyed([Some(1), Some(2), Some(3)]), false),
            (keyed([None, None, Some(1)]), false),
            (keyed([None, None, None]), false),
        ] {
            assert_eq!(fit(&was, &same, &now).refusal.is_none(), fits, "{now:?}");
        }
        let text = fit(&was, &same, &keyed([None; 3])).refusal.unwrap();
        assert_eq!(text, "its primary key was (b, a) and is none by now");
        let without = keyed([None; 3]);
        assert_eq!(fit(&without, &same, &was).refusal, None);
        let gone = fit(&was, &[None, Some("b"), None], &was[1..]);
        assert!(gone.refusal.is_some());
    }

    #[test]
    fn a_type_fits_where_every_value_stays_what_it_was() {
        let fits = |was: &str, now: &str| {
            fit(&[column("c", was)], &[Some("c")], &[column("c", now)])
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
        let labels = |was, now| fit(&[was], &[Some("c")], &[now]).refusal.is_none();
        assert!(labels(with("latin1", &["a"]), with("utf8mb4", &["a", "b"])));
        assert!(!labels(
            with("utf8mb4", &["a"]),
            with("latin1", &["a", "b"])
        ));
        assert!(!labels(
            with("latin1", &["a", "b"]),
            with("latin1", &["b", "a"])
        ));
        // What `information_schema` could not print.
        let unsure = |text: &str| Column {
            charset: Some("utf8mb4".to_owned()),
            ..column("c", text)
        };
        assert!(labels(unsure("enum('?')"), unsure("enum('?')")));
        assert!(labels(with("utf8mb4", &["😀"]), unsure("enum('?')")));
        assert!(!labels(unsure("enum('?','b')"), unsure("enum('b','?')")));
        assert!(!labels(unsure("enum"), with("utf8mb4", &["a"])));
        let mut computed = [column("c", "int")];
        computed[0].generated = Some(true);
        assert!(
            fit(&[column("c", "int")], &[Some("c")], &computed)
                .refusal
                .is_some()
        );
    }
}
