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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bintrail_proto::packet;
    use bytes::BytesMut;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::source::transport::Transport;

    /// A stream right behind its dump command, and the server's end of it.
    async fn stream() -> (ReplicationStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limit = Duration::from_secs(5);
        let transport = Transport::connect("127.0.0.1", address.port(), limit);
        let (transport, accepted) = tokio::join!(transport, listener.accept());
        let quiet = Duration::from_millis(500);
        let mut packets = Packets::new(transport.unwrap(), BytesMut::new(), quiet);
        packets.command(&[0x12], MAX_EVENT_PACKET).await.unwrap();
        (ReplicationStream::new(packets), accepted.unwrap().0)
    }

    fn wire(payloads: &[&[u8]]) -> Vec<u8> {
        let mut wire = Vec::new();
        let mut sequence = 1;
        for payload in payloads {
            sequence = packet::write(payload, sequence, &mut wire);
        }
        wire
    }

    #[tokio::test]
    async fn events_before_an_error_come_first() {
        let (mut stream, mut server) = stream().await;
        let purged =
            b"\xff\xd4\x04#HY000Could not find first log file name in binary log index file";
        server
            .write_all(&wire(&[b"\0one", b"\0two", purged]))
            .await
            .unwrap();
        let mut frames = Vec::new();
        while frames.len() < 2 {
            assert_eq!(
                stream.next_frames(&mut frames).await.unwrap(),
                Progress::Events
            );
        }
        assert_eq!(frames, ["one", "two"]);
        let error = stream.next_frames(&mut frames).await.unwrap_err();
        assert!(matches!(error, Error::PositionPurged(_)), "{error}");
        let error = stream.next_frames(&mut frames).await.unwrap_err();
        assert!(matches!(error, Error::Lost(_)), "{error}");
    }

    #[tokio::test]
    async fn silence_and_a_cut_packet_are_errors() {
        let (mut stream, mut server) = stream().await;
        let mut frames = Vec::new();
        server.write_all(&[5, 0, 0, 1, 0, b'h']).await.unwrap();
        let error = stream.next_frames(&mut frames).await.unwrap_err();
        assert!(matches!(error, Error::Silent { .. }), "{error}");
        server.write_all(b"alf").await.unwrap();
        assert_eq!(
            stream.next_frames(&mut frames).await.unwrap(),
            Progress::Events
        );
        assert_eq!(frames, ["half"]);
        server.write_all(&[5, 0, 0, 2, 0, b'h']).await.unwrap();
        drop(server);
        let error = stream.next_frames(&mut frames).await.unwrap_err();
        assert!(matches!(error, Error::Lost(_)), "{error}");
    }

    #[tokio::test]
    async fn silence_is_noticed_by_waits_that_are_dropped_too() {
        let (mut stream, _server) = stream().await;
        let mut frames = Vec::new();
        let noticed = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                let wait = stream.next_frames(&mut frames);
                if let Ok(result) = tokio::time::timeout(Duration::from_millis(50), wait).await {
                    return result.unwrap_err();
                }
            }
        });
        let error = noticed.await.expect("silence that is never noticed");
        assert!(matches!(error, Error::Silent { .. }), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_event_is_an_error() {
        for payload in [&b""[..], b"\x01", b"\xfb"] {
            let (mut stream, mut server) = stream().await;
            server.write_all(&wire(&[payload])).await.unwrap();
            let error = stream.next_frames(&mut Vec::new()).await.unwrap_err();
            assert!(matches!(error, Error::Protocol(_)), "{error}");
        }
    }

    #[tokio::test]
    async fn a_run_of_events_comes_at_once_and_big_ones_have_their_own_block() {
        let (mut stream, mut server) = stream().await;
        let small = [b'\0'; 100];
        let big = vec![b'\0'; 1_000_000];
        let mut payloads = vec![&small[..]; 200];
        payloads.push(&big);
        payloads.push(&small);
        let wire = wire(&payloads);
        let sending = tokio::spawn(async move {
            server.write_all(&wire).await.unwrap();
            server
        });
        let mut frames = Vec::new();
        let mut calls = 0;
        while frames.len() < payloads.len() {
            calls += 1;
            stream.next_frames(&mut frames).await.unwrap();
        }
        assert!(calls < 20, "{calls} calls");
        let lens: Vec<_> = frames.iter().map(|frame| frame.len() + 1).collect();
        let expected: Vec<_> = payloads.iter().map(|payload| payload.len()).collect();
        assert_eq!(lens, expected);
        // Nothing else keeps the big one's block, and the block holds nothing else.
        frames.pop();
        let big = frames.pop().unwrap().try_into_mut().expect("shared");
        assert!(big.capacity() < 1_000_000 + 8, "{}", big.capacity());
        sending.await.unwrap();
    }
}
