//! `bintrail recover`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use bintrail_engine::Error;
use bintrail_engine::index::Index;
use bintrail_engine::recover::{self, Asked, Checked, OnConflict, Options, Target};

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
    let index = Index::open(&args.index.dsn()?, false).await?;
    let question = super::filter::question(args.filter);
    let (source_id, since) = (question.source_id, question.since);
    if question.until.is_none() {
        super::status::tell_of_lacks(&index, source_id).await?;
    }
    let (schema, table) = (question.schema.clone(), question.table.clone());
    let keys = question.keys.clone();
    let mut asked = recover::ask(&index, question).await?;
    let mut target = match super::target_options(&args.target)? {
        Some(target) => Some(Target::connect(&target, options.foreign_key_checks).await?),
        None => None,
    };
    let checked = recover::check(&mut asked, options, target.as_mut()).await?;
    let done = if checked.summary.changes == 0 {
        tracing::warn!("no row change fits");
        super::filter::tell_of_keys(&index, schema.as_deref(), table.as_deref(), &keys).await
    } else if args.dry_run {
        let all = options.on_conflict != OnConflict::Stop;
        dry_run(&mut asked, &checked, target.as_mut(), all).await
    } else if let Some(target) = target.as_mut().filter(|_| args.apply) {
        apply(&mut asked, checked, target).await
    } else {
        write(&mut asked, checked, args.output.as_deref()).await
    };
    if let Some(target) = target {
        target.close().await;
    }
    done?;
    drop(asked);
    super::rotate::tell_of_removed(&index, source_id, since).await?;
    index.close().await?;
    Ok(())
}

async fn dry_run(
    asked: &mut Asked<'_>,
    checked: &Checked,
    target: Option<&mut Target>,
    all: bool,
) -> Result<(), Error> {
    let mut text = checked.summary.describe();
    if let Some(target) = target {
        let conflicts = recover::examine(asked, checked, target).await?;
        text.push_str(&conflicts.describe(all));
        text.push_str(&format!("conflicts: {}\n", conflicts.count));
    }
    print(&text)
}

async fn apply(asked: &mut Asked<'_>, checked: Checked, target: &mut Target) -> Result<(), Error> {
    let applied = recover::apply(asked, checked, target).await?;
    print(&applied.describe())?;
    match applied.left_alone {
        0 => Ok(()),
        1 => Err(Error::LeftAlone("1 row change was".to_owned())),
        count => Err(Error::LeftAlone(format!("{count} row changes were"))),
    }
}

fn print(text: &str) -> Result<(), Error> {
    let mut out = super::output();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::Output)
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

async fn write(asked: &mut Asked<'_>, checked: Checked, path: Option<&Path>) -> Result<(), Error> {
    let Some(path) = path else {
        return recover::write(asked, checked, &mut super::output()).await;
    };
    let fault = |error: io::Error| {
        let problem = match error.kind() {
            io::ErrorKind::AlreadyExists => format!(
                "{} is there already, and is not overwritten: name another file, or remove it",
                path.display()
            ),
            io::ErrorKind::NotFound => format!(
                "the directory of {} is not there: make it, or name another file",
                path.display()
            ),
            io::ErrorKind::PermissionDenied => format!(
                "{} may not be made here ({error}): name a file in another directory",
                path.display()
            ),
            _ => format!("{}: {error}", path.display()),
        };
        Error::Output(io::Error::new(error.kind(), problem))
    };
    let file = File::create_new(path).map_err(fault)?;
    let text = format!(
        "written to {}:\n{}",
        path.display(),
        checked.summary.describe()
    );
    if let Err(error) = recover::write(asked, checked, &mut BufWriter::new(file)).await {
        // Half of it is of no use, and would be in the way of the next attempt.
        std::fs::remove_file(path).ok();
        return Err(match error {
            Error::Output(error) => fault(error),
            error => error,
        });
    }
    print(&text)
}
