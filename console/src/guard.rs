//! What every request has to pass, and what every answer carries.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::auth::Session;
use crate::auth::handlers::{cookie_name, to};
use crate::refusal::Refusal;
use crate::routes;
use crate::store::{Act, ApiToken, Scope};

/// The largest body: the forms are much smaller.
pub(crate) const MOST_BODY: usize = 16 * 1024;

/// The header that has a session's [CSRF token](Session::csrf).
const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Nothing but what comes from here, and no script or style within a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    /// The operator, in a browser.
    Session(Session),
    /// A program with the token of `--token-file`: the operator's, too.
    Token,
    /// A program with a token that the operator made.
    Api(ApiToken),
}

impl Who {
    /// As the audit log names them.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Session(_) => "operator".to_owned(),
            Self::Token => "token-file".to_owned(),
            Self::Api(token) => format!("token {} ({})", token.token_id, token.name),
        }
    }

    /// A change that they make.
    pub(crate) fn act(&self, peer: SocketAddr, action: &'static str) -> Act {
        Act::new(self.name(), peer.ip(), action)
    }

    /// Tokens are the operator's: one that could make another would be as good as all of them.
    pub(crate) fn operator(&self) -> Result<(), Refusal> {
        match self {
            Self::Session(_) | Self::Token => Ok(()),
            Self::Api(_) => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "only the operator may do this: with a session, or the token of --token-file",
            )),
        }
    }

    /// May they do what is done by this method?
    fn may(&self, method: &Method) -> Result<(), Refusal> {
        let Self::Api(token) = self else {
            return Ok(());
        };
        let (scope, name) = match *method {
            _ if is_safe(method) => (Scope::Read, "read"),
            Method::DELETE => (Scope::Delete, "delete"),
            _ => (Scope::Write, "write"),
        };
        if token.scopes.contains(&scope) {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::FORBIDDEN,
            format!("the token lacks the scope {name}"),
        ))
    }
}

/// Before all else, and after: every route, also those that there are not.
pub(crate) async fn all(
    State(app): State<Arc<routes::State>>,
    request: Request,
    next: Next,
) -> Response {
    let cached = request.uri().path().starts_with("/assets/");
    let mut response = match admit(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Of a form, none at all would have the browser send `Origin: null`.
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !cached || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if app.tls {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

fn admit(app: &routes::State, request: &Request) -> Result<(), Refusal> {
    let host = host_of(request)?;
    if !app.names.allow(host) {
        return Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this console is not known by that name: call it by its address, or add the name to --allow-host",
        ));
    }
    let length = request.body().size_hint();
    if length.lower() > MOST_BODY as u64 {
        return Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("no request needs more than {MOST_BODY} bytes"),
        ));
    }
    if is_safe(request.method()) {
        return Ok(());
    }
    // A browser says whose page sends it.
    let headers = request.headers();
    let from_here = match headers.get(header::ORIGIN) {
        Some(origin) => origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host)),
        None => true,
    };
    let same_site = match headers.get(SEC_FETCH_SITE) {
        Some(site) => site == "same-origin" || site == "none",
        None => true,
    };
    if !from_here || !same_site {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "a page of another site sent this",
        ));
    }
    Ok(())
}

/// The host that is called: there is one, and only one.
fn host_of(request: &Request) -> Result<&str, Refusal> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let (Some(host), None) = (host, hosts.next()) else {
        return Err(Refusal::bad("a request names one Host"));
    };
    // `GET http://host/`
    match request.uri().authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => {
            Err(Refusal::bad("a request names one Host"))
        }
        _ => Ok(host),
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Before all that is for those who may enter.
pub(crate) async fn entered(
    State(app): State<Arc<routes::State>>,
    mut request: Request,
    next: Next,
) -> Response {
    let who = who(&app, &request).and_then(|who| {
        who.may(request.method())?;
        Ok(who)
    });
    match who {
        Ok(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(refusal) => {
            let page = request.method() == Method::GET
                && request
                    .headers()
                    .get(header::ACCEPT)
                    .and_then(|accept| accept.to_str().ok())
                    .is_some_and(|accept| accept.contains("text/html"));
            if page && refusal.status() == StatusCode::UNAUTHORIZED {
                return to("/login");
            }
            refusal.into_response()
        }
    }
}

fn who(app: &routes::State, request: &Request) -> Result<Who, Refusal> {
    let headers = request.headers();
    // Whoever gives a token does not want to enter by another way.
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        let token = given
            .to_str()
            .ok()
            .and_then(|given| given.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let known = match token {
            Some(token) if app.auth.is_token(token) => Some(Who::Token),
            Some(token) => app
                .auth
                .api_token(token)
                .map_err(Refusal::store)?
                .map(Who::Api),
            None => None,
        };
        return known.ok_or_else(|| {
            Refusal::new(
                StatusCode::UNAUTHORIZED,
                "that is no token of the console's, or none any more",
            )
        });
    }
    let session = cookie(headers, cookie_name(app.tls))
        .and_then(|token| app.auth.sessions.find(token))
        .ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "log in first"))?;
    if !is_safe(request.method()) {
        let shown = headers.get(CSRF).and_then(|value| value.to_str().ok());
        if shown.is_none_or(|shown| !same(shown, &session.csrf)) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "the request lacks the session's X-CSRF-Token",
            ));
        }
    }
    Ok(Who::Session(session))
}

/// Compared by their hashes, which tell nothing by the time that it takes.
fn same(one: &str, other: &str) -> bool {
    crate::random::digest(one) == crate::random::digest(other)
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}
