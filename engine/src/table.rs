//! A table that rows are read under: TABLE_MAP's types, and the names that belong to them.

mod labels;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use bintrail_proto::binlog::column::ColumnType;
use bintrail_proto::binlog::rows::RowsEvent;
use bintrail_proto::binlog::table_map::{self, TableMap};
use bintrail_proto::binlog::value::charset::Charset;
use bintrail_proto::binlog::value::push_front;

use crate::described::{complete, complete_old_fraction, plain_type};
use crate::index::record::{Column, KnownBy, TableVersion};
use crate::json;
use crate::schema::is_text;

pub(crate) use labels::{certain_members, members, same_labels};

/// What the source's `information_schema` says of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SchemaColumn {
    pub(crate) name: String,
    /// `COLUMN_TYPE`, such as `enum('a','b')`.
    pub(crate) column_type: String,
    pub(crate) charset: Option<String>,
    pub(crate) nullable: bool,
    /// Not known from row metadata.
    pub(crate) generated: Option<bool>,
    pub(crate) invisible: bool,
    /// Place in the primary key, from 1.
    pub(crate) pk: Option<u16>,
}

/// A table compiled for encoding: every text that repeats from row to row is made here, once.
#[derive(Debug)]
pub struct Table {
    /// The table as its event describes it, its signedness known where the source says it.
    pub map: Arc<TableMap>,
    /// What goes to `table_versions`.
    pub version: TableVersion,
    /// The primary key, as column numbers from 0 in key order; empty when it has none.
    pub(crate) key: Box<[u16]>,
    pub(crate) texts: Box<[ColumnText]>,
    /// The most bytes that an image takes beside the texts and bytes in it.
    pub(crate) fixed_len: u64,
    /// Its columns are surely as wide as `map` has them: it was said, or its rows have shown it.
    is_certain: AtomicBool,
}

/// A column's texts, ready to be copied into an image.
#[derive(Debug)]
pub(crate) struct ColumnText {
    pub(crate) key: Key,
    /// ENUM and SET labels: UTF-8, where they are known.
    pub(crate) labels: Option<Box<[Box<str>]>>,
    /// The type code that MySQL's JSON functions give to the column's bytes.
    pub(crate) json_type: u8,
}

/// `,"name":`
#[derive(Debug)]
pub(crate) struct Key {
    /// Its front, zeros behind it where it is short: a copy of this length is faster than one of its own.
    block: [u8; 32],
    /// All of it.
    text: Box<[u8]>,
}

impl Key {
    pub(crate) fn new(name: &str) -> Self {
        let mut text = vec![b','];
        json::write_string(&mut text, name);
        text.push(b':');
        let mut block = [0; 32];
        for (slot, byte) in block.iter_mut().zip(&text) {
            *slot = *byte;
        }
        Self {
            block,
            text: text.into(),
        }
    }

    #[inline(always)]
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        if self.text.len() <= self.block.len() {
            push_front(out, &self.block, self.text.len());
        } else {
            out.extend_from_slice(&self.text);
        }
    }

    fn len(&self) -> u64 {
        self.text.len() as u64
    }
}

impl Table {
    /// A table whose event names its columns, or whose names nothing gives: then `@1`, `@2`, ….
    #[must_use]
    pub fn from_event(map: Arc<TableMap>, valid_from: (String, u64)) -> Self {
        let named = map.has_names();
        let known_by = if named {
            KnownBy::RowMetadata
        } else {
            KnownBy::Position
        };
        let key = map.primary_key.clone().unwrap_or_default();
        let columns = map
            .columns
            .iter()
            .enumerate()
            .map(|(number, column)| Column {
                name: column
                    .name
                    .as_deref()
                    .map_or_else(|| format!("@{}", number.saturating_add(1)), str::to_owned),
                column_type: type_name(column),
                charset: charset_name(column),
                nullable: column.nullable,
                pk: place_in(&key, number),
                members: labels(column)
                    .map(|labels| labels.iter().map(ToString::to_string).collect()),
                generated: None,
                invisible: column.visible == Some(false),
            })
            .collect();
        Self::compile(map, columns, known_by, valid_from)
    }

    /// Takes from a definition that the source or the index has which columns are generated, when it is this one.
    pub(crate) fn with_generated(mut self, schema: &[SchemaColumn]) -> Self {
        let columns = &mut self.version.columns;
        let same = columns.len() == schema.len()
            && columns.iter().zip(self.map.columns.iter()).zip(schema).all(
                |((column, of_event), known)| column.name == known.name && fits(of_event, known),
            );
        if same {
            for (column, known) in columns.iter_mut().zip(schema) {
                column.generated = known.generated;
            }
        }
        self
    }

    /// A table named by a definition that the source or the index has; `None` when it is not the one
    /// that the event's rows were written under.
    pub(crate) fn from_schema(
        map: &TableMap,
        schema: &[SchemaColumn],
        known_by: KnownBy,
        valid_from: (String, u64),
    ) -> Option<Self> {
        if schema.len() != map.columns.len() {
            return None;
        }
        let mut map = map.clone();
        // What was made of an event alone does not tell fractions.
        let tells_fractions = map.may_have_old_fractions() && known_by != KnownBy::RowMetadata;
        let mut columns = Vec::with_capacity(schema.len());
        for (column, known) in map.columns.iter_mut().zip(schema) {
            let told;
            let known = match &known.charset {
                // A statement that leaves the character set to the table's default: the event may have it.
                None if known_by == KnownBy::Ddl && is_text(&known.column_type) => {
                    told = SchemaColumn {
                        charset: Some(charset_name(column)?),
                        ..known.clone()
                    };
                    &told
                }
                _ => known,
            };
            complete(column, &known.column_type, known.charset.as_deref());
            if tells_fractions {
                complete_old_fraction(column, &known.column_type);
            }
            let unsigned = known.column_type.contains(" unsigned");
            if !fits(column, known) || column.unsigned.is_some_and(|is| is != unsigned) {
                return None;
            }
            if column.column_type.is_numeric() {
                column.unsigned = Some(unsigned);
            }
            columns.push(Column {
                name: known.name.clone(),
                column_type: known.column_type.clone(),
                charset: known.charset.clone(),
                nullable: known.nullable,
                pk: known.pk,
                members: match known_by {
                    KnownBy::InformationSchema => certain_members(known),
                    _ => members(&known.column_type),
                },
                generated: known.generated,
                invisible: known.invisible,
            });
        }
        if tells_fractions {
            map.settle_old_fractions();
        }
        Some(Self::compile(Arc::new(map), columns, known_by, valid_from))
    }

    fn compile(
        map: Arc<TableMap>,
        columns: Vec<Column>,
        known_by: KnownBy,
        valid_from: (String, u64),
    ) -> Self {
        let mut key: Vec<(u16, u16)> = (0..)
            .zip(&columns)
            .filter_map(|(number, column)| column.pk.map(|place| (place, number)))
            .collect();
        key.sort_unstable();
        let texts: Box<[ColumnText]> = columns
            .iter()
            .zip(&map.columns)
            .map(|(column, of_event)| ColumnText {
                key: Key::new(&column.name),
                labels: column.members.as_ref().map(|members| {
                    members
                        .iter()
                        .map(|member| member.as_str().into())
                        .collect()
                }),
                json_type: json_type(of_event),
            })
            .collect();
        let fixed_len = texts.iter().zip(&map.columns).map(fixed_len).sum();
        let is_certain = AtomicBool::new(!map.may_have_old_fractions());
        let version = TableVersion {
            schema: map.schema.to_string(),
            table: map.table.to_string(),
            columns,
            known_by,
            valid_from,
        };
        Self {
            map,
            version,
            key: key.into_iter().map(|(_, number)| number).collect(),
            fixed_len,
            texts,
            is_certain,
        }
    }

    /// Could the rows of `event`, which add up, have been written with fractions as well, of which nobody tells? No more
    /// once there were rows of this table that could not.
    pub(crate) fn leaves_in_doubt(&self, event: &RowsEvent<'_>) -> bool {
        if self.is_certain.load(Relaxed) {
            return false;
        }
        let doubt = event.may_have_old_fractions(&self.map);
        self.is_certain.store(!doubt, Relaxed);
        doubt
    }
}

/// The most bytes that a column takes in an image, without the text or bytes of its value.
fn fixed_len((text, of_event): (&ColumnText, &table_map::Column)) -> u64 {
    // A point in time with its quotes, or a number.
    const VALUE: u64 = 30;
    let labels = text.labels.iter().flatten();
    let labels = labels.map(|label| label.len() as u64 + 2);
    let labels: u64 = match of_event.column_type {
        // All of its members at once.
        ColumnType::Set { .. } => labels.sum(),
        _ => labels.max().unwrap_or_default(),
    };
    text.key.len() + labels.max(VALUE)
}

fn place_in(key: &[u16], number: usize) -> Option<u16> {
    (1..)
        .zip(key)
        .find(|(_, column)| usize::from(**column) == number)
        .map(|(place, _)| place)
}

/// TABLE_MAP has one code for all BLOBs; MySQL's JSON functions tell them apart.
fn json_type(column: &table_map::Column) -> u8 {
    match column.column_type {
        ColumnType::Blob { len_bytes: 1 } => 249,
        ColumnType::Blob { len_bytes: 3 } => 250,
        ColumnType::Blob { len_bytes: 4 } => 251,
        // What they hold once inflated.
        ColumnType::BlobCompressed { .. } => 252,
        ColumnType::VarCharCompressed { .. } => 15,
        _ => column.type_code,
    }
}

fn charset_name(column: &table_map::Column) -> Option<String> {
    match column.charset() {
        None | Some(Charset::Binary) => None,
        Some(charset) => Some(charset.name().to_owned()),
    }
}

/// ENUM and SET members of the event, to UTF-8. A member that does not decode leaves all unknown.
fn labels(column: &table_map::Column) -> Option<Vec<String>> {
    let charset = match column.charset() {
        // Bytes, which the server has from a statement in UTF-8 most often.
        None | Some(Charset::Binary) => Charset::Utf8mb4,
        Some(charset) => charset,
    };
    let mut scratch = String::new();
    column
        .members
        .as_ref()?
        .iter()
        .map(|member| {
            charset
                .to_utf8(member, &mut scratch)
                .ok()
                .map(ToOwned::to_owned)
        })
        .collect()
}

/// A column's type as `information_schema` would print it, as far as the event tells.
fn type_name(column: &table_map::Column) -> String {
    let unsigned = if column.unsigned == Some(true) {
        " unsigned"
    } else {
        ""
    };
    let text = !matches!(column.charset(), None | Some(Charset::Binary));
    let chars = |bytes: u16| match column.charset() {
        Some(charset) => bytes / u16::from(charset.max_bytes_per_char()).max(1),
        None => bytes,
    };
    let fractional = |name: &str, fsp: u8| match fsp {
        0 => name.to_owned(),
        _ => format!("{name}({fsp})"),
    };
    match column.column_type {
        ColumnType::Tiny => format!("tinyint{unsigned}"),
        ColumnType::Short => format!("smallint{unsigned}"),
        ColumnType::Int24 => format!("mediumint{unsigned}"),
        ColumnType::Long => format!("int{unsigned}"),
        ColumnType::LongLong => format!("bigint{unsigned}"),
        ColumnType::Float => format!("float{unsigned}"),
        ColumnType::Double => format!("double{unsigned}"),
        ColumnType::NewDecimal { precision, scale } => {
            format!("decimal({precision},{scale}){unsigned}")
        }
        ColumnType::Year => "year".to_owned(),
        ColumnType::Date => "date".to_owned(),
        ColumnType::Time { fsp } | ColumnType::TimeOld { fsp } => fractional("time", fsp),
        ColumnType::DateTime { fsp } | ColumnType::DateTimeOld { fsp } => {
            fractional("datetime", fsp)
        }
        ColumnType::Timestamp { fsp } | ColumnType::TimestampOld { fsp } => {
            fractional("timestamp", fsp)
        }
        ColumnType::Bit { bits } => format!("bit({bits})"),
        ColumnType::Enum { .. } => "enum".to_owned(),
        ColumnType::Set { .. } => "set".to_owned(),
        ColumnType::String { max_len } if text => format!("char({})", chars(max_len)),
        ColumnType::String { max_len } => format!("binary({max_len})"),
        ColumnType::VarChar { max_len } if text => format!("varchar({})", chars(max_len)),
        ColumnType::VarChar { max_len } => format!("varbinary({max_len})"),
        ColumnType::VarCharCompressed { max_len } if text => {
            format!("varchar({})", chars(max_len.saturating_sub(1)))
        }
        ColumnType::VarCharCompressed { max_len } => {
            format!("varbinary({})", max_len.saturating_sub(1))
        }
        ColumnType::Uuid => "uuid".to_owned(),
        ColumnType::Inet6 => "inet6".to_owned(),
        ColumnType::Inet4 => "inet4".to_owned(),
        ColumnType::Blob { len_bytes } | ColumnType::BlobCompressed { len_bytes } => {
            let size = match len_bytes {
                1 => "tiny",
                2 => "",
                3 => "medium",
                _ => "long",
            };
            format!("{size}{}", if text { "text" } else { "blob" })
        }
        ColumnType::Json { .. } => "json".to_owned(),
        ColumnType::Geometry { .. } => match column.geometry_type {
            Some(1) => "point",
            Some(2) => "linestring",
            Some(3) => "polygon",
            Some(4) => "multipoint",
            Some(5) => "multilinestring",
            Some(6) => "multipolygon",
            Some(7) => "geomcollection",
            _ => "geometry",
        }
        .to_owned(),
        ColumnType::Vector { .. } => match column.dimensions {
            Some(dimensions) => format!("vector({dimensions})"),
            None => "vector".to_owned(),
        },
        ColumnType::Null => "null".to_owned(),
    }
}

/// Tells `map` which fractions its columns in MariaDB's old temporal format have, if `schema` can be the definition that
/// it was written under.
pub(crate) fn settle_old_fractions(map: &mut TableMap, schema: &[SchemaColumn]) {
    if map.columns.len() != schema.len() {
        return;
    }
    let mut columns = map.columns.clone();
    let fits = columns.iter_mut().zip(schema).all(|(column, known)| {
        complete(column, &known.column_type, known.charset.as_deref());
        complete_old_fraction(column, &known.column_type);
        fits(column, known)
    });
    if !fits {
        return;
    }
    for (column, with) in map.columns.iter_mut().zip(&columns) {
        column.column_type = with.column_type;
    }
    map.settle_old_fractions();
}

/// Can `known` be the definition that `column` was written under, as far as the event tells?
fn fits(column: &table_map::Column, known: &SchemaColumn) -> bool {
    let known_type = plain_type(&known.column_type);
    let base = known_type.split(['(', ' ']).next().unwrap_or_default();
    let same_type = match column.column_type {
        ColumnType::Tiny => base == "tinyint",
        ColumnType::Short => base == "smallint",
        ColumnType::Int24 => base == "mediumint",
        ColumnType::Long => base == "int",
        ColumnType::LongLong => base == "bigint",
        ColumnType::Float => base == "float",
        ColumnType::Double => base == "double",
        ColumnType::NewDecimal { precision, scale } => {
            known_type.starts_with(&format!("decimal({precision},{scale})"))
        }
        ColumnType::Year => base == "year",
        ColumnType::Date => base == "date",
        ColumnType::Time { .. }
        | ColumnType::DateTime { .. }
        | ColumnType::Timestamp { .. }
        | ColumnType::TimeOld { .. }
        | ColumnType::DateTimeOld { .. }
        | ColumnType::TimestampOld { .. }
        | ColumnType::Bit { .. } => known_type == type_name(column),
        ColumnType::Enum { width } => {
            base == "enum"
                && members(&known.column_type)
                    .is_some_and(|members| (members.len() > 255) == (width == 2))
        }
        ColumnType::Set { width } => {
            base == "set"
                && members(&known.column_type).is_some_and(|members| {
                    match members.len().div_ceil(8) {
                        5..=8 => width == 8,
                        bytes => usize::from(width) == bytes,
                    }
                })
        }
        // MariaDB's VECTOR stands in a row as the bytes of its floats.
        ColumnType::VarChar { max_len } if base == "vector" => {
            known_type == format!("vector({})", max_len / 4)
        }
        ColumnType::String { .. }
        | ColumnType::VarChar { .. }
        | ColumnType::VarCharCompressed { .. } => known_type == type_name(column),
        ColumnType::Uuid => base == "uuid",
        ColumnType::Inet6 => base == "inet6",
        ColumnType::Inet4 => base == "inet4",
        // All compressed ones have the same length of their length.
        ColumnType::BlobCompressed { .. } => base.ends_with("text") || base.ends_with("blob"),
        ColumnType::Blob { .. } => base == type_name(column),
        ColumnType::Json { .. } => base == "json",
        ColumnType::Geometry { .. } if column.geometry_type.is_none() => {
            ["geom", "point", "line", "polygon"]
                .iter()
                .any(|kind| base.contains(kind))
        }
        ColumnType::Geometry { .. } => base == type_name(column),
        ColumnType::Vector { .. } => base == "vector",
        ColumnType::Null => true,
    };
    same_type
        && column.nullable == known.nullable
        && (column.charset().is_none() || column.charset() == known_charset(known))
}

/// `utf8` and `utf8mb3` are two names of one character set.
fn known_charset(known: &SchemaColumn) -> Option<Charset> {
    match &known.charset {
        Some(name) => Charset::from_name(name),
        None => Some(Charset::Binary),
    }
}
