//! Many rows into a table: LOAD DATA LOCAL INFILE out of memory, or INSERTs of many rows.
//!
//! LOAD DATA LOCAL turns errors into warnings (the server cannot stop the client halfway), so the
//! rows that arrived are counted and no warning is let pass.

use std::io;
use std::sync::Arc;

use bintrail_proto::binlog::value::int::write_uint;
use bytes::Bytes;
use futures_util::StreamExt;
use memchr::{memchr2_iter, memchr3_iter};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, ServerError};

use super::super::convert::{event_type_number, xa_name};
use super::super::error::{ErrorKind, IndexError};
use super::super::record::{Batch, Micros};
use super::super::time::timestamp;
use super::fault::Fault;

/// What a command has of its own in its packet, and more.
const COMMAND: usize = 16;

/// What the short values of a row take beside a long one, at the most.
pub(super) const SHORT_VALUES: usize = 4096;

/// Bytes of a packet of a load, and of a statement where rows are that small.
const CHUNK: usize = 256 * 1024;

/// The tables that are loaded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Table {
    Rows,
    Transactions,
}

impl Table {
    fn target(self) -> &'static str {
        match self {
            Self::Rows => {
                "row_changes (change_id, committed_at, table_id, place_in_transaction, event_type, \
                 pk_hash, pk_values, row_before, row_after)"
            }
            Self::Transactions => {
                "transactions (transaction_id, gtid, binlog_file, start_position, end_position, \
                 committed_at, connection_id, row_count, xid, xa_state, statement)"
            }
        }
    }

    fn name(self) -> &'static str {
        self.target().split(' ').next().unwrap_or_default()
    }

    fn columns(self) -> &'static str {
        self.target().split_at(self.name().len()).1
    }

    fn len(self, batch: &Batch) -> usize {
        match self {
            Self::Rows => batch.rows.len(),
            Self::Transactions => batch.transactions.len(),
        }
    }

    /// Appends the row `at` of the batch.
    fn encode<F: Form>(self, batch: &Batch, at: usize, out: &mut Vec<u8>) {
        let mut row = Row::<F>::new(out);
        match self {
            Self::Rows => {
                let Some(change) = batch.rows.get(at) else {
                    return;
                };
                let text = |range: &Option<_>| range.as_ref().map(|range| batch.text(range));
                row.number(change.change_id);
                row.time(change.committed_at);
                row.number(change.table_id);
                // Checked: no row has an id below its transaction's.
                row.number(change.change_id.saturating_sub(change.transaction_id));
                row.number(event_type_number(change.event_type));
                row.binary(&change.pk_hash);
                row.text(text(&change.pk_values));
                row.text(text(&change.row_before));
                row.text(text(&change.row_after));
            }
            Self::Transactions => {
                let Some(transaction) = batch.transactions.get(at) else {
                    return;
                };
                let xa = transaction.xa.as_ref();
                row.number(transaction.transaction_id);
                row.text(transaction.gtid.as_deref().map(str::as_bytes));
                row.text(Some(transaction.binlog_file.as_bytes()));
                row.number(transaction.start_position);
                row.number(transaction.end_position);
                row.time(transaction.committed_at);
                match transaction.connection_id {
                    Some(id) => row.number(id),
                    None => row.text(None),
                }
                row.number(transaction.row_count);
                row.text(xa.map(|(xid, _)| xid.as_bytes()));
                row.text(xa.map(|(_, state)| xa_name(*state).as_bytes()));
                row.text(transaction.statement.as_deref().map(str::as_bytes));
            }
        }
        row.end();
    }
}

/// How values are written.
trait Form {
    const OPEN: &'static [u8];
    const BETWEEN: u8;
    const CLOSE: &'static [u8];
    const NULL: &'static [u8];
    fn text(out: &mut Vec<u8>, text: &[u8]);
    fn binary(out: &mut Vec<u8>, bytes: &[u8]);
}

/// As LOAD DATA reads them with its default field and line ends.
struct Loaded;

impl Form for Loaded {
    const OPEN: &'static [u8] = b"";
    const BETWEEN: u8 = b'\t';
    const CLOSE: &'static [u8] = b"\n";
    const NULL: &'static [u8] = b"\\N";

    fn text(out: &mut Vec<u8>, text: &[u8]) {
        escape(out, text, memchr3_iter(b'\\', b'\t', b'\n', text));
    }

    fn binary(out: &mut Vec<u8>, bytes: &[u8]) {
        Self::text(out, bytes);
    }
}

/// As SQL literals.
struct Literal;

impl Form for Literal {
    const OPEN: &'static [u8] = b"(";
    const BETWEEN: u8 = b',';
    const CLOSE: &'static [u8] = b"),";
    const NULL: &'static [u8] = b"NULL";

    fn text(out: &mut Vec<u8>, text: &[u8]) {
        out.push(b'\'');
        escape(out, text, memchr2_iter(b'\\', b'\'', text));
        out.push(b'\'');
    }

    fn binary(out: &mut Vec<u8>, bytes: &[u8]) {
        out.extend_from_slice(b"x'");
        for byte in bytes {
            for digit in [byte >> 4, byte & 15] {
                out.push(if digit < 10 {
                    b'0' + digit
                } else {
                    b'A' + digit - 10
                });
            }
        }
        out.push(b'\'');
    }
}

/// Copies `text` with a backslash before each of `places`.
fn escape(out: &mut Vec<u8>, text: &[u8], places: impl Iterator<Item = usize>) {
    let mut done = 0;
    for at in places {
        out.extend_from_slice(text.get(done..at).unwrap_or_default());
        out.push(b'\\');
        done = at;
    }
    out.extend_from_slice(text.get(done..).unwrap_or_default());
}

/// One row being written.
struct Row<'a, F> {
    out: &'a mut Vec<u8>,
    first: bool,
    form: std::marker::PhantomData<F>,
}

impl<'a, F: Form> Row<'a, F> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        out.extend_from_slice(F::OPEN);
        Self {
            out,
            first: true,
            form: std::marker::PhantomData,
        }
    }

    fn next(&mut self) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(F::BETWEEN);
        }
        self.out
    }

    fn number(&mut self, number: impl Into<u64>) {
        write_uint(self.next(), number.into());
    }

    fn time(&mut self, time: Micros) {
        F::text(self.next(), &timestamp(time));
    }

    fn text(&mut self, text: Option<&[u8]>) {
        let out = self.next();
        match text {
            Some(text) => F::text(out, text),
            None => out.extend_from_slice(F::NULL),
        }
    }

    fn binary(&mut self, bytes: &[u8]) {
        F::binary(self.next(), bytes);
    }

    fn end(self) {
        self.out.extend_from_slice(F::CLOSE);
    }
}

/// The packets of a load, written as they are asked for: the batch is never there twice.
struct Packets {
    table: Table,
    batch: Arc<Batch>,
    next: usize,
    size: usize,
    ready: Bytes,
}

impl Iterator for Packets {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            let mut out = Vec::with_capacity(self.size + self.size / 4);
            while out.len() < self.size && self.next < self.table.len(&self.batch) {
                self.table
                    .encode::<Loaded>(&self.batch, self.next, &mut out);
                self.next += 1;
            }
            self.ready = out.into();
        }
        // A row may be larger than a packet.
        let size = self.size.min(self.ready.len());
        Some(Ok(self.ready.split_to(size))).filter(|_| size > 0)
    }
}

/// Loads all rows of the batch that go to `table`. False when the server refuses LOAD DATA LOCAL;
/// then nothing is loaded, and the transaction is still open.
pub(super) async fn load(
    conn: &mut Conn,
    table: Table,
    batch: &Arc<Batch>,
    max_packet: usize,
) -> Result<bool, Fault> {
    let count = table.len(batch);
    if count == 0 {
        return Ok(true);
    }
    let packets = Packets {
        table,
        batch: Arc::clone(batch),
        next: 0,
        size: CHUNK.min(max_packet / 2),
        ready: Bytes::new(),
    };
    conn.set_infile_handler(async move { Ok(futures_util::stream::iter(packets).boxed()) });
    // Binary: the texts are UTF-8 already, and the key hashes are no text.
    let statement = format!(
        "LOAD DATA LOCAL INFILE 'bintrail' INTO TABLE {} CHARACTER SET binary{}",
        table.name(),
        table.columns()
    );
    match conn.query_drop(statement).await {
        Ok(()) => verify(conn, count).await.map(|()| true),
        // "Loading local data is disabled", in its new and its old number.
        Err(Error::Server(ServerError {
            code: 3948 | 1148, ..
        })) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Inserts all rows of the batch that go to `table`.
pub(super) async fn insert(
    conn: &mut Conn,
    table: Table,
    batch: &Batch,
    max_packet: usize,
) -> Result<(), Fault> {
    let size = CHUNK.min(max_packet.saturating_sub(COMMAND));
    let prefix = format!("INSERT INTO {} VALUES ", table.target());
    let mut statement = Vec::with_capacity(size);
    let mut next = 0;
    while next < table.len(batch) {
        statement.clear();
        statement.extend_from_slice(prefix.as_bytes());
        let first = next;
        let mut end = statement.len();
        while next < table.len(batch) {
            table.encode::<Literal>(batch, next, &mut statement);
            if statement.len() > size && next > first {
                break;
            }
            end = statement.len();
            next += 1;
        }
        // Without the last comma, and without the row that was too much.
        statement.truncate(end.saturating_sub(1));
        fits(
            "a row",
            (statement.len(), 0),
            max_packet,
            ", set local_infile=ON, or leave the table out with --tables",
        )?;
        conn.query_drop(statement.as_slice()).await?;
        verify(conn, next - first).await?;
    }
    Ok(())
}

/// Does something of so many bytes, with others beside it, go into one packet? Sent all the same it would cost the
/// connection, mostly before the server says why.
pub(super) fn fits(
    what: &str,
    (len, beside): (usize, usize),
    max_packet: usize,
    or: &str,
) -> Result<(), IndexError> {
    if len.saturating_add(beside).saturating_add(COMMAND) <= max_packet {
        return Ok(());
    }
    Err(IndexError::new(
        ErrorKind::TooLarge,
        format!(
            "{what} of {len} bytes is larger than the index server's max_allowed_packet ({max_packet}): raise it there{or}"
        ),
    ))
}

/// Nothing may be missing and nothing may have been made to fit.
async fn verify(conn: &mut Conn, count: usize) -> Result<(), Fault> {
    let arrived = conn.affected_rows();
    let warnings = conn.get_warnings();
    if warnings > 0 {
        let first: Option<(String, u16, String)> =
            conn.query_first("SHOW WARNINGS LIMIT 1").await?;
        if let Some((_, code, message)) = first {
            let error = ServerError {
                code,
                message,
                state: "01000".into(),
            };
            return Err(Error::Server(error).into());
        }
    }
    if warnings > 0 || u64::try_from(count).ok() != Some(arrived) {
        return Err(IndexError::new(
            ErrorKind::Other,
            format!(
                "the index server took {arrived} of {count} rows with {warnings} warnings: the \
                 batch is rolled back; see the server's error log"
            ),
        )
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_that_means_something_is_escaped() {
        let mut out = Vec::new();
        let mut row = Row::<Loaded>::new(&mut out);
        row.number(7_u64);
        row.text(None);
        row.text(Some(b""));
        row.binary(b"\\N\t\n\0");
        row.end();
        assert_eq!(out, b"7\t\\N\t\t\\\\N\\\t\\\n\0\n");
        let mut out = Vec::new();
        let mut row = Row::<Literal>::new(&mut out);
        row.text(None);
        row.text(Some(b"a'b\\"));
        row.binary(b"\x00\xFA");
        row.time(0);
        row.end();
        assert_eq!(
            out,
            b"(NULL,'a\\'b\\\\',x'00FA','1970-01-01 00:00:00.000000'),"
        );
    }
}
