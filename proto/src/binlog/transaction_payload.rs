//! TRANSACTION_PAYLOAD_EVENT (40): the events of a transaction, compressed together
//! (`binlog_transaction_compression=ON`).

mod unpack;

pub use unpack::{Events, Unpacker};

use crate::error::{Error, Fault, Kind, Parsed, read};
use crate::primitive::{bytes, int_lenenc, length};

const WHAT: &str = "TRANSACTION_PAYLOAD_EVENT";

/// Types of the fields in front of the payload.
mod field {
    pub(super) const END: u64 = 0;
    pub(super) const PAYLOAD_SIZE: u64 = 1;
    pub(super) const COMPRESSION_TYPE: u64 = 2;
    pub(super) const UNCOMPRESSED_SIZE: u64 = 3;
}

/// How a payload is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// With Zstandard: code 0.
    Zstd,
    /// Not at all: code 255.
    None,
}

/// The events of a transaction behind its GTID event, BEGIN and the commit included.
///
/// ```text
/// (
///     int<lenenc> type: 1 payload size, 2 compression type, 3 uncompressed size
///     int<lenenc> length
///     int<lenenc> value, of that length
/// ) …
/// int<lenenc> 0
/// string<n>   payload: events with headers, but without checksums
/// ```
///
/// Fields of other types are skipped by their length. [`Unpacker`] gives the events.
///
/// Source: WL#3549, and `Transaction_payload::decode` in MySQL's `libs/mysql/binlog/event/codecs/binary.cpp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionPayload<'a> {
    /// How it is compressed.
    pub compression: Compression,
    /// How many bytes the events take, as the event says; what unpacks to another size is damaged.
    pub uncompressed_size: Option<u64>,
    payload: &'a [u8],
}

impl<'a> TransactionPayload<'a> {
    /// Reads the event's body; nothing is unpacked yet.
    ///
    /// # Errors
    /// What does not fit the layout; [`Kind::Unsupported`] for another compression.
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        read(WHAT, body, Self::fields)
    }

    fn fields(mut input: &'a [u8]) -> Parsed<'a, Self> {
        let (mut size, mut compression, mut uncompressed_size) = (None, None, None);
        loop {
            let (rest, kind) = int_lenenc(input)?;
            if kind == field::END {
                input = rest;
                break;
            }
            let at = rest;
            let (rest, len) = int_lenenc(rest)?;
            let (rest, value) = bytes(length(at, len)?)(rest)?;
            let number = || match int_lenenc(value) {
                Ok(([], number)) => Ok(number),
                _ => Err(Fault::invalid(at, "a field that is not one integer")),
            };
            match kind {
                field::PAYLOAD_SIZE => size = Some(number()?),
                field::COMPRESSION_TYPE => {
                    compression = Some(match number()? {
                        0 => Compression::Zstd,
                        255 => Compression::None,
                        _ => return Err(Fault::at(at, Kind::Unsupported("this compression"))),
                    });
                }
                field::UNCOMPRESSED_SIZE => uncompressed_size = Some(number()?),
                _ => {}
            }
            input = rest;
        }
        let (Some(size), Some(compression)) = (size, compression) else {
            return Err(Fault::invalid(
                input,
                "no payload size, or no compression type",
            ));
        };
        // What is behind it is an error.
        let (rest, payload) = bytes(length(input, size)?)(input)?;
        Ok((
            rest,
            Self {
                compression,
                uncompressed_size,
                payload,
            },
        ))
    }

    /// The payload as it is in the event.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}
