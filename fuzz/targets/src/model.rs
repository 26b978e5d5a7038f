//! Tables and rows that a fuzzer makes up, written as the server writes them.

use arbitrary::{Result, Unstructured};

use crate::document::text;
use crate::value::{self, BINARY, Kind, Value};

/// A table, and what its event says of it.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) id: u64,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// Are names, members, the key and visibility there (`binlog_row_metadata=FULL`)?
    pub(crate) full: bool,
    pub(crate) key: Vec<u16>,
    /// Is each collation named, rather than those that differ from the first one?
    each_collation: bool,
    /// Does it hold metadata of a kind that no reader knows?
    pub(crate) has_unknown_metadata: bool,
}

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    pub(crate) unsigned: bool,
    pub(crate) collation: u16,
    pub(crate) name: String,
    pub(crate) members: Vec<String>,
    pub(crate) visible: bool,
}

/// What an event does to its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Write,
    Update,
    Delete,
}

/// A column in an image.
#[derive(Debug)]
pub(crate) enum Cell {
    Absent,
    Null,
    Value(Value),
}

/// A row: an image before, and one after; each has a cell a column.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) before: Option<Vec<Cell>>,
    pub(crate) after: Option<Vec<Cell>>,
}

/// A rows event.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) verb: Verb,
    pub(crate) v2: bool,
    pub(crate) rows: Vec<Row>,
    /// Which columns the images before and after have.
    present: [Vec<bool>; 2],
}

impl Table {
    pub(crate) fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let count = match u.ratio(1, 32)? {
            true => u.int_in_range(1..=300)?,
            false => u.int_in_range(1..=12)?,
        };
        let full = u.arbitrary()?;
        let columns: Vec<Column> = (0..count)
            .map(|number| Column::arbitrary(u, number, full))
            .collect::<Result<_>>()?;
        let mut key = Vec::new();
        if full && u.arbitrary()? {
            for _ in 0..u.int_in_range(1..=3)? {
                let number = u.int_in_range(0..=columns.len() as u16 - 1)?;
                if !key.contains(&number) {
                    key.push(number);
                }
            }
        }
        Ok(Self {
            id: u.arbitrary::<u64>()? >> 16,
            schema: identifier(u)?,
            name: identifier(u)?,
            columns,
            full,
            key,
            each_collation: u.arbitrary()?,
            has_unknown_metadata: u.ratio(1, 8)?,
        })
    }

    /// The body of its TABLE_MAP_EVENT.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = self.id.to_le_bytes()[..6].to_vec();
        out.extend_from_slice(&[1, 0]);
        for name in [&self.schema, &self.name] {
            put_string(name.as_bytes(), &mut out);
            out.push(0);
        }
        put_number(self.columns.len(), &mut out);
        let (codes, metadata): (Vec<u8>, Vec<Vec<u8>>) =
            self.columns.iter().map(|column| column.kind.code()).unzip();
        out.extend_from_slice(&codes);
        put_string(&metadata.concat(), &mut out);
        out.extend_from_slice(&bits(self.columns.iter().map(|column| column.nullable)));
        self.put_optional_metadata(&mut out);
        out
    }

    fn put_optional_metadata(&self, out: &mut Vec<u8>) {
        let mut field = |kind: u8, value: &[u8]| {
            if !value.is_empty() {
                out.push(kind);
                put_string(value, out);
            }
        };
        let columns = |wanted: fn(Kind) -> bool| {
            self.columns
                .iter()
                .filter(move |column| wanted(column.kind))
        };
        field(
            1,
            &high_bits(columns(Kind::has_signedness).map(|c| c.unsigned)),
        );
        for (kind, wanted) in [
            (2, Kind::is_character as fn(Kind) -> bool),
            (10, Kind::has_members),
        ] {
            let ids: Vec<u16> = columns(wanted).map(|column| column.collation).collect();
            let mut value = Vec::new();
            if self.each_collation {
                ids.iter().for_each(|&id| put_number(id.into(), &mut value));
                field(kind + 1, &value);
            } else if let Some(&default) = ids.first() {
                put_number(default.into(), &mut value);
                for (number, &id) in ids.iter().enumerate().filter(|(_, id)| **id != default) {
                    put_number(number, &mut value);
                    put_number(id.into(), &mut value);
                }
                field(kind, &value);
            }
        }
        let geometries = columns(|kind| kind == Kind::Geometry).map(|_| 0);
        field(7, &geometries.collect::<Vec<u8>>());
        let vectors = columns(|kind| kind == Kind::Vector).map(|_| 4);
        field(13, &vectors.collect::<Vec<u8>>());
        if self.has_unknown_metadata {
            field(200, b"of a later version");
        }
        if !self.full {
            return;
        }
        let mut names = Vec::new();
        for column in &self.columns {
            put_string(column.name.as_bytes(), &mut names);
        }
        field(4, &names);
        for (kind, wanted) in [
            (5, (|kind| matches!(kind, Kind::Set(_))) as fn(Kind) -> bool),
            (6, |kind| matches!(kind, Kind::Enum(_))),
        ] {
            let mut value = Vec::new();
            for column in columns(wanted) {
                put_number(column.members.len(), &mut value);
                for member in &column.members {
                    put_string(member.as_bytes(), &mut value);
                }
            }
            field(kind, &value);
        }
        let mut key = Vec::new();
        self.key
            .iter()
            .for_each(|&number| put_number(number.into(), &mut key));
        field(8, &key);
        field(
            12,
            &high_bits(self.columns.iter().map(|column| column.visible)),
        );
    }
}

impl Column {
    fn arbitrary(u: &mut Unstructured<'_>, number: usize, full: bool) -> Result<Self> {
        let kind = Kind::arbitrary(u)?;
        let members = match kind {
            Kind::Enum(members) => members,
            Kind::Set(members) => members.into(),
            _ => 0,
        };
        let collation = match kind {
            _ if kind.has_members() => 255,
            Kind::Vector => BINARY,
            _ => *u.choose(&[255, 45, BINARY])?,
        };
        Ok(Self {
            kind,
            nullable: u.arbitrary()?,
            unsigned: u.arbitrary()?,
            collation,
            name: match full {
                // No two alike.
                true => format!("{}_{number}", text(u, 12)?),
                false => String::new(),
            },
            members: (0..members)
                .map(|n| match n {
                    0..=2 if full => Ok(format!("{}{n}", text(u, 6)?)),
                    _ => Ok(n.to_string()),
                })
                .collect::<Result<_>>()?,
            visible: u.arbitrary()?,
        })
    }
}

impl Rows {
    pub(crate) fn arbitrary(u: &mut Unstructured<'_>, table: &Table) -> Result<Self> {
        let verb = *u.choose(&[Verb::Write, Verb::Update, Verb::Delete])?;
        let v2 = !u.ratio(1, 4)?;
        let mut present = [(); 2].map(|()| vec![true; table.columns.len()]);
        if u.ratio(1, 3)? {
            for image in &mut present {
                for is in image.iter_mut() {
                    *is = u.arbitrary()?;
                }
                // The server writes no rows of no bytes, but for one that is not made up here.
                image[0] = true;
            }
        }
        if verb != Verb::Update {
            present[1] = present[0].clone();
        }
        let mut rows = Vec::new();
        for _ in 0..u.int_in_range(1..=4)? {
            let mut image = |present: &[bool]| -> Result<Vec<Cell>> {
                let columns = table.columns.iter().zip(present);
                columns
                    .map(|(column, &is)| Cell::arbitrary(u, column, is))
                    .collect()
            };
            let before = (verb != Verb::Write)
                .then(|| image(&present[0]))
                .transpose()?;
            let after = (verb != Verb::Delete)
                .then(|| image(&present[1]))
                .transpose()?;
            rows.push(Row { before, after });
        }
        Ok(Self {
            verb,
            v2,
            rows,
            present,
        })
    }

    /// The event's type code.
    pub(crate) fn code(&self) -> u8 {
        let v1 = match self.verb {
            Verb::Write => 23,
            Verb::Update => 24,
            Verb::Delete => 25,
        };
        if self.v2 { v1 + 7 } else { v1 }
    }

    /// The event's body.
    pub(crate) fn encode(&self, table: &Table) -> Vec<u8> {
        let mut out = table.id.to_le_bytes()[..6].to_vec();
        out.extend_from_slice(&[1, 0]);
        if self.v2 {
            out.extend_from_slice(&[2, 0]);
        }
        put_number(table.columns.len(), &mut out);
        out.extend_from_slice(&bits(self.present[0].iter().copied()));
        if self.verb == Verb::Update {
            out.extend_from_slice(&bits(self.present[1].iter().copied()));
        }
        for row in &self.rows {
            for image in [&row.before, &row.after].into_iter().flatten() {
                let there = || image.iter().filter(|cell| !matches!(cell, Cell::Absent));
                out.extend_from_slice(&bits(there().map(|cell| matches!(cell, Cell::Null))));
                for (column, cell) in table.columns.iter().zip(image) {
                    let Cell::Value(value) = cell else { continue };
                    let len = value.bytes.len().to_le_bytes();
                    out.extend_from_slice(&len[..column.kind.len_bytes()]);
                    out.extend_from_slice(&value.bytes);
                }
            }
        }
        out
    }
}

impl Cell {
    fn arbitrary(u: &mut Unstructured<'_>, column: &Column, present: bool) -> Result<Self> {
        if !present {
            return Ok(Self::Absent);
        }
        if u.ratio(1, 8)? {
            return Ok(Self::Null);
        }
        value::arbitrary(u, column.kind, column.unsigned, column.collation).map(Self::Value)
    }
}

/// A name without line ends, which no printer of rows escapes.
fn identifier(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(text(u, 20)?.replace(['\n', '\r'], "_"))
}

/// An `int<lenenc>`.
fn put_number(n: usize, out: &mut Vec<u8>) {
    let bytes = n.to_le_bytes();
    match n {
        0..=250 => out.push(bytes[0]),
        251..=0xFFFF => out.extend_from_slice(&[0xFC, bytes[0], bytes[1]]),
        _ => out.extend_from_slice(&[0xFD, bytes[0], bytes[1], bytes[2]]),
    }
}

fn put_string(text: &[u8], out: &mut Vec<u8>) {
    put_number(text.len(), out);
    out.extend_from_slice(text);
}

/// A bitmap, the least significant bit first.
fn bits(bits: impl Iterator<Item = bool>) -> Vec<u8> {
    let bits: Vec<bool> = bits.collect();
    let byte = |chunk: &[bool]| (0..).zip(chunk).map(|(n, &bit)| u8::from(bit) << n).sum();
    bits.chunks(8).map(byte).collect()
}

/// A bitmap, the most significant bit first.
fn high_bits(bits: impl Iterator<Item = bool>) -> Vec<u8> {
    self::bits(bits).into_iter().map(u8::reverse_bits).collect()
}
