//! A look at the beginning of each file: whose it is, when it was begun, and what comes before it.

use std::path::{Path, PathBuf};

use bintrail_proto::binlog::decoder::{Decoder, EventData};
use bintrail_proto::binlog::format_description::Flavor as FileFlavor;
use bintrail_proto::binlog::header::EventHeader;
use bintrail_proto::binlog::transaction_payload::Unpacker;
use bintrail_proto::gtid_set::Uuid;

use crate::error::Error;
use crate::files::events::{FileEvents, Next};
use crate::filter::Filter;
use crate::gtids::Gtids;
use crate::index::record::Flavor;
use crate::source::server::log_order;

/// Transactions looked at for one that the file's own server made.
const MAX_LOOKED_AT: u32 = 1_000;

pub(super) const DAMAGED: &str =
    "the file is damaged: copy it again from the source, and run this again";

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) size: u64,
    /// When it was begun, in seconds since the Unix epoch.
    pub(crate) created: u32,
    /// The server that wrote it.
    pub(super) server_id: u32,
    pub(super) version: String,
    pub(super) flavor: Flavor,
    /// The server has not closed it.
    pub(crate) in_use: bool,
    /// The GTIDs in the files before it, where it tells.
    pub(crate) before: Option<Gtids>,
    /// Has its first transaction a GTID? `None` without one.
    pub(super) has_gtids: Option<bool>,
    /// The UUID that its own server gave transactions: the one it should have, if that is among them.
    pub(super) own: Option<Uuid>,
}

impl Survey {
    /// Looks at a file. `wanted`: the UUID that its server should have.
    pub(super) fn of(path: &Path, wanted: Option<Uuid>) -> Result<Self, Error> {
        let mut events = FileEvents::open(path)?;
        let size = std::fs::metadata(path).map_err(|error| Error::File {
            path: path.to_owned(),
            error,
        })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut survey = Self {
            path: path.to_owned(),
            name: name.into_owned(),
            size: size.len(),
            created: 0,
            server_id: 0,
            version: String::new(),
            flavor: Flavor::MySql,
            in_use: false,
            before: None,
            has_gtids: None,
            own: None,
        };
        let mut decoder = Decoder::for_file();
        let mut looked_at = 0;
        while looked_at < MAX_LOOKED_AT {
            let position = events.position();
            let Next::Event(bytes) = events.next(DAMAGED)? else {
                break;
            };
            let event = decoder.decode(bytes).map_err(|error| Error::Binlog {
                file: path.display().to_string(),
                position,
                error,
                remedy: DAMAGED,
            })?;
            match &event.data {
                EventData::FormatDescription(format) => {
                    if event.header.flags & EventHeader::FLAG_RELAY_LOG != 0 {
                        return Err(Error::Files(format!(
                            "{} is a relay log, whose positions no binary log has: take the files of the source's binary \
                             log, or of the replica's own",
                            path.display()
                        )));
                    }
                    survey.created = event.header.timestamp;
                    survey.server_id = event.header.server_id;
                    survey.in_use = event.header.flags & EventHeader::FLAG_IN_USE != 0;
                    survey.version = format.server_version.text.to_owned();
                    survey.flavor = match format.server_version.flavor() {
                        FileFlavor::MySql => Flavor::MySql,
                        FileFlavor::MariaDb => Flavor::MariaDb,
                    };
                }
                EventData::PreviousGtids(previous) => {
                    survey.before = Some(Gtids::MySql(previous.set.clone()));
                }
                EventData::MariadbGtidList(list) => {
                    survey.before = Some(Gtids::MariaDb(list.position()));
                }
                EventData::MariadbGtid(_) => {
                    survey.has_gtids = Some(true);
                    break;
                }
                EventData::Gtid(gtid) => {
                    looked_at += 1;
                    survey.has_gtids.get_or_insert(gtid.gtid.is_some());
                    let Some(gtid) = gtid.gtid else { break };
                    if event.header.server_id == survey.server_id {
                        survey.own.get_or_insert(gtid.uuid());
                        if wanted.is_none_or(|wanted| wanted == gtid.uuid()) {
                            survey.own = Some(gtid.uuid());
                            break;
                        }
                    }
                }
                EventData::Query(_) if survey.has_gtids.is_none() => {
                    survey.has_gtids = Some(false);
                    break;
                }
                _ => {}
            }
        }
        Ok(survey)
    }

    /// Its number, where its name ends with one.
    pub(super) fn number(&self) -> Option<u64> {
        self.name.rsplit_once('.')?.1.parse().ok()
    }

    /// Its name without the number.
    pub(super) fn base(&self) -> &str {
        base(&self.name)
    }

    pub(super) fn order(&self) -> (usize, &str, u64) {
        log_order(&self.name, 0)
    }
}

pub(super) fn base(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(base, _)| base)
}

/// Has a file row changes that `filter` keeps, in front of a place if there is one?
pub(super) fn has_rows(file: &Survey, before: Option<u64>, filter: &Filter) -> Result<bool, Error> {
    let mut events = FileEvents::open(&file.path)?;
    let mut decoder = Decoder::for_file();
    let mut unpacker = Unpacker::default();
    loop {
        let position = events.position();
        if before.is_some_and(|before| position >= before) {
            return Ok(false);
        }
        let Next::Event(bytes) = events.next(DAMAGED)? else {
            return Ok(false);
        };
        let damaged = |error| Error::Binlog {
            file: file.path.display().to_string(),
            position,
            error,
            remedy: DAMAGED,
        };
        let keeps = |data: &EventData<'_>| match data {
            EventData::TableMap(map) => filter.keeps(map.schema, map.table),
            _ => false,
        };
        let event = decoder.decode(bytes).map_err(damaged)?;
        if keeps(&event.data) {
            return Ok(true);
        }
        if let EventData::TransactionPayload(payload) = &event.data {
            let mut packed = unpacker.events(payload).map_err(damaged)?;
            while let Some(bytes) = packed.next().map_err(damaged)? {
                let packed = decoder.decode_packed(bytes, &event).map_err(damaged)?;
                if keeps(&packed.data) {
                    return Ok(true);
                }
            }
        }
    }
}
