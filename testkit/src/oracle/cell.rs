//! One value as `mysqlbinlog -vv` prints it: `-1 (255) /* TINYINT meta=0 nullable=1 is_null=0 */`.

use crate::Result;

/// A value, typed as the comment behind it says.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL of any type.
    Null,
    /// An integer read both ways: the type does not say which is right.
    Integer {
        /// As signed.
        signed: i64,
        /// As unsigned, of the type's width.
        unsigned: u64,
    },
    /// A DECIMAL.
    Decimal(String),
    /// A FLOAT, to six digits.
    Float(f64),
    /// A DOUBLE, exactly.
    Double(f64),
    /// A BIT or SET.
    Bits(u64),
    /// A TIMESTAMP.
    Timestamp {
        /// Seconds since the epoch.
        seconds: i64,
        /// Its fractional digits.
        fraction: String,
    },
    /// A DATE, as MySQL's literal.
    Date(String),
    /// A TIME, as MySQL's literal.
    Time(String),
    /// A DATETIME, as MySQL's literal.
    DateTime(String),
    /// A YEAR; 1900 stands for 0.
    Year(u16),
    /// An ENUM's number, from 1; 0 for the invalid value.
    Enum(u16),
    /// The bytes of a string or BLOB, or a GEOMETRY.
    Bytes(Vec<u8>),
    /// A JSON text.
    Json(String),
    /// What functions make of the JSON text that the column had before: a partial update.
    Changed {
        /// The text, as an expression of the column's name in the output: `JSON_REPLACE(@2, '$.a', 1)`.
        call: String,
        /// That name.
        name: String,
        /// What it stands for.
        before: String,
    },
    /// A VECTOR, to six digits.
    Vector(Vec<f64>),
}

/// Reads a value with its comment.
pub(super) fn parse(line: &[u8]) -> Result<Cell> {
    // The comment holds nothing that users may write, a value may hold `/*`.
    let start = b" /* ";
    let at = line
        .windows(start.len())
        .rposition(|window| window == start)
        .ok_or("no comment")?;
    let comment = std::str::from_utf8(&line[at + start.len()..])?;
    let (name, meta) = comment
        .split_once(" meta=")
        .ok_or("a comment without meta")?;
    let value = &line[..at];
    if meta.ends_with(" is_null=1 */") {
        return if value == b"NULL" {
            Ok(Cell::Null)
        } else {
            Err("NULL with a value".into())
        };
    }
    let kind = name.split('(').next().unwrap_or_default();
    match kind {
        "STRING"
        | "VARSTRING"
        | "TINYBLOB/TINYTEXT"
        | "BLOB/TEXT"
        | "MEDIUMBLOB/MEDIUMTEXT"
        | "LONGBLOB/LONGTEXT" => return Ok(Cell::Bytes(quoted(value)?)),
        "JSON" => return Ok(Cell::Json(String::from_utf8(quoted(value)?)?)),
        _ => {}
    }
    let text = std::str::from_utf8(value)?.trim_end();
    let bare = || {
        text.strip_prefix('\'')
            .and_then(|text| text.strip_suffix('\''))
            .unwrap_or(text)
    };
    Ok(match kind {
        "TINYINT" | "SHORTINT" | "MEDIUMINT" | "INT" | "LONGINT" => match text.split_once(" (") {
            Some((signed, unsigned)) => Cell::Integer {
                signed: signed.parse()?,
                unsigned: unsigned
                    .strip_suffix(')')
                    .ok_or("no parenthesis")?
                    .parse()?,
            },
            None => Cell::Integer {
                signed: text.parse()?,
                unsigned: text.parse()?,
            },
        },
        "DECIMAL" => Cell::Decimal(text.to_owned()),
        "FLOAT" => Cell::Float(text.parse()?),
        "DOUBLE" => Cell::Double(text.parse()?),
        "BIT" | "SET" => {
            let bits = text
                .strip_prefix("b'")
                .and_then(|text| text.strip_suffix('\''));
            let bits = bits.ok_or("no bits")?;
            let number = u64::from_str_radix(bits, 2)?;
            // A SET's bytes are printed lowest first.
            let swapped = kind == "SET" && !bits.is_empty();
            Cell::Bits(if swapped {
                number.swap_bytes() >> (64 - bits.len())
            } else {
                number
            })
        }
        "TIMESTAMP" => {
            let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
            Cell::Timestamp {
                seconds: seconds.parse()?,
                fraction: fraction.to_owned(),
            }
        }
        "DATE" => Cell::Date(bare().replace(':', "-")),
        "TIME" => Cell::Time(bare().to_owned()),
        "DATETIME" => Cell::DateTime(bare().to_owned()),
        "YEAR" => Cell::Year(text.parse()?),
        "ENUM" => Cell::Enum(text.parse()?),
        "VECTOR" => {
            let list = text
                .strip_prefix('[')
                .and_then(|text| text.strip_suffix(']'));
            let floats = list.ok_or("no list")?.split(',').map(str::parse);
            Cell::Vector(floats.collect::<std::result::Result<_, _>>()?)
        }
        other => return Err(format!("an unknown type, {other}").into()),
    })
}

/// The bytes of a quoted value.
fn quoted(value: &[u8]) -> Result<Vec<u8>> {
    let inner = value
        .strip_prefix(b"'")
        .and_then(|value| value.strip_suffix(b"'"));
    let inner = inner.ok_or("no quotes")?;
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    while let Some(byte) = inner.get(at) {
        if *byte != b'\\' {
            out.push(*byte);
            at += 1;
            continue;
        }
        at += 2;
        out.push(match inner.get(at - 1) {
            Some(byte @ (b'\\' | b'\'' | b'"')) => *byte,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'0') => 0,
            Some(b'x') => {
                at += 2;
                let digits = inner.get(at - 2..at).ok_or("half an escape")?;
                u8::from_str_radix(std::str::from_utf8(digits)?, 16)?
            }
            other => return Err(format!("an unknown escape, {other:?}").into()),
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(line: &str) -> Cell {
        parse(line.as_bytes()).unwrap()
    }

    // Lines of mysqlbinlog 9.7.
    #[test]
    fn reads_what_it_prints() {
        let integer = cell("-1 (255) /* TINYINT meta=0 nullable=1 is_null=0 */");
        assert_eq!(
            integer,
            Cell::Integer {
                signed: -1,
                unsigned: 255
            }
        );
        assert_eq!(
            cell("NULL /* ENUM(1 byte) meta=63233 nullable=1 is_null=1 */"),
            Cell::Null
        );
        assert_eq!(
            cell("b'000000000101' /* BIT(12) meta=260 nullable=1 is_null=0 */"),
            Cell::Bits(5)
        );
        let set = cell("b'0000000100000010' /* SET(2 bytes) meta=63490 nullable=1 is_null=0 */");
        assert_eq!(set, Cell::Bits(0x201));
        assert_eq!(
            cell("1.23457              /* FLOAT meta=4 nullable=1 is_null=0 */"),
            Cell::Float(1.23457)
        );
        assert_eq!(
            cell("'2020:00:00' /* DATE meta=0 nullable=1 is_null=0 */"),
            Cell::Date("2020-00-00".to_owned())
        );
        let text =
            cell(r"'a\'b\\x0a\nq /* \x01' /* VARSTRING(400) meta=400 nullable=1 is_null=0 */");
        assert_eq!(text, Cell::Bytes(b"a'b\\x0a\nq /* \x01".to_vec()));
        let json = cell(r#"'{"a": "x\\"\\n"}' /* JSON meta=4 nullable=1 is_null=0 */"#);
        assert_eq!(json, Cell::Json(r#"{"a": "x\"\n"}"#.to_owned()));
        let vector = cell("[1.00000e+00,3.50000e+00] /* VECTOR(2) meta=4 nullable=1 is_null=0 */");
        assert_eq!(vector, Cell::Vector(vec![1.0, 3.5]));
        let timestamp = cell("1577934245.67 /* TIMESTAMP(2) meta=2 nullable=1 is_null=0 */");
        assert_eq!(
            timestamp,
            Cell::Timestamp {
                seconds: 1_577_934_245,
                fraction: "67".to_owned()
            }
        );
    }
}
