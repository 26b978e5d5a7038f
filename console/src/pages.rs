//! The pages: what does not change of them. The scripts fill in the rest.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Html;

use crate::guard::Who;
use crate::refusal::Refusal;
use crate::routes;

const FRAME: &str = include_str!("../assets/frame.html");
const DOOR: &str = include_str!("../assets/door.html");
const LOGIN: &str = include_str!("../assets/login.html");
const SETUP: &str = include_str!("../assets/setup.html");
const NEEDS_SETUP: &str = include_str!("../assets/needs-setup.html");
const STREAMS: &str = include_str!("../assets/streams.html");
const CHANGES: &str = include_str!("../assets/changes.html");
const SCHEMA: &str = include_str!("../assets/schema.html");
const SERVERS: &str = include_str!("../assets/servers.html");
const TOKENS: &str = include_str!("../assets/tokens.html");

/// The places of `template` that are named, filled in once.
fn fill<'t>(template: &'t str, values: &[(&str, &str)]) -> String {
    let mut page = String::with_capacity(template.len());
    let mut rest = template;
    let next = |rest: &'t str| {
        let (before, behind) = rest.split_once("{{")?;
        let (name, behind) = behind.split_once("}}")?;
        Some((before, name, behind))
    };
    while let Some((before, name, behind)) = next(rest) {
        page.push_str(before);
        let value = values.iter().find(|(key, _)| *key == name);
        page.push_str(value.map_or("", |(_, value)| value));
        rest = behind;
    }
    page.push_str(rest);
    page
}

/// `text` within a page.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn framed(app: &routes::State, who: &Who, script: &str, title: &str, body: &str) -> Html<String> {
    let csrf = match who {
        Who::Session(session) => &*session.csrf,
        Who::Token | Who::Api(_) => "",
    };
    let current = |name| {
        if name == script {
            "aria-current=\"page\""
        } else {
            ""
        }
    };
    let control = match app.control {
        Some(_) => format!("<a href=\"/servers\" {}>Servers</a>", current("servers")),
        None => String::new(),
    };
    Html(fill(
        FRAME,
        &[
            ("title", title),
            ("script", script),
            ("csrf", csrf),
            ("body", body),
            ("streams", current("streams")),
            ("changes", current("changes")),
            ("schema", current("schema")),
            ("control", &control),
            ("tokens", current("tokens")),
            ("version", env!("CARGO_PKG_VERSION")),
        ],
    ))
}

pub(crate) async fn streams(
    State(app): State<Arc<routes::State>>,
    Extension(who): Extension<Who>,
) -> Html<String> {
    framed(&app, &who, "streams", "Streams", STREAMS)
}

pub(crate) async fn changes(
    State(app): State<Arc<routes::State>>,
    Extension(who): Extension<Who>,
) -> Html<String> {
    framed(&app, &who, "changes", "Changes", CHANGES)
}

pub(crate) async fn schema(
    State(app): State<Arc<routes::State>>,
    Extension(who): Extension<Who>,
) -> Html<String> {
    framed(&app, &who, "schema", "Schema changes", SCHEMA)
}

pub(crate) async fn tokens(
    State(app): State<Arc<routes::State>>,
    Extension(who): Extension<Who>,
) -> Html<String> {
    framed(&app, &who, "tokens", "Tokens", TOKENS)
}

pub(crate) async fn servers(
    State(app): State<Arc<routes::State>>,
    Extension(who): Extension<Who>,
) -> Result<Html<String>, Refusal> {
    if app.control.is_none() {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "this console only looks: start it with --control to register servers",
        ));
    }
    Ok(framed(&app, &who, "servers", "Servers", SERVERS))
}

fn door(title: &str, body: &str) -> Html<String> {
    Html(fill(DOOR, &[("title", title), ("body", body)]))
}

fn problem(line: Option<&str>) -> String {
    line.map_or_else(String::new, |line| {
        format!(
            "<p class=\"problem\" role=\"alert\" id=\"problem\">{}</p>",
            escape(line)
        )
    })
}

pub(crate) fn login(wrong: Option<&str>) -> Html<String> {
    let body = fill(LOGIN, &[("problem", &problem(wrong))]);
    door("Log in", &body)
}

pub(crate) fn setup(token: &str, wrong: Option<&str>) -> Html<String> {
    let body = fill(
        SETUP,
        &[("token", &escape(token)), ("problem", &problem(wrong))],
    );
    door("First run", &body)
}

pub(crate) fn needs_setup() -> Html<String> {
    door("First run", NEEDS_SETUP)
}

/// For whoever watches the process.
pub(crate) async fn health(State(_): State<Arc<routes::State>>) -> &'static str {
    "ok\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_filled_in_again() {
        let page = fill("a{{x}}b{{y}}c{{z}}", &[("x", "{{y}}"), ("y", "2")]);
        assert_eq!(page, "a{{y}}b2c");
        assert_eq!(fill("a{{", &[]), "a{{");
        assert_eq!(escape("<a b=\"&\">"), "&lt;a b=&quot;&amp;&quot;&gt;");
    }

    #[test]
    fn pages_are_small_and_hold_no_script_of_their_own() {
        for page in [
            FRAME,
            DOOR,
            LOGIN,
            SETUP,
            NEEDS_SETUP,
            STREAMS,
            CHANGES,
            SCHEMA,
            SERVERS,
            TOKENS,
        ] {
            for within in [
                "<style",
                "style=",
                "onclick",
                "onload",
                "javascript:",
                "http:",
                "https:",
            ] {
                assert!(!page.contains(within), "{within} in {page}");
            }
            for script in page.split("<script").skip(1) {
                assert!(
                    script.contains("src=") && script.contains("></script>"),
                    "{script}"
                );
            }
        }
    }
}
