//! The log of a stream: a file in its directory, and the one before.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bintrail_engine::Error;

use crate::control::supervisor::last_words;

const NAME: &str = "stream.log";
const BEFORE: &str = "stream.log.1";

/// The size at which a log becomes the one before.
const MOST: u64 = 8 << 20;

/// Of a log, what the last error is looked for in.
const TAIL: u64 = 16 * 1024;

/// Opens it to write behind what is there.
pub(super) fn open(place: &Path) -> Result<File, Error> {
    let path = place.join(NAME);
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| Error::File { path, error })
}

/// Begins it anew once it is large. Who writes goes on in the same file.
pub(super) fn cut(place: &Path) {
    let cut = || -> io::Result<()> {
        let path = place.join(NAME);
        if path.metadata()?.len() < MOST {
            return Ok(());
        }
        std::fs::copy(&path, place.join(BEFORE))?;
        OpenOptions::new().write(true).open(path)?.set_len(0)
    };
    // It is tried again soon.
    if let Err(error) = cut() {
        tracing::debug!(%error, "the log of {}", place.display());
    }
}

/// What `bintrail` said last when it ended.
pub(super) fn last_error(place: &Path) -> Option<String> {
    let mut file = File::open(place.join(NAME)).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    last_words(&bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_last_error_is_the_last_line() {
        let place = std::env::temp_dir().join(format!("bintrail-log-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        assert_eq!(last_error(&place), None);
        let mut log = open(&place).unwrap();
        log.write_all(&b"a line\n".repeat(10_000)).unwrap();
        log.write_all(b"bintrail: the source is away\n").unwrap();
        assert_eq!(last_error(&place).unwrap(), "the source is away");
        cut(&place);
        assert_eq!(last_error(&place).unwrap(), "the source is away");
        log.write_all(&vec![b'x'; usize::try_from(MOST).unwrap()])
            .unwrap();
        assert_eq!(last_error(&place), None);
        cut(&place);
        assert_eq!(place.join(NAME).metadata().unwrap().len(), 0);
        assert!(place.join(BEFORE).metadata().unwrap().len() > MOST);
        log.write_all(b"bintrail: anew\n").unwrap();
        assert_eq!(
            std::fs::read(place.join(NAME)).unwrap(),
            b"bintrail: anew\n"
        );
        std::fs::remove_dir_all(place).unwrap();
    }
}
