//! The stream of event packets that follows a dump command.

use std::io;

use bintrail_proto::response::{EofPacket, ErrPacket, OkPacket, ServerError};
use bintrail_proto::{Error as ProtoError, Kind};
use bytes::{Buf, Bytes};

use super::Error;
use super::packets::Packets;

/// The longest event packet that is accepted: the 1 GiB that a server can be set to at most, and room for headers.
pub const MAX_EVENT_PACKET: usize = (1 << 30) + (1 << 20);

/// Whether a stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There were events, and there may be more.
    Events,
    /// The server has sent all it has, as only a non-blocking dump ends.
    End,
}

/// The event packets of one dump.
#[derive(Debug)]
pub struct ReplicationStream {
    packets: Packets,
    /// What ended the stream, and is still to be told.
    end: Option<Result<Progress, Error>>,
    over: bool,
}

impl ReplicationStream {
    pub(super) const fn new(packets: Packets) -> Self {
        Self {
            packets,
            end: None,
            over: false,
        }
    }

    /// Waits until there are events, and appends all that have come whole, each without the leading OK
    /// byte, to `out`.
    ///
    /// A frame shares its memory with its neighbours: a block of 256 KiB lives as long as any frame
    /// in it. A frame above that size has a block of its own.
    ///
    /// Cancel-safe: a dropped future loses nothing.
    ///
    /// # Errors
    /// The server's ERR packet, by its kind; [`Error::Silent`] if nothing came for the read timeout; a
    /// broken connection. Events that came before an error are handed out first. After the
    /// server's error or the end, the stream is over and says so.
    pub async fn next_frames(&mut self, out: &mut Vec<Bytes>) -> Result<Progress, Error> {
        let before = out.len();
        loop {
            while self.end.is_none() {
                match self
                    .packets
                    .buffered()
                    .and_then(|p| p.map(sort).transpose())
                {
                    Ok(Some(Frame::Event(event))) => out.push(event),
                    Ok(Some(Frame::End)) => self.end = Some(Ok(Progress::End)),
                    Ok(None) => break,
                    Err(error) => self.end = Some(Err(error)),
                }
            }
            if out.len() > before {
                return Ok(Progress::Events);
            }
            if let Some(end) = self.end.take() {
                self.over = true;
                return end;
            }
            if self.over {
                return Err(Error::Lost(io::Error::other("the stream is over")));
            }
            self.packets.fill().await?;
        }
    }
}

enum Frame {
    Event(Bytes),
    End,
}

fn sort(mut payload: Bytes) -> Result<Frame, Error> {
    match payload.first() {
        Some(&OkPacket::HEADER) => {
            payload.advance(1);
            Ok(Frame::Event(payload))
        }
        Some(&ErrPacket::HEADER) => Err(Error::from_server(ServerError::parse(&payload)?)),
        // As an EOF packet or, with DEPRECATE_EOF, an OK packet; nothing in either is needed.
        Some(&EofPacket::HEADER) => Ok(Frame::End),
        _ => Err(Error::Protocol(ProtoError::new(
            "binlog network stream",
            Kind::Invalid("neither an event, ERR nor EOF"),
        ))),
    }
}
