//! `bintrail stream`: a live source into the index, from where it was left.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bintrail_proto::binlog::decoder::{Decoder, EventData};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::clock;
use crate::dsn::IndexDsn;
use crate::error::Error;
use crate::filter::Filter;
use crate::gtids::Gtids;
use crate::index::record::{Attached, Batch, CaptureSkips, Checkpoint, Flavor, Mode, Source};
use crate::index::{ErrorKind, Index, IndexError, KEEP_ALIVE_SECONDS};
use crate::pipeline::assemble::{Assembler, Entry, Need, Work};
use crate::pipeline::encode::Encoder;
use crate::schema::{Named, Names};
use crate::source;
use crate::source::connection::ConnectOptions;
use crate::source::replication::{Progress, ReplicationStream};
use crate::source::server::{self, Server};

/// Batches between the reader and the index: enough for encoding and writing to overlap.
const BATCHES_IN_FLIGHT: usize = 4;

/// Bytes of events that a batch keeps in memory at the most, unless a single event is larger. What is
/// encoded from them takes a few times as much.
const MAX_BATCH_BYTES: usize = 1 << 20;

/// Bytes that the names of columns may take in what is encoded from a batch, about.
const MAX_BATCH_NAMES: u64 = 8 << 20;

/// Bytes of events in all the batches between the reader and the index. A batch that is larger by itself
/// goes alone.
const MAX_BYTES_IN_FLIGHT: u32 = 4 << 20;

/// The wait before the first and before any later attempt to go on.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What to stream, and where to.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// Where the index is.
    pub index: IndexDsn,
    /// How to reach the source.
    pub source: ConnectOptions,
    /// The server id to replicate under; derived from host and source when `None`.
    pub server_id: Option<u32>,
    /// Which tables are kept.
    pub filter: Filter,
    /// Row changes after which a batch goes to the index even while it is busy.
    pub batch_size: u64,
    /// The longest time between two checkpoints.
    pub checkpoint: Duration,
    /// Where to start when there is no checkpoint; `None` for where the source is now.
    pub start: Option<Start>,
    /// Forget the checkpoint and start from `start`.
    pub reset: bool,
}

/// A place in a source's binlog to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At a binlog file and position.
    Position(String, u64),
    /// Behind these GTIDs.
    Gtids(Gtids),
}

impl Start {
    /// Behind the GTIDs that `text` lists: MySQL's have colons, MariaDB's have none. No GTID at all is
    /// the beginning of either.
    ///
    /// # Errors
    /// [`Error::Usage`] for text that is neither.
    pub fn behind(text: &str) -> Result<Self, Error> {
        let flavor = if text.trim().is_empty() || text.contains(':') {
            Flavor::MySql
        } else {
            Flavor::MariaDb
        };
        server::parse_set(text, flavor).map(Self::Gtids)
    }

    /// Where a checkpoint says to go on.
    fn of(checkpoint: &Checkpoint, flavor: Flavor) -> Result<Self, Error> {
        Ok(match checkpoint.mode {
            Mode::Gtid => Self::Gtids(server::parse_set(&checkpoint.gtid_set, flavor)?),
            Mode::Position => {
                Self::Position(checkpoint.binlog_file.clone(), checkpoint.binlog_position)
            }
        })
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(file, position) => write!(f, "{file}:{position}"),
            Self::Gtids(set) if set.is_empty() => f.write_str("the empty GTID set"),
            Self::Gtids(set) => write!(f, "GTID set {}", set.to_string().replace('\n', " ")),
        }
    }
}

/// Streams until `stop` turns true, through whatever passes: a source or an index that is away for a while is
/// waited for, and the stream goes on from its checkpoint.
///
/// # Errors
/// What will not pass; and anything that is wrong at the start, before the first event.
pub async fn stream(options: &StreamOptions, mut stop: watch::Receiver<bool>) -> Result<(), Error> {
    let index = Index::open(&options.index, true).await?;
    let result = keep_streaming(options, &index, &mut stop).await;
    let closed = index.close().await;
    result?;
    closed?;
    Ok(())
}

async fn keep_streaming(
    options: &StreamOptions,
    index: &Index,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), Error> {
    let mut streamed = false;
    let mut reset = options.reset;
    let mut backoff = BACKOFF.0;
    let mut damaged = 0_u32;
    let mut attached = None;
    loop {
        let started = Instant::now();
        let told = stop.clone();
        let opened = tokio::select! {
            opened = Session::open(options, index, &mut reset, &mut attached, &told) => opened,
            // A source or an index that hangs must not keep a stream from stopping.
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        let result = match opened {
            Ok((session, frames)) => {
                streamed = true;
                session.run(frames, stop).await
            }
            Err(error) => Err(error),
        };
        let error = match result {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if let Some(source_id) = attached {
            // The index itself may be what failed, and the log has the error in any case.
            let _ = index.save_error(source_id, Some(&error.to_string())).await;
        }
        damaged = if matches!(error, Error::Binlog { .. }) {
            damaged.saturating_add(1)
        } else {
            0
        };
        if !streamed || !error.is_retriable() || damaged >= MAX_DAMAGED {
            return Err(error);
        }
        // What ran well for a while starts over with patience.
        if started.elapsed() > BACKOFF.1 {
            backoff = BACKOFF.0;
        }
        tracing::warn!(%error, wait_seconds = backoff.as_secs(), "the stream broke off; it goes on from its checkpoint");
        tokio::select! {
            () = tokio::time::sleep(backoff) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        backoff = backoff.saturating_mul(2).min(BACKOFF.1);
    }
}

/// Gives up on damaged events after this many attempts to read them.
const MAX_DAMAGED: u32 = 5;

/// How long the index may take for what is under way when the stream is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(30);

/// A stream from one connection to the end of it.
struct Session<'a> {
    options: &'a StreamOptions,
    index: &'a Index,
    source_id: u32,
    start: Start,
    server: Server,
    names: Names<'a>,
    events: ReplicationStream,
    decoder: Decoder,
    assembler: Assembler,
    in_flight: Arc<InFlight>,
    pool: Arc<Pool>,
}

impl<'a> Session<'a> {
    /// Connects to the source, takes it in the index and asks for its events from the checkpoint on.
    async fn open(
        options: &'a StreamOptions,
        index: &'a Index,
        reset: &mut bool,
        attached: &mut Option<u32>,
        stop: &watch::Receiver<bool>,
    ) -> Result<(Self, Vec<Bytes>), Error> {
        let mut server = Server::connect(&options.source).await?;
        server.check()?;
        let server_id = options
            .server_id
            .unwrap_or_else(|| derived_server_id(&options.source, &place_of(&options.index)));
        if server_id == server.settings.server_id {
            return Err(Error::SourceSetup {
                address: server::address(&options.source),
                problem: format!(
                    "server id {server_id} is the source's own; give this stream another --server-id"
                ),
            });
        }
        let Attached {
            source_id,
            state,
            own_schema,
        } = index.attach(&server.identity()).await?;
        let replaced = attached
            .replace(source_id)
            .is_some_and(|before| before != source_id);
        let (kept, forgotten) = if *reset {
            (None, state.checkpoint)
        } else {
            (state.checkpoint, None)
        };
        let fresh = kept.is_none();
        if !fresh && options.start.is_some() {
            tracing::warn!(
                "--start-… is without effect: the index has a checkpoint, and --reset would forget it"
            );
        }
        let checkpoint = match kept {
            Some(checkpoint) => {
                server.check_not_rewound(&checkpoint).await?;
                Checkpoint {
                    server_id,
                    ..checkpoint
                }
            }
            None => {
                if replaced || (!*reset && options.start.is_none()) {
                    refuse_successor(options, index, &server).await?;
                }
                let start = server.start(options.start.as_ref()).await?;
                let first = first_checkpoint(start, server_id, state.next_change_id);
                match &forgotten {
                    // They count what is in the index, and that stays.
                    Some(old) => Checkpoint {
                        events_indexed: old.events_indexed,
                        capture_skips: old.capture_skips.clone(),
                        ..first
                    },
                    None => first,
                }
            }
        };
        let flavor = server.flavor();
        let start = Start::of(&checkpoint, flavor)?;
        tracing::info!(from = %start, server_id, "streaming");
        let (mut events, checksum) =
            server::dump(&options.source, server_id, &start, flavor).await?;
        // The server refuses a start it cannot serve in its first answer.
        let mut frames = Vec::new();
        read(&mut events, &mut frames, &options.source, &start).await?;

        if *reset {
            if let Some(old) = forgotten {
                tell_of_reset(options, index, source_id, &old, &start, flavor).await?;
            }
            index.reset(source_id).await?;
            *reset = false;
        }
        if options.start.is_none() {
            // A crash before the first event must not move the start.
            let checkpoint = Some(checkpoint.clone());
            index
                .write(
                    source_id,
                    Arc::new(Batch {
                        checkpoint,
                        ..Batch::default()
                    }),
                )
                .await?;
        }
        index.save_error(source_id, None).await?;

        let set = match &start {
            Start::Gtids(set) => set.clone(),
            Start::Position(..) => Gtids::none(flavor),
        };
        let mut assembler = Assembler::new(
            options.filter.clone().without_schema(own_schema),
            &checkpoint,
            set,
        );
        if fresh && options.start.is_some() {
            assembler.doubt_start();
        }
        let place = (checkpoint.binlog_file, checkpoint.binlog_position);
        let ahead = derived_server_id(
            &options.source,
            &format!("{}, ahead", place_of(&options.index)),
        );
        let names = Names::with_index(index, source_id, &place, !fresh, ahead, stop.clone()).await?;
        let session = Self {
            options,
            index,
            source_id,
            start,
            server,
            names,
            events,
            decoder: Decoder::for_dump(checksum),
            assembler,
            in_flight: Arc::default(),
            pool: Arc::default(),
        };
        Ok((session, frames))
    }

    /// Streams until told to stop, or until something breaks.
    async fn run(
        mut self,
        frames: Vec<Bytes>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let (queue, jobs) = mpsc::channel(BATCHES_IN_FLIGHT);
        let (in_flight, pool) = (Arc::clone(&self.in_flight), Arc::clone(&self.pool));
        let index_side = write_all(self.index, self.source_id, jobs, &in_flight, &pool);
        let mut stop_again = stop.clone();
        let overdue = async move {
            // An error means that nobody can stop it any more.
            if stop_again.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(STOP_GRACE).await;
        };
        let source_side = self.pump(frames, queue, stop);
        tokio::pin!(index_side);
        // Both sides run in this task: when the index fails, the source side is dropped where it
        // stands, and the checkpoint in the index says what is kept.
        let both = async {
            let stopped = tokio::select! {
                written = &mut index_side => return written,
                stopped = source_side => stopped,
            };
            // The queue is closed: what is in it is written still.
            index_side.await.and(stopped)
        };
        tokio::select! {
            result = both => result,
            () = overdue => Err(IndexError::new(
                ErrorKind::Busy,
                "it did not take what was under way; the next start reads that again",
            ).into()),
        }
    }

    /// Reads events and hands batches on. Ends with all whole transactions handed on, and `queue` closed.
    async fn pump(
        &mut self,
        mut frames: Vec<Bytes>,
        queue: mpsc::Sender<Job>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Error> {
        // An idle index ends the connection of a writer that it does not hear from.
        let keep_alive = Duration::from_secs(KEEP_ALIVE_SECONDS);
        let mut tick = tokio::time::interval(self.options.checkpoint.min(keep_alive));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let result = loop {
            if let Err(error) = self.take(&mut frames, &queue).await {
                break Err(error);
            }
            let in_flight = &self.in_flight;
            let pending = !self.assembler.pending().is_empty();
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break Ok(()),
                () = in_flight.idle(), if pending => self.hand_on(&queue).await,
                _ = tick.tick() => {
                    self.assembler.want_checkpoint();
                    self.hand_on(&queue).await;
                }
                result = read(&mut self.events, &mut frames, &self.options.source, &self.start) => {
                    if result.is_err() {
                        break result;
                    }
                }
            }
        };
        let last = self.assembler.take_last();
        self.encode(last, &queue).await;
        result
    }

    /// Takes in the events of `frames`, and empties it.
    async fn take(
        &mut self,
        frames: &mut Vec<Bytes>,
        queue: &mpsc::Sender<Job>,
    ) -> Result<(), Error> {
        for frame in frames.drain(..) {
            let position = self.decoder.position();
            let file = self.assembler.file();
            let damaged = |error| Error::Binlog {
                file: file.to_owned(),
                position,
                error,
                remedy: "it is read again from the source",
            };
            let plain;
            let mut event = self.decoder.decode(&frame).map_err(damaged)?;
            let mut body = &frame;
            if let EventData::Compressed(compressed) = &event.data {
                let mut inflated = Vec::new();
                compressed.inflate(&mut inflated).map_err(damaged)?;
                plain = Bytes::from(inflated);
                body = &plain;
                event = event
                    .with_body(compressed.event_type, &plain)
                    .map_err(damaged)?;
            }
            if let EventData::Query(query) = &event.data
                && self
                    .names
                    .pass(query, self.assembler.file(), event.start)
                    .await?
            {
                self.assembler.forget_tables();
            }
            if let Need::Table(map) = self.assembler.handle(&event, body) {
                let place = (self.assembler.file().to_owned(), event.start);
                let server_table_id = map.table_id;
                let named = self.names.resolve(map, place, &mut self.server).await?;
                // Told to stop: what is left is read again.
                let Some(Named { table, table_id }) = named else {
                    return Ok(());
                };
                let table = Arc::new(table);
                self.assembler
                    .define(event.body, server_table_id, Entry::Kept { table, table_id });
            }
            let pending = self.assembler.pending();
            let full = pending.row_count >= self.options.batch_size && queue.capacity() > 0;
            let large = pending.bytes >= MAX_BATCH_BYTES || pending.names >= MAX_BATCH_NAMES;
            if full || large {
                self.hand_on(queue).await;
            }
        }
        Ok(())
    }

    /// Hands on what is pending; waits while as many batches as there may be are under way.
    async fn hand_on(&mut self, queue: &mpsc::Sender<Job>) {
        let work = self.assembler.take();
        self.encode(work, queue).await;
    }

    async fn encode(&self, work: Work, queue: &mpsc::Sender<Job>) {
        if work.is_empty() && work.batch.checkpoint.is_none() {
            return;
        }
        let bytes = u32::try_from(work.bytes)
            .unwrap_or(u32::MAX)
            .min(MAX_BYTES_IN_FLIGHT);
        // Never closed, so never an error.
        let Ok(room) = Arc::clone(&self.in_flight.room)
            .acquire_many_owned(bytes)
            .await
        else {
            return;
        };
        self.in_flight.add();
        let pool = Arc::clone(&self.pool);
        let job = tokio::task::spawn_blocking(move || pool.encode(work, room));
        // A closed queue means that the index side has failed, and its error is the one to report.
        let _ = queue.send(job).await;
    }
}

/// Another server may have taken the place of the one that was streamed from this address: a failover, or a
/// new data directory. What it committed since then must not be passed over without a word.
async fn refuse_successor(
    options: &StreamOptions,
    index: &Index,
    server: &Server,
) -> Result<(), Error> {
    let now = server.identity();
    let statuses = index.statuses().await?;
    let before = statuses
        .iter()
        .filter(|status| {
            let Source {
                server_uuid,
                host,
                port,
                ..
            } = &status.source;
            *server_uuid != now.server_uuid && *host == now.host && *port == now.port
        })
        .filter_map(|status| Some((&status.source, status.state.checkpoint.as_ref()?)))
        .max_by_key(|(_, checkpoint)| checkpoint.last_event_time);
    let Some((source, checkpoint)) = before else {
        return Ok(());
    };
    let go_on = match checkpoint.mode {
        Mode::Gtid => format!(
            "to go on behind what is in the index, give --start-gtid {}",
            checkpoint.gtid_set.replace('\n', "")
        ),
        Mode::Position => {
            "to go on, find the place in its binlogs and give --start-file and --start-pos"
                .to_owned()
        }
    };
    Err(Error::SourceSetup {
        address: server::address(&options.source),
        problem: format!(
            "this is server_uuid {}, and what was streamed from this address is {}; {go_on}; to leave out what \
             lies between, give --reset",
            now.server_uuid, source.server_uuid
        ),
    })
}

/// Says, in the log and in the index, what a reset leaves out, or reads again.
async fn tell_of_reset(
    options: &StreamOptions,
    index: &Index,
    source_id: u32,
    old: &Checkpoint,
    new: &Start,
    flavor: Flavor,
) -> Result<(), Error> {
    let from = Start::of(old, flavor)?;
    let (left_out, again) = match (&from, new) {
        (Start::Gtids(Gtids::MySql(old)), Start::Gtids(Gtids::MySql(new))) => {
            let (mut ahead, mut behind) = (new.clone(), old.clone());
            ahead.subtract(old);
            behind.subtract(new);
            (!ahead.is_empty(), !behind.is_empty())
        }
        // A checkpoint has the file and position in either mode.
        (_, Start::Position(file, position)) => {
            let old = server::log_order(&old.binlog_file, old.binlog_position);
            let new = server::log_order(file, *position);
            (new > old, new < old)
        }
        (from, new) => (from != new, false),
    };
    // Where the source is now lies behind what was read only when its binary logs were reset: then nobody
    // knows what they held.
    if left_out || again && options.start.is_none() {
        tracing::warn!(%from, to = %new, "reset: what lies between is left out");
        let detail = format!("reset: left out from {from} to {new}");
        index.save_gap(source_id, clock::now(), &detail).await?;
    }
    if again {
        tracing::warn!(
            from = %new, to = %from,
            "reset: what lies between comes into the index again, unless the source's binary logs were reset"
        );
    }
    Ok(())
}

type Job = JoinHandle<Result<Encoded, bintrail_proto::Error>>;

/// A batch ready for the index.
struct Encoded {
    batch: Batch,
    /// Its share of [`MAX_BYTES_IN_FLIGHT`], free again once it is written.
    room: OwnedSemaphorePermit,
    /// Values in it that were kept as raw bytes.
    undecodable: u64,
}

/// Writes the batches in the order in which they were handed on.
async fn write_all(
    index: &Index,
    source_id: u32,
    mut jobs: mpsc::Receiver<Job>,
    in_flight: &InFlight,
    pool: &Pool,
) -> Result<(), Error> {
    let mut undecodable = 0_u64;
    while let Some(job) = jobs.recv().await {
        // Every event was read through once before, so neither can happen.
        let Encoded {
            mut batch,
            room,
            undecodable: more,
        } = job
            .await
            .map_err(|panic| Error::Internal(panic.to_string()))?
            .map_err(|error| Error::Internal(error.to_string()))?;
        undecodable = undecodable.saturating_add(more);
        if let Some(checkpoint) = &mut batch.checkpoint
            && undecodable > 0
        {
            let skips = &mut checkpoint.capture_skips.0;
            let skip = skips.entry("undecodable_value".to_owned()).or_default();
            skip.count = skip.count.saturating_add(undecodable);
        }
        let batch = Arc::new(batch);
        index.write(source_id, Arc::clone(&batch)).await?;
        if let Ok(batch) = Arc::try_unwrap(batch) {
            pool.give_back(batch);
        }
        drop(room);
        in_flight.done();
    }
    Ok(())
}

/// How many batches are between the reader and the index.
#[derive(Debug)]
struct InFlight {
    count: AtomicUsize,
    none: Notify,
    room: Arc<Semaphore>,
}

impl Default for InFlight {
    fn default() -> Self {
        Self {
            count: AtomicUsize::new(0),
            none: Notify::new(),
            room: Arc::new(Semaphore::new(MAX_BYTES_IN_FLIGHT as usize)),
        }
    }
}

impl InFlight {
    fn add(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    fn done(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.none.notify_one();
        }
    }

    /// Waits until the index has nothing to do.
    async fn idle(&self) {
        while self.count.load(Ordering::Acquire) > 0 {
            self.none.notified().await;
        }
    }
}

/// Encoders and batches whose memory is used again.
#[derive(Debug, Default)]
struct Pool {
    encoders: Mutex<Vec<Encoder>>,
    batches: Mutex<Vec<Batch>>,
}

impl Pool {
    fn encode(
        &self,
        work: Work,
        room: OwnedSemaphorePermit,
    ) -> Result<Encoded, bintrail_proto::Error> {
        let mut encoder = lock(&self.encoders).pop().unwrap_or_default();
        let spare = lock(&self.batches).pop().unwrap_or_default();
        let mut batch = Batch {
            text: spare.text,
            rows: spare.rows,
            ..work.batch
        };
        for rows in &work.rows {
            encoder.encode(rows, &mut batch)?;
        }
        let undecodable = encoder.take_undecodable();
        lock(&self.encoders).push(encoder);
        Ok(Encoded {
            batch,
            room,
            undecodable,
        })
    }

    /// Keeps the buffers of a batch that was written, unless they have grown beyond what is usual.
    fn give_back(&self, mut batch: Batch) {
        if batch.text.capacity() <= MAX_BATCH_BYTES.saturating_mul(8) {
            batch.text.clear();
            batch.rows.clear();
            let (text, rows) = (batch.text, batch.rows);
            lock(&self.batches).push(Batch {
                text,
                rows,
                ..Batch::default()
            });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is in there is only memory to be used again: a panic elsewhere does not harm it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads what has come. `from` is where the dump was asked to start.
pub(crate) async fn read(
    events: &mut ReplicationStream,
    frames: &mut Vec<Bytes>,
    source: &ConnectOptions,
    from: &Start,
) -> Result<(), Error> {
    let error = match events.next_frames(frames).await {
        Ok(Progress::Events) => return Ok(()),
        Ok(Progress::End) => source::Error::Lost(std::io::ErrorKind::UnexpectedEof.into()),
        Err(error) => error,
    };
    Err(match error {
        source::Error::PositionPurged(_) | source::Error::PositionUnknown(_) => Error::Place {
            address: server::address(source),
            place: from.to_string(),
            error,
        },
        error => server::source_error(source, error),
    })
}

/// The checkpoint of a stream that begins.
fn first_checkpoint(from: Start, server_id: u32, next_change_id: u64) -> Checkpoint {
    let (mode, binlog_file, binlog_position, gtid_set) = match from {
        Start::Position(file, position) => (Mode::Position, file, position, String::new()),
        // The file is only for people, and the dump itself tells it.
        Start::Gtids(set) => (Mode::Gtid, String::new(), 4, set.to_string()),
    };
    Checkpoint {
        mode,
        binlog_file,
        binlog_position,
        gtid_set,
        next_change_id,
        events_indexed: 0,
        last_event_time: None,
        server_id,
        lag_seconds: None,
        capture_skips: CaptureSkips::default(),
    }
}

/// Where an index is, for telling it from others.
fn place_of(index: &IndexDsn) -> String {
    match index {
        IndexDsn::Sqlite(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            path.display().to_string()
        }
        IndexDsn::MySql(dsn) => {
            let database = dsn.database.as_deref().unwrap_or_default();
            format!("{}:{}/{database}", dsn.host, dsn.port)
        }
    }
}

/// The server id of a replica that was not given one: the same each time for this host, source and
/// `purpose`, and above the ids that people give to servers.
pub(crate) fn derived_server_id(source: &ConnectOptions, purpose: &str) -> u32 {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_default();
    let digest = Sha256::digest(format!(
        "{}|{}|{}|{purpose}",
        host.trim(),
        source.host,
        source.port
    ));
    let number = digest
        .first_chunk::<4>()
        .copied()
        .map_or(0, u32::from_le_bytes);
    1 << 30 | number >> 2
}
