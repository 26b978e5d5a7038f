//! Runs one SELECT on an embedded change index and prints its rows as a table, or with `--tsv`
//! as bare lines: a look into the index where no SQLite client is installed.
//!
//! `cargo run --release --example sql -p bintrail-engine -- [--tsv] INDEX-FILE SELECT`

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// A table's widest cell; the rest of a longer value is cut.
const WIDEST: usize = 70;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let tsv = arguments.first().is_some_and(|first| first == "--tsv");
    if tsv {
        arguments.remove(0);
    }
    let [path, select] = arguments.as_slice() else {
        eprintln!("usage: sql [--tsv] INDEX-FILE SELECT");
        return ExitCode::from(2);
    };
    match run(path, select, tsv) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sql: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(path: &str, select: &str, tsv: bool) -> Result<(), Box<dyn Error>> {
    let index = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    index.busy_timeout(std::time::Duration::from_secs(10))?;
    let mut statement = index.prepare(select)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut table = vec![names.clone()];
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let cells = (0..names.len())
            .map(|column| row.get_ref(column).map(text))
            .collect::<Result<Vec<_>, _>>()?;
        if tsv {
            writeln!(out, "{}", cells.join("\t"))?;
        } else {
            table.push(cells.iter().map(|cell| cut(cell)).collect());
        }
    }
    if !tsv {
        print(&mut out, &table)?;
    }
    out.flush()?;
    Ok(())
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}

fn cut(cell: &str) -> String {
    let cell = cell.replace(['\n', '\r', '\t'], " ");
    match cell.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", cell.get(..end).unwrap_or(&cell)),
        None => cell,
    }
}

fn print(out: &mut impl Write, table: &[Vec<String>]) -> io::Result<()> {
    let mut widths = vec![0; table.first().map_or(0, Vec::len)];
    for row in table {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for (number, row) in table.iter().enumerate() {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
        if number == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            writeln!(out, "{}", rule.join("  "))?;
        }
    }
    Ok(())
}
