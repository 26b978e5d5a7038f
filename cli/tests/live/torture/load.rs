//! What the source does meanwhile, and what its indexes are compared with.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use bintrail_testkit::Result;
use bintrail_testkit::check::{Replay, same_events};
use bintrail_testkit::client::Client;
use bintrail_testkit::oracle::Oracle;
use bintrail_testkit::schema::Catalog;
use bintrail_testkit::server::Server;
use bintrail_testkit::value::Charsets;
use bintrail_testkit::workload::{Plan, Workload, schemas};

use crate::other_servers::{KINDS, Kind, Work, check, printed};
use crate::support::Stream;

pub(super) enum Load {
    /// MySQL 9.7, with tables of every shape, and what they looked like.
    Full(Arc<Workload>, Catalog),
    /// Another kind of server, with fewer.
    Plain(&'static Kind, Arc<Plain>),
}

pub(super) struct Plain {
    work: Mutex<Work<'static>>,
    stop: AtomicBool,
}

/// A round of work, until [`Load::stop`]; it ends with the catalog, where there is one.
pub(super) type Working = JoinHandle<Result<Catalog>>;

impl Load {
    pub(super) fn full(server: &Server, plan: Plan) -> Result<Load> {
        let workload = Arc::new(Workload::create(server, plan)?);
        Ok(Load::Full(workload, Catalog::default()))
    }

    pub(super) fn plain(server: &Server, kind: &str, seed: u64) -> Result<Load> {
        static ALL: [Kind; 3] = KINDS;
        let kind = ALL.iter().find(|known| known.name == kind);
        let kind = kind.ok_or("no such kind of source")?;
        let work = Work::new(kind, seed);
        work.create(&mut server.client()?)?;
        let plain = Plain {
            work: Mutex::new(work),
            stop: AtomicBool::new(false),
        };
        Ok(Load::Plain(kind, Arc::new(plain)))
    }

    /// Begins to work.
    pub(super) fn start(&self, server: &Arc<Server>) -> Working {
        match self {
            Load::Full(workload, _) => {
                let workload = Arc::clone(workload);
                thread::spawn(move || Ok(workload.run()?.1))
            }
            Load::Plain(kind, plain) => {
                let (plain, server) = (Arc::clone(plain), Arc::clone(server));
                plain.stop.store(false, Ordering::Relaxed);
                // MySQL 5.6 does not log the commit of a transaction that it found prepared after a crash.
                let ends = match kind.name {
                    "mysql56" => "ROLLBACK",
                    _ => "COMMIT",
                };
                thread::spawn(move || {
                    plain.run(&server, ends);
                    Ok(Catalog::default())
                })
            }
        }
    }

    /// Ends a round of work: what it began is over when this returns.
    pub(super) fn stop(&mut self, working: Working) -> Result<()> {
        match self {
            Load::Full(workload, _) => workload.stop(),
            Load::Plain(_, plain) => plain.stop.store(true, Ordering::Relaxed),
        }
        let found = working.join().map_err(|_| "the workload panicked")??;
        if let Load::Full(_, catalog) = self {
            *catalog = found;
        }
        Ok(())
    }

    /// A last transaction, behind which every stream comes to stand.
    pub(super) fn last(&self, client: &mut Client) -> Result<()> {
        match self {
            Load::Full(..) => client
                .run(
                    "INSERT INTO `shop`.`parted` (`id`, `n`) \
                     SELECT LEAST(0, MIN(`id`)) - 1, 0 FROM `shop`.`parted`",
                )
                .map(drop),
            Load::Plain(_, plain) => plain.work.lock().map_err(|_| "poisoned")?.last(client),
        }
    }

    /// Compares an index with the binlog, and what it rebuilds with the source's tables. Returns how many events and
    /// rows these were.
    pub(super) fn check(&self, stream: &Stream, source: &Server) -> Result<(u64, u64)> {
        let index = || stream.index.open();
        match self {
            Load::Full(_, catalog) => {
                let mut charsets = Charsets::new(source.client()?)?;
                let oracle = Oracle::of(source)?;
                let count = same_events(index()?, oracle, catalog, &mut charsets)?;
                let mut replay = Replay::new(catalog, false);
                replay.index(index()?)?;
                let rows = replay.same_tables(&mut source.client()?, &schemas())?;
                let skips = index()?.string("SELECT capture_skips FROM stream_state")?;
                if skips.as_deref() != Some("{}") {
                    return Err(format!("skipped {skips:?}").into());
                }
                Ok((count, rows))
            }
            Load::Plain(kind, _) => {
                let expected = printed(source);
                check(stream, kind, source, &expected);
                let rows = source.client()?.string("SELECT COUNT(*) FROM w.t")?;
                Ok((expected.len() as u64, rows.parse()?))
            }
        }
    }
}

impl Plain {
    fn run(&self, server: &Server, ends: &str) {
        let mut work = self.work.lock().unwrap();
        let mut client = None;
        while !self.stop.load(Ordering::Relaxed) {
            let connected = client
                .take()
                .map_or_else(|| connect(server, ends), Ok)
                .and_then(|mut client| work.step(&mut client).map(|()| client));
            // What fails now, for want of a server, is another transaction's chance later.
            client = connected.ok();
            sleep(Duration::from_millis(if client.is_some() {
                5
            } else {
                200
            }));
        }
    }
}

/// Connects, and ends what was prepared when the server went away.
fn connect(server: &Server, ends: &str) -> Result<Client> {
    let mut client = server.client()?;
    for row in client.strings("XA RECOVER")? {
        client.run(&format!("XA {ends} '{}'", row[3]))?;
    }
    Ok(client)
}
