//! The `###` lines of `mysqlbinlog -vv --base64-output=decode-rows`, byte for byte as MySQL 9.7
//! prints them.
//!
//! Source: `Rows_log_event::print_verbose` and `log_event_print_value` in MySQL's
//! `sql/log_event.cc`. Where its output is wrong, and what stands here instead, is in
//! `docs/decode.md`.

mod json_diff;
mod printf;
mod value;

use std::io::Write;

use bintrail_proto::Error;
use bintrail_proto::binlog::rows::{Field, Image, Row, RowsEvent, RowsKind};
use bintrail_proto::binlog::table_map::TableMap;

/// Appends the lines in front of the rows of `event`. Returns whether they are all that it has: its one row has no
/// bytes.
pub fn write_front(out: &mut Vec<u8>, table: &TableMap, event: &RowsEvent<'_>) -> bool {
    if let Some(partition) = event.partition {
        out.extend_from_slice(b"### Extra row info for partitioning: ");
        match partition.source {
            Some(source) => print(
                out,
                format_args!("source_partition: {source} target_partition: "),
            ),
            None => out.extend_from_slice(b"partition: "),
        }
        print(out, format_args!("{}\n", partition.target));
    }
    if event.is_row_of_no_bytes() {
        // The only place where mysqlbinlog does not double the backquotes in names.
        print(
            out,
            format_args!(
                "### INSERT INTO `{}`.`{}` VALUES ()\n",
                table.schema, table.table
            ),
        );
    }
    event.is_row_of_no_bytes()
}

/// Appends the lines of one row, a line feed behind each.
///
/// # Errors
/// A value that no column of its type has: nothing of the row is appended.
pub fn write_row(
    out: &mut Vec<u8>,
    table: &TableMap,
    kind: RowsKind,
    row: Row<'_>,
) -> Result<(), Error> {
    let (verb, first, second): (&[u8], &[u8], &[u8]) = match kind {
        RowsKind::Write => (b"### INSERT INTO ", b"", b"### SET\n"),
        RowsKind::Update => (b"### UPDATE ", b"### WHERE\n", b"### SET\n"),
        RowsKind::Delete => (b"### DELETE FROM ", b"### WHERE\n", b""),
    };
    let start = out.len();
    out.extend_from_slice(verb);
    identifier(out, &table.schema);
    out.push(b'.');
    identifier(out, &table.table);
    out.push(b'\n');
    for (clause, image) in [(first, row.before), (second, row.after)] {
        let Some(image) = image else { continue };
        out.extend_from_slice(clause);
        if let Err(error) = write_image(out, image) {
            out.truncate(start);
            return Err(error);
        }
    }
    Ok(())
}

fn write_image(out: &mut Vec<u8>, image: Image<'_>) -> Result<(), Error> {
    let mut changes = image.changes().peekable();
    for (number, (column, field)) in (1_usize..).zip(image.fields()) {
        let change = changes.next_if(|change| change.column == number.wrapping_sub(1));
        let start = out.len();
        print(out, format_args!("###   @{number}="));
        match (change, field) {
            (Some(change), _) => json_diff::write(out, number, change.diffs)?,
            (None, Field::Bytes(bytes)) => value::write(out, column, bytes)?,
            (None, Field::Null) => out.extend_from_slice(b"NULL"),
            (None, Field::Absent) => {
                out.truncate(start);
                continue;
            }
        }
        out.extend_from_slice(b" /* ");
        value::write_type(out, column);
        print(
            out,
            format_args!(
                " meta={} nullable={} is_null={} */\n",
                value::meta(column.column_type),
                u8::from(column.nullable),
                u8::from(field == Field::Null),
            ),
        );
    }
    Ok(())
}

/// Appends a name in backquotes, those in it doubled.
fn identifier(out: &mut Vec<u8>, name: &str) {
    out.push(b'`');
    for &byte in name.as_bytes() {
        if byte == b'`' {
            out.push(b'`');
        }
        out.push(byte);
    }
    out.push(b'`');
}

/// Appends formatted text; writing to memory does not fail.
fn print(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}
