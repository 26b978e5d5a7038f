//! One value, brought to the same form from wherever it was read.

use std::collections::HashMap;
use std::fmt;

use crate::Result;
use crate::client::Client;
use crate::json::{Json, is_integer, significant_digits};
use crate::oracle::Cell;
use crate::schema::{Column, Kind, quoted};

/// A value of a column.
#[derive(Debug, Clone)]
pub enum Value {
    /// NULL
    Null,
    /// An integer, a BIT or a YEAR.
    Integer(i128),
    /// A FLOAT.
    Float(f32),
    /// A DOUBLE.
    Double(f64),
    /// A DECIMAL, a temporal literal, a label, or text.
    Text(String),
    /// Binary data.
    Bytes(Vec<u8>),
    /// A VECTOR's bytes.
    Vector(Vec<u8>),
    /// A FLOAT or VECTOR of which only six digits are known: all that `mysqlbinlog` prints.
    Rounded(String),
    /// A JSON column's value.
    Json(Json),
}

impl Value {
    /// What is left of it when FLOATs and VECTORs are printed with six digits.
    #[must_use]
    pub fn rounded(self) -> Value {
        match self {
            Value::Float(value) => Value::Rounded(six_digits(f64::from(value))),
            Value::Vector(bytes) => {
                let (floats, _) = bytes.as_chunks::<4>();
                let floats = floats
                    .iter()
                    .map(|bytes| six_digits(f64::from(f32::from_le_bytes(*bytes))));
                Value::Rounded(floats.collect::<Vec<_>>().join(","))
            }
            other => other,
        }
    }

    /// Are they the same value, as far as both are known?
    #[must_use]
    pub fn same(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) | (Value::Rounded(a), Value::Rounded(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) | (Value::Vector(a), Value::Vector(b)) => a == b,
            (Value::Json(a), Value::Json(b)) => a.same(b),
            (Value::Rounded(_), Value::Float(_) | Value::Vector(_)) => {
                self.same(&other.clone().rounded())
            }
            (Value::Float(_) | Value::Vector(_), Value::Rounded(_)) => other.same(self),
            _ => false,
        }
    }

    /// A value that `mysqlbinlog` printed.
    pub fn from_oracle(cell: &Cell, column: &Column, charsets: &mut Charsets) -> Result<Value> {
        let label = |labels: &[String], n: usize| match n {
            0 => Ok(String::new()),
            n => labels
                .get(n - 1)
                .cloned()
                .ok_or_else(|| format!("label {n} of {}", column.name)),
        };
        Ok(match (cell, &column.kind) {
            (Cell::Null, _) => Value::Null,
            (Cell::Integer { signed, unsigned }, Kind::Integer) => {
                Value::Integer(if column.unsigned {
                    i128::from(*unsigned)
                } else {
                    i128::from(*signed)
                })
            }
            (Cell::Bits(bits), Kind::Bit) => Value::Integer(i128::from(*bits)),
            // YEAR 0 is printed as 1900, which is no value a YEAR can have.
            (Cell::Year(1900), Kind::Year) => Value::Integer(0),
            (Cell::Year(year), Kind::Year) => Value::Integer(i128::from(*year)),
            (Cell::Float(value), Kind::Float) => Value::Rounded(six_digits(*value)),
            (Cell::Double(value), Kind::Double) => Value::Double(*value),
            (Cell::Decimal(text), Kind::Decimal)
            | (Cell::Date(text), Kind::Date)
            | (Cell::Time(text), Kind::Time)
            | (Cell::DateTime(text), Kind::DateTime) => Value::Text(text.clone()),
            (Cell::Timestamp { seconds, fraction }, Kind::Timestamp(digits)) => {
                if fraction.len() != *digits {
                    return Err(format!("{}: a fraction of {fraction:?}", column.name).into());
                }
                Value::Text(timestamp(*seconds, fraction))
            }
            (Cell::Bytes(bytes), Kind::Text(charset)) => {
                Value::Text(match charsets.decode(charset, bytes)? {
                    Some(text) if !text.starts_with("base64:type") => text,
                    _ => format!("base64:type{}:{}", column.code, base64(bytes)),
                })
            }
            (Cell::Enum(n), Kind::Enum(labels)) => Value::Text(label(labels, usize::from(*n))?),
            (Cell::Bits(bits), Kind::Set(labels)) => {
                let set = (0..64).filter(|bit| bits >> bit & 1 == 1);
                Value::Text(
                    set.map(|bit| label(labels, bit + 1))
                        .collect::<std::result::Result<Vec<_>, _>>()?
                        .join(","),
                )
            }
            (Cell::Json(text), Kind::Json) => Value::Json(Json::parse(text)?),
            (Cell::Changed { call, name, before }, Kind::Json) => {
                Value::Json(Json::parse(&charsets.changed(call, name, before)?)?)
            }
            (Cell::Bytes(bytes), Kind::Binary(length)) => {
                let mut bytes = bytes.clone();
                bytes.resize(*length, 0);
                Value::Bytes(bytes)
            }
            (Cell::Bytes(bytes), Kind::Blob) => Value::Bytes(bytes.clone()),
            (Cell::Vector(floats), Kind::Vector) => Value::Rounded(
                floats
                    .iter()
                    .copied()
                    .map(six_digits)
                    .collect::<Vec<_>>()
                    .join(","),
            ),
            (cell, kind) => {
                return Err(format!("{}: {cell:?} in a column of {kind:?}", column.name).into());
            }
        })
    }

    /// A value of an image in the index, which has to have exactly the form that images have.
    pub fn from_image(json: &Json, column: &Column) -> Result<Value> {
        let wrong = || {
            format!(
                "{}: {json:.200} in a column of {:.100}",
                column.name,
                format!("{:?}", column.kind)
            )
        };
        Ok(match (&column.kind, json) {
            (_, Json::Null) => Value::Null,
            // The JSON null, so that it is not taken for NULL.
            (Kind::Json, Json::String(text)) if text == "base64:type245:BAA=" => {
                Value::Json(Json::Null)
            }
            (Kind::Json, Json::String(text)) if text.starts_with("base64:type245:") => {
                let data = text.strip_prefix("base64:type245:").ok_or_else(wrong)?;
                let bytes = unbase64(data).ok_or_else(wrong)?;
                Value::Json(Json::String(json_string(&bytes).ok_or_else(wrong)?))
            }
            (Kind::Json, json) => Value::Json(json.clone()),
            // ENUM's error value, where a member is `''` too.
            (Kind::Enum(labels), Json::Number(number))
                if number == "0" && labels.iter().any(String::is_empty) =>
            {
                Value::Text(String::new())
            }
            (Kind::Integer | Kind::Bit | Kind::Year, Json::Number(number))
                if is_integer(number) =>
            {
                Value::Integer(number.parse().map_err(|_| wrong())?)
            }
            (Kind::Float, Json::Number(number)) => {
                let value: f32 = number.parse().map_err(|_| wrong())?;
                shortest(number, &format!("{value:e}"))
                    .then_some(Value::Float(value))
                    .ok_or_else(wrong)?
            }
            (Kind::Double, Json::Number(number)) => {
                let value: f64 = number.parse().map_err(|_| wrong())?;
                shortest(number, &format!("{value:e}"))
                    .then_some(Value::Double(value))
                    .ok_or_else(wrong)?
            }
            (
                Kind::Decimal
                | Kind::Date
                | Kind::Time
                | Kind::DateTime
                | Kind::Timestamp(_)
                | Kind::Text(_)
                | Kind::Enum(_)
                | Kind::Set(_),
                Json::String(text),
            ) => Value::Text(text.clone()),
            (Kind::Binary(_) | Kind::Blob | Kind::Vector, Json::String(text)) => {
                let data = text
                    .strip_prefix(&format!("base64:type{}:", column.code))
                    .ok_or_else(wrong)?;
                let bytes = unbase64(data).ok_or_else(wrong)?;
                if column.kind == Kind::Vector {
                    Value::Vector(bytes)
                } else {
                    Value::Bytes(bytes)
                }
            }
            _ => return Err(wrong().into()),
        })
    }

    /// What to SELECT for [`from_source`](Value::from_source).
    #[must_use]
    pub fn select(column: &Column) -> String {
        let name = quoted(&column.name);
        match column.kind {
            Kind::Bit | Kind::Year => format!("{name} + 0"),
            // As text a FLOAT has six digits only.
            Kind::Float => format!("CAST({name} AS DOUBLE)"),
            Kind::Text(_) | Kind::Enum(_) | Kind::Set(_) => {
                format!("CONVERT({name} USING utf8mb4)")
            }
            Kind::Binary(_) | Kind::Blob | Kind::Vector => format!("HEX({name})"),
            _ => name,
        }
    }

    /// A value that the source itself holds.
    pub fn from_source(cell: Option<Vec<u8>>, column: &Column) -> Result<Value> {
        let Some(cell) = cell else {
            return Ok(Value::Null);
        };
        let text = String::from_utf8(cell)?;
        Ok(match column.kind {
            Kind::Integer | Kind::Bit | Kind::Year => Value::Integer(text.parse()?),
            Kind::Float => Value::Float(text.parse::<f64>()? as f32),
            Kind::Double => Value::Double(text.parse()?),
            Kind::Binary(_) | Kind::Blob => Value::Bytes(unhex(&text)?),
            Kind::Vector => Value::Vector(unhex(&text)?),
            Kind::Json => Value::Json(Json::parse(&text)?),
            _ => Value::Text(text),
        })
    }
}

/// For messages, and as the key of a row: two values print the same when they are the same.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Integer(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value:e}"),
            Value::Double(value) => write!(f, "{value:e}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Bytes(bytes) | Value::Vector(bytes) => {
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Value::Rounded(text) => write!(f, "~{text}"),
            Value::Json(json) => write!(f, "{json}"),
        }
    }
}

/// Has `number`, which reads back as the value that Rust prints as `shortest`, no more digits than
/// that? Of two that are as short and as near, either will do.
fn shortest(number: &str, shortest: &str) -> bool {
    significant_digits(number) == significant_digits(shortest)
}

fn six_digits(value: f64) -> String {
    format!("{value:.5e}")
}

/// Seconds since the epoch as MySQL's literal in UTC; 0 is the zero date.
pub(crate) fn timestamp(seconds: i64, fraction: &str) -> String {
    let point = if fraction.is_empty() { "" } else { "." };
    if seconds == 0 {
        return format!("0000-00-00 00:00:00{point}{fraction}");
    }
    let (mut days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days >= 365 + i64::from(leap(year)) {
        days -= 365 + i64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    let months = [
        31,
        28 + i64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!(
        "{year:04}-{:02}-{:02} {hour:02}:{minute:02}:{second:02}{point}{fraction}",
        month + 1,
        days + 1
    )
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A string as binary JSON has it: its type, its length in sevens of bits, and its text. Only one that looks like the
/// form for bytes is so in an image.
fn json_string(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes.strip_prefix(&[0x0C])?;
    let (mut len, mut shift) = (0_usize, 0);
    loop {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        len |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let text = String::from_utf8(rest.to_vec()).ok()?;
    (text.len() == len && text.starts_with("base64:type")).then_some(text)
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0, |group, n| {
            group << 8 | u32::from(chunk.get(n).copied().unwrap_or(0))
        });
        for n in 0..4 {
            let sextet = (group >> (18 - 6 * n)) & 63;
            out.push(if n <= chunk.len() {
                ALPHABET[sextet as usize] as char
            } else {
                '='
            });
        }
    }
    out
}

/// The bytes of a base64 text without line breaks, which has to be in its one right form.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (groups, rest) = text.as_bytes().as_chunks::<4>();
    for group in groups {
        let used = group.iter().position(|byte| *byte == b'=').unwrap_or(4);
        let mut bits: u32 = 0;
        for byte in &group[..used] {
            let sextet = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(sextet);
        }
        bits <<= 6 * (4 - used);
        out.extend_from_slice(&bits.to_be_bytes()[1..used.max(1)]);
    }
    let tail = text.len().saturating_sub(4);
    let canonical =
        rest.is_empty() && (text.is_empty() || base64(out.get(tail / 4 * 3..)?) == text[tail..]);
    canonical.then_some(out)
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err("an odd number of hex digits".into());
    }
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let byte = |pair: &[u8; 2]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    pairs
        .iter()
        .map(byte)
        .collect::<Option<_>>()
        .ok_or_else(|| "not a hex digit".into())
}

/// Turns text of any character set into UTF-8, with the server's own conversion where the standard
/// library has none.
#[derive(Debug)]
pub struct Charsets {
    client: Client,
    latin1: Vec<char>,
    known: HashMap<(String, Vec<u8>), Option<String>>,
}

impl Charsets {
    /// Uses `client` for the conversions.
    pub fn new(mut client: Client) -> Result<Charsets> {
        let all: String = (0..=255).map(|byte| format!("{byte:02x}")).collect();
        let latin1 = client.string(&format!("SELECT CONVERT(_latin1 X'{all}' USING utf8mb4)"))?;
        let latin1: Vec<char> = latin1.chars().collect();
        if latin1.len() != 256 {
            return Err("the server does not know all of latin1".into());
        }
        Ok(Charsets {
            client,
            latin1,
            known: HashMap::new(),
        })
    }

    /// The JSON text that a call makes of the text that `name` stands for in it.
    fn changed(&mut self, call: &str, name: &str, before: &str) -> Result<String> {
        let hex: String = before.bytes().map(|byte| format!("{byte:02x}")).collect();
        let document = format!("CAST(CONVERT(X'{hex}' USING utf8mb4) AS JSON)");
        // The functions' names stand in front of it, all texts behind it.
        let call = call.replacen(name, &document, 1);
        self.client.string(&format!("SELECT CAST({call} AS CHAR)"))
    }

    /// The text; `None` when the bytes are none in this character set.
    pub fn decode(&mut self, charset: &str, bytes: &[u8]) -> Result<Option<String>> {
        match charset {
            "utf8mb4" | "utf8mb3" | "ascii" => {
                Ok(std::str::from_utf8(bytes).ok().map(str::to_owned))
            }
            "latin1" => Ok(Some(
                bytes
                    .iter()
                    .map(|byte| self.latin1[usize::from(*byte)])
                    .collect(),
            )),
            _ => {
                let key = (charset.to_owned(), bytes.to_vec());
                if let Some(text) = self.known.get(&key) {
                    return Ok(text.clone());
                }
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let text = match self.client.string(&format!(
                    "SELECT CONVERT(_{charset} X'{hex}' USING utf8mb4)"
                )) {
                    Ok(text) => Some(text),
                    Err(error) if error.to_string().contains("Invalid") => None,
                    Err(error) => return Err(error),
                };
                self.known.insert(key, text.clone());
                Ok(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_both_ways() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
            assert_eq!(unbase64(text).unwrap(), bytes.as_bytes());
        }
        for text in ["Zg", "Zg=", "Zh==", "Z===", "====", "Zm9v\n", "Zg==Zg=="] {
            assert!(unbase64(text).is_none(), "{text}");
        }
    }

    #[test]
    fn timestamps() {
        assert_eq!(timestamp(1_577_934_245, "67"), "2020-01-02 03:04:05.67");
        assert_eq!(timestamp(951_782_400, ""), "2000-02-29 00:00:00");
        assert_eq!(timestamp(0, "00"), "0000-00-00 00:00:00.00");
    }

    #[test]
    fn a_rounded_float_fits_every_float_it_may_stand_for() {
        let rounded = Value::Float(1.234_567_8).rounded();
        assert!(rounded.same(&Value::Float(1.234_567_9)) && !rounded.same(&Value::Float(1.2346)));
    }

    #[test]
    fn floats_are_to_be_short() {
        assert!(shortest("0.1", "1e-1") && shortest("100.0", "1e2") && shortest("1e+20", "1e20"));
        assert!(!shortest("0.10000000149011612", "1e-1"));
    }
}
