//! Row changes as JSON and CSV: the columns of the view `binlog_events`, under their names.

use std::io::{self, Write};

use serde_json::json;

use crate::clock::rfc3339;
use crate::index::record::EventType;
use crate::query::{Change, Image, changed_columns};

/// A form of many row changes.
pub trait Form {
    /// What comes before all row changes.
    ///
    /// # Errors
    /// Those of `out`.
    fn begin(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
    /// Some row changes.
    ///
    /// # Errors
    /// Those of `out`, and images that are no JSON.
    fn page(&mut self, out: &mut dyn Write, changes: &[Change]) -> io::Result<()>;
    /// What comes behind them.
    ///
    /// # Errors
    /// Those of `out`.
    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// Its name in the view.
#[must_use]
pub const fn event_name(event_type: EventType) -> &'static str {
    match event_type {
        EventType::Insert => "INSERT",
        EventType::Update => "UPDATE",
        EventType::Delete => "DELETE",
    }
}

/// The names of the columns that an update changed, as a JSON array.
fn changed(change: &Change) -> io::Result<Option<String>> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return Ok(None);
    };
    let (before, after) = (Image::parse(before)?, Image::parse(after)?);
    let names: Vec<&str> = changed_columns(&before, &after).collect();
    Ok(Some(serde_json::to_string(&names)?))
}

/// JSON objects, in an array or a line each.
#[derive(Debug)]
pub struct Json {
    array: bool,
    first: bool,
}

impl Json {
    /// In an array.
    #[must_use]
    pub const fn array() -> Self {
        Self {
            array: true,
            first: true,
        }
    }

    /// A line each.
    #[must_use]
    pub const fn lines() -> Self {
        Self {
            array: false,
            first: true,
        }
    }
}

impl Form for Json {
    fn page(&mut self, out: &mut dyn Write, changes: &[Change]) -> io::Result<()> {
        for change in changes {
            match (self.array, self.first) {
                (true, true) => out.write_all(b"[\n")?,
                (true, false) => out.write_all(b",\n")?,
                (false, _) => {}
            }
            self.first = false;
            write_object(out, change)?;
            if !self.array {
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match (self.array, self.first) {
            (true, true) => out.write_all(b"[]\n"),
            (true, false) => out.write_all(b"\n]\n"),
            (false, _) => Ok(()),
        }
    }
}

/// A row change as a JSON object.
///
/// # Errors
/// Those of `out`, and images that are no JSON.
pub fn write_object(out: &mut dyn Write, change: &Change) -> io::Result<()> {
    let facts = &change.transaction;
    // The images go out as they are kept: every digit of a number counts.
    let raw = |image: &Option<String>| image.clone().unwrap_or_else(|| "null".to_owned());
    write!(
        out,
        "{{\"change_id\":{},\"source_id\":{},\"binlog_file\":{},\"start_pos\":{},\"end_pos\":{},\
         \"event_timestamp\":\"{}\",\"gtid\":{},\"connection_id\":{},\"schema_name\":{},\"table_name\":{},\
         \"event_type\":\"{}\",\"pk_values\":{},\"changed_columns\":{},\"row_before\":{},\"row_after\":{}}}",
        change.change_id,
        facts.source_id,
        json!(facts.binlog_file),
        facts.start_position,
        facts.end_position,
        rfc3339(facts.committed_at),
        json!(facts.gtid),
        json!(facts.connection_id),
        json!(change.table.schema),
        json!(change.table.table),
        event_name(change.event_type),
        json!(change.pk_values),
        raw(&changed(change)?),
        raw(&change.before),
        raw(&change.after),
    )
}

/// RFC 4180, with line feeds. NULL is an empty field, an empty text is `""`.
#[derive(Debug)]
pub struct Csv;

/// The names of the fields, as the first line of a CSV file.
pub const NAMES: &str = "change_id,source_id,binlog_file,start_pos,end_pos,event_timestamp,gtid,connection_id,schema_name,\
     table_name,event_type,pk_values,changed_columns,row_before,row_after\n";

/// Which of them is the time.
pub const TIME: usize = 5;

/// The fields of a row change, in their order.
///
/// # Errors
/// Images that are no JSON.
pub fn fields(change: &Change) -> io::Result<Vec<Option<String>>> {
    let facts = &change.transaction;
    let number = |number: u64| Some(number.to_string());
    let connection_id = facts.connection_id.map(u64::from);
    Ok(vec![
        number(change.change_id),
        number(facts.source_id.into()),
        Some(facts.binlog_file.clone()),
        number(facts.start_position),
        number(facts.end_position),
        Some(rfc3339(facts.committed_at)),
        facts.gtid.clone(),
        connection_id.and_then(number),
        Some(change.table.schema.clone()),
        Some(change.table.table.clone()),
        Some(event_name(change.event_type).to_owned()),
        change.pk_values.clone(),
        changed(change)?,
        change.before.clone(),
        change.after.clone(),
    ])
}

/// A line of them.
///
/// # Errors
/// Those of `out`.
pub fn write_fields(out: &mut dyn Write, fields: &[Option<String>]) -> io::Result<()> {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        write_field(out, field.as_deref())?;
    }
    out.write_all(b"\n")
}

impl Form for Csv {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(NAMES.as_bytes())
    }

    fn page(&mut self, out: &mut dyn Write, changes: &[Change]) -> io::Result<()> {
        for change in changes {
            write_fields(out, &fields(change)?)?;
        }
        Ok(())
    }
}

fn write_field(out: &mut dyn Write, field: Option<&str>) -> io::Result<()> {
    match field {
        None => Ok(()),
        Some(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) => {
            write!(out, "\"{}\"", text.replace('"', "\"\""))
        }
        Some(text) => out.write_all(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_fields_are_quoted_where_they_must_be() {
        let field = |text: Option<&str>| {
            let mut out = Vec::new();
            write_field(&mut out, text).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(field(None), "");
        assert_eq!(field(Some("")), "\"\"");
        assert_eq!(field(Some("a b")), "a b");
        assert_eq!(field(Some("a,\"b\"\n")), "\"a,\"\"b\"\"\n\"");
    }
}
