//! Row changes from binlog files, for `bintrail decode`.

pub(crate) mod events;

use std::io::Write;
use std::path::Path;

use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
use bintrail_proto::binlog::transaction_payload::Unpacker;

use crate::error::Error;
use crate::print::Printer;
use crate::table::Table;
use events::{FileEvents, Next};

const DAMAGED: &str =
    "the file is damaged: copy it again from the source; what stands before is printed";
const CUT_OFF: &str =
    "the file is cut off: copy it again from the source; what stands before is printed";

/// Prints the row changes of one binlog file. Columns have the names that the file gives them
/// (`binlog_row_metadata=FULL`), else `@1`, `@2`, ….
///
/// # Errors
/// [`Error::File`] when it cannot be read, [`Error::Binlog`] when it is no binlog file, or damaged,
/// or ends inside an event: what stands before that place has been printed.
pub fn print_file<W: Write>(path: &Path, printer: &mut Printer<W>) -> Result<(), Error> {
    let mut events = FileEvents::open(path)?;
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    printer.start_file(&name);
    let mut decoder = Decoder::for_file();
    let mut inflated = Vec::new();
    let mut unpacker = Unpacker::default();
    loop {
        let position = events.position();
        let fault = |error, remedy| Error::Binlog {
            file: path.display().to_string(),
            position,
            error,
            remedy,
        };
        let damaged = |error| fault(error, DAMAGED);
        let event = match events.next(DAMAGED)? {
            Next::Event(event) => event,
            Next::End => return Ok(()),
            Next::CutOff(offset) => {
                let error = bintrail_proto::Error {
                    what: "event",
                    kind: bintrail_proto::Kind::Truncated,
                    offset,
                };
                return Err(fault(error, CUT_OFF));
            }
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
