//! A server's stream: started, stopped and looked at.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Extension, Path, State};
use bintrail_engine::clock::rfc3339;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use super::servers::{done, find, id};
use super::{App, Peer, Problem, blocking, control};
use crate::control::Control;
use crate::control::supervisor::StreamState;
use crate::guard::Who;
use crate::live::Seen;
use crate::refusal::Refusal;
use crate::routes;
use crate::store::Server;

/// How long a start or a stop is waited for: the answer says how it is then.
const PATIENCE: Duration = Duration::from_secs(3);

/// A server's stream, as its supervisor sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StreamView {
    server_id: String,
    /// It is to run.
    wanted: bool,
    pub(crate) state: StreamState,
    /// What keeps it: `process` or `systemd`.
    supervisor: &'static str,
    pid: Option<u32>,
    /// When that process was started.
    #[schema(format = DateTime)]
    pub(crate) since: Option<String>,
    /// How often it was started again by itself.
    pub(crate) restarts: i64,
    /// How its last process ended.
    pub(crate) last_exit: Option<String>,
    /// What that one said last.
    pub(crate) last_error: Option<String>,
}

/// What is to be said of a server, by its stream and by the index.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatusView {
    pub(crate) server_id: String,
    /// A verdict of `bintrail status`, or `starting`, `stopped`, `crash_looping` or `failed` of its supervisor.
    pub(crate) verdict: String,
    /// The state that `bintrail status` has, or the same as `verdict` where that is the supervisor's.
    pub(crate) state: String,
    detail: String,
    next_step: Option<String>,
    pub(crate) stream: StreamView,
    /// What `bintrail status --format json` has of the source, once it is in the index.
    #[schema(value_type = Option<Object>)]
    pub(crate) source: Option<Value>,
}

pub(crate) fn stream_view(control: &Control, server: &Server) -> Result<StreamView, Refusal> {
    let sight = control.supervisor.look(server).map_err(Refusal::internal)?;
    Ok(StreamView {
        server_id: server.server_id.clone(),
        wanted: server.wanted,
        state: sight.state,
        supervisor: control.supervisor.name(),
        pid: sight.pid,
        since: sight.since.map(rfc3339),
        restarts: sight.restarts,
        last_exit: sight.last_exit,
        last_error: sight.last_error,
    })
}

/// What the index says; the line of why it cannot be read.
pub(crate) async fn report(app: &routes::State) -> Result<Value, String> {
    let (json, read) = match app.live.fresh().await {
        Seen::Report(json) => (json, true),
        Seen::Trouble(json) => (json, false),
    };
    let said: Value = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    if read {
        return Ok(said);
    }
    let line = said.get("error").and_then(Value::as_str);
    Err(line.unwrap_or("the index cannot be read").to_owned())
}

/// What it has of a server: the source that was read from its host and port.
fn source_in(report: &Value, server: &Server) -> Option<Value> {
    let mut sources = report.get("sources").and_then(Value::as_array)?.iter();
    let (host, port) = (&*server.definition.host, server.definition.port);
    let found = sources.find(|source| {
        source.pointer("/source/host").and_then(Value::as_str) == Some(host)
            && source.pointer("/source/port").and_then(Value::as_u64) == Some(port.into())
    });
    found.cloned()
}

/// What the index has of a server.
pub(crate) async fn source_of(
    app: &routes::State,
    server: &Server,
) -> Result<Option<Value>, String> {
    Ok(source_in(&report(app).await?, server))
}

/// What is to be said.
pub(crate) fn judge(
    server: &Server,
    stream: StreamView,
    source: Result<Option<Value>, String>,
) -> StatusView {
    let say = |verdict: &str, detail: String, next: Option<&str>| {
        (verdict.to_owned(), detail, next.map(str::to_owned))
    };
    let last = stream
        .last_error
        .clone()
        .or_else(|| stream.last_exit.clone());
    let last = last.unwrap_or_default();
    let mut known = None;
    let (verdict, detail, next_step) = match (stream.state, &source) {
        _ if server.decommissioned_at.is_some() => say(
            "decommissioned",
            "the server was decommissioned".to_owned(),
            None,
        ),
        (StreamState::CrashLooping, _) => say(
            "crash_looping",
            format!("the stream ends again and again soon after its start: {last}"),
            Some("mend what it says, then start it"),
        ),
        (StreamState::Failed, _) => say(
            "failed",
            format!("the stream ended with what a restart does not mend: {last}"),
            Some("mend what it says, then start it"),
        ),
        (StreamState::Stopped | StreamState::Stopping, _) => say(
            "stopped",
            "the stream was stopped, or never started".to_owned(),
            Some("start it"),
        ),
        (_, Err(error)) => say(
            "index_down",
            error.clone(),
            Some("see that the index can be reached"),
        ),
        (_, Ok(Some(found))) => {
            let text = |name: &str| {
                let found = found.pointer(&format!("/findings/0/{name}"));
                found.and_then(Value::as_str).map(str::to_owned)
            };
            match (text("verdict"), stream.state) {
                // The index may not have noticed yet.
                (_, StreamState::Restarting) => say(
                    "starting",
                    format!("the stream has ended, and is started again: {last}"),
                    None,
                ),
                // The stream has its process, but no lock yet.
                (Some(verdict), _) if verdict == "stopped" => say(
                    "starting",
                    format!("the stream is started, and has not begun yet: {last}"),
                    None,
                ),
                (verdict, _) => {
                    known = text("state");
                    (
                        verdict.unwrap_or_default(),
                        text("detail").unwrap_or_default(),
                        text("next_step"),
                    )
                }
            }
        }
        (_, Ok(None)) => say(
            "starting",
            format!("the index has nothing of the source yet. {last}")
                .trim()
                .to_owned(),
            None,
        ),
    };
    StatusView {
        server_id: server.server_id.clone(),
        state: known.unwrap_or_else(|| verdict.clone()),
        verdict,
        detail,
        next_step,
        stream,
        source: source.ok().flatten(),
    }
}

/// Starts a server's stream, or tries it again at once.
#[utoipa::path(post, path = "/api/v1/servers/{server_id}/stream/start", tag = "streams", params(
    ("server_id" = String, Path)
), responses(
    (status = 200, body = StreamView, description = "how it is 3 seconds later at the latest"),
    (status = 400, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "the server was decommissioned"),
))]
pub(crate) async fn start(
    State(app): App,
    ConnectInfo(peer): Peer,
    Extension(who): Extension<Who>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<StreamView>, Refusal> {
    switch(&app, &who.act(peer, "start_stream"), &id(path)?, true).await
}

/// Stops a server's stream: it finishes what is under way.
#[utoipa::path(post, path = "/api/v1/servers/{server_id}/stream/stop", tag = "streams", params(
    ("server_id" = String, Path)
), responses(
    (status = 200, body = StreamView, description = "how it is 3 seconds later at the latest"),
    (status = 400, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "the server was decommissioned"),
))]
pub(crate) async fn stop(
    State(app): App,
    ConnectInfo(peer): Peer,
    Extension(who): Extension<Who>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<StreamView>, Refusal> {
    switch(&app, &who.act(peer, "stop_stream"), &id(path)?, false).await
}

async fn switch(
    app: &routes::State,
    act: &crate::store::Act,
    server_id: &str,
    on: bool,
) -> Result<Json<StreamView>, Refusal> {
    let control = Arc::clone(control(app)?);
    let (id, act) = (server_id.to_owned(), act.clone());
    let asked = Arc::clone(&control);
    blocking(move || {
        let was = find(&asked, &id)?;
        let state = asked
            .supervisor
            .look(&was)
            .map_err(Refusal::internal)?
            .state;
        let already = match on {
            true => matches!(state, StreamState::Running | StreamState::Starting),
            false => matches!(state, StreamState::Stopped | StreamState::Stopping),
        };
        if was.wanted == on && already && was.decommissioned_at.is_none() {
            return Ok(());
        }
        let wanted = asked.streams.store.want(&id, on, &act);
        done(wanted.map_err(Refusal::store)?)?;
        let server = find(&asked, &id)?;
        let applied = asked.supervisor.apply(&server, on);
        applied.map_err(Refusal::internal)
    })
    .await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let seen = look(Arc::clone(&control), server_id.to_owned()).await?;
        let settled = match on {
            true => !matches!(seen.state, StreamState::Starting | StreamState::Stopping),
            false => seen.state == StreamState::Stopped,
        };
        if settled || Instant::now() >= until {
            return Ok(Json(seen));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn look(control: Arc<Control>, server_id: String) -> Result<StreamView, Refusal> {
    blocking(move || {
        let server = find(&control, &server_id)?;
        stream_view(&control, &server)
    })
    .await
}

/// A server's stream, as its supervisor sees it.
#[utoipa::path(get, path = "/api/v1/servers/{server_id}/stream", tag = "streams", params(
    ("server_id" = String, Path)
), responses(
    (status = 200, body = StreamView),
    (status = 400, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn stream(
    State(app): App,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<StreamView>, Refusal> {
    let control = Arc::clone(control(&app)?);
    look(control, id(path)?).await.map(Json)
}

/// How a server is, by its stream and by the index.
#[utoipa::path(get, path = "/api/v1/servers/{server_id}/status", tag = "streams", params(
    ("server_id" = String, Path)
), responses(
    (status = 200, body = StatusView),
    (status = 400, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn status(
    State(app): App,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<StatusView>, Refusal> {
    let (server, stream) = both(&app, id(path)?).await?;
    let source = source_of(&app, &server).await;
    Ok(Json(judge(&server, stream, source)))
}

/// How each server is that was not decommissioned, by what the index says.
pub(crate) async fn statuses(
    app: &routes::State,
    report: Result<Value, String>,
) -> Result<Vec<StatusView>, Refusal> {
    let control = Arc::clone(control(app)?);
    blocking(move || {
        let servers = control.streams.store.servers(false);
        let views = servers.map_err(Refusal::store)?.into_iter().map(|server| {
            let stream = stream_view(&control, &server)?;
            let report = report.as_ref().map_err(Clone::clone);
            let source = report.map(|report| source_in(report, &server));
            Ok(judge(&server, stream, source))
        });
        views.collect()
    })
    .await
}

/// A server, and how its stream is.
pub(crate) async fn both(
    app: &routes::State,
    server_id: String,
) -> Result<(Server, StreamView), Refusal> {
    let control = Arc::clone(control(app)?);
    blocking(move || {
        let server = find(&control, &server_id)?;
        let stream = stream_view(&control, &server)?;
        Ok((server, stream))
    })
    .await
}
