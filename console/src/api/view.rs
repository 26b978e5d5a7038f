//! Row changes for the page: each column with its texts before and after, since scripts would round numbers.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use bintrail_engine::clock::rfc3339;
use bintrail_engine::query::{Change, Image};
use bintrail_engine::render::changes::event_name;
use serde_json::{Value, json};

use super::events::{find, pairs};
use super::question::{Pairs, read};
use crate::refusal::Refusal;
use crate::routes;

/// Row changes of a page.
const PAGE: u64 = 50;

/// Bytes of a value that are shown.
const SHOWN: usize = 4_096;

pub(crate) async fn changes(
    State(app): State<Arc<routes::State>>,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let page = find(&app, read(&pairs(query)?, &[], PAGE, PAGE)?).await?;
    let rows: Result<Vec<Value>, serde_json::Error> = page.changes.iter().map(row).collect();
    let rows = rows.map_err(|error| {
        tracing::error!(%error, "an image in the index");
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "an image in the index is no JSON",
        )
    })?;
    Ok(Json(json!({
        "changes": rows,
        "next": page.next.map(|next| next.to_string()),
        "nameless": page.nameless,
    })))
}

fn row(change: &Change) -> Result<Value, serde_json::Error> {
    let facts = &change.transaction;
    let before = change.before.as_deref().map(Image::parse).transpose()?;
    let after = change.after.as_deref().map(Image::parse).transpose()?;
    Ok(json!({
        "id": change.change_id.to_string(),
        "source_id": facts.source_id,
        "time": rfc3339(facts.committed_at),
        "type": event_name(change.event_type),
        "schema": change.table.schema,
        "table": change.table.table,
        "key": change.pk_values,
        "new_key": change.new_key,
        "gtid": facts.gtid,
        "connection_id": facts.connection_id,
        "binlog_file": facts.binlog_file,
        "start_pos": facts.start_position,
        "end_pos": facts.end_position,
        "columns": columns(before.as_ref(), after.as_ref()),
    }))
}

/// Every column of either image.
fn columns(before: Option<&Image<'_>>, after: Option<&Image<'_>>) -> Vec<Value> {
    let names = before
        .into_iter()
        .flat_map(Image::columns)
        .map(|(name, _)| name);
    let new = after
        .into_iter()
        .flat_map(Image::columns)
        .map(|(name, _)| name)
        .filter(|name| before.is_none_or(|before| before.get(name).is_none()));
    names
        .chain(new)
        .map(|name| {
            let had = before.and_then(|image| image.get(name));
            let has = after.and_then(|image| image.get(name));
            let changed = before.is_some() && has.is_some() && had != has;
            json!({
                "name": name,
                "before": had.map(shown),
                "after": has.map(shown),
                "changed": changed,
            })
        })
        .collect()
}

/// The JSON of a value, cut where it is long, and the bytes of all of it then.
fn shown(value: &str) -> Value {
    if value.len() <= SHOWN {
        return json!({ "json": value });
    }
    json!({ "cut": value.get(..value.floor_char_boundary(SHOWN)), "bytes": value.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_texts_and_every_digit() {
        let before = Image::parse(r#"{"id":18446744073709551615,"a":"x","b":1.50}"#).unwrap();
        let after = Image::parse(r#"{"id":18446744073709551615,"a":"y","c":null}"#).unwrap();
        let columns = columns(Some(&before), Some(&after));
        assert_eq!(
            json!(columns),
            json!([
                {"name": "id", "before": {"json": "18446744073709551615"},
                 "after": {"json": "18446744073709551615"}, "changed": false},
                {"name": "a", "before": {"json": "\"x\""}, "after": {"json": "\"y\""}, "changed": true},
                {"name": "b", "before": {"json": "1.50"}, "after": null, "changed": false},
                {"name": "c", "before": null, "after": {"json": "null"}, "changed": true},
            ])
        );
    }

    #[test]
    fn a_long_value_is_cut_and_says_so() {
        let long = format!("\"{}\"", "ä".repeat(SHOWN));
        let shown = shown(&long);
        assert_eq!(shown["bytes"], long.len());
        assert_eq!(shown["cut"].as_str().unwrap().len(), SHOWN - 1);
    }
}
