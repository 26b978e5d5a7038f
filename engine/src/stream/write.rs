//! From the assembler to the index: batches are encoded side by side and written in order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::memory::Budget;
use super::patience::Patience;
use crate::error::Error;
use crate::index::Index;
use crate::index::record::{Batch, Micros, RowChange};
use crate::pipeline::assemble::Work;
use crate::pipeline::encode::Encoder;
use crate::telemetry::Vitals;

pub(super) type Job = JoinHandle<Result<Encoded, bintrail_proto::Error>>;

/// A batch ready for the index.
pub(super) struct Encoded {
    batch: Batch,
    /// Its share of [`Budget::in_flight`], free again once it is written.
    room: OwnedSemaphorePermit,
    /// Values in it that were kept as raw bytes.
    undecodable: u64,
    /// Documents that it leaves out, their changes being all that was logged.
    unpatched: u64,
}

/// What was skipped since the session began.
struct Skipped {
    reason: &'static str,
    count: u64,
    /// The place and time of the checkpoint behind the last of it, once there is one.
    last: Option<(String, Micros)>,
}

/// Writes the batches in the order in which they were handed on.
pub(super) async fn write_all(
    index: &Index,
    source_id: u32,
    mut jobs: mpsc::Receiver<Job>,
    in_flight: &InFlight,
    pool: &Pool,
    patience: &Patience,
    vitals: &Vitals,
) -> Result<(), Error> {
    let mut skipped = ["undecodable_value", "partial_json_update"].map(|reason| Skipped {
        reason,
        count: 0,
        last: None,
    });
    while let Some(job) = jobs.recv().await {
        // Every event was read through once before, so neither can happen.
        let Encoded {
            mut batch,
            room,
            undecodable,
            unpatched,
        } = job
            .await
            .map_err(|panic| Error::Internal(panic.to_string()))?
            .map_err(|error| Error::Internal(error.to_string()))?;
        for (skipped, more) in skipped.iter_mut().zip([undecodable, unpatched]) {
            if more > 0 {
                skipped.count = skipped.count.saturating_add(more);
                skipped.last = None;
            }
        }
        if let Some(checkpoint) = &mut batch.checkpoint {
            for skipped in skipped.iter_mut().filter(|skipped| skipped.count > 0) {
                let (file, position) = (&checkpoint.binlog_file, checkpoint.binlog_position);
                let last = skipped.last.get_or_insert_with(|| {
                    let time = checkpoint.last_event_time.unwrap_or_default();
                    (format!("before {file}:{position}"), time)
                });
                let skips = &mut checkpoint.capture_skips.0;
                let skip = skips.entry(skipped.reason.to_owned()).or_default();
                skip.count = skip.count.saturating_add(skipped.count);
                (skip.last, skip.last_at) = last.clone();
            }
        }
        let batch = Arc::new(batch);
        let begun = Instant::now();
        patience
            .bound(index.write(source_id, Arc::clone(&batch)))
            .await?;
        patience.took(&batch);
        vitals.committed(&batch, begun.elapsed(), room.num_permits());
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
pub(super) struct InFlight {
    count: AtomicUsize,
    none: Notify,
    pub(super) room: Arc<Semaphore>,
}

impl InFlight {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            count: AtomicUsize::new(0),
            none: Notify::new(),
            room: Arc::new(Semaphore::new(budget.in_flight as usize)),
        }
    }

    pub(super) fn add(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    fn done(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.none.notify_one();
        }
    }

    /// Waits until the index has nothing to do.
    pub(super) async fn idle(&self) {
        while self.count.load(Ordering::Acquire) > 0 {
            self.none.notified().await;
        }
    }
}

/// Encoders and batches whose memory is used again.
#[derive(Debug)]
pub(super) struct Pool {
    /// The largest buffer that is worth keeping.
    largest: usize,
    encoders: Mutex<Vec<Encoder>>,
    batches: Mutex<Vec<Batch>>,
}

impl Pool {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            largest: usize::try_from(budget.batch).unwrap_or(usize::MAX),
            encoders: Mutex::default(),
            batches: Mutex::default(),
        }
    }

    pub(super) fn encode(
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
        // Once and for all: buffers that grow by doubling take twice the memory for a moment.
        let weight = usize::try_from(work.weight).unwrap_or(usize::MAX);
        batch.text.reserve(weight.min(self.largest));
        let count = usize::try_from(work.row_count).unwrap_or(usize::MAX);
        batch
            .rows
            .reserve(count.min(self.largest / size_of::<RowChange>()));
        for rows in &work.rows {
            encoder.encode(rows, &mut batch)?;
        }
        let undecodable = encoder.take_undecodable();
        let unpatched = encoder.take_unpatched();
        lock(&self.encoders).push(encoder);
        Ok(Encoded {
            batch,
            room,
            undecodable,
            unpatched,
        })
    }

    /// Keeps the buffers of a batch that was written, unless they have grown beyond what is usual.
    fn give_back(&self, mut batch: Batch) {
        if batch.text.capacity() <= self.largest {
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
