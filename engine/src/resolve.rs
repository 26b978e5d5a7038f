//! Names for the tables that rows come from.

use std::sync::Arc;

use bintrail_proto::binlog::table_map::TableMap;

use crate::described::{may_be_native, native};
use crate::error::Error;
use crate::index::record::Flavor;
use crate::source::server::Server;
use crate::table::Table;

/// Names `map`'s columns as they were when its rows were written: from the event where it has them
/// (`binlog_row_metadata=FULL`), else from the source's `information_schema` when the definition there is the event's, else
/// by their place. Which columns are generated is known to `information_schema` alone.
pub(crate) async fn resolve(
    map: TableMap,
    valid_from: (String, u64),
    server: &mut Server,
) -> Result<Table, Error> {
    if map.has_names() {
        let mut map = map;
        let known = server.columns(&map.schema, &map.table).await?;
        if server.flavor() == Flavor::MariaDb && map.columns.iter().any(may_be_native) {
            for column in &mut map.columns {
                let known = known
                    .iter()
                    .find(|known| Some(&*known.name) == column.name.as_deref());
                if let Some(native) = known.and_then(|known| native(column, &known.column_type)) {
                    column.column_type = native;
                }
            }
        }
        return Ok(Table::from_event(Arc::new(map), valid_from).with_generated(&known));
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
