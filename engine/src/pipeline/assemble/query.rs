//! What the statements of a binlog begin, end, change, or did without logging their rows.

use bintrail_proto::binlog::decoder::Event;
use bintrail_proto::binlog::query::Query;

use super::{Assembler, Need};
use crate::index::record::{SchemaChange, XaDecided, XaState};
use crate::pipeline::statement::{Statement, classify};
use crate::schema::{THREAD_SPECIFIC, decode};

impl Assembler {
    pub(super) fn query(&mut self, query: &Query<'_>, at: &Event<'_>) -> Need {
        // What MariaDB sends a replica instead of an event that the replica would not know.
        if query.statement.starts_with(b"# Dummy ev") {
            return Need::Nothing;
        }
        let sql = String::from_utf8_lossy(query.statement);
        let begun = self.open.as_ref().is_some_and(|open| open.begun);
        match classify(&sql) {
            Statement::Begin => {
                if begun {
                    self.abandon_open();
                }
                let open = match self.open.take() {
                    Some(open) => self.open.insert(open),
                    None => self.open(at, None, None),
                };
                open.begun = true;
                open.connection_id = Some(query.thread_id);
            }
            Statement::Commit if begun => self.end(at, None),
            Statement::Rollback if begun => {
                self.rolled_back(at);
                self.end(at, None);
            }
            Statement::RollbackTo if begun => self.rolled_back(at),
            Statement::Inside | Statement::Other if begun => {}
            Statement::XaCommit(xid) => {
                if !self.decide(xid, XaState::Committed, at) {
                    return Need::Prepared(xid.to_owned());
                }
            }
            Statement::XaRollback(xid) => {
                self.decide(xid, XaState::RolledBack, at);
            }
            Statement::Ddl(ddl) => {
                let mut scratch = String::new();
                let sql = decode(query, &mut scratch).unwrap_or(&sql);
                if ddl.fills_a_table(sql, query.status.sql_mode) {
                    self.skip_statement(query, at);
                }
                self.schema_change(query, ddl.to_string(), sql, at);
                if !begun {
                    self.end(at, None);
                }
            }
            Statement::Dml => {
                self.skip_statement(query, at);
                if !begun {
                    self.end(at, None);
                }
            }
            Statement::Commit
            | Statement::Rollback
            | Statement::RollbackTo
            | Statement::Inside
            | Statement::Other => {
                self.end(at, None);
            }
        }
        Need::Nothing
    }

    /// Answers [`Need::Prepared`]: nobody has seen its rows.
    pub(crate) fn miss_prepared(&mut self, xid: &str, at: &Event<'_>) {
        self.skip("xa_prepared_before", &format!("xid {xid}"), at);
    }

    /// Counts a statement that changed rows without logging them, unless they are none that are kept.
    fn skip_statement(&mut self, query: &Query<'_>, at: &Event<'_>) {
        if self.filter.keeps_statement(&query.status) {
            self.skip("statement_dml", &String::from_utf8_lossy(query.schema), at);
        }
    }

    /// Servers log a rollback behind rows only when it could not undo all of them, and do not say
    /// which: they are kept, and counted.
    fn rolled_back(&mut self, at: &Event<'_>) {
        if self.open.as_ref().is_some_and(|open| open.row_count > 0) {
            self.skip("rolled_back_in_part", "", at);
        }
    }

    /// Says whether it was seen when it was prepared.
    fn decide(&mut self, xid: &str, state: XaState, at: &Event<'_>) -> bool {
        let next_change_id = self.next_change_id;
        let decided_at = self.time_of(at);
        self.work.batch.xa_decided.push(XaDecided {
            xid: xid.to_owned(),
            state,
            next_change_id,
            decided_at,
        });
        self.end(at, None);
        self.prepared.remove(xid)
    }

    fn schema_change(&mut self, query: &Query<'_>, change_type: String, sql: &str, at: &Event<'_>) {
        let open = self.open.as_ref();
        if open.is_some_and(|open| open.alters_nothing) {
            return;
        }
        // Their passwords, hashed or in clear, are nothing for the index's readers.
        let statement = match change_type.as_str() {
            "CREATE USER" | "ALTER USER" | "CREATE SERVER" | "ALTER SERVER" => {
                "not kept: it may hold a password"
            }
            _ => sql,
        };
        let change = SchemaChange {
            binlog_file: self.file.clone(),
            start_position: at.start,
            end_position: at.end,
            gtid: open.and_then(|open| open.gtid).map(|gtid| gtid.to_string()),
            committed_at: self.time_of(at),
            next_change_id: self.next_change_id,
            schema: String::from_utf8_lossy(query.schema).into_owned(),
            sql_mode: query.status.sql_mode,
            temporary: at.header.flags & THREAD_SPECIFIC != 0,
            statement: statement.to_owned(),
            change_type,
        };
        match &mut self.open {
            Some(open) => open.schema_changes.push(change),
            None => self.work.batch.schema_changes.push(change),
        }
    }
}
