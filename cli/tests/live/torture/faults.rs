//! The faults: what they do, what undoes them, and which exits of a stream they explain.

use std::sync::Arc;
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use bintrail_testkit::Result;
use bintrail_testkit::proxy::{Break, Flow, Kind, Part, Proxy, Trap};
use bintrail_testkit::server::Server;
use bintrail_testkit::workload::Rng;

use super::Tally;
use super::scene::{DISK, Scene};
use super::subject::{Excuse, Subject};

/// How long behind a fault a stream may still end for it: a connection attempt takes its time.
const GRACE: Duration = Duration::from_secs(20);

/// What the loss of the source explains in a stream that begins.
const SOURCE_AWAY: &[i32] = &[10, 12, 17];
/// The same of the index; its lock may be held by a connection that nobody is behind any more.
const INDEX_AWAY: &[i32] = &[20, 24, 28];

/// The event types that a source of this workload sends: query, rotate, format description, XID, table map, rows, GTIDs,
/// XA prepare, heartbeat.
const EVENTS: [u8; 12] = [2, 4, 15, 16, 19, 30, 31, 32, 33, 35, 38, 41];

const COM_QUERY: u8 = 3;
const COM_PING: u8 = 14;
const COM_PREPARE: u8 = 22;
const COM_EXECUTE: u8 = 23;
const COM_BINLOG_DUMP: u8 = 0x12;
const COM_BINLOG_DUMP_GTID: u8 = 0x1e;

/// The faults of a round.
#[derive(Default)]
pub(super) struct Faults {
    active: Vec<Active>,
    pub(super) excuses: Vec<Excuse>,
}

struct Active {
    until: Instant,
    undo: Undo,
    excuse: usize,
}

enum Undo {
    /// A link of a subject: the index's, or the source's.
    Link(usize, bool),
    /// A trap on it, the packet's kind, and how many had struck before.
    Trap(usize, bool, Kind, u64),
    /// A statement for the source, or for the index.
    Source(&'static str),
    Index(&'static str),
    /// The disk of the SQLite indexes.
    Disk,
    /// A server that comes back, or something that ends by itself.
    Thread(Option<JoinHandle<Result<()>>>, bool),
    Nothing,
}

fn link(subject: &Subject, index: bool) -> &Proxy {
    subject
        .index
        .as_ref()
        .filter(|_| index)
        .unwrap_or(&subject.source)
}

fn run(server: &Server, sql: &str) -> Result<()> {
    server.client()?.run(sql).map(drop)
}

/// Ends the connections of an account, one of them or all.
fn end_sessions(server: &Server, user: &str, all: bool) -> Result<()> {
    let mut client = server.client()?;
    let rows = client.strings("SHOW PROCESSLIST")?;
    let own = rows.iter().filter(|row| row[1] == user);
    for row in own.take(if all { usize::MAX } else { 1 }) {
        // It may have ended by itself.
        client.run(&format!("KILL {}", row[0])).ok();
    }
    Ok(())
}

/// `kill -9`, and a start a while later.
fn outage(server: &Arc<Server>, away: Duration) -> JoinHandle<Result<()>> {
    let server = Arc::clone(server);
    thread::spawn(move || {
        server.kill()?;
        sleep(away);
        server.restart()
    })
}

fn some_trap(rng: &mut Rng, index: bool) -> Trap {
    let kind = match (index, rng.below(12)) {
        (_, 0) => Kind::Greeting,
        (_, 1) => Kind::Login,
        (_, 2) => Kind::Auth,
        (_, 3) => Kind::Tls,
        (_, 4) => Kind::TlsRequest,
        (_, 5) => Kind::Command(COM_QUERY),
        (true, 6) => Kind::Command(COM_PREPARE),
        (true, 7) => Kind::Command(COM_EXECUTE),
        (true, 8) => Kind::Command(COM_PING),
        (true, 9) => Kind::Upload,
        (true, _) | (false, 6) => Kind::Answer,
        (false, 7) => Kind::Command(rng.pick(&[COM_BINLOG_DUMP, COM_BINLOG_DUMP_GTID])),
        (false, _) => Kind::Event(rng.pick(&EVENTS)),
    };
    Trap {
        kind,
        skip: {
            let bound = rng.pick(&[1, 4, 40]);
            rng.below(bound)
        },
        part: rng.pick(&[Part::Before, Part::Within, Part::Behind]),
        how: some_break(rng),
    }
}

fn some_break(rng: &mut Rng) -> Break {
    rng.pick(&[Break::Fin, Break::Reset, Break::Ghost, Break::HalfOpen])
}

fn millis(rng: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(from + rng.below(to - from))
}

impl Faults {
    fn begin(&mut self, codes: &'static [i32], young: bool, lasts: Duration, undo: Undo) {
        self.active.push(Active {
            until: Instant::now() + lasts,
            undo,
            excuse: self.excuses.len(),
        });
        self.excuses.push(Excuse {
            codes,
            young,
            until: None,
        });
    }

    /// One random fault. One that cannot be done now is left out.
    pub(super) fn strike(
        &mut self,
        scene: &mut Scene,
        rng: &mut Rng,
        tally: &mut Tally,
    ) -> Result<()> {
        let numbers: Vec<usize> = (0..scene.subjects.len()).collect();
        let number = rng.pick(&numbers);
        let subject = &mut scene.subjects[number];
        let index = subject.index.is_some() && rng.chance(55);
        let place = if index { "index" } else { "source" };
        let away = if index { INDEX_AWAY } else { SOURCE_AWAY };
        let keeper = scene.keeper.as_ref();
        match rng.below(100) {
            0..14 => {
                subject.kill();
                self.begin(&[24], true, Duration::ZERO, Undo::Nothing);
                tally.fault("kill -9 of bintrail");
            }
            14..19 => {
                tally.fault("SIGTERM to bintrail");
                subject.terminate(&self.excuses, tally)?;
            }
            19..23 => self.server_outage(&scene.source, "source", millis(rng, 0, 2_500), tally),
            23..28 => {
                if let Some(keeper) = keeper {
                    self.server_outage(keeper, "index", millis(rng, 0, 2_500), tally);
                }
            }
            28..52 => {
                let trap = some_trap(rng, index);
                let link = link(subject, index);
                let before = link.struck();
                link.trap(trap);
                // What is connected already passes no such packet.
                let connecting = !matches!(
                    trap.kind,
                    Kind::Event(2 | 16..) | Kind::Upload | Kind::Command(COM_EXECUTE | COM_PING)
                );
                if connecting {
                    link.break_all(Break::Reset);
                }
                let lasts = millis(rng, 2_000, if index { 8_000 } else { 25_000 });
                self.begin(
                    away,
                    true,
                    lasts,
                    Undo::Trap(number, index, trap.kind, before),
                );
            }
            52..62 => {
                let how = some_break(rng);
                link(subject, index).break_all(how);
                let lasts = millis(rng, 500, if index { 8_000 } else { 25_000 });
                self.begin(away, true, lasts, Undo::Link(number, index));
                tally.fault(&format!("{place} link: {how:?}"));
            }
            62..74 => {
                let flow = match rng.below(4) {
                    0 => Flow::Dribble,
                    1 => Flow::Late(millis(rng, 5, 300)),
                    2 => Flow::Stall,
                    _ => Flow::Refuse,
                };
                link(subject, index).flow(flow);
                let lasts = millis(rng, 300, if flow == Flow::Stall { 20_000 } else { 6_000 });
                self.begin(away, true, lasts, Undo::Link(number, index));
                let name = match flow {
                    Flow::Late(_) => "delay",
                    Flow::Dribble => "dribble",
                    Flow::Stall => "black hole",
                    _ => "refusal",
                };
                tally.fault(&format!("{place} link: {name}"));
            }
            74..79 => {
                if run(&scene.source, "FLUSH BINARY LOGS").is_ok() {
                    tally.fault("FLUSH BINARY LOGS");
                }
            }
            79..83 => {
                if end_sessions(&scene.source, "capture", rng.chance(50)).is_ok() {
                    tally.fault("KILL on the source");
                }
                self.begin(SOURCE_AWAY, true, Duration::ZERO, Undo::Nothing);
            }
            83..86 => {
                let lock = scene.locks_accounts && rng.chance(50);
                let (take, give) = if lock {
                    (
                        "ALTER USER capture ACCOUNT LOCK",
                        "ALTER USER capture ACCOUNT UNLOCK",
                    )
                } else {
                    (
                        "REVOKE REPLICATION SLAVE ON *.* FROM capture",
                        "GRANT REPLICATION SLAVE ON *.* TO capture",
                    )
                };
                if run(&scene.source, take).is_ok() {
                    end_sessions(&scene.source, "capture", true).ok();
                    tally.fault("privileges revoked on the source");
                }
                let lasts = millis(rng, 500, 5_000);
                // Waited for by a stream that is under way.
                self.begin(&[10, 11, 13, 17], true, lasts, Undo::Source(give));
            }
            86.. => {
                let subject = &scene.subjects[number];
                if let Some(keeper) = keeper
                    && subject.index.is_some()
                {
                    self.at_index(keeper, subject, rng, tally);
                } else if let Some(disk) = &scene.disk
                    && rng.chance(50)
                {
                    disk.shrink(rng.pick(&[0, 64 << 10, 1 << 20]))?;
                    // Waited for by a stream that is under way.
                    self.begin(&[20, 25], true, millis(rng, 500, 8_000), Undo::Disk);
                    tally.fault("full disk under the SQLite indexes");
                } else {
                    self.hold(subject, rng, tally);
                }
            }
        }
        Ok(())
    }

    fn server_outage(
        &mut self,
        server: &Arc<Server>,
        which: &str,
        away: Duration,
        tally: &mut Tally,
    ) {
        let source = which == "source";
        let under_way =
            |active: &Active| matches!(active.undo, Undo::Thread(_, of) if of == source);
        if self.active.iter().any(under_way) {
            return;
        }
        let thread = outage(server, away);
        let codes = if source { SOURCE_AWAY } else { INDEX_AWAY };
        // It is over when the thread is.
        self.begin(
            codes,
            true,
            Duration::ZERO,
            Undo::Thread(Some(thread), source),
        );
        tally.fault(&format!("kill -9 and restart of the {which}"));
    }

    /// Keeps the checkpoint from being written for a while.
    fn hold(&mut self, subject: &Subject, rng: &mut Rng, tally: &mut Tally) {
        let (index, time) = (subject.stream.index.clone(), millis(rng, 200, 6_000));
        // What it ends with is of no matter: the index may have gone away meanwhile.
        thread::spawn(move || index.hold(time).ok());
        self.begin(INDEX_AWAY, true, time, Undo::Nothing);
        tally.fault("the index locked by another");
    }

    fn at_index(&mut self, keeper: &Server, subject: &Subject, rng: &mut Rng, tally: &mut Tally) {
        type Fault = (&'static str, &'static [i32], &'static str, &'static str);
        const FAULTS: [Fault; 6] = [
            (
                "index read-only",
                &[20, 24, 26],
                "SET GLOBAL super_read_only = ON",
                "SET GLOBAL super_read_only = OFF, GLOBAL read_only = OFF",
            ),
            (
                "max_allowed_packet small on the index",
                &[20, 24, 25],
                "SET GLOBAL max_allowed_packet = 16384",
                "SET GLOBAL max_allowed_packet = DEFAULT",
            ),
            (
                "max_allowed_packet small on the index",
                &[20, 24, 25],
                "SET GLOBAL max_allowed_packet = 262144",
                "SET GLOBAL max_allowed_packet = DEFAULT",
            ),
            (
                "privileges revoked on the index",
                &[20, 21, 24],
                "REVOKE INSERT ON *.* FROM keeper",
                "GRANT INSERT ON *.* TO keeper",
            ),
            (
                "privileges revoked on the index",
                &[20, 21, 24],
                "ALTER USER keeper ACCOUNT LOCK",
                "ALTER USER keeper ACCOUNT UNLOCK",
            ),
            ("KILL on the index", INDEX_AWAY, "DO 0", "DO 0"),
        ];
        if rng.chance(20) {
            return self.hold(subject, rng, tally);
        }
        let (name, codes, take, give) = rng.pick(&FAULTS);
        if run(keeper, take).is_ok() {
            // New sessions feel it, and some of what is under way too.
            if take == give || rng.chance(70) {
                end_sessions(keeper, "keeper", rng.chance(70)).ok();
            }
            tally.fault(name);
        }
        let lasts = millis(rng, 500, 5_000);
        // All but a row that is too large (25) is waited for by a stream that is under way.
        let young = !codes.contains(&25);
        self.begin(codes, young, lasts, Undo::Index(give));
    }

    /// Undoes the faults whose time is over.
    pub(super) fn pass(&mut self, scene: &mut Scene, tally: &mut Tally) -> Result<()> {
        let mut n = 0;
        while n < self.active.len() {
            let Active {
                until,
                undo,
                excuse,
            } = &mut self.active[n];
            if *until > Instant::now() {
                n += 1;
                continue;
            }
            let over = match undo {
                Undo::Nothing => true,
                Undo::Link(subject, index) => {
                    link(&scene.subjects[*subject], *index).heal();
                    true
                }
                Undo::Trap(subject, index, kind, before) => {
                    let link = link(&scene.subjects[*subject], *index);
                    link.heal();
                    if link.struck() > *before {
                        let place = if *index { "index" } else { "source" };
                        tally.fault(&format!("{place} link: cut at {kind:?}"));
                    }
                    true
                }
                // A server that is away gets them when it is back.
                Undo::Source(sql) => run(&scene.source, sql).is_ok(),
                Undo::Disk => scene
                    .disk
                    .as_ref()
                    .is_none_or(|disk| disk.resize(DISK).is_ok()),
                Undo::Index(sql) => scene.keeper.as_ref().is_none_or(|at| run(at, sql).is_ok()),
                Undo::Thread(thread, _) => {
                    let ended = thread.take_if(|thread| thread.is_finished());
                    let over = ended.is_some();
                    if let Some(ended) = ended {
                        ended.join().map_err(|_| "a server's restart panicked")??;
                    }
                    over
                }
            };
            if over {
                self.excuses[*excuse].until = Some(Instant::now() + GRACE);
                self.active.swap_remove(n);
            } else {
                n += 1;
            }
        }
        Ok(())
    }

    /// Undoes all of them.
    pub(super) fn end(&mut self, scene: &mut Scene, tally: &mut Tally) -> Result<()> {
        let started = Instant::now();
        for active in &mut self.active {
            active.until = started;
        }
        while !self.active.is_empty() {
            self.pass(scene, tally)?;
            if started.elapsed() > Duration::from_secs(180) {
                return Err("the faults cannot be undone".into());
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}
