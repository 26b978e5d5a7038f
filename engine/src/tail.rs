//! `bintrail tail`: a live source's row changes as text.

use std::io::Write;

use bintrail_proto::binlog::decoder::Decoder;
use tokio::sync::watch;

use crate::error::Error;
use crate::print::Printer;
use crate::schema::Names;
use crate::source::connection::ConnectOptions;
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
    let (mut events, checksum) =
        server::dump(&options.source, server_id, &start, server.flavor()).await?;
    let mut decoder = Decoder::for_dump(checksum);
    let ahead = derived_server_id(&options.source, "tail, ahead");
    let mut names = Names::without_index(ahead);
    let mut frames = Vec::new();
    let mut inflated = Vec::new();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            result = read(&mut events, &mut frames, &options.source, &start) => result?,
        }
        for frame in frames.drain(..) {
            let position = decoder.position();
            let event = decoder
                .decode(&frame)
                .and_then(|event| event.inflate(&mut inflated))
                .map_err(|error| Error::Binlog {
                    file: printer.file().to_owned(),
                    position,
                    error,
                    remedy: "the event was damaged on its way, or on the source's disk",
                })?;
            if let Some(map) = printer.handle(&event)? {
                let valid_from = (printer.file().to_owned(), event.start);
                let Some(named) = names.resolve(map, valid_from, &mut server, &stop).await? else {
                    return Ok(());
                };
                printer.define(&event, named.table);
            }
        }
        printer.flush().map_err(Error::Output)?;
    }
}
