//! Passwords off the command line, which everyone on the machine can read.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

use bintrail_engine::dsn::MySqlDsn;

/// The flags that take a DSN, and their environment variables.
const FLAGS: [(&str, &str); 3] = [
    ("--source-dsn", "BINTRAIL_SOURCE_DSN"),
    ("--index-dsn", "BINTRAIL_INDEX_DSN"),
    ("--target-dsn", "BINTRAIL_TARGET_DSN"),
];

/// Starts this program anew in its own place, with the DSNs that hold a password in its environment instead of among its
/// arguments. Returns when there is none, or when that cannot be.
pub(crate) fn hide_passwords() {
    let mut given = std::env::args_os();
    let name = given.next().unwrap_or_default();
    let (left, moved) = sift(given);
    if moved.is_empty() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // It only comes back when it fails, and then all is as it was.
        let _ = Command::new(program)
            .arg0(name)
            .args(left)
            .envs(moved)
            .exec();
    }
}

/// The arguments that may stay, and the variables that take the place of the others.
fn sift(
    arguments: impl Iterator<Item = OsString>,
) -> (Vec<OsString>, BTreeMap<&'static str, OsString>) {
    let (mut left, mut moved) = (Vec::new(), BTreeMap::new());
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        let (flag, joined) = split(&argument);
        let variable = FLAGS
            .iter()
            .find(|(name, _)| flag == *name)
            .map(|(_, variable)| *variable);
        let Some(variable) = variable else {
            left.push(argument);
            continue;
        };
        let dsn = match joined {
            Some(dsn) => dsn.to_owned(),
            None => match arguments.peek() {
                Some(next) => next.clone(),
                None => OsString::new(),
            },
        };
        if has_password(&dsn) {
            if joined.is_none() {
                arguments.next();
            }
            moved.insert(variable, dsn);
        } else {
            left.push(argument);
        }
    }
    (left, moved)
}

/// `--flag` and what stands behind its `=`.
fn split(argument: &OsStr) -> (&str, Option<&OsStr>) {
    match argument.to_str() {
        Some(text) => match text.split_once('=') {
            Some((flag, value)) => (flag, Some(OsStr::new(value))),
            None => (text, None),
        },
        None => ("", None),
    }
}

fn has_password(dsn: &OsStr) -> bool {
    let dsn = dsn.to_str().map(MySqlDsn::parse);
    matches!(dsn, Some(Ok(dsn)) if !dsn.password.expose().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dsn_with_a_password_is_taken_away() {
        let sift = |arguments: &[&str]| {
            let (left, moved) = sift(arguments.iter().map(OsString::from));
            let moved: Vec<_> = moved
                .into_iter()
                .map(|(name, value)| format!("{name}={}", value.display()))
                .collect();
            (left, moved)
        };
        let stays: &[&str] = &[
            "stream",
            "--source-dsn",
            "u@tcp(h)/",
            "--index-dsn=sqlite:a",
            "--pk",
            "u:p@tcp(h)/",
        ];
        assert_eq!(
            sift(stays),
            (stays.iter().map(OsString::from).collect(), Vec::new())
        );
        let (left, moved) = sift(&[
            "stream",
            "--source-dsn",
            "u:p@tcp(h)/",
            "--index-dsn=mysql://u:p=q@h/d?ssl-mode=required",
            "--batch-size",
            "5",
        ]);
        assert_eq!(left, ["stream", "--batch-size", "5"]);
        assert_eq!(
            moved,
            [
                "BINTRAIL_INDEX_DSN=mysql://u:p=q@h/d?ssl-mode=required",
                "BINTRAIL_SOURCE_DSN=u:p@tcp(h)/"
            ]
        );
        assert_eq!(sift(&["tail", "--source-dsn"]).0, ["tail", "--source-dsn"]);
    }
}
