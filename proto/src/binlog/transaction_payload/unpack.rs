//! The events in a payload, unpacked a piece at a time.

use std::fmt;

use zstd::stream::raw::{Decoder, Operation};

use super::{Compression, TransactionPayload, WHAT};
use crate::binlog::file::event_len;
use crate::binlog::header::HEADER_LEN;
use crate::error::{Error, Kind};

/// Bytes unpacked at once; an event that is larger gets as much as it needs.
const CHUNK: usize = 128 * 1024;

/// The buffer of an earlier payload is kept up to this size.
const MAX_KEPT: usize = 1 << 20;

/// The most bytes of an event: the greatest `max_allowed_packet`, and room for headers.
const MAX_EVENT: usize = (1 << 30) + (1 << 20);

/// Unpacks payloads; holds what is used again from one to the next: the buffer, and Zstandard's context.
///
/// Memory does not depend on the size of a payload, nor on what it says of itself: it is one event, a chunk, and
/// the window of the compression, which is 2 MiB as MySQL compresses by default, and 128 MiB at the most. The payload
/// itself is the caller's, and whole: it is one event.
#[derive(Debug, Default)]
pub struct Unpacker {
    zstd: Option<Zstd>,
    /// Its length is its room; what is unpacked stands somewhere in it.
    buffer: Vec<u8>,
}

struct Zstd(Decoder<'static>);

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Zstd")
    }
}

impl Unpacker {
    /// The events of `payload`, to be read in order.
    ///
    /// # Errors
    /// When there is no memory for the compression's context.
    pub fn events<'u>(&'u mut self, payload: &TransactionPayload<'u>) -> Result<Events<'u>, Error> {
        let no_memory = |_| {
            fault(
                0,
                Kind::Unsupported("a payload without memory to unpack it"),
            )
        };
        if self.buffer.len() > MAX_KEPT {
            self.buffer.truncate(CHUNK);
            self.buffer.shrink_to_fit();
        }
        let zstd = match (payload.compression, &mut self.zstd) {
            (Compression::None, _) => None,
            (Compression::Zstd, Some(used)) => {
                used.0.reinit().map_err(no_memory)?;
                Some(used)
            }
            (Compression::Zstd, none) => {
                Some(none.insert(Zstd(Decoder::new().map_err(no_memory)?)))
            }
        };
        Ok(Events {
            zstd,
            buffer: &mut self.buffer,
            start: 0,
            filled: 0,
            packed: payload.payload,
            frame_ended: true,
            unpacked: 0,
            size: payload.uncompressed_size,
        })
    }
}

/// The events of a payload. Offsets in its errors count the unpacked bytes.
#[derive(Debug)]
pub struct Events<'u> {
    /// `None` where nothing is compressed.
    zstd: Option<&'u mut Zstd>,
    buffer: &'u mut Vec<u8>,
    /// What is unread in `buffer`.
    start: usize,
    filled: usize,
    /// What is still to be unpacked.
    packed: &'u [u8],
    /// Is nothing of a Zstandard frame still to come?
    frame_ended: bool,
    /// Bytes of the events so far, and of what is in `buffer`.
    unpacked: u64,
    /// How many they are to be.
    size: Option<u64>,
}

impl Events<'_> {
    /// The next event, from its header to its end; `None` behind the last one.
    ///
    /// # Errors
    /// Damaged compression; a payload that ends inside an event, or has another size than it says. The
    /// events behind it are lost then, and the next call gives `None`.
    #[expect(
        clippy::should_implement_trait,
        reason = "the event borrows from this, which an Iterator's item cannot"
    )]
    pub fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        let found = match self.zstd {
            Some(_) => self.find(),
            None => return self.cut(),
        };
        let Some(len) = found.inspect_err(|_| self.end())? else {
            return Ok(None);
        };
        let from = self.start;
        self.start = from.saturating_add(len);
        Ok(self.buffer.get(from..self.start))
    }

    /// Where the next event starts among the unpacked bytes.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.unpacked
            .saturating_sub((self.filled.saturating_sub(self.start)) as u64)
    }

    /// The next event of a payload that is not compressed.
    fn cut(&mut self) -> Result<Option<&[u8]>, Error> {
        let offset = self.offset();
        let packed = self.packed;
        let event = match event_len(packed) {
            Ok(None) if packed.is_empty() && self.has_size() => return Ok(None),
            Ok(None) if packed.is_empty() => Err(OTHER_SIZE),
            Ok(None) => Err(Kind::Truncated),
            Ok(Some(len)) => packed.split_at_checked(len).ok_or(Kind::Truncated),
            Err(error) => Err(error.kind),
        };
        match event {
            Ok((event, rest)) => {
                self.packed = rest;
                self.unpacked = self.unpacked.saturating_add(event.len() as u64);
                Ok(Some(event))
            }
            Err(kind) => {
                self.end();
                Err(fault(offset, kind))
            }
        }
    }

    /// Has the next event in the buffer, and returns its length.
    fn find(&mut self) -> Result<Option<usize>, Error> {
        loop {
            let offset = self.offset();
            let unread = self.buffer.get(self.start..self.filled).unwrap_or_default();
            let wanted = match event_len(unread) {
                Ok(Some(len)) if len <= unread.len() => return Ok(Some(len)),
                Ok(Some(len)) if len > MAX_EVENT => {
                    let kind = Kind::Unsupported("an event of more than 1 GiB");
                    return Err(fault(offset, kind));
                }
                Ok(Some(len)) => len,
                Ok(None) => HEADER_LEN,
                Err(error) => return Err(fault(offset, error.kind)),
            };
            let left = self.size.map(|size| size.saturating_sub(offset));
            if left.is_some_and(|left| left > 0 && (wanted as u64) > left) {
                return Err(fault(
                    offset,
                    Kind::Invalid("an event that passes the payload's size"),
                ));
            }
            if self.packed.is_empty() && self.frame_ended {
                return match unread {
                    [] if self.has_size() => Ok(None),
                    [] => Err(fault(offset, OTHER_SIZE)),
                    _ => Err(fault(offset, Kind::Truncated)),
                };
            }
            self.fill(wanted)?;
        }
    }

    fn has_size(&self) -> bool {
        self.size.is_none_or(|size| size == self.unpacked)
    }

    /// Unpacks some more. A length that the payload does not have the bytes for costs no memory.
    fn fill(&mut self, wanted: usize) -> Result<(), Error> {
        let damaged = || Kind::Invalid("compressed data is damaged");
        let offset = self.unpacked;
        let Some(zstd) = self.zstd.as_deref_mut() else {
            return Ok(());
        };
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled = self.filled.saturating_sub(self.start);
            self.start = 0;
        }
        if self.buffer.len() <= self.filled {
            let room = wanted.min(self.filled.saturating_mul(2)).max(CHUNK);
            self.buffer.resize(room, 0);
        }
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let step = zstd
            .0
            .run_on_buffers(self.packed, room)
            .map_err(|_| fault(offset, damaged()))?;
        self.packed = self.packed.get(step.bytes_read..).unwrap_or_default();
        self.filled = self.filled.saturating_add(step.bytes_written);
        self.unpacked = self.unpacked.saturating_add(step.bytes_written as u64);
        self.frame_ended = step.remaining == 0;
        if self.size.is_some_and(|size| self.unpacked > size) {
            return Err(fault(offset, OTHER_SIZE));
        }
        // Neither took nor made anything: it ends too early.
        if step.bytes_read == 0 && step.bytes_written == 0 {
            return Err(fault(offset, Kind::Truncated));
        }
        Ok(())
    }

    /// Nothing comes behind an error.
    fn end(&mut self) {
        self.packed = &[];
        self.frame_ended = true;
        self.filled = self.start;
        self.size = None;
    }
}

const OTHER_SIZE: Kind = Kind::Invalid("it unpacks to another size than it says");

fn fault(offset: u64, kind: Kind) -> Error {
    Error {
        what: WHAT,
        kind,
        offset: usize::try_from(offset).unwrap_or(usize::MAX),
    }
}
