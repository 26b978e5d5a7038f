//! Packets: what the client/server protocol puts on the wire, in both directions.
//!
//! ```text
//! int<3>  length of the part's body, 0 to 16 777 215
//! int<1>  sequence id: 0 with each command, then one more with each part, modulo 256
//! bytes   the body
//! ```
//!
//! A payload of 16 777 215 bytes or more goes out in parts: each body of exactly that many bytes
//! says that another part follows, and the last one is shorter, empty if need be.
//!
//! Source: MySQL source documentation, `page_protocol_basic_packets`.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{Error, Kind};

/// Bytes before a part's body.
pub const HEADER_LEN: usize = 4;

/// The longest body of one part.
pub const MAX_BODY: usize = 0xFF_FF_FF;

const WHAT: &str = "packet";

/// Cuts a stream of bytes into payloads.
///
/// A payload of one part is split off the caller's buffer without copying; one of several parts
/// is joined in a buffer of its own, part by part as the bytes come.
#[derive(Debug)]
pub struct Framer {
    max_payload: usize,
    sequence: u8,
    joining: Option<Joining>,
}

#[derive(Debug)]
struct Joining {
    payload: BytesMut,
    /// Bytes of the current part's body that are still to come.
    missing: usize,
    /// Whether another part follows the current one.
    more: bool,
}

impl Framer {
    /// A framer that refuses payloads above `max_payload` bytes and expects sequence id 0.
    #[must_use]
    pub const fn new(max_payload: usize) -> Self {
        Self {
            max_payload,
            sequence: 0,
            joining: None,
        }
    }

    /// The sequence id that the next part must have.
    #[must_use]
    pub const fn sequence(&self) -> u8 {
        self.sequence
    }

    /// Sets the sequence id that the next part must have: the one after the last part sent.
    pub const fn set_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// The next whole payload at the front of `input`, or `None` when more bytes are needed.
    ///
    /// It consumes what it has used of `input`, and of a payload of several parts also what is not whole
    /// yet; so the caller's buffer need not hold more than one part.
    ///
    /// # Errors
    /// A sequence id out of order, or a payload above the bound; a stream with either cannot be
    /// read any further.
    pub fn next_payload(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(joining) = &mut self.joining {
                let take = joining.missing.min(input.len());
                joining
                    .payload
                    .extend_from_slice(input.get(..take).unwrap_or_default());
                input.advance(take);
                joining.missing = joining.missing.saturating_sub(take);
                if joining.missing > 0 {
                    return Ok(None);
                }
                if !joining.more {
                    return Ok(self.joining.take().map(|done| done.payload.freeze()));
                }
            }
            let Some((len, sequence)) = header(input) else {
                return Ok(None);
            };
            if sequence != self.sequence {
                return Err(Error {
                    what: WHAT,
                    kind: Kind::Invalid("sequence id out of order"),
                    offset: 3,
                });
            }
            let joined = self.joining.as_ref().map_or(0, |j| j.payload.len());
            if joined.saturating_add(len) > self.max_payload {
                return Err(Error::new(
                    WHAT,
                    Kind::Invalid("longer than the bound for what is being read"),
                ));
            }
            let more = len == MAX_BODY;
            if let Some(joining) = &mut self.joining {
                joining.missing = len;
                joining.more = more;
                input.advance(HEADER_LEN);
            } else if more {
                self.joining = Some(Joining {
                    payload: BytesMut::new(),
                    missing: len,
                    more,
                });
                input.advance(HEADER_LEN);
            } else if input.len() >= HEADER_LEN.saturating_add(len) {
                input.advance(HEADER_LEN);
                self.sequence = self.sequence.wrapping_add(1);
                return Ok(Some(input.split_to(len).freeze()));
            } else {
                return Ok(None);
            }
            self.sequence = self.sequence.wrapping_add(1);
        }
    }

    /// How many bytes `input` lacks for the payload at its front, as far as they are known; 0
    /// while parts are being joined, which leaves the size of the next read to the caller.
    #[must_use]
    pub fn missing(&self, input: &[u8]) -> usize {
        match header(input) {
            _ if self.joining.is_some() => 0,
            Some((len, _)) if len < MAX_BODY => {
                (HEADER_LEN.saturating_add(len)).saturating_sub(input.len())
            }
            Some(_) => 0,
            None => HEADER_LEN.saturating_sub(input.len()),
        }
    }
}

fn header(input: &[u8]) -> Option<(usize, u8)> {
    let [a, b, c, sequence] = *input.first_chunk::<HEADER_LEN>()?;
    let len = usize::try_from(u32::from_le_bytes([a, b, c, 0])).ok()?;
    Some((len, sequence))
}

/// Appends `payload` to `out` as one or more parts, the first with the id `sequence`, and returns
/// the id that comes next.
pub fn write(payload: &[u8], mut sequence: u8, out: &mut Vec<u8>) -> u8 {
    let mut rest = payload;
    loop {
        let (body, behind) = rest.split_at_checked(MAX_BODY).unwrap_or((rest, &[]));
        let [a, b, c, ..] = body.len().to_le_bytes();
        out.extend_from_slice(&[a, b, c, sequence]);
        out.extend_from_slice(body);
        sequence = sequence.wrapping_add(1);
        rest = behind;
        if body.len() < MAX_BODY {
            return sequence;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: usize = 1 << 30;

    fn all(framer: &mut Framer, input: &mut BytesMut) -> Result<Vec<Bytes>, Error> {
        let mut out = Vec::new();
        while let Some(payload) = framer.next_payload(input)? {
            out.push(payload);
        }
        Ok(out)
    }

    #[test]
    fn documented_example() {
        // COM_QUIT, from page_protocol_basic_packets.
        let mut out = Vec::new();
        assert_eq!(write(&[1], 0, &mut out), 1);
        assert_eq!(out, [1, 0, 0, 0, 1]);
    }

    #[test]
    fn one_part_is_not_copied() {
        let mut input = BytesMut::from(&[3, 0, 0, 0, b'a', b'b', b'c', 9, 9][..]);
        let at = input.as_ptr().wrapping_add(HEADER_LEN);
        let payload = Framer::new(GIB).next_payload(&mut input).unwrap().unwrap();
        assert_eq!(payload, "abc");
        assert_eq!(payload.as_ptr(), at);
        assert_eq!(input, [9, 9][..]);
    }

    #[test]
    fn joins_around_the_boundary() {
        for len in [
            MAX_BODY - 1,
            MAX_BODY,
            MAX_BODY + 1,
            2 * MAX_BODY,
            2 * MAX_BODY + 5,
        ] {
            let payload: Vec<u8> = (0_u8..251).cycle().take(len).collect();
            let mut wire = Vec::new();
            let next = write(&payload, 254, &mut wire);
            let parts = len / MAX_BODY + 1;
            assert_eq!(wire.len(), len + parts * HEADER_LEN);
            assert_eq!(usize::from(next), (254 + parts) % 256);
            wire.extend_from_slice(&[1, 0, 0, next, 7]);

            let mut framer = Framer::new(GIB);
            framer.set_sequence(254);
            let mut input = BytesMut::new();
            let mut got = Vec::new();
            // An odd size, so that headers are cut too.
            for chunk in wire.chunks(65_537) {
                input.extend_from_slice(chunk);
                got.extend(all(&mut framer, &mut input).unwrap());
            }
            assert_eq!(got.len(), 2);
            assert!(got[0] == payload[..]);
            assert_eq!(got[1], [7][..]);
            assert!(input.is_empty());
        }
    }

    #[test]
    fn refuses_a_wrong_sequence_id() {
        let mut input = BytesMut::from(&[1, 0, 0, 0, 7, 1, 0, 0, 2, 8][..]);
        let mut framer = Framer::new(GIB);
        assert_eq!(framer.next_payload(&mut input).unwrap().unwrap(), [7][..]);
        let error = framer.next_payload(&mut input).unwrap_err();
        assert_eq!(error.kind, Kind::Invalid("sequence id out of order"));
    }

    #[test]
    fn bounds_the_total_before_it_waits_for_it() {
        let mut input = BytesMut::from(&[11, 0, 0, 0][..]);
        assert!(Framer::new(10).next_payload(&mut input).is_err());
        assert_eq!(Framer::new(11).next_payload(&mut input), Ok(None));

        let mut wire = vec![255, 255, 255, 0];
        wire.resize(HEADER_LEN + MAX_BODY, 0);
        wire.extend_from_slice(&[1, 0, 0, 1]);
        let mut input = BytesMut::from(&wire[..]);
        assert!(Framer::new(MAX_BODY).next_payload(&mut input).is_err());
    }

    #[test]
    fn says_how_much_is_missing() {
        let framer = Framer::new(GIB);
        assert_eq!(framer.missing(&[]), 4);
        assert_eq!(framer.missing(&[5, 0, 0]), 1);
        assert_eq!(framer.missing(&[5, 0, 0, 0, 1]), 4);
        assert_eq!(framer.missing(&[1, 0, 0, 0, 1, 2]), 0);
        assert_eq!(framer.missing(&[255, 255, 255, 0]), 0);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_payloads(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..300),
            cuts in prop::collection::vec(1_usize..50, 1..50),
        ) {
            let mut wire = Vec::new();
            let mut sequence = 0;
            for payload in &payloads {
                sequence = write(payload, sequence, &mut wire);
            }
            let mut framer = Framer::new(GIB);
            let mut input = BytesMut::new();
            let mut got = Vec::new();
            let mut rest = &wire[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                input.extend_from_slice(head);
                rest = tail;
                got.extend(all(&mut framer, &mut input).unwrap());
            }
            prop_assert_eq!(got, payloads);
            prop_assert!(input.is_empty());
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut input = BytesMut::from(&bytes[..]);
            let _ = all(&mut Framer::new(100), &mut input);
        }
    }
}
