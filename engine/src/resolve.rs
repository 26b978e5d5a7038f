//! Names for the tables that rows come from.

use std::sync::Arc;

use bintrail_proto::binlog::table_map::TableMap;

use crate::error::Error;
use crate::source::server::Server;
use crate::table::Table;

/// Names `map`'s columns as they were when its rows were written: from the event where it has them
/// (`binlog_row_metadata=FULL`), else from the source's `information_schema` when the definition
/// there is the event's, else by their place.
pub(crate) async fn resolve(
    map: TableMap,
    valid_from: (String, u64),
    server: &mut Server,
) -> Result<Table, Error> {
    if map.has_names() {
        return Ok(Table::from_event(Arc::new(map), valid_from));
    }
    let schema = server.columns(&map.schema, &map.table).await?;
    if let Some(table) = Table::from_schema(&map, &schema, valid_from.clone()) {
        return Ok(table);
    }
    tracing::warn!(
        schema = &*map.schema,
        table = &*map.table,
        file = valid_from.0,
        position = valid_from.1,
        "the table's definition has changed since these rows were written, or cannot be seen: columns are named @1, @2, …; \
         SET PERSIST binlog_row_metadata = FULL on the source has every event name its columns"
    );
    Ok(Table::from_event(Arc::new(map), valid_from))
}
