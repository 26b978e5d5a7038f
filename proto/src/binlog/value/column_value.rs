//! A column's value of any type.

use crate::binlog::column::ColumnType;
use crate::binlog::jsonb::Jsonb;
use crate::binlog::table_map::Column;
use crate::error::{Error, Kind};

use super::charset::Charset;
use super::{Bit, CompressedString, Date, DateTime, Decimal, Inet4, Inet6, Time, Timestamp, Year};
use crate::gtid_set::Uuid;

/// A column's value, borrowed from the event.
///
/// Lazy: a variant says what the bytes are; digits, JSON and character sets are worked on only when
/// the value is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// A signed integer of any width.
    Int(i64),
    /// An unsigned integer of any width.
    UInt(u64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// DECIMAL.
    Decimal(Decimal<'a>),
    /// BIT.
    Bit(Bit),
    /// YEAR.
    Year(Year),
    /// DATE.
    Date(Date),
    /// TIME.
    Time(Time),
    /// DATETIME.
    DateTime(DateTime),
    /// TIMESTAMP.
    Timestamp(Timestamp),
    /// ENUM: the member's number from 1; 0 is the error value `''`.
    Enum(u16),
    /// SET: bit 0 is the first member.
    Set(u64),
    /// CHAR, VARCHAR and the TEXTs, in the column's character set.
    Text(&'a [u8], Charset),
    /// VARBINARY and the BLOBs; also text whose character set is not known.
    Binary(&'a [u8]),
    /// BINARY of this many bytes: the event leaves zero bytes at the end out.
    FixedBinary(&'a [u8], u16),
    /// JSON.
    Json(Jsonb<'a>),
    /// GEOMETRY: a 4-byte SRID and WKB.
    Geometry(&'a [u8]),
    /// VECTOR: 4-byte little-endian floats.
    Vector(&'a [u8]),
    /// A compressed string of MariaDB.
    Compressed(CompressedString<'a>),
    /// UUID of MariaDB.
    Uuid(Uuid),
    /// INET6 of MariaDB.
    Inet6(Inet6),
    /// INET4 of MariaDB.
    Inet4(Inet4),
}

const fn wrong_width() -> Error {
    Error::new("column value", Kind::Invalid("not as wide as its type"))
}

/// Little-endian bytes as an unsigned integer.
fn unsigned(bytes: &[u8]) -> Result<u64, Error> {
    match *bytes {
        [a] => Ok(u64::from(a)),
        [a, b] => Ok(u64::from(u16::from_le_bytes([a, b]))),
        [a, b, c] => Ok(u64::from(u32::from_le_bytes([a, b, c, 0]))),
        [a, b, c, d] => Ok(u64::from(u32::from_le_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Ok(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => Err(wrong_width()),
    }
}

/// Little-endian bytes as a two's complement integer.
fn signed(bytes: &[u8]) -> Result<i64, Error> {
    match *bytes {
        [a] => Ok(i64::from(i8::from_le_bytes([a]))),
        [a, b] => Ok(i64::from(i16::from_le_bytes([a, b]))),
        // Shifted up so that bit 23 is the sign, and back down with it.
        [a, b, c] => Ok(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)),
        [a, b, c, d] => Ok(i64::from(i32::from_le_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Ok(i64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => Err(wrong_width()),
    }
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Error> {
    bytes.try_into().map_err(|_| wrong_width())
}

/// `bytes` and the zero bytes that the event leaves out behind them.
fn padded<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Error> {
    let mut all = [0; N];
    all.get_mut(..bytes.len())
        .ok_or_else(wrong_width)?
        .copy_from_slice(bytes);
    Ok(all)
}

impl<'a> Value<'a> {
    /// The value that `bytes`, as they stand in a row image, are in `column`.
    ///
    /// Integers whose signedness the event does not give are signed, as MySQL's own tools take them.
    ///
    /// # Errors
    /// Bytes that no value of the column's type has.
    #[inline]
    pub fn decode(column: &Column, bytes: &'a [u8]) -> Result<Self, Error> {
        Ok(match column.column_type {
            ColumnType::Tiny
            | ColumnType::Short
            | ColumnType::Int24
            | ColumnType::Long
            | ColumnType::LongLong => {
                if column.unsigned == Some(true) {
                    Self::UInt(unsigned(bytes)?)
                } else {
                    Self::Int(signed(bytes)?)
                }
            }
            ColumnType::Float => Self::Float(f32::from_le_bytes(exact(bytes)?)),
            ColumnType::Double => Self::Double(f64::from_le_bytes(exact(bytes)?)),
            ColumnType::NewDecimal { precision, scale } => {
                Self::Decimal(Decimal::new(bytes, precision, scale)?)
            }
            ColumnType::Bit { bits } => Self::Bit(Bit::new(bytes, bits)?),
            ColumnType::Year => Self::Year(Year::new(bytes)?),
            ColumnType::Date => Self::Date(Date::new(bytes)?),
            ColumnType::Time { fsp } => Self::Time(Time::new(bytes, fsp)?),
            ColumnType::TimeOld => Self::Time(Time::new_old(bytes)?),
            ColumnType::DateTime { fsp } => Self::DateTime(DateTime::new(bytes, fsp)?),
            ColumnType::DateTimeOld => Self::DateTime(DateTime::new_old(bytes)?),
            ColumnType::Timestamp { fsp } => Self::Timestamp(Timestamp::new(bytes, fsp)?),
            ColumnType::TimestampOld => Self::Timestamp(Timestamp::new_old(bytes)?),
            ColumnType::Enum { .. } => {
                Self::Enum(u16::try_from(unsigned(bytes)?).map_err(|_| wrong_width())?)
            }
            ColumnType::Set { .. } => Self::Set(unsigned(bytes)?),
            ColumnType::String { max_len } if column.charset() == Some(Charset::Binary) => {
                Self::FixedBinary(bytes, max_len)
            }
            ColumnType::String { .. } | ColumnType::VarChar { .. } | ColumnType::Blob { .. } => {
                match column.charset() {
                    None | Some(Charset::Binary) => Self::Binary(bytes),
                    Some(charset) => Self::Text(bytes, charset),
                }
            }
            ColumnType::Json { .. } => Self::Json(Jsonb::new(bytes)),
            ColumnType::Geometry { .. } => Self::Geometry(bytes),
            ColumnType::Vector { .. } => Self::Vector(bytes),
            ColumnType::VarCharCompressed { .. } | ColumnType::BlobCompressed { .. } => {
                Self::Compressed(CompressedString::new(bytes, column.charset())?)
            }
            ColumnType::Uuid => Self::Uuid(Uuid(padded(bytes)?)),
            ColumnType::Inet6 => Self::Inet6(Inet6(padded(bytes)?)),
            ColumnType::Inet4 => Self::Inet4(Inet4(padded(bytes)?)),
            ColumnType::Null => Self::Null,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_width() {
        assert_eq!(signed(&[0x80]).unwrap(), -128);
        assert_eq!(signed(&[0x00, 0x80]).unwrap(), -32768);
        assert_eq!(signed(&[0x00, 0x00, 0x80]).unwrap(), -8_388_608);
        assert_eq!(signed(&[0xff, 0xff, 0x7f]).unwrap(), 8_388_607);
        assert_eq!(signed(&[0xff, 0xff, 0xff]).unwrap(), -1);
        assert_eq!(unsigned(&[0xff, 0xff, 0xff]).unwrap(), 16_777_215);
        assert_eq!(signed(&[0, 0, 0, 0x80]).unwrap(), -2_147_483_648);
        assert_eq!(signed(&[0, 0, 0, 0, 0, 0, 0, 0x80]).unwrap(), i64::MIN);
        assert_eq!(unsigned(&[255; 8]).unwrap(), u64::MAX);
        assert!(signed(&[]).is_err() && unsigned(&[0; 5]).is_err());
    }
}
