//! The flags that say which row changes, as a question.

use bintrail_engine::Error;
use bintrail_engine::index::Index;
use bintrail_engine::index::record::EventType;
use bintrail_engine::query::Question;

use crate::args::{EventKind, FilterArgs};

pub(crate) fn question(args: FilterArgs) -> Question {
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
        since: args.since,
        until: args.until,
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
