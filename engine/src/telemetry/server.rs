//! `/metrics`, `/healthz` and `/readyz`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::{Condition, Vitals};
use crate::error::Error;

/// What a connection may take altogether: it is for one question.
const ANSWER: Duration = Duration::from_secs(10);

/// Connections at a time.
const CONNECTIONS: usize = 16;

/// What the numbers are written in.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// An address that is listened on.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens. Whoever reaches the address may read all that is there: there is no password.
    ///
    /// # Errors
    /// [`Error::Listen`] when it is taken, or not one of this machine.
    pub async fn bind(address: SocketAddr) -> Result<Self, Error> {
        let listen = |error| Error::Listen {
            address,
            flag: "--metrics-addr",
            error,
        };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        tracing::info!(%address, "metrics are at /metrics");
        if !address.ip().is_loopback() {
            tracing::warn!(
                %address,
                "metrics are open to whoever reaches this address, without a password: let a firewall see to that, \
                 or listen on 127.0.0.1"
            );
        }
        Ok(Self { listener, address })
    }

    /// Where that is; of port 0, the one that was free.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for ever.
    pub async fn serve(self, vitals: Arc<Vitals>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            // Never closed, so never an error.
            let Ok(place) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of file descriptors, or a connection that is gone already.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let vitals = Arc::clone(&vitals);
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let answer = answer(&request, &vitals);
                    async { Ok::<_, Infallible>(answer) }
                });
                let connection = http1::Builder::new()
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                // What a client does wrong is its own affair.
                let _ = timeout(ANSWER, connection).await;
                drop(place);
            });
        }
    }
}

fn answer(request: &Request<Incoming>, vitals: &Vitals) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "GET only");
        answer
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match request.uri().path() {
        "/metrics" => {
            let mut answer = Response::new(Full::from(vitals.render()));
            answer
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
            answer
        }
        // A restart does not bring back a source or an index that is away.
        "/healthz" => probe(vitals, |condition| *condition != Condition::Stalled),
        "/readyz" => probe(vitals, |condition| *condition == Condition::Streaming),
        _ => text(
            StatusCode::NOT_FOUND,
            "there are /metrics, /healthz and /readyz",
        ),
    }
}

fn probe(vitals: &Vitals, is_well: impl Fn(&Condition) -> bool) -> Response<Full<Bytes>> {
    let condition = vitals.condition();
    let status = if is_well(&condition) {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    text(status, &condition.to_string())
}

fn text(status: StatusCode, line: &str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(format!("{line}\n")));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    answer
}
