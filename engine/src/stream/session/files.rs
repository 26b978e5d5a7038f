//! A session whose events come from binlog files.

use std::sync::Arc;

use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
use bintrail_proto::binlog::transaction_payload::Unpacker;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::super::files::{
    Beginning, FilesOptions, Message, Progress, Survey, missing_before, read,
};
use super::super::memory::Budget;
use super::super::patience::Patience;
use super::super::write::{InFlight, Job, Pool};
use super::super::{Start, read as read_dump};
use super::Session;
use crate::clock;
use crate::error::Error;
use crate::gtids::{AnyGtid, Gtids};
use crate::index::Index;
use crate::index::record::{Batch, Checkpoint, FileStatus, IndexedFile, Mode};
use crate::pipeline::assemble::Assembler;
use crate::schema::Names;
use crate::source::connection::ConnectOptions;
use crate::source::replication::ReplicationStream;
use crate::source::seam::Seam;
use crate::stream::checkpoint_every;
use crate::telemetry::Vitals;

/// Where a session's events come from.
pub(super) enum Events {
    /// A source, asked for what comes behind `from`.
    Dump {
        stream: Box<ReplicationStream>,
        host: ConnectOptions,
        from: Start,
        seam: Seam,
    },
    /// Binlog files.
    Files(Feed),
}

/// What has come.
pub(super) enum Arrived {
    Events,
    /// A file begins: its number, its first event, and where the next one stands.
    File(usize, Bytes, u64),
    /// It ends: how many bytes of a last event are there that is not whole.
    FileEnd(usize, Option<usize>),
    /// There is nothing more.
    End,
}

impl Events {
    pub(super) async fn next(&mut self, frames: &mut Vec<Bytes>) -> Result<Arrived, Error> {
        match self {
            Self::Dump {
                stream, host, from, ..
            } => {
                read_dump(stream, frames, host, from).await?;
                Ok(Arrived::Events)
            }
            Self::Files(feed) => Ok(match feed.messages.recv().await {
                None => Arrived::End,
                Some(Message::Events(events)) => {
                    *frames = events;
                    Arrived::Events
                }
                Some(Message::Begin(number, first, position)) => {
                    Arrived::File(number, first, position)
                }
                Some(Message::End(number, cut_off)) => Arrived::FileEnd(number, cut_off),
                Some(Message::Failed(error)) => return Err(error),
            }),
        }
    }
}

/// The files, and what is kept of each.
pub(super) struct Feed {
    messages: mpsc::Receiver<Message>,
    files: Arc<[Survey]>,
    /// The first of them that is read.
    first: usize,
    pub(super) known: Doubled,
    pub(super) book: Book,
    pub(super) progress: Arc<Progress>,
}

/// Transactions that the index has although they stand behind the place where it goes on.
pub(super) struct Doubled {
    gtids: Option<Gtids>,
    passing: bool,
}

impl Doubled {
    /// Is this event part of one?
    pub(super) fn holds(&mut self, event: &Event<'_>) -> bool {
        let Some(gtids) = &self.gtids else {
            return false;
        };
        match &event.data {
            EventData::Gtid(gtid) => {
                let gtid = gtid.gtid.map(AnyGtid::MySql);
                self.passing = gtid.is_some_and(|gtid| gtids.contains(gtid));
            }
            EventData::MariadbGtid(gtid) => {
                self.passing = gtids.contains(AnyGtid::MariaDb(gtid.gtid));
            }
            EventData::FormatDescription(_) | EventData::Rotate(_) | EventData::Stop => {
                self.passing = false;
            }
            _ => {}
        }
        self.passing
    }
}

/// What `index_state` is to say.
#[derive(Default)]
pub(super) struct Book {
    /// The file that is read, as it was when its first event was.
    open: Option<IndexedFile>,
    /// Row changes that the index had then, and at the very beginning.
    before: u64,
    first: u64,
    /// Files that are read to their end since the last checkpoint.
    ended: Vec<IndexedFile>,
    known: Vec<IndexedFile>,
}

impl Book {
    fn begin(&mut self, file: &Survey, checkpoint: &Checkpoint) {
        let known = self
            .known
            .iter()
            .find(|known| known.name == file.name && known.created == file.created);
        self.before = checkpoint.events_indexed;
        self.open = Some(IndexedFile {
            name: file.name.clone(),
            created: file.created,
            size: file.size,
            last_position: known.map_or(4, |known| known.last_position),
            events: known.map_or(0, |known| known.events),
            status: FileStatus::Indexing,
            error: None,
        });
    }

    /// The open file as of a checkpoint.
    fn as_of(&self, checkpoint: &Checkpoint) -> Option<IndexedFile> {
        let mut file = self.open.clone()?;
        if file.name == checkpoint.binlog_file {
            file.last_position = file.last_position.max(checkpoint.binlog_position);
        }
        let since = checkpoint.events_indexed.saturating_sub(self.before);
        file.events = file.events.saturating_add(since);
        Some(file)
    }

    /// The open file ends, and the checkpoint is all that came of it. `fault`: why that is not all of it.
    fn end(&mut self, checkpoint: &Checkpoint, end: u64, fault: Option<&str>) {
        let Some(mut file) = self.as_of(checkpoint) else {
            return;
        };
        file.size = file.size.max(end);
        match fault {
            None => {
                file.status = FileStatus::Indexed;
                file.last_position = end;
            }
            Some(fault) => {
                file.status = FileStatus::CutOff;
                file.error = Some(fault.to_owned());
            }
        }
        self.open = None;
        self.ended.push(file);
    }

    /// Row changes of this run as of a checkpoint.
    pub(super) fn events(&self, checkpoint: &Checkpoint) -> u64 {
        checkpoint.events_indexed.saturating_sub(self.first)
    }

    /// What goes to the index with a checkpoint.
    pub(super) fn rows(&mut self, checkpoint: &Checkpoint) -> Vec<IndexedFile> {
        let mut rows = std::mem::take(&mut self.ended);
        rows.extend(self.as_of(checkpoint));
        rows
    }
}

impl<'a> Session<'a> {
    /// Over files, for a source that this index is attached to.
    pub(in crate::stream) async fn over_files(
        options: &FilesOptions,
        index: &'a Index,
        vitals: Arc<Vitals>,
        beginning: Beginning,
    ) -> Result<Self, Error> {
        let Beginning {
            files,
            source_id,
            plan,
            checkpoint,
            fresh,
            known,
            filter,
            server,
            ahead,
        } = beginning;
        let flavor = plan.gtids.flavor();
        let place = (checkpoint.binlog_file.clone(), checkpoint.binlog_position);
        let names = Names::with_index(
            index,
            source_id,
            &place,
            !fresh,
            filter.clone(),
            (ahead, flavor),
            server.as_ref(),
        )
        .await?;
        let mut book = Book {
            known,
            first: checkpoint.events_indexed,
            ..Book::default()
        };
        if let Some(file) = files.get(plan.first) {
            book.begin(file, &checkpoint);
        }
        // A crash before the first event must not move the start, nor let it be forgotten that all in front of it
        // is there.
        let batch = Batch {
            files: book.rows(&checkpoint),
            checkpoint: Some(checkpoint.clone()),
            ..Batch::default()
        };
        index.write(source_id, Arc::new(batch)).await?;
        let seconds =
            u32::try_from(checkpoint_every(options.checkpoint).as_secs()).unwrap_or(u32::MAX);
        index.streaming(source_id, clock::now(), seconds).await?;
        let set = match plan.mode {
            Mode::Gtid => plan.gtids.clone(),
            Mode::Position => Gtids::none(flavor),
        };
        let feed = Feed {
            messages: read(Arc::clone(&files), plan.first, plan.position),
            first: plan.first,
            files,
            known: Doubled {
                gtids: plan.doubled.then(|| set.clone()),
                passing: false,
            },
            book,
            progress: Arc::clone(&options.progress),
        };
        let budget = Budget::of(options.memory);
        Ok(Self {
            vitals,
            batch_size: options.batch_size,
            checkpoint: options.checkpoint,
            index,
            patience: Arc::new(Patience::new(None)),
            source_id,
            server,
            names,
            events: Events::Files(feed),
            decoder: Decoder::for_file(),
            unpacker: Unpacker::default(),
            assembler: Assembler::new(filter, &checkpoint, set),
            passed: None,
            footing: None,
            server_id: 0,
            left_out: None,
            hole: None,
            budget,
            in_flight: Arc::new(InFlight::new(budget)),
            pool: Arc::new(Pool::new(budget)),
        })
    }

    /// A file begins with its first event; the next one stands at `position`.
    pub(super) async fn begin_file(
        &mut self,
        number: usize,
        first: Bytes,
        position: u64,
        queue: &mpsc::Sender<Job>,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let Events::Files(feed) = &mut self.events else {
            return Ok(());
        };
        let Some(file) = feed.files.get(number) else {
            return Ok(());
        };
        let follows = self.assembler.file();
        if number > feed.first && follows != file.name {
            let before = feed.files.get(number - 1);
            let before = before.map_or("the file before", |before| before.name.as_str());
            if follows != before {
                return Err(Error::Files(format!(
                    "{before} says that {follows} comes behind it, and {} was found: copy what is missing from the \
                     source",
                    file.name
                )));
            }
        }
        if let (Some(read), Some(before)) = (self.assembler.gtids(), &file.before)
            && let Some(missing) = before.missing_in(read)
        {
            return Err(Error::Files(missing_before(file, &missing)));
        }
        self.decoder = Decoder::for_file();
        self.assembler.start_file(&file.name);
        feed.book.begin(file, &self.assembler.checkpoint());
        feed.progress.begin_file(&file.name, position);
        self.take(&mut vec![first], queue, stop).await?;
        self.decoder.continue_at(position);
        Ok(())
    }

    /// A file ends, maybe inside an event of which `cut_off` bytes are there.
    pub(super) fn end_file(&mut self, number: usize, cut_off: Option<usize>) -> Result<(), Error> {
        let Events::Files(feed) = &mut self.events else {
            return Ok(());
        };
        let Some(file) = feed.files.get(number) else {
            return Ok(());
        };
        let next = feed.files.get(number + 1);
        let rotated = self.assembler.file() != file.name;
        let fault = match cut_off {
            Some(_) => Some("it ends inside an event"),
            None if self.assembler.in_transaction() => Some("it ends inside a transaction"),
            None => None,
        };
        // A crash may leave the beginning of an event that was never committed.
        let nothing_lost = next
            .and_then(|next| next.before.as_ref())
            .zip(self.assembler.gtids())
            .is_some_and(|(before, read)| before.missing_in(read).is_none());
        if let Some(next) = next.filter(|_| !nothing_lost) {
            // What a server left open when it crashed, it closes when it starts again.
            let unfinished = match fault {
                Some(fault) if cut_off.is_some() || file.in_use => fault,
                None if file.in_use && !rotated => "it was copied while the server still wrote it",
                _ => "",
            };
            if !unfinished.is_empty() {
                return Err(Error::Files(format!(
                    "{}: {unfinished}, and {} follows: copy it again from the source",
                    file.name, next.name
                )));
            }
        }
        // Behind a transaction that a crash cut off nothing follows: it was not committed.
        let fault = fault.filter(|_| next.is_none());
        if let Some(fault) = fault {
            let whole = self.assembler.checkpoint();
            tracing::warn!(
                file = file.name,
                size = file.size,
                whole_to = whole.binlog_position,
                "{fault}: it was cut off, or the server still writes it; all before that is indexed, and the next time \
                 goes on there"
            );
        }
        let end = self.decoder.position();
        feed.book.end(&self.assembler.checkpoint(), end, fault);
        self.assembler.want_checkpoint(false);
        Ok(())
    }
}
