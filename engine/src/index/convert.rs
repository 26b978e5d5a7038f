//! How the types of [`record`](super::record) stand in columns, the same in every backend.

use super::MAX_SOURCES;
use super::error::{ErrorKind, IndexError, Result};
use super::record::{
    CaptureSkips, Column, EventType, Flavor, Kept, KnownBy, Micros, Mode, XaState,
};

/// A word in a column and what it stands for.
type Words<T> = &'static [(&'static str, T)];

const FLAVORS: Words<Flavor> = &[("mysql", Flavor::MySql), ("mariadb", Flavor::MariaDb)];
const MODES: Words<Mode> = &[("gtid", Mode::Gtid), ("position", Mode::Position)];
const KNOWN_BY: Words<KnownBy> = &[
    ("row_metadata", KnownBy::RowMetadata),
    ("information_schema", KnownBy::InformationSchema),
    ("ddl", KnownBy::Ddl),
    ("position", KnownBy::Position),
];

fn word<T: PartialEq>(words: Words<T>, value: &T) -> &'static str {
    words
        .iter()
        .find(|(_, known)| known == value)
        .map_or("", |(word, _)| word)
}

fn parse<T: Copy>(words: Words<T>, text: &str) -> Result<T> {
    words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, value)| *value)
        .ok_or_else(|| damaged(text))
}

pub(super) fn flavor_name(flavor: Flavor) -> &'static str {
    word(FLAVORS, &flavor)
}

pub(super) fn parse_flavor(text: &str) -> Result<Flavor> {
    parse(FLAVORS, text)
}

pub(super) fn mode_name(mode: Mode) -> &'static str {
    word(MODES, &mode)
}

pub(super) fn parse_mode(text: &str) -> Result<Mode> {
    parse(MODES, text)
}

pub(crate) fn known_by_name(known_by: KnownBy) -> &'static str {
    word(KNOWN_BY, &known_by)
}

pub(crate) fn parse_known_by(text: &str) -> Result<KnownBy> {
    parse(KNOWN_BY, text)
}

pub(super) fn xa_name(state: XaState) -> &'static str {
    match state {
        XaState::Prepared => "prepared",
        XaState::Committed => "committed",
        XaState::RolledBack => "rolled back",
    }
}

/// The number of an event type in `row_changes`.
pub(super) fn event_type_number(event_type: EventType) -> u8 {
    match event_type {
        EventType::Insert => 1,
        EventType::Update => 2,
        EventType::Delete => 3,
    }
}

pub(super) fn columns_json(columns: &[Column]) -> Result<String> {
    serde_json::to_string(columns).map_err(damaged)
}

pub(crate) fn parse_columns(text: &str) -> Result<Vec<Column>> {
    serde_json::from_str(text).map_err(damaged)
}

pub(super) fn skips_json(skips: &CaptureSkips) -> Result<String> {
    serde_json::to_string(skips).map_err(damaged)
}

pub(super) fn parse_skips(text: &str) -> Result<CaptureSkips> {
    serde_json::from_str(text).map_err(damaged)
}

pub(super) fn starts_json(starts: &[Micros]) -> Result<String> {
    serde_json::to_string(starts).map_err(damaged)
}

pub(super) fn parse_starts(text: &str) -> Result<Vec<Micros>> {
    serde_json::from_str(text).map_err(damaged)
}

pub(super) fn kept_json(kept: &Kept) -> Result<String> {
    serde_json::to_string(kept).map_err(damaged)
}

pub(super) fn parse_kept(text: Option<String>) -> Result<Option<Kept>> {
    text.map(|text| serde_json::from_str(&text).map_err(damaged))
        .transpose()
}

/// Unsigned, for a backend whose integers are signed.
pub(super) fn signed(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(damaged)
}

/// Back from [`signed`].
pub(super) fn unsigned(value: i64) -> Result<u64> {
    u64::try_from(value).map_err(damaged)
}

pub(crate) fn damaged(what: impl std::fmt::Display) -> IndexError {
    IndexError::new(
        ErrorKind::Other,
        format!(
            "the index holds or should hold what it cannot ({what}): it was changed from outside"
        ),
    )
}

pub(super) fn bad_batch(fault: &'static str) -> IndexError {
    IndexError::new(
        ErrorKind::Batch,
        format!("a batch breaks a rule of the index, which is a fault in bintrail: {fault}"),
    )
}

pub(super) fn not_attached() -> IndexError {
    IndexError::new(
        ErrorKind::Batch,
        "the source is not attached to the index, or a write failed since, which is a fault in \
         bintrail",
    )
}

pub(super) fn no_such_state() -> IndexError {
    IndexError::new(
        ErrorKind::Batch,
        "the source is not in the index, or its checkpoint would go back, which is a fault in \
         bintrail",
    )
}

/// The tables that a schema makes, each with its first column: what tells them from another program's.
pub(super) fn tables_of(schema: &str) -> impl Iterator<Item = (&str, &str)> {
    schema
        .split("CREATE TABLE IF NOT EXISTS ")
        .skip(1)
        .filter_map(|table| {
            let (name, columns) = table.split_once(" (")?;
            Some((name, columns.split_whitespace().next()?))
        })
}

pub(super) fn foreign(table: &str) -> IndexError {
    IndexError::new(
        ErrorKind::Unfit,
        format!(
            "there is a table {table} of another program where the index should be: name another database or file"
        ),
    )
}

pub(super) fn too_many_sources() -> IndexError {
    IndexError::new(
        ErrorKind::Full,
        format!("an index holds {MAX_SOURCES} sources: use another one"),
    )
}
