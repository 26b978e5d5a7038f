//! A question to the index, as the parameters of a request.

use bintrail_engine::clock::now;
use bintrail_engine::index::record::{EventType, Micros};
use bintrail_engine::query::{Question, moment};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as Unknown, StrDeserializer};
use utoipa::ToSchema;

use crate::refusal::Refusal;

/// A kind of row change.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Insert,
    Update,
    Delete,
}

/// By the commit.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    Asc,
    Desc,
}

/// The pairs behind the `?` of a request.
pub(crate) type Pairs = Vec<(String, String)>;

/// Reads the question; pairs of `others` are passed over. `most` is the highest limit, and `limit` the one where none is
/// given.
pub(crate) fn read(
    pairs: &Pairs,
    others: &[&str],
    limit: u64,
    most: u64,
) -> Result<Question, Refusal> {
    let mut question = Question {
        newest_first: true,
        limit: Some(limit),
        ..Question::default()
    };
    let now = now();
    for (name, value) in pairs {
        // As a form sends what is left empty.
        if value.is_empty() {
            continue;
        }
        let text = || Some(value.clone());
        match name.as_str() {
            "source_id" => question.source_id = Some(number(name, value)?),
            "schema" => question.schema = text(),
            "table" => question.table = text(),
            "pk" => question.keys.push(value.clone()),
            "event_type" => {
                let kind = value.to_ascii_lowercase();
                question.event_types.push(match choice(name, &kind)? {
                    Kind::Insert => EventType::Insert,
                    Kind::Update => EventType::Update,
                    Kind::Delete => EventType::Delete,
                });
            }
            "gtid" => question.gtid = Some(value.trim().to_owned()),
            "since" => question.since = Some(time(name, value, now)?),
            "until" => question.until = Some(time(name, value, now)?),
            "connection_id" => question.connection_id = Some(number(name, value)?),
            "changed_column" => question.changed_column = text(),
            "where" => {
                let pair = value.split_once('=');
                let pair = pair.ok_or_else(|| Refusal::bad("where: it is COLUMN=VALUE"))?;
                question.values.push((pair.0.to_owned(), pair.1.to_owned()));
            }
            "order" => {
                question.newest_first = matches!(choice(name, value)?, Order::Desc);
            }
            "after" => question.behind = Some(number(name, value)?),
            "limit" => {
                let limit: u64 = number(name, value)?;
                if limit == 0 || limit > most {
                    return Err(Refusal::bad(format!("limit: it is from 1 to {most}")));
                }
                question.limit = Some(limit);
            }
            _ if others.contains(&name.as_str()) => {}
            _ => return Err(Refusal::bad("there is no such parameter")),
        }
    }
    question.keys.sort_unstable();
    question.keys.dedup();
    Ok(question)
}

pub(crate) fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Refusal> {
    value
        .trim()
        .parse()
        .map_err(|_| Refusal::bad(format!("{name}: it is a number")))
}

fn time(name: &str, value: &str, now: Micros) -> Result<Micros, Refusal> {
    moment::parse(value, now)
        .ok_or_else(|| Refusal::bad(format!("{name}: a time is {}", moment::FORMS)))
}

/// One of the values that a parameter may have.
pub(super) fn choice<'a, T: Deserialize<'a>>(name: &str, value: &'a str) -> Result<T, Refusal> {
    let value: StrDeserializer<'a, Unknown> = value.into_deserializer();
    T::deserialize(value).map_err(|error| Refusal::bad(format!("{name}: {error}")))
}
