//! TABLE_MAP_EVENT (19): the table that the row events behind it belong to.

use crate::error::{Error, Fault, Kind, Parsed, read, read_prefix};
use crate::primitive::{bytes, int_lenenc, int1, int2, int6, length, string_lenenc};

use super::column::{ColumnType, JSON, Width};
use super::format_description::Flavor;
use super::optional_metadata;
use super::value::charset::Charset;

/// The most columns that MySQL allows in a table.
pub const MAX_COLUMNS: usize = 4096;

/// A table, as TABLE_MAP_EVENT describes it, compiled for reading rows.
///
/// ```text
/// int<6>         table_id
/// int<2>         flags
/// string<lenenc> schema, int<1> 0
/// string<lenenc> table, int<1> 0
/// int<lenenc>    column_count
/// string<n>      types, 1 byte a column
/// string<lenenc> type metadata, 0 to 4 bytes a column
/// string<n>      may the column be NULL? 1 bit a column, the least significant first
/// string<EOF>    optional metadata
/// ```
///
/// Source: MySQL source documentation, `mysql::binlog::event::Table_map_event`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMap {
    /// The server's number for this definition, by which rows events refer to it.
    pub table_id: u64,
    /// Schema name.
    pub schema: Box<str>,
    /// Table name.
    pub table: Box<str>,
    /// The columns, in order.
    pub columns: Box<[Column]>,
    /// The primary key, as column numbers from 0 in key order. `None` when the event does not say;
    /// with `binlog_row_metadata=FULL` (column names are there) that means there is none.
    pub primary_key: Option<Box<[u16]>>,
    pub(super) widths: Box<[Width]>,
    /// The numbers of the columns of the type JSON, from 0.
    pub(super) json_columns: Box<[u16]>,
    /// It has columns of which the event does not tell how wide they are.
    pub(super) widths_uncertain: bool,
}

/// A column of a [`TableMap`]. What the event does not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// `enum_field_types` code, as in the event.
    pub type_code: u8,
    /// Its type, with the type's metadata.
    pub column_type: ColumnType,
    /// May it be NULL?
    pub nullable: bool,
    /// Is it unsigned? Only for numeric types.
    pub unsigned: Option<bool>,
    /// Collation id of a text, ENUM or SET column; 63 is `binary`.
    pub collation: Option<u16>,
    /// Its name (`binlog_row_metadata=FULL`).
    pub name: Option<Box<str>>,
    /// ENUM or SET members in the column's character set (`binlog_row_metadata=FULL`).
    pub members: Option<Box<[Box<[u8]>]>>,
    /// Is it in `SELECT *`? (`binlog_row_metadata=FULL`)
    pub visible: Option<bool>,
    /// `Field::geometry_type` of a GEOMETRY column.
    pub geometry_type: Option<u8>,
    /// Floats of a VECTOR column.
    pub dimensions: Option<u32>,
}

impl Column {
    /// The character set of its collation; `None` when the event has none, or it is not known.
    #[must_use]
    pub fn charset(&self) -> Option<Charset> {
        self.collation.and_then(Charset::from_collation)
    }
}

const WHAT: &str = "TABLE_MAP_EVENT";

impl TableMap {
    /// Reads the event's body and compiles it.
    ///
    /// # Errors
    /// What does not fit the layout, and column types that cannot stand in a binlog.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        read(WHAT, body, |input| Self::fields(input, Flavor::MySql))
    }

    /// Reads the body of an event that MariaDB wrote: its optional metadata counts other columns.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_mariadb(body: &[u8]) -> Result<Self, Error> {
        read(WHAT, body, |input| Self::fields(input, Flavor::MariaDb))
    }

    /// Table id, schema and table name, without compiling the rest: enough to leave the table out.
    ///
    /// # Errors
    /// [`Kind::Truncated`]; [`Kind::Invalid`] for names that are not UTF-8.
    pub fn peek(body: &[u8]) -> Result<(u64, &str, &str), Error> {
        let (_, names) = read_prefix(WHAT, body, |input| {
            let (input, table_id) = int6(input)?;
            let (input, _flags) = int2(input)?;
            let (input, schema) = identifier(input)?;
            let (input, table) = identifier(input)?;
            Ok((input, (table_id, schema, table)))
        })?;
        Ok(names)
    }

    fn fields(input: &[u8], flavor: Flavor) -> Parsed<'_, Self> {
        let (input, table_id) = int6(input)?;
        let (input, _flags) = int2(input)?;
        let (input, schema) = identifier(input)?;
        let (input, table) = identifier(input)?;
        let (rest, count) = int_lenenc(input)?;
        let count = length(input, count)?;
        if count > MAX_COLUMNS {
            return Err(Fault::invalid(input, "more than 4096 columns"));
        }
        let (input, types) = bytes(count)(rest)?;
        let (input, metadata) = string_lenenc(input)?;
        let (input, null_bits) = bytes(count.div_ceil(8))(input)?;

        let mut columns = Vec::with_capacity(count);
        let mut metadata_left = metadata;
        for (number, &type_code) in types.iter().enumerate() {
            let (rest, column_type) =
                ColumnType::parse(type_code, metadata_left).map_err(|error| {
                    // Placed at the metadata block: its own bytes have been consumed from `input`.
                    error.map(|fault| Fault {
                        remaining: input.len(),
                        kind: fault.kind,
                    })
                })?;
            metadata_left = rest;
            columns.push(Column {
                type_code,
                column_type,
                nullable: bit(null_bits, number),
                unsigned: None,
                collation: None,
                name: None,
                members: None,
                visible: None,
                geometry_type: None,
                dimensions: None,
            });
        }
        if !metadata_left.is_empty() {
            return Err(Fault::at(
                input,
                Kind::Invalid("more type metadata than the columns' types have"),
            ));
        }
        let (input, primary_key) = optional_metadata::parse(input, flavor, &mut columns)?;
        let widths = columns
            .iter()
            .map(|column| column.column_type.width())
            .collect();
        let json_columns = (0..)
            .zip(&columns)
            .filter(|(_, column)| column.type_code == JSON)
            .map(|(number, _)| number)
            .collect();
        let is_old = |column: &Column| column.column_type.is_old_temporal();
        let widths_uncertain = flavor == Flavor::MariaDb && columns.iter().any(is_old);
        Ok((
            input,
            Self {
                table_id,
                schema: schema.into(),
                table: table.into(),
                columns: columns.into(),
                primary_key: primary_key.map(Vec::into_boxed_slice),
                widths,
                json_columns,
                widths_uncertain,
            },
        ))
    }

    /// Has it columns in the temporal format of MariaDB before 10.1, of which the event does not tell whether they have
    /// fractions, and so how wide they are?
    #[must_use]
    pub fn may_have_old_fractions(&self) -> bool {
        self.widths_uncertain
    }

    /// The types of `columns` have those fractions now that the table's definition tells. As long as this is not known,
    /// rows are read only where they can have been written without any.
    pub fn settle_old_fractions(&mut self) {
        for (width, column) in self.widths.iter_mut().zip(&self.columns) {
            if column.column_type.is_old_temporal() {
                *width = column.column_type.width();
            }
        }
        self.widths_uncertain = false;
    }

    /// Does the event name its columns (`binlog_row_metadata=FULL`)?
    #[must_use]
    pub fn has_names(&self) -> bool {
        self.columns.iter().all(|column| column.name.is_some())
    }
}

/// `int<1> length, string, int<1> 0`; MySQL writes the length as lenenc, which is the same below 251.
fn identifier(input: &[u8]) -> Parsed<'_, &str> {
    let (rest, name) = string_lenenc(input)?;
    let (rest, nul) = int1(rest)?;
    if nul != 0 {
        return Err(Fault::invalid(input, "a name without its NUL"));
    }
    match std::str::from_utf8(name) {
        Ok(name) => Ok((rest, name)),
        Err(_) => Err(Fault::invalid(input, "a name that is not UTF-8")),
    }
}

/// Bit `number` of a little-endian bitmap; 0 behind its end.
#[inline]
pub(super) fn bit(bitmap: &[u8], number: usize) -> bool {
    bitmap
        .get(number / 8)
        .is_some_and(|byte| byte >> (number % 8) & 1 != 0)
}
