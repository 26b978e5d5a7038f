//! What an event leaves out of its columns, from their description in `information_schema`.
//!
//! MySQL before 8.0, and MariaDB unless `binlog_row_metadata` is set, write no signedness and no
//! character sets; MariaDB never tells UUID, INET6, INET4 and VECTOR from the binary strings that
//! stand for them in a row.

use bintrail_proto::binlog::column::ColumnType;
use bintrail_proto::binlog::table_map::Column;
use bintrail_proto::binlog::value::charset::Charset;

/// `COLUMN_TYPE` without MariaDB's comments: `varchar(9) /*M!100301 COMPRESSED*/`.
pub(crate) fn plain_type(column_type: &str) -> &str {
    column_type
        .split_once(" /*")
        .map_or(column_type, |(plain, _)| plain)
}

/// Fills in what the event does not say of `column`, and its type where the event has a stand-in.
pub(crate) fn complete(column: &mut Column, column_type: &str, charset: Option<&str>) {
    let has_charset = matches!(
        column.column_type,
        ColumnType::String { .. }
            | ColumnType::VarChar { .. }
            | ColumnType::Blob { .. }
            | ColumnType::VarCharCompressed { .. }
            | ColumnType::BlobCompressed { .. }
            | ColumnType::Enum { .. }
            | ColumnType::Set { .. }
    );
    if has_charset && column.collation.is_none() {
        let charset = match charset {
            Some(name) => Charset::from_name(name),
            None => Some(Charset::Binary),
        };
        column.collation = charset.map(Charset::any_collation);
    }
    if let Some(native) = native(column, column_type) {
        column.column_type = native;
    }
}

/// Gives a column of MariaDB's old temporal types the fraction that its definition has: `timestamp(2)`.
pub(crate) fn complete_old_fraction(column: &mut Column, column_type: &str) {
    let digits = match plain_type(column_type).split_once('(') {
        Some((_, digits)) => digits
            .strip_suffix(')')
            .and_then(|digits| digits.parse().ok()),
        None => Some(0),
    };
    if let Some(with) = digits.and_then(|digits| column.column_type.with_old_fraction(digits)) {
        column.column_type = with;
    }
}

/// MariaDB's own type for which the event has a binary string.
pub(crate) fn native(column: &Column, column_type: &str) -> Option<ColumnType> {
    if !may_be_native(column) {
        return None;
    }
    match (column.column_type, plain_type(column_type)) {
        (ColumnType::String { max_len: 16 }, "uuid") => Some(ColumnType::Uuid),
        (ColumnType::String { max_len: 16 }, "inet6") => Some(ColumnType::Inet6),
        (ColumnType::String { max_len: 4 }, "inet4") => Some(ColumnType::Inet4),
        _ => None,
    }
}

/// Could MariaDB mean one of its own types by this column?
pub(crate) fn may_be_native(column: &Column) -> bool {
    matches!(column.column_type, ColumnType::String { max_len: 4 | 16 })
        && matches!(column.charset(), None | Some(Charset::Binary))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(column_type: ColumnType, collation: Option<u16>) -> Column {
        Column {
            type_code: 254,
            column_type,
            nullable: true,
            unsigned: None,
            collation,
            name: None,
            members: None,
            visible: None,
            geometry_type: None,
            dimensions: None,
        }
    }

    #[test]
    fn what_the_event_says_stays() {
        let mut text = column(ColumnType::VarChar { max_len: 20 }, None);
        complete(&mut text, "varchar(20)", Some("latin1"));
        assert_eq!(text.charset(), Some(Charset::Latin1));
        complete(&mut text, "varchar(5)", Some("utf8mb4"));
        assert_eq!(text.charset(), Some(Charset::Latin1));
        let mut number = column(ColumnType::Long, None);
        complete(&mut number, "int(11)", None);
        assert_eq!(number.collation, None);
    }

    #[test]
    fn types_that_stand_for_others() {
        for (name, len, expected) in [
            ("uuid", 16, ColumnType::Uuid),
            ("inet6", 16, ColumnType::Inet6),
            ("inet4", 4, ColumnType::Inet4),
            ("binary(16)", 16, ColumnType::String { max_len: 16 }),
            ("uuid", 15, ColumnType::String { max_len: 15 }),
        ] {
            let mut column = column(ColumnType::String { max_len: len }, None);
            complete(&mut column, name, None);
            assert_eq!(column.column_type, expected, "{name}");
        }
        let mut text = column(ColumnType::String { max_len: 16 }, Some(8));
        complete(&mut text, "uuid", None);
        assert_eq!(text.column_type, ColumnType::String { max_len: 16 });
    }
}
