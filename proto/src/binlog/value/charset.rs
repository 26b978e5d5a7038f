//! Character sets: which one a collation number means, and their text as UTF-8.
//!
//! Every character set of MySQL 9.7 is read as the server itself converts it to `utf8mb4`, which
//! for many is not what the WHATWG's encoding of the same name does. Decoding is strict: bytes
//! that the server cannot convert without loss are an error, never a replacement character, so
//! that a caller can keep the bytes themselves.
//!
//! Source: MySQL reference manual, "Supported Character Sets and Collations";
//! `scripts/gen-charsets` asks a server for every character.

mod collation;
mod exceptions;
mod multi_byte;
mod single_byte;

use single_byte::Table;

/// The bytes are no text of the character set, or hold a character that has no Unicode code point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not valid text of its character set")]
pub struct Undecodable;

macro_rules! charsets {
    ($($variant:ident $name:literal)*) => {
        /// A character set of MySQL.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the server's own names")]
        pub enum Charset { $($variant,)* }

        impl Charset {
            /// The server's name for it, as in `information_schema.CHARACTER_SETS`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The character set of that name; `utf8` is what servers before 8.0 call `utf8mb3`.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    "utf8" => Some(Self::Utf8mb3),
                    _ => None,
                }
            }
        }
    };
}

charsets! {
    Armscii8 "armscii8"
    Ascii "ascii"
    Big5 "big5"
    Binary "binary"
    Cp1250 "cp1250"
    Cp1251 "cp1251"
    Cp1256 "cp1256"
    Cp1257 "cp1257"
    Cp850 "cp850"
    Cp852 "cp852"
    Cp866 "cp866"
    Cp932 "cp932"
    Dec8 "dec8"
    Eucjpms "eucjpms"
    Euckr "euckr"
    Gb18030 "gb18030"
    Gb2312 "gb2312"
    Gbk "gbk"
    Geostd8 "geostd8"
    Greek "greek"
    Hebrew "hebrew"
    Hp8 "hp8"
    Keybcs2 "keybcs2"
    Koi8r "koi8r"
    Koi8u "koi8u"
    Latin1 "latin1"
    Latin2 "latin2"
    Latin5 "latin5"
    Latin7 "latin7"
    Macce "macce"
    Macroman "macroman"
    Sjis "sjis"
    Swe7 "swe7"
    Tis620 "tis620"
    Ucs2 "ucs2"
    Ujis "ujis"
    Utf16 "utf16"
    Utf16le "utf16le"
    Utf32 "utf32"
    Utf8mb3 "utf8mb3"
    Utf8mb4 "utf8mb4"
}

impl Charset {
    /// The character set that collation number `collation` belongs to, if a MySQL server up to 9.7
    /// or a MariaDB server up to 11.8 has such a collation. No number means one thing to MySQL and
    /// another to MariaDB.
    #[must_use]
    #[inline]
    pub fn from_collation(collation: u16) -> Option<Self> {
        // Asked for every text of every row.
        #[allow(clippy::indexing_slicing, reason = "done when it is compiled")]
        static CHARSETS: [Option<Charset>; 3328] = {
            let mut charsets = [None; 3328];
            let mut number = 0;
            while number < 3328 {
                charsets[number as usize] = of_collation(number);
                number += 1;
            }
            charsets
        };
        CHARSETS.get(usize::from(collation)).copied().flatten()
    }

    /// The number of one of its collations, for a column whose event has none.
    #[must_use]
    pub fn any_collation(self) -> u16 {
        (1..=u16::from(u8::MAX))
            .find(|&number| collation::charset(number) == Some(self))
            .unwrap_or(0)
    }

    /// The most bytes that a character takes: `MAXLEN` of `information_schema.CHARACTER_SETS`.
    #[must_use]
    pub const fn max_bytes_per_char(self) -> u8 {
        match self {
            Self::Gb18030 | Self::Utf16 | Self::Utf16le | Self::Utf32 | Self::Utf8mb4 => 4,
            Self::Eucjpms | Self::Ujis | Self::Utf8mb3 => 3,
            Self::Big5
            | Self::Cp932
            | Self::Euckr
            | Self::Gb2312
            | Self::Gbk
            | Self::Sjis
            | Self::Ucs2 => 2,
            _ => 1,
        }
    }

    /// Are `bytes`, if they are text of this character set, the same in UTF-8? Then they are text of it if they are
    /// UTF-8.
    #[must_use]
    #[inline]
    pub fn is_utf8(self, bytes: &[u8]) -> bool {
        match self {
            Self::Utf8mb4 => true,
            Self::Utf8mb3 => !bytes.iter().any(|&byte| byte >= 0xF0),
            Self::Binary | Self::Swe7 | Self::Ucs2 | Self::Utf16 | Self::Utf16le | Self::Utf32 => {
                false
            }
            _ => bytes.is_ascii(),
        }
    }

    /// The text of `bytes`, which are of this character set, as UTF-8.
    ///
    /// Text that is already UTF-8 is handed back as it is; other text is put into `scratch`, in
    /// place of what is there, and takes a few times the room of `bytes`.
    ///
    /// # Errors
    /// [`Undecodable`] for malformed text, for a character that the server cannot convert to
    /// `utf8mb4`, and for every value of [`Charset::Binary`], which holds no text.
    pub fn to_utf8<'s>(
        self,
        bytes: &'s [u8],
        scratch: &'s mut String,
    ) -> Result<&'s str, Undecodable> {
        if self.is_utf8(bytes) {
            return str::from_utf8(bytes).map_err(|_| Undecodable);
        }
        if matches!(self, Self::Binary | Self::Utf8mb3) {
            return Err(Undecodable);
        }
        scratch.clear();
        match self {
            Self::Ucs2 => fixed(bytes, scratch, |unit| u32::from(u16::from_be_bytes(unit)))?,
            Self::Utf16 => utf16(bytes, scratch, u16::from_be_bytes)?,
            Self::Utf16le => utf16(bytes, scratch, u16::from_le_bytes)?,
            Self::Utf32 => fixed(bytes, scratch, u32::from_be_bytes)?,
            _ => match self.table() {
                Some(table) => single_byte(bytes, table, scratch)?,
                None => multi_byte::decode(self, bytes, scratch)?,
            },
        }
        Ok(scratch)
    }

    const fn table(self) -> Option<&'static Table> {
        Some(match self {
            Self::Armscii8 => &single_byte::ARMSCII8,
            Self::Cp1250 => &single_byte::CP1250,
            Self::Cp1251 => &single_byte::CP1251,
            Self::Cp1256 => &single_byte::CP1256,
            Self::Cp1257 => &single_byte::CP1257,
            Self::Cp850 => &single_byte::CP850,
            Self::Cp852 => &single_byte::CP852,
            Self::Cp866 => &single_byte::CP866,
            Self::Dec8 => &single_byte::DEC8,
            Self::Geostd8 => &single_byte::GEOSTD8,
            Self::Greek => &single_byte::GREEK,
            Self::Hebrew => &single_byte::HEBREW,
            Self::Hp8 => &single_byte::HP8,
            Self::Keybcs2 => &single_byte::KEYBCS2,
            Self::Koi8r => &single_byte::KOI8R,
            Self::Koi8u => &single_byte::KOI8U,
            Self::Latin1 => &single_byte::LATIN1,
            Self::Latin2 => &single_byte::LATIN2,
            Self::Latin5 => &single_byte::LATIN5,
            Self::Latin7 => &single_byte::LATIN7,
            Self::Macce => &single_byte::MACCE,
            Self::Macroman => &single_byte::MACROMAN,
            Self::Swe7 => &single_byte::SWE7,
            Self::Tis620 => &single_byte::TIS620,
            _ => return None,
        })
    }
}

/// See [`Charset::from_collation`].
const fn of_collation(collation: u16) -> Option<Charset> {
    // MariaDB's own come in blocks, one for each Unicode character set.
    Some(match collation {
        576..=607 | 2048..=2303 => Charset::Utf8mb3,
        608..=639 | 2304..=2559 => Charset::Utf8mb4,
        640..=671 | 2560..=2815 => Charset::Ucs2,
        672..=703 | 2816..=3071 => Charset::Utf16,
        736..=767 | 3072..=3327 => Charset::Utf32,
        // A collation without PAD SPACE has the number of the one with it, and 1024.
        1025..=1279 => return collation::charset(collation - 1024),
        _ => return collation::charset(collation),
    })
}

fn single_byte(bytes: &[u8], table: &Table, out: &mut String) -> Result<(), Undecodable> {
    out.reserve(bytes.len());
    let is_ascii =
        |byte: &&u8| **byte < 0x80 && table.get(usize::from(**byte)) == Some(&u16::from(**byte));
    let mut rest = bytes;
    loop {
        // What is ASCII in both is copied as it is.
        let plain = rest.iter().take_while(is_ascii).count();
        let (plain, from) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
        out.push_str(str::from_utf8(plain).map_err(|_| Undecodable)?);
        let Some((&byte, behind)) = from.split_first() else {
            return Ok(());
        };
        let point = table.get(usize::from(byte)).copied().unwrap_or(0);
        if point == 0 {
            return Err(Undecodable);
        }
        out.push(char::from_u32(point.into()).ok_or(Undecodable)?);
        rest = behind;
    }
}

/// One character in each `N` bytes.
fn fixed<const N: usize>(
    bytes: &[u8],
    out: &mut String,
    point: impl Fn([u8; N]) -> u32,
) -> Result<(), Undecodable> {
    let (units, []) = bytes.as_chunks::<N>() else {
        return Err(Undecodable);
    };
    out.reserve(bytes.len());
    for &unit in units {
        out.push(char::from_u32(point(unit)).ok_or(Undecodable)?);
    }
    Ok(())
}

fn utf16(bytes: &[u8], out: &mut String, unit: impl Fn([u8; 2]) -> u16) -> Result<(), Undecodable> {
    let (units, []) = bytes.as_chunks::<2>() else {
        return Err(Undecodable);
    };
    out.reserve(bytes.len());
    for point in char::decode_utf16(units.iter().map(|&pair| unit(pair))) {
        out.push(point.map_err(|_| Undecodable)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(charset: Charset, bytes: &[u8]) -> Option<String> {
        let mut scratch = "left over".to_owned();
        charset.to_utf8(bytes, &mut scratch).ok().map(str::to_owned)
    }

    #[test]
    fn collations_of_old_and_new_servers() {
        for (collation, name) in [
            (8, "latin1"),
            (33, "utf8mb3"),
            (63, "binary"),
            (83, "utf8mb3"),
            (255, "utf8mb4"),
            (309, "utf8mb4"),
        ] {
            let charset = Charset::from_collation(collation).unwrap();
            assert_eq!(charset.name(), name);
            assert_eq!(Charset::from_name(name), Some(charset));
        }
        for number in 1..4000 {
            let Some(charset) = Charset::from_collation(number) else {
                continue;
            };
            let any = Charset::from_collation(charset.any_collation());
            assert_eq!(any, Some(charset), "{number}");
        }
        assert_eq!(Charset::from_name("utf8"), Some(Charset::Utf8mb3));
        assert_eq!(Charset::from_collation(0), None);
        assert_eq!(Charset::from_collation(4000), None);
    }

    #[test]
    fn what_is_utf8_already_is_not_copied() {
        let mut scratch = String::new();
        for charset in [
            Charset::Utf8mb4,
            Charset::Utf8mb3,
            Charset::Ascii,
            Charset::Latin1,
        ] {
            let bytes = b"plain";
            let text = charset.to_utf8(bytes, &mut scratch).unwrap();
            assert_eq!(text.as_ptr(), bytes.as_ptr());
        }
    }

    /// The server's own answers: `CONVERT(CONVERT(x'…' USING charset) USING utf8mb4)`.
    #[test]
    fn whole_texts() {
        assert_eq!(
            text(Charset::Gbk, b"a\xC4\xE3\xBA\xC3!").as_deref(),
            Some("a你好!")
        );
        assert_eq!(
            text(Charset::Sjis, b"\x83e\x81_\xB1\x81`\\").as_deref(),
            Some("テ\\ｱ〜\\")
        );
        assert_eq!(
            text(Charset::Ujis, b"\xF5\xA1\x8F\xB0\xA1\x8E\xB1z").as_deref(),
            Some("\u{E000}丂ｱz")
        );
        assert_eq!(
            text(Charset::Latin1, b"\x80\x81\xE9").as_deref(),
            Some("€\u{81}é")
        );
        assert_eq!(
            text(Charset::Utf16le, b"=\xD8\0\xDE").as_deref(),
            Some("😀")
        );
    }

    #[test]
    fn malformed_text_is_refused() {
        for (charset, bytes) in [
            (Charset::Binary, &b"a"[..]),
            (Charset::Gbk, b"a\xC4"),
            (Charset::Gb2312, b"\xA1\x40"),
            (Charset::Gb18030, b"\x81\x30\x81"),
            (Charset::Sjis, b"\x815\xA0"),
            (Charset::Eucjpms, b"\x8F\xA1"),
            (Charset::Ucs2, b"\0"),
            (Charset::Utf16, b"\xD8\0"),
            (Charset::Utf32, b"\0\0a"),
            (Charset::Utf8mb3, "😀".as_bytes()),
            (Charset::Utf8mb4, b"\xED\xA0\x80"),
        ] {
            assert_eq!(text(charset, bytes), None, "{charset:?}");
        }
    }

    proptest::proptest! {
        /// Characters decode to the same alone and in a text.
        #[test]
        fn a_text_is_its_characters(
            parts in proptest::collection::vec(proptest::collection::vec(0_u8.., 1..5), 0..8),
        ) {
            for charset in [Charset::Big5, Charset::Gbk, Charset::Sjis, Charset::Ujis, Charset::Greek] {
                let decoded: Vec<_> = parts
                    .iter()
                    .filter_map(|part| Some((part.as_slice(), text(charset, part)?)))
                    .collect();
                let bytes: Vec<u8> = decoded.iter().flat_map(|(part, _)| *part).copied().collect();
                let expected: String = decoded.iter().map(|(_, text)| text.as_str()).collect();
                assert_eq!(text(charset, &bytes), Some(expected));
                let all = parts.concat();
                let _ = text(charset, &all);
            }
        }
    }
}
