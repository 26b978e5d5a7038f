//! Who has changed what.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use bintrail_engine::clock::rfc3339;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{App, Problem, blocking};
use crate::refusal::Refusal;

/// Changes of a page where it is not said, and at the most.
const PAGE: u32 = 100;
const MOST: u32 = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Those before the one of this number: `next` of the page before.
    #[param(minimum = 1)]
    before: Option<i64>,
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// A change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    audit_id: i64,
    #[schema(format = DateTime)]
    at: String,
    /// `operator` (a session), `token-file`, or a token by number and name.
    who: String,
    /// The address it came from.
    peer: String,
    /// What was done: `register_server`, `change_server`, `decommission_server`, `start_stream`, `stop_stream`,
    /// `create_token`, `revoke_token` or `set_password`.
    action: String,
    /// To what.
    target: String,
    /// What of it is worth knowing.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

/// A page of them, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    audit: Vec<AuditEntry>,
    next: Option<i64>,
}

/// What was changed, by whom and when: newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "access", params(Asked), responses(
    (status = 200, body = AuditPage),
    (status = 400, body = Problem, description = "a parameter is none"),
))]
pub(crate) async fn audit(
    State(app): App,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<AuditPage>, Refusal> {
    let Query(asked) = query.map_err(|error| Refusal::bad(error.body_text()))?;
    let limit = asked.limit.unwrap_or(PAGE);
    if limit == 0 || limit > MOST {
        return Err(Refusal::bad(format!("limit: it is from 1 to {MOST}")));
    }
    if asked.before.is_some_and(|before| before < 1) {
        return Err(Refusal::bad("before: it is from 1"));
    }
    let found = blocking(move || {
        // One more tells whether there is a next page.
        app.store
            .audit(asked.before, limit + 1)
            .map_err(Refusal::store)
    })
    .await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    let audit: Vec<AuditEntry> = found
        .into_iter()
        .take(limit)
        .map(|entry| AuditEntry {
            audit_id: entry.audit_id,
            at: rfc3339(entry.at),
            who: entry.who,
            peer: entry.peer,
            action: entry.action,
            target: entry.target,
            detail: entry.detail,
        })
        .collect();
    let next = audit.last().map(|last| last.audit_id).filter(|_| more);
    Ok(Json(AuditPage { audit, next }))
}
