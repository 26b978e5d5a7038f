//! What `bintrail doctor` finds at a server: before it is registered, and after.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use bintrail_cli::doctor_report::as_json;
use bintrail_engine::doctor::{DoctorOptions, Report, Severity, doctor};
use bintrail_engine::dsn::IndexDsn;
use bintrail_engine::secret::Secret;
use serde_json::Value;

use super::servers::{Given, Registration};
use super::{App, Problem, body, control};
use crate::control::Control;
use crate::control::definition::Definition;
use crate::refusal::Refusal;
use crate::routes;
use crate::store::{Password, Server};

async fn examine(
    index: &IndexDsn,
    definition: &Definition,
    password: &Secret,
) -> Result<Report, String> {
    let args = definition
        .parameters
        .args(&definition.dsn(password.expose()))?;
    let server = args.source.server;
    let options = DoctorOptions {
        index: index.clone(),
        source: server
            .connect_options()
            .map_err(|error| error.to_string())?,
        more_hosts: Vec::new(),
        server_id: None,
        filter: server.keep.filter(),
    };
    Ok(doctor(&options).await)
}

/// Tries a server: connects, and has `bintrail doctor` look at it. Nothing is kept.
///
/// The answer is what `bintrail doctor --format json` prints: `ready` says whether a stream could start.
#[utoipa::path(post, path = "/api/v1/servers/test", tag = "servers", request_body = Registration, responses(
    (status = 200, body = Object, description = "what doctor found"),
    (status = 400, body = Problem, description = "the body is no JSON, or says what cannot be"),
    (status = 415, body = Problem),
    (status = 422, body = Problem, description = "the body is not of the schema"),
    (status = 429, body = Problem, description = "other servers are being tried"),
))]
pub(crate) async fn test(
    State(app): App,
    json: Result<Json<Registration>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let control = Arc::clone(control(&app)?);
    let (server_id, definition, given) = body(json)?.split()?;
    let Ok(_place) = app.trials.try_acquire() else {
        return Err(Refusal::busy("other servers are being tried: try again", 2));
    };
    let password = match given {
        None => Secret::default(),
        Some(Given::Text(text)) => Secret::new(text),
        Some(given) => {
            let password = given.keep(&control, &server_id)?;
            let password = control.streams.password(&server_id, &password);
            password.map_err(|error| Refusal::bad(error.to_string()))?
        }
    };
    let report = examine(&app.index, &definition, &password).await;
    report
        .map(|report| Json(as_json(&report)))
        .map_err(Refusal::bad)
}

/// Has doctor look at a server that is registered, and keeps what stands in the way of its stream.
pub(crate) fn check(app: &Arc<routes::State>, control: &Arc<Control>, server: Server) {
    let (app, control) = (Arc::clone(app), Arc::clone(control));
    let id = server.server_id.clone();
    control
        .checking
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id.clone());
    tokio::spawn(async move {
        // They wait for each other: there are never many.
        let place = app.trials.acquire().await;
        let error = match password_of(&control, &server) {
            Ok(password) => match examine(&app.index, &server.definition, &password).await {
                Ok(report) => first_error(&report),
                Err(error) => Some(error),
            },
            Err(error) => Some(error),
        };
        drop(place);
        if let Err(error) = control.streams.store.checked(&server, error.as_deref()) {
            tracing::warn!(%error, server_id = id, "what doctor found is not kept");
        }
        control
            .checking
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    });
}

fn password_of(control: &Control, server: &Server) -> Result<Secret, String> {
    match &server.password {
        Password::None => Ok(Secret::default()),
        password => control
            .streams
            .password(&server.server_id, password)
            .map_err(|error| error.to_string()),
    }
}

fn first_error(report: &Report) -> Option<String> {
    let parts = report.sources.iter().chain([&report.index]);
    parts
        .flat_map(|part| &part.findings)
        .find(|finding| finding.severity == Severity::Error)
        .map(|finding| format!("{}: {finding}", finding.check))
}
