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
        && (plan.position > 4 || plan.doubled)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::record::{CaptureSkips, FileStatus};

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    /// Files by number; of each, the last GTID before it.
    fn files(numbers: &[(u32, Option<u32>)]) -> Vec<Survey> {
        let file = |(number, last): &(u32, Option<u32>)| Survey {
            path: "".into(),
            name: format!("log.{number:06}"),
            size: 1000,
            created: 100 + number,
            server_id: 1,
            version: "9.7.0".to_owned(),
            flavor: Flavor::MySql,
            in_use: false,
            before: last.map(|last| {
                let set = match last {
                    0 => String::new(),
                    last => format!("{A}:1-{last}"),
                };
                Gtids::parse(&set, Flavor::MySql).unwrap()
            }),
            has_gtids: last.map(|_| true).or(Some(false)),
            own: None,
        };
        numbers.iter().map(file).collect()
    }

    fn known(mode: Mode, file: &str, position: u64, created: Option<u32>, last: u32) -> Known {
        Known {
            checkpoint: Some(Checkpoint {
                mode,
                binlog_file: file.to_owned(),
                binlog_position: position,
                binlog_created: created,
                gtid_set: match mode {
                    Mode::Gtid => format!("{A}:1-{last}"),
                    Mode::Position => String::new(),
                },
                next_change_id: 5,
                events_indexed: 4,
                last_event_time: None,
                server_id: 0,
                lag_seconds: None,
                capture_skips: CaptureSkips::default(),
            }),
            files: Vec::new(),
            oldest: Some(("log.000001".to_owned(), 200)),
        }
    }

    /// The file and position to begin at, where older files have no rows.
    fn begin(files: &[Survey], known: &Known) -> Result<(usize, u64), String> {
        plan(files, Flavor::MySql, known, |_, _| Ok(false))
            .map(|plan| (plan.first, plan.position))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn by_position_it_goes_on_in_the_file_that_was_read() {
        let files = files(&[(1, None), (2, None), (3, None)]);
        let at = |file, position, created| known(Mode::Position, file, position, created, 0);
        assert_eq!(
            begin(&files, &at("log.000002", 500, Some(102))),
            Ok((1, 500))
        );
        assert_eq!(begin(&files, &at("log.000002", 500, None)), Ok((1, 500)));
        // All of them lie before.
        assert_eq!(begin(&files, &at("log.000009", 4, None)), Ok((3, 4)));
        for (file, position, created, why) in [
            ("log.000002", 500, Some(7), "begun at another time"),
            ("log.000002", 2000, Some(102), "ends at 1000, before 2000"),
            (
                "log.000000",
                9,
                None,
                "log.000000 is missing in front of log.000001",
            ),
        ] {
            let error = begin(&files, &at(file, position, created)).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn by_gtid_it_goes_on_in_the_last_file_with_nothing_unread_before_it() {
        let files = files(&[(1, Some(0)), (2, Some(10)), (3, Some(20))]);
        let read = |last| known(Mode::Gtid, "", 4, None, last);
        assert_eq!(begin(&files, &read(15)), Ok((1, 4)));
        assert_eq!(begin(&files, &read(20)), Ok((2, 4)));
        assert_eq!(begin(&files, &read(99)), Ok((2, 4)));
        // The place is known as well.
        let there = known(Mode::Gtid, "log.000002", 700, Some(102), 15);
        assert_eq!(begin(&files, &there), Ok((1, 700)));
        let error = begin(&files[2..], &read(15)).unwrap_err();
        assert!(error.contains(":16-20 lie before log.000003"), "{error}");
    }

    #[test]
    fn a_hole_is_seen_unless_it_lies_in_front() {
        let files = files(&[(1, None), (3, None), (4, None)]);
        let fresh = Known {
            checkpoint: None,
            files: Vec::new(),
            oldest: None,
        };
        let error = begin(&files, &fresh).unwrap_err();
        assert!(
            error.contains("1 missing between log.000001 and log.000003"),
            "{error}"
        );
        assert_eq!(
            begin(&files, &known(Mode::Position, "log.000003", 4, None, 0)),
            Ok((1, 4))
        );
        let plan = plan(&files[1..], Flavor::MySql, &fresh, |_, _| Ok(true)).unwrap();
        assert_eq!((plan.first, plan.mode), (0, Mode::Position));
    }

    #[test]
    fn older_row_changes_are_refused_unless_the_index_has_them() {
        let files = files(&[(1, None), (2, None), (3, None)]);
        let mut known = known(Mode::Position, "log.000003", 500, None, 0);
        known.oldest = Some(("log.000002".to_owned(), 300));
        let ask = |known: &Known, holds: fn(&Survey, Option<u64>) -> bool| {
            plan(&files, Flavor::MySql, known, |file, before| {
                Ok(holds(file, before))
            })
            .map(|plan| plan.first)
            .map_err(|error| error.to_string())
        };
        let error = ask(&known, |_, _| true).unwrap_err();
        assert!(error.contains("up to log.000002"), "{error}");
        // In front of the oldest row change there is none in its file.
        let error = ask(&known, |_, before| before.is_none()).unwrap_err();
        assert!(error.contains("up to log.000001"), "{error}");
        assert_eq!(ask(&known, |_, _| false), Ok(2));
        for (name, created) in [("log.000001", 101), ("log.000002", 102)] {
            known.files.push(IndexedFile {
                name: name.to_owned(),
                created,
                size: 1000,
                last_position: 1000,
                events: 3,
                status: FileStatus::Indexed,
                error: None,
            });
        }
        assert_eq!(ask(&known, |_, _| true), Ok(2));
        // One of the same name, begun at another time, is another.
        known.files[0].created = 7;
        assert!(ask(&known, |_, _| true).is_err());
    }
}
