//! How far a new server has come.

use std::sync::PoisonError;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use bintrail_engine::clock::rfc3339;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::servers::id;
use super::stream::{StreamView, both, source_of};
use super::{App, Problem, control};
use crate::control::supervisor::StreamState;
use crate::refusal::Refusal;
use crate::store::Server;

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StepState {
    Done,
    /// It is under way.
    Running,
    Failed,
    /// It has not begun: the one before is not done, or the stream is to be started.
    Pending,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Step {
    /// `registered`; `checked`, by doctor; `started`, its stream; `connected`, the stream to the source; `indexed`: the first
    /// checkpoint is saved.
    step: &'static str,
    state: StepState,
    /// When it came to that, where it is known.
    #[schema(format = DateTime)]
    at: Option<String>,
    error: Option<String>,
}

/// The way of a server from its registration to the first checkpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Onboarding {
    server_id: String,
    /// Of the first step that is not done; `done` when all are.
    state: StepState,
    steps: Vec<Step>,
}

/// How far a server has come on its way to the first checkpoint.
#[utoipa::path(get, path = "/api/v1/servers/{server_id}/onboarding-status", tag = "servers", params(
    ("server_id" = String, Path)
), responses(
    (status = 200, body = Onboarding),
    (status = 400, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn onboarding(
    State(app): App,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Onboarding>, Refusal> {
    let (server, stream) = both(&app, id(path)?).await?;
    let checking = control(&app)?
        .checking
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .contains(&server.server_id);
    let source = source_of(&app, &server).await;
    let steps = steps(&server, checking, &stream, &source);
    let state = steps
        .iter()
        .map(|step| step.state)
        .find(|state| *state != StepState::Done)
        .unwrap_or(StepState::Done);
    Ok(Json(Onboarding {
        server_id: server.server_id,
        state,
        steps,
    }))
}

fn steps(
    server: &Server,
    checking: bool,
    stream: &StreamView,
    source: &Result<Option<Value>, String>,
) -> Vec<Step> {
    let step = |step, state, at: Option<String>, error: Option<String>| Step {
        step,
        state,
        at,
        error,
    };
    let checked = match &server.check {
        _ if checking => step("checked", StepState::Running, None, None),
        None => step("checked", StepState::Pending, None, None),
        Some(check) => {
            let state = match check.error {
                None => StepState::Done,
                Some(_) => StepState::Failed,
            };
            step(
                "checked",
                state,
                Some(rfc3339(check.at)),
                check.error.clone(),
            )
        }
    };
    let runs = stream.state == StreamState::Running;
    let started = match stream.state {
        StreamState::Running => step("started", StepState::Done, stream.since.clone(), None),
        StreamState::Stopped | StreamState::Stopping => {
            step("started", StepState::Pending, None, None)
        }
        StreamState::Starting => step("started", StepState::Running, None, None),
        StreamState::Restarting | StreamState::CrashLooping | StreamState::Failed => {
            let error = stream
                .last_error
                .clone()
                .or_else(|| stream.last_exit.clone());
            step("started", StepState::Failed, None, error)
        }
    };
    let text = |pointer: &str| {
        let found = source.as_ref().ok()?.as_ref()?.pointer(pointer)?;
        found.as_str().map(str::to_owned)
    };
    let state = text("/stream/state");
    let connected = match (runs, source) {
        (false, _) => step("connected", StepState::Pending, None, None),
        (true, Err(error)) => step("connected", StepState::Failed, None, Some(error.clone())),
        (true, Ok(_)) => match state.as_deref() {
            Some("waiting" | "stalled") => step(
                "connected",
                StepState::Failed,
                None,
                text("/stream/last_error"),
            ),
            Some("streaming") => step(
                "connected",
                StepState::Done,
                text("/stream/streaming_since"),
                None,
            ),
            _ => step("connected", StepState::Running, None, None),
        },
    };
    let saved = text("/stream/last_checkpoint");
    let indexed = match (connected.state, saved) {
        (_, Some(at)) => step("indexed", StepState::Done, Some(at), None),
        (StepState::Done, None) => step("indexed", StepState::Running, None, None),
        (_, None) => step("indexed", StepState::Pending, None, None),
    };
    let registered = Some(rfc3339(server.created_at));
    vec![
        step("registered", StepState::Done, registered, None),
        checked,
        started,
        connected,
        indexed,
    ]
}
