//! zlib, bounded by what the caller allows.

use flate2::{Decompress, FlushDecompress, Status};

use crate::error::{Error, Kind};

/// What is around the compressed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Two bytes before and a checksum behind it (RFC 1950).
    Zlib,
    /// Nothing (RFC 1951).
    Raw,
}

/// The most that `out` grows by at once: a length that lies costs no more memory than this.
const STEP: usize = 256 * 1024;

/// Appends to `out` what `compressed` holds, which must be `len` bytes. Memory is taken as they come.
pub(crate) fn inflate(
    what: &'static str,
    format: Format,
    compressed: &[u8],
    len: usize,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let start = out.len();
    let damaged = || Error::new(what, Kind::Invalid("compressed data is damaged"));
    let other_length = || {
        Error::new(
            what,
            Kind::Invalid("compressed data has another length than it says"),
        )
    };
    let mut stream = Decompress::new(format == Format::Zlib);
    let mut input = compressed;
    loop {
        let left = len.saturating_sub(out.len().saturating_sub(start));
        // One byte more than is wanted shows that there is more.
        out.reserve(left.saturating_add(1).min(STEP));
        let (taken, made) = (stream.total_in(), stream.total_out());
        let status = stream
            .decompress_vec(input, out, FlushDecompress::None)
            .map_err(|_| damaged())?;
        if out.len().saturating_sub(start) > len {
            return Err(other_length());
        }
        let taken = usize::try_from(stream.total_in().saturating_sub(taken)).unwrap_or_default();
        input = input.get(taken..).unwrap_or_default();
        match status {
            Status::StreamEnd if out.len().saturating_sub(start) == len => return Ok(()),
            Status::StreamEnd => return Err(other_length()),
            // Neither took nor made anything: it ends too early.
            Status::Ok | Status::BufError if taken == 0 && stream.total_out() == made => {
                return Err(damaged());
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, ZlibEncoder};

    use super::*;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn inflated(compressed: &[u8], len: usize) -> Result<Vec<u8>, Error> {
        let mut out = b"kept".to_vec();
        inflate("test", Format::Zlib, compressed, len, &mut out)?;
        assert_eq!(out[..4], *b"kept");
        Ok(out.split_off(4))
    }

    #[test]
    fn of_every_size() {
        for len in [0, 1, 100, STEP - 1, STEP, STEP + 1, 3 * STEP + 7] {
            let bytes: Vec<u8> = (0..len)
                .map(|n| u8::try_from(n * n % 251).unwrap())
                .collect();
            assert_eq!(inflated(&zlib(&bytes), len).unwrap(), bytes);
        }
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"raw").unwrap();
        let mut out = Vec::new();
        inflate("test", Format::Raw, &encoder.finish().unwrap(), 3, &mut out).unwrap();
        assert_eq!(out, b"raw");
    }

    #[test]
    fn a_length_is_not_trusted() {
        let bomb = zlib(&vec![0; 50_000_000]);
        let mut out = Vec::new();
        assert!(inflate("test", Format::Zlib, &bomb, 10, &mut out).is_err());
        assert!(out.capacity() < 2 * STEP);
        let mut out = Vec::new();
        assert!(inflate("test", Format::Zlib, &zlib(b"abc"), usize::MAX, &mut out).is_err());
        assert!(out.capacity() < 2 * STEP);
    }

    #[test]
    fn what_is_damaged_or_cut_off() {
        let bytes: Vec<u8> = (0..2_000_u32).flat_map(u32::to_le_bytes).collect();
        let compressed = zlib(&bytes);
        for end in 0..compressed.len() {
            assert!(inflated(&compressed[..end], bytes.len()).is_err(), "{end}");
        }
        for at in 0..compressed.len() {
            let mut flipped = compressed.clone();
            flipped[at] ^= 0x10;
            if let Ok(other) = inflated(&flipped, bytes.len()) {
                // Only bits that mean nothing may differ.
                assert_eq!(other, bytes, "{at}");
            }
        }
    }
}
