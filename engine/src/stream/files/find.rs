//! Which files: all of a directory, or those named.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::survey::base;
use crate::error::Error;
use crate::source::server::log_order;

/// Which of a directory's files to index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All that are named like binlog files.
    All,
    /// These.
    Named(Vec<String>),
}

/// The paths, oldest file first.
pub(super) fn find(directory: &Path, which: &Which) -> Result<Vec<PathBuf>, Error> {
    let mut names = match which {
        Which::Named(names) => {
            if let Some(name) = names.iter().find(|name| name.contains('/')) {
                return Err(Error::Usage(format!(
                    "--files {name}: it is a name in --binlog-dir"
                )));
            }
            names.clone()
        }
        Which::All => list(directory)?,
    };
    names.sort_by(|one, other| log_order(one, 0).cmp(&log_order(other, 0)));
    names.dedup();
    let bases = names.iter().map(|name| base(name));
    let mut bases: Vec<&str> = bases.collect();
    bases.sort_unstable();
    bases.dedup();
    match bases.as_slice() {
        [] => Err(Error::Files(format!(
            "{} has none; files are named as `SHOW BINARY LOGS` lists them, such as mysql-bin.000001",
            directory.display()
        ))),
        [_] => Ok(names.iter().map(|name| directory.join(name)).collect()),
        several => Err(Error::Files(format!(
            "{} has files of several kinds ({}); name those of one server's binary log with --files",
            directory.display(),
            several.join(", ")
        ))),
    }
}

/// The binlog files in a directory, by name: those that end with a dot and a number of six digits or more.
fn list(directory: &Path) -> Result<Vec<String>, Error> {
    let failed = |error| Error::File {
        path: directory.to_owned(),
        error,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let numbered = name.rsplit_once('.').is_some_and(|(base, number)| {
            !base.is_empty()
                && number.len() >= 6
                && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if numbered && entry.path().is_file() && is_binlog(&entry.path()).map_err(failed)? {
            names.push(name);
        }
    }
    Ok(names)
}

/// Does it begin as a binlog file does, encrypted or not? Other files are named like that, too: `aria_log.00000001`.
fn is_binlog(path: &Path) -> io::Result<bool> {
    let mut first = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut first)?;
    Ok(matches!(first.as_slice(), [0xfe | 0xfd, b'b', b'i', b'n']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_numbers() {
        let directory = std::env::temp_dir().join(format!("bintrail-find-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        for name in [
            "b.1000000",
            "b.999999",
            "b.index",
            "b.000010",
            "auto.cnf",
            ".000001",
            "b.00001x",
            "b.2024",
        ] {
            std::fs::write(directory.join(name), b"\xfebin").unwrap();
        }
        std::fs::write(directory.join("aria_log.00000001"), b"\xfe\xfe\x0c\x01").unwrap();
        let names = |which: &Which| {
            find(&directory, which).map(|paths| {
                let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
                paths.into_iter().map(name).collect::<Vec<_>>()
            })
        };
        let all = names(&Which::All).unwrap();
        assert_eq!(all, ["b.000010", "b.999999", "b.1000000"]);
        let named = Which::Named(vec![
            "b.000002".into(),
            "b.000001".into(),
            "b.000002".into(),
        ]);
        assert_eq!(names(&named).unwrap(), ["b.000001", "b.000002"]);
        let elsewhere = Which::Named(vec!["../b.000001".into()]);
        assert!(matches!(names(&elsewhere), Err(Error::Usage(_))));
        std::fs::write(directory.join("relay.000001"), b"\xfdbin").unwrap();
        let several = names(&Which::All).unwrap_err().to_string();
        assert!(several.contains("(b, relay)"), "{several}");
        std::fs::remove_dir_all(directory).unwrap();
    }
}
