//! `bintrail tail`: a live source's row changes as text.

use std::io::Write;

use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
use bintrail_proto::binlog::transaction_payload::Unpacker;
use tokio::sync::watch;

use crate::error::Error;
use crate::print::Printer;
use crate::schema::Names;
use crate::source::connection::ConnectOptions;
use crate::source::seam::Seam;
use crate::source::server::{self, Server};
use crate::stream::{Start, derived_server_id, read};

/// What to print, and from where on.
#[derive(Debug, Clone)]
pub struct TailOptions {
    /// How to reach the source.
    pub source: ConnectOptions,
    /// The server id to replicate under; derived from host and source when `None`.
    pub server_id: Option<u32>,
    /// Where to start; `None` for where the source is now.
    pub start: Option<Start>,
}

/// Prints row changes as they come, until `stop` turns true.
///
/// # Errors
/// The source's, and those of the output.
pub async fn tail<W: Write>(
    options: &TailOptions,
    printer: &mut Printer<W>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let mut server = Server::connect(&options.source).await?;
    server.check()?;
    // Not the id of a stream from this host, which goes on beside it.
    let server_id = options
        .server_id
        .unwrap_or_else(|| derived_server_id(&options.source, "tail"));
    let start = server.start(options.start.as_ref()).await?;
    if let Some(Start::Position(file, position)) = &options.start {
        // The server itself would say of any such place that it could not find a name in its list.
        server.has_place(file, *position).await?;
    }
    let (mut events, checksum) = server.dump(server_id, &start).await?;
    let written = server.readable_place().await?;
    let mut seam = Seam::new(written);
    tracing::info!(from = %start, source = server::address(&options.source), server_id, "reading");
    let mut decoder = Decoder::for_dump(checksum);
    let ahead = derived_server_id(&options.source, "tail, ahead");
    let mut naming = Naming {
        names: Names::without_index(ahead),
        server,
        stop: stop.clone(),
    };
    let mut frames = Vec::new();
    let mut inflated = Vec::new();
    let mut unpacker = Unpacker::default();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            result = read(&mut events, &mut frames, &options.source, &start) => result?,
        }
        for frame in frames.drain(..) {
            let position = decoder.position();
            let damaged = |file: &str, error| Error::Binlog {
                file: file.to_owned(),
                position,
                error,
                remedy: "the event was damaged on its way, or on the source's disk",
            };
            let event = decoder
                .decode(&frame)
                .and_then(|event| event.inflate(&mut inflated))
                .map_err(|error| damaged(printer.file(), error))?;
            seam.follow(&event)
                .map_err(|error| naming.server.error(error))?;
            if let (EventData::Rotate(_), (file, true)) = (&event.data, seam.now())
                && event.header.is_artificial()
            {
                tracing::warn!(
                    file,
                    "the file before it is gone from the source's binary logs, and what it held is left out"
                );
            }
            let EventData::TransactionPayload(payload) = &event.data else {
                if !print_event(&event, printer, &mut naming).await? {
                    return Ok(());
                }
                continue;
            };
            let mut events = unpacker
                .events(payload)
                .map_err(|error| damaged(printer.file(), error))?;
            loop {
                let packed = events
                    .next()
                    .map_err(|error| damaged(printer.file(), error))?;
                let Some(packed) = packed else { break };
                let packed = decoder
                    .decode_packed(packed, &event)
                    .map_err(|error| damaged(printer.file(), error))?;
                if !print_event(&packed, printer, &mut naming).await? {
                    return Ok(());
                }
            }
        }
        printer.flush().map_err(Error::Output)?;
    }
}

/// What names tables.
struct Naming {
    names: Names<'static>,
    server: Server,
    stop: watch::Receiver<bool>,
}

/// Prints an event's rows. Returns `false` when told to stop before it could.
async fn print_event<W: Write>(
    event: &Event<'_>,
    printer: &mut Printer<W>,
    naming: &mut Naming,
) -> Result<bool, Error> {
    if let Some(map) = printer.handle(event)? {
        let place = (printer.file().to_owned(), event.start);
        let Naming {
            names,
            server,
            stop,
        } = naming;
        let Some(named) = names.resolve(map, place, Some(server), stop).await? else {
            return Ok(false);
        };
        printer.define(event, named.table);
    }
    Ok(true)
}
