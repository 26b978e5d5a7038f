//! The embedded index: one SQLite file, written by a thread of its own.
//!
//! The file is in WAL mode, so readers never wait for the writer, and `synchronous=NORMAL`: a
//! commit is written to the WAL but flushed to the disk only when the WAL is folded into the
//! file. A crash of bintrail loses nothing. A power cut may lose the last transactions, but whole
//! ones, from the end, and each checkpoint goes down with the rows it covers: the index is then the
//! index of some seconds earlier, and the stream repeats those seconds from the binlog.
//! `FULL` would cost one disk flush a batch and save only that.

pub(crate) mod facts;
mod fault;
mod lock;
mod read;
mod remove;
mod store;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::Writer;
use super::error::{ErrorKind, IndexError, Result};
use super::read::{Rows, Select};
use super::record::{
    Attached, Batch, Kept, Micros, Place, Source, SourceStatus, TableVersion, ValidTable,
};
use super::remove::Removed;
use fault::Fault;
use store::Store;

type Job = Box<dyn FnOnce(&mut Store) + Send>;

/// Jobs that wait for the thread. The caller waits for each result, so it is rarely above one.
const QUEUE: usize = 4;

/// An index in an SQLite file. Dropping it gives up the lock after the write under way.
#[derive(Debug)]
pub struct SqliteIndex {
    jobs: mpsc::Sender<Job>,
    thread: thread::JoinHandle<()>,
}

impl SqliteIndex {
    /// See [`Index::open`](super::Index::open).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn open(path: &Path, create: bool) -> Result<Self> {
        let (opened, result) = oneshot::channel();
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let path = PathBuf::from(path);
        let thread = thread::Builder::new()
            .name("sqlite-index".into())
            .spawn(
                move || match Store::open(&path, create).map_err(|fault| fault.at(&path)) {
                    Ok(mut store) => {
                        if opened.send(Ok(())).is_ok() {
                            while let Some(job) = queue.blocking_recv() {
                                job(&mut store);
                            }
                        }
                    }
                    Err(error) => {
                        // Whoever asked may be gone.
                        let _ = opened.send(Err(error));
                    }
                },
            )
            .map_err(|error| {
                IndexError::new(
                    ErrorKind::Other,
                    format!("cannot start the thread of the index: {error}"),
                )
            })?;
        result.await.map_err(|_| gone())??;
        Ok(Self { jobs, thread })
    }

    async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Store) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let (done, result) = oneshot::channel();
        self.jobs
            .send(Box::new(move |store| {
                let _ = done.send(job(store).map_err(|fault| fault.at(store.path())));
            }))
            .await
            .map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }

    pub(super) async fn attach(&self, source: &Source) -> Result<Attached> {
        let source = source.clone();
        self.call(move |store| store.attach(&source)).await
    }

    pub(super) async fn take_over(&self, source_id: u32, source: &Source) -> Result<()> {
        let source = source.clone();
        self.call(move |store| store.take_over(source_id, &source))
            .await
    }

    pub(super) async fn register_table(
        &self,
        source_id: u32,
        version: &TableVersion,
    ) -> Result<u32> {
        let version = version.clone();
        self.call(move |store| store.register_table(source_id, &version))
            .await
    }

    pub(super) async fn table_versions(&self, source_id: u32) -> Result<Vec<(u32, TableVersion)>> {
        self.call(move |store| store.table_versions(source_id))
            .await
    }

    pub(super) async fn valid_tables(
        &self,
        source_id: u32,
        place: &Place,
    ) -> Result<Vec<ValidTable>> {
        let place = place.clone();
        self.call(move |store| store.valid_tables(source_id, &place))
            .await
    }

    pub(super) async fn table_version(&self, table_id: u32) -> Result<TableVersion> {
        self.call(move |store| store.table_version(table_id)).await
    }

    pub(super) async fn end_tables(&self, table_ids: &[u32], until: &Place) -> Result<()> {
        let (table_ids, until) = (table_ids.to_vec(), until.clone());
        self.call(move |store| store.end_tables(&table_ids, &until))
            .await
    }

    pub(super) async fn forget_tables(&self, source_id: u32, place: &Place) -> Result<()> {
        let place = place.clone();
        self.call(move |store| store.forget_tables(source_id, &place))
            .await
    }

    pub(super) async fn write(&self, source_id: u32, batch: Arc<Batch>) -> Result<()> {
        self.call(move |store| store.write(source_id, &batch)).await
    }

    pub(super) async fn save_error(&self, source_id: u32, error: Option<&str>) -> Result<()> {
        let error = error.map(str::to_owned);
        self.call(move |store| store.save_error(source_id, error.as_deref()))
            .await
    }

    pub(super) async fn save_starts(&self, source_id: u32, starts: &[Micros]) -> Result<()> {
        let starts = starts.to_vec();
        self.call(move |store| store.save_starts(source_id, &starts))
            .await
    }

    pub(super) async fn save_kept(&self, source_id: u32, kept: &Kept) -> Result<()> {
        let kept = kept.clone();
        self.call(move |store| store.save_kept(source_id, &kept))
            .await
    }

    pub(super) async fn streaming(
        &self,
        source_id: u32,
        since: Micros,
        checkpoint_seconds: u32,
    ) -> Result<()> {
        self.call(move |store| store.streaming(source_id, since, checkpoint_seconds))
            .await
    }

    /// Who holds the lock of a source's one writer.
    pub(super) async fn writer(&self, source_id: u32) -> Result<Writer> {
        self.call(move |store| Ok(facts::writer_of(store.path(), source_id)))
            .await
    }

    /// Bytes of the index, and bytes that are free where it is.
    pub(crate) async fn room(&self) -> Result<(u64, Option<u64>)> {
        self.call(|store| {
            Ok((
                facts::size(store.path()),
                facts::free(&facts::directory(store.path())),
            ))
        })
        .await
    }

    pub(super) async fn save_gap(&self, source_id: u32, at: Micros, detail: &str) -> Result<()> {
        let detail = detail.to_owned();
        self.call(move |store| store.save_gap(source_id, at, &detail))
            .await
    }

    pub(super) async fn acknowledge_gap(
        &self,
        source_id: u32,
        before: &str,
        now: &str,
    ) -> Result<()> {
        let (before, now) = (before.to_owned(), now.to_owned());
        self.call(move |store| store.acknowledge_gap(source_id, &before, &now))
            .await
    }

    pub(super) async fn statuses(&self) -> Result<Vec<SourceStatus>> {
        self.call(|store| store.statuses()).await
    }

    pub(super) async fn read(&self, select: Select, room: usize) -> Result<Rows> {
        self.call(move |store| store.read(&select, room)).await
    }

    pub(super) async fn announce_removal(&self, before: Micros) -> Result<()> {
        self.call(move |store| remove::announce(&store.connection, before))
            .await
    }

    pub(super) async fn remove(&self, before: Micros) -> Result<Removed> {
        self.call(move |store| remove::step(&mut store.connection, before))
            .await
    }

    pub(super) async fn remove_beside(&self, before: Micros) -> Result<bool> {
        self.call(move |store| remove::step_beside(&mut store.connection, before))
            .await
    }

    pub(super) async fn close(self) -> Result<()> {
        let Self { jobs, thread } = self;
        drop(jobs);
        tokio::task::spawn_blocking(move || thread.join())
            .await
            .map_err(|_| gone())?
            .map_err(|_| gone())
    }
}

fn gone() -> IndexError {
    IndexError::new(ErrorKind::Other, "the thread of the index has ended")
}
