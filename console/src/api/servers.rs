//! Servers: registered, changed and decommissioned.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{ConnectInfo, Extension, Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use bintrail_engine::clock::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::stream::{StreamView, stream_view};
use super::{App, Peer, Problem, blocking, body, control, trial};
use crate::control::definition::{Definition, Effective, Parameters, check_id};
use crate::control::{Control, check_password_env, check_password_file};
use crate::guard::Who;
use crate::refusal::Refusal;
use crate::store::{Changed, Password, Server};

/// Where servers listen where it is not said.
const PORT: u16 = 3306;

const fn port() -> u16 {
    PORT
}

/// A source: where it is, who connects, and what is kept of it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    /// Its name in addresses and units: small letters, digits and hyphens. It stays. Without one it is made of the name, or
    /// of the host.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    server_id: Option<String>,
    /// Its name for people; without one, the `server_id`.
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Name or address.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,255}$")]
    host: String,
    #[serde(default = "port")]
    #[schema(minimum = 1, maximum = 65535, default = 3306)]
    port: u16,
    #[schema(max_length = 255)]
    user: String,
    /// It is kept encrypted, and never shown. At most one of these three.
    #[schema(max_length = 1024)]
    password: Option<String>,
    /// A variable in the console's environment that has it: `BINTRAIL_PASSWORD_…`.
    #[schema(pattern = "^BINTRAIL_PASSWORD_[A-Z0-9_]{1,80}$")]
    password_env: Option<String>,
    /// A file in `--password-dir` whose first line it is.
    #[schema(pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$")]
    password_file: Option<String>,
    #[serde(default)]
    parameters: Parameters,
}

/// What is to be another from now on, as a JSON merge patch (RFC 7396): `null` is back to the default. A stream that runs is
/// started anew with it.
#[derive(Debug, ToSchema)]
#[allow(
    dead_code,
    reason = "the schema of a merge patch, for the OpenAPI document"
)]
pub(crate) struct Change {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,255}$")]
    host: Option<String>,
    #[schema(minimum = 1, maximum = 65535)]
    port: Option<u16>,
    #[schema(max_length = 255)]
    user: Option<String>,
    /// Each of these three takes the place of what there was.
    #[schema(max_length = 1024)]
    password: Option<String>,
    #[schema(pattern = "^BINTRAIL_PASSWORD_[A-Z0-9_]{1,80}$")]
    password_env: Option<String>,
    #[schema(pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$")]
    password_file: Option<String>,
    parameters: Option<Parameters>,
}

/// A server as it is. Its password is not among it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerView {
    server_id: String,
    name: String,
    host: String,
    port: u16,
    user: String,
    /// `none`, `sealed` (encrypted in the store), `env` or `file`.
    password_kind: &'static str,
    /// The name of that variable or file.
    password_reference: Option<String>,
    parameters: Effective,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    #[schema(format = DateTime)]
    decommissioned_at: Option<String>,
    stream: StreamView,
}

/// By `server_id`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerList {
    servers: Vec<ServerView>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Those that were decommissioned, too.
    decommissioned: Option<bool>,
}

fn view(control: &Control, server: Server) -> Result<ServerView, Refusal> {
    let stream = stream_view(control, &server)?;
    let definition = server.definition;
    Ok(ServerView {
        server_id: server.server_id,
        name: definition.name,
        host: definition.host,
        port: definition.port,
        user: definition.user,
        password_kind: server.password.kind(),
        password_reference: match server.password {
            Password::Env(name) | Password::File(name) => Some(name),
            Password::None | Password::Sealed(_) => None,
        },
        parameters: definition.parameters.effective().map_err(Refusal::bad)?,
        created_at: rfc3339(server.created_at),
        updated_at: rfc3339(server.updated_at),
        decommissioned_at: server.decommissioned_at.map(rfc3339),
        stream,
    })
}

/// A `server_id` for a server of this name.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars() {
        match character.to_ascii_lowercase() {
            plain @ ('a'..='z' | '0'..='9') => slug.push(plain),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(63);
    slug.trim_end_matches('-').to_owned()
}

impl Registration {
    /// Its `server_id`, facts, and the password where one is named.
    pub(crate) fn split(self) -> Result<(String, Definition, Option<Given>), Refusal> {
        let server_id = self
            .server_id
            .unwrap_or_else(|| slug(self.name.as_deref().unwrap_or(&self.host)));
        check_id(&server_id).map_err(Refusal::bad)?;
        let given = [
            self.password.map(Given::Text),
            self.password_env.map(Given::Env),
            self.password_file.map(Given::File),
        ];
        let mut given = given.into_iter().flatten();
        let (password, None) = (given.next(), given.next()) else {
            return Err(Refusal::bad(
                "password, password_env, password_file: at most one of them",
            ));
        };
        match &password {
            Some(Given::Text(text)) if text.len() > 1024 => {
                return Err(Refusal::bad("password: it has more than 1024 bytes"));
            }
            Some(Given::Env(name)) => check_password_env(name).map_err(Refusal::bad)?,
            Some(Given::File(name)) => check_password_file(name).map_err(Refusal::bad)?,
            _ => {}
        }
        let definition = Definition {
            name: self.name.unwrap_or_else(|| server_id.clone()),
            host: self.host,
            port: self.port,
            user: self.user,
            parameters: self.parameters,
        };
        definition.check().map_err(Refusal::bad)?;
        Ok((server_id, definition, password))
    }
}

/// A password as it is given.
#[derive(Debug)]
pub(crate) enum Given {
    Text(String),
    Env(String),
    File(String),
}

impl Given {
    /// As it is kept.
    pub(crate) fn keep(self, control: &Control, server_id: &str) -> Result<Password, Refusal> {
        Ok(match self {
            Self::Text(text) if text.is_empty() => Password::None,
            Self::Text(text) => Password::Sealed(
                control
                    .streams
                    .seal
                    .seal(server_id, &text)
                    .map_err(Refusal::internal)?,
            ),
            Self::Env(name) => Password::Env(name),
            Self::File(name) => Password::File(name),
        })
    }
}

/// The server of a path: also one that was decommissioned.
pub(crate) fn find(control: &Control, server_id: &str) -> Result<Server, Refusal> {
    control
        .streams
        .store
        .server(server_id)
        .map_err(Refusal::store)?
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there is no such server"))
}

pub(crate) fn id(path: Result<Path<String>, PathRejection>) -> Result<String, Refusal> {
    let Path(server_id) = path.map_err(|error| Refusal::bad(error.body_text()))?;
    Ok(server_id)
}

/// What a change comes to.
pub(crate) fn done(changed: Changed) -> Result<(), Refusal> {
    let line = match changed {
        Changed::Done => return Ok(()),
        Changed::SameId => "there is, or was, a server of that server_id: choose another",
        Changed::SamePlace => {
            "another server is registered at that host and port: a source has one stream"
        }
        Changed::Moved => "the server was changed or decommissioned meanwhile: look again",
    };
    Err(Refusal::new(StatusCode::CONFLICT, line))
}

/// The servers that are registered.
#[utoipa::path(get, path = "/api/v1/servers", tag = "servers", params(Asked), responses(
    (status = 200, body = ServerList),
    (status = 400, body = Problem),
))]
pub(crate) async fn list(
    State(app): App,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<ServerList>, Refusal> {
    let Query(asked) = query.map_err(|error| Refusal::bad(error.body_text()))?;
    let control = Arc::clone(control(&app)?);
    let all = asked.decommissioned.unwrap_or(false);
    let servers = blocking(move || {
        let servers = control.streams.store.servers(all).map_err(Refusal::store)?;
        let servers = servers.into_iter().map(|server| view(&control, server));
        servers.collect::<Result<_, _>>()
    })
    .await?;
    Ok(Json(ServerList { servers }))
}

/// Registers a server. Its stream does not run yet; doctor looks at it meanwhile.
#[utoipa::path(post, path = "/api/v1/servers", tag = "servers", request_body = Registration, responses(
    (status = 201, body = ServerView, headers(("Location" = String, description = "its address"))),
    (status = 400, body = Problem, description = "the body is no JSON, or says what cannot be"),
    (status = 409, body = Problem, description = "there is such a server, or one at that place"),
    (status = 415, body = Problem),
    (status = 422, body = Problem, description = "the body is not of the schema"),
))]
pub(crate) async fn register(
    State(app): App,
    ConnectInfo(peer): Peer,
    Extension(who): Extension<Who>,
    json: Result<Json<Registration>, JsonRejection>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1], Json<ServerView>), Refusal> {
    let control = Arc::clone(control(&app)?);
    let (server_id, definition, password) = body(json)?.split()?;
    let act = who.act(peer, "register_server").detail(json!({
        "host": definition.host,
        "port": definition.port,
        "user": definition.user,
        "parameters": definition.parameters,
    }));
    let location = HeaderValue::from_str(&format!("/api/v1/servers/{server_id}"))
        .map_err(|error| Refusal::bad(error.to_string()))?;
    let for_check = Arc::clone(&control);
    let (server, shown) = blocking(move || {
        let password = match password {
            Some(given) => given.keep(&control, &server_id)?,
            None => Password::None,
        };
        let store = &control.streams.store;
        let added = store.add_server(&server_id, &definition, &password, &act);
        done(added.map_err(Refusal::store)?)?;
        let server = find(&control, &server_id)?;
        Ok((server.clone(), view(&control, server)?))
    })
    .await?;
    trial::check(&app, &for_check, server);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(shown),
    ))
}

/// A server.
#[utoipa::path(get, path = "/api/v1/servers/{server_id}", tag = "servers", params(
    ("server_id" = String, Path)
), responses(
    (status = 200, body = ServerView),
    (status = 400, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    State(app): App,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<ServerView>, Refusal> {
    let control = Arc::clone(control(&app)?);
    let server_id = id(path)?;
    let shown = blocking(move || {
        let server = find(&control, &server_id)?;
        view(&control, server)
    })
    .await?;
    Ok(Json(shown))
}

/// Changes a server. A stream that runs is started anew with its new parameters.
#[utoipa::path(patch, path = "/api/v1/servers/{server_id}", tag = "servers", params(
    ("server_id" = String, Path)
), request_body = Change, responses(
    (status = 200, body = ServerView),
    (status = 400, body = Problem, description = "the body is no JSON, or says what cannot be"),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "it was decommissioned or changed meanwhile, or another is at that place"),
    (status = 415, body = Problem),
    (status = 422, body = Problem, description = "the body is not of the schema"),
))]
pub(crate) async fn change(
    State(app): App,
    ConnectInfo(peer): Peer,
    Extension(who): Extension<Who>,
    path: Result<Path<String>, PathRejection>,
    json: Result<Json<Value>, JsonRejection>,
) -> Result<Json<ServerView>, Refusal> {
    let control = Arc::clone(control(&app)?);
    let server_id = id(path)?;
    let patch = body(json)?;
    let Value::Object(fields) = &patch else {
        return Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "a change is an object",
        ));
    };
    let new_password = fields.keys().any(|name| name.starts_with("password"));
    // The names alone: a value may be a password.
    let names: Vec<String> = fields.keys().cloned().collect();
    let parameters = fields.get("parameters").cloned();
    let act = who
        .act(peer, "change_server")
        .detail(json!({ "fields": names, "parameters": parameters }));
    let for_check = Arc::clone(&control);
    let (server, shown) = blocking(move || {
        let was = find(&control, &server_id)?;
        if was.decommissioned_at.is_some() {
            done(Changed::Moved)?;
        }
        let mut whole = json!({
            "server_id": was.server_id,
            "name": was.definition.name,
            "host": was.definition.host,
            "port": was.definition.port,
            "user": was.definition.user,
            "parameters": was.definition.parameters,
        });
        if patch.get("server_id").is_some() {
            return Err(Refusal::bad("server_id: it stays as it is"));
        }
        merge(&mut whole, patch);
        let changed: Registration = serde_json::from_value(whole).map_err(|error| {
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
        })?;
        let (_, definition, password) = changed.split()?;
        let there = (&*definition.host, definition.port);
        let elsewhere = there != (&*was.definition.host, was.definition.port);
        if elsewhere && !new_password && was.password != Password::None {
            // Else whoever may change a server could have its password sent to one of their own.
            return Err(Refusal::bad(
                "host, port: the password goes to no other place than it was given for: give it again, or as null",
            ));
        }
        let password = match (new_password, password) {
            (false, _) => was.password.clone(),
            (true, Some(given)) => given.keep(&control, &was.server_id)?,
            (true, None) => Password::None,
        };
        if definition != was.definition || password != was.password {
            let store = &control.streams.store;
            let changed = store.change_server(&was, &definition, &password, &act);
            done(changed.map_err(Refusal::store)?)?;
        }
        let is = find(&control, &was.server_id)?;
        if is.generation != was.generation && is.wanted {
            let applied = control.supervisor.apply(&is, false);
            applied.map_err(Refusal::internal)?;
        }
        let check = (is.generation != was.generation).then(|| is.clone());
        Ok((check, view(&control, is)?))
    })
    .await?;
    if let Some(server) = server {
        trial::check(&app, &for_check, server);
    }
    Ok(Json(shown))
}

/// Decommissions a server: its stream ends, its password is forgotten, and its `server_id` is not given again. What the
/// index has of it stays.
#[utoipa::path(delete, path = "/api/v1/servers/{server_id}", tag = "servers", params(
    ("server_id" = String, Path)
), responses(
    (status = 204),
    (status = 400, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "it was decommissioned already"),
))]
pub(crate) async fn decommission(
    State(app): App,
    ConnectInfo(peer): Peer,
    Extension(who): Extension<Who>,
    path: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Refusal> {
    let control = Arc::clone(control(&app)?);
    let server_id = id(path)?;
    let act = who.act(peer, "decommission_server");
    blocking(move || {
        find(&control, &server_id)?;
        let gone = control.streams.store.decommission(&server_id, &act);
        done(gone.map_err(Refusal::store)?)?;
        let server = find(&control, &server_id)?;
        let applied = control.supervisor.apply(&server, false);
        applied.map_err(Refusal::internal)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// RFC 7396.
fn merge(into: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *into = patch;
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    let Value::Object(fields) = into else { return };
    for (name, value) in patch {
        match value {
            Value::Null => {
                fields.shift_remove(&name);
            }
            value => merge(fields.entry(name).or_insert(Value::Null), value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_server_id() {
        for (name, id) in [
            ("Shop", "shop"),
            ("  The *big* shop! ", "the-big-shop"),
            ("db1.example.com", "db1-example-com"),
            ("é", ""),
        ] {
            assert_eq!(slug(name), id);
        }
        assert!(check_id(&slug(&"a.".repeat(50))).is_ok());
    }

    #[test]
    fn patches_merge_as_their_rfc_has_it() {
        for (into, patch, merged) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            let mut value = serde_json::from_str(into).unwrap();
            merge(&mut value, serde_json::from_str(patch).unwrap());
            assert_eq!(value.to_string(), merged);
        }
    }
}
