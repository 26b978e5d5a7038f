//! The index on a MySQL server: one connection, which holds the locks and writes the batches.
//!
//! Because lock and writes share the connection, a writer that lost its lock cannot write any
//! more. A broken connection is made anew by the next call; the sources must then be attached again.

mod beside;
mod connect;
pub(crate) mod facts;
mod fault;
mod load;
mod partitions;
mod read;
mod remove;
mod session;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use super::Writer;
use super::error::{ErrorKind, Result};
use super::read::{Rows, Select};
use super::record::{
    Attached, Batch, Kept, Micros, Place, Source, SourceStatus, TableVersion, ValidTable,
};
use super::remove::Removed;
use crate::dsn::MySqlDsn;
use fault::Fault;
use partitions::Partitions;
use session::{Ghost, Session};

/// How long an answer may take: beyond what the server's own lock waits are, and long enough to
/// discard or write much.
const ANSWER: Duration = Duration::from_secs(300);

/// Connections remembered: all that a server can still hold, as idle ones end after minutes.
const GHOSTS: usize = 16;

/// An index in a database of a MySQL server, 8.0.14 or newer.
#[derive(Debug)]
pub struct MySqlIndex {
    dsn: MySqlDsn,
    place: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    session: Option<Session>,
    /// The connections made before. The server may not know yet that they are lost, and hold our
    /// locks for them.
    before: Vec<Ghost>,
}

impl MySqlIndex {
    /// See [`Index::open`](super::Index::open).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn open(dsn: &MySqlDsn, create: bool) -> Result<Self> {
        let database = dsn.database.as_deref().unwrap_or_default();
        let place = format!("{}:{}/{database}", dsn.host, dsn.port);
        let session = match timed(Session::open(dsn, create)).await {
            Ok(session) => session,
            Err(fault) => return Err(fault.at(&place, false)),
        };
        Ok(Self {
            dsn: dsn.clone(),
            place,
            state: Mutex::new(State {
                before: vec![session.ghost().clone()],
                session: Some(session),
            }),
        })
    }

    /// Takes the session, made anew if it must be. It is put back by [`MySqlIndex::done`]: a call
    /// that is dropped halfway leaves the connection in the middle of something, and it ends.
    async fn session(&self) -> Result<(MutexGuard<'_, State>, Session)> {
        let mut state = self.state.lock().await;
        let session = match state.session.take() {
            Some(session) => session,
            None => {
                let session = timed(Session::connect(&self.dsn))
                    .await
                    .map_err(|fault| fault.at(&self.place, false))?;
                if state.before.len() >= GHOSTS {
                    state.before.remove(0);
                }
                state.before.push(session.ghost().clone());
                session
            }
        };
        Ok((state, session))
    }

    fn done<T>(
        &self,
        mut state: MutexGuard<'_, State>,
        session: Session,
        result: Result<T, Fault>,
    ) -> Result<T> {
        let result = result.map_err(|fault| fault.at(&self.place, true));
        if !matches!(&result, Err(error) if needs_another(error.kind())) {
            state.session = Some(session);
        }
        result
    }

    pub(super) async fn attach(&self, source: &Source) -> Result<Attached> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.attach(source, &state.before)).await;
        self.done(state, session, result)
    }

    pub(super) async fn take_over(&self, source_id: u32, source: &Source) -> Result<()> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.take_over(source_id, source, &state.before)).await;
        self.done(state, session, result)
    }

    pub(super) async fn register_table(
        &self,
        source_id: u32,
        version: &TableVersion,
    ) -> Result<u32> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.register_table(source_id, version)).await;
        self.done(state, session, result)
    }

    pub(super) async fn table_versions(&self, source_id: u32) -> Result<Vec<(u32, TableVersion)>> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.table_versions(source_id)).await;
        self.done(state, session, result)
    }

    pub(super) async fn valid_tables(
        &self,
        source_id: u32,
        place: &Place,
    ) -> Result<Vec<ValidTable>> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.valid_tables(source_id, place)).await;
        self.done(state, session, result)
    }

    pub(super) async fn table_version(&self, table_id: u32) -> Result<TableVersion> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.table_version(table_id)).await;
        self.done(state, session, result)
    }

    pub(super) async fn end_tables(&self, table_ids: &[u32], until: &Place) -> Result<()> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.end_tables(table_ids, until)).await;
        self.done(state, session, result)
    }

    pub(super) async fn forget_tables(&self, source_id: u32, place: &Place) -> Result<()> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.forget_tables(source_id, place)).await;
        self.done(state, session, result)
    }

    pub(super) async fn write(&self, source_id: u32, batch: Arc<Batch>) -> Result<()> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.write(source_id, &batch)).await;
        self.done(state, session, result)
    }

    pub(super) async fn save_error(&self, source_id: u32, error: Option<&str>) -> Result<()> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.save_error(source_id, error)).await;
        self.done(state, session, result)
    }

    pub(super) async fn save_starts(&self, source_id: u32, starts: &[Micros]) -> Result<()> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.save_starts(source_id, starts)).await;
        self.done(state, session, result)
    }

    pub(super) async fn save_kept(&self, source_id: u32, kept: &Kept) -> Result<()> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.save_kept(source_id, kept)).await;
        self.done(state, session, result)
    }

    pub(super) async fn streaming(
        &self,
        source_id: u32,
        since: Micros,
        checkpoint_seconds: u32,
    ) -> Result<()> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.streaming(source_id, since, checkpoint_seconds)).await;
        self.done(state, session, result)
    }

    /// Who holds the lock of a source's one writer.
    pub(super) async fn writer(&self, source_id: u32) -> Result<Writer> {
        let database = self.dsn.database.as_deref().unwrap_or_default();
        let (state, mut session) = self.session().await?;
        let result = timed(facts::writer_of(&mut session.conn, database, source_id)).await;
        Ok(match self.done(state, session, result)? {
            Some(who) => Writer::Is(who),
            None => Writer::None,
        })
    }

    pub(super) async fn save_gap(&self, source_id: u32, at: Micros, detail: &str) -> Result<()> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.save_gap(source_id, at, detail)).await;
        self.done(state, session, result)
    }

    pub(super) async fn acknowledge_gap(
        &self,
        source_id: u32,
        before: &str,
        now: &str,
    ) -> Result<()> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.acknowledge_gap(source_id, before, now)).await;
        self.done(state, session, result)
    }

    pub(super) async fn keep_alive(&self) -> Result<()> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.ping()).await;
        self.done(state, session, result)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state.try_lock().is_ok()
    }

    pub(super) async fn statuses(&self) -> Result<Vec<SourceStatus>> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.statuses()).await;
        self.done(state, session, result)
    }

    pub(super) async fn read(&self, select: Select, room: usize) -> Result<Rows> {
        let (state, mut session) = self.session().await?;
        let result = timed(session.read(&select, room)).await;
        self.done(state, session, result)
    }

    pub(super) async fn announce_removal(&self, before: Micros) -> Result<()> {
        let (state, mut session) = self.session().await?;
        let result = timed(remove::announce(&mut session.conn, before)).await;
        self.done(state, session, result)
    }

    pub(super) async fn remove(&self, before: Micros) -> Result<Removed> {
        let (state, mut session) = self.session().await?;
        let result = timed(remove::step(&mut session.conn, before)).await;
        self.done(state, session, result)
    }

    pub(super) async fn remove_beside(&self, before: Micros) -> Result<bool> {
        let (state, mut session) = self.session().await?;
        let result = timed(remove::step_beside(&mut session.conn, before)).await;
        self.done(state, session, result)
    }

    pub(crate) async fn drop_partitions(&self, before: Micros) -> Result<Option<usize>> {
        let (state, mut session) = self.session().await?;
        let result = timed(remove::drop_partitions(&mut session.conn, before)).await;
        self.done(state, session, result)
    }

    pub(crate) async fn add_partitions(&self, hours: u32) -> Result<usize> {
        let (state, mut session) = self.session().await?;
        let made = Partitions::default()
            .make_ahead(&mut session.conn, hours)
            .await;
        self.done(state, session, made)
    }

    pub(super) async fn close(self) -> Result<()> {
        match self.state.into_inner().session {
            None => Ok(()),
            Some(session) => timed(session.close())
                .await
                .map_err(|fault| fault.at(&self.place, true)),
        }
    }
}

/// Does it take another connection to get over this? A session keeps the privileges that it began with, and the
/// name of a server that can only be read may lead to another by now.
const fn needs_another(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Lost | ErrorKind::AccessDenied | ErrorKind::ReadOnly
    )
}

async fn timed<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(ANSWER, work).await {
        Ok(result) => result,
        Err(_) => Err(Fault::Timeout),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    /// The keys of a server with pages of 4 kB have 768 bytes at the most, and a character takes up to four, but ASCII.
    #[test]
    fn keys_fit_the_smallest_pages() {
        let (mut texts, mut keys) = (HashMap::new(), 0);
        for line in include_str!("schema.sql").lines().map(str::trim) {
            if line.starts_with("CREATE TABLE") {
                texts.clear();
            } else if let Some((column, text)) = line.split_once(" VARCHAR(") {
                let (characters, rest) = text.split_once(')').unwrap();
                let of_one = if rest.contains("ascii") { 1 } else { 4 };
                let bytes = of_one * characters.parse::<u32>().unwrap();
                assert!(bytes <= 768 || !rest.contains("UNIQUE"), "{line}");
                texts.insert(column, bytes);
            } else if line.starts_with("PRIMARY KEY (") || line.starts_with("KEY ") {
                let (_, columns) = line.split_once('(').unwrap();
                let columns = columns.split(')').next().unwrap().split(", ");
                // What is neither has 8 bytes at the most.
                let width = |column| match column {
                    "source_id" => 4,
                    column => texts.get(column).copied().unwrap_or(8),
                };
                let bytes: u32 = columns.map(width).sum();
                assert!(bytes <= 768, "{line}: {bytes}");
                keys += 1;
            }
        }
        assert!(keys >= 8, "{keys}");
    }
}
