//! One value, and the type in the comment behind it.

use bintrail_proto::binlog::column::ColumnType;
use bintrail_proto::binlog::jsonb::{Jsonb, Node, Style};
use bintrail_proto::binlog::table_map::Column;
use bintrail_proto::binlog::value::{Date, DateTime, Decimal, Time, Timestamp, Year};
use bintrail_proto::{Error, Kind};

use super::{print, printf};

/// Appends the value that `bytes` are in `column`.
///
/// # Errors
/// Bytes that no value of the column's type has.
pub(super) fn write(out: &mut Vec<u8>, column: &Column, bytes: &[u8]) -> Result<(), Error> {
    match column.column_type {
        ColumnType::Tiny
        | ColumnType::Short
        | ColumnType::Int24
        | ColumnType::Long
        | ColumnType::LongLong => integer(out, bytes)?,
        ColumnType::Float => {
            let start = out.len();
            printf::general(out, 6, f32::from_le_bytes(exact(bytes)?).into());
            out.resize(out.len().max(start + 20), b' ');
        }
        ColumnType::Double => printf::general(out, 20, f64::from_le_bytes(exact(bytes)?)),
        ColumnType::NewDecimal { precision, scale } => {
            Decimal::new(bytes, precision, scale)?.write_to(out)?;
        }
        ColumnType::Year => Year::new(bytes)?.write_to(out),
        ColumnType::Date => {
            let date = Date::new(bytes)?;
            let (year, month, day) = (date.year(), date.month(), date.day());
            print(out, format_args!("'{year:04}:{month:02}:{day:02}'"));
        }
        ColumnType::TimeOld { fsp } => quoted(out, |out| {
            Time::new_old(bytes, fsp).map(|v| v.write_to(out))
        })?,
        ColumnType::Time { fsp } => {
            quoted(out, |out| Time::new(bytes, fsp).map(|v| v.write_to(out)))?;
        }
        ColumnType::DateTimeOld { fsp } => DateTime::new_old(bytes, fsp)?.write_to(out),
        ColumnType::DateTime { fsp } => {
            quoted(out, |out| {
                DateTime::new(bytes, fsp).map(|v| v.write_to(out))
            })?;
        }
        ColumnType::TimestampOld { fsp } => Timestamp::new_old(bytes, fsp)?.write_epoch_to(out),
        ColumnType::Timestamp { fsp } => Timestamp::new(bytes, fsp)?.write_epoch_to(out),
        ColumnType::Bit { bits } => write_bits(out, bytes, bits.into()),
        ColumnType::Enum { .. } => {
            print(out, format_args!("{}", little_endian(bytes)?));
        }
        ColumnType::Set { width } => write_bits(out, bytes, usize::from(width) * 8),
        ColumnType::String { .. }
        | ColumnType::VarChar { .. }
        | ColumnType::Blob { .. }
        | ColumnType::VarCharCompressed { .. }
        | ColumnType::BlobCompressed { .. }
        | ColumnType::Uuid
        | ColumnType::Inet6
        | ColumnType::Inet4
        | ColumnType::Geometry { .. } => string(out, bytes),
        ColumnType::Json { .. } => json(out, Jsonb::new(bytes))?,
        ColumnType::Vector { .. } => vector(out, bytes)?,
        ColumnType::Null => out.extend_from_slice(b"NULL"),
    }
    Ok(())
}

/// Appends the type as the comment names it.
pub(super) fn write_type(out: &mut Vec<u8>, column: &Column) {
    let name: &[u8] = match column.column_type {
        ColumnType::Tiny => b"TINYINT",
        ColumnType::Short => b"SHORTINT",
        ColumnType::Int24 => b"MEDIUMINT",
        ColumnType::Long => b"INT",
        ColumnType::LongLong => b"LONGINT",
        ColumnType::Float => b"FLOAT",
        ColumnType::Double => b"DOUBLE",
        ColumnType::Year => b"YEAR",
        ColumnType::Date => b"DATE",
        ColumnType::TimeOld { .. } => b"TIME",
        ColumnType::DateTimeOld { .. } => b"DATETIME",
        ColumnType::TimestampOld { .. } => b"TIMESTAMP",
        ColumnType::Json { .. } => b"JSON",
        ColumnType::Geometry { .. } => b"GEOMETRY",
        ColumnType::Null => b"NULL",
        ColumnType::Enum { width: 1 } => b"ENUM(1 byte)",
        ColumnType::Blob { len_bytes: 1 } => b"TINYBLOB/TINYTEXT",
        ColumnType::Blob { len_bytes: 2 } => b"BLOB/TEXT",
        ColumnType::Blob { len_bytes: 3 } => b"MEDIUMBLOB/MEDIUMTEXT",
        ColumnType::Blob { .. } => b"LONGBLOB/LONGTEXT",
        // As mariadb-binlog has them.
        ColumnType::BlobCompressed { len_bytes: 1 } => b"TINYBLOB/TINYTEXT COMPRESSED",
        ColumnType::BlobCompressed { len_bytes: 2 } => b"BLOB/TEXT COMPRESSED",
        ColumnType::BlobCompressed { len_bytes: 3 } => b"MEDIUMBLOB/MEDIUMTEXT COMPRESSED",
        ColumnType::BlobCompressed { .. } => b"LONGBLOB/LONGTEXT COMPRESSED",
        ColumnType::VarCharCompressed { max_len } => {
            return print(out, format_args!("VARSTRING({max_len}) COMPRESSED"));
        }
        ColumnType::Uuid | ColumnType::Inet6 => b"STRING(16)",
        ColumnType::Inet4 => b"STRING(4)",
        ColumnType::NewDecimal { precision, scale } => {
            return print(out, format_args!("DECIMAL({precision},{scale})"));
        }
        ColumnType::Time { fsp } => return print(out, format_args!("TIME({fsp})")),
        ColumnType::DateTime { fsp } => return print(out, format_args!("DATETIME({fsp})")),
        ColumnType::Timestamp { fsp } => return print(out, format_args!("TIMESTAMP({fsp})")),
        ColumnType::Bit { bits } => return print(out, format_args!("BIT({bits})")),
        ColumnType::Enum { width } => return print(out, format_args!("ENUM({width} bytes)")),
        ColumnType::Set { width } => return print(out, format_args!("SET({width} bytes)")),
        ColumnType::String { max_len } => return print(out, format_args!("STRING({max_len})")),
        ColumnType::VarChar { max_len } => {
            return print(out, format_args!("VARSTRING({max_len})"));
        }
        ColumnType::Vector { .. } => {
            let dimensions = column.dimensions.unwrap_or_default();
            return print(out, format_args!("VECTOR({dimensions})"));
        }
    };
    out.extend_from_slice(name);
}

/// The type metadata as one number, `table_def::field_metadata` in MySQL's source.
pub(super) const fn meta(column_type: ColumnType) -> u16 {
    const REAL_TYPE_STRING: u8 = 254;
    const REAL_TYPE_ENUM: u8 = 247;
    const REAL_TYPE_SET: u8 = 248;
    match column_type {
        ColumnType::Tiny
        | ColumnType::Short
        | ColumnType::Int24
        | ColumnType::Long
        | ColumnType::LongLong
        | ColumnType::Year
        | ColumnType::Date
        | ColumnType::TimeOld { .. }
        | ColumnType::DateTimeOld { .. }
        | ColumnType::TimestampOld { .. }
        | ColumnType::Null => 0,
        ColumnType::Float => 4,
        ColumnType::Double => 8,
        ColumnType::NewDecimal { precision, scale } => u16::from_be_bytes([precision, scale]),
        ColumnType::Time { fsp } | ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp } => {
            fsp as u16
        }
        ColumnType::Bit { bits } => u16::from_be_bytes([bits / 8, bits % 8]),
        ColumnType::Enum { width } => u16::from_be_bytes([REAL_TYPE_ENUM, width]),
        ColumnType::Set { width } => u16::from_be_bytes([REAL_TYPE_SET, width]),
        ColumnType::String { max_len } => {
            // Two bits of a length above 255 stand inverted in the real type.
            let [high, low] = max_len.to_be_bytes();
            u16::from_be_bytes([REAL_TYPE_STRING ^ (high & 3) << 4, low])
        }
        ColumnType::VarChar { max_len } | ColumnType::VarCharCompressed { max_len } => max_len,
        ColumnType::Uuid | ColumnType::Inet6 => u16::from_be_bytes([REAL_TYPE_STRING, 16]),
        ColumnType::Inet4 => u16::from_be_bytes([REAL_TYPE_STRING, 4]),
        ColumnType::Blob { len_bytes }
        | ColumnType::BlobCompressed { len_bytes }
        | ColumnType::Json { len_bytes }
        | ColumnType::Geometry { len_bytes }
        | ColumnType::Vector { len_bytes } => len_bytes as u16,
    }
}

/// Appends an integer as signed, a negative one with its unsigned value behind it.
fn integer(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Error> {
    let unsigned = little_endian(bytes)?;
    let unused_bits = u64::BITS.saturating_sub(u8::BITS * u32::try_from(bytes.len()).unwrap_or(8));
    let signed = unsigned.wrapping_shl(unused_bits).cast_signed() >> unused_bits;
    print(out, format_args!("{signed}"));
    if signed < 0 {
        print(out, format_args!(" ({unsigned})"));
    }
    Ok(())
}

fn little_endian(bytes: &[u8]) -> Result<u64, Error> {
    if !matches!(bytes.len(), 1..=8) {
        return Err(wrong_width());
    }
    Ok(bytes
        .iter()
        .rev()
        .fold(0, |n, &byte| n << 8 | u64::from(byte)))
}

const fn wrong_width() -> Error {
    Error::new("column value", Kind::Invalid("not as wide as its type"))
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Error> {
    bytes.try_into().map_err(|_| wrong_width())
}

fn quoted(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    out.push(b'\'');
    write(out)?;
    out.push(b'\'');
    Ok(())
}

/// Appends the last `bits` bits of `bytes`: a SET's bytes, too, in the order they stand in.
fn write_bits(out: &mut Vec<u8>, bytes: &[u8], bits: usize) {
    let unused = (bytes.len() * 8).saturating_sub(bits);
    out.extend_from_slice(b"b'");
    let all = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1));
    out.extend(all.skip(unused).map(|bit| b'0' + bit));
    out.push(b'\'');
}

/// Appends a string, its control characters, quotes and backslashes escaped; all else as it is, in
/// the column's character set.
pub(super) fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'\'');
    for &byte in bytes {
        match byte {
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\'' => out.extend_from_slice(b"\\'"),
            0..=31 => print(out, format_args!("\\x{byte:02x}")),
            _ => out.push(byte),
        }
    }
    out.push(b'\'');
}

fn vector(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Error> {
    let (floats, rest) = bytes.as_chunks::<4>();
    if floats.is_empty() || !rest.is_empty() {
        return Err(wrong_width());
    }
    out.push(b'[');
    for (number, float) in floats.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        printf::exponential(out, 5, f32::from_le_bytes(*float).into());
    }
    out.push(b']');
    Ok(())
}

/// Appends JSON as a string of its text; a JSON string is that string, without quotes of its own.
fn json(out: &mut Vec<u8>, value: Jsonb<'_>) -> Result<(), Error> {
    if let Node::String(text) = value.root()? {
        string(out, text.as_bytes());
        return Ok(());
    }
    let mut text = Vec::new();
    value.write_json(Style::MySql, &mut text)?;
    // Dates and the like, which JSON has no other form for; nothing in them is escaped.
    let bare = text
        .strip_prefix(b"\"")
        .and_then(|text| text.strip_suffix(b"\""))
        .unwrap_or(&text);
    string(out, bare);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn print(column_type: ColumnType, bytes: &[u8]) -> Result<String, Error> {
        let column = Column {
            type_code: 0,
            column_type,
            nullable: true,
            unsigned: None,
            collation: None,
            name: None,
            members: None,
            visible: None,
            geometry_type: None,
            dimensions: None,
        };
        let mut out = Vec::new();
        write(&mut out, &column, bytes)?;
        out.extend_from_slice(b" /* ");
        write_type(&mut out, &column);
        write!(out, " meta={}", meta(column_type)).unwrap();
        Ok(String::from_utf8(out).unwrap())
    }

    /// What mysqlbinlog 9.7.4 prints of a made-up binlog with these columns: no server since 5.6
    /// makes them.
    #[test]
    fn formats_before_5_6() {
        let time = |n: i32| print(ColumnType::TimeOld { fsp: 0 }, &n.to_le_bytes()[..3]);
        assert_eq!(time(8_385_959).unwrap(), "'838:59:59' /* TIME meta=0");
        assert_eq!(time(0).unwrap(), "'00:00:00' /* TIME meta=0");
        let datetime = |n: u64| print(ColumnType::DateTimeOld { fsp: 0 }, &n.to_le_bytes());
        assert_eq!(
            datetime(20_240_229_123_456).unwrap(),
            "2024-02-29 12:34:56 /* DATETIME meta=0"
        );
        assert_eq!(
            datetime(0).unwrap(),
            "0000-00-00 00:00:00 /* DATETIME meta=0"
        );
        let timestamp = |n: u32| print(ColumnType::TimestampOld { fsp: 0 }, &n.to_le_bytes());
        assert_eq!(
            timestamp(1_709_210_096).unwrap(),
            "1709210096 /* TIMESTAMP meta=0"
        );
        assert_eq!(timestamp(0).unwrap(), "0 /* TIMESTAMP meta=0");
    }

    /// Where mysqlbinlog prints `1900` and `'1665:37:60'`.
    #[test]
    fn values_that_mysqlbinlog_gets_wrong() {
        assert_eq!(
            print(ColumnType::Year, &[0]).unwrap(),
            "0000 /* YEAR meta=0"
        );
        let negative = (-123_456_i32).to_le_bytes();
        assert_eq!(
            print(ColumnType::TimeOld { fsp: 0 }, &negative[..3]).unwrap(),
            "'-12:34:56' /* TIME meta=0"
        );
    }

    #[test]
    fn values_that_no_column_can_hold() {
        for (column_type, bytes) in [
            (ColumnType::Long, &[][..]),
            (ColumnType::Long, &[0; 9]),
            (ColumnType::Float, &[0; 3]),
            (ColumnType::Double, &[0; 9]),
            (ColumnType::Date, &[0xFF; 3]),
            (ColumnType::Vector { len_bytes: 4 }, &[0; 5]),
            (ColumnType::Vector { len_bytes: 4 }, &[]),
            (ColumnType::Json { len_bytes: 4 }, &[0xEE]),
        ] {
            assert!(print(column_type, bytes).is_err(), "{column_type:?}");
        }
    }
}
