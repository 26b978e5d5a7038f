//! How the streams are: once, or as it changes.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::Problem;
use crate::guard::Who;
use crate::live::Seen;
use crate::routes;

/// The document of `bintrail status --format json`, read within the last 2 seconds.
#[utoipa::path(get, path = "/api/v1/status", tag = "index", responses(
    (status = 200, body = Object),
    (status = 503, body = Problem, description = "the index cannot be read"),
))]
pub(crate) async fn status(State(app): State<Arc<routes::State>>) -> Response {
    let (status, json) = match app.live.fresh().await {
        Seen::Report(json) => (StatusCode::OK, json),
        Seen::Trouble(json) => (StatusCode::SERVICE_UNAVAILABLE, json),
    };
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], json.to_string()).into_response()
}

/// Server-sent events, as it changes: `history` once, then `status` or `trouble` at each look at the index.
#[utoipa::path(get, path = "/api/v1/live", tag = "index", responses(
    (status = 200, body = String, content_type = "text/event-stream"),
))]
pub(crate) async fn live(
    State(app): State<Arc<routes::State>>,
    Extension(who): Extension<Who>,
) -> impl IntoResponse {
    let follower = app.live.follow();
    let first = Some(Event::default().event("history").data(app.live.history()));
    let events = stream::unfold(
        (app, who, follower, first),
        |(app, who, mut follower, first)| async {
            let event = match first {
                Some(event) => event,
                None => {
                    let seen = follower.next().await?;
                    // Who has logged out sees no more.
                    if let Who::Session(session) = &who
                        && !app.auth.sessions.holds(session)
                    {
                        return None;
                    }
                    match seen {
                        Seen::Report(json) => Event::default().event("status").data(&*json),
                        Seen::Trouble(json) => Event::default().event("trouble").data(&*json),
                    }
                }
            };
            Some((Ok::<_, Infallible>(event), (app, who, follower, None)))
        },
    );
    Sse::new(events).keep_alive(KeepAlive::default())
}
