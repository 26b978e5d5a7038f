//! `bintrail index`: binlog files into the index, from where it was left.
//!
//! To the index it is a stream whose events come from files: it takes the source's lock, goes on from its checkpoint
//! and moves it, so that a stream goes on where the files end, and files where a stream ended.

mod find;
mod plan;
mod progress;
mod reader;
mod survey;
mod whose;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bintrail_proto::gtid_set::Uuid;
use tokio::sync::watch;

pub use find::Which;
pub(crate) use plan::missing_before;
pub use progress::{Progress, Standing};
pub(crate) use reader::{Message, read};
pub(crate) use survey::Survey;

use super::session::Session;
use super::{derived_server_id, place_of};
use crate::dsn::IndexDsn;
use crate::error::Error;
use crate::filter::Filter;
use crate::index::Index;
use crate::index::read::{Select, Value};
use crate::index::record::{
    Attached, CaptureSkips, Checkpoint, FileStatus, IndexedFile, Mode, Place, change_ids_of,
};
use crate::source::connection::ConnectOptions;
use crate::source::server::Server;
use crate::telemetry::Vitals;
use plan::{Known, Plan, plan};

/// What to index, and where to.
#[derive(Debug, Clone)]
pub struct FilesOptions {
    /// Where the index is.
    pub index: IndexDsn,
    /// Where the files are.
    pub directory: PathBuf,
    /// Which of them.
    pub which: Which,
    /// The server that they come from, to ask it about itself and its tables.
    pub source: Option<ConnectOptions>,
    /// Its `@@server_uuid`, where nobody can be asked.
    pub server_uuid: Option<String>,
    /// Which tables are kept.
    pub filter: Filter,
    /// Row changes after which a batch goes to the index even while it is busy.
    pub batch_size: u64,
    /// Memory to get by with, in MB.
    pub memory: u32,
    /// The longest time between two checkpoints.
    pub checkpoint: Duration,
    /// How far it is.
    pub progress: Arc<Progress>,
}

/// What a session over files begins with.
pub(super) struct Beginning {
    pub(super) files: Arc<[Survey]>,
    pub(super) source_id: u32,
    pub(super) plan: Plan,
    pub(super) checkpoint: Checkpoint,
    /// Is there nothing in the index to go on from?
    pub(super) fresh: bool,
    /// What is known of the files.
    pub(super) known: Vec<IndexedFile>,
    pub(super) filter: Filter,
    pub(super) server: Option<Server>,
    /// The server id that the source's binlog is read ahead under.
    pub(super) ahead: u32,
}

/// Indexes files until all are, or until `stop` turns true: what is whole by then is kept, and the next time goes on
/// from there.
///
/// # Errors
/// [`Error::Files`] when they are no row of files of one server, or not one that the index can go on with; and those of
/// reading them, of the index and of the source.
pub async fn index_files(
    options: &FilesOptions,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let index = Index::open(&options.index, true).await?;
    let result = run(options, &index, &mut stop).await;
    let closed = index.close().await;
    result?;
    closed?;
    Ok(())
}

async fn run(
    options: &FilesOptions,
    index: &Index,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), Error> {
    let mut server = match &options.source {
        Some(source) => Some(Server::connect(source).await?),
        None => None,
    };
    let told = whose::told(options, server.as_ref())?;
    let wanted: Option<Uuid> = told.as_deref().and_then(|uuid| uuid.parse().ok());
    let (directory, which) = (options.directory.clone(), options.which.clone());
    let files = blocking(move || {
        let paths = find::find(&directory, &which)?;
        let files = paths.iter().map(|path| Survey::of(path, wanted));
        begun(files.collect::<Result<_, Error>>()?)
    })
    .await?;
    let statuses = index.statuses().await?;
    let source = whose::source(told, &files, server.as_mut(), &statuses).await?;
    let Attached {
        source_id,
        state,
        own_schema,
    } = index.attach(&source).await?;
    let mut filter = options.filter.clone();
    if let Some(schema) = own_schema {
        filter.leave_out_index(&schema);
    }
    let known = Known {
        checkpoint: state.checkpoint,
        files: indexed_files(index, source_id).await?,
        oldest: oldest(index, source_id).await?,
    };
    let (surveys, kept) = (Arc::clone(&files), filter.clone());
    let (plan, known) = blocking(move || {
        let has_rows = |file: &Survey, before| survey::has_rows(file, before, &kept);
        let plan = plan(&surveys, source.flavor, &known, has_rows)?;
        Ok((plan, known))
    })
    .await?;
    let Some(first) = files.get(plan.first) else {
        tracing::info!("the index has all of these files");
        return Ok(());
    };
    let fresh = known.checkpoint.is_none();
    let checkpoint = known.checkpoint.unwrap_or_else(|| Checkpoint {
        mode: plan.mode,
        binlog_file: first.name.clone(),
        binlog_position: 4,
        binlog_created: None,
        gtid_set: match plan.mode {
            Mode::Gtid => plan.gtids.to_string(),
            Mode::Position => String::new(),
        },
        next_change_id: state.next_change_id,
        events_indexed: 0,
        last_event_time: None,
        server_id: 0,
        lag_seconds: None,
        capture_skips: CaptureSkips::default(),
    });
    let of_source = options.source.as_ref();
    let ahead = format!("{}, files, ahead", place_of(&options.index));
    let ahead = of_source.map_or(0, |source| derived_server_id(source, &ahead));
    tracing::info!(
        file = first.name,
        position = plan.position,
        files = files.len() - plan.first,
        source = source_id,
        "indexing files"
    );
    options.progress.begin(&files, plan.first, plan.position);
    let vitals = Arc::new(Vitals::new("files", options.checkpoint));
    let beginning = Beginning {
        files,
        source_id,
        plan,
        checkpoint,
        fresh,
        known: known.files,
        filter,
        server,
        ahead,
    };
    Session::over_files(options, index, vitals, beginning)
        .await?
        .run(Vec::new(), stop)
        .await
        .map(|_| ())
}

/// Without a last file that ends before its first event does.
fn begun(mut files: Vec<Survey>) -> Result<Arc<[Survey]>, Error> {
    if let Some(unbegun) = files.iter().position(|file| file.version.is_empty()) {
        let rest = files.split_off(unbegun);
        let name = rest.first().map_or("", |file| &file.name);
        if files.is_empty() || rest.len() > 1 {
            return Err(Error::Files(format!(
                "{name}: it ends inside its first event: copy it again from the source"
            )));
        }
        tracing::warn!(
            file = name,
            "it ends inside its first event: it was cut off, or the server has just begun it; it is left for the next time"
        );
    }
    Ok(files.into())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|panic| Error::Internal(panic.to_string()))?
}

/// The rows of `index_state`.
async fn indexed_files(index: &Index, source_id: u32) -> Result<Vec<IndexedFile>, Error> {
    let select = Select {
        sql: "SELECT binlog_file, binlog_created, file_size, last_position, events_indexed, status, error
              FROM index_state WHERE source_id = ?"
            .to_owned(),
        values: vec![Value::Number(source_id.into())],
    };
    let mut files = Vec::new();
    for mut cells in index.read(select, usize::MAX).await?.rows {
        let status = cells.a_text(5)?;
        files.push(IndexedFile {
            name: cells.a_text(0)?,
            created: cells.a_number(1)?,
            size: cells.a_number(2)?,
            last_position: cells.a_number(3)?,
            events: cells.a_number(4)?,
            status: FileStatus::of(&status),
            error: cells.text(6)?,
        });
    }
    Ok(files)
}

/// Where the oldest transaction of a source stands.
async fn oldest(index: &Index, source_id: u32) -> Result<Option<Place>, Error> {
    let ids = change_ids_of(source_id);
    let select = Select {
        sql: "SELECT binlog_file, start_position FROM transactions
              WHERE transaction_id >= ? AND transaction_id < ? ORDER BY transaction_id LIMIT 1"
            .to_owned(),
        // The ids of the last source end where numbers do.
        values: vec![Value::Number(ids.start), Value::Number(ids.end - 1)],
    };
    let mut rows = index.read(select, usize::MAX).await?.rows;
    Ok(match rows.first_mut() {
        Some(cells) => Some((cells.a_text(0)?, cells.a_number(1)?)),
        None => None,
    })
}
