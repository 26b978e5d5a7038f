//! The optional metadata at the end of TABLE_MAP_EVENT.

use crate::error::{Fault, Kind, Parsed};
use crate::primitive::{int_lenenc, int1, length, string_lenenc};

use super::column::ColumnType;
use super::format_description::Flavor;
use super::table_map::Column;

/// `Table_map_event::Optional_metadata_field_type`.
mod field {
    pub(super) const SIGNEDNESS: u8 = 1;
    pub(super) const DEFAULT_CHARSET: u8 = 2;
    pub(super) const COLUMN_CHARSET: u8 = 3;
    pub(super) const COLUMN_NAME: u8 = 4;
    pub(super) const SET_STR_VALUE: u8 = 5;
    pub(super) const ENUM_STR_VALUE: u8 = 6;
    pub(super) const GEOMETRY_TYPE: u8 = 7;
    pub(super) const SIMPLE_PRIMARY_KEY: u8 = 8;
    pub(super) const PRIMARY_KEY_WITH_PREFIX: u8 = 9;
    pub(super) const ENUM_AND_SET_DEFAULT_CHARSET: u8 = 10;
    pub(super) const ENUM_AND_SET_COLUMN_CHARSET: u8 = 11;
    pub(super) const COLUMN_VISIBILITY: u8 = 12;
    pub(super) const VECTOR_DIMENSIONALITY: u8 = 13;
}

/// Fills `columns` in from the optional metadata that is `input`, and returns the primary key
/// where it is there: column numbers from 0, in key order.
///
/// ```text
/// ( int<1> type, int<lenenc> length, string<length> value ) …
/// ```
///
/// `binlog_row_metadata=MINIMAL` writes signedness, collations and geometry types; `FULL` also
/// names, members, the primary key and visibility. A type that is not known is skipped by its
/// length. MariaDB (10.5 and later) writes none of it unless told to, and no visibility.
///
/// Source: WL#4618, `Table_map_event` ("Optional metadata fields"); MariaDB's
/// `Table_map_log_event::init_metadata_fields`.
pub(super) fn parse<'a>(
    mut input: &'a [u8],
    flavor: Flavor,
    columns: &mut [Column],
) -> Parsed<'a, Option<Vec<u16>>> {
    let mut primary_key = None;
    while !input.is_empty() {
        let (rest, kind) = int1(input)?;
        let (rest, value) = string_lenenc(rest)?;
        // A fault in `value` is to be placed in the whole of the input.
        let fill = fill(kind, value, flavor, columns, &mut primary_key);
        if let Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) = fill {
            let remaining = fault.remaining.saturating_add(rest.len());
            return Err(nom::Err::Failure(Fault {
                remaining,
                kind: fault.kind,
            }));
        }
        input = rest;
    }
    Ok((input, primary_key))
}

fn fill(
    kind: u8,
    value: &[u8],
    flavor: Flavor,
    columns: &mut [Column],
    primary_key: &mut Option<Vec<u16>>,
) -> Result<(), nom::Err<Fault>> {
    // MariaDB counts GEOMETRY among the columns with a collation.
    let character = |column: &Column| {
        column.column_type.is_character()
            || flavor == Flavor::MariaDb
                && matches!(column.column_type, ColumnType::Geometry { .. })
    };
    let enum_or_set = |column: &Column| column.column_type.is_enum_or_set();
    let only = |wanted: fn(ColumnType) -> bool| move |column: &Column| wanted(column.column_type);
    match kind {
        field::SIGNEDNESS => bits(
            value,
            columns
                .iter_mut()
                .filter(|column| column.column_type.has_signedness()),
            |column, bit| {
                column.unsigned = column.column_type.is_numeric().then_some(bit);
            },
        ),
        field::COLUMN_VISIBILITY => bits(value, columns.iter_mut(), |column, bit| {
            column.visible = Some(bit)
        }),
        field::DEFAULT_CHARSET => default_collations(value, columns, character),
        field::ENUM_AND_SET_DEFAULT_CHARSET => default_collations(value, columns, enum_or_set),
        field::COLUMN_CHARSET => each(value, columns, character, collation, |column, id| {
            column.collation = Some(id);
        }),
        field::ENUM_AND_SET_COLUMN_CHARSET => {
            each(value, columns, enum_or_set, collation, |column, id| {
                column.collation = Some(id);
            })
        }
        field::COLUMN_NAME => each(
            value,
            columns,
            |_| true,
            name,
            |column, name| {
                column.name = Some(name.into());
            },
        ),
        field::SET_STR_VALUE => {
            let is_set = only(|column| matches!(column, ColumnType::Set { .. }));
            let members = |input| members(input, MAX_SET_MEMBERS);
            each(value, columns, is_set, members, |column, members| {
                column.members = Some(members)
            })
        }
        field::ENUM_STR_VALUE => {
            let is_enum = only(|column| matches!(column, ColumnType::Enum { .. }));
            let members = |input| members(input, MAX_ENUM_MEMBERS);
            each(value, columns, is_enum, members, |column, members| {
                column.members = Some(members)
            })
        }
        field::GEOMETRY_TYPE => {
            let is_geometry = only(|column| matches!(column, ColumnType::Geometry { .. }));
            each(value, columns, is_geometry, int_lenenc, |column, kind| {
                column.geometry_type = u8::try_from(kind).ok();
            })
        }
        field::VECTOR_DIMENSIONALITY => {
            let is_vector = only(|column| matches!(column, ColumnType::Vector { .. }));
            each(
                value,
                columns,
                is_vector,
                int_lenenc,
                |column, dimensions| {
                    column.dimensions = u32::try_from(dimensions).ok();
                },
            )
        }
        field::SIMPLE_PRIMARY_KEY | field::PRIMARY_KEY_WITH_PREFIX => {
            let mut key = Vec::new();
            let mut input = value;
            while !input.is_empty() {
                let (mut rest, number) = int_lenenc(input)?;
                if kind == field::PRIMARY_KEY_WITH_PREFIX {
                    // The prefix length; the image holds the whole column all the same.
                    (rest, _) = int_lenenc(rest)?;
                }
                match u16::try_from(number) {
                    Ok(number)
                        if usize::from(number) < columns.len() && key.len() < columns.len() =>
                    {
                        key.push(number);
                    }
                    _ => {
                        return Err(Fault::invalid(
                            input,
                            "a primary key column that the table does not have",
                        ));
                    }
                }
                input = rest;
            }
            *primary_key = Some(key);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// One bit a column, the most significant first.
fn bits<'c>(
    value: &[u8],
    columns: impl Iterator<Item = &'c mut Column>,
    set: impl Fn(&mut Column, bool),
) -> Result<(), nom::Err<Fault>> {
    let mut bytes = value.iter();
    let (mut byte, mut mask) = (0, 0_u8);
    for column in columns {
        if mask == 0 {
            byte = *bytes
                .next()
                .ok_or_else(|| Fault::at(&[], Kind::Truncated))?;
            mask = 0x80;
        }
        set(column, byte & mask != 0);
        mask >>= 1;
    }
    Ok(())
}

/// One item for each column that is `wanted`.
fn each<'a, T>(
    mut value: &'a [u8],
    columns: &mut [Column],
    wanted: impl Fn(&Column) -> bool,
    item: impl Fn(&'a [u8]) -> Parsed<'a, T>,
    set: impl Fn(&mut Column, T),
) -> Result<(), nom::Err<Fault>> {
    for column in columns.iter_mut().filter(|column| wanted(column)) {
        let (rest, parsed) = item(value)?;
        set(column, parsed);
        value = rest;
    }
    Ok(())
}

/// The collation of most of the columns, then pairs of (number among the wanted columns,
/// collation) for the others.
fn default_collations(
    value: &[u8],
    columns: &mut [Column],
    wanted: impl Fn(&Column) -> bool,
) -> Result<(), nom::Err<Fault>> {
    let (mut input, default) = collation(value)?;
    for column in columns.iter_mut().filter(|column| wanted(column)) {
        column.collation = Some(default);
    }
    // The numbers rise, so that one walk over the columns serves all pairs.
    let mut candidates = columns.iter_mut().filter(|column| wanted(column));
    let mut passed = 0_usize;
    while !input.is_empty() {
        let (rest, number) = int_lenenc(input)?;
        let (rest, id) = collation(rest)?;
        let skip = length(input, number)?.checked_sub(passed);
        let Some(column) = skip.and_then(|skip| candidates.nth(skip)) else {
            return Err(Fault::invalid(
                input,
                "a collation for a column that the table does not have",
            ));
        };
        column.collation = Some(id);
        passed = length(input, number)?.saturating_add(1);
        input = rest;
    }
    Ok(())
}

fn collation(input: &[u8]) -> Parsed<'_, u16> {
    let (rest, id) = int_lenenc(input)?;
    match u16::try_from(id) {
        Ok(id) => Ok((rest, id)),
        Err(_) => Err(Fault::invalid(input, "no collation has this id")),
    }
}

fn name(input: &[u8]) -> Parsed<'_, &str> {
    let (rest, name) = string_lenenc(input)?;
    match std::str::from_utf8(name) {
        Ok(name) => Ok((rest, name)),
        Err(_) => Err(Fault::invalid(input, "a column name that is not UTF-8")),
    }
}

/// The most members that an ENUM can have: its number takes two bytes.
const MAX_ENUM_MEMBERS: usize = 65_535;
/// The most members that a SET can have, one bit each.
const MAX_SET_MEMBERS: usize = 64;

/// The members of one ENUM or SET column, in the column's own character set.
fn members(input: &[u8], most: usize) -> Parsed<'_, Box<[Box<[u8]>]>> {
    let (mut rest, count) = int_lenenc(input)?;
    let count = length(input, count)?;
    if count > most {
        return Err(Fault::invalid(
            input,
            "more members than an ENUM or SET has",
        ));
    }
    // Each member takes a byte at least.
    if count > rest.len() {
        return Err(Fault::at(input, Kind::Truncated));
    }
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        let (next, member) = string_lenenc(rest)?;
        members.push(member.into());
        rest = next;
    }
    Ok((rest, members.into()))
}

#[cfg(test)]
mod tests {
    use crate::binlog::table_map::TableMap;
    use crate::error::Kind;

    /// A column with members that are all empty.
    fn with_members(column: [u8; 2], field: u8, count: u32) -> Result<TableMap, crate::Error> {
        let [real_type, pack_len] = column;
        let mut value = vec![0xfd];
        value.extend(&count.to_le_bytes()[..3]);
        value.resize(value.len() + count as usize, 0);
        let mut body = b"\x01\0\0\0\0\0\x01\0\x01d\0\x01t\0\x01\xfe\x02".to_vec();
        body.extend([real_type, pack_len, 0, field, 0xfd]);
        body.extend(&u32::try_from(value.len()).unwrap().to_le_bytes()[..3]);
        body.extend(value);
        TableMap::parse(&body)
    }

    #[test]
    fn members_are_bounded_by_what_a_column_can_have() {
        for (column, field, most) in [([0xf7, 2], 6, 65_535), ([0xf8, 8], 5, 64)] {
            let table = with_members(column, field, most).unwrap();
            let members = table.columns[0].members.as_ref().map(|all| all.len());
            assert_eq!(members, Some(most as usize));
            let error = with_members(column, field, most + 1).unwrap_err();
            assert!(matches!(error.kind, Kind::Invalid(_)), "{error}");
        }
    }

    /// A TABLE_MAP of MySQL 9.7.4 for `v VECTOR(2), a VARCHAR(5) CHARACTER SET latin1,
    /// b VARCHAR(5) CHARACTER SET utf8mb4, c VARCHAR(5) CHARACTER SET gbk`.
    #[test]
    fn a_vector_column_has_a_collation_too() {
        let body = b"\x2e\x01\0\0\0\0\x01\0\x03odd\0\x02vc\0\x04\xf2\x0f\x0f\x0f\x07\x04\x05\0\x14\0\x0a\0\x0f\
            \x03\x06\x3f\x08\xfc\xff\x00\x1c\x0d\x01\x02";
        let table = TableMap::parse(body).unwrap();
        let collations: Vec<_> = table
            .columns
            .iter()
            .map(|column| column.collation)
            .collect();
        assert_eq!(collations, [Some(63), Some(8), Some(255), Some(28)]);
        assert_eq!(table.columns[0].dimensions, Some(2));
    }
}
