//! `.bintrail.env`: defaults for flags, as `BINTRAIL_FLAG=value` lines in the working directory.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use bintrail_engine::dsn::MySqlDsn;

const NAME: &str = ".bintrail.env";

/// The text of the file in the working directory, empty where there is none; or why it cannot be read.
/// Passed over in silence, it would leave out the filters and the index that it names.
pub fn read() -> Result<String, String> {
    match std::fs::read_to_string(NAME) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(format!(
            "cannot read {NAME} in the working directory ({error}): mend it, or move it away"
        )),
        Ok(text) => Ok(text),
    }
}

/// Refuses what would set nothing: a line that is none, and a name that no flag has.
pub fn check(text: &str, known: impl Fn(&str) -> bool) -> Result<(), String> {
    for (number, line) in (1..).zip(text.lines()) {
        let Some(line) = content(line) else { continue };
        // Neither the line nor its value: they may hold a password.
        match split(line) {
            None => {
                return Err(format!(
                    "line {number} of {NAME} is not NAME=value: mend it, or put a # before it"
                ));
            }
            Some((name, _)) if !known(name) => {
                return Err(format!(
                    "line {number} of {NAME} sets {name}, which no flag is named after: `bintrail help COMMAND` \
                     lists the names; mend it, or put a # before it"
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Why a file that holds a password should not be as it is.
pub fn concern(text: &str) -> Option<String> {
    let mode = std::fs::metadata(NAME).ok()?.permissions().mode();
    (mode & 0o004 != 0 && parse(text).any(holds_password))
        .then(|| format!("every user may read {NAME}, which holds a password: chmod 600 {NAME}"))
}

fn holds_password((name, value): (&str, &str)) -> bool {
    name.ends_with("_DSN")
        && MySqlDsn::parse(value).is_ok_and(|dsn| !dsn.password.expose().is_empty())
}

/// What a line says, unless it is blank or a comment.
fn content(line: &str) -> Option<&str> {
    let line = line.trim();
    (!line.is_empty() && !line.starts_with('#')).then_some(line)
}

fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    Some((name.trim(), value.trim()))
}

/// The variables that the file sets.
///
/// Lines are `NAME=value`; the value may be in single or double quotes. Blank lines and lines that begin
/// with `#` are passed over.
pub fn parse(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(content).filter_map(|line| {
        let (name, value) = split(line)?;
        let quoted = |quote| {
            value
                .strip_prefix(quote)
                .and_then(|value| value.strip_suffix(quote))
        };
        let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
        Some((name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sets_nothing_is_refused_by_its_line() {
        let check = |text| check(text, |name| name == "BINTRAIL_TABLES");
        assert_eq!(
            check("# one\n\n  # two\nBINTRAIL_TABLES=a=b\nexport BINTRAIL_TABLES='t'\n"),
            Ok(())
        );
        let error = check("BINTRAIL_TABLES=t\nBINTRAIL_TABLE=s3cret\n").unwrap_err();
        assert!(
            error.starts_with("line 2 of .bintrail.env sets BINTRAIL_TABLE,"),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
        let error = check("\nBINTRAIL_SOURCE_DSN mysql://u:s3cret@h/\n").unwrap_err();
        assert!(
            error.starts_with("line 2 of .bintrail.env is not NAME=value"),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
        assert!(check("OTHER=1").unwrap_err().contains("OTHER"));
    }

    #[test]
    fn what_a_password_is() {
        for (line, holds) in [
            ("BINTRAIL_SOURCE_DSN=mysql://u:p@h/", true),
            ("BINTRAIL_INDEX_DSN='u:p@tcp(h:1)/d'", true),
            ("BINTRAIL_SOURCE_DSN=mysql://u@h/", false),
            ("BINTRAIL_INDEX_DSN=sqlite:x.db", false),
            ("BINTRAIL_TABLES=a:b@c", false),
        ] {
            assert_eq!(parse(line).any(holds_password), holds, "{line}");
        }
    }
}
