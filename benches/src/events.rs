//! Reads a binlog file event by event through one buffer: what bintrail's engines and the floors share.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bintrail_proto::binlog::file::{check_magic, event_len};
use bintrail_proto::binlog::header::HEADER_LEN;

use crate::Result;

/// Read at once. More does not make it faster, and would not stay in the processor's cache.
const CHUNK: usize = 128 * 1024;

/// The events of a file.
pub struct Events {
    file: File,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Events {
    /// Opens a file and checks its first bytes.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path)?;
        let mut magic = [0; 4];
        file.read_exact(&mut magic)?;
        check_magic(magic)?;
        Ok(Self {
            file,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
        })
    }

    /// The next event, from its header to its checksum.
    #[inline]
    pub fn next_event(&mut self) -> Result<Option<&[u8]>> {
        if !self.have(HEADER_LEN)? {
            return Ok(None);
        }
        let len = event_len(&self.buffer[self.start..self.end])?.unwrap_or(HEADER_LEN);
        if !self.have(len)? {
            return Err("the file ends inside an event".into());
        }
        let from = self.start;
        self.start += len;
        Ok(Some(&self.buffer[from..self.start]))
    }

    #[inline]
    fn have(&mut self, len: usize) -> Result<bool> {
        while self.end - self.start < len {
            if !self.fill(len)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    #[cold]
    fn fill(&mut self, len: usize) -> Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        let read = self.file.read(&mut self.buffer[self.end..])?;
        self.end += read;
        Ok(read > 0)
    }
}
