//! Column types and values that a fuzzer makes up: the bytes that MySQL writes for them, and what they say.
//!
//! Written from MySQL's source documentation alone, so that a mistake of the decoder is not made twice.

use arbitrary::{Result, Unstructured};

use crate::document::{Document, text};

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An integer of this many bytes.
    Int(u8),
    Float,
    Double,
    /// Digits in all, and behind the point.
    Decimal(u8, u8),
    Year,
    Date,
    /// Fractional digits, as of the next two.
    Time(u8),
    DateTime(u8),
    Timestamp(u8),
    /// Bits.
    Bit(u8),
    /// Members.
    Enum(u16),
    Set(u8),
    /// Bytes at most.
    Char(u16),
    VarChar(u16),
    /// Bytes of the length.
    Blob(u8),
    Json,
    Geometry,
    Vector,
}

impl Kind {
    pub(crate) fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let fsp = |u: &mut Unstructured<'_>| u.int_in_range(0..=6);
        Ok(match u.int_in_range(0..=17)? {
            0 => Self::Int(*u.choose(&[1, 2, 3, 4, 8])?),
            1 => Self::Float,
            2 => Self::Double,
            3 => {
                let precision = u.int_in_range(1..=65)?;
                Self::Decimal(precision, u.int_in_range(0..=precision.min(30))?)
            }
            4 => Self::Year,
            5 => Self::Date,
            6 => Self::Time(fsp(u)?),
            7 => Self::DateTime(fsp(u)?),
            8 => Self::Timestamp(fsp(u)?),
            9 => Self::Bit(u.int_in_range(1..=64)?),
            10 => Self::Enum(*u.choose(&[1, 3, 255, 256])?),
            11 => Self::Set(u.int_in_range(1..=64)?),
            12 => Self::Char(u.int_in_range(0..=1020)?),
            13 => Self::VarChar(u.arbitrary()?),
            14 => Self::Blob(u.int_in_range(1..=4)?),
            15 => Self::Json,
            16 => Self::Geometry,
            _ => Self::Vector,
        })
    }

    /// The type's code in TABLE_MAP_EVENT, and its metadata.
    pub(crate) fn code(self) -> (u8, Vec<u8>) {
        match self {
            Self::Int(1) => (1, vec![]),
            Self::Int(2) => (2, vec![]),
            Self::Int(3) => (9, vec![]),
            Self::Int(4) => (3, vec![]),
            Self::Int(_) => (8, vec![]),
            Self::Float => (4, vec![4]),
            Self::Double => (5, vec![8]),
            Self::Decimal(precision, scale) => (246, vec![precision, scale]),
            Self::Year => (13, vec![]),
            Self::Date => (10, vec![]),
            Self::Time(fsp) => (19, vec![fsp]),
            Self::DateTime(fsp) => (18, vec![fsp]),
            Self::Timestamp(fsp) => (17, vec![fsp]),
            Self::Bit(bits) => (16, vec![bits % 8, bits / 8]),
            Self::Enum(_) => (254, vec![247, self.width() as u8]),
            Self::Set(_) => (254, vec![248, self.width() as u8]),
            Self::Char(max) => (254, vec![254 ^ (max >> 4 & 0x30) as u8, max as u8]),
            Self::VarChar(max) => (15, max.to_le_bytes().to_vec()),
            Self::Blob(len_bytes) => (252, vec![len_bytes]),
            Self::Json => (245, vec![4]),
            Self::Geometry => (255, vec![4]),
            Self::Vector => (242, vec![4]),
        }
    }

    /// Bytes of an ENUM's or SET's number.
    fn width(self) -> usize {
        match self {
            Self::Enum(members) => 1 + usize::from(members > 255),
            Self::Set(members) => match members.div_ceil(8) {
                bytes @ 1..=4 => bytes.into(),
                _ => 8,
            },
            _ => 0,
        }
    }

    /// Bytes of the length in front of a value.
    pub(crate) fn len_bytes(self) -> usize {
        match self {
            Self::Char(max) | Self::VarChar(max) => 1 + usize::from(max > 255),
            Self::Blob(len_bytes) => len_bytes.into(),
            Self::Json | Self::Geometry | Self::Vector => 4,
            _ => 0,
        }
    }

    pub(crate) fn is_numeric(self) -> bool {
        matches!(
            self,
            Self::Int(_) | Self::Float | Self::Double | Self::Decimal(..)
        )
    }

    /// As `has_signedess_information_type` of `sql/field_common_properties.h` has it.
    pub(crate) fn has_signedness(self) -> bool {
        self.is_numeric() || self == Self::Year
    }

    /// As `is_character_type` of `sql/log_event.cc` has it.
    pub(crate) fn is_character(self) -> bool {
        matches!(
            self,
            Self::Char(_) | Self::VarChar(_) | Self::Blob(_) | Self::Vector
        )
    }

    pub(crate) fn has_members(self) -> bool {
        matches!(self, Self::Enum(_) | Self::Set(_))
    }
}

/// What a value says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Says {
    /// A number, as its digits.
    Number(String),
    Float(f32),
    Double(f64),
    /// MySQL's literal of a decimal or a time.
    Literal(String),
    /// Text, in UTF-8.
    Text(String),
    Json(serde_json::Value),
    /// Bytes with no more meaning; these are all of them.
    Bytes(Vec<u8>),
    /// ENUM's number, SET's bits.
    Member(u64),
}

/// A value's bytes, and what they say.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) bytes: Vec<u8>,
    pub(crate) says: Says,
}

/// The collation of what has no text.
pub(crate) const BINARY: u16 = 63;

pub(crate) fn arbitrary(
    u: &mut Unstructured<'_>,
    kind: Kind,
    unsigned: bool,
    collation: u16,
) -> Result<Value> {
    let value = |bytes: &[u8], says| Value {
        bytes: bytes.to_vec(),
        says,
    };
    Ok(match kind {
        Kind::Int(width) => {
            let bits: u64 = u.arbitrary()?;
            let unused = 64 - 8 * u32::from(width);
            let text = match unsigned {
                true => (bits << unused >> unused).to_string(),
                false => ((bits << unused) as i64 >> unused).to_string(),
            };
            value(
                &bits.to_le_bytes()[..usize::from(width)],
                Says::Number(text),
            )
        }
        Kind::Float => {
            let bits: [u8; 4] = u.arbitrary()?;
            value(&bits, Says::Float(f32::from_le_bytes(bits)))
        }
        Kind::Double => {
            let bits: [u8; 8] = u.arbitrary()?;
            value(&bits, Says::Double(f64::from_le_bytes(bits)))
        }
        Kind::Decimal(precision, scale) => decimal(u, precision, scale)?,
        Kind::Year => {
            let year: u8 = u.arbitrary()?;
            let number = if year == 0 { 0 } else { 1900 + u16::from(year) };
            value(&[year], Says::Number(number.to_string()))
        }
        Kind::Date => {
            let (y, m, d) = date(u)?;
            let packed = (y << 9 | m << 5 | d) as u32;
            value(
                &packed.to_le_bytes()[..3],
                Says::Literal(format!("{y:04}-{m:02}-{d:02}")),
            )
        }
        Kind::Time(fsp) => time(u, fsp)?,
        Kind::DateTime(fsp) => {
            let ((y, mo, d), (h, mi, s)) = (date(u)?, clock(u, 23)?);
            let (fraction, digits) = fraction(u, fsp)?;
            let packed = ((y * 13 + mo) << 5 | d) << 17 | h << 12 | mi << 6 | s;
            let mut bytes = (packed + 0x80_0000_0000).to_be_bytes()[3..].to_vec();
            bytes.extend_from_slice(&fraction);
            let text = format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}{digits}");
            value(&bytes, Says::Literal(text))
        }
        Kind::Timestamp(fsp) => {
            let seconds: u32 = u.arbitrary()?;
            let (fraction, digits) = match seconds {
                0 => zero_fraction(fsp),
                _ => fraction(u, fsp)?,
            };
            let mut bytes = seconds.to_be_bytes().to_vec();
            bytes.extend_from_slice(&fraction);
            value(&bytes, Says::Literal(utc(seconds) + &digits))
        }
        Kind::Bit(bits) => {
            let number = u.arbitrary::<u64>()? >> (64 - bits);
            let bytes = &number.to_be_bytes()[8 - usize::from(bits).div_ceil(8)..];
            value(bytes, Says::Number(number.to_string()))
        }
        Kind::Enum(members) => {
            let number = u.int_in_range(0..=members)?;
            value(
                &number.to_le_bytes()[..kind.width()],
                Says::Member(number.into()),
            )
        }
        Kind::Set(members) => {
            let bits = u.arbitrary::<u64>()? >> (64 - members);
            value(&bits.to_le_bytes()[..kind.width()], Says::Member(bits))
        }
        Kind::Char(max) if collation == BINARY => {
            let mut all = some_bytes(u, max.into())?;
            all.resize(max.into(), 0);
            let end = all
                .iter()
                .rposition(|&byte| byte != 0)
                .map_or(0, |at| at + 1);
            value(&all[..end], Says::Bytes(all.clone()))
        }
        Kind::Char(max) => string(u, max.into(), collation)?,
        Kind::VarChar(max) => string(u, max.into(), collation)?,
        Kind::Blob(1) => string(u, 255, collation)?,
        Kind::Blob(_) => string(u, 1000, collation)?,
        Kind::Json => {
            let document = Document::arbitrary(u, 4)?;
            value(&document.encode(), Says::Json(document.to_value()))
        }
        Kind::Geometry => {
            let bytes = some_bytes(u, 60)?;
            value(&bytes, Says::Bytes(bytes.clone()))
        }
        Kind::Vector => {
            let floats: Vec<[u8; 4]> = (0..u.int_in_range(1..=4)?)
                .map(|_| u.arbitrary())
                .collect::<Result<_>>()?;
            let bytes = floats.concat();
            value(&bytes, Says::Bytes(bytes.clone()))
        }
    })
}

fn some_bytes(u: &mut Unstructured<'_>, max: usize) -> Result<Vec<u8>> {
    let len = u.int_in_range(0..=max.min(300))?.min(u.len());
    Ok(u.bytes(len)?.to_vec())
}

fn string(u: &mut Unstructured<'_>, max: usize, collation: u16) -> Result<Value> {
    if collation == BINARY {
        let bytes = some_bytes(u, max)?;
        return Ok(Value {
            bytes: bytes.clone(),
            says: Says::Bytes(bytes),
        });
    }
    let mut text = text(u, max.min(300))?;
    while text.len() > max {
        text.pop();
    }
    Ok(Value {
        bytes: text.clone().into_bytes(),
        says: Says::Text(text),
    })
}

/// Year, month and day, each of which may be zero.
fn date(u: &mut Unstructured<'_>) -> Result<(u64, u64, u64)> {
    Ok((
        u.int_in_range(0..=9999)?,
        u.int_in_range(0..=12)?,
        u.int_in_range(0..=31)?,
    ))
}

fn clock(u: &mut Unstructured<'_>, hours: u64) -> Result<(u64, u64, u64)> {
    Ok((
        u.int_in_range(0..=hours)?,
        u.int_in_range(0..=59)?,
        u.int_in_range(0..=59)?,
    ))
}

/// The bytes and the text of some fraction of a second.
fn fraction(u: &mut Unstructured<'_>, fsp: u8) -> Result<(Vec<u8>, String)> {
    let digits = u.int_in_range(0..=10_u32.pow(fsp.into()) - 1)?;
    Ok(fraction_of(digits, fsp))
}

fn zero_fraction(fsp: u8) -> (Vec<u8>, String) {
    fraction_of(0, fsp)
}

/// Two digits a byte, the number of an odd count of digits ten times as much.
fn fraction_of(digits: u32, fsp: u8) -> (Vec<u8>, String) {
    let stored = if fsp % 2 == 1 { digits * 10 } else { digits };
    let bytes = stored.to_be_bytes()[4 - usize::from(fsp.div_ceil(2))..].to_vec();
    let text = match fsp {
        0 => String::new(),
        _ => format!(".{digits:0fsp$}", fsp = usize::from(fsp)),
    };
    (bytes, text)
}

fn time(u: &mut Unstructured<'_>, fsp: u8) -> Result<Value> {
    let (h, m, s) = clock(u, 838)?;
    let (stored, digits) = fraction(u, fsp)?;
    let whole = h << 12 | m << 6 | s;
    let fraction = stored.iter().fold(0, |n, &b| n << 8 | u64::from(b));
    let amount = whole << (8 * stored.len()) | fraction;
    let negative = amount != 0 && u.arbitrary()?;
    let zero = 0x80_0000_u64 << (8 * stored.len());
    let packed = if negative {
        zero - amount
    } else {
        zero + amount
    };
    Ok(Value {
        bytes: packed.to_be_bytes()[5 - stored.len()..].to_vec(),
        says: Says::Literal(format!(
            "{}{h:02}:{m:02}:{s:02}{digits}",
            if negative { "-" } else { "" }
        )),
    })
}

fn decimal(u: &mut Unstructured<'_>, precision: u8, scale: u8) -> Result<Value> {
    let digits: Vec<u8> = (0..precision)
        .map(|_| u.int_in_range(0..=9))
        .collect::<Result<_>>()?;
    let (whole, behind) = digits.split_at(usize::from(precision - scale));
    let zero = digits.iter().all(|&digit| digit == 0);
    let negative = !zero && u.arbitrary()?;
    let mut bytes = Vec::new();
    let mut group = |digits: &[u8]| {
        let number = digits.iter().fold(0_u32, |n, &d| n * 10 + u32::from(d));
        let width = match digits.len() {
            9 => 4,
            len => len.div_ceil(2),
        };
        bytes.extend_from_slice(&number.to_be_bytes()[4 - width..]);
    };
    let (short, groups) = whole.split_at(whole.len() % 9);
    group(short);
    groups.chunks(9).for_each(&mut group);
    behind.chunks(9).for_each(&mut group);
    bytes[0] |= 0x80;
    if negative {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let print = |digits: &[u8]| -> String { digits.iter().map(|d| char::from(b'0' + d)).collect() };
    let mut literal = print(whole).trim_start_matches('0').to_owned();
    if literal.is_empty() {
        literal.push('0');
    }
    if scale > 0 {
        literal += ".";
        literal += &print(behind);
    }
    if negative {
        literal.insert(0, '-');
    }
    Ok(Value {
        bytes,
        says: Says::Literal(literal),
    })
}

/// The date and time of `seconds` in UTC, counted day by day; 0 is the zero date.
fn utc(seconds: u32) -> String {
    if seconds == 0 {
        return "0000-00-00 00:00:00".to_owned();
    }
    let (mut day, clock) = (seconds / 86_400, seconds % 86_400);
    let leap =
        |year: u32| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    while day >= 365 + u32::from(leap(year)) {
        day -= 365 + u32::from(leap(year));
        year += 1;
    }
    let days = [
        31,
        28 + u32::from(leap(year)),
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
    let mut month = 0;
    while day >= days[month] {
        day -= days[month];
        month += 1;
    }
    let (h, m, s) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!(
        "{year:04}-{:02}-{:02} {h:02}:{m:02}:{s:02}",
        month + 1,
        day + 1
    )
}
