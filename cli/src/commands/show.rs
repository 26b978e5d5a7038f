//! `bintrail show`.

mod lines;
mod table;

use std::io::Write;

use bintrail_engine::Error;
use bintrail_engine::clock::rfc3339;
use bintrail_engine::index::Index;
use bintrail_engine::query::show::{Asked, Emptied, History, Past, RowAt, Step};

use crate::args::{QueryFormat, ShowArgs};
use lines::{Csv, Json};
use table::Table;

pub(crate) async fn run(args: ShowArgs) -> Result<(), Error> {
    super::filter::tell_of_zone([&args.at]);
    let asked = Asked {
        source_id: args.source_id,
        schema: args.schema,
        table: args.table,
        keys: args.pk,
        at: args.at.map(|time| time.at),
    };
    let (source_id, present) = (asked.source_id, asked.at.is_none());
    let (schema, table, keys) = (
        asked.schema.clone(),
        asked.table.clone(),
        asked.keys.clone(),
    );
    let index = Index::open(&args.index.dsn()?, false).await?;
    let mut out = super::output();
    let mut form: Box<dyn Form> = match args.format {
        QueryFormat::Table => Box::new(Table::new(out.get_ref())),
        QueryFormat::Json => Box::new(Json::array()),
        QueryFormat::Ndjson => Box::new(Json::lines()),
        QueryFormat::Csv => Box::new(Csv::new(args.history)),
    };
    if args.history {
        print_history(&mut index.history(asked).await?, &mut *form, &mut out).await?;
    } else {
        let mut past = index.past(asked).await?;
        if !print(&mut past, &mut *form, &mut out).await? {
            tell_of_none(&past);
        }
    }
    super::filter::tell_of_keys(&index, schema.as_deref(), Some(&table), &keys).await?;
    if present {
        super::status::tell_of_lacks(&index, source_id).await?;
    }
    index.close().await?;
    Ok(())
}

/// A form of the output.
trait Form {
    /// Rows as they were.
    fn rows(
        &mut self,
        out: &mut dyn Write,
        table: (&str, &str),
        rows: &[RowAt],
    ) -> std::io::Result<()>;
    /// Steps of a history.
    fn steps(&mut self, out: &mut dyn Write, steps: &[Step]) -> std::io::Result<()>;
    /// What comes behind all of them.
    fn end(&mut self, _out: &mut dyn Write) -> std::io::Result<()> {
        Ok(())
    }
}

/// Was there any row to print?
async fn print(
    past: &mut Past<'_>,
    form: &mut dyn Form,
    out: &mut impl Write,
) -> Result<bool, Error> {
    let mut found = false;
    while let Some(page) = past.next_page().await? {
        if page.is_empty() {
            continue;
        }
        found |= page
            .iter()
            .any(|row| row.since.is_some() || row.until.is_some());
        form.rows(out, (past.schema(), past.table()), &page)
            .map_err(Error::Output)?;
        out.flush().map_err(Error::Output)?;
    }
    form.end(out).map_err(Error::Output)?;
    out.flush().map_err(Error::Output)?;
    Ok(found)
}

/// Why no row of the table is there.
fn tell_of_none(past: &Past<'_>) {
    let name = format!("{}.{}", past.schema(), past.table());
    let Some(Emptied { what, at, gtid }) = past.emptied() else {
        tracing::warn!("the index knows of no row of {name} then");
        return;
    };
    let gtid = gtid
        .as_ref()
        .map_or_else(String::new, |gtid| format!(" (GTID {gtid})"));
    tracing::warn!(
        "{name} has no rows since {what} at {}{gtid}: --at {} shows those before",
        rfc3339(*at),
        rfc3339(at.saturating_sub(1))
    );
}

async fn print_history(
    history: &mut History<'_>,
    form: &mut dyn Form,
    out: &mut impl Write,
) -> Result<(), Error> {
    loop {
        let page = history.next_page().await?;
        if page.is_empty() {
            break;
        }
        form.steps(out, &page).map_err(Error::Output)?;
        out.flush().map_err(Error::Output)?;
    }
    form.end(out).map_err(Error::Output)?;
    out.flush().map_err(Error::Output)
}
