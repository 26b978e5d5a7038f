//! Column types as TABLE_MAP_EVENT describes them.

use crate::error::{Fault, Kind, Parsed};
use crate::primitive::{array, int1, int2};

/// A column's type and what TABLE_MAP's type metadata says of it.
///
/// Source: MySQL source documentation, `Table_map_event` ("Column types: numerical identifier
/// and metadata"), and `read_field_metadata` for arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// `TINYINT`: 1 byte.
    Tiny,
    /// `SMALLINT`: 2 bytes.
    Short,
    /// `MEDIUMINT`: 3 bytes.
    Int24,
    /// `INT`: 4 bytes.
    Long,
    /// `BIGINT`: 8 bytes.
    LongLong,
    /// `FLOAT`: 4 bytes.
    Float,
    /// `DOUBLE`: 8 bytes.
    Double,
    /// `DECIMAL(precision, scale)`.
    NewDecimal {
        /// Digits in all, 1 to 65.
        precision: u8,
        /// Digits behind the point, 0 to 30; in MariaDB to 38.
        scale: u8,
    },
    /// `YEAR`: 1 byte.
    Year,
    /// `DATE`: 3 bytes.
    Date,
    /// `TIME` before MySQL 5.6: 3 bytes; in MariaDB 4 to 6 with a fraction.
    TimeOld {
        /// Fractional digits, 0 to 6; MariaDB's. No event tells them: 0 until
        /// [`TableMap::settle_old_fractions`](super::table_map::TableMap::settle_old_fractions).
        fsp: u8,
    },
    /// `DATETIME` before MySQL 5.6: 8 bytes; in MariaDB 6 to 8 with a fraction.
    DateTimeOld {
        /// As in [`TimeOld`](Self::TimeOld).
        fsp: u8,
    },
    /// `TIMESTAMP` before MySQL 5.6: 4 bytes; in MariaDB 5 to 7 with a fraction.
    TimestampOld {
        /// As in [`TimeOld`](Self::TimeOld).
        fsp: u8,
    },
    /// `TIME(fsp)`.
    Time {
        /// Fractional digits, 0 to 6.
        fsp: u8,
    },
    /// `DATETIME(fsp)`.
    DateTime {
        /// Fractional digits, 0 to 6.
        fsp: u8,
    },
    /// `TIMESTAMP(fsp)`.
    Timestamp {
        /// Fractional digits, 0 to 6.
        fsp: u8,
    },
    /// `BIT(bits)`.
    Bit {
        /// 1 to 64.
        bits: u8,
    },
    /// `ENUM`, as the member's number.
    Enum {
        /// 1 or 2.
        width: u8,
    },
    /// `SET`, as a bitmap of its members.
    Set {
        /// 1, 2, 3, 4 or 8.
        width: u8,
    },
    /// `CHAR` and `BINARY`, trailing pad removed.
    String {
        /// The most bytes it can hold, 0 to 1023.
        max_len: u16,
    },
    /// `VARCHAR` and `VARBINARY`.
    VarChar {
        /// The most bytes it can hold, 0 to 65535.
        max_len: u16,
    },
    /// `TEXT` and `BLOB` of every size.
    Blob {
        /// Bytes of its length, 1 to 4.
        len_bytes: u8,
    },
    /// `JSON`, in MySQL's binary form; also the arrays behind multi-valued indexes.
    Json {
        /// Bytes of its length, 1 to 4.
        len_bytes: u8,
    },
    /// `GEOMETRY` and its kinds: SRID and WKB.
    Geometry {
        /// Bytes of its length, 1 to 4.
        len_bytes: u8,
    },
    /// `VECTOR`: 4-byte floats.
    Vector {
        /// Bytes of its length, 1 to 4.
        len_bytes: u8,
    },
    /// MariaDB's `VARCHAR(n) COMPRESSED` and `VARBINARY(n) COMPRESSED`.
    VarCharCompressed {
        /// The most bytes it can hold and one, 1 to 65535.
        max_len: u16,
    },
    /// MariaDB's `TEXT COMPRESSED` and `BLOB COMPRESSED` of every size.
    BlobCompressed {
        /// Bytes of its length, 1 to 4.
        len_bytes: u8,
    },
    /// MariaDB's `UUID`. An event has it as BINARY(16), and so do the two below: only the source's
    /// `information_schema` tells them apart, and who has asked it may put this here.
    Uuid,
    /// MariaDB's `INET6`.
    Inet6,
    /// MariaDB's `INET4`; an event has it as BINARY(4).
    Inet4,
    /// The type of a column that can only be NULL: no bytes.
    Null,
}

/// How many bytes a value takes in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Fixed(u8),
    /// As many as the 1 to 4 little-endian bytes before it say.
    Prefixed(u8),
}

/// The code of the type JSON, which the arrays behind multi-valued indexes do not have.
pub(super) const JSON: u8 = code::JSON;

/// `enum_field_types` of MySQL's `include/field_types.h`.
mod code {
    pub(super) const DECIMAL: u8 = 0;
    pub(super) const TINY: u8 = 1;
    pub(super) const SHORT: u8 = 2;
    pub(super) const LONG: u8 = 3;
    pub(super) const FLOAT: u8 = 4;
    pub(super) const DOUBLE: u8 = 5;
    pub(super) const NULL: u8 = 6;
    pub(super) const TIMESTAMP: u8 = 7;
    pub(super) const LONGLONG: u8 = 8;
    pub(super) const INT24: u8 = 9;
    pub(super) const DATE: u8 = 10;
    pub(super) const TIME: u8 = 11;
    pub(super) const DATETIME: u8 = 12;
    pub(super) const YEAR: u8 = 13;
    pub(super) const NEWDATE: u8 = 14;
    pub(super) const VARCHAR: u8 = 15;
    pub(super) const BIT: u8 = 16;
    pub(super) const TIMESTAMP2: u8 = 17;
    pub(super) const DATETIME2: u8 = 18;
    pub(super) const TIME2: u8 = 19;
    pub(super) const TYPED_ARRAY: u8 = 20;
    /// MariaDB's own, from its `include/mysql.h.pp`.
    pub(super) const BLOB_COMPRESSED: u8 = 140;
    pub(super) const VARCHAR_COMPRESSED: u8 = 141;
    pub(super) const VECTOR: u8 = 242;
    pub(super) const JSON: u8 = 245;
    pub(super) const NEWDECIMAL: u8 = 246;
    pub(super) const ENUM: u8 = 247;
    pub(super) const SET: u8 = 248;
    pub(super) const TINY_BLOB: u8 = 249;
    pub(super) const MEDIUM_BLOB: u8 = 250;
    pub(super) const LONG_BLOB: u8 = 251;
    pub(super) const BLOB: u8 = 252;
    pub(super) const VAR_STRING: u8 = 253;
    pub(super) const STRING: u8 = 254;
    pub(super) const GEOMETRY: u8 = 255;
}

/// What a fraction adds to MariaDB's old TIME and DATETIME, which take 3 and 5 bytes then beside it.
///
/// Source: `time_hires_bytes` and `datetime_hires_bytes` in MariaDB's `sql/field.cc`.
pub(super) const fn old_fraction_width(fsp: u8) -> u8 {
    if fsp == 0 { 0 } else { 1 + fsp / 3 }
}

impl ColumnType {
    /// Is it a temporal type of before MySQL 5.6? MariaDB 5.3 to 10.0, and later ones with `mysql56_temporal_format=OFF`,
    /// give those a fraction under the same codes and without metadata (`Field_time_hires` and its like).
    pub(crate) const fn is_old_temporal(self) -> bool {
        self.with_old_fraction(0).is_some()
    }

    /// This type of before MySQL 5.6 with `fsp` fractional digits; `None` for other types.
    #[must_use]
    pub const fn with_old_fraction(self, fsp: u8) -> Option<Self> {
        match self {
            Self::TimeOld { .. } => Some(Self::TimeOld { fsp }),
            Self::DateTimeOld { .. } => Some(Self::DateTimeOld { fsp }),
            Self::TimestampOld { .. } => Some(Self::TimestampOld { fsp }),
            _ => None,
        }
    }

    /// Reads the metadata of a column of type `type_code` from TABLE_MAP's metadata block.
    ///
    /// # Errors
    /// [`Kind::Truncated`]; [`Kind::Invalid`] for metadata the type cannot have;
    /// [`Kind::Unsupported`] for types that never stand in a binlog or went with MySQL 5.0.
    pub(crate) fn parse(type_code: u8, input: &[u8]) -> Parsed<'_, Self> {
        if type_code == code::TYPED_ARRAY {
            let (input, element) = int1(input)?;
            let (input, _) = Self::parse(element, input)?;
            return Ok((input, Self::Json { len_bytes: 4 }));
        }
        let plain = |column| Ok((input, column));
        match type_code {
            code::TINY => plain(Self::Tiny),
            code::SHORT => plain(Self::Short),
            code::INT24 => plain(Self::Int24),
            code::LONG => plain(Self::Long),
            code::LONGLONG => plain(Self::LongLong),
            code::YEAR => plain(Self::Year),
            code::DATE | code::NEWDATE => plain(Self::Date),
            code::TIME => plain(Self::TimeOld { fsp: 0 }),
            code::DATETIME => plain(Self::DateTimeOld { fsp: 0 }),
            code::TIMESTAMP => plain(Self::TimestampOld { fsp: 0 }),
            code::NULL => plain(Self::Null),
            code::FLOAT => int1(input).map(|(rest, _)| (rest, Self::Float)),
            code::DOUBLE => int1(input).map(|(rest, _)| (rest, Self::Double)),
            code::TIME2 => fsp(input).map(|(rest, fsp)| (rest, Self::Time { fsp })),
            code::DATETIME2 => fsp(input).map(|(rest, fsp)| (rest, Self::DateTime { fsp })),
            code::TIMESTAMP2 => fsp(input).map(|(rest, fsp)| (rest, Self::Timestamp { fsp })),
            code::NEWDECIMAL => {
                let (rest, [precision, scale]) = array::<2>(input)?;
                if precision == 0 || precision > 65 || scale > 38 || scale > precision {
                    return Err(Fault::invalid(
                        input,
                        "no DECIMAL has this precision and scale",
                    ));
                }
                Ok((rest, Self::NewDecimal { precision, scale }))
            }
            code::BIT => {
                let (rest, [odd_bits, bytes]) = array::<2>(input)?;
                let bits = u16::from(bytes)
                    .saturating_mul(8)
                    .saturating_add(u16::from(odd_bits));
                match u8::try_from(bits) {
                    Ok(bits @ 1..=64) if odd_bits < 8 => Ok((rest, Self::Bit { bits })),
                    _ => Err(Fault::invalid(input, "BIT has 1 to 64 bits")),
                }
            }
            code::VARCHAR | code::VAR_STRING => {
                int2(input).map(|(rest, max_len)| (rest, Self::VarChar { max_len }))
            }
            code::STRING => Self::parse_string(input),
            // The server writes ENUM and SET as STRING; the metadata is the same.
            code::ENUM | code::SET => Self::parse_string(input),
            code::TINY_BLOB | code::MEDIUM_BLOB | code::LONG_BLOB | code::BLOB => {
                len_bytes(input).map(|(rest, len_bytes)| (rest, Self::Blob { len_bytes }))
            }
            code::VARCHAR_COMPRESSED => {
                int2(input).map(|(rest, max_len)| (rest, Self::VarCharCompressed { max_len }))
            }
            code::BLOB_COMPRESSED => {
                len_bytes(input).map(|(rest, len_bytes)| (rest, Self::BlobCompressed { len_bytes }))
            }
            code::JSON => {
                len_bytes(input).map(|(rest, len_bytes)| (rest, Self::Json { len_bytes }))
            }
            code::GEOMETRY => {
                len_bytes(input).map(|(rest, len_bytes)| (rest, Self::Geometry { len_bytes }))
            }
            code::VECTOR => {
                len_bytes(input).map(|(rest, len_bytes)| (rest, Self::Vector { len_bytes }))
            }
            code::DECIMAL => Err(Fault::at(
                input,
                Kind::Unsupported("the DECIMAL format of MySQL before 5.0"),
            )),
            _ => Err(Fault::at(
                input,
                Kind::Unsupported("a column type of this code"),
            )),
        }
    }

    /// CHAR, BINARY, ENUM and SET: the real type, with two bits of a CHAR's length hidden in it.
    fn parse_string(input: &[u8]) -> Parsed<'_, Self> {
        let (rest, [real_type, len]) = array::<2>(input)?;
        let column = match real_type {
            code::ENUM if matches!(len, 1 | 2) => Self::Enum { width: len },
            code::SET if matches!(len, 1..=4 | 8) => Self::Set { width: len },
            code::ENUM | code::SET => {
                return Err(Fault::invalid(input, "no ENUM or SET has this width"));
            }
            _ => {
                // The bits stand inverted, so that lengths below 256 leave the type as it is.
                let high = u16::from(real_type & 0x30 ^ 0x30) << 4;
                match real_type | 0x30 {
                    code::STRING | code::VAR_STRING => Self::String {
                        max_len: high | u16::from(len),
                    },
                    _ => {
                        return Err(Fault::invalid(
                            input,
                            "not the real type of a STRING column",
                        ));
                    }
                }
            }
        };
        Ok((rest, column))
    }

    /// How many bytes a value of this type takes.
    pub(crate) const fn width(self) -> Width {
        match self {
            Self::Null => Width::Fixed(0),
            Self::Tiny | Self::Year => Width::Fixed(1),
            Self::Short => Width::Fixed(2),
            Self::Int24 | Self::Date => Width::Fixed(3),
            Self::Long | Self::Float => Width::Fixed(4),
            Self::LongLong | Self::Double | Self::DateTimeOld { fsp: 0 } => Width::Fixed(8),
            Self::TimeOld { fsp } => Width::Fixed(3 + old_fraction_width(fsp)),
            Self::DateTimeOld { fsp } => Width::Fixed(5 + old_fraction_width(fsp)),
            Self::TimestampOld { fsp } => Width::Fixed(4 + fsp.div_ceil(2)),
            Self::NewDecimal { precision, scale } => Width::Fixed(decimal_width(precision, scale)),
            Self::Time { fsp } => Width::Fixed(3 + fsp.div_ceil(2)),
            Self::DateTime { fsp } => Width::Fixed(5 + fsp.div_ceil(2)),
            Self::Timestamp { fsp } => Width::Fixed(4 + fsp.div_ceil(2)),
            Self::Bit { bits } => Width::Fixed(bits.div_ceil(8)),
            Self::Enum { width } | Self::Set { width } => Width::Fixed(width),
            Self::String { max_len }
            | Self::VarChar { max_len }
            | Self::VarCharCompressed { max_len } => {
                Width::Prefixed(if max_len > 255 { 2 } else { 1 })
            }
            Self::Uuid | Self::Inet6 | Self::Inet4 => Width::Prefixed(1),
            Self::Blob { len_bytes }
            | Self::BlobCompressed { len_bytes }
            | Self::Json { len_bytes }
            | Self::Geometry { len_bytes }
            | Self::Vector { len_bytes } => Width::Prefixed(len_bytes),
        }
    }

    /// Has it a bit in TABLE_MAP's SIGNEDNESS? A YEAR has one that says nothing:
    /// `has_signedess_information_type` in `sql/field_common_properties.h`.
    pub(crate) const fn has_signedness(self) -> bool {
        self.is_numeric() || matches!(self, Self::Year)
    }

    /// Is it an integer, a DECIMAL, a FLOAT or a DOUBLE, which may be unsigned?
    #[must_use]
    pub const fn is_numeric(self) -> bool {
        matches!(
            self,
            Self::Tiny
                | Self::Short
                | Self::Int24
                | Self::Long
                | Self::LongLong
                | Self::Float
                | Self::Double
                | Self::NewDecimal { .. }
        )
    }

    /// Has it a collation in TABLE_MAP's DEFAULT_CHARSET or COLUMN_CHARSET? MySQL counts VECTOR
    /// as one that does: `is_character_type` in `sql/log_event.cc`.
    pub(crate) const fn is_character(self) -> bool {
        matches!(
            self,
            Self::String { .. }
                | Self::VarChar { .. }
                | Self::Blob { .. }
                | Self::VarCharCompressed { .. }
                | Self::BlobCompressed { .. }
                | Self::Vector { .. }
        )
    }

    /// Has it a collation in TABLE_MAP's ENUM_AND_SET_*_CHARSET?
    pub(crate) const fn is_enum_or_set(self) -> bool {
        matches!(self, Self::Enum { .. } | Self::Set { .. })
    }
}

/// Bytes of a DECIMAL: 4 for every 9 digits on either side of the point, and 0 to 4 for the rest.
const fn decimal_width(precision: u8, scale: u8) -> u8 {
    const fn side(digits: u8) -> u8 {
        digits / 9 * 4 + (digits % 9).div_ceil(2)
    }
    side(precision.saturating_sub(scale)) + side(scale)
}

fn fsp(input: &[u8]) -> Parsed<'_, u8> {
    match int1(input)? {
        (rest, fsp @ 0..=6) => Ok((rest, fsp)),
        _ => Err(Fault::invalid(input, "fractional digits are 0 to 6")),
    }
}

fn len_bytes(input: &[u8]) -> Parsed<'_, u8> {
    match int1(input)? {
        (rest, n @ 1..=4) => Ok((rest, n)),
        _ => Err(Fault::invalid(input, "a length has 1 to 4 bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(type_code: u8, metadata: &[u8]) -> Option<ColumnType> {
        ColumnType::parse(type_code, metadata)
            .ok()
            .map(|(_, column)| column)
    }

    /// Widths from the manual's "Data Type Storage Requirements".
    #[test]
    fn widths() {
        let decimal = |precision, scale| ColumnType::NewDecimal { precision, scale }.width();
        assert_eq!(decimal(65, 30), Width::Fixed(30));
        assert_eq!(decimal(18, 9), Width::Fixed(8));
        assert_eq!(decimal(20, 6), Width::Fixed(10));
        assert_eq!(decimal(1, 0), Width::Fixed(1));
        assert_eq!(decimal(30, 30), Width::Fixed(14));
        assert_eq!(ColumnType::Time { fsp: 5 }.width(), Width::Fixed(6));
        assert_eq!(ColumnType::DateTime { fsp: 6 }.width(), Width::Fixed(8));
        assert_eq!(ColumnType::Bit { bits: 9 }.width(), Width::Fixed(2));
    }

    #[test]
    fn long_char_hides_length_bits_in_its_type() {
        // CHAR(255) in utf8mb4: 1020 bytes, as MySQL writes it.
        assert_eq!(
            parse(254, &[0xce, 0xfc]),
            Some(ColumnType::String { max_len: 1020 })
        );
        assert_eq!(
            parse(254, &[0xfe, 0xff]),
            Some(ColumnType::String { max_len: 255 })
        );
        assert_eq!(
            ColumnType::String { max_len: 1020 }.width(),
            Width::Prefixed(2)
        );
        assert_eq!(parse(254, &[0xf7, 2]), Some(ColumnType::Enum { width: 2 }));
        assert_eq!(parse(254, &[0xf8, 8]), Some(ColumnType::Set { width: 8 }));
        assert_eq!(parse(254, &[0xf7, 3]), None);
        assert_eq!(parse(254, &[0x01, 3]), None);
    }

    #[test]
    fn impossible_metadata_is_refused() {
        assert_eq!(parse(16, &[1, 8]), None);
        assert_eq!(parse(16, &[0, 8]), Some(ColumnType::Bit { bits: 64 }));
        assert_eq!(parse(246, &[66, 0]), None);
        assert_eq!(parse(246, &[10, 11]), None);
        assert_eq!(parse(19, &[7]), None);
        assert_eq!(parse(252, &[5]), None);
        assert_eq!(parse(243, &[]), None);
        assert_eq!(parse(20, &[20]), None);
    }
}
