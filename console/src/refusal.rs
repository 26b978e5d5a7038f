//! Why a request is not answered as it asks.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bintrail_engine::Error;
use bintrail_engine::index::{ErrorKind, IndexError};

use crate::api::Problem;

/// A status and one line.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    line: String,
    retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, line: impl Into<String>) -> Self {
        Self {
            status,
            line: line.into(),
            retry_after: None,
        }
    }

    pub(crate) fn bad(line: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, line)
    }

    pub(crate) fn busy(line: impl Into<String>, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, line)
        }
    }

    /// The index's own error.
    pub(crate) fn index(error: &IndexError) -> Self {
        if error.kind() == ErrorKind::NoSuchColumn {
            return Self::bad(
                "no table asked about has had such a column: names are those in the changes shown",
            );
        }
        tracing::warn!(%error, "the index");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, format!("index: {error}"))
    }

    /// The console's own fault, or its surroundings'.
    pub(crate) fn internal(error: Error) -> Self {
        tracing::error!(%error, "a request fails");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }

    /// The store's, which is not for everybody to read.
    pub(crate) fn store(error: Error) -> Self {
        tracing::error!(%error, "the console's store");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the console cannot read its store: its log says why",
        )
    }

    pub(crate) fn line(&self) -> &str {
        &self.line
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Problem { error: self.line })).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
