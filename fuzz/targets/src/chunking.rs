use bintrail_proto::binlog::checksum::Checksum;
use bintrail_proto::binlog::decoder::Decoder;
use bintrail_proto::binlog::file::event_len;
use bintrail_proto::packet::{Framer, write};
use bytes::{Buf, BytesMut};

/// The events of a file, and those of a dump, are the same however their bytes come.
///
/// Input: a seed for the sizes of the reads, and a file behind its magic number.
pub fn chunking(data: &[u8]) {
    let [seed, file @ ..] = data else { return };
    let whole = of_file(file, &mut std::iter::once(usize::MAX));
    assert_eq!(whole, of_file(file, &mut sizes(*seed)));

    // What a server sends of it: a packet an event, each behind the byte of an OK packet.
    let (mut wire, mut rest, mut sequence) = (Vec::new(), file, 0);
    while let Ok(Some(len)) = event_len(rest) {
        let Some((event, behind)) = rest.split_at_checked(len) else {
            break;
        };
        sequence = write(&[&[0], event].concat(), sequence, &mut wire);
        rest = behind;
    }
    let whole = of_dump(&wire, &mut std::iter::once(usize::MAX));
    assert_eq!(whole, of_dump(&wire, &mut sizes(*seed)));
}

/// Sizes of reads, of which many are small, and those of seed 0 all 1.
fn sizes(seed: u8) -> impl Iterator<Item = usize> {
    let mut state = u32::from(seed);
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525) + u32::from(seed != 0);
        let spread = state >> 30;
        1 + (state >> 16 & 0xFF >> (2 * spread)) as usize
    })
}

/// Cuts `bytes` into reads of these sizes; all that is left goes into the last one.
fn reads<'a>(
    mut bytes: &'a [u8],
    sizes: &mut dyn Iterator<Item = usize>,
) -> impl Iterator<Item = &'a [u8]> {
    std::iter::from_fn(move || {
        let size = sizes.next().unwrap_or(usize::MAX).min(bytes.len());
        let (chunk, behind) = bytes.split_at(size);
        bytes = behind;
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn of_file(file: &[u8], sizes: &mut dyn Iterator<Item = usize>) -> Vec<String> {
    let mut decoder = Decoder::for_file();
    let (mut buffer, mut events) = (BytesMut::new(), Vec::new());
    for chunk in reads(file, sizes) {
        buffer.extend_from_slice(chunk);
        loop {
            match event_len(&buffer) {
                Ok(Some(len)) if len <= buffer.len() => {
                    match decoder.decode(&buffer[..len]) {
                        Ok(event) => events.push(format!("{event:?}")),
                        Err(error) => {
                            events.push(error.to_string());
                            return events;
                        }
                    }
                    buffer.advance(len);
                }
                Ok(_) => break,
                Err(error) => {
                    events.push(error.to_string());
                    return events;
                }
            }
        }
    }
    events.push(format!("{} bytes left", buffer.len()));
    events
}

fn of_dump(wire: &[u8], sizes: &mut dyn Iterator<Item = usize>) -> Vec<String> {
    let mut decoder = Decoder::for_dump(Checksum::Crc32);
    let mut framer = Framer::new(1 << 24);
    let (mut buffer, mut events) = (BytesMut::new(), Vec::new());
    for chunk in reads(wire, sizes) {
        buffer.extend_from_slice(chunk);
        while let Some(payload) = framer.next_payload(&mut buffer).unwrap() {
            match decoder.decode(&payload[1..]) {
                Ok(event) => events.push(format!("{event:?}")),
                Err(error) => events.push(error.to_string()),
            }
        }
    }
    assert!(buffer.is_empty());
    events
}
