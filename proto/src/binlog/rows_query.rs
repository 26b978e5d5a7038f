//! ROWS_QUERY_LOG_EVENT (29): the statement that the following row events come from, when the
//! source has `binlog_rows_query_log_events=ON`.

use crate::error::{Error, read};
use crate::primitive::{int1, rest};

/// The body of a ROWS_QUERY_LOG_EVENT.
///
/// ```text
/// int<1>       length of the statement, useless above 255 and so not used
/// string<EOF>  the statement
/// ```
///
/// Source: MySQL source documentation, `mysql::binlog::event::Rows_query_event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsQuery<'a> {
    /// The statement, in the character set of its client.
    pub statement: &'a [u8],
}

impl<'a> RowsQuery<'a> {
    /// Reads the body: what is between the common header and the checksum.
    ///
    /// # Errors
    /// When it is empty.
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        read("Rows_query_event", body, |input| {
            let (input, _) = int1(input)?;
            let (input, statement) = rest(input)?;
            Ok((input, Self { statement }))
        })
    }
}
