//! Whether one file of a dump follows the other.
//!
//! When binary logs are reset under a dump, the server goes on reading the file that it has open, though it is deleted. At
//! its end it looks for the next one by its name, and when a new file of that name is there by now, it sends that: what
//! was written to the new files before it is left out, without a word. But a server ends each file, as long as it runs,
//! with an event that says so; and a dump does not outlive the server.
//!
//! A file that somebody has removed, and taken out of the server's list, is passed over without a word as well: the one
//! that then comes is not the one that the event at the end of the file before named, or not the next by number.

use bintrail_proto::binlog::decoder::{Event, EventData};

use super::Error;
use super::logs::base;
use crate::index::record::Place;

/// Follows the files of one dump.
#[derive(Debug)]
pub(crate) struct Seam {
    /// Where the server wrote to once the dump was there; `None` when it may not be known.
    written: Option<Place>,
    /// The one that the events are from.
    file: String,
    /// It is that one, or a later one. Those before may have been cut off by a crash.
    live: bool,
    /// It has said that it ends.
    ended: bool,
    /// The one that it has named as the next.
    next: Option<String>,
    /// It is not the one behind that before it.
    skipped: bool,
}

impl Seam {
    pub(crate) const fn new(written: Option<Place>) -> Self {
        Self {
            written,
            file: String::new(),
            live: false,
            ended: false,
            next: None,
            skipped: false,
        }
    }

    /// The file that the events are from; and is it not the one that had to follow?
    pub(crate) fn now(&self) -> (&str, bool) {
        (&self.file, self.skipped)
    }

    /// The place up to which the server has sent all, by a heartbeat that has the `low` 32 bits of it; `read` is where the
    /// last event that came ended. `None` where the others are not certain: what the server leaves out of a dump by GTIDs is
    /// not seen, and lies in what was written when the dump began.
    pub(crate) fn reached(&self, low: u32, read: u64) -> Option<u64> {
        let (written, end) = self.written.as_ref()?;
        let one_lap = u64::from(u32::MAX);
        let certain = self.live && (self.file != *written || *end <= one_lap || read >= *end);
        let position = read & !one_lap | u64::from(low);
        (certain && position >= read).then_some(position)
    }

    /// Follows `event`.
    ///
    /// # Errors
    /// When a file is left without an end.
    pub(crate) fn follow(&mut self, event: &Event<'_>) -> Result<(), Error> {
        match &event.data {
            EventData::Rotate(rotate) if event.header.is_artificial() => {
                if rotate.file != self.file {
                    let left = std::mem::replace(&mut self.file, rotate.file.to_owned());
                    let next = self.next.take();
                    self.skipped = next.map_or_else(
                        || leaves_numbers_out(&left, rotate.file),
                        |next| next != rotate.file,
                    );
                    if self.live && !self.ended {
                        return Err(Error::Astray(format!(
                            "the source has left its {left} without ending it"
                        )));
                    }
                    let written = self.written.as_ref().map(|(file, _)| file.as_str());
                    self.live |= written == Some(rotate.file);
                }
                self.ended = false;
            }
            EventData::Rotate(rotate) => {
                self.ended = true;
                self.next = Some(rotate.file.to_owned());
            }
            EventData::Stop => self.ended = true,
            _ => {}
        }
        Ok(())
    }
}

/// Are there numbers between those of two files, one behind the other?
fn leaves_numbers_out(file: &str, next: &str) -> bool {
    let number = |file: &str| file.rsplit_once('.')?.1.parse::<u64>().ok();
    match (number(file), number(next)) {
        (Some(one), Some(other)) => base(file) == base(next) && other > one.saturating_add(1),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use bintrail_proto::binlog::checksum::Checksum;
    use bintrail_proto::binlog::decoder::Decoder;

    use super::*;

    /// An event of nothing, or one that names a file; artificial without a place.
    fn event(event_type: u8, log_pos: u32, file: Option<&str>) -> Vec<u8> {
        let mut body = Vec::new();
        if let Some(file) = file {
            body.extend(4_u64.to_le_bytes());
            body.extend(file.as_bytes());
        }
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

    fn follow(written: Option<&str>, events: &[Vec<u8>]) -> Result<(), String> {
        let mut decoder = Decoder::for_dump(Checksum::None);
        let mut seam = Seam::new(written.map(|file| (file.to_owned(), 4)));
        for event in events {
            let followed = seam.follow(&decoder.decode(event).unwrap());
            followed.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    #[test]
    fn a_file_that_is_written_says_that_it_ends() {
        let (begins, ends) = (
            |file| event(4, 0, Some(file)),
            |file| event(4, 500, Some(file)),
        );
        let stops = || event(3, 500, None);
        let proper = [
            begins("l.2"),
            ends("l.3"),
            begins("l.3"),
            stops(),
            begins("l.4"),
        ];
        assert_eq!(follow(Some("l.2"), &proper), Ok(()));
        // One that a crash has cut off, from before the dump.
        let crash = [begins("l.1"), begins("l.2"), ends("l.3"), begins("l.3")];
        assert_eq!(follow(Some("l.2"), &crash), Ok(()));
        let reset = [begins("l.1"), ends("l.2"), begins("l.2"), begins("l.3")];
        for written in ["l.1", "l.2"] {
            let error = follow(Some(written), &reset).unwrap_err();
            assert!(error.contains("left its l.2 without"), "{error}");
        }
        assert_eq!(follow(Some("l.3"), &reset), Ok(()));
        assert_eq!(follow(None, &reset), Ok(()));
        // The same file again is no other.
        assert_eq!(follow(Some("l.1"), &[begins("l.1"), begins("l.1")]), Ok(()));
    }

    #[test]
    fn heartbeats_of_32_bits() {
        const LAP: u64 = 1 << 32;
        let reached = |written: Option<(&str, u64)>, file: &str, low, read| {
            let written = written.map(|(file, end)| (file.to_owned(), end));
            let mut decoder = Decoder::for_dump(Checksum::None);
            let mut seam = Seam::new(written);
            for file in ["l.1", file] {
                let begins = event(4, 0, Some(file));
                seam.follow(&decoder.decode(&begins).unwrap()).unwrap();
            }
            seam.reached(low, read)
        };
        let at = Some(("l.2", 900));
        assert_eq!(reached(at, "l.2", 900, 4), Some(900));
        assert_eq!(reached(at, "l.2", 900, 900), Some(900));
        // Behind what was read it is no news, nor is it another lap.
        assert_eq!(reached(at, "l.2", 800, 900), None);
        assert_eq!(reached(at, "l.2", 20, LAP + 10), Some(LAP + 20));
        // What was left out may be longer than a lap.
        let far = Some(("l.2", LAP + 900));
        assert_eq!(reached(far, "l.2", 900, 4), None);
        assert_eq!(reached(far, "l.2", 950, LAP + 900), Some(LAP + 950));
        assert_eq!(reached(at, "l.1", 900, 4), None);
        assert_eq!(reached(None, "l.2", 900, 4), None);
    }

    #[test]
    fn a_file_that_is_passed_over() {
        let (begins, ends) = (
            |file| event(4, 0, Some(file)),
            |file| event(4, 500, Some(file)),
        );
        let stops = || event(3, 500, None);
        let skips = |events: &[Vec<u8>]| {
            let mut decoder = Decoder::for_dump(Checksum::None);
            let mut seam = Seam::new(None);
            for event in events {
                seam.follow(&decoder.decode(event).unwrap()).unwrap();
            }
            seam.now().1
        };
        assert!(!skips(&[begins("l.2")]));
        assert!(!skips(&[begins("l.2"), ends("l.3"), begins("l.3")]));
        // `log_bin` was changed; the server crashed, or was stopped.
        assert!(!skips(&[begins("l.2"), stops(), begins("m.9")]));
        assert!(!skips(&[begins("l.2"), begins("l.3")]));
        assert!(!skips(&[begins("l.999999"), stops(), begins("l.1000000")]));
        for end in [ends("l.3"), stops()] {
            let events = [begins("l.2"), end, begins("l.4")];
            assert!(skips(&events));
            let on = [&events[..], &[ends("l.5"), begins("l.5")]].concat();
            assert!(!skips(&on));
        }
    }
}
