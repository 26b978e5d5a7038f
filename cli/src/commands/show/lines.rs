//! JSON and CSV.

use std::io::{self, Write};

use bintrail_engine::clock::rfc3339;
use bintrail_engine::query::show::{Event, Mark, Row, RowAt, State, Step};
use serde_json::json;

use super::Form;
use bintrail_engine::render::changes as query;

const fn state_name(state: State) -> &'static str {
    match state {
        State::Present => "present",
        State::Absent => "absent",
        State::Unknown => "unknown",
    }
}

fn row_json(row: &Row) -> String {
    let known = row
        .columns()
        .filter_map(|(name, value)| Some((name, value?)));
    let pairs: Vec<String> = known
        .map(|(name, value)| format!("{}:{value}", json!(name)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

fn unknown(row: &Row) -> Vec<&str> {
    let unknown = row.columns().filter(|(_, value)| value.is_none());
    unknown.map(|(name, _)| name).collect()
}

/// The fields of a row, as texts.
fn fields(table: (&str, &str), row: &RowAt) -> [Option<String>; 11] {
    let id = |mark: &Option<Mark>| Some(mark.as_ref()?.change_id?.to_string());
    let at = |mark: &Option<Mark>| Some(rfc3339(mark.as_ref()?.at?));
    [
        Some(table.0.to_owned()),
        Some(table.1.to_owned()),
        Some(row.key.clone()),
        Some(state_name(row.state).to_owned()),
        row.row.as_ref().map(row_json),
        row.row.as_ref().map(|row| json!(unknown(row)).to_string()),
        at(&row.since),
        id(&row.since),
        at(&row.until),
        id(&row.until),
        row.why.clone(),
    ]
}

const NAMES: [&str; 11] = [
    "schema_name",
    "table_name",
    "pk_values",
    "state",
    "row",
    "unknown_columns",
    "since",
    "since_change_id",
    "until",
    "until_change_id",
    "reason",
];

/// Those whose texts are JSON.
const RAW: [&str; 4] = [
    "row",
    "unknown_columns",
    "since_change_id",
    "until_change_id",
];

/// JSON objects, in an array or a line each.
pub(super) struct Json {
    array: bool,
    first: bool,
}

impl Json {
    pub(super) const fn array() -> Self {
        Self {
            array: true,
            first: true,
        }
    }

    pub(super) const fn lines() -> Self {
        Self {
            array: false,
            first: true,
        }
    }

    fn next(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let between: &[u8] = match (self.array, self.first) {
            (true, true) => b"[\n",
            (true, false) => b",\n",
            (false, true) => b"",
            (false, false) => b"\n",
        };
        self.first = false;
        out.write_all(between)
    }
}

impl Form for Json {
    fn rows(&mut self, out: &mut dyn Write, table: (&str, &str), rows: &[RowAt]) -> io::Result<()> {
        for row in rows {
            self.next(out)?;
            for (at, (name, field)) in NAMES.iter().zip(fields(table, row)).enumerate() {
                let value = match field {
                    Some(text) if !RAW.contains(name) => json!(text).to_string(),
                    Some(text) => text,
                    None => "null".to_owned(),
                };
                write!(out, "{}\"{name}\":{value}", if at == 0 { '{' } else { ',' })?;
            }
            out.write_all(b"}")?;
        }
        Ok(())
    }

    fn steps(&mut self, out: &mut dyn Write, steps: &[Step]) -> io::Result<()> {
        for step in steps {
            self.next(out)?;
            match step {
                Step::Change(change) => query::write_object(out, change)?,
                Step::Event(Event { at, what, .. }) => {
                    let event = json!({"event_timestamp": at.map(rfc3339), "event": what});
                    out.write_all(event.to_string().as_bytes())?;
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match (self.array, self.first) {
            (true, true) => out.write_all(b"[]\n"),
            (true, false) => out.write_all(b"\n]\n"),
            (false, true) => Ok(()),
            (false, false) => out.write_all(b"\n"),
        }
    }
}

/// RFC 4180, with line feeds. NULL is an empty field.
pub(super) struct Csv {
    /// The line of names, until it is written.
    names: Option<String>,
}

impl Csv {
    pub(super) fn new(history: bool) -> Self {
        let names = if history {
            format!("{},event\n", query::NAMES.trim_end())
        } else {
            format!("{}\n", NAMES.join(","))
        };
        Self { names: Some(names) }
    }

    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.names.take() {
            Some(names) => out.write_all(names.as_bytes()),
            None => Ok(()),
        }
    }
}

impl Form for Csv {
    fn rows(&mut self, out: &mut dyn Write, table: (&str, &str), rows: &[RowAt]) -> io::Result<()> {
        self.begin(out)?;
        for row in rows {
            query::write_fields(out, &fields(table, row))?;
        }
        Ok(())
    }

    fn steps(&mut self, out: &mut dyn Write, steps: &[Step]) -> io::Result<()> {
        self.begin(out)?;
        for step in steps {
            let fields = match step {
                Step::Change(change) => query::fields(change)?.into_iter().chain([None]).collect(),
                Step::Event(Event { at, what, .. }) => {
                    let mut fields = vec![None; query::NAMES.split(',').count()];
                    if let Some(time) = fields.get_mut(query::TIME) {
                        *time = at.map(rfc3339);
                    }
                    fields.push(Some(what.clone()));
                    fields
                }
            };
            query::write_fields(out, &fields)?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.begin(out)
    }
}
