//! Tokens for programs: made, listed and revoked by the operator.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{ConnectInfo, Extension, Path, State};
use axum::http::StatusCode;
use bintrail_engine::clock::{now, rfc3339};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{App, Peer, Problem, blocking, body};
use crate::auth::API_TOKEN;
use crate::guard::Who;
use crate::random;
use crate::refusal::Refusal;
use crate::store::{NewToken, Scope, TokenRow};

/// Ten years: who wants longer says nothing.
const LONGEST_DAYS: u32 = 3_650;

/// A day, in microseconds.
const DAY: i64 = 24 * 3_600 * 1_000_000;

/// A token to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// For people.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
    /// After how many days it is no more; `null`: only when it is revoked.
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u32>,
}

/// A token, but not what proves it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    token_id: i64,
    name: String,
    scopes: Vec<Scope>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    /// Within a minute.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

/// A token that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenMade {
    /// What a program shows: it is never to be seen again.
    secret: String,
    token: TokenView,
}

/// All of them, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenList {
    tokens: Vec<TokenView>,
}

fn view(row: TokenRow) -> TokenView {
    TokenView {
        token_id: row.token.token_id,
        name: row.token.name,
        scopes: row.token.scopes,
        created_at: rfc3339(row.created_at),
        expires_at: row.expires_at.map(rfc3339),
        revoked_at: row.revoked_at.map(rfc3339),
        last_used_at: row.last_used_at.map(rfc3339),
    }
}

/// The tokens, also those that hold no more.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "access", responses(
    (status = 200, body = TokenList),
    (status = 403, body = Problem, description = "only the operator may"),
))]
pub(crate) async fn list(
    State(app): App,
    Extension(who): Extension<Who>,
) -> Result<Json<TokenList>, Refusal> {
    who.operator()?;
    let rows = blocking(move || app.store.tokens().map_err(Refusal::store)).await?;
    let tokens = rows.into_iter().map(view).collect();
    Ok(Json(TokenList { tokens }))
}

/// Makes a token: it is shown once.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "access", request_body = TokenRequest, responses(
    (status = 201, body = TokenMade),
    (status = 400, body = Problem, description = "the body is no JSON, or says what cannot be"),
    (status = 403, body = Problem, description = "only the operator may"),
    (status = 415, body = Problem),
    (status = 422, body = Problem, description = "the body is not of the schema"),
))]
pub(crate) async fn create(
    State(app): App,
    ConnectInfo(peer): Peer,
    Extension(who): Extension<Who>,
    json: Result<Json<TokenRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<TokenMade>), Refusal> {
    who.operator()?;
    let mut asked = body(json)?;
    let long = asked.name.chars().count() > 100;
    if asked.name.trim().is_empty() || long || asked.name.chars().any(char::is_control) {
        return Err(Refusal::bad(
            "name: it is 1 to 100 characters, none of them a control character",
        ));
    }
    asked.scopes.sort_unstable();
    asked.scopes.dedup();
    if asked.scopes.is_empty() {
        return Err(Refusal::bad(
            "scopes: it is read, write or delete, or several",
        ));
    }
    let days = asked.expires_in_days;
    if days.is_some_and(|days| days == 0 || days > LONGEST_DAYS) {
        return Err(Refusal::bad(format!(
            "expires_in_days: it is from 1 to {LONGEST_DAYS}"
        )));
    }
    let secret = format!("{API_TOKEN}{}", random::text().map_err(Refusal::internal)?);
    let digest = random::digest(&secret);
    let act = who
        .act(peer, "create_token")
        .detail(json!({ "name": asked.name, "scopes": asked.scopes }));
    let row = blocking(move || {
        let new = NewToken {
            name: &asked.name,
            digest,
            scopes: &asked.scopes,
            expires_at: days.map(|days| now() + i64::from(days) * DAY),
        };
        app.store.add_token(&new, &act).map_err(Refusal::store)
    })
    .await?;
    let made = TokenMade {
        secret,
        token: view(row),
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Revokes a token: it is no more from now on.
#[utoipa::path(delete, path = "/api/v1/tokens/{token_id}", tag = "access", params(
    ("token_id" = i64, Path, minimum = 1)
), responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 403, body = Problem, description = "only the operator may"),
    (status = 404, body = Problem, description = "there is no such token that holds"),
))]
pub(crate) async fn revoke(
    State(app): App,
    ConnectInfo(peer): Peer,
    Extension(who): Extension<Who>,
    path: Result<Path<i64>, PathRejection>,
) -> Result<StatusCode, Refusal> {
    who.operator()?;
    let Path(token_id) = path.map_err(|_| Refusal::bad("a token has a number"))?;
    let act = who.act(peer, "revoke_token");
    let done = blocking(move || {
        app.store
            .revoke_token(token_id, &act)
            .map_err(Refusal::store)
    })
    .await?;
    match done {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "there is no such token that holds",
        )),
    }
}
