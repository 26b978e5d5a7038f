//! Row changes from binlog files, for `bintrail decode`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
use bintrail_proto::binlog::file::{check_magic, event_len};
use bintrail_proto::binlog::transaction_payload::Unpacker;

use crate::error::Error;
use crate::print::Printer;
use crate::table::Table;

/// Read at once; an event that is larger gets as much as it needs.
const CHUNK: usize = 256 * 1024;

/// Prints the row changes of one binlog file. Columns have the names that the file gives them
/// (`binlog_row_metadata=FULL`), else `@1`, `@2`, ….
///
/// # Errors
/// [`Error::File`] when it cannot be read, [`Error::Binlog`] when it is no binlog file, or damaged,
/// or ends inside an event: what stands before that place has been printed.
pub fn print_file<W: Write>(path: &Path, printer: &mut Printer<W>) -> Result<(), Error> {
    let file = File::open(path).map_err(|error| file_error(path, error))?;
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    printer.start_file(&name);
    let mut events = Events {
        path,
        file,
        buffer: Vec::new(),
        start: 0,
        position: 0,
        ended: false,
    };
    let magic = events
        .take(4)?
        .and_then(|bytes| bytes.first_chunk::<4>().copied());
    let Some(magic) = magic else {
        return Err(foreign(
            path,
            bintrail_proto::Error::new("binlog file", bintrail_proto::Kind::Truncated),
        ));
    };
    check_magic(magic).map_err(|error| foreign(path, error))?;

    let mut decoder = Decoder::for_file();
    let mut inflated = Vec::new();
    let mut unpacker = Unpacker::default();
    loop {
        let position = events.position;
        let damaged = |error| Error::Binlog {
            file: path.display().to_string(),
            position,
            error,
            remedy: "the file is damaged: copy it again from the source; what stands before is printed",
        };
        let Some(header) = events.peek(bintrail_proto::binlog::header::HEADER_LEN)? else {
            return Ok(());
        };
        let len = event_len(header).map_err(damaged)?.unwrap_or(0);
        let Some(event) = events.take(len)? else {
            return Ok(());
        };
        let event = decoder
            .decode(event)
            .and_then(|event| event.inflate(&mut inflated))
            .map_err(damaged)?;
        let EventData::TransactionPayload(payload) = &event.data else {
            print_event(&event, printer)?;
            continue;
        };
        let mut events = unpacker.events(payload).map_err(damaged)?;
        while let Some(packed) = events.next().map_err(damaged)? {
            let packed = decoder.decode_packed(packed, &event).map_err(damaged)?;
            print_event(&packed, printer)?;
        }
    }
}

fn print_event<W: Write>(event: &Event<'_>, printer: &mut Printer<W>) -> Result<(), Error> {
    if let Some(map) = printer.handle(event)? {
        let valid_from = (printer.file().to_owned(), event.start);
        printer.define(event, Table::from_event(map.into(), valid_from));
    }
    Ok(())
}

/// The bytes of a file, as many at a time as are asked for.
struct Events<'a> {
    path: &'a Path,
    file: File,
    buffer: Vec<u8>,
    /// Where in `buffer` the unread bytes begin.
    start: usize,
    /// Where in the file they begin.
    position: u64,
    ended: bool,
}

impl Events<'_> {
    /// The next `len` bytes, which are then read; `None` at the end of the file.
    fn take(&mut self, len: usize) -> Result<Option<&[u8]>, Error> {
        if self.peek(len)?.is_none() {
            return Ok(None);
        }
        let from = self.start;
        self.start = from.saturating_add(len);
        self.position = self.position.saturating_add(len as u64);
        Ok(self.buffer.get(from..self.start))
    }

    /// The next `len` bytes; `None` at the end of the file. An end inside them is an error.
    fn peek(&mut self, len: usize) -> Result<Option<&[u8]>, Error> {
        while self.buffer.len().saturating_sub(self.start) < len && !self.ended {
            self.fill(len)?;
        }
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        match rest.get(..len) {
            Some(bytes) => Ok(Some(bytes)),
            None if rest.is_empty() => Ok(None),
            None => Err(Error::Binlog {
                file: self.path.display().to_string(),
                position: self.position,
                error: bintrail_proto::Error {
                    what: "event",
                    kind: bintrail_proto::Kind::Truncated,
                    offset: rest.len(),
                },
                remedy: "the file is cut off: copy it again from the source; what stands before is printed",
            }),
        }
    }

    /// Reads a chunk more. A length that the file does not have the bytes for costs no memory.
    fn fill(&mut self, wanted: usize) -> Result<(), Error> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let chunk = wanted
            .saturating_sub(self.buffer.len())
            .clamp(CHUNK, CHUNK.saturating_mul(16));
        let read = (&mut self.file)
            .take(chunk as u64)
            .read_to_end(&mut self.buffer)
            .map_err(|error| file_error(self.path, error))?;
        self.ended = read == 0;
        Ok(())
    }
}

fn file_error(path: &Path, error: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        error,
    }
}

fn foreign(path: &Path, error: bintrail_proto::Error) -> Error {
    Error::Binlog {
        file: path.display().to_string(),
        position: 0,
        error,
        remedy: "name files as `SHOW BINARY LOGS` lists them, copied from the source's data directory",
    }
}
