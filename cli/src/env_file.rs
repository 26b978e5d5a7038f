//! `.bintrail.env`: defaults for flags, as `BINTRAIL_FLAG=value` lines in the working directory.

use std::io::ErrorKind;

const NAME: &str = ".bintrail.env";

/// The text of the file in the working directory, empty where there is none; or why it cannot be read.
/// Passed over in silence, it would leave out the filters and the index that it names.
pub(crate) fn read() -> Result<String, String> {
    match std::fs::read_to_string(NAME) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(format!(
            "cannot read {NAME} in the working directory ({error}): mend it, or move it away"
        )),
        Ok(text) => Ok(text),
    }
}

/// Variables from `.bintrail.env` that the environment does not have.
///
/// Lines are `NAME=value`; the value may be in single or double quotes. Blank lines and lines that begin
/// with `#` are passed over, and so are names that do not begin with `BINTRAIL_`.
pub(crate) fn parse(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let quoted = |quote| {
            value
                .strip_prefix(quote)
                .and_then(|value| value.strip_suffix(quote))
        };
        let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
        name.starts_with("BINTRAIL_").then_some((name, value))
    })
}
