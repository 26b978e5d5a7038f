//! From a checkpoint to what the source has: the same events, a gap, or another history.

mod domains;
mod lost;

use std::time::Duration;

use bintrail_proto::binlog::decoder::{Event, EventData};
use bintrail_proto::binlog::mariadb::gtid_set::MariadbGtidSet;
use tokio::time::{Instant, sleep, timeout};

use super::Start;
use crate::clock::rfc3339;
use crate::error::Error;
use crate::gtids::Gtids;
use crate::index::record::{Checkpoint, Flavor, Micros, Mode, Place, SourceStatus};
use crate::source;
use crate::source::connection::ConnectOptions;
use crate::source::logs::{Held, LogFile, base};
use crate::source::server::{self, Server, log_order};
use lost::{lost_gtids, lost_up_to};

pub(super) use lost::{Lost, unlogged, with_earlier};

/// A server sends a transaction before it counts it as executed, and waits for its own replicas in between.
const UNCOUNTED: Duration = Duration::from_secs(5);

/// Files that are gone from between two that the source sent.
#[derive(Debug)]
pub(super) struct Hole {
    /// Up to where the stream was then.
    checkpoint: Checkpoint,
    server_uuid: String,
    lost: Lost,
    /// The place behind it, where that is the same as the GTIDs to go on behind.
    place: Option<Place>,
}

impl Hole {
    /// The one that `event` of a dump shows, which is from `file`: one that does not follow the one before it
    /// (`skipped`), or that begins behind GTIDs which are not among `read`.
    pub(super) fn shown_by(
        event: &Event<'_>,
        (file, skipped): (&str, bool),
        read: Option<&Gtids>,
        checkpoint: impl FnOnce() -> Checkpoint,
        server_uuid: impl FnOnce() -> String,
    ) -> Option<Self> {
        let place = (file.to_owned(), 4);
        let Some(read) = read else {
            if !skipped || !matches!(event.data, EventData::Rotate(_)) {
                return None;
            }
            let checkpoint = checkpoint();
            return Some(Self {
                lost: lost_up_to(&checkpoint, file, false),
                checkpoint,
                server_uuid: server_uuid(),
                place: None,
            });
        };
        let before = match &event.data {
            EventData::PreviousGtids(previous) => Gtids::MySql(previous.set.clone()),
            EventData::MariadbGtidList(list)
                if list.flags == 0 && !event.header.is_artificial() =>
            {
                Gtids::MariaDb(list.position())
            }
            _ => return None,
        };
        before.missing_in(read)?;
        let checkpoint = checkpoint();
        let lost = lost_gtids(&checkpoint, read, &before, Some(file))?;
        let exact = matches!(before, Gtids::MySql(_)) || lost.go_on == Start::Gtids(before);
        Some(Self {
            checkpoint,
            server_uuid: server_uuid(),
            lost,
            place: exact.then_some(place),
        })
    }

    /// What it takes from a stream that goes on from `checkpoint`, unless it is another server's.
    pub(super) fn into_lost(
        self,
        checkpoint: &Checkpoint,
        server_uuid: &str,
    ) -> Option<(Lost, Option<Place>)> {
        let place = |of: &Checkpoint| {
            let gtids = of.gtid_set.clone();
            (of.binlog_file.clone(), of.binlog_position, gtids)
        };
        (self.server_uuid == server_uuid && place(&self.checkpoint) == place(checkpoint))
            .then_some((self.lost, self.place))
    }
}

/// What a comparison has shown.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) lost: Option<Lost>,
    /// The checkpoint's place, where the server has it. MySQL's dump by GTIDs is to begin in its file: left to the server, it
    /// begins behind all files without new GTIDs, and leaves out what has no GTID there (`gtid_mode` was not `ON` for a
    /// while). MariaDB's is to begin at a place wherever that is known to be the same as the GTIDs.
    pub(super) place: Option<Place>,
    /// The GTIDs to go on behind, where they are not the checkpoint's.
    pub(super) read: Option<Gtids>,
}

/// What a server has in place of the file that a checkpoint stands in.
enum File {
    /// The file that was read, and all that was read of it.
    Intact,
    /// What shows that it is another, or that something of it is lost.
    Another(String),
    /// Nobody can tell.
    Unknown,
}

/// How a server compares with a checkpoint.
pub(super) struct Comparison<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) server_id: u32,
    /// It is another server than the one that the checkpoint's file and position are of.
    pub(super) took_over: bool,
}

impl Comparison<'_> {
    /// Compares, and takes no longer than `limit`.
    ///
    /// # Errors
    /// [`Error::Rewound`] and [`Error::Behind`] when the source cannot lead on from the checkpoint.
    pub(super) async fn within(
        &self,
        limit: Duration,
        server: &mut Server,
    ) -> Result<Compared, Error> {
        let host = server.options().clone();
        bounded(limit, &host, self.run(server)).await
    }

    async fn run(&self, server: &mut Server) -> Result<Compared, Error> {
        let checkpoint = self.checkpoint;
        let logs = server.binary_logs().await?;
        let file = match &logs {
            Some(logs) if !self.took_over => self.file(server, logs).await?,
            _ => File::Unknown,
        };
        if let File::Another(evidence) = file {
            return Err(rewound(server, evidence));
        }
        match checkpoint.mode {
            Mode::Position => Ok(Compared {
                lost: self
                    .lost_files(server, logs.as_deref().unwrap_or_default())
                    .await?,
                ..Compared::default()
            }),
            Mode::Gtid => {
                let oldest = logs.as_ref().and_then(|logs| match server.flavor() {
                    // Its files are asked what lies before them: also those behind a hole.
                    Flavor::MariaDb if !self.took_over => {
                        next_behind(&checkpoint.binlog_file, logs).or_else(|| logs.first())
                    }
                    _ => logs.first(),
                });
                let read = server::parse_set(&checkpoint.gtid_set, server.flavor())?;
                let intact = matches!(file, File::Intact);
                let held = self.counted(server, &read, oldest, intact).await?;
                if !self.took_over
                    && let Some(oldest) = oldest
                    && let Some(evidence) = began_anew(checkpoint, &read, &held, oldest)
                {
                    return Err(rewound(server, evidence));
                }
                let place = (checkpoint.binlog_file.clone(), checkpoint.binlog_position);
                let place = logs
                    .iter()
                    .flatten()
                    .any(|log| !self.took_over && log.name == place.0)
                    .then_some(place);
                if !self.took_over && server.flavor() == Flavor::MariaDb {
                    return domains::compare(server, checkpoint, &read, &held, oldest, place).await;
                }
                let oldest = oldest.map(|oldest| oldest.name.as_str());
                let lost = lost_gtids(checkpoint, &read, &held.purged, oldest);
                Ok(Compared {
                    place: place.filter(|_| lost.is_none()),
                    lost,
                    read: None,
                })
            }
        }
    }

    /// The files from the checkpoint's to the first that is still there.
    async fn lost_files(
        &self,
        server: &mut Server,
        logs: &[LogFile],
    ) -> Result<Option<Lost>, Error> {
        let Some(next) = next_behind(&self.checkpoint.binlog_file, logs) else {
            return Ok(None);
        };
        // A reset leaves no older file, and gives the next one any number.
        let may_be_reset = logs.first() == Some(next)
            && server
                .begun(&next.name, self.server_id)
                .await?
                .is_none_or(|begun| !begun.behind_another);
        Ok(Some(lost_up_to(self.checkpoint, &next.name, may_be_reset)))
    }

    /// Is the checkpoint's file the one that was read?
    async fn file(&self, server: &mut Server, logs: &[LogFile]) -> Result<File, Error> {
        let Checkpoint {
            binlog_file: file,
            binlog_position: position,
            binlog_created,
            ..
        } = self.checkpoint;
        // The source may be about to write: it lists what it has at this moment.
        if let Some(evidence) = ends_before(file, *position, logs) {
            return Ok(File::Another(evidence));
        }
        let Some(read) = binlog_created else {
            return Ok(File::Unknown);
        };
        if !logs.iter().any(|log| log.name == *file) {
            return Ok(File::Unknown);
        }
        Ok(match server.begun(file, self.server_id).await? {
            None => File::Unknown,
            Some(now) if now.at == *read => File::Intact,
            Some(now) => File::Another(format!(
                "its {file} was begun at {}, and the {file} that was read at {}",
                time(now.at),
                time(*read)
            )),
        })
    }

    /// The source's transactions, all that was read among them.
    async fn counted(
        &self,
        server: &mut Server,
        read: &Gtids,
        oldest: Option<&LogFile>,
        intact: bool,
    ) -> Result<Held, Error> {
        let until = Instant::now() + UNCOUNTED;
        loop {
            let held = server
                .held(oldest.map(|oldest| oldest.name.as_str()))
                .await?;
            let Some(missing) = read.missing_in(&held.executed) else {
                return Ok(held);
            };
            // MariaDB may log a lower number behind a higher one, and refuses a dump from a place that it does
            // not have.
            if !self.took_over && server.flavor() == Flavor::MariaDb {
                return Ok(held);
            }
            if self.took_over {
                return Err(Error::Behind {
                    address: server::address(server.options()),
                    missing: format!("the transactions {missing}"),
                });
            }
            if Instant::now() >= until && intact {
                return Err(Error::Pending {
                    address: server::address(server.options()),
                    missing,
                });
            }
            if Instant::now() >= until {
                let evidence =
                    format!("it no longer has the transactions {missing} that were read");
                return Err(rewound(server, evidence));
            }
            sleep(UNCOUNTED / 10).await;
        }
    }
}

/// No longer than `limit`, whatever `host` does.
async fn bounded<T>(
    limit: Duration,
    host: &ConnectOptions,
    questions: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(limit, questions).await.unwrap_or_else(|_| {
        let what = "the questions for a gap (--gap-timeout)";
        let error = source::Error::NoAnswer { what, after: limit };
        Err(server::source_error(host, error))
    })
}

fn rewound(server: &Server, evidence: String) -> Error {
    Error::Rewound {
        address: server::address(server.options()),
        evidence,
    }
}

fn time(seconds: u32) -> String {
    rfc3339(Micros::from(seconds).saturating_mul(1_000_000))
}

/// The source would count its GTIDs, and name its files, from the first again: once it has passed the checkpoint,
/// new transactions would be taken for old ones and left out.
fn ends_before(file: &str, position: u64, logs: &[LogFile]) -> Option<String> {
    if let Some(log) = logs.iter().find(|log| log.name == file) {
        return (log.size < position).then(|| {
            format!(
                "its {file} ends at {}, before {position} up to which it was read",
                log.size
            )
        });
    }
    let last = logs.last()?;
    let before =
        base(&last.name) == base(file) && log_order(&last.name, last.size) < log_order(file, 0);
    before.then(|| {
        format!(
            "its binary log ends in {}, before {file} that was read",
            last.name
        )
    })
}

/// The checkpoint's file is purged, and with it all that was read up to there. Where the oldest file that is left begins
/// before something of that, the numbers were given anew.
fn began_anew(
    checkpoint: &Checkpoint,
    read: &Gtids,
    held: &Held,
    oldest: &LogFile,
) -> Option<String> {
    let file = &checkpoint.binlog_file;
    if !is_purged(file, oldest) {
        return None;
    }
    let known = match (read, &held.purged) {
        // Of a domain that has been taken out of the binary logs they say nothing; that all were is less
        // likely than a reset.
        (Gtids::MariaDb(read), Gtids::MariaDb(purged)) if !purged.is_empty() => {
            let mut known = MariadbGtidSet::new();
            let domains: Vec<_> = purged.gtids().map(|gtid| gtid.domain).collect();
            for gtid in read.gtids().filter(|gtid| domains.contains(&gtid.domain)) {
                known.update(gtid);
            }
            Gtids::MariaDb(known)
        }
        _ => read.clone(),
    };
    let missing = known.missing_in(&held.purged)?;
    Some(format!(
        "its oldest binary log, {}, begins before the transactions {missing}, which were read from {file}, an older one",
        oldest.name
    ))
}

/// Is the file older than the oldest that is left?
fn is_purged(file: &str, oldest: &LogFile) -> bool {
    base(&oldest.name) == base(file) && log_order(file, 0) < log_order(&oldest.name, 0)
}

/// The first file that is still there behind one that is not.
fn next_behind<'l>(file: &str, logs: &'l [LogFile]) -> Option<&'l LogFile> {
    if logs.iter().any(|log| log.name == file) {
        return None;
    }
    logs.iter().find(|log| is_purged(file, log))
}

/// The source in the index that a server which the index does not know may go on with.
pub(super) fn predecessor<'a>(
    statuses: &'a [SourceStatus],
    attached: Option<u32>,
    flavor: Flavor,
    hosts: &[(&str, u16)],
) -> Option<(&'a SourceStatus, &'a Checkpoint)> {
    let candidates = statuses.iter().filter(|status| {
        let source = &status.source;
        source.flavor == flavor
            && match attached {
                Some(id) => status.source_id == id,
                None => hosts.contains(&(source.host.as_str(), source.port)),
            }
    });
    candidates
        .filter_map(|status| Some((status, status.state.checkpoint.as_ref()?)))
        .max_by_key(|(status, _)| status.state.last_checkpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::record::CaptureSkips;
    use crate::secret::Secret;

    pub(super) const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    pub(super) fn checkpoint(mode: Mode, gtid_set: &str) -> Checkpoint {
        Checkpoint {
            mode,
            binlog_file: "log.000007".to_owned(),
            binlog_position: 1000,
            binlog_created: None,
            gtid_set: gtid_set.to_owned(),
            next_change_id: 1,
            events_indexed: 0,
            last_event_time: Some(0),
            server_id: 1,
            lag_seconds: None,
            capture_skips: CaptureSkips::default(),
        }
    }

    pub(super) fn logs(names: &[(&str, u64)]) -> Vec<LogFile> {
        let log = |(name, size): &(&str, u64)| LogFile {
            name: (*name).to_owned(),
            size: *size,
        };
        names.iter().map(log).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn questions_that_take_too_long_are_given_up_and_asked_again_later() {
        let host = ConnectOptions::new("db", 3306, "u", Secret::default());
        let began = Instant::now();
        let limit = Duration::from_secs(7);
        let error = bounded(limit, &host, std::future::pending::<Result<(), _>>()).await;
        let error = error.unwrap_err();
        assert_eq!(began.elapsed(), limit);
        assert_eq!(
            error.to_string(),
            "source db:3306: the server has not answered the questions for a gap (--gap-timeout) in 7s"
        );
        assert!(error.may_pass());
        assert_eq!(error.exit_code(), 17);
        let slow = async {
            sleep(Duration::from_secs(6)).await;
            Ok(5)
        };
        assert!(matches!(bounded(limit, &host, slow).await, Ok(5)));
    }

    #[test]
    fn a_log_that_goes_on_and_one_that_does_not() {
        let rewound = |names: &[(&str, u64)]| ends_before("log.000007", 1000, &logs(names));
        assert_eq!(rewound(&[("log.000006", 5), ("log.000007", 1000)]), None);
        assert_eq!(rewound(&[("log.000008", 5)]), None);
        // The number after 999999 has seven digits.
        assert_eq!(rewound(&[("log.1000000", 5)]), None);
        assert_eq!(rewound(&[("other.000001", 5)]), None);
        let short = rewound(&[("log.000007", 999)]).unwrap();
        assert!(short.contains("ends at 999, before 1000"), "{short}");
        let behind = rewound(&[("log.000006", 5000)]).unwrap();
        assert!(behind.contains("ends in log.000006"), "{behind}");
    }

    #[test]
    fn numbers_that_were_given_anew() {
        let began_anew = |read: &str, purged: &str, oldest: &str, flavor| {
            let parse = |text| Gtids::parse(text, flavor).unwrap();
            let held = Held {
                executed: parse(read),
                purged: parse(purged),
            };
            let oldest = &logs(&[(oldest, 5)])[0];
            super::began_anew(&checkpoint(Mode::Gtid, read), &parse(read), &held, oldest)
        };
        let (read, up_to_4) = (format!("{A}:1-5"), format!("{A}:1-4"));
        let mysql = |purged: &str, oldest| began_anew(&read, purged, oldest, Flavor::MySql);
        let evidence = mysql(&up_to_4, "log.000009").unwrap();
        assert!(
            evidence.contains(&format!("transactions {A}:5,")),
            "{evidence}"
        );
        assert!(evidence.contains("read from log.000007"), "{evidence}");
        assert_eq!(mysql(&read, "log.000009"), None);
        // What was read is in the files that are left.
        assert_eq!(mysql(&up_to_4, "log.000007"), None);
        assert_eq!(mysql(&up_to_4, "other.000009"), None);
        let mariadb =
            |purged: &str| began_anew("0-1-5,7-2-9", purged, "log.000009", Flavor::MariaDb);
        assert_eq!(mariadb("0-1-5,7-2-9"), None);
        assert_eq!(mariadb("0-3-6"), None);
        assert!(mariadb("").unwrap().contains("transactions 0-1-5,7-2-9,"));
        let evidence = mariadb("0-1-4,7-2-9").unwrap();
        assert!(evidence.contains("transactions 0-1-5,"), "{evidence}");
    }

    #[test]
    fn transactions_that_a_server_lacks() {
        let of = |read: &str, executed: &str, flavor| {
            let parse = |text| Gtids::parse(text, flavor).unwrap();
            parse(read).missing_in(&parse(executed))
        };
        let mysql = |executed: &str| of(&format!("{A}:1-5"), executed, Flavor::MySql);
        assert_eq!(mysql(&format!("{A}:1-6")), None);
        assert_eq!(mysql(&format!("{A}:1-3")), Some(format!("{A}:4-5")));
        let mariadb = |executed: &str| of("0-1-5,1-1-7", executed, Flavor::MariaDb);
        assert_eq!(mariadb("0-2-9,1-1-7"), None);
        assert_eq!(mariadb("0-2-9"), Some("1-1-7".to_owned()));
        assert_eq!(mariadb("0-2-4,1-1-8"), Some("0-1-5".to_owned()));
    }
}
