//! Events that are not read: do they hold row changes?

use bintrail_proto::binlog::header::{EventHeader, EventType};

/// What an event that is not read has, or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The source lost events.
    Incident,
    /// A statement that changed rows.
    Statement,
    /// Rows in a form of before MySQL 5.1.16.
    OldRows,
    /// Nobody knows.
    Unknown,
}

impl Unread {
    /// `None` for events that hold no row changes.
    pub(crate) fn of(header: &EventHeader) -> Option<Self> {
        Some(match header.event_type {
            EventType::INCIDENT_EVENT => Self::Incident,
            EventType::EXECUTE_LOAD_QUERY_EVENT | EventType::EXEC_LOAD_EVENT => Self::Statement,
            EventType::PRE_GA_WRITE_ROWS_EVENT
            | EventType::PRE_GA_UPDATE_ROWS_EVENT
            | EventType::PRE_GA_DELETE_ROWS_EVENT => Self::OldRows,
            EventType::START_EVENT_V3
            | EventType::INTVAR_EVENT
            | EventType::RAND_EVENT
            | EventType::USER_VAR_EVENT
            | EventType::LOAD_EVENT
            | EventType::NEW_LOAD_EVENT
            | EventType::SLAVE_EVENT
            | EventType::CREATE_FILE_EVENT
            | EventType::APPEND_BLOCK_EVENT
            | EventType::DELETE_FILE_EVENT
            | EventType::BEGIN_LOAD_QUERY_EVENT
            | EventType::IGNORABLE_LOG_EVENT
            | EventType::TRANSACTION_CONTEXT_EVENT
            | EventType::VIEW_CHANGE_EVENT => return None,
            _ if header.flags & EventHeader::FLAG_IGNORABLE != 0 => return None,
            _ => Self::Unknown,
        })
    }

    /// As `capture_skips` has it.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Statement => "statement_dml",
            Self::OldRows => "old_rows_event",
            Self::Unknown => "unknown_event",
        }
    }
}
