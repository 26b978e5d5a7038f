//! One direction of a connection: bytes in, packets told apart, bytes out.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::wire::{HEAD, HEADER, Kind, Phase, Side};
use super::{Break, Flow, Link, lock};

/// One direction of a connection.
pub(super) struct Pump<'a> {
    link: &'a Link,
    phase: &'a Mutex<Phase>,
    side: Side,
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    /// Read, and not sent on.
    held: Vec<u8>,
    /// Bytes to come of the packet that is under way.
    left: usize,
    /// The connection ends behind so many bytes of it.
    cut: Option<(usize, Break)>,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        link: &'a Link,
        phase: &'a Mutex<Phase>,
        side: Side,
        from: ReadHalf<'a>,
        to: WriteHalf<'a>,
    ) -> Pump<'a> {
        Pump {
            link,
            phase,
            side,
            from,
            to,
            held: Vec::new(),
            left: 0,
            cut: None,
        }
    }

    /// Until one end closes, or a trap strikes.
    pub(super) async fn run(mut self) -> Break {
        let mut block = vec![0; 64 << 10];
        loop {
            match self.from.read(&mut block).await {
                Ok(0) => return Break::Fin,
                Ok(len) => self.held.extend_from_slice(&block[..len]),
                Err(_) => return Break::Reset,
            }
            match self.pass().await {
                Ok(None) => {}
                Ok(Some(how)) => return how,
                Err(_) => return Break::Reset,
            }
        }
    }

    /// Sends on what is held, but for a packet's head of which too little is there.
    async fn pass(&mut self) -> io::Result<Option<Break>> {
        while !self.held.is_empty() {
            if self.left == 0 && !self.begin() {
                break;
            }
            let len = self.left.min(self.held.len());
            let cut = self.cut.filter(|(at, _)| *at <= len);
            let bytes: Vec<u8> = self.held.drain(..cut.map_or(len, |(at, _)| at)).collect();
            self.send(&bytes).await?;
            if let Some((_, how)) = cut {
                self.link.struck.fetch_add(1, Ordering::AcqRel);
                return Ok(Some(how));
            }
            self.left -= len;
            self.cut = self.cut.map(|(at, how)| (at - len, how));
        }
        Ok(None)
    }

    /// Takes in the head of a packet, if it is there.
    fn begin(&mut self) -> bool {
        let mut phase = lock(self.phase);
        let kind = if *phase == Phase::Tls {
            self.left = self.held.len();
            Kind::Tls
        } else {
            let [a, b, c, sequence, ref payload @ ..] = self.held[..] else {
                return false;
            };
            let len = u32::from_le_bytes([a, b, c, 0]) as usize;
            if payload.len() < len.min(HEAD) {
                return false;
            }
            self.left = HEADER + len;
            phase.packet(self.side, sequence, len, &payload[..len.min(HEAD)])
        };
        drop(phase);
        self.cut = self.link.strikes(kind, self.left);
        true
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let flow = *self.link.flow.borrow();
            let len = match flow {
                Flow::Pass => rest.len(),
                Flow::Dribble => 1,
                Flow::Late(time) => {
                    tokio::time::sleep(time).await;
                    rest.len()
                }
                Flow::Stall | Flow::Refuse => {
                    let moving = |flow: &Flow| !matches!(flow, Flow::Stall | Flow::Refuse);
                    let mut flow = self.link.flow.subscribe();
                    flow.wait_for(moving).await.ok();
                    continue;
                }
            };
            let (now, later) = rest.split_at(len);
            self.to.write_all(now).await?;
            rest = later;
            // So that the other side reads bytes, not blocks; a sleep for each would take hours.
            if flow == Flow::Dribble && rest.len().is_multiple_of(16) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Ok(())
    }
}
