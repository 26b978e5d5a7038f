//! The values of images as SQL literals that store exactly the value.
//!
//! What the header of the SQL sets is taken for granted: `NAMES utf8mb4`, UTC, and a strict `sql_mode` in
//! which backslashes escape.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use bintrail_proto::binlog::value::charset::Charset;

use super::bytes::{bytes_of, write_hex};
use super::document::{check_numbers, text_of_bytes};
use super::kind::Kind;
use super::twofold::twofold;
use crate::query::text_of;

/// Why a value cannot be written.
pub(super) type Refusal = Cow<'static, str>;
/// Writes values; remembers what it had to work out.
#[derive(Debug, Default)]
pub(super) struct Literals {
    /// The characters that a character set writes in more than one way.
    twofold: HashMap<&'static str, HashSet<char>>,
}

impl Literals {
    /// Appends the literal that stores the value `json`.
    pub(super) fn write(
        &mut self,
        out: &mut String,
        kind: &Kind,
        json: &str,
    ) -> Result<(), Refusal> {
        if json == "null" {
            out.push_str("NULL");
            return Ok(());
        }
        let text = text_of(json);
        let bytes = text.as_deref().and_then(bytes_of);
        match (kind, text, bytes) {
            (Kind::Text(Some(charset)), _, Some(bytes)) => {
                let mut scratch = String::new();
                if charset.to_utf8(&bytes, &mut scratch).is_err() {
                    return Err(
                        format!("holds bytes that are no text in {}", charset.name()).into(),
                    );
                }
                let _ = write!(out, "_{} ", charset.name());
                write_hex(out, &bytes);
            }
            (Kind::Text(Some(charset)), Some(text), None) => {
                if let Some(char) = self.twofold(*charset, &text) {
                    return Err(format!(
                        "holds the character {char:?}, which {} writes in two ways; the index does not tell which",
                        charset.name()
                    )
                    .into());
                }
                write_quoted(out, &text);
            }
            (Kind::Text(None), ..) => {
                return Err("has a character set that is not known".into());
            }
            (Kind::Binary | Kind::Opaque, _, Some(bytes)) => write_hex(out, &bytes),
            (Kind::Json, Some(_), Some(bytes)) if json.starts_with(JSON_BYTES) => {
                write_quoted(out, &text_of_bytes(&bytes)?);
            }
            (Kind::Json, ..) => {
                check_numbers(json)?;
                write_quoted(out, json);
            }
            (_, _, Some(_)) => {
                return Err("was kept as bytes, as it is no value of its type".into());
            }
            (Kind::Number | Kind::Float | Kind::Double, None, _) => write_number(out, kind, json)?,
            (Kind::Decimal, Some(text), _) if is_decimal(&text) => out.push_str(&text),
            (Kind::Enum { members, empty }, Some(text), _) => {
                if text.is_empty() && !(*members && *empty) {
                    return Err(ERROR_VALUE.into());
                }
                write_quoted(out, &text);
            }
            (Kind::Enum { .. }, None, _) if json == "0" => return Err(ERROR_VALUE.into()),
            (Kind::Enum { .. } | Kind::Set, None, _) => write_number(out, &Kind::Number, json)?,
            (Kind::Quoted | Kind::Set, Some(text), _) => write_quoted(out, &text),
            _ => return Err("has an image that does not fit its type".into()),
        }
        Ok(())
    }

    fn twofold(&mut self, charset: Charset, text: &str) -> Option<char> {
        if text.is_ascii() && charset != Charset::Swe7 {
            return None;
        }
        let twofold = self
            .twofold
            .entry(charset.name())
            .or_insert_with(|| twofold(charset));
        text.chars().find(|char| twofold.contains(char))
    }
}

const ERROR_VALUE: &str = "holds ENUM's error value, which no strict sql_mode stores";

/// How the images begin JSON that has no place in them.
pub(super) const JSON_BYTES: &str = "\"base64:type245:";

/// A quoted string, on one line: the client changes line breaks, and does not take a zero byte.
pub(super) fn write_quoted(out: &mut String, text: &str) {
    out.push('\'');
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '\\', '\0', '\n', '\r', '\u{1a}']) {
        let (plain, behind) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = behind.chars();
        out.push_str(match chars.next() {
            Some('\'') => "\\'",
            Some('\\') => "\\\\",
            Some('\0') => "\\0",
            Some('\n') => "\\n",
            Some('\r') => "\\r",
            _ => "\\Z",
        });
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('\'');
}

pub(super) fn write_number(out: &mut String, kind: &Kind, json: &str) -> Result<(), Refusal> {
    let fault = || Refusal::from("has an image that does not fit its type");
    let value = match kind {
        Kind::Number => {
            let digits = json.strip_prefix('-').unwrap_or(json);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(fault());
            }
            out.push_str(json);
            return Ok(());
        }
        // Its shortest digits stand for a float; those of the same number as a double are exact.
        Kind::Float => f64::from(json.parse::<f32>().map_err(|_| fault())?),
        _ => json.parse::<f64>().map_err(|_| fault())?,
    };
    if !value.is_finite() {
        return Err(fault());
    }
    // With an exponent it is a double to the server, never a decimal.
    let _ = write!(out, "{value:e}");
    Ok(())
}

pub(super) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let digit = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    !digits.is_empty() && digits.bytes().all(digit) && digits.matches('.').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recover::kind::tests::kind;

    fn literal(kind: &Kind, json: &str) -> Result<String, Refusal> {
        let mut out = String::new();
        Literals::default()
            .write(&mut out, kind, json)
            .map(|()| out)
    }

    #[test]
    fn literals_store_exactly_the_value() {
        let utf8 = kind("varchar(9)", Some("utf8mb4"), None);
        let choice = kind("enum", Some("utf8mb4"), Some(&["a", ""]));
        for (kind, json, sql) in [
            (
                kind("bigint unsigned", None, None),
                "18446744073709551615",
                "18446744073709551615",
            ),
            (kind("int(11)", None, None), "-1", "-1"),
            (kind("int", None, None), "null", "NULL"),
            (kind("float", None, None), "0.1", "1.0000000149011612e-1"),
            (kind("double", None, None), "-0.0", "-0e0"),
            (
                kind("double", None, None),
                "1.7976931348623157e308",
                "1.7976931348623157e308",
            ),
            (kind("decimal(65,30)", None, None), "\"-0.10\"", "-0.10"),
            (
                kind("datetime(3)", None, None),
                "\"0000-00-00 00:00:00.000\"",
                "'0000-00-00 00:00:00.000'",
            ),
            (
                utf8.clone(),
                "\"a'b\\\\c\\n\\u0000\\r\\u001aé\"",
                "'a\\'b\\\\c\\n\\0\\r\\Zé'",
            ),
            // Text that looks like bytes is kept as bytes.
            (
                utf8,
                "\"base64:type15:YmFzZTY0OnR5cGU=\"",
                "_utf8mb4 X'6261736536343A74797065'",
            ),
            (
                kind("binary(4)", None, None),
                "\"base64:type254:AAECAw==\"",
                "X'00010203'",
            ),
            (kind("blob", None, None), "\"base64:type252:\"", "X''"),
            (choice.clone(), "\"\"", "''"),
            (kind("enum", None, None), "3", "3"),
            (
                kind("set", Some("utf8mb4"), Some(&["a", "b"])),
                "\"a,b\"",
                "'a,b'",
            ),
            (
                kind("json", None, None),
                r#"{"a":[1,-2.5,1e100,100000.0,"x\"1.50"]}"#,
                r#"'{"a":[1,-2.5,1e100,100000.0,"x\\"1.50"]}'"#,
            ),
            (
                kind("json", None, None),
                "\"base64:type245:BAA=\"",
                "'null'",
            ),
            // The string that looks like it.
            (
                kind("json", None, None),
                "\"base64:type245:DBNiYXNlNjQ6dHlwZTI0NTpCQUE9\"",
                "'\"base64:type245:BAA=\"'",
            ),
        ] {
            assert_eq!(literal(&kind, json).as_deref(), Ok(sql), "{kind:?} {json}");
        }
        for (kind, json, why) in [
            (
                kind("varchar(9)", Some("utf8mb4"), None),
                "\"base64:type15:/w==\"",
                "no text",
            ),
            (
                kind("varchar(9)", Some("klingon"), None),
                "\"a\"",
                "not known",
            ),
            (kind("int", None, None), "\"base64:type3:AAA=\"", "no value"),
            (kind("int", None, None), "1.5", "does not fit"),
            (
                kind("enum", Some("utf8mb4"), Some(&["a"])),
                "\"\"",
                "error value",
            ),
            (choice, "0", "error value"),
            (
                kind("json", None, None),
                "\"base64:type245:Ag==\"",
                "cannot be read",
            ),
            (kind("json", None, None), "[0.10]", "decimal 0.10"),
            (
                kind("json", None, None),
                "[18446744073709551616]",
                "decimal",
            ),
            (
                kind("json", None, None),
                "[1234567890123456789.5]",
                "decimal",
            ),
            (
                kind("varchar(9)", Some("cp932"), None),
                "\"㈱\"",
                "two ways",
            ),
        ] {
            let refusal = literal(&kind, json).unwrap_err();
            assert!(refusal.contains(why), "{json}: {refusal}");
        }
        assert_eq!(
            literal(&kind_of_cp932(), "\"日本\"").as_deref(),
            Ok("'日本'")
        );
    }

    fn kind_of_cp932() -> Kind {
        kind("varchar(9)", Some("cp932"), None)
    }
}
