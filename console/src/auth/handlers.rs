//! Setting the first password, logging in and out.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{ConnectInfo, Extension, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Auth, password};
use crate::guard::Who;
use crate::pages;
use crate::refusal::Refusal;
use crate::routes;

/// The cookie. Over TLS its name has the browser refuse it from anything but this very host.
pub(crate) const fn cookie_name(tls: bool) -> &'static str {
    if tls {
        "__Host-bintrail_session"
    } else {
        "bintrail_session"
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct SetupLink {
    token: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SetupForm {
    token: String,
    password: String,
    again: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LoginForm {
    password: String,
}

type App = State<Arc<routes::State>>;
type Peer = ConnectInfo<SocketAddr>;

pub(crate) async fn login_page(State(app): App) -> Result<Response, Refusal> {
    if app.auth.wants_setup().map_err(Refusal::store)? {
        return Ok(pages::needs_setup().into_response());
    }
    Ok(pages::login(None).into_response())
}

pub(crate) async fn setup_page(
    State(app): App,
    link: Result<Query<SetupLink>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(link) = link.map_err(|error| Refusal::bad(error.body_text()))?;
    if !app.auth.wants_setup().map_err(Refusal::store)? {
        return Ok(to("/login"));
    }
    Ok(match link.token {
        Some(token) if app.auth.is_setup_token(&token) => {
            pages::setup(&token, None).into_response()
        }
        _ => (StatusCode::FORBIDDEN, pages::needs_setup()).into_response(),
    })
}

pub(crate) async fn setup(
    State(app): App,
    ConnectInfo(peer): Peer,
    form: Result<Form<SetupForm>, FormRejection>,
) -> Result<Response, Refusal> {
    let form = form_of(form)?;
    attempt(&app.auth, peer.ip())?;
    if !app.auth.is_setup_token(&form.token) {
        tracing::warn!(peer = %peer.ip(), "a wrong setup token");
        return Ok((StatusCode::FORBIDDEN, pages::needs_setup()).into_response());
    }
    app.auth.throttle.succeeded(peer.ip());
    if !app.auth.wants_setup().map_err(Refusal::store)? {
        return Ok(to("/login"));
    }
    if let Err(problem) = password::judge(&form.password, &form.again) {
        let page = pages::setup(&form.token, Some(&problem));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    if !app
        .auth
        .set_password(form.password, peer.ip())
        .await
        .map_err(Refusal::store)?
    {
        return Ok(to("/login"));
    }
    tracing::info!(peer = %peer.ip(), "the operator's password is set");
    enter(&app)
}

pub(crate) async fn login(
    State(app): App,
    ConnectInfo(peer): Peer,
    form: Result<Form<LoginForm>, FormRejection>,
) -> Result<Response, Refusal> {
    let form = form_of(form)?;
    if form.password.len() > password::LONGEST {
        return Err(Refusal::bad("no password is that long"));
    }
    if let Err(refusal) = attempt(&app.auth, peer.ip()) {
        let status = refusal.status();
        let page = pages::login(Some(refusal.line())).into_response();
        let mut response = refusal.into_response();
        // The page of a browser, with the header of the refusal.
        let retry_after = response.headers_mut().remove(header::RETRY_AFTER);
        let mut response = (status, page).into_response();
        if let Some(value) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        return Ok(response);
    }
    if !app
        .auth
        .is_password(form.password)
        .await
        .map_err(Refusal::store)?
    {
        tracing::warn!(peer = %peer.ip(), "a wrong password");
        let page = pages::login(Some("That is not the password."));
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    }
    app.auth.throttle.succeeded(peer.ip());
    tracing::info!(peer = %peer.ip(), "logged in");
    enter(&app)
}

pub(crate) async fn logout(
    State(app): App,
    ConnectInfo(peer): Peer,
    Extension(who): Extension<Who>,
) -> Response {
    if let Who::Session(session) = who {
        app.auth.sessions.end(&session);
        tracing::info!(peer = %peer.ip(), "logged out");
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(response.headers_mut(), app.tls, "", 0);
    response
}

fn attempt(auth: &Auth, from: IpAddr) -> Result<(), Refusal> {
    auth.throttle
        .attempt(from, Instant::now())
        .map_err(|seconds| {
            tracing::warn!(peer = %from, "too many wrong passwords");
            Refusal::busy(
                format!("Too many wrong passwords: try again in {seconds} s."),
                seconds,
            )
        })
}

/// Begins a session.
fn enter(app: &routes::State) -> Result<Response, Refusal> {
    let token = app.auth.sessions.begin().map_err(Refusal::store)?;
    let mut response = to("/");
    set_cookie(response.headers_mut(), app.tls, &token, 30 * 24 * 3_600);
    Ok(response)
}

fn set_cookie(headers: &mut HeaderMap, tls: bool, value: &str, seconds: u32) {
    let cookie = format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{}",
        cookie_name(tls),
        if tls { "; Secure" } else { "" }
    );
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.insert(header::SET_COOKIE, cookie);
    }
}

/// Has the browser go there with a GET.
pub(crate) fn to(path: &'static str) -> Response {
    (
        StatusCode::SEE_OTHER,
        [(header::LOCATION, HeaderValue::from_static(path))],
    )
        .into_response()
}

fn form_of<T>(form: Result<Form<T>, FormRejection>) -> Result<T, Refusal> {
    let Form(form) = form.map_err(|error| Refusal::new(error.status(), error.body_text()))?;
    Ok(form)
}
