//! The changes of a JSON document in PARTIAL_UPDATE_ROWS_EVENT, as the functions that make them.

use bintrail_proto::Error;
use bintrail_proto::binlog::json_diff::{JsonDiff, JsonDiffs, Leg, Operation};
use bintrail_proto::binlog::jsonb::{Jsonb, Node, Style};

use super::print;
use super::value::string;

/// Between the calls, and between their arguments.
const NEXT_LINE: &[u8] = b"\n###      ";

/// Appends `diffs` of the column `number`, from 1: the last function called stands first.
///
/// # Errors
/// Diffs that are malformed.
pub(super) fn write(out: &mut Vec<u8>, number: usize, diffs: JsonDiffs<'_>) -> Result<(), Error> {
    let diffs = diffs.iter().collect::<Result<Vec<_>, _>>()?;
    let mut functions = Vec::with_capacity(diffs.len());
    for diff in &diffs {
        functions.push(function(diff)?);
    }
    // A run of the same function is one call.
    let runs = functions.chunk_by(|a, b| a == b);
    for (place, run) in runs.rev().enumerate() {
        if place > 0 {
            out.extend_from_slice(NEXT_LINE);
        }
        print(out, format_args!("{}(", run.first().unwrap_or(&"")));
    }
    print(out, format_args!("@{number}"));
    for (place, diff) in diffs.iter().enumerate() {
        out.extend_from_slice(if place == 0 { b", " } else { b"," });
        if place > 0 {
            out.extend_from_slice(NEXT_LINE);
        }
        string(out, diff.path.as_str().as_bytes());
        if let Some(value) = diff.value {
            out.extend_from_slice(b", ");
            write_value(out, value)?;
        }
        if functions.get(place) != functions.get(place.wrapping_add(1)) {
            out.push(b')');
        }
    }
    Ok(())
}

fn function(diff: &JsonDiff<'_>) -> Result<&'static str, Error> {
    let last = diff.path.legs().last().transpose()?;
    Ok(match (diff.operation, last) {
        (Operation::Replace, _) => "JSON_REPLACE",
        (Operation::Remove, _) => "JSON_REMOVE",
        (Operation::Insert, Some(Leg::Cell(_) | Leg::CellFromEnd(_))) => "JSON_ARRAY_INSERT",
        (Operation::Insert, _) => "JSON_INSERT",
    })
}

fn write_value(out: &mut Vec<u8>, value: Jsonb<'_>) -> Result<(), Error> {
    let root = value.root()?;
    if let Node::String(text) = root {
        string(out, text.as_bytes());
        return Ok(());
    }
    let mut text = Vec::new();
    value.write_json(Style::MySql, &mut text)?;
    let bare = text
        .strip_prefix(b"\"")
        .and_then(|text| text.strip_suffix(b"\""));
    match (root, bare) {
        (Node::Array(_) | Node::Object(_), _) => {
            out.extend_from_slice(b"CAST(");
            string(out, &text);
            out.extend_from_slice(b" AS JSON)");
        }
        (_, Some(bare)) => string(out, bare),
        (_, None) => out.extend_from_slice(&text),
    }
    Ok(())
}
