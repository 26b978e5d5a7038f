//! How the streams are: once, or as it changes.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use crate::guard::Who;
use crate::live::Seen;
use crate::routes;

/// The document of `bintrail status --format json`.
pub(crate) async fn status(State(app): State<Arc<routes::State>>) -> Response {
    let (status, json) = match app.live.fresh().await {
        Seen::Report(json) => (StatusCode::OK, json),
        Seen::Trouble(json) => (StatusCode::SERVICE_UNAVAILABLE, json),
    };
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], json.to_string()).into_response()
}

/// Server-sent events: `history` once, then `status` or `trouble` at each look at the index.
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
