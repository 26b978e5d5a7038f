//! DDL statements, and the names of tables.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use bintrail_engine::clock::rfc3339;
use bintrail_engine::index::Index;
use bintrail_engine::query::SchemaChanges;
use serde_json::{Value, json};

use super::Problem;
use super::events::pairs;
use super::question::{Pairs, number};
use crate::refusal::Refusal;
use crate::routes;

/// Statements of a page where it is not said, and at the most.
const PAGE: u64 = 100;
const MOST: u64 = 1_000;

/// Names that are offered.
const NAMES: u64 = 2_000;

/// DDL statements, newest first, a page of them.
#[utoipa::path(get, path = "/api/v1/schema-changes", tag = "index", params(
    ("source_id" = Option<u64>, Query, maximum = 4294967295u64),
    ("schema" = Option<String>, Query, description = "of a table that the statement names, or of its session where it names none"),
    ("before" = Option<u64>, Query, format = "uint64", description = "`next` of the page before"),
    ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000),
), responses(
    (status = 200, body = Object),
    (status = 400, body = Problem, description = "a parameter is none"),
    (status = 503, body = Problem, description = "the index cannot be read"),
))]
pub(crate) async fn schema_changes(
    State(app): State<Arc<routes::State>>,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let mut asked = SchemaChanges {
        limit: PAGE,
        ..SchemaChanges::default()
    };
    for (name, value) in pairs(query)? {
        match name.as_str() {
            _ if value.is_empty() => {}
            "source_id" => asked.source_id = Some(number(&name, &value)?),
            "schema" => asked.schema = Some(value),
            "before" => asked.before = Some(number(&name, &value)?),
            "limit" => asked.limit = limit(&name, &value)?,
            _ => return Err(Refusal::bad("there is no such parameter")),
        }
    }
    let failed = |error| Refusal::index(&error);
    let index = Index::open(&app.index, false).await.map_err(failed)?;
    let (found, more) = index.schema_changes(&asked).await.map_err(failed)?;
    index.close().await.map_err(failed)?;
    let next = found.last().map(|last| last.id).filter(|_| more);
    let changes: Vec<Value> = found
        .into_iter()
        .map(|seen| {
            json!({
                "schema_change_id": seen.id,
                "source_id": seen.source_id,
                "binlog_file": seen.change.binlog_file,
                "start_pos": seen.change.start_position,
                "end_pos": seen.change.end_position,
                "gtid": seen.change.gtid,
                "event_timestamp": rfc3339(seen.change.committed_at),
                "schema_name": seen.change.schema,
                "schemas": seen.schemas,
                "change_type": seen.change.change_type,
                "statement": seen.change.statement,
            })
        })
        .collect();
    Ok(Json(json!({ "schema_changes": changes, "next": next })))
}

fn limit(name: &str, value: &str) -> Result<u64, Refusal> {
    let limit = number(name, value)?;
    if limit == 0 || limit > MOST {
        return Err(Refusal::bad(format!("limit: it is from 1 to {MOST}")));
    }
    Ok(limit)
}

/// Names of tables that the index has row changes or definitions of.
#[utoipa::path(get, path = "/api/v1/tables", tag = "index", responses(
    (status = 200, body = Object),
    (status = 503, body = Problem, description = "the index cannot be read"),
))]
pub(crate) async fn tables(State(app): State<Arc<routes::State>>) -> Result<Json<Value>, Refusal> {
    let failed = |error| Refusal::index(&error);
    let index = Index::open(&app.index, false).await.map_err(failed)?;
    let names = index.table_names(NAMES).await.map_err(failed)?;
    index.close().await.map_err(failed)?;
    let tables: Vec<Value> = names
        .into_iter()
        .map(|(schema, table)| json!({ "schema_name": schema, "table_name": table }))
        .collect();
    Ok(Json(json!({ "tables": tables })))
}
