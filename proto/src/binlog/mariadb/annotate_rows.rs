//! ANNOTATE_ROWS_EVENT (160): the statement whose row events follow.

use crate::binlog::rows_query::RowsQuery;

/// Reads the body: the statement and nothing else, in the character set of the session's client.
///
/// ```text
/// string<EOF>  statement
/// ```
///
/// A dump has these events only when it asks for them
/// ([`SEND_ANNOTATE_ROWS`](crate::command::dump_flags::SEND_ANNOTATE_ROWS)).
///
/// Source: MariaDB's `Annotate_rows_log_event`.
#[must_use]
pub const fn annotate_rows(body: &[u8]) -> RowsQuery<'_> {
    RowsQuery { statement: body }
}
