//! SELECTs for [`read`](super::super::read).

use mysql_async::prelude::Queryable;
use mysql_async::{Params, Value as SqlValue};

use super::super::convert::damaged;
use super::super::read::{Cell, Cells, Rows, Select, Taker, Value};
use super::fault::Fault;
use super::session::Session;

impl Session {
    pub(super) async fn read(&mut self, select: &Select, room: usize) -> Result<Rows, Fault> {
        let values: Vec<SqlValue> = select
            .values
            .iter()
            .map(|value| match value {
                Value::Number(number) => SqlValue::UInt(*number),
                Value::Text(text) => SqlValue::Bytes(text.clone().into_bytes()),
            })
            .collect();
        let params = if values.is_empty() {
            Params::Empty
        } else {
            Params::Positional(values)
        };
        let mut result = self.conn.exec_iter(select.sql.as_str(), params).await?;
        let mut taker = Taker::new(room);
        // What there is no room for has to be read all the same.
        while let Some(row) = result.next().await? {
            if taker.wants_more() {
                let cells = row.unwrap().into_iter().map(cell);
                taker.take(Cells(cells.collect::<Result<_, Fault>>()?));
            }
        }
        Ok(taker.done())
    }
}

fn cell(value: SqlValue) -> Result<Cell, Fault> {
    Ok(match value {
        SqlValue::NULL => Cell::Null,
        SqlValue::Int(number) => Cell::Number(number.into()),
        SqlValue::UInt(number) => Cell::Number(number.into()),
        SqlValue::Bytes(bytes) => Cell::Text(String::from_utf8(bytes).map_err(damaged)?),
        other => return Err(damaged(other.as_sql(true)).into()),
    })
}
