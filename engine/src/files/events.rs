//! The events of a binlog file, one after another, as bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bintrail_proto::binlog::file::{check_magic, event_len};
use bintrail_proto::binlog::header::HEADER_LEN;

use crate::error::Error;

/// Read at once; an event that is larger gets as much as it needs.
pub(crate) const CHUNK: usize = 256 * 1024;

/// Where the first event stands, behind the magic number.
const FIRST: u64 = 4;

/// What comes next in a file.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    /// An event, from its header to its checksum.
    Event(&'a [u8]),
    /// The file ends.
    End,
    /// The file ends inside an event, of which so many bytes are there.
    CutOff(usize),
}

/// The events of a file, as many bytes of it at a time as are asked for.
#[derive(Debug)]
pub(crate) struct FileEvents {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    /// Where in `buffer` the unread bytes begin.
    start: usize,
    /// Where in the file they begin.
    position: u64,
    ended: bool,
}

impl FileEvents {
    /// Opens a file, and reads its magic number.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read, [`Error::Binlog`] when it is no binlog file, or an encrypted one.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|error| file_error(path, error))?;
        let mut events = Self {
            path: path.to_owned(),
            file,
            buffer: Vec::new(),
            start: 0,
            position: 0,
            ended: false,
        };
        let magic = match events.take(4)? {
            Next::Event(bytes) => bytes.first_chunk::<4>().copied(),
            _ => None,
        };
        let Some(magic) = magic else {
            return Err(foreign(
                path,
                bintrail_proto::Error::new("binlog file", bintrail_proto::Kind::Truncated),
            ));
        };
        check_magic(magic).map_err(|error| foreign(path, error))?;
        Ok(events)
    }

    /// Where the next event starts.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// The next event. `remedy`: what to do about a file that is damaged.
    ///
    /// # Errors
    /// [`Error::Binlog`] for a header that cannot be one, [`Error::File`].
    pub(crate) fn next(&mut self, remedy: &'static str) -> Result<Next<'_>, Error> {
        let position = self.position;
        let len = match self.peek(HEADER_LEN)? {
            Next::Event(header) => event_len(header).map(|len| len.unwrap_or(0)),
            Next::End => return Ok(Next::End),
            Next::CutOff(left) => return Ok(Next::CutOff(left)),
        };
        let len = len.map_err(|error| Error::Binlog {
            file: self.path.display().to_string(),
            position,
            error,
            remedy,
        })?;
        self.take(len)
    }

    /// Goes on at a place further on.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn seek(&mut self, position: u64) -> Result<(), Error> {
        let position = position.max(FIRST);
        let sought = self.file.seek(SeekFrom::Start(position));
        sought.map_err(|error| file_error(&self.path, error))?;
        self.buffer.clear();
        self.start = 0;
        self.position = position;
        self.ended = false;
        Ok(())
    }

    /// The next `len` bytes, which are then read.
    fn take(&mut self, len: usize) -> Result<Next<'_>, Error> {
        match self.peek(len)? {
            Next::Event(_) => {}
            Next::End => return Ok(Next::End),
            Next::CutOff(left) => return Ok(Next::CutOff(left)),
        }
        let from = self.start;
        self.start = from.saturating_add(len);
        self.position = self.position.saturating_add(len as u64);
        let taken = self.buffer.get(from..self.start).unwrap_or_default();
        Ok(Next::Event(taken))
    }

    /// The next `len` bytes.
    fn peek(&mut self, len: usize) -> Result<Next<'_>, Error> {
        while self.buffer.len().saturating_sub(self.start) < len && !self.ended {
            self.fill(len)?;
        }
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        Ok(match rest.get(..len) {
            Some(bytes) => Next::Event(bytes),
            None if rest.is_empty() => Next::End,
            None => Next::CutOff(rest.len()),
        })
    }

    /// Reads a chunk more. A length that the file does not have the bytes for costs no memory.
    fn fill(&mut self, wanted: usize) -> Result<(), Error> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let chunk = wanted
            .saturating_sub(self.buffer.len())
            .clamp(CHUNK, CHUNK.saturating_mul(16));
        let read = (&mut self.file)
            .take(chunk as u64)
            .read_to_end(&mut self.buffer)
            .map_err(|error| file_error(&self.path, error))?;
        self.ended = read == 0;
        Ok(())
    }
}

fn file_error(path: &Path, error: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        error,
    }
}

fn foreign(path: &Path, error: bintrail_proto::Error) -> Error {
    Error::Binlog {
        file: path.display().to_string(),
        position: 0,
        error,
        remedy: "name files as `SHOW BINARY LOGS` lists them, copied from the source's data directory",
    }
}
