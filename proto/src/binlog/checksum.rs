//! The checksum at the end of an event.

use std::sync::LazyLock;

use crc32fast::Hasher;

use crate::error::{Error, Kind};

/// How events are checksummed: the `checksum_alg` byte of FORMAT_DESCRIPTION_EVENT.
///
/// Source: WL#2540, `mysql::binlog::event::enum_binlog_checksum_alg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksum {
    /// None: the body reaches to the end of the event.
    #[default]
    None,
    /// The last 4 bytes are the CRC-32 (ISO-HDLC) of all the bytes before them, little-endian.
    Crc32,
}

impl Checksum {
    /// Bytes that it takes at the end of an event.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Crc32 => 4,
        }
    }

    /// Does it take no bytes?
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Verifies a whole event and returns it without its checksum.
    ///
    /// # Errors
    /// [`Kind::Truncated`] when there is no room for one; [`Kind::Checksum`] when it is wrong.
    pub fn verify(self, event: &[u8]) -> Result<&[u8], Error> {
        match self {
            Self::None => Ok(event),
            Self::Crc32 => {
                let Some((covered, stored)) = event.split_last_chunk::<4>() else {
                    return Err(Error::new("event checksum", Kind::Truncated));
                };
                let (stored, computed) = (u32::from_le_bytes(*stored), crc32(covered));
                if stored == computed {
                    Ok(covered)
                } else {
                    let kind = Kind::Checksum { stored, computed };
                    Err(Error {
                        what: "event checksum",
                        kind,
                        offset: covered.len(),
                    })
                }
            }
        }
    }
}

/// CRC-32 (ISO-HDLC). What the processor has for it is looked up once, not for every event.
fn crc32(bytes: &[u8]) -> u32 {
    static EMPTY: LazyLock<Hasher> = LazyLock::new(Hasher::new);
    let mut hasher = EMPTY.clone();
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-32/ISO-HDLC.
    #[test]
    fn crc32_check_value() {
        let mut event = b"123456789".to_vec();
        event.extend(0xCBF4_3926_u32.to_le_bytes());
        assert_eq!(Checksum::Crc32.verify(&event).unwrap(), b"123456789");
        for bit in 0..event.len() * 8 {
            let mut flipped = event.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(
                Checksum::Crc32.verify(&flipped).unwrap_err().kind,
                Kind::Checksum { .. }
            ));
        }
        assert!(Checksum::Crc32.verify(b"123").is_err());
        assert_eq!(Checksum::None.verify(b"123").unwrap(), b"123");
    }
}
