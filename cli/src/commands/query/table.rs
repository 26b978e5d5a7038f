//! A table for people: a line for each row change, and what changed beside it, as wide as the terminal.

use std::io::{self, IsTerminal, Write};

use bintrail_engine::clock::rfc3339;
use bintrail_engine::query::{Change, Image, changed_columns};
use bintrail_engine::render::changes::{Form, event_name};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const HEADS: [&str; 5] = ["TIME (UTC)", "CONNECTION", "EVENT", "TABLE", "KEY"];

/// A column takes no more than this from what changed.
const WIDEST: usize = 40;

/// What changed stands beside the other columns when it has so much room, else below them.
const BESIDE: usize = 36;

/// Room for what changed where it stands below.
const INDENT: usize = 4;

pub(crate) struct Table {
    /// Columns of the terminal; `None` when it is none, and nothing is cut.
    width: Option<usize>,
    columns: Option<[usize; 5]>,
}

impl Table {
    pub(crate) fn new(out: &io::Stdout) -> Self {
        Self {
            width: width(out),
            columns: None,
        }
    }
}

impl Form for Table {
    fn page(&mut self, out: &mut dyn Write, changes: &[Change]) -> io::Result<()> {
        let columns = match self.columns {
            Some(columns) => columns,
            None => {
                let columns = widths(HEADS, changes.iter().map(cells));
                let mut heads = HEADS.map(str::to_owned).to_vec();
                let beside = place(self.width, &columns).1;
                heads.push(if beside {
                    "CHANGE".to_owned()
                } else {
                    String::new()
                });
                writeln!(out, "{}", line(&heads, &columns))?;
                self.columns = Some(columns);
                columns
            }
        };
        let (room, _) = place(self.width, &columns);
        for change in changes {
            let rest = what_changed(change, room)?;
            write_row(out, self.width, &columns, cells(change).to_vec(), rest)?;
        }
        Ok(())
    }

    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        if self.columns.is_none() {
            tracing::info!("no row change fits");
        }
        Ok(())
    }
}

/// The columns of the terminal; `None` when it is none.
pub(crate) fn width(out: &io::Stdout) -> Option<usize> {
    let size = out
        .is_terminal()
        .then(|| terminal_size::terminal_size_of(out));
    size.flatten().map(|(width, _)| usize::from(width.0))
}

/// The room for what changed, and whether it is beside the other columns.
pub(crate) fn place(width: Option<usize>, columns: &[usize]) -> (usize, bool) {
    let Some(width) = width else {
        return (usize::MAX, true);
    };
    let taken: usize = columns.iter().map(|width| width + 2).sum();
    match width.checked_sub(taken) {
        Some(room) if room >= BESIDE => (room, true),
        _ => (width.saturating_sub(INDENT).max(10), false),
    }
}

fn cells(change: &Change) -> [String; 5] {
    let facts = &change.transaction;
    let time = rfc3339(facts.committed_at).replace('T', " ");
    let table = format!("{}.{}", change.table.schema, change.table.table);
    [
        time.trim_end_matches('Z').to_owned(),
        facts
            .connection_id
            .map_or_else(String::new, |id| id.to_string()),
        event_name(change.event_type).to_owned(),
        cut(&plain(&table), WIDEST),
        cut(
            &plain(change.pk_values.as_deref().unwrap_or_default()),
            WIDEST,
        ),
    ]
}

/// How wide columns have to be for their cells.
pub(crate) fn widths<const N: usize>(
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> [usize; N] {
    let mut widths = heads.map(UnicodeWidthStr::width);
    for cells in rows {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.width().max(*width);
        }
    }
    widths
}

/// A row, and what belongs to it beside or below.
pub(crate) fn write_row(
    out: &mut dyn Write,
    width: Option<usize>,
    columns: &[usize],
    mut cells: Vec<String>,
    rest: Vec<String>,
) -> io::Result<()> {
    let mut rest = rest.into_iter();
    let indent = if place(width, columns).1 {
        cells.push(rest.next().unwrap_or_default());
        // A longer cell of this row moves only its own line.
        columns.iter().map(|width| width + 2).sum()
    } else {
        INDENT
    };
    writeln!(out, "{}", line(&cells, columns))?;
    for more in rest {
        writeln!(out, "{:indent$}{more}", "")?;
    }
    Ok(())
}

pub(crate) fn line(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (at, cell) in cells.iter().enumerate() {
        line.push_str(cell);
        if let Some(width) = widths.get(at) {
            let gap = width.saturating_sub(cell.width()) + 2;
            line.extend(std::iter::repeat_n(' ', gap));
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Lines of at most `room` columns: an update's changed columns one by one, the columns of a row that came or
/// went one behind the other.
fn what_changed(change: &Change, room: usize) -> io::Result<Vec<String>> {
    let before = change.before.as_deref().map(Image::parse).transpose()?;
    let after = change.after.as_deref().map(Image::parse).transpose()?;
    Ok(match (&before, &after) {
        (Some(before), Some(after)) => changed_columns(before, after)
            .map(|name| {
                let shown = |image: &Image<'_>| plain(image.get(name).unwrap_or("?"));
                update_line(&plain(name), &shown(before), &shown(after), room)
            })
            .collect(),
        (Some(image), None) | (None, Some(image)) => flow(image.columns(), room),
        (None, None) => Vec::new(),
    })
}

/// `name: before → after`
fn update_line(name: &str, before: &str, after: &str, room: usize) -> String {
    const SIGNS: usize = 5;
    let name = cut(name, WIDEST.min(room / 3).max(1));
    let room = room.saturating_sub(name.width() + SIGNS);
    let (wide, half) = (before.width().saturating_add(after.width()), room / 2);
    let (first, second) = if wide <= room {
        (room, room)
    } else if before.width() <= half {
        (half, room - before.width())
    } else if after.width() <= half {
        (room - after.width(), half)
    } else {
        (half, half)
    };
    format!("{name}: {} → {}", cut(before, first), cut(after, second))
}

/// `name: value, name: value`, in as many lines as it takes.
pub(crate) fn flow<'i>(
    columns: impl Iterator<Item = (&'i str, &'i str)>,
    room: usize,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut columns = columns.peekable();
    while let Some((name, value)) = columns.next() {
        let comma = if columns.peek().is_some() { "," } else { "" };
        let pair = format!("{}: {}", plain(name), plain(value));
        let pair = format!("{}{comma}", cut(&pair, room.saturating_sub(1)));
        match lines.last_mut() {
            Some(line) if line.width().saturating_add(pair.width() + 1) <= room => {
                line.push(' ');
                line.push_str(&pair);
            }
            _ => lines.push(pair),
        }
    }
    lines
}

/// Without anything that a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            out.extend(char.escape_unicode());
        } else {
            out.push(char);
        }
    }
    out
}

/// As much as fits, with a sign where something is left out.
pub(crate) fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut left = room.saturating_sub(1);
    for char in text.chars() {
        let width = char.width().unwrap_or(0);
        if width > left {
            break;
        }
        left -= width;
        out.push(char);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_to_fit() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        // Of two columns each.
        assert_eq!(cut("表表表", 5), "表表…");
        for (before, after) in [
            ("1", "2"),
            ("x", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"),
            ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "y"),
            (
                "xxxxxxxxxxxxxxxxxxxxxxxxxxx",
                "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
            ),
        ] {
            for room in 12..60 {
                let line = update_line("name", before, after, room);
                assert!(line.width() <= room, "{room}: {line}");
                assert!(room < 60 || line.contains(before), "{line}");
            }
        }
        assert_eq!(update_line("a", "1", "2", 20), "a: 1 → 2");
        let image =
            Image::parse(r#"{"id":1,"name":"x","long":"aaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#).unwrap();
        assert_eq!(
            flow(image.columns(), usize::MAX),
            [r#"id: 1, name: "x", long: "aaaaaaaaaaaaaaaaaaaaaaaaaaaa""#]
        );
        assert_eq!(
            flow(image.columns(), 17),
            [r#"id: 1, name: "x","#, r#"long: "aaaaaaaa…"#]
        );
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(plain("a\u{1b}[31m\u{9b}1mé"), "a\\u{1b}[31m\\u{9b}1mé");
    }
}
