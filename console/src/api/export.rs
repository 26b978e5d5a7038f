//! All row changes that a question asks for, as a file.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bintrail_engine::dsn::IndexDsn;
use bintrail_engine::index::Index;
use bintrail_engine::query::Question;
use bintrail_engine::render::changes::{Csv, Form, Json};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::ToSchema;

use super::Problem;
use super::events::pairs;
use super::question::{Kind, Order, Pairs, choice, read};
use crate::refusal::Refusal;
use crate::routes;

/// Pages that wait for a slow reader.
const WAITING: usize = 2;

/// A form of an export.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Ndjson,
    Csv,
}

/// All row changes that a question asks for, as a file.
#[utoipa::path(get, path = "/api/v1/events/export", tag = "index", params(
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
    ("limit" = Option<u64>, Query, format = "uint64", minimum = 1),
    ("format" = inline(Option<Format>), Query, description = "`json` where it is not said"),
), responses(
    (status = 200, content(
        (Vec<Object> = "application/json"),
        (String = "application/x-ndjson"),
        (String = "text/csv"),
    )),
    (status = 400, body = Problem, description = "a parameter is none"),
    (status = 429, body = Problem, description = "other exports are under way"),
    (status = 503, body = Problem, description = "the index cannot be read"),
))]
pub(crate) async fn export(
    State(app): State<Arc<routes::State>>,
    query: Result<Query<Pairs>, QueryRejection>,
) -> Result<Response, Refusal> {
    let pairs = pairs(query)?;
    let format = pairs.iter().find(|(name, _)| name == "format");
    let format = format.map_or(Ok(Format::Json), |(name, format)| choice(name, format))?;
    let (form, kind, file): (Box<dyn Form + Send>, _, _) = match format {
        Format::Json => (
            Box::new(Json::array()),
            "application/json",
            "attachment; filename=\"changes.json\"",
        ),
        Format::Ndjson => (
            Box::new(Json::lines()),
            "application/x-ndjson",
            "attachment; filename=\"changes.ndjson\"",
        ),
        Format::Csv => (
            Box::new(Csv),
            "text/csv; charset=utf-8",
            "attachment; filename=\"changes.csv\"",
        ),
    };
    let mut question = read(&pairs, &["format"], u64::MAX, u64::MAX)?;
    question.limit = question.limit.filter(|limit| *limit < u64::MAX);
    let Ok(place) = Arc::clone(&app.exports).try_acquire_owned() else {
        return Err(Refusal::busy("other exports are under way: try again", 5));
    };
    // A question that cannot be answered is refused before anything is sent.
    let failed = |error| Refusal::index(&error);
    let index = Index::open(&app.index, false).await.map_err(failed)?;
    index.ask(question.clone()).await.map_err(failed)?;
    index.close().await.map_err(failed)?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let dsn = app.index.clone();
    tokio::spawn(async move {
        // Who reads sees the transfer break off, and never takes a part for the whole.
        if let Err(error) = send(&dsn, question, form, &sender).await {
            tracing::warn!(%error, "an export broke off");
            let _ = sender.send(Err(io::Error::other(error))).await;
        }
        drop(place);
    });
    let parts = stream::unfold(
        receiver,
        |mut receiver: mpsc::Receiver<io::Result<Bytes>>| async {
            receiver.recv().await.map(|part| (part, receiver))
        },
    );
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(file)),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

async fn send(
    dsn: &IndexDsn,
    question: Question,
    mut form: Box<dyn Form + Send>,
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), bintrail_engine::Error> {
    use bintrail_engine::Error::Output;
    let index = Index::open(dsn, false).await?;
    let mut answer = index.ask(question).await?;
    let mut out = Vec::new();
    form.begin(&mut out).map_err(Output)?;
    loop {
        let page = answer.next_page().await?;
        if page.is_empty() {
            break;
        }
        form.page(&mut out, &page).map_err(Output)?;
        if sender
            .send(Ok(std::mem::take(&mut out).into()))
            .await
            .is_err()
        {
            // Nobody reads any more.
            return Ok(());
        }
    }
    form.end(&mut out).map_err(Output)?;
    let _ = sender.send(Ok(out.into())).await;
    drop(answer);
    index.close().await?;
    Ok(())
}
