//! `bintrail recover`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use bintrail_engine::Error;
use bintrail_engine::index::Index;
use bintrail_engine::query::Answer;
use bintrail_engine::recover::{self, OnConflict, Options, Summary};

use crate::args::{Conflict, FilterArgs, RecoverArgs};

pub(crate) async fn run(args: RecoverArgs) -> Result<(), Error> {
    if !names_something(&args.filter) {
        return Err(Error::Usage(
            "recover needs to know what: give --table, --pk, --gtid, --connection-id, --since or another of the flags \
             that `bintrail help recover` names"
                .to_owned(),
        ));
    }
    let options = Options {
        redo: args.redo,
        on_conflict: match args.on_conflict {
            Conflict::Stop => OnConflict::Stop,
            Conflict::Skip => OnConflict::Skip,
            Conflict::Force => OnConflict::Force,
        },
        batch: args.batch,
        foreign_key_checks: !args.no_foreign_key_checks,
    };
    let index = Index::open(&super::index_dsn(&args.index)?, false).await?;
    let mut answer = index.ask(super::filter::question(args.filter)).await?;
    let summary = recover::check(&mut answer, options).await?;
    if args.dry_run {
        super::output()
            .write_all(summary.describe().as_bytes())
            .map_err(Error::Output)?;
    } else if summary.count() > 0 {
        write(&mut answer, options, &summary, args.output.as_deref()).await?;
    }
    if summary.count() == 0 {
        tracing::warn!("no row change fits");
    }
    drop(answer);
    index.close().await?;
    Ok(())
}

/// Without a question it would undo all that the index has.
fn names_something(args: &FilterArgs) -> bool {
    let FilterArgs {
        source_id: _,
        schema,
        table,
        pk,
        pks,
        event_type: _,
        gtid,
        since,
        until,
        connection_id,
        changed_column,
        values,
    } = args;
    schema.is_some()
        || table.is_some()
        || gtid.is_some()
        || since.is_some()
        || until.is_some()
        || connection_id.is_some()
        || changed_column.is_some()
        || !(pk.is_empty() && pks.is_empty() && values.is_empty())
}

async fn write(
    answer: &mut Answer<'_>,
    options: Options,
    summary: &Summary,
    path: Option<&Path>,
) -> Result<(), Error> {
    let Some(path) = path else {
        return recover::write(answer, options, summary, &mut super::output()).await;
    };
    let file = File::create(path).map_err(|error| {
        let problem = format!("{}: {error}", path.display());
        Error::Output(std::io::Error::new(error.kind(), problem))
    })?;
    recover::write(answer, options, summary, &mut BufWriter::new(file)).await
}
