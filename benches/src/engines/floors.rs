//! What every decoder has to do before it can decode.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;

use crate::events::Events;
use crate::{Counts, Result};

/// Reads the file.
pub(super) fn read(path: &Path) -> Result<Counts> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 128 * 1024];
    while file.read(&mut buffer)? > 0 {
        black_box(&buffer);
    }
    Ok(Counts::default())
}

/// Finds each event.
pub(super) fn walk(path: &Path) -> Result<Counts> {
    let mut events = Events::open(path)?;
    while let Some(event) = events.next_event()? {
        black_box(event);
    }
    Ok(Counts::default())
}

/// Finds each event and computes its checksum.
pub(super) fn crc(path: &Path) -> Result<Counts> {
    let mut events = Events::open(path)?;
    while let Some(event) = events.next_event()? {
        black_box(crc32fast::hash(&event[..event.len() - 4]));
    }
    Ok(Counts::default())
}
