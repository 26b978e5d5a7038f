//! A source under load, an index server, and the streams between them.

use std::sync::Arc;
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use bintrail_testkit::Result;
use bintrail_testkit::check::{Replay, same_events};
use bintrail_testkit::oracle::Oracle;
use bintrail_testkit::proxy::Proxy;
use bintrail_testkit::schema::Catalog;
use bintrail_testkit::server::Server;
use bintrail_testkit::value::Charsets;
use bintrail_testkit::workload::{Plan, Report, Rng, Workload, schemas};

use super::Tally;
use super::subject::{Excuse, Subject};
use crate::support::{Scratch, Stream, index_server, source};

/// Longest wait for the streams once the faults are over.
const PATIENCE: Duration = Duration::from_secs(200);

pub(super) struct Scene {
    pub(super) about: String,
    pub(super) source: Arc<Server>,
    pub(super) keeper: Option<Arc<Server>>,
    pub(super) workload: Arc<Workload>,
    pub(super) subjects: Vec<Subject>,
    scratch: Scratch,
}

impl Scene {
    /// Servers with settings drawn from `rng`, and a stream of each of the modes and backends.
    pub(super) fn set(rng: &mut Rng, mode: &str, backend: &str) -> Result<Scene> {
        let full = rng.chance(60);
        // A kill -9 must not lose what the source has sent: that needs it written, not synced.
        let mut options = vec!["--innodb-flush-log-at-trx-commit=2"];
        options.push(rng.pick(&["--max-binlog-size=256K", "--max-binlog-size=16M"]));
        if full {
            options.push("--binlog-row-metadata=FULL");
        }
        let mysql = ["all", "mysql"].contains(&backend);
        let load = rng.pick(&["--local-infile=OFF", "--local-infile=ON"]);
        let flush = rng.pick(&[
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-log-at-trx-commit=2",
        ]);
        let mut about = format!("source {}", options.join(" "));
        let keeper = if mysql {
            about += &format!(", index {load} {flush}");
            Some(Arc::new(index_server(&[load, flush])))
        } else {
            None
        };
        let source = Arc::new(source(&options));
        let scratch = Scratch::new();
        let gtids = source.client()?.string("SELECT @@gtid_executed")?;
        let mut subjects = Vec::new();
        for (at, kind, keeper) in [("sqlite", None), ("mysql", keeper.as_ref())]
            .into_iter()
            .flat_map(|(at, keeper)| [(at, "gtid", keeper), (at, "position", keeper)])
            .filter(|(at, kind, _)| {
                [*at, "all"].contains(&backend) && [*kind, "all"].contains(&mode)
            })
        {
            let id = (5_000 + subjects.len()).to_string();
            let batch = rng.pick(&[1, 100, 1_000, 5_000]).to_string();
            let tls = |rng: &mut Rng| {
                if rng.chance(30) {
                    "required"
                } else {
                    "disabled"
                }
            };
            let (tls, index_tls) = (tls(rng), tls(rng));
            let start = match kind {
                "gtid" => ["--start-gtid", &gtids],
                _ => ["--start-file", "mysql-bin.000001"],
            };
            let mut arguments = vec![
                "--server-id",
                &id,
                "--batch-size",
                &batch,
                "--ssl-mode",
                tls,
            ];
            arguments.extend(start);
            if keeper.is_some() {
                arguments.extend(["--index-ssl-mode", index_tls]);
            }
            let name = format!("{at}-{kind}");
            about += &format!(", {name} (batch {batch}, TLS {tls}, index {index_tls})");
            let stream = Stream::new(
                &name,
                &source,
                keeper.map(AsRef::as_ref),
                &scratch,
                &arguments,
            );
            let link = Proxy::start(source.port, rng.word())?;
            let index_link = keeper.map(|keeper| Proxy::start(keeper.port, rng.word()));
            subjects.push(Subject::new(stream, link, index_link.transpose()?));
        }
        let plan = Plan {
            sessions: 6,
            ddl: full,
            rate: Some(1_000),
            bulk_rows: 4_000,
            bulks: 1,
            outages: true,
            ..Plan::mixed(rng.word(), u64::MAX)
        };
        let workload = Arc::new(Workload::create(&source, plan)?);
        Ok(Scene {
            about,
            source,
            keeper,
            workload,
            subjects,
            scratch,
        })
    }

    pub(super) fn work(&self) -> JoinHandle<Result<(Report, Catalog)>> {
        let workload = Arc::clone(&self.workload);
        thread::spawn(move || workload.run())
    }

    /// Starts what ended again.
    pub(super) fn watch(&mut self, excuses: &[Excuse], tally: &mut Tally) -> Result<()> {
        self.subjects
            .iter_mut()
            .try_for_each(|subject| subject.watch(excuses, tally))
    }

    /// Waits until every stream has all that the source has.
    pub(super) fn settle(&mut self, excuses: &[Excuse], tally: &mut Tally) -> Result<()> {
        // The last thing in the binlog is a transaction, behind which every stream comes to stand.
        self.source.client()?.run(
            "INSERT INTO `shop`.`parted` (`id`, `n`) SELECT MIN(`id`) - 1, 0 FROM `shop`.`parted`",
        )?;
        let position = self.source.position()?;
        let started = Instant::now();
        loop {
            self.watch(excuses, tally)?;
            let behind = self
                .subjects
                .iter()
                .map(|subject| (&subject.stream, subject.stream.state()))
                .find(|(_, state)| state.as_ref() != Ok(&position));
            let Some((stream, state)) = behind else {
                return Ok(());
            };
            if started.elapsed() > PATIENCE {
                let log = stream.log();
                let tail: Vec<&str> = log.lines().rev().take(40).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                return Err(format!(
                    "{} is at {state:?}, the source at {position:?}, {} s after the last fault\n{}",
                    stream.name,
                    PATIENCE.as_secs(),
                    tail.join("\n")
                )
                .into());
            }
            sleep(Duration::from_millis(200));
        }
    }

    /// Compares every index with the binlog, and what it rebuilds with the source's tables.
    pub(super) fn check(&mut self, catalog: &Catalog, tally: &mut Tally) -> Result<()> {
        let mut charsets = Charsets::new(self.source.client()?)?;
        for subject in &mut self.subjects {
            let Stream { name, index, .. } = &subject.stream;
            let about = |error| format!("{name}: {error}");
            let oracle = Oracle::of(&self.source)?;
            let count =
                same_events(index.open()?, oracle, catalog, &mut charsets).map_err(about)?;
            let mut replay = Replay::new(catalog, false);
            replay.index(index.open()?).map_err(about)?;
            tally.rows += replay
                .same_tables(&mut self.source.client()?, &schemas())
                .map_err(about)?;
            let skips = index
                .open()?
                .string("SELECT capture_skips FROM stream_state")?;
            if skips.as_deref() != Some("{}") {
                return Err(format!("{name}: skipped {skips:?}").into());
            }
            tally.compared += count;
            tally.fresh += count - subject.compared;
            subject.compared = count;
        }
        Ok(())
    }

    /// Leaves servers' data and logs behind, and says where.
    pub(super) fn keep(self) -> String {
        drop(self.subjects);
        let mut kept = format!("logs and SQLite indexes: {}", self.scratch.0.display());
        for server in [Some(self.source), self.keeper].into_iter().flatten() {
            kept += &format!("\nserver {}: {}", server.name, server.datadir.display());
            if let Err(error) = server.stop() {
                kept += &format!(" ({error})");
            }
            std::mem::forget(server);
        }
        std::mem::forget(self.scratch);
        kept
    }
}
