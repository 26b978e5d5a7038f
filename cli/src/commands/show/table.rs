//! For people.

use std::io::{self, Write};

use bintrail_engine::clock::rfc3339;
use bintrail_engine::query::show::{Mark, Row, RowAt, State, Step};

use super::Form;
use crate::commands::query::table::{self as query, cut, plain};
use bintrail_engine::render::changes::Form as _;

/// A key takes no more room.
const WIDEST: usize = 40;

const HEADS: [&str; 2] = ["KEY", "SINCE (UTC)"];

pub(super) struct Table {
    width: Option<usize>,
    columns: Option<[usize; 2]>,
    /// Of a history.
    changes: query::Table,
}

impl Table {
    pub(super) fn new(out: &io::Stdout) -> Self {
        Self {
            width: query::width(out),
            columns: None,
            changes: query::Table::new(out),
        }
    }
}

fn cells(row: &RowAt) -> [String; 2] {
    let time = |mark: &Mark| mark.at.map(|at| rfc3339(at).replace('T', " "));
    let since = row.since.as_ref().and_then(time).unwrap_or_default();
    [
        cut(&plain(&row.key), WIDEST),
        since.trim_end_matches('Z').to_owned(),
    ]
}

fn what(row: &RowAt, room: usize) -> Vec<String> {
    match (&row.state, &row.row) {
        (State::Present, Some(row)) => flow(row, room),
        (State::Unknown, _) => {
            let why = row.why.as_deref().unwrap_or_default();
            vec![format!("not known: {}", plain(why))]
        }
        _ => {
            let since = row
                .since
                .as_ref()
                .map(|mark| format!(" ({})", plain(&mark.what)));
            vec![cut(&format!("no row{}", since.unwrap_or_default()), room)]
        }
    }
}

fn flow(row: &Row, room: usize) -> Vec<String> {
    query::flow(
        row.columns()
            .map(|(name, value)| (name, value.unwrap_or("?"))),
        room,
    )
}

impl Form for Table {
    fn rows(
        &mut self,
        out: &mut dyn Write,
        _table: (&str, &str),
        rows: &[RowAt],
    ) -> io::Result<()> {
        let columns = match self.columns {
            Some(columns) => columns,
            None => {
                let columns = query::widths(HEADS, rows.iter().map(cells));
                let mut heads = HEADS.map(str::to_owned).to_vec();
                let beside = query::place(self.width, &columns).1;
                heads.push(if beside {
                    "ROW".to_owned()
                } else {
                    String::new()
                });
                writeln!(out, "{}", query::line(&heads, &columns))?;
                *self.columns.insert(columns)
            }
        };
        for row in rows {
            let (room, _) = query::place(self.width, &columns);
            query::write_row(
                out,
                self.width,
                &columns,
                cells(row).to_vec(),
                what(row, room),
            )?;
        }
        Ok(())
    }

    fn steps(&mut self, out: &mut dyn Write, steps: &[Step]) -> io::Result<()> {
        for step in steps {
            match step {
                Step::Change(change) => self.changes.page(out, std::slice::from_ref(&**change))?,
                Step::Event(event) => {
                    let at = event
                        .at
                        .map_or_else(String::new, |at| rfc3339(at).replace('T', " "));
                    let line = format!("{}  {}", at.trim_end_matches('Z'), plain(&event.what));
                    writeln!(out, "{}", cut(&line, self.width.unwrap_or(usize::MAX)))?;
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
