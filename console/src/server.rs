//! Connections: each has its own task, and there are never too many.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use bintrail_engine::Error;
use bintrail_engine::tls;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Connections at a time. A browser keeps up to six.
const CONNECTIONS: usize = 256;

/// What a client may take to shake hands, and to send a request's head.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest head of a request.
const MOST_HEAD: usize = 32 * 1024;

/// What answers under way may take when the console is to stop.
const FAREWELL: Duration = Duration::from_secs(3);

/// TLS for those who connect, where there is a certificate.
pub(crate) fn tls(cert: Option<&Path>, key: Option<&Path>) -> Result<Option<TlsAcceptor>, Error> {
    let (Some(cert), Some(key)) = (cert, key) else {
        return Ok(None);
    };
    let config = tls::server_config(cert, key)
        .map_err(|error| Error::Usage(format!("--tls-cert, --tls-key: {error}")))?;
    Ok(Some(TlsAcceptor::from(config)))
}

pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Error::Listen {
            address,
            flag: "--listen",
            error,
        })
}

/// Where that is; of port 0, the one that was free.
pub(crate) fn address(listener: &TcpListener) -> Result<SocketAddr, Error> {
    listener
        .local_addr()
        .map_err(|error| Error::Internal(error.to_string()))
}

/// Answers until it is to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // Never closed, so never an error.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, or a connection that is gone already.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (router, tls, stop) = (router.clone(), tls.clone(), stop.clone());
        connections.spawn(async move {
            match tls {
                None => answer(stream, peer, router, stop).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
                        answer(stream, peer, router, stop).await;
                    }
                }
            }
            drop(place);
        });
    }
    let _ = timeout(FAREWELL, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

/// Answers the requests of one connection.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let pages = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        pages.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // What a client does wrong is its own affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
