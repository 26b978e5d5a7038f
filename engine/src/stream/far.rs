//! Places that a dump cannot be asked for.
//!
//! COM_BINLOG_DUMP has 32 bits for the position. A file grows beyond that by one huge transaction, and behind it a
//! checkpoint may stand. Such a dump starts at the file's beginning, and what was read before is passed over.

use bintrail_proto::binlog::decoder::{Event, EventData};

use super::Start;

/// The last position that the command can name.
const LAST: u64 = u32::MAX as u64;

/// Where a dump is asked to start, and what of it is then passed over.
pub(super) fn ask_for(start: &Start) -> (Start, Option<Passed>) {
    match start {
        Start::Position(file, position) if *position > LAST => (
            Start::Position(file.clone(), 4),
            Some(Passed {
                file: file.clone(),
                position: *position,
            }),
        ),
        start => (start.clone(), None),
    }
}

/// Up to where events were read before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Passed {
    file: String,
    position: u64,
}

impl Passed {
    /// Was `event` read before? Once one was not, none behind it was.
    pub(super) fn holds(&self, event: &Event<'_>) -> bool {
        match &event.data {
            // It tells how to read the others.
            EventData::FormatDescription(_) => false,
            EventData::Rotate(rotate) => rotate.file == self.file,
            _ => event.end <= self.position,
        }
    }

    /// Is it over with this event?
    pub(super) fn ends_with(&self, event: &Event<'_>) -> bool {
        !matches!(event.data, EventData::FormatDescription(_))
    }
}

#[cfg(test)]
mod tests {
    use bintrail_proto::binlog::checksum::Checksum;
    use bintrail_proto::binlog::decoder::Decoder;

    use super::*;

    fn event(event_type: u8, log_pos: u32, body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(19 + body.len()).unwrap();
        let mut event = vec![0; 4];
        event.push(event_type);
        event.extend([1, 0, 0, 0]);
        event.extend(size.to_le_bytes());
        event.extend(log_pos.to_le_bytes());
        event.extend([0, 0]);
        event.extend(body);
        event
    }

    #[test]
    fn a_dump_from_behind_4_gib_begins_at_the_start_and_passes_over_what_was_read() {
        let near = Start::Position("log.000001".to_owned(), LAST);
        assert_eq!(ask_for(&near), (near, None));
        let far = Start::Position("log.000001".to_owned(), LAST + 200);
        let (from, passed) = ask_for(&far);
        assert_eq!(from, Start::Position("log.000001".to_owned(), 4));
        let passed = passed.unwrap();

        let rotate = |file: &str| {
            let mut body = 4_u64.to_le_bytes().to_vec();
            body.extend(file.bytes());
            event(4, 0, &body)
        };
        let xid = |log_pos| event(16, log_pos, &[0; 8]);
        let mut decoder = Decoder::for_dump(Checksum::None);
        let mut held = |bytes: &[u8]| {
            let event = decoder.decode(bytes).unwrap();
            (passed.holds(&event), event.end)
        };
        assert_eq!(held(&rotate("log.000001")), (true, 4));
        assert_eq!(held(&xid(0x8000_0000)), (true, 0x8000_0000));
        assert_eq!(held(&xid(0xFFFF_FF00)), (true, 0xFFFF_FF00));
        // The 32 bits begin anew.
        assert_eq!(held(&xid(199)), (true, LAST + 200));
        assert_eq!(held(&xid(230)), (false, LAST + 231));
        assert_eq!(held(&rotate("log.000002")), (false, 4));
    }
}
