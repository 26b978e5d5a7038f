//! `.bintrail.env`: defaults for flags, as `BINTRAIL_FLAG=value` lines in the working directory.

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
