//! Which path leads where.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};
use bintrail_engine::Error;
use bintrail_engine::dsn::IndexDsn;
use tokio::sync::Semaphore;

use crate::auth::{Auth, Credentials, handlers};
use crate::control::Control;
use crate::doors::{Doors, Names};
use crate::guard::{self, MOST_BODY};
use crate::live::Live;
use crate::refusal::Refusal;
use crate::store::Store;
use crate::{api, assets, metrics, pages, random};

/// Searches at a time, exports, and servers that are tried.
const SEARCHES: usize = 4;
const EXPORTS: usize = 2;
const TRIALS: usize = 2;

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) index: IndexDsn,
    pub(crate) live: Live,
    pub(crate) auth: Auth,
    pub(crate) store: Arc<Store>,
    /// With `--control`.
    pub(crate) control: Option<Arc<Control>>,
    pub(crate) names: Names,
    pub(crate) tls: bool,
    pub(crate) open_metrics: bool,
    pub(crate) trials: Arc<Semaphore>,
    pub(crate) searches: Arc<Semaphore>,
    pub(crate) exports: Arc<Semaphore>,
}

impl State {
    pub(crate) fn new(
        index: IndexDsn,
        live: Live,
        credentials: Credentials,
        store: Arc<Store>,
        control: Option<Arc<Control>>,
        doors: Doors,
    ) -> Result<Arc<Self>, Error> {
        let setup = if credentials.is_set() {
            None
        } else {
            Some(random::text()?)
        };
        Ok(Arc::new(Self {
            index,
            live,
            auth: Auth::new(credentials, setup),
            store,
            control,
            names: doors.names,
            tls: doors.tls,
            open_metrics: doors.open_metrics,
            trials: Arc::new(Semaphore::new(TRIALS)),
            searches: Arc::new(Semaphore::new(SEARCHES)),
            exports: Arc::new(Semaphore::new(EXPORTS)),
        }))
    }
}

pub(crate) fn router(state: Arc<State>) -> Router {
    let entered = Router::new()
        .route("/", get(pages::streams))
        .route("/changes", get(pages::changes))
        .route("/schema", get(pages::schema))
        .route("/servers", get(pages::servers))
        .route("/tokens", get(pages::tokens))
        .route("/logout", post(handlers::logout))
        .route("/api/v1/status", get(api::status::status))
        .route("/api/v1/live", get(api::status::live))
        .route("/api/v1/events", get(api::events::events))
        .route("/api/v1/events/export", get(api::export::export))
        .route("/api/v1/schema-changes", get(api::schema::schema_changes))
        .route("/api/v1/tables", get(api::schema::tables))
        .route("/api/v1/openapi.json", get(api::openapi::document))
        .route("/api/v1/audit", get(api::audit::audit))
        .route(
            "/api/v1/tokens",
            get(api::tokens::list).post(api::tokens::create),
        )
        .route("/api/v1/tokens/{token_id}", delete(api::tokens::revoke))
        .route(
            "/api/v1/servers",
            get(api::servers::list).post(api::servers::register),
        )
        .route("/api/v1/servers/test", post(api::trial::test))
        .route(
            "/api/v1/servers/{server_id}",
            get(api::servers::show)
                .patch(api::servers::change)
                .delete(api::servers::decommission),
        )
        .route(
            "/api/v1/servers/{server_id}/onboarding-status",
            get(api::onboarding::onboarding),
        )
        .route(
            "/api/v1/servers/{server_id}/stream",
            get(api::stream::stream),
        )
        .route(
            "/api/v1/servers/{server_id}/stream/start",
            post(api::stream::start),
        )
        .route(
            "/api/v1/servers/{server_id}/stream/stop",
            post(api::stream::stop),
        )
        .route(
            "/api/v1/servers/{server_id}/status",
            get(api::stream::status),
        )
        .route("/view/changes", get(api::view::changes));
    let numbers = Router::new().route("/metrics", get(metrics::metrics));
    let (entered, numbers) = match state.open_metrics {
        true => (entered, numbers),
        false => (entered.merge(numbers), Router::new()),
    };
    let entered = entered.route_layer(from_fn_with_state(Arc::clone(&state), guard::entered));
    let open = Router::new()
        .route("/login", get(handlers::login_page).post(handlers::login))
        .route("/setup", get(handlers::setup_page).post(handlers::setup))
        .route("/healthz", get(pages::health))
        .route("/assets/{name}", get(assets::serve));
    entered
        .merge(numbers)
        .merge(open)
        .method_not_allowed_fallback(|| async {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "not by this method")
        })
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "there is no such page") })
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(from_fn_with_state(Arc::clone(&state), guard::all))
        .with_state(state)
}
