//! Conditions that one value meets, and no other.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::bytes::{bytes_of, write_digits, write_hex};
use super::document::text_of_bytes;
use super::kind::Kind;
use super::literal::{JSON_BYTES, Refusal, is_decimal, write_number, write_quoted};
use crate::query::text_of;

/// Bytes beyond which a condition holds a digest in place of the value.
const LONG: usize = 200;

/// Appends a condition that the value `json` of `column` meets, and no other value does.
pub(super) fn write_condition(
    out: &mut String,
    column: &str,
    kind: &Kind,
    json: &str,
    key: bool,
) -> Result<(), Refusal> {
    if json == "null" {
        let _ = write!(out, "{column} IS NULL");
        return Ok(());
    }
    let text = text_of(json);
    let bytes = text.as_deref().and_then(bytes_of);
    match (kind, text, bytes) {
        (Kind::Text(_), _, Some(bytes)) => {
            condition_on_bytes(out, &format!("CAST({column} AS BINARY)"), &bytes);
        }
        (Kind::Text(_), Some(text), None) => {
            if key {
                // What the server finds the row by; the collation may take other texts for the same.
                let _ = write!(out, "{column} = ");
                write_quoted(out, &text);
                out.push_str(" AND ");
            }
            let utf8 = format!("CONVERT({column} USING utf8mb4)");
            if text.len() > LONG {
                write_digest(out, &utf8, text.as_bytes());
            } else {
                let _ = write!(out, "CAST({utf8} AS BINARY) = ");
                write_quoted(out, &text);
            }
        }
        (Kind::Binary, _, Some(bytes)) if !key => condition_on_bytes(out, column, &bytes),
        (Kind::Binary, _, Some(bytes)) => {
            let _ = write!(out, "{column} = ");
            write_hex(out, &bytes);
        }
        (Kind::Opaque, _, Some(bytes)) => {
            let _ = write!(out, "HEX({column}) = '");
            write_digits(out, &bytes);
            out.push('\'');
        }
        (Kind::Json, Some(_), Some(bytes)) if json.starts_with(JSON_BYTES) => {
            condition_on_document(out, column, &text_of_bytes(&bytes)?);
        }
        (Kind::Json, ..) => condition_on_document(out, column, json),
        (_, _, Some(_)) => return Err("was kept as bytes, as it is no value of its type".into()),
        (Kind::Float | Kind::Double, None, _) => {
            let _ = write!(out, "{column} = ");
            write_number(out, kind, json)?;
            if json.trim_start_matches('-').parse() == Ok(0.0) {
                let sign = if json.starts_with('-') { "=" } else { "<>" };
                let _ = write!(out, " AND LEFT(CAST({column} AS CHAR), 1) {sign} '-'");
            }
        }
        (Kind::Number, None, _) => {
            let _ = write!(out, "{column} = ");
            write_number(out, kind, json)?;
        }
        (Kind::Decimal, Some(text), _) if is_decimal(&text) => {
            let _ = write!(out, "{column} = {text}");
        }
        (
            Kind::Enum {
                empty: false,
                members: true,
            },
            Some(text),
            _,
        ) if text.is_empty() => {
            let _ = write!(out, "{column} + 0 = 0");
        }
        (Kind::Enum { .. } | Kind::Set, None, _) => {
            let _ = write!(out, "{column} + 0 = ");
            write_number(out, &Kind::Number, json)?;
        }
        (Kind::Enum { .. } | Kind::Set, Some(text), _) => {
            if key {
                let _ = write!(out, "{column} = ");
                write_quoted(out, &text);
                out.push_str(" AND ");
            }
            let _ = write!(out, "CAST(CONVERT({column} USING utf8mb4) AS BINARY) = ");
            write_quoted(out, &text);
        }
        (Kind::Quoted, Some(text), _) => {
            let _ = write!(out, "{column} = ");
            write_quoted(out, &text);
        }
        _ => return Err("has an image that does not fit its type".into()),
    }
    Ok(())
}

/// Appends a condition that all values of a key's `column` meet which are the same as `json` to the key.
pub(super) fn write_key(
    out: &mut String,
    column: &str,
    kind: &Kind,
    json: &str,
) -> Result<(), Refusal> {
    let text = text_of(json);
    let bytes = text.as_deref().and_then(bytes_of);
    match (kind, text, bytes) {
        (Kind::Text(_) | Kind::Enum { .. } | Kind::Set, Some(text), None) => {
            let _ = write!(out, "{column} = ");
            write_quoted(out, &text);
        }
        (Kind::Text(Some(charset)), _, Some(bytes)) => {
            let _ = write!(out, "{column} = _{} ", charset.name());
            write_hex(out, &bytes);
        }
        (Kind::Float | Kind::Double, None, _) => {
            let _ = write!(out, "{column} = ");
            write_number(out, kind, json)?;
        }
        _ => return write_condition(out, column, kind, json, true),
    }
    Ok(())
}

fn condition_on_bytes(out: &mut String, expression: &str, bytes: &[u8]) {
    if bytes.len() > LONG {
        write_digest(out, expression, bytes);
    } else {
        let _ = write!(out, "{expression} = ");
        write_hex(out, bytes);
    }
}

/// As text: as JSON, 1 and 1.0 are the same.
fn condition_on_document(out: &mut String, column: &str, json: &str) {
    let _ = write!(out, "CAST(CAST({column} AS CHAR) AS BINARY) = CAST(CAST(");
    write_quoted(out, json);
    out.push_str(" AS JSON) AS CHAR)");
}

fn write_digest(out: &mut String, expression: &str, bytes: &[u8]) {
    let _ = write!(out, "SHA2({expression}, 256) = '");
    for byte in Sha256::digest(bytes) {
        let _ = write!(out, "{byte:02x}");
    }
    out.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recover::kind::tests::kind;

    #[test]
    fn conditions_tell_values_apart_that_the_server_takes_for_one() {
        let condition = |kind: &Kind, json: &str, key| {
            let mut out = String::new();
            write_condition(&mut out, "`c`", kind, json, key).map(|()| out)
        };
        let text = kind("varchar(9)", Some("latin1"), None);
        for (kind, json, key, sql) in [
            (
                text.clone(),
                "\"a\"",
                false,
                "CAST(CONVERT(`c` USING utf8mb4) AS BINARY) = 'a'",
            ),
            (
                text.clone(),
                "\"a\"",
                true,
                "`c` = 'a' AND CAST(CONVERT(`c` USING utf8mb4) AS BINARY) = 'a'",
            ),
            (text, "null", false, "`c` IS NULL"),
            (
                kind("double", None, None),
                "0.0",
                false,
                "`c` = 0e0 AND LEFT(CAST(`c` AS CHAR), 1) <> '-'",
            ),
            (
                kind("double", None, None),
                "-0.0",
                false,
                "`c` = -0e0 AND LEFT(CAST(`c` AS CHAR), 1) = '-'",
            ),
            (
                kind("point", None, None),
                "\"base64:type255:AAEC\"",
                false,
                "HEX(`c`) = '000102'",
            ),
            (
                kind("json", None, None),
                "1.0",
                false,
                "CAST(CAST(`c` AS CHAR) AS BINARY) = CAST(CAST('1.0' AS JSON) AS CHAR)",
            ),
            (
                kind("json", None, None),
                "\"base64:type245:BAA=\"",
                false,
                "CAST(CAST(`c` AS CHAR) AS BINARY) = CAST(CAST('null' AS JSON) AS CHAR)",
            ),
            (
                kind("json", None, None),
                "\"base64:type245:DBNiYXNlNjQ6dHlwZTI0NTpCQUE9\"",
                false,
                "CAST(CAST(`c` AS CHAR) AS BINARY) = \
                 CAST(CAST('\"base64:type245:BAA=\"' AS JSON) AS CHAR)",
            ),
            (
                kind("enum", Some("utf8mb4"), Some(&["a"])),
                "\"\"",
                false,
                "`c` + 0 = 0",
            ),
        ] {
            assert_eq!(condition(&kind, json, key).as_deref(), Ok(sql));
        }
        let long = format!("\"{}\"", "x".repeat(201));
        let digest = condition(&kind("text", Some("utf8mb4"), None), &long, false).unwrap();
        assert!(
            digest.starts_with("SHA2(CONVERT(`c` USING utf8mb4), 256) = '"),
            "{digest}"
        );
    }
}
