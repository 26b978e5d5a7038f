//! Row changes, page by page.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use bintrail_engine::index::Index;
use bintrail_engine::query::{Change, Question};
use bintrail_engine::render::changes::write_object;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::Problem;
use super::question::{Kind, Order, Pairs, read};
use crate::refusal::Refusal;
use crate::routes;

/// Row changes of a page where it is not said, and at the most.
const PAGE: u64 = 100;
const MOST: u64 = 1_000;

/// Bytes of images at which a page ends.
const ROOM: usize = 16 << 20;

/// The longest that a search may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A page of row changes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Events {
    #[schema(value_type = Vec<Object>)]
    events: Vec<Box<RawValue>>,
    /// The page behind it is that of `after` this; `null` for the last.
    next: Option<u64>,
}

/// A page of an answer.
pub(crate) struct Page {
    pub(crate) changes: Vec<Change>,
    /// The change that the next page comes behind, where there may be one.
    pub(crate) next: Option<u64>,
    /// Row changes that were passed over because their columns have no names.
    pub(crate) nameless: u64,
}

pub(crate) fn pairs(query: Result<Query<Pairs>, QueryRejection>) -> Result<Pairs, Refusal> {
    let Query(pairs) = query.map_err(|error| Refusal::bad(error.body_text()))?;
    Ok(pairs)
}

/// Finds the row changes that a question asks for, a page of them.
pub(crate) async fn find(app: &routes::State, question: Question) -> Result<Page, Refusal> {
    let Ok(_place) = app.searches.try_acquire() else {
        return Err(Refusal::busy("other searches are under way: try again", 1));
    };
    let late = |_| {
        Refusal::new(
            StatusCode::GATEWAY_TIMEOUT,
            format!(
                "nothing was found in {} s: narrow the search by a table, a key or a time",
                PATIENCE.as_secs()
            ),
        )
    };
    timeout(PATIENCE, search(app, question))
        .await
        .map_err(late)?
}

async fn search(app: &routes::State, mut question: Question) -> Result<Page, Refusal> {
    let failed = |error| Refusal::index(&error);
    let limit = question.limit.unwrap_or(PAGE);
    // One more tells whether there is a next page.
    question.limit = Some(limit.saturating_add(1));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let index = Index::open(&app.index, false).await.map_err(failed)?;
    let mut answer = index.ask(question).await.map_err(failed)?;
    let nameless = answer.nameless();
    let mut changes: Vec<Change> = Vec::new();
    let mut bytes = 0;
    let mut more = false;
    'pages: loop {
        let page = answer.next_page().await.map_err(failed)?;
        if page.is_empty() {
            break;
        }
        for change in page {
            if changes.len() >= limit || bytes >= ROOM {
                more = true;
                break 'pages;
            }
            let images = [&change.before, &change.after];
            bytes += images.into_iter().flatten().map(String::len).sum::<usize>();
            changes.push(change);
        }
    }
    drop(answer);
    index.close().await.map_err(failed)?;
    let last = changes.last().map(|change| change.change_id);
    Ok(Page {
        changes,
        next: last.filter(|_| more),
        nameless,
    })
}

/// Row changes, in the form of `bintrail query --format json`, a page of them.
#[utoipa::path(get, path = "/api/v1/events", tag = "index", params(
    ("source_id" = Option<u64>, Query, description = "the source's number in `bintrail status`", maximum = 4294967295u64),
    ("schema" = Option<String>, Query),
    ("table" = Option<String>, Query),
    ("pk" = Option<Vec<String>>, Query, description = "primary keys, as `pk_values` has them"),
    ("event_type" = inline(Option<Vec<Kind>>), Query),
    ("gtid" = Option<String>, Query),
    ("since" = Option<String>, Query, description = "`2h` (ago), or an RFC 3339 time"),
    ("until" = Option<String>, Query),
    ("connection_id" = Option<u64>, Query, maximum = 4294967295u64),
    ("changed_column" = Option<String>, Query),
    ("where" = Option<Vec<String>>, Query, description = "`COLUMN=VALUE`"),
    ("order" = inline(Option<Order>), Query, description = "`desc` where it is not said"),
    ("after" = Option<u64>, Query, format = "uint64", description = "`next` of the page before"),
    ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000),
), responses(
    (status = 200, body = Events),
    (status = 400, body = Problem, description = "a parameter is none"),
    (status = 429, body = Problem, description = "other searches are under way"),
    (status = 503, body = Problem, description = "the index cannot be read"),
    (status = 504, body = Problem, description = "nothing was found in 30 s"),
))]
pub(crate) async fn events(
    State(app): State<Arc<routes::State>>,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Json<Events>, Refusal> {
    let page = find(&app, read(&pairs(query)?, &[], PAGE, MOST)?).await?;
    let events = page.changes.iter().map(|change| {
        object(change).map_err(|error| {
            tracing::error!(%error, change_id = change.change_id, "an image in the index");
            Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("the image of change {} is no JSON", change.change_id),
            )
        })
    });
    Ok(Json(Events {
        events: events.collect::<Result<_, _>>()?,
        next: page.next,
    }))
}

/// As it is written everywhere: every digit of a number counts.
fn object(change: &Change) -> io::Result<Box<RawValue>> {
    let mut json = Vec::new();
    write_object(&mut json, change)?;
    Ok(serde_json::from_slice(&json)?)
}
