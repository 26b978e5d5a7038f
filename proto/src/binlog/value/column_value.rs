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
///
/// Numbers that tell a length or a member are little-endian. Types with a page of their own show their layout there.
///
/// Source: the table of column types in `Table_map_event` of MySQL's source documentation; `Field_enum`, `Field_set`,
/// `Field_string`, `Field_varstring` and `Field_blob` in `sql/field.cc`.
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
    /// ENUM: the member's number from 1, in one byte for up to 255 members and in two for more; 0 is the error value `''`.
    Enum(u16),
    /// SET: a bit for each member, bit 0 for the first, in 1, 2, 3, 4 or 8 bytes.
    Set(u64),
    /// CHAR, VARCHAR and the TEXTs, in the column's character set, behind their length in 1 or 2 bytes, of the TEXTs in 1 to 4.
    Text(&'a [u8], Charset),
    /// VARBINARY and the BLOBs; also text whose character set is not known.
    Binary(&'a [u8]),
    /// BINARY of this many bytes, behind the length of what is there: the event leaves zero bytes at the end out.
    FixedBinary(&'a [u8], u16),
    /// JSON.
    Json(Jsonb<'a>),
    /// GEOMETRY: behind its length in 4 bytes, an SRID of 4 bytes and WKB.
    Geometry(&'a [u8]),
    /// VECTOR: behind its length in 4 bytes, floats of 4 bytes, little-endian.
    Vector(&'a [u8]),
    /// A compressed string of MariaDB.
    Compressed(CompressedString<'a>),
    /// UUID of MariaDB: as BINARY(16), its bytes in their order.
    Uuid(Uuid),
    /// INET6 of MariaDB.
    Inet6(Inet6),
    /// INET4 of MariaDB.
    Inet4(Inet4),
}

/// What is done with a value: a function, or what has one that has to be inlined.
pub trait Take<'a> {
    /// What comes of it.
    type Output;

    /// Takes the value.
    fn take(self, value: Value<'a>) -> Self::Output;
}

impl<'a, T, F: FnOnce(Value<'a>) -> T> Take<'a> for F {
    type Output = T;

    #[inline(always)]
    fn take(self, value: Value<'a>) -> T {
        self(value)
    }
}

#[cold]
const fn wrong_width() -> Error {
    Error::new("column value", Kind::Invalid("not as wide as its type"))
}

/// Little-endian bytes as an unsigned integer.
#[inline(always)]
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

#[inline(always)]
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
    /// An integer of `N` bytes, 1 to 8, little-endian.
    #[inline]
    fn integer<const N: usize>(column: &Column, bytes: [u8; N]) -> Self {
        let mut wide = [0; 8];
        if let Some(low) = wide.first_chunk_mut::<N>() {
            *low = bytes;
        }
        let n = u64::from_le_bytes(wide);
        if column.unsigned == Some(true) {
            Self::UInt(n)
        } else {
            // Shifted up so that the highest bit is the sign, and back down with it.
            let unused = 64 - 8 * N;
            Self::Int((n << unused).cast_signed() >> unused)
        }
    }

    /// The value that `bytes`, as they stand in a row image, are in `column`.
    ///
    /// Integers whose signedness the event does not give are signed, as MySQL's own tools take them.
    ///
    /// # Errors
    /// Bytes that no value of the column's type has.
    #[inline]
    pub fn decode(column: &Column, bytes: &'a [u8]) -> Result<Self, Error> {
        Self::visit(column, bytes, |value: Self| value)
    }

    /// Hands the value that `bytes` are in `column` to `taker`, and returns what that returns.
    ///
    /// As [`decode`](Self::decode), and faster for every value of every row: `taker` is compiled into the place where
    /// each type is read, so that the value need not be put together and taken apart again.
    ///
    /// # Errors
    /// Bytes that no value of the column's type has; `taker` is not called then.
    #[inline(always)]
    pub fn visit<T: Take<'a>>(
        column: &Column,
        bytes: &'a [u8],
        taker: T,
    ) -> Result<T::Output, Error> {
        Ok(match column.column_type {
            ColumnType::Tiny => taker.take(Self::integer(column, exact::<1>(bytes)?)),
            ColumnType::Short => taker.take(Self::integer(column, exact::<2>(bytes)?)),
            ColumnType::Int24 => taker.take(Self::integer(column, exact::<3>(bytes)?)),
            ColumnType::Long => taker.take(Self::integer(column, exact::<4>(bytes)?)),
            ColumnType::LongLong => taker.take(Self::integer(column, exact::<8>(bytes)?)),
            ColumnType::Float => taker.take(Self::Float(f32::from_le_bytes(exact(bytes)?))),
            ColumnType::Double => taker.take(Self::Double(f64::from_le_bytes(exact(bytes)?))),
            ColumnType::NewDecimal { precision, scale } => {
                taker.take(Self::Decimal(Decimal::new(bytes, precision, scale)?))
            }
            ColumnType::Bit { bits } => taker.take(Self::Bit(Bit::new(bytes, bits)?)),
            ColumnType::Year => taker.take(Self::Year(Year::new(bytes)?)),
            ColumnType::Date => taker.take(Self::Date(Date::new(bytes)?)),
            ColumnType::Time { fsp } => taker.take(Self::Time(Time::new(bytes, fsp)?)),
            ColumnType::TimeOld { fsp } => taker.take(Self::Time(Time::new_old(bytes, fsp)?)),
            ColumnType::DateTime { fsp } => taker.take(Self::DateTime(DateTime::new(bytes, fsp)?)),
            ColumnType::DateTimeOld { fsp } => {
                taker.take(Self::DateTime(DateTime::new_old(bytes, fsp)?))
            }
            ColumnType::Timestamp { fsp } => {
                taker.take(Self::Timestamp(Timestamp::new(bytes, fsp)?))
            }
            ColumnType::TimestampOld { fsp } => {
                taker.take(Self::Timestamp(Timestamp::new_old(bytes, fsp)?))
            }
            ColumnType::Enum { .. } => taker.take(Self::Enum(
                u16::try_from(unsigned(bytes)?).map_err(|_| wrong_width())?,
            )),
            ColumnType::Set { .. } => taker.take(Self::Set(unsigned(bytes)?)),
            ColumnType::String { max_len } if column.charset() == Some(Charset::Binary) => {
                taker.take(Self::FixedBinary(bytes, max_len))
            }
            ColumnType::String { .. } | ColumnType::VarChar { .. } | ColumnType::Blob { .. } => {
                match column.charset() {
                    None | Some(Charset::Binary) => taker.take(Self::Binary(bytes)),
                    Some(charset) => taker.take(Self::Text(bytes, charset)),
                }
            }
            ColumnType::Json { .. } => taker.take(Self::Json(Jsonb::new(bytes))),
            ColumnType::Geometry { .. } => taker.take(Self::Geometry(bytes)),
            ColumnType::Vector { .. } => taker.take(Self::Vector(bytes)),
            ColumnType::VarCharCompressed { .. } | ColumnType::BlobCompressed { .. } => taker.take(
                Self::Compressed(CompressedString::new(bytes, column.charset())?),
            ),
            ColumnType::Uuid => taker.take(Self::Uuid(Uuid(padded(bytes)?))),
            ColumnType::Inet6 => taker.take(Self::Inet6(Inet6(padded(bytes)?))),
            ColumnType::Inet4 => taker.take(Self::Inet4(Inet4(padded(bytes)?))),
            ColumnType::Null => taker.take(Self::Null),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(column_type: ColumnType, unsigned: bool, bytes: &[u8]) -> Result<Value<'_>, Error> {
        let column = Column {
            type_code: 0,
            column_type,
            nullable: false,
            unsigned: Some(unsigned),
            collation: None,
            name: None,
            members: None,
            visible: None,
            geometry_type: None,
            dimensions: None,
        };
        Value::decode(&column, bytes)
    }

    #[test]
    fn integers_of_every_width() {
        use ColumnType::{Int24, Long, LongLong, Short, Tiny};
        for (column_type, bytes, expected) in [
            (Tiny, &[0x80][..], -128),
            (Short, &[0x00, 0x80], -32768),
            (Int24, &[0x00, 0x00, 0x80], -8_388_608),
            (Int24, &[0xff, 0xff, 0x7f], 8_388_607),
            (Int24, &[0xff, 0xff, 0xff], -1),
            (Long, &[0, 0, 0, 0x80], -2_147_483_648),
            (LongLong, &[0, 0, 0, 0, 0, 0, 0, 0x80], i64::MIN),
        ] {
            let value = integer(column_type, false, bytes);
            assert_eq!(value, Ok(Value::Int(expected)));
            let value = integer(column_type, true, &bytes[1..]);
            assert!(value.is_err(), "{value:?}");
        }
        for (column_type, bytes, expected) in [
            (Tiny, &[0xff][..], 0xff),
            (Short, &[0xff; 2], 0xffff),
            (Int24, &[0xff; 3], 0x00ff_ffff),
            (Long, &[0xff; 4], 0xffff_ffff),
            (LongLong, &[0xff; 8], u64::MAX),
        ] {
            let value = integer(column_type, true, bytes);
            assert_eq!(value, Ok(Value::UInt(expected)));
        }
        assert_eq!(unsigned(&[1, 2, 3]), Ok(0x0003_0201));
        assert!(unsigned(&[]).is_err() && unsigned(&[0; 5]).is_err());
    }
}
