//! Compressed transactions: those of a real server, whole, cut and damaged, and payloads that say what is not true.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs;
use std::path::Path;

use bintrail_proto::binlog::checksum::Checksum;
use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
use bintrail_proto::binlog::file::event_len;
use bintrail_proto::binlog::header::EventType;
use bintrail_proto::binlog::transaction_payload::{Compression, TransactionPayload, Unpacker};
use bintrail_proto::{Error, Kind};

const WHAT: &str = "TRANSACTION_PAYLOAD_EVENT";

fn binlog() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mysql97/compressed/binlog");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Calls `each` with every event of the file.
fn for_each(file: &[u8], mut each: impl FnMut(&Decoder, &Event<'_>)) {
    let mut decoder = Decoder::for_file();
    let mut rest = &file[4..];
    while !rest.is_empty() {
        let (event, behind) = rest.split_at(event_len(rest).unwrap().unwrap());
        let event = decoder.decode(event).unwrap();
        each(&decoder, &event);
        rest = behind;
    }
}

/// The events in a payload's body, and what ends them if it is an error.
fn unpack(unpacker: &mut Unpacker, body: &[u8]) -> (Vec<Vec<u8>>, Option<Error>) {
    let mut found = Vec::new();
    let payload = match TransactionPayload::parse(body) {
        Ok(payload) => payload,
        Err(error) => return (found, Some(error)),
    };
    let mut events = unpacker.events(&payload).unwrap();
    loop {
        match events.next() {
            Ok(Some(event)) => found.push(event.to_vec()),
            Ok(None) => return (found, None),
            Err(error) => {
                assert_eq!(error.what, WHAT);
                assert!(matches!(events.next(), Ok(None)), "an error is the end");
                return (found, Some(error));
            }
        }
    }
}

/// The body of an event with this payload.
fn body(compression: u8, size: Option<u64>, payload: &[u8]) -> Vec<u8> {
    let number = |kind: u8, value: u64| {
        let mut field = vec![kind, 9, 0xFE];
        field.extend_from_slice(&value.to_le_bytes());
        field
    };
    let mut body = number(2, compression.into());
    // What a later server may add.
    body.extend_from_slice(&[77, 2, 1, 1]);
    body.extend(size.map(|size| number(3, size)).unwrap_or_default());
    body.extend(number(1, payload.len() as u64));
    body.push(0);
    body.extend_from_slice(payload);
    body
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).unwrap()
}

/// An event of `len` bytes.
fn event(len: usize) -> Vec<u8> {
    let mut event = vec![0; len];
    event[4] = EventType::QUERY_EVENT.0;
    event[9..13].copy_from_slice(&(len as u32).to_le_bytes());
    event
}

#[test]
fn a_server_s_payloads() {
    let (mut kinds, mut places) = (Vec::new(), Vec::new());
    let mut unpacker = Unpacker::default();
    for_each(&binlog(), |decoder, event| {
        let EventData::TransactionPayload(payload) = &event.data else {
            return;
        };
        assert_eq!(payload.compression, Compression::Zstd);
        let size = payload.uncompressed_size.unwrap();
        let mut events = unpacker.events(payload).unwrap();
        let mut unpacked = 0;
        while let Some(packed) = events.next().unwrap() {
            unpacked += packed.len() as u64;
            let packed = decoder.decode_packed(packed, event).unwrap();
            assert_eq!((packed.start, packed.end), (event.start, event.end));
            kinds.push(packed.header.event_type);
        }
        assert_eq!((unpacked, events.offset()), (size, size));
        places.push(event.start);
    });
    // As mysqlbinlog counts them.
    let count = |wanted: EventType| kinds.iter().filter(|kind| **kind == wanted).count();
    assert_eq!(places.len(), 12);
    assert_eq!(count(EventType::PARTIAL_UPDATE_ROWS_EVENT), 1);
    assert_eq!(count(EventType::XA_PREPARE_LOG_EVENT), 2);
    assert!(count(EventType::WRITE_ROWS_EVENT) > 10);
}

#[test]
fn a_body_cut_at_any_byte_is_an_error() {
    let mut unpacker = Unpacker::default();
    let mut bodies = 0;
    for_each(&binlog(), |_, event| {
        if event.header.event_type != EventType::TRANSACTION_PAYLOAD_EVENT {
            return;
        }
        let (whole, error) = unpack(&mut unpacker, event.body);
        assert_eq!(error, None);
        for len in (0..event.body.len()).step_by(1 + event.body.len() / 1000) {
            let error = TransactionPayload::parse(&event.body[..len]).unwrap_err();
            assert!(error.offset <= len, "{error:?} at {len}");
            // The same with a size that is right: what a faulty server would send.
            let TransactionPayload {
                uncompressed_size, ..
            } = TransactionPayload::parse(event.body).unwrap();
            let payload = TransactionPayload::parse(event.body).unwrap().payload();
            let cut = &payload[..len.min(payload.len() - 1)];
            let (found, error) = unpack(&mut unpacker, &body(0, uncompressed_size, cut));
            assert!(whole.starts_with(&found), "at {len}");
            assert!(error.is_some(), "at {len}");
        }
        bodies += 1;
    });
    assert_eq!(bodies, 12);
}

#[test]
fn damaged_payloads_end() {
    let mut unpacker = Unpacker::default();
    for_each(&binlog(), |_, event| {
        if event.header.event_type != EventType::TRANSACTION_PAYLOAD_EVENT {
            return;
        }
        for bit in (0..event.body.len() * 8).step_by(1 + event.body.len() / 100) {
            let mut flipped = event.body.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (found, _) = unpack(&mut unpacker, &flipped);
            assert!(found.iter().map(Vec::len).sum::<usize>() <= 1 << 20);
        }
        // And what was damaged before leaves nothing behind.
        assert_eq!(unpack(&mut unpacker, event.body).1, None);
    });
}

#[test]
fn what_is_behind_the_events() {
    let mut unpacker = Unpacker::default();
    let events = [event(19), event(500_000), event(40)].concat();
    let size = Some(events.len() as u64);
    let (found, error) = unpack(&mut unpacker, &body(0, size, &zstd(&events)));
    assert_eq!((found.concat() == events, error), (true, None));
    // Two frames are one after another.
    let frames = [zstd(&events[..300]), zstd(&events[300..])].concat();
    assert_eq!(
        unpack(&mut unpacker, &body(0, size, &frames)),
        (found, None)
    );

    for garbage in [&b"\0"[..], b"garbage", &zstd(b"x"), &zstd(&event(19))] {
        let payload = [&zstd(&events)[..], garbage].concat();
        let (found, error) = unpack(&mut unpacker, &body(0, size, &payload));
        assert!(error.is_some() && found.len() <= 3, "{garbage:?}");
        let mut behind = body(0, size, &zstd(&events));
        behind.extend_from_slice(garbage);
        let error = TransactionPayload::parse(&behind).unwrap_err();
        assert_eq!(error.kind, Kind::TrailingBytes);
    }
    // Half a header.
    let half = [&event(19)[..], &[1; 10]].concat();
    for (compression, payload) in [(0, zstd(&half)), (255, half)] {
        let (found, error) = unpack(&mut unpacker, &body(compression, None, &payload));
        let error = error.unwrap();
        assert_eq!(
            (found.len(), error.kind, error.offset),
            (1, Kind::Truncated, 19)
        );
    }
}

#[test]
fn sizes_are_not_trusted() {
    let mut unpacker = Unpacker::default();
    let events = [event(1000), event(2000)].concat();
    for size in [0, 19, 999, 1000, 1001, 2999, 3001, 1 << 40, u64::MAX] {
        for (compression, payload) in [(0, zstd(&events)), (255, events.clone())] {
            let (found, error) = unpack(&mut unpacker, &body(compression, Some(size), &payload));
            assert!(error.is_some(), "{size}");
            assert!(found.len() <= 2);
        }
    }
    // An event that says it is larger than all there is costs no memory for it.
    let mut huge = event(100);
    huge[9..13].copy_from_slice(&(1_u32 << 30).to_le_bytes());
    for (compression, size) in [(0, Some(100)), (0, None), (255, None)] {
        let payload = if compression == 0 {
            zstd(&huge)
        } else {
            huge.clone()
        };
        let (found, error) = unpack(&mut unpacker, &body(compression, size, &payload));
        assert_eq!((found.len(), error.unwrap().offset), (0, 0));
    }
    huge[9..13].copy_from_slice(&u32::MAX.to_le_bytes());
    let (_, error) = unpack(&mut unpacker, &body(0, None, &zstd(&huge)));
    assert!(matches!(error.unwrap().kind, Kind::Unsupported(_)));
    huge[9..13].copy_from_slice(&18_u32.to_le_bytes());
    let (_, error) = unpack(&mut unpacker, &body(0, None, &zstd(&huge)));
    assert!(matches!(error.unwrap().kind, Kind::Invalid(_)));
}

/// A few kilobytes that unpack to 256 MiB: no more than a chunk is held at once, whatever the payload says of its size.
#[test]
fn a_bomb() {
    let zeros = vec![0; 1 << 28];
    let mut event_and_zeros = event(100);
    event_and_zeros.resize(1 << 28, 0);
    let events = event(1 << 10).repeat(1 << 18);
    for (unpacked, wanted) in [(zeros, 0), (event_and_zeros, 1), (events, 1 << 18)] {
        let payload = zstd(&unpacked);
        assert!(payload.len() < 1 << 16);
        for size in [Some(100), Some(1 << 28), None] {
            let body = body(0, size, &payload);
            let mut unpacker = Unpacker::default();
            let payload = TransactionPayload::parse(&body).unwrap();
            let (mut found, mut error) = (0, None);
            let memory = allocation_counter::measure(|| {
                let mut events = unpacker.events(&payload).unwrap();
                error = loop {
                    match events.next() {
                        Ok(Some(_)) => found += 1,
                        Ok(None) => break None,
                        Err(error) => break Some(error),
                    }
                };
            });
            assert!(memory.bytes_max < 1 << 20, "{memory:?}");
            if wanted == 1 << 18 && size != Some(100) {
                assert_eq!((found, error), (wanted, None));
            } else {
                assert!(found <= wanted.min(1) && error.is_some(), "{found}");
            }
        }
    }
}

#[test]
fn fields() {
    let plain = event(30);
    let parse =
        |body: &[u8]| TransactionPayload::parse(body).map(|payload| payload.payload().to_vec());
    assert_eq!(parse(&body(255, None, &plain)), Ok(plain.clone()));
    let error = parse(&body(1, None, &plain)).unwrap_err();
    assert!(matches!(error.kind, Kind::Unsupported(_)), "{error}");
    // Neither size nor type; a size of no bytes; one behind whose number there is more.
    for bad in [
        &[0][..],
        &[1, 1, 0, 0],
        &[2, 1, 0, 0],
        &[1, 0, 2, 1, 0, 0],
        &[1, 2, 0, 0, 2, 1, 0, 0],
    ] {
        let error = parse(bad).unwrap_err();
        assert!(matches!(error.kind, Kind::Invalid(_)), "{bad:?}: {error}");
    }
    assert_eq!(parse(&[1, 1, 0, 2, 1, 0, 0]), Ok(vec![]));
    assert_eq!(
        unpack(&mut Unpacker::default(), &[1, 1, 0, 2, 1, 0, 0]),
        (vec![], None)
    );
}

#[test]
fn events_that_stand_in_no_transaction() {
    let mut decoder = Decoder::for_dump(Checksum::None);
    let mut outer = event(19 + 7);
    outer[4] = EventType::TRANSACTION_PAYLOAD_EVENT.0;
    outer[19..].copy_from_slice(&[1, 1, 0, 2, 1, 0, 0]);
    let outer = decoder.decode(&outer).unwrap();
    for kind in [4, 15, 27, 33, 34, 35, 40, 41, 42, 162, 163, 164, 165, 170] {
        let mut packed = event(60);
        packed[4] = kind;
        let error = decoder.decode_packed(&packed, &outer).unwrap_err();
        assert_eq!((error.what, error.offset), ("event header", 4), "{kind}");
    }
    assert!(decoder.decode_packed(&event(19)[..18], &outer).is_err());
}
