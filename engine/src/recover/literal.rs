//! The values of images as SQL: literals that store exactly the value, and conditions that only it meets.
//!
//! What the header of the SQL sets is taken for granted: `NAMES utf8mb4`, UTC, and a strict `sql_mode` in
//! which backslashes escape.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use bintrail_proto::binlog::value::charset::Charset;
use sha2::{Digest, Sha256};

use crate::index::record::Column;
use crate::query::text_of;

/// How a column's values are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Integers, BIT and YEAR.
    Number,
    Float,
    Double,
    Decimal,
    /// Dates, times and what MariaDB has of its own: as the server prints them.
    Quoted,
    Text(Option<Charset>),
    /// ENUM; is `''` one of its members?
    Enum {
        members: bool,
        empty: bool,
    },
    Set,
    Json,
    Binary,
    /// Bytes that cannot be compared but as hex digits.
    Opaque,
}

/// Bytes beyond which a condition holds a digest in place of the value.
const LONG: usize = 200;

/// Why a value cannot be written.
pub(super) type Refusal = Cow<'static, str>;

impl Kind {
    /// The kind of a column by its type; `None` for a type that is not known.
    pub(super) fn of(column: &Column) -> Option<Self> {
        let name = column.column_type.as_str();
        let base = name.split(['(', ' ']).next().unwrap_or_default();
        Some(match base {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "bit" | "year" => {
                Self::Number
            }
            "float" => Self::Float,
            "double" => Self::Double,
            "decimal" => Self::Decimal,
            "date" | "time" | "datetime" | "timestamp" | "uuid" | "inet4" | "inet6" => Self::Quoted,
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
                Self::Text(column.charset.as_deref().and_then(Charset::from_name))
            }
            "enum" => {
                let members = column.members.as_deref();
                let empty = members.is_some_and(|members| members.iter().any(String::is_empty));
                Self::Enum {
                    members: members.is_some(),
                    empty,
                }
            }
            "set" => Self::Set,
            "json" => Self::Json,
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
                Self::Binary
            }
            "vector" | "geometry" | "point" | "linestring" | "polygon" | "multipoint"
            | "multilinestring" | "multipolygon" | "geomcollection" | "geometrycollection" => {
                Self::Opaque
            }
            _ => return None,
        })
    }
}

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
            (Kind::Json, Some(_), Some(bytes)) if json.starts_with(JSON_BYTES) => match &*bytes {
                JSON_NULL => out.push_str("'null'"),
                _ => return Err("holds a JSON document of 100 levels".into()),
            },
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
        (Kind::Json, Some(_), Some(_)) if json.starts_with(JSON_BYTES) => {
            let _ = write!(out, "CAST({column} AS CHAR) = 'null'");
        }
        (Kind::Json, ..) => {
            // As text: as JSON, 1 and 1.0 are the same.
            let _ = write!(out, "CAST(CAST({column} AS CHAR) AS BINARY) = CAST(CAST(");
            write_quoted(out, json);
            out.push_str(" AS JSON) AS CHAR)");
        }
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

const ERROR_VALUE: &str = "holds ENUM's error value, which no strict sql_mode stores";

/// How the images write JSON that has no place in them, and JSON's own null in it.
const JSON_BYTES: &str = "\"base64:type245:";
const JSON_NULL: &[u8] = &[4, 0];

fn condition_on_bytes(out: &mut String, expression: &str, bytes: &[u8]) {
    if bytes.len() > LONG {
        write_digest(out, expression, bytes);
    } else {
        let _ = write!(out, "{expression} = ");
        write_hex(out, bytes);
    }
}

fn write_digest(out: &mut String, expression: &str, bytes: &[u8]) {
    let _ = write!(out, "SHA2({expression}, 256) = '");
    for byte in Sha256::digest(bytes) {
        let _ = write!(out, "{byte:02x}");
    }
    out.push('\'');
}

/// The bytes of the form `base64:type<N>:<data>`.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let (code, data) = text.strip_prefix("base64:type")?.split_once(':')?;
    if code.is_empty()
        || !code.bytes().all(|byte| byte.is_ascii_digit())
        || !data.len().is_multiple_of(4)
    {
        return None;
    }
    let mut bytes = Vec::with_capacity(data.len() / 4 * 3);
    for chunk in data.as_bytes().chunks(4) {
        let digits = chunk.iter().take_while(|byte| **byte != b'=');
        let (mut group, mut count) = (0_u32, 0_u32);
        for digit in digits {
            group = group << 6 | digit_of(*digit)?;
            count += 1;
        }
        group <<= 6 * (4 - count);
        let [_, three @ ..] = group.to_be_bytes();
        // One digit alone is no byte.
        let whole = usize::try_from(count.checked_sub(1)?)
            .ok()
            .filter(|whole| *whole > 0)?;
        bytes.extend(three.iter().take(whole));
    }
    Some(bytes)
}

fn digit_of(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// `X'…'`
fn write_hex(out: &mut String, bytes: &[u8]) {
    out.push_str("X'");
    write_digits(out, bytes);
    out.push('\'');
}

fn write_digits(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.reserve(bytes.len().saturating_mul(2));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.extend(
                DIGITS
                    .get(usize::from(digit))
                    .map(|digit| char::from(*digit)),
            );
        }
    }
}

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

fn write_number(out: &mut String, kind: &Kind, json: &str) -> Result<(), Refusal> {
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

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let digit = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    !digits.is_empty() && digits.bytes().all(digit) && digits.matches('.').count() <= 1
}

/// Would the server read back the numbers in `json` as they stand? A decimal in a JSON document would become a
/// double.
fn check_numbers(json: &str) -> Result<(), Refusal> {
    let mut rest = json.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        match byte {
            b'"' => {
                let mut inner = behind;
                while let Some((&byte, more)) = inner.split_first() {
                    inner = match byte {
                        b'\\' => more.get(1..).unwrap_or_default(),
                        _ => more,
                    };
                    if byte == b'"' {
                        break;
                    }
                }
                rest = inner;
            }
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &u8| {
                    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
                };
                let len = rest.iter().take_while(|byte| is_part(byte)).count();
                let (number, more) = rest.split_at(len);
                let number = std::str::from_utf8(number).unwrap_or_default();
                if !reads_back(number) {
                    return Err(format!(
                        "holds the JSON decimal {number}, which cannot be written as JSON text"
                    )
                    .into());
                }
                rest = more;
            }
            _ => rest = behind,
        }
    }
    Ok(())
}

fn reads_back(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    let Ok(value) = number.parse::<f64>() else {
        return false;
    };
    let mantissa = |text: &str| {
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        mantissa.trim_start_matches('-').to_owned()
    };
    let own = mantissa(number);
    let own = own.strip_suffix(".0").unwrap_or(&own);
    // A double's digits do not end in a zero behind the point.
    if own.contains('.') && own.ends_with('0') {
        return false;
    }
    let digits = |text: &str| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.trim_matches('0').to_owned()
    };
    digits(own) == digits(&mantissa(&format!("{value:e}")))
}

/// The characters that more than one sequence of bytes of a character set stands for.
fn twofold(charset: Charset) -> HashSet<char> {
    let mut seen = HashSet::new();
    let mut twice = HashSet::new();
    let mut scratch = String::new();
    let mut look = |bytes: &[u8]| {
        let Ok(text) = charset.to_utf8(bytes, &mut scratch) else {
            return;
        };
        let mut chars = text.chars();
        if let (Some(char), None) = (chars.next(), chars.next())
            && !seen.insert(char)
        {
            twice.insert(char);
        }
    };
    match charset {
        Charset::Utf8mb4
        | Charset::Utf8mb3
        | Charset::Ucs2
        | Charset::Utf16
        | Charset::Utf16le
        | Charset::Utf32 => {
            return twice;
        }
        _ => {}
    }
    for first in 0..=u8::MAX {
        look(&[first]);
        if charset.max_bytes_per_char() == 1 {
            continue;
        }
        for second in 0..=u8::MAX {
            look(&[first, second]);
            // The only sequences of three bytes begin so.
            if first == 0x8F && charset.max_bytes_per_char() == 3 {
                for third in 0..=u8::MAX {
                    look(&[first, second, third]);
                }
            }
        }
    }
    twice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(column_type: &str, charset: Option<&str>, members: Option<&[&str]>) -> Kind {
        Kind::of(&Column {
            name: "c".into(),
            column_type: column_type.into(),
            charset: charset.map(Into::into),
            nullable: true,
            pk: None,
            members: members.map(|list| list.iter().map(ToString::to_string).collect()),
            generated: None,
            invisible: false,
        })
        .unwrap()
    }

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

    #[test]
    fn base64_reads_back() {
        let mut bytes = Vec::new();
        for number in 0..=u8::MAX {
            let mut json = Vec::new();
            crate::json::push_base64(&mut json, 252, &bytes);
            let text = String::from_utf8(json).unwrap();
            assert_eq!(bytes_of(&text).as_ref(), Some(&bytes));
            bytes.push(number.wrapping_mul(31));
        }
        for text in [
            "base64:type:AA==",
            "base64:typeX:AA==",
            "base64:type1:A",
            "base64:type1:A===",
            "base64:type1:!A==",
        ] {
            assert_eq!(bytes_of(text), None, "{text}");
        }
    }
}
