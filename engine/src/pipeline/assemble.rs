//! Events to transactions, and transactions to batches of raw rows.

mod entry;
mod hand_on;
mod query;
mod work;

use std::collections::HashSet;
use std::sync::Arc;

use bintrail_proto::binlog::decoder::{Event, EventData, TableMapEvent};
use bintrail_proto::binlog::gtid::GtidEvent;
use bintrail_proto::binlog::header::EventHeader;
use bintrail_proto::binlog::mariadb::MariadbGtidEvent;
use bintrail_proto::binlog::mariadb::gtid_set::MariadbGtidSet;
use bintrail_proto::binlog::rows::RowsEvent;
use bintrail_proto::binlog::table_map::TableMap;
use bytes::Bytes;

use crate::filter::Filter;
use crate::gtids::{AnyGtid, Gtids};
use crate::index::own;
use crate::index::record::{
    CaptureSkips, Checkpoint, Micros, Mode, SchemaChange, Transaction, XaState,
};
use crate::pipeline::encode::RawRows;
use crate::pipeline::tables::Tables;
use crate::pipeline::unread::Unread;

pub(crate) use entry::Entry;
pub(crate) use work::Work;
use work::weight;

/// The most of a transaction's statements that is kept, in bytes.
const MAX_STATEMENT: usize = 64 * 1024;

/// About as many bytes as a transaction takes in a batch, without its rows and statements.
const TRANSACTION: u64 = 400;

/// Where the stream is: always behind a whole transaction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Boundary {
    pub(crate) file: String,
    pub(crate) position: u64,
    /// When that file was begun, where it is known.
    created: Option<u32>,
    pub(crate) gtid_set: Gtids,
    pub(crate) last_event_time: Option<Micros>,
    events_indexed: u64,
}

#[derive(Debug)]
struct Open {
    gtid: Option<AnyGtid>,
    start: u64,
    committed_at: Micros,
    /// Behind BEGIN: statements are part of it.
    begun: bool,
    connection_id: Option<u32>,
    transaction_id: u64,
    row_count: u64,
    statements: String,
    /// DDL inside it (`CREATE TABLE … SELECT`): it goes to the index with the checkpoint that covers it,
    /// and that is only behind the transaction's end.
    schema_changes: Vec<SchemaChange>,
    /// Its ALTER TABLE is not done, or never was.
    alters_nothing: bool,
    /// Rows of it have left in an earlier batch.
    flushed: bool,
}

/// Builds batches from the events of one source.
#[derive(Debug)]
pub(crate) struct Assembler {
    filter: Filter,
    mode: Mode,
    server_id: u32,
    /// The file that the events come from.
    file: String,
    /// When that file was begun, once its first event has told.
    created: Option<u32>,
    boundary: Boundary,
    /// The boundary moved since it was last taken into a checkpoint.
    moved: bool,
    /// A checkpoint is wanted in any case.
    wanted: bool,
    /// The start is only somebody's word yet.
    unproven: bool,
    /// The source has said that it has nothing more.
    caught_up: bool,
    /// It has sent a transaction, or said that it has none.
    heard: bool,
    /// MariaDB's domains that its binary logs have up to here, where that is known.
    domains: Option<MariadbGtidSet>,
    /// Nothing has come from it of late.
    quiet: bool,
    open: Option<Open>,
    next_change_id: u64,
    /// XA transactions that were prepared since it began and are not decided, also those without rows that are kept.
    prepared: HashSet<String>,
    tables: Tables<Entry>,
    skips: CaptureSkips,
    work: Work,
}

/// What [`Assembler::handle`] needs before it can go on.
#[derive(Debug)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// [`Assembler::define`] for this table.
    Table(TableMap),
    /// [`Assembler::miss_prepared`], unless the index has this XA transaction as prepared: it is committed.
    Prepared(String),
}

impl Assembler {
    pub(crate) fn new(filter: Filter, checkpoint: &Checkpoint, gtid_set: Gtids) -> Self {
        Self {
            filter,
            mode: checkpoint.mode,
            server_id: checkpoint.server_id,
            file: checkpoint.binlog_file.clone(),
            created: checkpoint.binlog_created,
            boundary: Boundary {
                file: checkpoint.binlog_file.clone(),
                position: checkpoint.binlog_position,
                created: checkpoint.binlog_created,
                gtid_set,
                last_event_time: checkpoint.last_event_time,
                events_indexed: checkpoint.events_indexed,
            },
            // What it starts from goes to the index with the first checkpoint.
            moved: true,
            wanted: false,
            unproven: false,
            caught_up: false,
            heard: false,
            domains: None,
            quiet: false,
            open: None,
            next_change_id: checkpoint.next_change_id,
            prepared: HashSet::new(),
            tables: Tables::default(),
            skips: checkpoint.capture_skips.clone(),
            work: Work::default(),
        }
    }

    /// The file that the events come from.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Takes the file that a dump by GTIDs has begun in for its place, where it knows of none: should the source's binary
    /// logs be reset before anything else comes, that shows it. Says whether it did.
    pub(crate) fn settle(&mut self) -> bool {
        let settles = self.boundary.file.is_empty() && self.created.is_some();
        if settles {
            self.move_to(4);
        }
        settles
    }

    /// Up to where all is taken in.
    pub(crate) fn place(&self) -> (&str, u64) {
        (&self.boundary.file, self.boundary.position)
    }

    /// The events from here on are those of `file`, from its beginning or, where it was left, from there.
    pub(crate) fn start_file(&mut self, file: &str) {
        self.abandon_open();
        self.tables.clear();
        self.created = None;
        file.clone_into(&mut self.file);
        if self.mode == Mode::Position && self.boundary.file != file {
            self.move_to(4);
        }
    }

    /// The GTIDs that were read, where they are counted.
    pub(crate) fn gtids(&self) -> Option<&Gtids> {
        (self.mode == Mode::Gtid).then_some(&self.boundary.gtid_set)
    }

    /// Is it inside of a transaction?
    pub(crate) fn in_transaction(&self) -> bool {
        self.open.is_some()
    }

    pub(crate) fn pending(&self) -> &Work {
        &self.work
    }

    /// Has the next batch carry a checkpoint even when the stream has not moved: it shows that the
    /// stream lives, and has caught up. `quiet`: the source was waited for, and nothing came.
    pub(crate) fn want_checkpoint(&mut self, quiet: bool) {
        self.wanted = true;
        self.quiet = quiet;
    }

    /// Has no checkpoint be made until events have shown that the start is a place in the binlog.
    pub(crate) fn doubt_start(&mut self) {
        self.unproven = true;
    }

    /// The GTIDs are what the source has logged up to the place that its events come from.
    pub(crate) fn know_domains(&mut self) {
        if let Gtids::MariaDb(set) = &self.boundary.gtid_set {
            self.domains = Some(set.clone());
        }
    }

    /// So many bytes were read, and are in one block of memory with what may be kept of them.
    pub(crate) fn read(&mut self, bytes: usize) {
        if self.work.is_empty() {
            self.work.weight = 0;
        }
        self.add_weight(bytes as u64);
    }

    fn add_weight(&mut self, bytes: u64) {
        self.work.weight = self.work.weight.saturating_add(bytes);
    }

    /// Takes in one event. `frame` holds its bytes where they may be kept; else what is kept of them is copied.
    pub(crate) fn handle(&mut self, event: &Event<'_>, frame: Option<&Bytes>) -> Need {
        match &event.data {
            EventData::Gtid(gtid) => self.begin(gtid, event),
            EventData::MariadbGtid(gtid) => self.begin_mariadb(gtid, event),
            EventData::Query(query) => return self.query(query, event),
            EventData::Xid(_) => self.end(event, None),
            EventData::XaPrepare(prepare) => {
                let state = if prepare.one_phase {
                    XaState::Committed
                } else {
                    XaState::Prepared
                };
                self.end(event, Some((prepare.xid.to_string(), state)));
            }
            EventData::TableMap(map) => return self.table_map(map, event),
            EventData::Rows(rows) => {
                self.rows(rows, event, frame);
                if rows.flags & RowsEvent::FLAG_STMT_END != 0 {
                    self.tables.tidy();
                }
            }
            EventData::RowsQuery(query) => {
                if let Some(open) = &mut self.open {
                    push_statement(&mut open.statements, query.statement);
                }
            }
            EventData::Rotate(rotate) => {
                self.abandon_open();
                if rotate.file != self.file {
                    rotate.file.clone_into(&mut self.file);
                    self.created = None;
                }
                // A dump by GTIDs starts in a file that may be far behind: only what it has sent
                // since tells where the stream is.
                if self.mode == Mode::Position {
                    self.move_to(rotate.position);
                }
            }
            EventData::Heartbeat(heartbeat) => {
                self.caught_up = true;
                self.heard = true;
                self.unproven = false;
                // The source has nothing more up to here, or left out what the GTID set has.
                if self.open.is_none()
                    && heartbeat.position.is_some()
                    && heartbeat.file == self.file
                {
                    self.move_to(event.end);
                }
            }
            EventData::FormatDescription(_) => {
                self.abandon_open();
                self.created = Some(event.header.timestamp).filter(|time| *time != 0);
                if self.boundary.file == self.file && self.boundary.created != self.created {
                    self.boundary.created = self.created;
                    self.moved = true;
                }
                // A restarted server counts its table ids anew.
                self.tables.clear();
            }
            // MariaDB writes it behind a transaction too, when nothing else may come for long.
            EventData::BinlogCheckpoint(_) => {
                if self.open.is_none()
                    && self.boundary.file == self.file
                    && event.end > self.boundary.position
                {
                    self.move_to(event.end);
                }
            }
            EventData::MariadbGtidList(list) => {
                if list.flags == 0 && !event.header.is_artificial() {
                    self.list(list.position(), event);
                }
            }
            // Compressed ones come here as the plain events that they stand for, payloads as those in them.
            EventData::Compressed(_)
            | EventData::TransactionPayload(_)
            | EventData::PreviousGtids(_)
            | EventData::Stop => {}
            EventData::Other => self.other(event),
        }
        Need::Nothing
    }

    /// All up to `position` of the present file is taken in.
    fn move_to(&mut self, position: u64) {
        if self.boundary.file != self.file || self.boundary.position != position {
            self.boundary.file.clone_from(&self.file);
            self.boundary.position = position;
            self.boundary.created = self.created;
            self.moved = true;
        }
    }

    /// What was logged before the present file. A domain that is no longer there was taken out (`FLUSH BINARY LOGS
    /// DELETE_DOMAIN_ID`), and begins anew should it be used again.
    fn list(&mut self, list: MariadbGtidSet, event: &Event<'_>) {
        let Gtids::MariaDb(set) = &mut self.boundary.gtid_set else {
            return;
        };
        if let Some(before) = &self.domains {
            let gone = |domain| before.has(domain) && !list.has(domain);
            if set.gtids().any(|gtid| gone(gtid.domain)) {
                set.retain(|domain| !gone(domain));
                // The place has to be one where that is so.
                self.move_to(event.end);
            }
        }
        // In a dump behind GTIDs, what came before its first transaction is behind the place.
        if self.heard || self.domains.is_some() {
            self.domains = Some(list);
        }
    }

    /// Has these tables be asked for again, by schema and name: what is known of them may hold no longer.
    pub(crate) fn forget_tables(&mut self, which: impl Fn(&str, &str) -> bool) {
        self.tables.retain(|entry| match entry {
            Entry::Kept { table, .. } => !which(&table.map.schema, &table.map.table),
            Entry::Filtered | Entry::Unreadable => true,
        });
    }

    /// This schema holds an index, it turns out.
    pub(crate) fn leave_out_index(&mut self, schema: &str) {
        tracing::info!(
            schema,
            "holds an index of bintrail: its tables are left out"
        );
        self.filter.leave_out_index(schema);
        self.forget_tables(|of, table| of == schema && own::is_own(table));
    }

    /// Answers [`Need::Table`].
    pub(crate) fn define(&mut self, body: &[u8], server_table_id: u64, entry: Entry) {
        self.tables.define(server_table_id, body, entry);
    }

    fn begin(&mut self, event: &GtidEvent, at: &Event<'_>) {
        self.abandon_open();
        let committed_at = event
            .committed
            .map(|times| {
                if times.original == 0 {
                    times.immediate
                } else {
                    times.original
                }
            })
            .and_then(|micros| Micros::try_from(micros).ok())
            .filter(|micros| *micros > 0);
        self.open(at, event.gtid.map(AnyGtid::MySql), committed_at);
    }

    /// MariaDB's transactions begin without a statement that says so.
    fn begin_mariadb(&mut self, event: &MariadbGtidEvent<'_>, at: &Event<'_>) {
        self.abandon_open();
        let open = self.open(at, Some(AnyGtid::MariaDb(event.gtid)), None);
        open.begun = !event.is_standalone();
        open.connection_id = event.thread_id;
        open.alters_nothing = event.alters_nothing;
    }

    fn open(
        &mut self,
        at: &Event<'_>,
        gtid: Option<AnyGtid>,
        committed_at: Option<Micros>,
    ) -> &mut Open {
        self.open.insert(Open {
            gtid,
            start: at.start,
            committed_at: committed_at.unwrap_or_else(|| seconds(&at.header)),
            begun: false,
            connection_id: None,
            transaction_id: self.next_change_id,
            row_count: 0,
            statements: String::new(),
            schema_changes: Vec::new(),
            alters_nothing: false,
            flushed: false,
        })
    }

    /// When what is open is committed, or a statement that stands alone.
    fn time_of(&self, at: &Event<'_>) -> Micros {
        let open = self.open.as_ref();
        open.map_or_else(|| seconds(&at.header), |open| open.committed_at)
    }

    fn table_map(&mut self, map: &TableMapEvent<'_>, at: &Event<'_>) -> Need {
        if self.tables.knows(map, Entry::is_certain) {
            return Need::Nothing;
        }
        if !self.filter.keeps(map.schema, map.table) {
            self.define(map.body, map.table_id, Entry::Filtered);
            return Need::Nothing;
        }
        match map.compile() {
            Ok(table) if own::is_rows(&table) => {
                self.leave_out_index(map.schema);
                self.define(map.body, map.table_id, Entry::Filtered);
                Need::Nothing
            }
            Ok(table) => Need::Table(table),
            Err(error) => {
                let (schema, table, position) = (map.schema, map.table, at.start);
                tracing::warn!(schema, table, position, %error, "table cannot be read");
                self.define(map.body, map.table_id, Entry::Unreadable);
                Need::Nothing
            }
        }
    }

    fn rows(&mut self, rows: &RowsEvent<'_>, at: &Event<'_>, frame: Option<&Bytes>) {
        let (table, table_id) = match self.tables.get(rows.table_id) {
            Some(Entry::Kept { table, table_id }) => (Arc::clone(table), *table_id),
            Some(Entry::Filtered) => return,
            Some(Entry::Unreadable) => return self.skip("unreadable_table", "", at),
            None => return self.skip("rows_without_table_map", "", at),
        };
        let count = match rows.count(&table.map) {
            Ok(count) => count,
            Err(error) => {
                let name = format!("{}.{}", table.map.schema, table.map.table);
                tracing::warn!(table = name, %error, position = at.start, "rows event cannot be read");
                return self.skip("unreadable_rows", &name, at);
            }
        };
        if table.leaves_in_doubt(rows) {
            let name = format!("{}.{}", table.map.schema, table.map.table);
            return self.skip("fractions_not_told", &name, at);
        }
        let weight = weight(at.body.len(), count, rows.kind, &table);
        let first_change_id = self.next_change_id;
        let open = match &mut self.open {
            Some(open) => open,
            // Rows outside a transaction: of a non-transactional table before GTIDs.
            None => self.open(at, None, None),
        };
        open.row_count = open.row_count.saturating_add(count);
        let (transaction_id, committed_at) = (open.transaction_id, open.committed_at);
        self.work.rows.push(RawRows {
            event_type: at.header.event_type,
            body: frame.map_or_else(
                || Bytes::copy_from_slice(at.body),
                |frame| frame.slice_ref(at.body),
            ),
            table,
            table_id,
            transaction_id,
            committed_at,
            first_change_id,
        });
        self.work.row_count = self.work.row_count.saturating_add(count);
        self.add_weight(weight);
        self.next_change_id = self.next_change_id.saturating_add(count);
    }

    /// Events that hold no rows are passed over; those that may are counted.
    fn other(&mut self, at: &Event<'_>) {
        if let Some(unread) = Unread::of(&at.header) {
            self.skip(unread.reason(), "", at);
            // It is all that stands behind its GTID.
            let alone = self.open.as_ref().is_some_and(|open| !open.begun);
            if unread == Unread::Incident && alone {
                self.end(at, None);
            }
        }
    }

    /// Counts what was seen and cannot be kept, and says so.
    pub(crate) fn skip(&mut self, reason: &str, table: &str, at: &Event<'_>) {
        let place = match table {
            "" => format!("{}:{}", self.file, at.start),
            table => format!("{}:{} {table}", self.file, at.start),
        };
        let skip = self.skips.0.entry(reason.to_owned()).or_default();
        skip.count = skip.count.saturating_add(1);
        // The first few, then ever rarer: a stream that skips everything must not fill the log.
        if skip.count.is_power_of_two() {
            tracing::warn!(
                reason,
                count = skip.count,
                at = place,
                event = at.header.event_type.name(),
                "not captured; `bintrail status` counts these"
            );
        }
        skip.last = place;
        skip.last_at = seconds(&at.header);
        self.moved = true;
    }

    /// The transaction that is open ends with this event; so does a statement that stands alone.
    fn end(&mut self, at: &Event<'_>, xa: Option<(String, XaState)>) {
        self.tables.tidy();
        if let Some((xid, XaState::Prepared)) = &xa {
            self.prepared.insert(xid.clone());
        }
        let committed_at = match self.open.take() {
            None => seconds(&at.header),
            Some(mut open) => {
                let schema_changes = &mut self.work.batch.schema_changes;
                schema_changes.append(&mut open.schema_changes);
                if open.row_count > 0 {
                    self.add_weight(TRANSACTION.saturating_add(open.statements.len() as u64));
                    self.work.batch.transactions.push(Transaction {
                        transaction_id: open.transaction_id,
                        gtid: open.gtid.map(|gtid| gtid.to_string()),
                        binlog_file: self.file.clone(),
                        start_position: open.start,
                        end_position: at.end,
                        committed_at: open.committed_at,
                        connection_id: open.connection_id,
                        row_count: open.row_count,
                        xa,
                        statement: Some(open.statements).filter(|text| !text.is_empty()),
                    });
                }
                if let Some(gtid) = open.gtid {
                    self.boundary.gtid_set.add(gtid);
                }
                self.boundary.events_indexed =
                    self.boundary.events_indexed.saturating_add(open.row_count);
                open.committed_at
            }
        };
        self.move_to(at.end);
        self.boundary.last_event_time = Some(committed_at);
        self.caught_up = false;
        self.heard = true;
        self.unproven = false;
        self.moved = true;
    }

    /// The open transaction never ends: the source crashed in the middle of it, and nothing of it
    /// was committed.
    fn abandon_open(&mut self) {
        self.tables.tidy();
        let Some(open) = self.open.take() else { return };
        if open.row_count == 0 {
            return;
        }
        self.work
            .rows
            .retain(|rows| rows.transaction_id != open.transaction_id);
        self.recount();
        self.next_change_id = open.transaction_id;
        if open.flushed {
            self.work.batch.discard_from = Some(open.transaction_id);
        }
    }
}

fn seconds(header: &EventHeader) -> Micros {
    Micros::from(header.timestamp).saturating_mul(1_000_000)
}

fn push_statement(statements: &mut String, statement: &[u8]) {
    let text = String::from_utf8_lossy(statement);
    if statements.len().saturating_add(text.len()) > MAX_STATEMENT {
        return;
    }
    if !statements.is_empty() {
        statements.push_str(";\n");
    }
    statements.push_str(&text);
}

#[cfg(test)]
mod tests;
