//! The API's own description, made of the code.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{audit, events, export, onboarding, schema, servers, status, stream, tokens, trial};
use crate::auth::handlers::cookie_name;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "bintrail-console",
        description = "The state of every stream into a change index, a search through its row changes, and with \
                       `--control` servers whose streams the console keeps."
    ),
    paths(
        status::status,
        status::live,
        events::events,
        export::export,
        schema::schema_changes,
        schema::tables,
        servers::list,
        servers::register,
        trial::test,
        servers::show,
        servers::change,
        servers::decommission,
        onboarding::onboarding,
        stream::stream,
        stream::start,
        stream::stop,
        stream::status,
        tokens::list,
        tokens::create,
        tokens::revoke,
        audit::audit,
        document,
    ),
    modifiers(&Everywhere),
    security(("token" = []), ("session" = []))
)]
struct Document;

/// What holds of every operation.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "the token of --token-file, or one made by POST /api/v1/tokens",
            ))
            .build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let session = ApiKeyValue::with_description(
            cookie_name(false),
            "a browser's session; what changes something needs its X-CSRF-Token, too",
        );
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    let problem = |description: &str| {
        json!({
            "description": description,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        })
    };
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let operations = paths
        .into_iter()
        .flat_map(|paths| paths.values_mut())
        .filter_map(Value::as_object_mut)
        .flat_map(|path| path.values_mut());
    for operation in operations {
        let Some(responses) = operation
            .get_mut("responses")
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        for (status, description) in [
            ("401", "neither a session nor a token that holds"),
            (
                "403",
                "a token without the scope, or a request from another site's page",
            ),
            ("413", "the body is too large"),
        ] {
            responses
                .entry(status)
                .or_insert_with(|| problem(description));
        }
    }
    document.to_string()
});

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "access", responses((status = 200, body = Object)))]
pub(crate) async fn document() -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], TEXT.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every route of the API is described, and nothing else.
    #[test]
    fn the_document_has_the_routes_of_the_code() {
        let document: Value = serde_json::from_str(&TEXT).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut described: Vec<String> = document["paths"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        let code = include_str!("../routes.rs");
        let mut routes: Vec<String> = code
            .split(".route(")
            .skip(1)
            .map(|rest| rest.split('"').nth(1).unwrap().to_owned())
            .filter(|route| route.starts_with("/api/"))
            .collect();
        described.sort_unstable();
        routes.sort_unstable();
        assert_eq!(described, routes);
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(operation["responses"]["401"].is_object(), "{method} {path}");
                assert!(operation["summary"].is_string(), "{method} {path}");
            }
        }
    }
}
