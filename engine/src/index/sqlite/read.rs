//! SELECTs for [`read`](super::super::read).

use rusqlite::params_from_iter;
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};

use super::super::convert::{damaged, signed};
use super::super::read::{Cell, Cells, Rows, Select, Taker, Value};
use super::fault::Fault;
use super::store::Store;

impl Store {
    pub(super) fn read(&self, select: &Select, room: usize) -> Result<Rows, Fault> {
        let mut statement = self.connection.prepare_cached(&select.sql)?;
        let width = statement.column_count();
        let values = select
            .values
            .iter()
            .map(|value| {
                Ok(match value {
                    Value::Number(number) => {
                        ToSqlOutput::Owned(SqlValue::Integer(signed(*number)?))
                    }
                    Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
                })
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut taker = Taker::new(room);
        while let Some(row) = rows.next()? {
            if !taker.wants_more() {
                break;
            }
            let cells = (0..width)
                .map(|at| {
                    Ok(match row.get_ref(at)? {
                        ValueRef::Null => Cell::Null,
                        ValueRef::Integer(number) => Cell::Number(number.into()),
                        ValueRef::Text(text) => {
                            Cell::Text(std::str::from_utf8(text).map_err(damaged)?.to_owned())
                        }
                        other => return Err(damaged(other.data_type()).into()),
                    })
                })
                .collect::<Result<Vec<_>, Fault>>()?;
            taker.take(Cells(cells));
        }
        Ok(taker.done())
    }
}
