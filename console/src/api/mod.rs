//! What programs ask for, and what the pages' scripts do.

pub(crate) mod audit;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod onboarding;
pub(crate) mod openapi;
mod question;
pub(crate) mod schema;
pub(crate) mod servers;
pub(crate) mod status;
pub(crate) mod stream;
pub(crate) mod tokens;
pub(crate) mod trial;
pub(crate) mod view;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use bintrail_engine::Error;
use serde::Serialize;
use utoipa::ToSchema;

use crate::control::Control;
use crate::refusal::Refusal;
use crate::routes;

type App = State<Arc<routes::State>>;
type Peer = ConnectInfo<SocketAddr>;

/// Why a request is not answered as it asks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// One line: what is wrong, and what to do.
    pub(crate) error: String,
}

/// The control plane, where there is one.
fn control(app: &routes::State) -> Result<&Arc<Control>, Refusal> {
    app.control.as_ref().ok_or_else(|| {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "this console only looks: start it with --control to register servers",
        )
    })
}

fn body<T>(json: Result<Json<T>, JsonRejection>) -> Result<T, Refusal> {
    let Json(body) = json.map_err(|error| Refusal::new(error.status(), error.body_text()))?;
    Ok(body)
}

/// Does what waits for files and processes, where nobody else waits for it.
async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(what).await;
    done.map_err(|error| Refusal::internal(Error::Internal(error.to_string())))?
}
