//! `/metrics`: what the console knows of every source and server, for Prometheus. docs/metrics.md describes each.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bintrail_engine::status;
use serde_json::Value;

use crate::api::stream::{report, statuses};
use crate::refusal::Refusal;
use crate::routes;

/// The numbers, as the text format has them.
#[derive(Default)]
struct Text(String);

impl Text {
    /// What a name means; its samples follow.
    fn name(&mut self, name: &'static str, kind: &str, help: &str) -> Samples<'_> {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Samples { text: self, name }
    }
}

/// The samples of a name.
struct Samples<'t> {
    text: &'t mut Text,
    name: &'static str,
}

impl Samples<'_> {
    fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        let text = &mut self.text.0;
        text.push_str(self.name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(text, "{before}{label}=\"{value}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(text, "{end} {value}");
    }
}

/// What the report has at a place; NaN where that is not known.
fn number(value: &Value, pointer: &str) -> f64 {
    let found = value.pointer(pointer).and_then(Value::as_f64);
    found.unwrap_or(f64::NAN)
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

pub(crate) async fn metrics(State(app): State<Arc<routes::State>>) -> Result<Response, Refusal> {
    let mut text = Text::default();
    let version = env!("CARGO_PKG_VERSION");
    text.name("bintrail_build_info", "gauge", "The version that runs")
        .add(&[("version", version)], 1.0);
    let report = report(&app).await;
    text.name(
        "bintrail_console_index_up",
        "gauge",
        "1 while the index can be read",
    )
    .add(&[], flag(report.is_ok()));
    if let Ok(report) = &report {
        of_index(report, &mut text);
    }
    if app.control.is_some() {
        let servers = statuses(&app, report).await?;
        let mut state = text.name(
            "bintrail_server_state",
            "gauge",
            "1 for what a server's stream does",
        );
        for server in &servers {
            state.add(
                &[
                    ("server_id", server.server_id.as_str()),
                    ("state", server.state.as_str()),
                ],
                1.0,
            );
        }
        let mut restarts = text.name(
            "bintrail_server_restarts_total",
            "counter",
            "How often a server's stream was started again by itself",
        );
        for server in &servers {
            let count = u32::try_from(server.stream.restarts).unwrap_or(u32::MAX);
            restarts.add(&[("server_id", server.server_id.as_str())], count.into());
        }
    }
    let kind = (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    Ok(([kind], text.0).into_response())
}

fn of_index(report: &Value, text: &mut Text) {
    let sources: Vec<_> = report
        .pointer("/sources")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|source| {
            let at = |pointer| source.pointer(pointer).cloned().unwrap_or_default();
            let host = at("/source/host");
            let place = format!(
                "{}:{}",
                host.as_str().unwrap_or_default(),
                at("/source/port")
            );
            (source, at("/source_id").to_string(), place)
        })
        .collect();
    let mut states = text.name(
        "bintrail_source_state",
        "gauge",
        "1 for what a source's stream does, 0 for all else",
    );
    for (source, id, place) in &sources {
        let is = source.pointer("/state").and_then(Value::as_str);
        for state in status::State::ALL {
            let labels = [
                ("source", place.as_str()),
                ("source_id", id.as_str()),
                ("state", state.name()),
            ];
            states.add(&labels, flag(is == Some(state.name())));
        }
    }
    for (name, pointer, help) in [
        (
            "bintrail_source_lag_seconds",
            "/stream/lag_seconds",
            "How far the index may be behind the source now",
        ),
        (
            "bintrail_source_rows_per_second",
            "/stream/rows_per_second",
            "Row changes a second in the last minute",
        ),
        (
            "bintrail_source_row_changes",
            "/coverage/row_changes",
            "Row changes in the index",
        ),
    ] {
        let mut samples = text.name(name, "gauge", help);
        for (source, id, place) in &sources {
            samples.add(
                &[("source", place.as_str()), ("source_id", id.as_str())],
                number(source, pointer),
            );
        }
    }
    for (name, pointer, help) in [
        (
            "bintrail_index_bytes",
            "/disk/bytes",
            "Bytes of the index, about",
        ),
        (
            "bintrail_index_free_bytes",
            "/disk/free_bytes",
            "Bytes free where it is; NaN where that is not known",
        ),
    ] {
        text.name(name, "gauge", help)
            .add(&[], number(report, pointer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = Text::default();
        text.name("x", "gauge", "Help")
            .add(&[("a", "b\"c\\d\ne"), ("f", "")], f64::NAN);
        let expected = "# HELP x Help\n# TYPE x gauge\nx{a=\"b\\\"c\\\\d\\ne\",f=\"\"} NaN\n";
        assert_eq!(text.0, expected);
    }
}
