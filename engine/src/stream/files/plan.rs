//! Where to begin: what of the files the index has, and what it lacks in front of them.

use super::survey::{Survey, base};
use crate::error::Error;
use crate::gtids::Gtids;
use crate::index::record::{Checkpoint, Flavor, IndexedFile, Mode, Place};
use crate::source::server::{log_order, parse_set};

/// What the index knows.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) checkpoint: Option<Checkpoint>,
    /// Files that were indexed before, or begun.
    pub(super) files: Vec<IndexedFile>,
    /// Where the oldest transaction stands that it has.
    pub(super) oldest: Option<Place>,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    /// The first file to read; past the last when there is nothing to do.
    pub(crate) first: usize,
    /// Where to begin in it.
    pub(crate) position: u64,
    pub(crate) mode: Mode,
    /// The GTIDs in front of that.
    pub(crate) gtids: Gtids,
    /// Transactions of `gtids` may stand behind it and have to be left out.
    pub(crate) doubled: bool,
}

/// Finds out. `has_rows`: does a file have row changes that are to be kept, in front of a place if there is one?
///
/// # Errors
/// [`Error::Files`] when files are missing, or lie before what the index holds.
pub(super) fn plan(
    files: &[Survey],
    flavor: Flavor,
    known: &Known,
    has_rows: impl Fn(&Survey, Option<u64>) -> Result<bool, Error>,
) -> Result<Plan, Error> {
    let plan = match &known.checkpoint {
        None => fresh(files, flavor),
        Some(checkpoint) => resumed(files, flavor, checkpoint)?,
    };
    refuse_holes(files.get(plan.first..).unwrap_or_default())?;
    if known.checkpoint.is_some() {
        refuse_older(files, &plan, known, has_rows)?;
    }
    Ok(plan)
}

fn refuse_holes(files: &[Survey]) -> Result<(), Error> {
    for pair in files.windows(2) {
        let [one, next] = pair else { continue };
        let (Some(number), Some(following)) = (one.number(), next.number()) else {
            continue;
        };
        let missing = following.saturating_sub(number).saturating_sub(1);
        if missing > 0 {
            return Err(Error::Files(format!(
                "{missing} missing between {} and {}: copy them from the source, or name only the files up to {} with \
                 --files",
                one.name, next.name, one.name
            )));
        }
    }
    Ok(())
}

impl Known {
    /// What is known of a file.
    pub(super) fn row(&self, file: &Survey) -> Option<&IndexedFile> {
        self.files
            .iter()
            .find(|known| known.name == file.name && known.created == file.created)
    }
}

fn fresh(files: &[Survey], flavor: Flavor) -> Plan {
    let before = files.first().and_then(|file| file.before.clone());
    let gtids = before.unwrap_or_else(|| Gtids::none(flavor));
    // Without any transaction, it does not matter.
    let first_has = files.iter().find_map(|file| file.has_gtids);
    let by_gtid = flavor == Flavor::MariaDb || !gtids.is_empty() || first_has == Some(true);
    Plan {
        first: 0,
        position: 4,
        mode: if by_gtid { Mode::Gtid } else { Mode::Position },
        gtids: if by_gtid { gtids } else { Gtids::none(flavor) },
        doubled: false,
    }
}

fn resumed(files: &[Survey], flavor: Flavor, checkpoint: &Checkpoint) -> Result<Plan, Error> {
    let (name, position) = (&checkpoint.binlog_file, checkpoint.binlog_position);
    let same_name = files.iter().position(|file| file.name == *name);
    let same = same_name.filter(|at| {
        let created = files.get(*at).map(|file| file.created);
        checkpoint
            .binlog_created
            .is_none_or(|read| Some(read) == created)
    });
    let gtids = match checkpoint.mode {
        Mode::Gtid => parse_set(&checkpoint.gtid_set, flavor)?,
        Mode::Position => Gtids::none(flavor),
    };
    let at = |first, position, doubled| Plan {
        first,
        position,
        mode: checkpoint.mode,
        gtids: gtids.clone(),
        doubled,
    };
    if let Some(first) = same
        && (checkpoint.mode == Mode::Position || checkpoint.binlog_created.is_some())
    {
        let size = files.get(first).map_or(0, |file| file.size);
        if size < position {
            return Err(Error::Files(format!(
                "{name} ends at {size}, before {position} up to which it was read: copy it again from the source"
            )));
        }
        // What stands before the place has been read, and so have all its GTIDs.
        return Ok(at(first, position, flavor == Flavor::MySql));
    }
    if checkpoint.mode == Mode::Gtid {
        return behind_gtids(files, &gtids).map(|first| at(first, 4, true));
    }
    if same_name.is_some() {
        return Err(Error::Files(format!(
            "{name} was begun at another time than the {name} that the index has read up to {position}: it is another \
             server's, or the binary logs were reset"
        )));
    }
    let later = files.iter().position(|file| {
        base(name) != file.base() || log_order(&file.name, 0) > log_order(name, 0)
    });
    match later.and_then(|at| files.get(at)) {
        // All of them lie before.
        None => Ok(at(files.len(), 4, false)),
        Some(file) => Err(Error::Files(format!(
            "the index goes up to {name}:{position}, and {name} is missing in front of {}: copy it from the source, \
             or index the files into another index",
            file.name
        ))),
    }
}

/// The last file in front of which lies nothing but what was read.
fn behind_gtids(files: &[Survey], read: &Gtids) -> Result<usize, Error> {
    let lacks = |file: &Survey| {
        file.before
            .as_ref()
            .and_then(|before| before.missing_in(read))
    };
    if let Some(first) = files
        .iter()
        .rposition(|file| file.before.is_some() && lacks(file).is_none())
    {
        return Ok(first);
    }
    let Some(first) = files.first() else {
        return Ok(0);
    };
    Err(Error::Files(match lacks(first) {
        Some(missing) => missing_before(first, &missing),
        None => format!(
            "{} does not say which GTIDs lie before it, and the index goes by GTIDs: index it into another index",
            first.name
        ),
    }))
}

/// Transactions are missing in front of a file.
pub(crate) fn missing_before(file: &Survey, missing: &str) -> String {
    format!(
        "the transactions {missing} lie before {}, and are neither in the index nor in the files before it: name the \
         files that have them too, or is it another server's file?",
        file.name
    )
}

/// Row changes in front of the first place to read have to be in the index: from files, or by a stream.
fn refuse_older(
    files: &[Survey],
    plan: &Plan,
    known: &Known,
    has_rows: impl Fn(&Survey, Option<u64>) -> Result<bool, Error>,
) -> Result<(), Error> {
    // A stream that was there has all behind its first row change.
    let is_older = |file: &Survey| match &known.oldest {
        _ if known.row(file).is_some() => Ok(false),
        Some((oldest, position)) if *oldest == file.name => has_rows(file, Some(*position)),
        Some((oldest, _)) if base(oldest) == file.base() && file.order() > log_order(oldest, 0) => {
            Ok(false)
        }
        _ => has_rows(file, None),
    };
    let mut older = None;
    for file in files.iter().take(plan.first) {
        if is_older(file)? {
            older = Some(file);
        }
    }
    // Its beginning, where a stream began in it.
    if let Some(file) = files.get(plan.first)
        && plan.position > 4
        && is_older(file)?
    {
        older = Some(file);
    }
    let (Some(last), Some(checkpoint)) = (older, &known.checkpoint) else {
        return Ok(());
    };
    let rest = match files.iter().find(|file| file.order() > last.order()) {
        Some(file) => format!(
            "name the files from {} on with --files, or index all",
            file.name
        ),
        None => "index them".to_owned(),
    };
    Err(Error::Files(format!(
        "up to {}, they have row changes that are older than what the index holds, which goes up to {}:{}, and row \
         changes come into it in the order of their commits: {rest} into another index (--index-dsn)",
        last.name, checkpoint.binlog_file, checkpoint.binlog_position
    )))
}
