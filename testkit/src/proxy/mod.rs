//! A TCP proxy between a client and a MySQL server that does to their connections what networks do.
//!
//! It listens on loopback and knows the packets that pass, so that a fault can strike at a chosen one. What is random
//! follows from a seed.

mod pump;
mod wire;

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use pump::Pump;
pub use wire::Kind;
use wire::{Phase, Side};

use crate::Result;
use crate::client::{block_on, runtime};
use crate::workload::Rng;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Break {
    /// Both sides are told, in order.
    Fin,
    /// Both sides are told by a reset.
    Reset,
    /// The client is told, by a reset; the server keeps the connection, with its locks.
    Ghost,
    /// Neither is told, and no byte comes through any more.
    HalfOpen,
}

/// Where in a packet a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Before its first byte.
    Before,
    /// Behind one of its bytes, but not the last.
    Within,
    /// Behind its last byte.
    Behind,
}

/// Breaks one connection at a packet.
#[derive(Debug, Clone, Copy)]
pub struct Trap {
    /// The packet's kind.
    pub kind: Kind,
    /// How many of this kind pass before it.
    pub skip: u64,
    /// Where in it.
    pub part: Part,
    /// How.
    pub how: Break,
}

/// How bytes pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// At once.
    Pass,
    /// One by one.
    Dribble,
    /// This much later.
    Late(Duration),
    /// Not at all, though connections are accepted.
    Stall,
    /// Not at all, and new connections are reset.
    Refuse,
}

/// A running proxy. Its connections are reset when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    link: Arc<Link>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Link {
    target: AtomicU16,
    flow: watch::Sender<Flow>,
    /// Counts the breaks of all connections, with the last one's kind.
    breaks: watch::Sender<(u64, Break)>,
    /// Counts the times that what hangs was let go.
    healed: watch::Sender<u64>,
    trap: Mutex<Option<Trap>>,
    rng: Mutex<Rng>,
    accepted: AtomicU64,
    struck: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Starts to listen, for the server on port `target`.
    pub fn start(target: u16, seed: u64) -> Result<Proxy> {
        let listener = block_on(TcpListener::bind("127.0.0.1:0"))?;
        let port = listener.local_addr()?.port();
        let link = Arc::new(Link {
            target: AtomicU16::new(target),
            flow: watch::Sender::new(Flow::Pass),
            breaks: watch::Sender::new((0, Break::Fin)),
            healed: watch::Sender::new(0),
            trap: Mutex::new(None),
            rng: Mutex::new(Rng::new(seed)),
            accepted: AtomicU64::new(0),
            struck: AtomicU64::new(0),
        });
        let task = runtime().spawn(accept(listener, Arc::clone(&link)));
        Ok(Proxy { port, link, task })
    }

    /// Leads new connections to the server on another port.
    pub fn lead_to(&self, target: u16) {
        self.link.target.store(target, Ordering::Release);
    }

    /// Lays a trap, in place of the one there is.
    pub fn trap(&self, trap: Trap) {
        *lock(&self.link.trap) = Some(trap);
    }

    /// Connections that traps have broken.
    #[must_use]
    pub fn struck(&self) -> u64 {
        self.link.struck.load(Ordering::Acquire)
    }

    /// Connections accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.link.accepted.load(Ordering::Acquire)
    }

    /// How bytes pass from now on, in connections that are there too.
    pub fn flow(&self, flow: Flow) {
        self.link.flow.send_replace(flow);
    }

    /// Breaks every connection there is.
    pub fn break_all(&self, how: Break) {
        self.link
            .breaks
            .send_modify(|last| *last = (last.0 + 1, how));
    }

    /// No fault any more: bytes pass, there is no trap, and what hangs is reset.
    pub fn heal(&self) {
        *lock(&self.link.trap) = None;
        self.flow(Flow::Pass);
        self.link.healed.send_modify(|count| *count += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.break_all(Break::Reset);
        self.heal();
    }
}

async fn accept(listener: TcpListener, link: Arc<Link>) {
    while let Ok((client, _)) = listener.accept().await {
        link.accepted.fetch_add(1, Ordering::AcqRel);
        if *link.flow.borrow() == Flow::Refuse {
            reset(client);
        } else {
            tokio::spawn(serve(client, Arc::clone(&link)));
        }
    }
}

fn reset(stream: TcpStream) {
    // An error means that it is gone already.
    stream.set_zero_linger().ok();
}

async fn serve(mut client: TcpStream, link: Arc<Link>) {
    let mut breaks = link.breaks.subscribe();
    let mut healed = link.healed.subscribe();
    let Ok(mut server) =
        TcpStream::connect(("127.0.0.1", link.target.load(Ordering::Acquire))).await
    else {
        return reset(client);
    };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let how = {
        let phase = Mutex::new(Phase::default());
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let pump = |side, from, to| Pump::new(&link, &phase, side, from, to);
        tokio::select! {
            how = pump(Side::Client, from_client, to_server).run() => how,
            how = pump(Side::Server, from_server, to_client).run() => how,
            // The sender is in `link`, so it is there.
            _ = breaks.changed() => breaks.borrow().1,
        }
    };
    match how {
        Break::Fin => {}
        Break::Reset => {
            reset(client);
            reset(server);
        }
        Break::Ghost => {
            reset(client);
            healed.changed().await.ok();
            reset(server);
        }
        Break::HalfOpen => {
            healed.changed().await.ok();
            reset(client);
            reset(server);
        }
    }
}

impl Link {
    /// Behind how many bytes of this packet the connection ends, if a trap is for it.
    fn strikes(&self, kind: Kind, len: usize) -> Option<(usize, Break)> {
        let mut place = lock(&self.trap);
        let trap = place.as_mut().filter(|trap| trap.kind == kind)?;
        if let Some(less) = trap.skip.checked_sub(1) {
            trap.skip = less;
            return None;
        }
        let Trap { part, how, .. } = *trap;
        *place = None;
        let at = match part {
            Part::Before => 0,
            Part::Within => 1 + lock(&self.rng).below(len.max(2) as u64 - 1) as usize,
            Part::Behind => len,
        };
        Some((at, how))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// A client and a server with a proxy between them, the server's greeting sent and received.
    fn pair() -> (Proxy, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap().port(), 1).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        let mut server = listener.accept().unwrap().0;
        for stream in [&client, &server] {
            stream
                .set_read_timeout(Some(Duration::from_millis(300)))
                .unwrap();
        }
        server.write_all(&packet(0, b"\x0a9.7.0")).unwrap();
        assert_eq!(read(&mut client, 10), packet(0, b"\x0a9.7.0"));
        (proxy, client, server)
    }

    fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![payload.len() as u8, 0, 0, sequence];
        packet.extend_from_slice(payload);
        packet
    }

    fn read(stream: &mut TcpStream, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// What ends a connection: 0 bytes, or an error.
    fn end(stream: &mut TcpStream) -> std::result::Result<usize, ErrorKind> {
        stream.read(&mut [0; 64]).map_err(|error| error.kind())
    }

    fn trap(kind: Kind, part: Part, how: Break) -> Trap {
        Trap {
            kind,
            skip: 1,
            part,
            how,
        }
    }

    #[test]
    fn a_trap_cuts_at_its_packet() {
        for (part, passes) in [
            (Part::Before, 0..1),
            (Part::Within, 1..6),
            (Part::Behind, 6..7),
        ] {
            let (proxy, mut client, mut server) = pair();
            client.write_all(&packet(1, b"login")).unwrap();
            server.write_all(&packet(2, b"\0ok")).unwrap();
            read(&mut client, 7);
            proxy.trap(trap(Kind::Command(3), part, Break::Fin));
            client.write_all(&packet(0, b"\x03a")).unwrap();
            client.write_all(&packet(0, b"\x03b")).unwrap();
            read(&mut server, 4 + 5 + 6);
            let mut rest = Vec::new();
            server.read_to_end(&mut rest).unwrap();
            assert!(passes.contains(&rest.len()), "{part:?}: {rest:?}");
            assert_eq!(end(&mut client), Ok(0));
            assert_eq!(proxy.struck(), 1);
        }
    }

    #[test]
    fn each_break_is_told_to_those_it_says() {
        let silent = Err(ErrorKind::WouldBlock);
        let reset = Err(ErrorKind::ConnectionReset);
        for (how, at_client, at_server) in [
            (Break::Fin, Ok(0), Ok(0)),
            (Break::Reset, reset, reset),
            (Break::Ghost, reset, silent),
            (Break::HalfOpen, silent, silent),
        ] {
            let (proxy, mut client, mut server) = pair();
            proxy.break_all(how);
            assert_eq!(end(&mut client), at_client, "{how:?}");
            assert_eq!(end(&mut server), at_server, "{how:?}");
            proxy.heal();
            if at_server == silent {
                assert_eq!(end(&mut server), reset, "{how:?}");
            }
        }
    }

    #[test]
    fn bytes_that_are_held_up_come_later() {
        let (proxy, mut client, mut server) = pair();
        proxy.flow(Flow::Stall);
        client.write_all(&packet(1, b"login")).unwrap();
        assert_eq!(end(&mut server), Err(ErrorKind::WouldBlock));
        proxy.flow(Flow::Dribble);
        assert_eq!(read(&mut server, 9), packet(1, b"login"));
        proxy.flow(Flow::Refuse);
        let mut other = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        assert_eq!(end(&mut other), Err(ErrorKind::ConnectionReset));
    }
}
