//! `bintrail query`.

pub(crate) mod table;

use std::io::Write;

use bintrail_engine::Error;
use bintrail_engine::index::Index;
use bintrail_engine::query::{Answer, Question};
use bintrail_engine::render::changes::{Csv, Form, Json};

use crate::args::{Order, QueryArgs, QueryFormat};
use table::Table;

pub(crate) async fn run(args: QueryArgs) -> Result<(), Error> {
    let question = Question {
        limit: args.limit,
        newest_first: args.order == Order::Desc,
        ..super::filter::question(args.filter)
    };
    let (since, until, source_id) = (question.since, question.until, question.source_id);
    let (schema, table) = (question.schema.clone(), question.table.clone());
    let keys = question.keys.clone();
    let index = Index::open(&args.index.dsn()?, false).await?;
    let mut answer = index.ask(question).await?;
    let mut out = super::output();
    let found = if args.explain {
        let explained = answer.explain().await?;
        out.write_all(explained.as_bytes()).map_err(Error::Output)?;
        true
    } else {
        match args.format {
            QueryFormat::Table => print(&mut answer, Table::new(out.get_ref()), &mut out).await?,
            QueryFormat::Json => print(&mut answer, Json::array(), &mut out).await?,
            QueryFormat::Ndjson => print(&mut answer, Json::lines(), &mut out).await?,
            QueryFormat::Csv => print(&mut answer, Csv, &mut out).await?,
        }
    };
    out.flush().map_err(Error::Output)?;
    drop(answer);
    if !found {
        super::filter::tell_of_keys(&index, schema.as_deref(), table.as_deref(), &keys).await?;
    }
    super::rotate::tell_of_removed(&index, source_id, since).await?;
    if until.is_none() {
        super::status::tell_of_lacks(&index, source_id).await?;
    }
    index.close().await?;
    Ok(())
}

/// Was there anything?
async fn print(
    answer: &mut Answer<'_>,
    mut form: impl Form,
    out: &mut impl Write,
) -> Result<bool, Error> {
    let mut found = false;
    form.begin(out).map_err(Error::Output)?;
    loop {
        let page = answer.next_page().await?;
        if page.is_empty() {
            break;
        }
        found = true;
        form.page(out, &page).map_err(Error::Output)?;
        // What is found is shown at once.
        out.flush().map_err(Error::Output)?;
    }
    form.end(out).map_err(Error::Output)?;
    Ok(found)
}
