//! What a question about definitions, foreign keys and losses finds, for those who write SQL from row changes.

use super::statements::{self, Statements};
use super::{Answer, Change, Facts};
use crate::index::convert::{parse_columns, parse_known_by};
use crate::index::record::{Column, KnownBy, Micros};
use crate::index::{Index, Result};
use crate::schema::Statement;

/// A statement that changed definitions.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) statement: Statement,
    pub(crate) source_id: u32,
    /// The id that the next row change had.
    pub(crate) next_change_id: u64,
    pub(crate) committed_at: Micros,
    pub(crate) gtid: Option<String>,
}

impl Index {
    /// The statements that changed definitions, of one source or of all, in their order.
    pub(crate) async fn definitions(&self, source_id: Option<u32>) -> Result<Vec<Definition>> {
        let select = Statements::of(self).definitions(source_id);
        let mut all = Vec::new();
        for mut cells in self.read_again(select, usize::MAX).await?.rows {
            all.push(Definition {
                statement: Statement {
                    schema: cells.a_text(0)?,
                    sql_mode: cells.number(1)?,
                    temporary: cells.a_number::<u8>(2)? != 0,
                    sql: cells.a_text(3)?,
                },
                source_id: cells.a_number(4)?,
                next_change_id: cells.a_number(5)?,
                committed_at: cells.a_number(6)?,
                gtid: cells.text(7)?,
            });
        }
        Ok(all)
    }

    /// Does a source log the rows that a foreign key's rule changes? MySQL does since 9.6.
    pub(crate) async fn logs_cascades(&self, source_id: u32) -> Result<bool> {
        let select = statements::server_of(source_id);
        let Some(mut cells) = self.read_again(select, usize::MAX).await?.rows.pop() else {
            return Ok(false);
        };
        let (flavor, version) = (cells.a_text(0)?, cells.a_text(1)?);
        let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
        let since = (numbers.next().flatten(), numbers.next().flatten());
        Ok(flavor == "mysql" && since >= (Some(9), Some(6)))
    }

    /// Where changes of a source were lost: the id that the next one had, and when that was found.
    pub(crate) async fn gaps(&self, source_id: u32) -> Result<Vec<(u64, Micros)>> {
        let select = Statements::of(self).gaps(source_id);
        let mut gaps = Vec::new();
        for mut cells in self.read_again(select, usize::MAX).await?.rows {
            gaps.push((cells.a_number(0)?, cells.a_number(1)?));
        }
        Ok(gaps)
    }

    /// The tables that a source has row changes of, by schema and name.
    pub(crate) async fn tables_of(&self, source_id: u32) -> Result<Vec<(String, String)>> {
        let select = statements::tables_of(source_id);
        let mut tables = Vec::new();
        for mut cells in self.read_again(select, usize::MAX).await?.rows {
            tables.push((cells.a_text(0)?, cells.a_text(1)?));
        }
        Ok(tables)
    }
}

impl Answer<'_> {
    /// The tables that a transaction changed rows of, and of how many, up to `most` in all.
    pub(crate) async fn changed_by(
        &mut self,
        transaction: &Facts,
        most: u64,
    ) -> Result<Vec<((String, String), u64)>> {
        let select = self.statements.changed_by(transaction, most);
        let mut changed = Vec::new();
        for mut cells in self.index.read_again(select, usize::MAX).await?.rows {
            let table = self.table(cells.a_number(0)?).await?;
            let name = (table.schema.clone(), table.table.clone());
            changed.push((name, cells.a_number(1)?));
        }
        Ok(changed)
    }

    /// The statements that changed definitions behind a row change, in their order.
    pub(crate) async fn definitions_since(&self, change: &Change) -> Result<Vec<Statement>> {
        let select = statements::definitions_since(change);
        let mut since = Vec::new();
        for mut cells in self.index.read_again(select, usize::MAX).await?.rows {
            since.push(Statement {
                schema: cells.a_text(0)?,
                sql_mode: cells.number(1)?,
                temporary: cells.a_number::<u8>(2)? != 0,
                sql: cells.a_text(3)?,
            });
        }
        Ok(since)
    }

    /// The columns that a table of this name has at the end of what the index has; `None` where it does not know.
    pub(crate) async fn present(
        &self,
        source_id: u32,
        schema: &str,
        table: &str,
    ) -> Result<Option<Vec<Column>>> {
        let select = statements::present(source_id, schema, table);
        let found = self.index.read_again(select, usize::MAX).await?.rows.pop();
        let Some(mut cells) = found else {
            return Ok(None);
        };
        let columns = parse_columns(&cells.a_text(0)?)?;
        let known_by = parse_known_by(&cells.a_text(1)?)?;
        Ok((known_by != KnownBy::Position).then_some(columns))
    }
}
