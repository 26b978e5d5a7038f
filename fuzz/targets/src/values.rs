//! Any value, worked on as far as it goes.

use bintrail_proto::Error;
use bintrail_proto::binlog::jsonb::Style;
use bintrail_proto::binlog::table_map::Column;
use bintrail_proto::binlog::value::{Value, float};

/// The text of a value; what is printed is bounded by the value's bytes.
pub(crate) fn print(column: &Column, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = b"before".to_vec();
    let mut scratch = String::new();
    let value = Value::decode(column, bytes).inspect_err(|e| super::check_error(e, bytes.len()))?;
    let column_bytes = bytes.len();
    let written = match value {
        Value::Null => Ok(()),
        Value::Int(n) => {
            out.extend_from_slice(n.to_string().as_bytes());
            Ok(())
        }
        Value::UInt(n) | Value::Set(n) => {
            out.extend_from_slice(n.to_string().as_bytes());
            Ok(())
        }
        Value::Enum(n) => {
            out.extend_from_slice(n.to_string().as_bytes());
            Ok(())
        }
        Value::Float(n) => float::write_float(&mut out, n),
        Value::Double(n) => float::write_double(&mut out, n),
        Value::Decimal(n) => n.write_to(&mut out),
        Value::Bit(bit) => {
            bit.write_to(&mut out);
            Ok(())
        }
        Value::Year(year) => {
            year.write_to(&mut out);
            Ok(())
        }
        Value::Date(date) => {
            date.write_to(&mut out);
            Ok(())
        }
        Value::Time(time) => {
            time.write_to(&mut out);
            Ok(())
        }
        Value::DateTime(datetime) => {
            datetime.write_to(&mut out);
            Ok(())
        }
        Value::Timestamp(timestamp) => {
            timestamp.write_to(&mut out);
            Ok(())
        }
        Value::Text(text, charset) => {
            match charset.to_utf8(text, &mut scratch) {
                Ok(text) => out.extend_from_slice(text.as_bytes()),
                Err(_) => out.extend_from_slice(text),
            }
            Ok(())
        }
        Value::Binary(bytes)
        | Value::FixedBinary(bytes, _)
        | Value::Geometry(bytes)
        | Value::Vector(bytes) => {
            out.extend_from_slice(bytes);
            Ok(())
        }
        Value::Uuid(uuid) => {
            out.extend_from_slice(uuid.to_string().as_bytes());
            Ok(())
        }
        Value::Inet6(address) => {
            address.write_to(&mut out);
            Ok(())
        }
        Value::Inet4(address) => {
            address.write_to(&mut out);
            Ok(())
        }
        Value::Compressed(string) => {
            let mut inflated = Vec::new();
            // zlib makes at most 1032 bytes of one.
            if let Ok(bytes) = string.inflate(&mut inflated) {
                assert!(bytes.len() / 1033 <= column_bytes);
            }
            Ok(())
        }
        Value::Json(json) => json.write_json(Style::MySql, &mut out),
    };
    assert!(out.starts_with(b"before"));
    if let Err(error) = written {
        super::check_error(&error, bytes.len());
        assert_eq!(out, b"before", "nothing is left of what failed");
        return Err(error);
    }
    let text = out.split_off(b"before".len());
    assert!(text.len() <= 96 + 12 * bytes.len());
    Ok(text)
}
