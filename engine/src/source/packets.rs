//! Packets over a transport: blocks of bytes in, payloads out.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bintrail_proto::packet::{self, Framer};
use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::Error;
use super::transport::Transport;

/// The size of a block that packets are read into. Every payload keeps its whole block alive, so
/// a block is no bigger than one good read.
const BLOCK: usize = 256 * 1024;

/// The shortest read worth making: with less room than this, a new block is begun.
const MIN_READ: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Packets {
    transport: Transport,
    input: BytesMut,
    /// Whether `input` is a block made for one packet above the usual size.
    oversized: bool,
    framer: Framer,
    read_timeout: Duration,
    /// Since when bytes are awaited: a wait that is dropped and begun again is still the same.
    awaited: Option<Instant>,
}

impl Packets {
    pub(super) fn new(transport: Transport, input: BytesMut, read_timeout: Duration) -> Self {
        Self {
            transport,
            input,
            oversized: false,
            framer: Framer::new(0),
            read_timeout,
            awaited: None,
        }
    }

    /// Sends one command, and expects its answer in payloads of at most `max_payload` bytes.
    pub(super) async fn command(
        &mut self,
        payload: &[u8],
        max_payload: usize,
    ) -> Result<(), Error> {
        let mut wire = Vec::with_capacity(payload.len().saturating_add(packet::HEADER_LEN));
        let next = packet::write(payload, 0, &mut wire);
        self.framer = Framer::new(max_payload);
        self.framer.set_sequence(next);
        self.awaited = None;
        self.send(&wire).await
    }

    async fn send(&mut self, wire: &[u8]) -> Result<(), Error> {
        let sent = async {
            self.transport.write_all(wire).await?;
            self.transport.flush().await
        };
        match timeout(self.read_timeout, sent).await {
            Ok(sent) => sent.map_err(Error::Lost),
            Err(_) => Err(Error::Lost(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Closes the connection, TLS and all.
    pub(super) async fn shutdown(&mut self) {
        // Whatever fails here is over anyway.
        let _ = timeout(self.read_timeout, self.transport.shutdown()).await;
    }

    /// The next payload that is here already.
    pub(super) fn buffered(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(self.framer.next_payload(&mut self.input)?)
    }

    /// The next payload.
    pub(super) async fn next(&mut self) -> Result<Bytes, Error> {
        loop {
            if let Some(payload) = self.buffered()? {
                return Ok(payload);
            }
            self.fill().await?;
        }
    }

    /// Waits for bytes and takes all that are here, as far as the block holds them. Cancel-safe.
    pub(super) async fn fill(&mut self) -> Result<(), Error> {
        self.make_room();
        let awaited = *self.awaited.get_or_insert_with(Instant::now);
        let filled = fill(&mut self.transport, &mut self.input);
        // Looks for bytes once in any case: they may have come while nobody waited for them.
        let filled = timeout_at(awaited + self.read_timeout, filled).await;
        self.awaited = None;
        match filled {
            Ok(filled) => filled.map_err(Error::Lost),
            Err(_) => Err(Error::Silent {
                after: self.read_timeout,
            }),
        }
    }

    fn make_room(&mut self) {
        let held = self.input.len();
        let missing = self.framer.missing(&self.input);
        let whole = held.saturating_add(missing);
        if whole > BLOCK {
            // A packet above the block size gets a block of exactly its size, with nothing else in it.
            if self.input.capacity() < whole {
                self.replace_block(whole);
                self.oversized = true;
            }
        } else if self.oversized || !self.input.try_reclaim(missing.max(MIN_READ)) {
            self.replace_block(BLOCK);
            self.oversized = false;
        }
    }

    fn replace_block(&mut self, size: usize) {
        let mut block = BytesMut::with_capacity(size);
        block.extend_from_slice(&self.input);
        self.input = block;
    }
}

/// Waits for bytes, then takes all that are here, as far as `input` has room for them.
pub(super) async fn fill(transport: &mut Transport, input: &mut BytesMut) -> io::Result<()> {
    let before = input.len();
    poll_fn(|cx| {
        loop {
            let spare = input.capacity().saturating_sub(input.len());
            if spare == 0 {
                return Poll::Ready(Ok(()));
            }
            let mut room = (&mut *input).limit(spare);
            let read = pin!(transport.read_buf(&mut room)).poll(cx);
            match read {
                Poll::Ready(Ok(len)) if len > 0 => {}
                // What came before an end is handed on first; the end is still there next time.
                _ if input.len() > before => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}
