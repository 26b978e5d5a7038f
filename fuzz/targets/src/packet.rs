use bintrail_proto::packet::{Framer, HEADER_LEN, write};
use bytes::{Bytes, BytesMut};

/// The framer over any bytes: the same payloads however the bytes come, all of them within the bound, and
/// what was written reads back.
///
/// Input: the bound, the size of a read, and the bytes of the wire.
pub fn packet(data: &[u8]) {
    let [bound, step, wire @ ..] = data else {
        return;
    };
    let bound = usize::from(*bound) << 4;
    let (whole, error) = run(bound, wire, wire.len());
    let (split, split_error) = run(bound, wire, usize::from(*step) + 1);
    assert_eq!(whole, split);
    assert_eq!(error, split_error);

    let mut rewritten = Vec::new();
    let mut sequence = 0;
    for payload in &whole {
        assert!(payload.len() <= bound);
        sequence = write(payload, sequence, &mut rewritten);
    }
    assert!(wire.starts_with(&rewritten));
    assert_eq!(run(bound, &rewritten, rewritten.len()), (whole, None));
}

/// The payloads of `wire`, which comes `step` bytes at a time, and the error that ends them.
fn run(bound: usize, wire: &[u8], step: usize) -> (Vec<Bytes>, Option<bintrail_proto::Error>) {
    let mut framer = Framer::new(bound);
    let mut input = BytesMut::new();
    let mut payloads = Vec::new();
    for chunk in wire.chunks(step.max(1)) {
        input.extend_from_slice(chunk);
        loop {
            let before = input.len();
            match framer.next_payload(&mut input) {
                Ok(Some(payload)) => payloads.push(payload),
                Ok(None) => {
                    let missing = framer.missing(&input);
                    assert!(0 < missing && missing + input.len() <= HEADER_LEN + bound);
                    break;
                }
                Err(error) => {
                    super::check_error(&error, before);
                    return (payloads, Some(error));
                }
            }
        }
    }
    (payloads, None)
}
