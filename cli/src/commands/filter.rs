//! The flags that say which row changes, as a question.

use bintrail_engine::Error;
use bintrail_engine::index::Index;
use bintrail_engine::index::record::EventType;
use bintrail_engine::query::{Question, moment};

use crate::args::{EventKind, FilterArgs, Time};

pub(crate) fn question(args: FilterArgs) -> Question {
    tell_of_zone([&args.since, &args.until]);
    let mut keys = args.pk;
    keys.extend(args.pks);
    keys.sort_unstable();
    keys.dedup();
    Question {
        source_id: args.source_id,
        schema: args.schema,
        table: args.table,
        keys,
        event_types: args.event_type.into_iter().map(event_type).collect(),
        gtid: args.gtid,
        since: args.since.map(|time| time.at),
        until: args.until.map(|time| time.at),
        connection_id: args.connection_id,
        changed_column: args.changed_column,
        values: args.values,
        ids: None,
        limit: None,
        newest_first: false,
        behind: None,
    }
}

const fn event_type(kind: EventKind) -> EventType {
    match kind {
        EventKind::Insert => EventType::Insert,
        EventKind::Update => EventType::Update,
        EventKind::Delete => EventType::Delete,
    }
}

/// Says once how a time without a zone was read, where the machine's own zone is another.
pub(crate) fn tell_of_zone<'t>(times: impl IntoIterator<Item = &'t Option<Time>>) {
    let read = |time: &'t Time| Some((&time.text, moment::in_local_zone(&time.text)?));
    if let Some((text, local)) = times.into_iter().flatten().find_map(read) {
        tracing::warn!("{text} is taken as UTC; write {local} if it is the time of this machine");
    }
}

/// Says how the keys of a table are written when one was asked for that no row of it can have.
pub(crate) async fn tell_of_keys(
    index: &Index,
    schema: Option<&str>,
    table: Option<&str>,
    keys: &[String],
) -> Result<(), Error> {
    if let Some(table) = table
        && !keys.is_empty()
        && let Some(form) = index.key_form(schema, table, keys).await?
    {
        tracing::warn!("{form}");
    }
    Ok(())
}
