//! The byte stream under a connection: TCP, and TLS over it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Error;
use crate::tls::SslMode;

/// How long a connection may be quiet before the kernel asks whether the peer is still there, and how often it
/// asks again.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// How long the peer may leave what was sent unacknowledged before the connection counts as broken: a
/// question on a dead link fails after this, however long its answer might take.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Connects to the first of the host's addresses that answers, all within `limit`.
    pub(super) async fn connect(host: &str, port: u16, limit: Duration) -> Result<Self, Error> {
        let started = Instant::now();
        let unreachable = |cause| Error::Unreachable {
            address: format!("{host}:{port}"),
            cause,
        };
        let unknown = |cause| Error::UnknownHost {
            host: host.to_owned(),
            cause,
        };
        let addresses: Vec<_> = timeout(limit, tokio::net::lookup_host((host, port)))
            .await
            .map_err(|_| unknown(io::ErrorKind::TimedOut.into()))?
            .map_err(unknown)?
            .collect();
        let mut cause = io::Error::from(io::ErrorKind::NotFound);
        for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
            // A share of the time each, so that one silent address leaves some for the next.
            let share =
                limit.saturating_sub(started.elapsed()) / u32::try_from(left).unwrap_or(u32::MAX);
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    tune(&stream).map_err(unreachable)?;
                    return Ok(Self::Plain(stream));
                }
                Ok(Err(error)) => cause = error,
                Err(_) => cause = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(unreachable(cause))
    }

    /// Starts TLS as `host`'s client.
    pub(super) async fn start_tls(
        self,
        host: &str,
        mode: SslMode,
        config: Arc<ClientConfig>,
    ) -> Result<Self, Error> {
        let Self::Plain(stream) = self else {
            return Ok(self);
        };
        let name = match ServerName::try_from(host.to_owned()) {
            Ok(name) => name,
            // Not every name that resolves is one that a certificate can have (an underscore at an end, a zone id).
            Err(_) if mode == SslMode::VerifyIdentity => {
                return Err(Error::TlsFailed(format!(
                    "no certificate can be for {host}: connect by another name, or set ssl-mode=verify-ca"
                )));
            }
            Err(_) => stream.peer_addr().map_err(Error::Lost)?.ip().into(),
        };
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(Error::in_handshake)?;
        Ok(Self::Tls(Box::new(stream)))
    }
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE);
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    socket.set_tcp_keepalive(&keepalive)
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
