//! Reads the files, one after another, on a thread of its own and ahead of what takes them in.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::survey::{DAMAGED, Survey};
use crate::error::Error;
use crate::files::events::{CHUNK, FileEvents, Next};

/// Chunks on their way, each about as large as what is read at once.
const AHEAD: usize = 4;

/// What comes of the files.
#[derive(Debug)]
pub(crate) enum Message {
    /// A file begins: its number among the files, its first event, and where the events behind that stand.
    Begin(usize, Bytes, u64),
    /// Its next events.
    Events(Vec<Bytes>),
    /// It ends: how many bytes of a last event are there that is not whole.
    End(usize, Option<usize>),
    /// It cannot be read.
    Failed(Error),
}

/// Reads from `position` of the first of `files` on, in order. It ends when nobody listens any more.
pub(crate) fn read(files: Arc<[Survey]>, first: usize, position: u64) -> mpsc::Receiver<Message> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut position = position;
        for (number, file) in files.iter().enumerate().skip(first) {
            match read_file(number, file, position, &sender) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    // Nobody listens: there is nobody to tell.
                    let _ = sender.blocking_send(Message::Failed(error));
                    return;
                }
            }
            position = 4;
        }
    });
    receiver
}

/// Reads one file. Returns `false` when nobody listens any more.
fn read_file(
    number: usize,
    file: &Survey,
    position: u64,
    sender: &mpsc::Sender<Message>,
) -> Result<bool, Error> {
    let mut events = FileEvents::open(&file.path)?;
    let Next::Event(first) = events.next(DAMAGED)? else {
        // Nothing but the magic number, or not even all of the first event.
        return Ok(sender.blocking_send(Message::End(number, Some(0))).is_ok());
    };
    let first = Bytes::copy_from_slice(first);
    if position > events.position() {
        events.seek(position)?;
    }
    let begin = Message::Begin(number, first, events.position());
    if sender.blocking_send(begin).is_err() {
        return Ok(false);
    }
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    loop {
        let end = match events.next(DAMAGED)? {
            Next::Event(event) => {
                let start = chunk.len();
                chunk.extend_from_slice(event);
                ranges.push(start..chunk.len());
                if chunk.len() < CHUNK {
                    continue;
                }
                None
            }
            Next::End => Some(None),
            Next::CutOff(left) => Some(Some(left)),
        };
        let bytes = Bytes::from(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)));
        let frames: Vec<Bytes> = ranges.drain(..).map(|range| bytes.slice(range)).collect();
        if !frames.is_empty() && sender.blocking_send(Message::Events(frames)).is_err() {
            return Ok(false);
        }
        if let Some(cut_off) = end {
            return Ok(sender.blocking_send(Message::End(number, cut_off)).is_ok());
        }
    }
}
