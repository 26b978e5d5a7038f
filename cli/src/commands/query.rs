//! `bintrail query`.

pub(crate) mod lines;
pub(crate) mod table;

use std::io::Write;

use bintrail_engine::Error;
use bintrail_engine::index::Index;
use bintrail_engine::query::{Answer, Question};

use crate::args::{Order, QueryArgs, QueryFormat};
use lines::{Csv, Json};
use table::Table;

pub(crate) async fn run(args: QueryArgs) -> Result<(), Error> {
    let question = Question {
        limit: args.limit,
        newest_first: args.order == Order::Desc,
        ..super::filter::question(args.filter)
    };
    let index = Index::open(&super::index_dsn(&args.index)?, false).await?;
    let mut answer = index.ask(question).await?;
    let mut out = super::output();
    if args.explain {
        let explained = answer.explain().await?;
        out.write_all(explained.as_bytes()).map_err(Error::Output)?;
    } else {
        match args.format {
            QueryFormat::Table => print(&mut answer, Table::new(out.get_ref()), &mut out).await?,
            QueryFormat::Json => print(&mut answer, Json::array(), &mut out).await?,
            QueryFormat::Ndjson => print(&mut answer, Json::lines(), &mut out).await?,
            QueryFormat::Csv => print(&mut answer, Csv, &mut out).await?,
        }
    }
    out.flush().map_err(Error::Output)?;
    drop(answer);
    index.close().await?;
    Ok(())
}

/// A form of the output.
pub(crate) trait Form {
    /// What comes before all row changes.
    fn begin(&mut self, _out: &mut dyn Write) -> std::io::Result<()> {
        Ok(())
    }
    /// Some row changes.
    fn page(
        &mut self,
        out: &mut dyn Write,
        changes: &[bintrail_engine::query::Change],
    ) -> std::io::Result<()>;
    /// What comes behind them.
    fn end(&mut self, _out: &mut dyn Write) -> std::io::Result<()> {
        Ok(())
    }
}

async fn print(
    answer: &mut Answer<'_>,
    mut form: impl Form,
    out: &mut impl Write,
) -> Result<(), Error> {
    form.begin(out).map_err(Error::Output)?;
    loop {
        let page = answer.next_page().await?;
        if page.is_empty() {
            break;
        }
        form.page(out, &page).map_err(Error::Output)?;
        // What is found is shown at once.
        out.flush().map_err(Error::Output)?;
    }
    form.end(out).map_err(Error::Output)
}
