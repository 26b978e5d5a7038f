//! A column's definition in CREATE TABLE and ALTER TABLE.

use super::reader::Reader;
use crate::index::record::Column;

/// A column as a statement defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definition {
    /// Without a place in the primary key. A text column has no character set where the statement names none.
    pub(super) column: Column,
    /// It is the primary key by itself.
    pub(super) key: bool,
    /// Where it stands; `None` for the end, or where it was.
    pub(super) place: Option<Position>,
}

/// `FIRST` or `AFTER` a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Position {
    First,
    After(String),
}

/// A type as `information_schema` prints it.
struct Type {
    text: String,
    charset: Option<String>,
    members: Option<Vec<String>>,
}

/// Are the values of this type read in the column's character set?
pub(crate) fn is_text(column_type: &str) -> bool {
    let base = column_type.split(['(', ' ']).next().unwrap_or_default();
    matches!(
        base,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext"
    )
}

impl Reader<'_> {
    /// `name type attributes [FIRST | AFTER name]`
    pub(super) fn definition(&mut self) -> Option<Definition> {
        let name = self.identifier()?;
        let Type {
            text,
            charset,
            members,
        } = self.data_type()?;
        let mut definition = Definition {
            column: Column {
                name,
                column_type: text,
                charset,
                nullable: true,
                pk: None,
                members,
                generated: Some(false),
                invisible: false,
            },
            key: false,
            place: None,
        };
        while !self.at_clause_end() {
            self.attribute(&mut definition)?;
        }
        if definition.key {
            definition.column.nullable = false;
        }
        Some(definition)
    }

    fn attribute(&mut self, definition: &mut Definition) -> Option<()> {
        let column = &mut definition.column;
        match self.word()?.to_ascii_uppercase().as_str() {
            "NOT" if self.eat("NULL") => column.nullable = false,
            "NOT" => self.eat("ENFORCED").then_some(())?,
            "NULL" => column.nullable = true,
            "AUTO_INCREMENT" => column.nullable = false,
            "DEFAULT" => self.value()?,
            "ON" => {
                self.eat("UPDATE").then_some(())?;
                self.value()?;
            }
            "UNIQUE" => {
                self.eat("KEY");
            }
            "PRIMARY" => {
                self.eat("KEY").then_some(())?;
                definition.key = true;
            }
            "KEY" => definition.key = true,
            "COMMENT" => drop(self.text()?),
            "COLLATE" => self.collation(&mut column.charset)?,
            "CHARACTER" | "CHARSET" => return None,
            "GENERATED" => {
                (self.eat("ALWAYS") && self.eat("AS") && self.eat_symbol('(')).then_some(())?;
                self.close()?;
                column.generated = Some(true);
            }
            "AS" => {
                self.eat_symbol('(').then_some(())?;
                self.close()?;
                column.generated = Some(true);
            }
            "VIRTUAL" | "STORED" | "PERSISTENT" | "VISIBLE" | "ENFORCED" => {}
            "INVISIBLE" => column.invisible = true,
            "COLUMN_FORMAT" | "STORAGE" | "SRID" => drop(self.word()?),
            "CONSTRAINT" => {
                if self.ahead() != "CHECK" {
                    self.identifier()?;
                }
            }
            "CHECK" => {
                self.eat_symbol('(').then_some(())?;
                self.close()?;
            }
            "REFERENCES" => self.reference()?,
            "FIRST" => definition.place = Some(Position::First),
            "AFTER" => definition.place = Some(Position::After(self.identifier()?)),
            _ => return None,
        }
        Some(())
    }

    fn reference(&mut self) -> Option<()> {
        self.table()?;
        if self.eat_symbol('(') {
            self.close()?;
        }
        if self.eat("MATCH") {
            self.word()?;
        }
        while self.eat("ON") {
            self.eat_any(&["UPDATE", "DELETE"])?;
            match self.eat_any(&["RESTRICT", "CASCADE", "SET", "NO"])? {
                "SET" => drop(self.eat_any(&["NULL", "DEFAULT"])?),
                "NO" => self.eat("ACTION").then_some(())?,
                _ => {}
            }
        }
        Some(())
    }

    /// A literal, a function without more than brackets behind it, or an expression in brackets.
    fn value(&mut self) -> Option<()> {
        if self.eat_symbol('(') {
            return self.close();
        }
        if !self.eat_symbol('-') {
            self.eat_symbol('+');
        }
        if !self.eat_text() {
            // A number, NULL, a function, or what tells the kind of the string behind it.
            self.word_or_fraction()?;
        }
        while self.eat_text() {}
        if self.eat_symbol('(') {
            self.close()?;
        }
        Some(())
    }

    fn word_or_fraction(&mut self) -> Option<()> {
        if self.eat_symbol('.') {
            return self.word().map(drop);
        }
        let whole = self.word()?;
        if whole.bytes().all(|byte| byte.is_ascii_digit()) && self.eat_symbol('.') {
            let digits = self.ahead();
            if digits.starts_with(|c: char| c.is_ascii_digit()) {
                self.word()?;
            }
        }
        Some(())
    }

    /// A collation's name begins with its character set's.
    fn collation(&mut self, charset: &mut Option<String>) -> Option<()> {
        self.eat_symbol('=');
        let name = match self.eat_text_or_name()? {
            name if name.eq_ignore_ascii_case("binary") => return None,
            name => name,
        };
        let of = name.split('_').next().unwrap_or_default();
        *charset = Some(of.to_ascii_lowercase());
        Some(())
    }

    fn eat_text_or_name(&mut self) -> Option<String> {
        let mut as_text = Reader {
            tokens: self.tokens.clone(),
            schema: self.schema,
        };
        match as_text.text() {
            Some(text) => {
                self.tokens = as_text.tokens;
                Some(text)
            }
            None => self.identifier(),
        }
    }

    fn data_type(&mut self) -> Option<Type> {
        let word = self.word()?.to_ascii_lowercase();
        let text = match word.as_str() {
            "tinyint" | "int1" => self.number("tinyint")?,
            "smallint" | "int2" => self.number("smallint")?,
            "mediumint" | "int3" | "middleint" => self.number("mediumint")?,
            "int" | "integer" | "int4" => self.number("int")?,
            "bigint" | "int8" => self.number("bigint")?,
            "bool" | "boolean" => "tinyint(1)".to_owned(),
            "float4" => self.number("float")?,
            "float" => match self.numbers()?.as_slice() {
                [precision] if *precision > 24 => self.number("double")?,
                _ => self.number("float")?,
            },
            "double" | "float8" => {
                self.eat("PRECISION");
                self.number("double")?
            }
            "decimal" | "dec" | "numeric" | "fixed" => {
                let (precision, scale) = match self.numbers()?.as_slice() {
                    [] => (10, 0),
                    [precision] => (*precision, 0),
                    [precision, scale] => (*precision, *scale),
                    _ => return None,
                };
                self.number(&format!("decimal({precision},{scale})"))?
            }
            "bit" => format!("bit({})", self.one_number()?.unwrap_or(1)),
            "year" => {
                self.numbers()?;
                word
            }
            "date" | "json" | "geometry" | "point" | "linestring" | "polygon" | "multipoint"
            | "multilinestring" | "multipolygon" | "tinyblob" | "mediumblob" | "longblob"
            | "uuid" | "inet4" | "inet6" => word,
            "geometrycollection" | "geomcollection" => "geomcollection".to_owned(),
            "time" | "datetime" | "timestamp" => match self.one_number()? {
                None | Some(0) => word,
                Some(digits) => format!("{word}({digits})"),
            },
            // With a length, the smallest type that holds it is taken.
            "blob" => word,
            "binary" => format!("binary({})", self.one_number()?.unwrap_or(1)),
            "varbinary" => format!("varbinary({})", self.one_number()??),
            "vector" => format!("vector({})", self.one_number()?.unwrap_or(2048)),
            "char" | "character" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext"
            | "enum" | "set" => return self.text_type(&word),
            _ => return None,
        };
        Some(Type {
            text,
            charset: None,
            members: None,
        })
    }

    fn text_type(&mut self, word: &str) -> Option<Type> {
        let mut members = None;
        let text = match word {
            "char" | "character" if self.eat("VARYING") => {
                format!("varchar({})", self.one_number()??)
            }
            "char" | "character" => format!("char({})", self.one_number()?.unwrap_or(1)),
            "varchar" => format!("varchar({})", self.one_number()??),
            "enum" | "set" => {
                self.eat_symbol('(').then_some(())?;
                let mut labels = Vec::new();
                loop {
                    // The server drops blanks at a label's end.
                    labels.push(self.text()?.trim_end_matches(' ').to_owned());
                    if !self.eat_symbol(',') {
                        break;
                    }
                }
                self.eat_symbol(')').then_some(())?;
                members = Some(labels);
                word.to_owned()
            }
            other => other.to_owned(),
        };
        let mut charset = None;
        loop {
            if self.eat("BINARY") {
                continue;
            }
            if self.eat("CHARSET") || self.eat("CHARACTER") && self.eat("SET") {
                let name = self.eat_text_or_name()?.to_ascii_lowercase();
                // It makes another type of the column.
                if name == "binary" {
                    return None;
                }
                charset = Some(name);
            } else {
                break;
            }
        }
        let text = match &members {
            Some(labels) => super::with_labels(&text, labels),
            None => text,
        };
        Some(Type {
            text,
            charset,
            members,
        })
    }

    /// A number's type, behind its length.
    fn number(&mut self, name: &str) -> Option<String> {
        self.numbers()?;
        let mut unsigned = false;
        while let Some(word) = self.eat_any(&["UNSIGNED", "SIGNED", "ZEROFILL"]) {
            unsigned |= word != "SIGNED";
        }
        Some(format!("{name}{}", if unsigned { " unsigned" } else { "" }))
    }

    /// `[(a [, b])]`
    fn numbers(&mut self) -> Option<Vec<u32>> {
        let mut numbers = Vec::new();
        if self.eat_symbol('(') {
            loop {
                numbers.push(self.word()?.parse().ok()?);
                if !self.eat_symbol(',') {
                    break;
                }
            }
            self.eat_symbol(')').then_some(())?;
        }
        Some(numbers)
    }

    fn one_number(&mut self) -> Option<Option<u32>> {
        match self.numbers()?.as_slice() {
            [] => Some(None),
            [number] => Some(Some(*number)),
            _ => None,
        }
    }
}
