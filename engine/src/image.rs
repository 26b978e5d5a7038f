//! Row images as JSON, and the text of a row's key.

use bintrail_proto::Error;
use bintrail_proto::binlog::jsonb::{Jsonb, Style};
use bintrail_proto::binlog::rows::{Field, Image};
use bintrail_proto::binlog::table_map::Column;
use bintrail_proto::binlog::value::int::{write_int, write_uint};
use bintrail_proto::binlog::value::{Charset, CompressedString, Take, Value, float};

use crate::json;
use crate::table::{ColumnText, Table};

/// Writes images; holds what is reused from value to value.
#[derive(Debug, Default)]
pub struct ImageWriter {
    /// Text on its way from another character set to UTF-8.
    transcoded: String,
    /// A BINARY value with its zero bytes.
    padded: Vec<u8>,
    /// A compressed value, inflated.
    inflated: Vec<u8>,
    /// Values that could not be read as their column's type and were kept as raw bytes instead.
    pub undecodable: u64,
    /// Documents left out because their changes, which are all that was logged, could not be applied.
    pub unpatched: u64,
}

impl ImageWriter {
    /// Appends `image` as a JSON object: column name to value, in column order. A column that the image
    /// leaves out is left out, and so is a document whose changes cannot be applied.
    pub fn write_image(&mut self, out: &mut Vec<u8>, table: &Table, image: Image<'_>) {
        let start = out.len();
        for ((column, field), text) in image.fields().zip(&table.texts) {
            match field {
                Field::Absent => {}
                Field::Null => {
                    text.key.write_to(out);
                    out.extend_from_slice(b"null");
                }
                Field::Bytes(bytes) => {
                    text.key.write_to(out);
                    self.write_or_keep(out, column, text, bytes);
                }
            }
        }
        for change in image.changes() {
            self.unpatched = self
                .unpatched
                .saturating_add(u64::from(change.applied.is_err()));
        }
        // In place of the comma before the first column, if there is one.
        match out.get_mut(start) {
            Some(comma) => *comma = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    }

    /// A value as JSON; as the base64 of its bytes when they are not one of its column's type.
    #[inline(always)]
    fn write_or_keep(
        &mut self,
        out: &mut Vec<u8>,
        column: &Column,
        text: &ColumnText,
        bytes: &[u8],
    ) {
        let start = out.len();
        let writing = Writing {
            images: self,
            out,
            text,
        };
        let written = Value::visit(column, bytes, writing);
        if written.and_then(|written| written).is_err() {
            out.truncate(start);
            json::write_base64(out, text.json_type, bytes);
            self.undecodable = self.undecodable.saturating_add(1);
        }
    }

    #[inline(always)]
    fn write_value(
        &mut self,
        out: &mut Vec<u8>,
        text: &ColumnText,
        value: Value<'_>,
    ) -> Result<(), Error> {
        match value {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Int(n) => write_int(out, n),
            Value::UInt(n) => write_uint(out, n),
            Value::Bit(bit) => write_uint(out, bit.number()),
            Value::Year(year) => write_uint(out, year.number().into()),
            Value::Float(n) => float::write_float(out, n)?,
            Value::Double(n) => float::write_double(out, n)?,
            Value::Decimal(decimal) => {
                out.push(b'"');
                decimal.write_to(out)?;
                out.push(b'"');
            }
            Value::Date(date) => quoted(out, |out| date.write_to(out)),
            Value::Time(time) => quoted(out, |out| time.write_to(out)),
            Value::DateTime(datetime) => quoted(out, |out| datetime.write_to(out)),
            Value::Timestamp(timestamp) => quoted(out, |out| timestamp.write_to(out)),
            Value::Text(bytes, charset) => {
                // What is UTF-8 already, as most text is, is copied while it is checked.
                let written = charset.is_utf8(bytes)
                    && !bytes.starts_with(json::BASE64.as_bytes())
                    && json::write_utf8(out, bytes);
                if !written {
                    self.write_text(out, text, bytes, charset);
                }
            }
            Value::FixedBinary(bytes, len) => {
                json::write_base64(out, text.json_type, pad(&mut self.padded, bytes, len));
            }
            Value::Compressed(string) => self.write_compressed(out, text, string)?,
            Value::Uuid(uuid) => quoted(out, |out| {
                out.extend_from_slice(uuid.to_string().as_bytes())
            }),
            Value::Inet6(address) => quoted(out, |out| address.write_to(out)),
            Value::Inet4(address) => quoted(out, |out| address.write_to(out)),
            Value::Binary(bytes) | Value::Geometry(bytes) | Value::Vector(bytes) => {
                json::write_base64(out, text.json_type, bytes);
            }
            Value::Json(json) => write_json(out, text, json)?,
            // Without its labels, the number is all that is known, and still exact.
            Value::Enum(number) => match enum_label(text, number) {
                Some(label) => json::write_string(out, label),
                None => write_uint(out, number.into()),
            },
            Value::Set(bits) => match set_labels(text, bits) {
                Some(labels) => quoted(out, |out| write_set(out, labels, bits, json::push_escaped)),
                None => write_uint(out, bits),
            },
        }
        Ok(())
    }

    /// Text of any character set.
    fn write_text(&mut self, out: &mut Vec<u8>, text: &ColumnText, bytes: &[u8], charset: Charset) {
        match charset.to_utf8(bytes, &mut self.transcoded) {
            Ok(utf8) if !utf8.starts_with(json::BASE64) => json::write_string(out, utf8),
            // Text that looks like the form for bytes takes that form, so that both can be told apart.
            _ => json::write_base64(out, text.json_type, bytes),
        }
    }

    fn write_compressed(
        &mut self,
        out: &mut Vec<u8>,
        text: &ColumnText,
        string: CompressedString<'_>,
    ) -> Result<(), Error> {
        let bytes = string.inflate(&mut self.inflated)?;
        match string.charset {
            Some(charset) => match charset.to_utf8(bytes, &mut self.transcoded) {
                Ok(utf8) if !utf8.starts_with(json::BASE64) => json::write_string(out, utf8),
                _ => json::write_base64(out, text.json_type, bytes),
            },
            None => json::write_base64(out, text.json_type, bytes),
        }
        Ok(())
    }

    /// Appends the key's values, joined by `|`; `|` and `\` inside them are escaped by `\`.
    /// Returns `false`, and appends nothing, when the image lacks a key column.
    pub fn write_key(&mut self, out: &mut Vec<u8>, table: &Table, image: Image<'_>) -> bool {
        let start = out.len();
        for (place, &number) in table.key.iter().enumerate() {
            let number = usize::from(number);
            let (Some(column), Some(text), Field::Bytes(bytes)) = (
                table.map.columns.get(number),
                table.texts.get(number),
                image.field(number),
            ) else {
                out.truncate(start);
                return false;
            };
            if place > 0 {
                out.push(b'|');
            }
            self.write_key_value(out, column, text, bytes);
        }
        !table.key.is_empty()
    }

    /// Appends the key that an update gave the row, as [`write_key`](Self::write_key) does. Returns `false`, and
    /// appends nothing, when it is the one that the row had. A key column that the after image lacks did not change.
    pub fn write_new_key(
        &mut self,
        out: &mut Vec<u8>,
        table: &Table,
        before: Image<'_>,
        after: Image<'_>,
    ) -> bool {
        let has_changed = |&number: &u16| {
            let number = usize::from(number);
            matches!(
                (before.field(number), after.field(number)),
                (Field::Bytes(before), Field::Bytes(after)) if before != after
            )
        };
        if !table.key.iter().any(has_changed) {
            return false;
        }
        let start = out.len();
        for (place, &number) in table.key.iter().enumerate() {
            let number = usize::from(number);
            let field = match after.field(number) {
                Field::Bytes(bytes) => Field::Bytes(bytes),
                _ => before.field(number),
            };
            let (Some(column), Some(text), Field::Bytes(bytes)) = (
                table.map.columns.get(number),
                table.texts.get(number),
                field,
            ) else {
                out.truncate(start);
                return false;
            };
            if place > 0 {
                out.push(b'|');
            }
            self.write_key_value(out, column, text, bytes);
        }
        true
    }

    fn write_key_value(
        &mut self,
        out: &mut Vec<u8>,
        column: &Column,
        text: &ColumnText,
        bytes: &[u8],
    ) {
        let start = out.len();
        let written = Value::decode(column, bytes).and_then(|value| {
            match value {
                Value::Date(date) => date.write_to(out),
                Value::Time(time) => time.write_to(out),
                Value::DateTime(datetime) => datetime.write_to(out),
                Value::Timestamp(timestamp) => timestamp.write_to(out),
                Value::Decimal(decimal) => decimal.write_to(out)?,
                Value::Uuid(uuid) => out.extend_from_slice(uuid.to_string().as_bytes()),
                Value::Inet6(address) => address.write_to(out),
                Value::Inet4(address) => address.write_to(out),
                Value::Text(bytes, charset) => match charset.to_utf8(bytes, &mut self.transcoded) {
                    Ok(utf8) => push_key_text(out, utf8),
                    Err(_) => json::push_base64(out, text.json_type, bytes),
                },
                Value::Binary(bytes) => json::push_base64(out, text.json_type, bytes),
                Value::FixedBinary(bytes, len) => {
                    json::push_base64(out, text.json_type, pad(&mut self.padded, bytes, len));
                }
                Value::Enum(number) => match enum_label(text, number) {
                    Some(label) => push_key_text(out, label),
                    None => write_uint(out, number.into()),
                },
                Value::Set(bits) => match set_labels(text, bits) {
                    Some(labels) => write_set(out, labels, bits, push_key_text),
                    None => write_uint(out, bits),
                },
                value => self.write_value(out, text, value)?,
            }
            Ok(())
        });
        if written.is_err() {
            out.truncate(start);
            json::push_base64(out, text.json_type, bytes);
        }
    }
}

/// The columns that an update changed, as [`RowChange::changed`](crate::index::record::RowChange::changed) has them. Other bytes
/// may be the same value.
pub fn changed(before: Image<'_>, after: Image<'_>) -> u64 {
    let fields = before.fields().zip(after.fields());
    let mut bits = 0;
    for (place, ((_, before), (_, after))) in (0_u32..).zip(fields) {
        if after != Field::Absent && after != before {
            bits |= 1_u64.rotate_left(place);
        }
    }
    bits
}

/// A value of an image on its way to `out`.
struct Writing<'w> {
    images: &'w mut ImageWriter,
    out: &'w mut Vec<u8>,
    text: &'w ColumnText,
}

impl Take<'_> for Writing<'_> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn take(self, value: Value<'_>) -> Result<(), Error> {
        self.images.write_value(self.out, self.text, value)
    }
}

/// MySQL reads JSON of 100 levels, and the image itself is one of them. A deeper image would fail every query
/// of the view on MySQL that meets it.
const MAX_JSON_DEPTH: usize = 99;

/// `null` as binary JSON: the type byte of a literal, and the literal.
const JSON_NULL: &[u8] = &[4, 0];

/// The type byte of a string in binary JSON.
const JSON_STRING: u8 = 0x0C;

/// `bytes` and as many zero bytes as `len` asks for.
fn pad<'a>(padded: &'a mut Vec<u8>, bytes: &'a [u8], len: u16) -> &'a [u8] {
    if bytes.len() >= usize::from(len) {
        return bytes;
    }
    padded.clear();
    padded.extend_from_slice(bytes);
    padded.resize(usize::from(len), 0);
    padded
}

/// A document.
fn write_json(out: &mut Vec<u8>, text: &ColumnText, json: Jsonb<'_>) -> Result<(), Error> {
    // JSON's own null must not be taken for SQL's.
    if json.is_null() {
        json::write_base64(out, text.json_type, JSON_NULL);
        return Ok(());
    }
    let start = out.len();
    json.write_json(Style::Compact, out)?;
    let printed = out.get(start..).unwrap_or_default();
    // A string that looks like the form for bytes takes that form. What else prints so are MySQL's own values of
    // other types, of which there is none of the type JSON.
    let looks_like_bytes = json.as_bytes().first() == Some(&JSON_STRING)
        && printed
            .strip_prefix(b"\"")
            .is_some_and(|text| text.starts_with(json::BASE64.as_bytes()));
    // Every level takes a bracket at either end.
    let too_deep = printed.len() > 2 * MAX_JSON_DEPTH && json::depth(printed) > MAX_JSON_DEPTH;
    if looks_like_bytes || too_deep {
        out.truncate(start);
        json::write_base64(out, text.json_type, json.as_bytes());
    }
    Ok(())
}

#[inline(always)]
fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

/// The label of an ENUM's number: `''` for 0, the error value.
fn enum_label(text: &ColumnText, number: u16) -> Option<&str> {
    let labels = text.labels.as_deref()?;
    match number.checked_sub(1) {
        // It is the number where there is a member of the same text.
        None => (!labels.iter().any(|label| label.is_empty())).then_some(""),
        Some(index) => labels.get(usize::from(index)).map(AsRef::as_ref),
    }
}

/// A SET's labels, where every one of `bits` has one.
fn set_labels(text: &ColumnText, bits: u64) -> Option<&[Box<str>]> {
    let labels = text.labels.as_deref()?;
    (labels.len() >= 64 || bits >> labels.len() == 0).then_some(labels)
}

/// The labels of a SET's bits, joined by commas as MySQL prints them.
fn write_set(out: &mut Vec<u8>, labels: &[Box<str>], bits: u64, push: impl Fn(&mut Vec<u8>, &str)) {
    let start = out.len();
    for (number, label) in labels.iter().enumerate() {
        if bits >> number & 1 != 0 {
            if out.len() > start {
                out.push(b',');
            }
            push(out, label);
        }
    }
}

fn push_key_text(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        if matches!(byte, b'|' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A JSON column's image, made of the document's bytes.
    fn document(bytes: &[u8]) -> String {
        let text = ColumnText {
            key: crate::table::Key::new("j"),
            labels: None,
            json_type: 245,
        };
        let mut out = Vec::new();
        write_json(&mut out, &text, Jsonb::new(bytes)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_string_in_a_document_column_is_taken_for_bytes() {
        let string = |text: &str| {
            let len = u8::try_from(text.len()).unwrap();
            document(&[&[JSON_STRING, len], text.as_bytes()].concat())
        };
        let null = document(JSON_NULL);
        assert_eq!(null, r#""base64:type245:BAA=""#);
        assert_eq!(
            string("base64:type245:BAA="),
            r#""base64:type245:DBNiYXNlNjQ6dHlwZTI0NTpCQUE9""#
        );
        assert!(string("base64:type252:").starts_with("\"base64:type245:DA"));
        assert_eq!(string("base64:typ"), r#""base64:typ""#);
        // Bytes in a document, as MySQL prints them.
        assert_eq!(document(b"\x0f\xfc\x01c"), r#""base64:type252:Yw==""#);
    }

    #[test]
    fn a_set_in_a_key_is_plain_and_its_separators_are_escaped() {
        let labels: Vec<Box<str>> = vec!["a|b".into(), "c".into()];
        let mut key = Vec::new();
        write_set(&mut key, &labels, 0b11, push_key_text);
        assert_eq!(key, br"a\|b,c");
        let mut text = Vec::new();
        quoted(&mut text, |out| {
            write_set(out, &labels, 0b01, json::push_escaped)
        });
        assert_eq!(text, br#""a|b""#);
    }
}
