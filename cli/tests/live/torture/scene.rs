//! A source under load, an index server, and the streams between them.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bintrail_testkit::Result;
use bintrail_testkit::proxy::Proxy;
use bintrail_testkit::server::Server;
use bintrail_testkit::workload::{Plan, Rng};

use super::Tally;
use super::load::{Load, Working};
use super::subject::{Excuse, Subject};
use crate::disk::Disk;
use crate::support::{Scratch, Stream, index_server, source_of};

/// Longest wait for the streams once the faults are over.
const PATIENCE: Duration = Duration::from_secs(200);

/// What the SQLite indexes may take.
pub(super) const DISK: &str = "8G";

pub(super) struct Scene {
    pub(super) about: String,
    pub(super) source: Arc<Server>,
    pub(super) keeper: Option<Arc<Server>>,
    pub(super) load: Load,
    /// Does the source know ACCOUNT LOCK?
    pub(super) locks_accounts: bool,
    pub(super) subjects: Vec<Subject>,
    /// Where the SQLite indexes are, when this process may mount one.
    pub(super) disk: Option<Disk>,
    scratch: Scratch,
}

impl Scene {
    /// Servers with settings drawn from `rng`, and a stream of each of the modes and backends.
    pub(super) fn set(rng: &mut Rng, kind: &str, mode: &str, backend: &str) -> Result<Scene> {
        let newest = kind == "mysql97";
        let has_tls = newest || kind == "mariadb11";
        let full = rng.chance(60);
        // A kill -9 must not lose what the source has sent: that needs it written, not synced.
        let mut options = vec!["--innodb-flush-log-at-trx-commit=2"];
        options.push(rng.pick(&["--max-binlog-size=256K", "--max-binlog-size=16M"]));
        if full && newest {
            options.push("--binlog-row-metadata=FULL");
        }
        let mysql = ["all", "mysql"].contains(&backend);
        let load = rng.pick(&["--local-infile=OFF", "--local-infile=ON"]);
        let flush = rng.pick(&[
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-log-at-trx-commit=2",
        ]);
        let mut about = format!("{kind} {}", options.join(" "));
        let keeper = if mysql {
            about += &format!(", index {load} {flush}");
            Some(Arc::new(index_server(&[load, flush])))
        } else {
            None
        };
        let source = Arc::new(source_of(kind, &options));
        let scratch = Scratch::new();
        let disk = std::env::var_os("BINTRAIL_TORTURE_DISK").map(|_| {
            let at = scratch.0.join("disk");
            fs::create_dir(&at)?;
            Ok::<_, std::io::Error>(Disk::mount(&at, DISK))
        });
        let disk = disk.transpose()?;
        let load = if newest {
            let plan = Plan {
                sessions: 6,
                ddl: full,
                rate: Some(1_000),
                bulk_rows: 4_000,
                bulks: 1,
                outages: true,
                ..Plan::mixed(rng.word(), u64::MAX)
            };
            Load::full(&source, plan)?
        } else {
            Load::plain(&source, kind, rng.word())?
        };
        let file = source.binlog_files()?.remove(0);
        let file = file.file_name().unwrap_or_default().to_string_lossy();
        let mut subjects = Vec::new();
        for (at, by, keeper) in [("sqlite", None), ("mysql", keeper.as_ref())]
            .into_iter()
            .flat_map(|(at, keeper)| [(at, "gtid", keeper), (at, "position", keeper)])
            .filter(|(at, by, _)| [*at, "all"].contains(&backend) && [*by, "all"].contains(&mode))
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
            // The others have no certificate, or only TLS that is too old.
            let tls = if has_tls { tls } else { "disabled" };
            let start = match by {
                "gtid" => ["--start-gtid", ""],
                _ => ["--start-file", &file],
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
            let name = format!("{at}-{by}");
            about += &format!(", {name} (batch {batch}, TLS {tls}, index {index_tls})");
            let stream = Stream::new(
                &name,
                &source,
                keeper.map(AsRef::as_ref),
                &scratch,
                &arguments,
            );
            if disk.is_some() && keeper.is_none() {
                let index = scratch.0.join("disk").join(format!("{name}.db"));
                symlink(index, scratch.0.join(&name).join("index.db"))?;
            }
            let link = Proxy::start(source.port, rng.word())?;
            let index_link = keeper.map(|keeper| Proxy::start(keeper.port, rng.word()));
            subjects.push(Subject::new(stream, link, index_link.transpose()?));
        }
        Ok(Scene {
            about,
            source,
            keeper,
            load,
            locks_accounts: newest,
            subjects,
            disk,
            scratch,
        })
    }

    pub(super) fn work(&self) -> Working {
        self.load.start(&self.source)
    }

    /// Starts what ended again.
    pub(super) fn watch(&mut self, excuses: &[Excuse], tally: &mut Tally) -> Result<()> {
        self.subjects
            .iter_mut()
            .try_for_each(|subject| subject.watch(excuses, tally))
    }

    /// Waits until every stream has all that the source has.
    pub(super) fn settle(&mut self, excuses: &[Excuse], tally: &mut Tally) -> Result<()> {
        self.load.last(&mut self.source.client()?)?;
        let started = Instant::now();
        loop {
            self.watch(excuses, tally)?;
            // MariaDB writes events of its own behind the last transaction, some time later.
            let position = self.source.position()?;
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
    pub(super) fn check(&mut self, tally: &mut Tally) -> Result<()> {
        for subject in &mut self.subjects {
            let (events, rows) = self
                .load
                .check(&subject.stream, &self.source)
                .map_err(|error| format!("{}: {error}", subject.stream.name))?;
            tally.compared += events;
            tally.fresh += events - subject.compared;
            tally.rows += rows;
            subject.compared = events;
        }
        Ok(())
    }

    /// Leaves servers' data and logs behind, and says where.
    pub(super) fn keep(self) -> String {
        drop(self.subjects);
        let mut kept = format!("logs and SQLite indexes: {}", self.scratch.0.display());
        if self.disk.is_some() {
            // It is gone with this process.
            let copied = Command::new("cp")
                .arg("-a")
                .args(["disk", "kept"].map(|name| self.scratch.0.join(name)))
                .status();
            kept += &format!("/kept ({copied:?})");
        }
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
