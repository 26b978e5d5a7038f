//! One session: from a connection to the source to the end of it; or through binlog files.

mod beginning;
mod files;
mod footing;
mod succession;
mod take;

use std::sync::Arc;
use std::time::Duration;

use bintrail_proto::binlog::decoder::Decoder;
use bintrail_proto::binlog::transaction_payload::Unpacker;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, timeout};

use self::beginning::{note_start, server_id, start_from, tell_of_reset};
use self::files::{Arrived, Events};
use self::footing::Footing;
use self::succession::take_over;
use super::far::{self, Passed};
use super::link::Link;
use super::memory::Budget;
use super::patience::Patience;
use super::resume::{Hole, unlogged, with_earlier};
use super::write::{InFlight, Job, Pool, write_all};
use super::{Start, checkpoint_every, derived_server_id, place_of, read};
use crate::clock;
use crate::doctor;
use crate::error::Error;
use crate::gtids::Gtids;
use crate::index::record::{Attached, Batch, Flavor};
use crate::index::{ErrorKind, Index, IndexError};
use crate::pipeline::assemble::{Assembler, Work};
use crate::schema::Names;
use crate::source;
use crate::source::connection::ConnectOptions;
use crate::source::dump::HEARTBEAT;
use crate::source::logs::base;
use crate::source::seam::Seam;
use crate::source::server::{self, Server, log_order};
use crate::status::gaps::acknowledged_at;
use crate::telemetry::Vitals;

/// Batches between the reader and the index: enough for encoding and writing to overlap.
const BATCHES_IN_FLIGHT: usize = 4;

/// After this time without an event, the source has none at hand: it sends what it has without a pause.
const QUIET: Duration = Duration::from_millis(50);

/// How long the index may take for what is under way when the stream is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(30);

/// A stream from one connection to the end of it.
pub(super) struct Session<'a> {
    vitals: Arc<Vitals>,
    batch_size: u64,
    checkpoint: Duration,
    index: &'a Index,
    patience: Arc<Patience>,
    source_id: u32,
    /// `None` for files whose source is not asked.
    server: Option<Server>,
    names: Names<'a>,
    events: Events,
    decoder: Decoder,
    unpacker: Unpacker,
    assembler: Assembler,
    passed: Option<Passed>,
    /// While events have still to show where it begins.
    footing: Option<Footing>,
    server_id: u32,
    /// What a reset leaves out, to be recorded with the checkpoint that makes it true.
    left_out: Option<String>,
    /// What ends the session: another one goes on behind it.
    hole: Option<Hole>,
    budget: Budget,
    in_flight: Arc<InFlight>,
    pool: Arc<Pool>,
}

impl<'a> Session<'a> {
    /// Connects to the source, takes it in the index and asks for its events from the checkpoint on.
    pub(super) async fn open(
        link: &mut Link<'a>,
        host: &ConnectOptions,
    ) -> Result<(Self, Vec<Bytes>), Error> {
        // While the index is away, the source is left alone.
        link.patience.bound(link.index.keep_alive()).await?;
        let mut server = Server::connect(host).await?;
        server.check()?;
        let first = !std::mem::replace(&mut link.introduced, true);
        if first {
            let options = link.options;
            doctor::warn_before_stream(&mut server, &options.filter, &options.index).await;
        }
        let server_id = server_id(link, &server)?;
        if link.hung_up && server.serves_another(server_id).await? {
            let error = source::Error::ServerIdClash(format!(
                "SHOW SLAVE HOSTS has a replica with the server id {server_id} or its server_uuid, which took this \
                 stream's place"
            ));
            return Err(server::source_error(host, error));
        }
        let took_over = take_over(link, &mut server, server_id).await?;
        let Attached {
            source_id,
            mut state,
            own_schema,
        } = link
            .patience
            .bound(link.index.attach(&server.identity()))
            .await?;
        if link.attached.replace(source_id).is_none() {
            note_start(link, source_id, &mut state).await?;
        }
        let mut filter = link.options.filter.clone();
        for schema in own_schema.into_iter().chain(server.indexes().await?) {
            filter.leave_out_index(&schema);
        }
        if link
            .forgotten
            .as_ref()
            .is_some_and(|forgotten| *forgotten != state.checkpoint)
        {
            link.reset = false;
        }
        let (index, options, explicit) = (link.index, link.options, link.options.start.is_some());
        if first && explicit && !link.reset && state.checkpoint.is_some() {
            tracing::warn!(
                "--start-… is without effect: the index has a checkpoint, and --reset would forget it"
            );
        }
        let from = start_from(link, &mut server, server_id, &state, took_over).await;
        if let (Err(Error::NotLogging { .. }), Some(checkpoint)) = (&from, &state.checkpoint) {
            let detail = unlogged(checkpoint);
            let earlier = state.gap_lost.as_ref();
            // It is found again at each attempt.
            if earlier.is_none_or(|(_, earlier)| !earlier.contains(&detail)) {
                let detail = with_earlier(earlier, &detail);
                index.save_gap(source_id, clock::now(), &detail).await?;
                options.vitals.gap(clock::now());
            }
        }
        let from = from?;
        let checkpoint = from.checkpoint;
        let flavor = server.flavor();
        let start = Start::of(&checkpoint, flavor)?;
        let address = server::address(host);
        if link.quiet {
            tracing::debug!(from = %start, source = address, server_id, "streaming");
        } else {
            tracing::info!(from = %start, source = address, server_id, "streaming");
        }
        let at_place = flavor == Flavor::MariaDb && from.place.is_some();
        let (begin, file) = match from.place {
            Some((file, position)) if at_place => (Start::Position(file, position), None),
            place => (start.clone(), place.map(|(file, _)| file)),
        };
        let (asked, passed) = far::ask_for(&begin);
        let (mut events, checksum) = server
            .dump_within(server_id, &asked, file.as_deref())
            .await?;
        // The server refuses a start it cannot serve in its first answer.
        let mut frames = Vec::new();
        read(&mut events, &mut frames, host, &begin).await?;
        // Not before: with the server that wrote to this file, the dump would be gone.
        let written = server.readable_place().await?;

        // Before the checkpoint: behind a gap, nothing that was known holds.
        let goes_on = !from.fresh && !took_over && from.lost.is_none();
        let place = (checkpoint.binlog_file.clone(), checkpoint.binlog_position);
        let ahead = format!("{}, ahead", place_of(&options.index));
        let ahead = derived_server_id(&options.source, &ahead);
        let mut names = Names::with_index(
            index,
            source_id,
            &place,
            goes_on,
            filter.clone(),
            (ahead, flavor),
            Some(&server),
        )
        .await?;
        names.quiet = link.quiet;
        let earlier = state.gap_lost.as_ref();
        if let Some((found, detail)) = earlier
            && acknowledged_at(detail).is_none()
        {
            options.vitals.gap(*found);
        }
        if let Some(lost) = from.lost {
            let detail = with_earlier(earlier, &lost.detail);
            index.save_gap(source_id, clock::now(), &detail).await?;
            options.vitals.gap(clock::now());
        }
        let mut left_out = None;
        if link.reset {
            if let Some(old) = &from.forgotten {
                left_out = tell_of_reset(explicit, old, &start, flavor)?
                    .map(|detail| with_earlier(earlier, &detail));
            }
            link.forgotten = Some(from.forgotten);
        }
        if !from.doubtful {
            if let Some(detail) = left_out.take() {
                index.save_gap(source_id, clock::now(), &detail).await?;
                options.vitals.gap(clock::now());
            }
            // A crash before the first event must not move the start.
            let checkpoint = Some(checkpoint.clone());
            let batch = Batch {
                checkpoint,
                ..Batch::default()
            };
            link.patience
                .bound(index.write(source_id, Arc::new(batch)))
                .await?;
        }
        let seconds =
            u32::try_from(checkpoint_every(options.checkpoint).as_secs()).unwrap_or(u32::MAX);
        link.patience
            .bound(index.streaming(source_id, clock::now(), seconds))
            .await?;
        options.vitals.session_began(&checkpoint);

        let set = match &start {
            Start::Gtids(set) => set.clone(),
            Start::Position(..) => Gtids::none(flavor),
        };
        let mut assembler = Assembler::new(filter, &checkpoint, set);
        if from.doubtful {
            assembler.doubt_start();
        }
        if at_place {
            assembler.know_domains();
        }
        let budget = Budget::of(options.memory);
        let footing = from.doubtful.then(|| Footing::of(&server));
        let session = Self {
            vitals: Arc::clone(&options.vitals),
            batch_size: options.batch_size,
            checkpoint: options.checkpoint,
            index,
            patience: Arc::clone(&link.patience),
            source_id,
            server: Some(server),
            names,
            events: Events::Dump {
                stream: Box::new(events),
                host: host.clone(),
                from: begin,
                seam: Seam::new(written),
            },
            decoder: Decoder::for_dump(checksum),
            unpacker: Unpacker::default(),
            assembler,
            passed,
            footing,
            server_id,
            left_out,
            hole: None,
            budget,
            in_flight: Arc::new(InFlight::new(budget)),
            pool: Arc::new(Pool::new(budget)),
        };
        Ok((session, frames))
    }

    /// Streams until told to stop, until something breaks, or up to a hole in the source's binary logs.
    pub(super) async fn run(
        mut self,
        frames: Vec<Bytes>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Option<Hole>, Error> {
        let (queue, jobs) = mpsc::channel(BATCHES_IN_FLIGHT);
        let (in_flight, pool) = (Arc::clone(&self.in_flight), Arc::clone(&self.pool));
        let (patience, vitals) = (Arc::clone(&self.patience), Arc::clone(&self.vitals));
        let index_side = write_all(
            self.index,
            self.source_id,
            jobs,
            &in_flight,
            &pool,
            &patience,
            &vitals,
        );
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
                written = &mut index_side => return written.map(|()| None),
                stopped = source_side => stopped,
            };
            // The index has failed the source side, which names tables there: it takes nothing more, and would
            // only say so.
            if matches!(stopped, Err(Error::Index(_))) {
                return stopped;
            }
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
    ) -> Result<Option<Hole>, Error> {
        let mut tick = tokio::time::interval(checkpoint_every(self.checkpoint));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let result = loop {
            if let Err(error) = self.take(&mut frames, &queue, stop).await {
                break Err(error);
            }
            if let Some(hole) = self.hole.take() {
                break Ok(Some(hole));
            }
            // What shows a reset is not to be lost by a crash.
            if matches!(self.events, Events::Dump { .. }) && self.assembler.settle() {
                self.hand_on(&queue).await?;
            }
            let in_flight = &self.in_flight;
            let pending = !self.assembler.pending().is_empty();
            let waiting = Instant::now();
            let arrived = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break Ok(None),
                () = in_flight.idle(), if pending => {
                    self.hand_on(&queue).await?;
                    continue;
                }
                _ = tick.tick() => {
                    let quiet = waiting.elapsed() >= QUIET;
                    self.assembler.want_checkpoint(quiet);
                    self.hand_on(&queue).await?;
                    if quiet && let Err(error) = self.look_back().await {
                        break Err(error);
                    }
                    continue;
                }
                arrived = self.events.next(&mut frames) => arrived,
            };
            let went_on = match arrived {
                Ok(Arrived::Events) => {
                    self.vitals.received(&frames);
                    Ok(())
                }
                Ok(Arrived::File(number, first, position)) => {
                    self.begin_file(number, first, position, &queue, stop).await
                }
                Ok(Arrived::FileEnd(number, cut_off)) => self.end_file(number, cut_off),
                Ok(Arrived::End) => break Ok(None),
                Err(error) => Err(error),
            };
            if let Err(error) = went_on {
                break Err(error);
            }
        };
        let last = self.assembler.take_last();
        self.encode(last, &queue).await;
        result
    }

    /// Is the source still where it was read? From binary logs that were reset under a dump, nothing comes for as long
    /// as they are shorter than what was read.
    async fn look_back(&mut self) -> Result<(), Error> {
        let (Events::Dump { .. }, Some(server)) = (&self.events, &mut self.server) else {
            return Ok(());
        };
        let now = match timeout(HEARTBEAT, server.readable_place()).await {
            Ok(Ok(Some(now))) => now,
            // Asked again and again, it might lock the account.
            Ok(Err(error)) if error.is_refusal() || matches!(error, Error::NotLogging { .. }) => {
                return Err(error);
            }
            // A source that does not answer is noticed by its silence.
            _ => return Ok(()),
        };
        let (file, position) = self.assembler.place();
        if base(&now.0) == base(file) && log_order(&now.0, now.1) < log_order(file, position) {
            let evidence = format!(
                "its binary log ends at {}:{}, before {file}:{position} up to which it was read",
                now.0, now.1
            );
            return Err(server.error(source::Error::Astray(evidence)));
        }
        Ok(())
    }

    /// Hands on what is pending; waits while as many batches as there may be are under way.
    async fn hand_on(&mut self, queue: &mpsc::Sender<Job>) -> Result<(), Error> {
        let work = self.assembler.take();
        if work.batch.checkpoint.is_some()
            && let Some(detail) = self.left_out.take()
        {
            self.index
                .save_gap(self.source_id, clock::now(), &detail)
                .await?;
            self.vitals.gap(clock::now());
        }
        self.encode(work, queue).await;
        Ok(())
    }

    async fn encode(&mut self, mut work: Work, queue: &mpsc::Sender<Job>) {
        if let (Events::Files(feed), Some(checkpoint)) = (&mut self.events, &work.batch.checkpoint)
        {
            work.batch.files = feed.book.rows(checkpoint);
            feed.progress
                .at(self.decoder.position(), feed.book.events(checkpoint));
        }
        if work.is_empty() && work.batch.checkpoint.is_none() {
            return;
        }
        let weight = u32::try_from(work.weight)
            .unwrap_or(u32::MAX)
            .min(self.budget.in_flight);
        // Never closed, so never an error.
        let Ok(room) = Arc::clone(&self.in_flight.room)
            .acquire_many_owned(weight)
            .await
        else {
            return;
        };
        self.in_flight.add();
        self.vitals.queued(weight);
        let pool = Arc::clone(&self.pool);
        let job = tokio::task::spawn_blocking(move || pool.encode(work, room));
        // A closed queue means that the index side has failed, and its error is the one to report.
        let _ = queue.send(job).await;
    }
}
