use bintrail_proto::binlog::checksum::Checksum;
use bintrail_proto::binlog::decoder::{Decoder, EventData};
use bintrail_proto::binlog::transaction_payload::{TransactionPayload, Unpacker};

/// Payloads: what was packed comes out, up to the first event that is none; any bytes end, in the memory of an event.
///
/// Input: flags (1 the rest is a body, else what is packed; 2 not compressed; 4 without a size; 8 another size; 16 the
/// payload is damaged at the place that the last two bytes tell), and the bytes.
pub fn transaction_payload(data: &[u8]) {
    let [flags, rest @ ..] = data else { return };
    let mut unpacker = Unpacker::default();
    if flags & 1 != 0 {
        unpack(&mut unpacker, rest);
        return;
    }
    let packed = match flags & 2 {
        0 => zstd::bulk::compress(rest, 1).unwrap(),
        _ => rest.to_vec(),
    };
    let mut body = vec![2, 3, 0xFC, if flags & 2 == 0 { 0 } else { 255 }, 0];
    let size = rest.len() as u64 + u64::from(flags & 8);
    if flags & 4 == 0 {
        body.extend_from_slice(&[3, 9, 0xFE]);
        body.extend_from_slice(&size.to_le_bytes());
    }
    body.extend_from_slice(&[1, 9, 0xFE]);
    body.extend_from_slice(&(packed.len() as u64).to_le_bytes());
    body.push(0);
    let front = body.len();
    body.extend_from_slice(&packed);
    if let (16, [.., low, high]) = (flags & 16, rest) {
        let place = front + usize::from(u16::from_le_bytes([*low, *high])) % packed.len().max(1);
        if let Some(byte) = body.get_mut(place) {
            *byte ^= low | 1;
        }
        unpack(&mut unpacker, &body);
        return;
    }
    let (events, whole) = unpack(&mut unpacker, &body);
    assert!(rest.starts_with(&events));
    assert!(!whole || events.len() == rest.len());
    if flags & 4 == 0 && flags & 8 != 0 {
        assert!(!whole, "of another size than it says");
    }
    // With what the first time has left, the same.
    assert_eq!(unpack(&mut unpacker, &body), (events, whole));
}

/// The events in a body, and whether those are all of it.
fn unpack(unpacker: &mut Unpacker, body: &[u8]) -> (Vec<u8>, bool) {
    // What such an event is around them.
    let mut outer = vec![0; 19];
    outer[4] = 40;
    outer[9..13].copy_from_slice(&(19 + body.len() as u32).to_le_bytes());
    outer.extend_from_slice(body);
    let mut decoder = Decoder::for_dump(Checksum::None);
    let outer = match decoder.decode(&outer) {
        Ok(outer) => outer,
        Err(error) => {
            super::check_error(&error, body.len());
            assert_eq!(TransactionPayload::parse(body), Err(error));
            return (Vec::new(), false);
        }
    };
    let EventData::TransactionPayload(payload) = &outer.data else {
        panic!("{:?}", outer.data);
    };
    let mut unpacked = Vec::new();
    let mut events = unpacker.events(payload).unwrap();
    // Zstandard makes 128 kB of four bytes.
    let bound = body.len() * 40_000;
    loop {
        match events.next() {
            Ok(Some(event)) => {
                assert!(event.len() >= 19);
                if let Ok(event) = decoder.decode_packed(event, &outer) {
                    assert!(!matches!(event.data, EventData::TransactionPayload(_)));
                }
                unpacked.extend_from_slice(event);
                assert!(unpacked.len() <= bound);
                // A few bytes may be many megabytes, and those many more of the same.
                if unpacked.len() > 1 << 22 {
                    return (unpacked, false);
                }
            }
            Ok(None) => {
                assert!(
                    payload
                        .uncompressed_size
                        .is_none_or(|size| size == unpacked.len() as u64)
                );
                return (unpacked, true);
            }
            Err(error) => {
                super::check_error(&error, bound);
                assert!(
                    matches!(events.next(), Ok(None)),
                    "an end, once it has come"
                );
                return (unpacked, false);
            }
        }
    }
}
