//! The metrics themselves. docs/metrics.md describes each.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::vitals::{availability, rows, skips};
use crate::clock;
use crate::error::Error;
use crate::index::record::{Batch, Checkpoint, Micros};
use crate::status::State;

type Seconds = Gauge<f64, AtomicU64>;
type By = Family<[(&'static str, String); 1], Counter>;
type ByState = Family<[(&'static str, &'static str); 1], Gauge>;

pub(super) struct Numbers {
    registry: Registry,
    pub(super) received_events: Counter,
    pub(super) received_bytes: Counter,
    pub(super) indexed_events: Counter,
    pub(super) reconnects: Counter,
    pub(super) gap: Seconds,
    pub(super) replication_lag: Seconds,
    pub(super) connected: Gauge,
    pub(super) queue_batches: Gauge,
    pub(super) queue_bytes: Gauge,
    batch_flushes: Counter,
    checkpoint_saves: Counter,
    errors: By,
    skips: By,
    states: ByState,
    last_event: Seconds,
    last_flush: Seconds,
    last_checkpoint: Seconds,
    availability_lag: Seconds,
    commit_latency: Histogram,
    batch_size: Histogram,
    resident_memory: Gauge,
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Numbers").finish_non_exhaustive()
    }
}

impl Numbers {
    pub(super) fn new(source: &str) -> Self {
        let numbers = Self {
            registry: Registry::default(),
            received_events: Counter::default(),
            received_bytes: Counter::default(),
            indexed_events: Counter::default(),
            reconnects: Counter::default(),
            gap: Seconds::default(),
            replication_lag: Seconds::default(),
            connected: Gauge::default(),
            queue_batches: Gauge::default(),
            queue_bytes: Gauge::default(),
            batch_flushes: Counter::default(),
            checkpoint_saves: Counter::default(),
            errors: By::default(),
            skips: By::default(),
            states: ByState::default(),
            last_event: Seconds::default(),
            last_flush: Seconds::default(),
            last_checkpoint: Seconds::default(),
            availability_lag: Seconds::default(),
            // 0.5 ms to 16 s, and 1 to 16,384 rows.
            commit_latency: Histogram::new(exponential_buckets(0.000_5, 2.0, 16)),
            batch_size: Histogram::new(exponential_buckets(1.0, 4.0, 8)),
            resident_memory: Gauge::default(),
        };
        numbers.registered(source)
    }

    fn registered(mut self, source: &str) -> Self {
        let mut all = Registry::default();
        let label = ("source".into(), source.to_owned().into());
        let of = all.sub_registry_with_label(label);
        macro_rules! register {
            ($($name:literal, $help:literal, $metric:expr;)*) => {
                $(of.register($name, $help, $metric.clone());)*
            };
        }
        // A counter's name gets its _total from the format.
        register! {
            "bintrail_stream_events_received", "Binlog events read from the source", self.received_events;
            "bintrail_stream_received_bytes", "Bytes of binlog events read from the source", self.received_bytes;
            "bintrail_stream_events_indexed", "Row changes written to the index", self.indexed_events;
            "bintrail_stream_batch_flushes", "Batches written to the index", self.batch_flushes;
            "bintrail_stream_checkpoint_saves", "Checkpoints saved in the index", self.checkpoint_saves;
            "bintrail_stream_reconnects", "Times that the stream began to read again", self.reconnects;
            "bintrail_stream_errors", "What broke the stream off or kept it from reading, by end", self.errors;
            "bintrail_capture_skips", "What could not be kept, since the first start, by reason", self.skips;
            "bintrail_stream_last_event_timestamp_seconds", "Commit time of the last transaction read; 0 before any", self.last_event;
            "bintrail_stream_last_flush_timestamp_seconds", "When the index last took a batch with rows; 0 before any", self.last_flush;
            "bintrail_stream_last_checkpoint_timestamp_seconds", "When a checkpoint was last saved; 0 before any", self.last_checkpoint;
            "bintrail_stream_gap_timestamp_seconds", "When a gap was last found; 0 without one", self.gap;
            "bintrail_stream_replication_lag_seconds", "How far the index may be behind the source now", self.replication_lag;
            "bintrail_stream_availability_lag_seconds", "From the last commit on the source until the index showed it", self.availability_lag;
            "bintrail_stream_index_commit_latency_seconds", "Time that the index took for a batch", self.commit_latency;
            "bintrail_stream_batch_size", "Row changes in a batch", self.batch_size;
            "bintrail_stream_state", "1 for what it does, 0 for all else", self.states;
            "bintrail_stream_connected", "1 while it reads from the source", self.connected;
            "bintrail_stream_queue_batches", "Batches on their way to the index", self.queue_batches;
            "bintrail_stream_queue_bytes", "Bytes of memory that they take, about", self.queue_bytes;
        }
        all.register(
            "process_resident_memory_bytes",
            "Memory in use",
            self.resident_memory.clone(),
        );
        let started = Seconds::default();
        started.set(seconds(clock::now()));
        all.register("process_start_time_seconds", "When it was started", started);
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        all.register("bintrail_build", "The version that runs", version);
        self.replication_lag.set(f64::NAN);
        self.availability_lag.set(f64::NAN);
        for end in ENDS {
            drop(self.errors.get_or_create(&[("type", end.to_owned())]));
        }
        self.registry = all;
        self
    }

    pub(super) fn of_session(&self, checkpoint: &Checkpoint) {
        // What was on its way when the last one broke off is read again.
        self.queue_batches.set(0);
        self.queue_bytes.set(0);
        self.connected.set(1);
        self.checkpoint(checkpoint);
    }

    pub(super) fn error(&self, error: &Error) {
        let end = match error.exit_code() {
            10..=17 => "source",
            20..=29 => "index",
            30 => "damaged",
            _ => "other",
        };
        self.errors.get_or_create(&[("type", end.to_owned())]).inc();
    }

    pub(super) fn committed(&self, batch: &Batch, took: Duration) {
        let now = seconds(clock::now());
        self.batch_flushes.inc();
        self.commit_latency.observe(took.as_secs_f64());
        if !batch.rows.is_empty() {
            let rows = u32::try_from(batch.rows.len()).unwrap_or(u32::MAX);
            self.batch_size.observe(rows.into());
            self.last_flush.set(now);
        }
        self.indexed_events.inc_by(rows(batch));
        if let Some(lag) = availability(batch) {
            self.availability_lag.set(lag);
        }
        if let Some(checkpoint) = &batch.checkpoint {
            self.checkpoint_saves.inc();
            self.last_checkpoint.set(now);
            self.checkpoint(checkpoint);
        }
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) {
        if let Some(time) = checkpoint.last_event_time {
            self.last_event.set(seconds(time));
        }
        for (reason, count) in skips(checkpoint) {
            let counter = self
                .skips
                .get_or_create_owned(&[("reason", reason.to_owned())]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }

    pub(super) fn state(&self, is: State) {
        for state in State::ALL {
            let gauge = self.states.get_or_create(&[("state", state.name())]);
            gauge.set(i64::from(state == is));
        }
    }

    pub(super) fn render(&self) -> String {
        self.resident_memory.set(resident_memory().unwrap_or(0));
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Where an error is: a type for each is there from the beginning, so that a rate can be taken of the first one.
const ENDS: [&str; 4] = ["source", "index", "damaged", "other"];

pub(super) fn seconds(time: Micros) -> f64 {
    Duration::from_micros(u64::try_from(time).unwrap_or(0)).as_secs_f64()
}

/// As the kernel counts it.
fn resident_memory() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
