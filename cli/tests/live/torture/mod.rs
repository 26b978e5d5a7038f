//! `scripts/torture`: random faults, from a seed, on bintrail, on the source, on the index and on the links between them, while
//! a workload of every shape runs. After each round the faults stop, and every index has to equal the binlog one for one.

mod faults;
mod load;
mod scene;
mod subject;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use bintrail_testkit::Result;
use bintrail_testkit::workload::Rng;

use crate::support::setting;
use faults::Faults;
use scene::Scene;

/// Rounds with the same servers. What is checked after a round is all that they have, so it grows.
const ROUNDS: u64 = 5;

/// What a run has seen.
#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    /// Faults by their names.
    faults: BTreeMap<String, u64>,
    /// Exits of streams by code, each of them excused by a fault.
    exits: BTreeMap<i32, u64>,
    /// The longest time, in seconds, that the streams took to have all once the faults were over.
    settled: u64,
    /// Row events compared, and how many of them were new in their round.
    compared: u64,
    fresh: u64,
    /// Rows of the source's tables that were rebuilt.
    rows: u64,
}

impl Tally {
    fn fault(&mut self, name: &str) {
        *self.faults.entry(name.to_owned()).or_default() += 1;
    }

    fn print(&self, started: Instant) {
        let faults: u64 = self.faults.values().sum();
        println!(
            "{} rounds in {} s, at most {} s from the last fault until all was there, {faults} faults, {} row events \
             compared ({} of them new in their round), {} rows rebuilt",
            self.rounds,
            started.elapsed().as_secs(),
            self.settled,
            self.compared,
            self.fresh,
            self.rows
        );
        for (name, count) in &self.faults {
            println!("  {count:6} {name}");
        }
        for (code, count) in &self.exits {
            println!("  {count:6} exits with {code}, started again");
        }
    }
}

#[test]
#[ignore = "runs as long as it is told to: scripts/torture"]
fn torture() {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let seed = setting("BINTRAIL_TORTURE_SEED", now);
    let seconds = setting("BINTRAIL_TORTURE_SECONDS", 60);
    let choice = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let kind = choice("BINTRAIL_TORTURE_SOURCE", "mysql97");
    let mode = choice("BINTRAIL_TORTURE_MODE", "all");
    let backend = choice("BINTRAIL_TORTURE_BACKEND", "all");
    println!("seed {seed}, {seconds} s");
    let started = Instant::now();
    let over = || started.elapsed() >= Duration::from_secs(seconds);
    let mut tally = Tally::default();
    for epoch in 0.. {
        let mut rng = Rng::new(seed ^ epoch << 32);
        let mut scene = Scene::set(&mut rng, &kind, &mode, &backend).unwrap();
        println!("epoch {epoch}: {}", scene.about);
        for round in 0..ROUNDS {
            let ran = catch_unwind(AssertUnwindSafe(|| {
                self::round(&mut scene, &mut rng, &mut tally)
            }));
            let ran = ran.unwrap_or_else(|_| Err("see the panic above".into()));
            if let Err(error) = ran {
                tally.print(started);
                let kept = scene.keep();
                panic!("seed {seed}, epoch {epoch}, round {round}: {error}\n{kept}");
            }
            tally.rounds += 1;
            println!(
                "epoch {epoch} round {round}: {} s, {} events compared so far",
                started.elapsed().as_secs(),
                tally.compared
            );
            if over() {
                break;
            }
        }
        if over() {
            break;
        }
    }
    tally.print(started);
}

/// Work under faults, then peace, then the comparison.
fn round(scene: &mut Scene, rng: &mut Rng, tally: &mut Tally) -> Result<()> {
    let work = scene.work();
    let mut faults = Faults::default();
    let ran = under_faults(scene, &mut faults, rng, tally);
    let ended = faults.end(scene, tally);
    let worked = scene.load.stop(work);
    ran.and(ended).and(worked)?;
    let peace = Instant::now();
    scene.settle(&faults.excuses, tally)?;
    let settled = peace.elapsed().as_secs();
    tally.settled = tally.settled.max(settled);
    scene.check(tally)?;
    let checked = peace.elapsed().as_secs() - settled;
    println!("the streams had all {settled} s behind the last fault; compared in {checked} s");
    Ok(())
}

fn under_faults(
    scene: &mut Scene,
    faults: &mut Faults,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<()> {
    let over = Instant::now() + Duration::from_secs(15 + rng.below(20));
    let mut next = Instant::now();
    while Instant::now() < over {
        if Instant::now() >= next {
            faults.strike(scene, rng, tally)?;
            let pause = if rng.chance(25) { 100 } else { 3_000 };
            next = Instant::now() + Duration::from_millis(rng.below(pause));
        }
        faults.pass(scene, tally)?;
        scene.watch(&faults.excuses, tally)?;
        sleep(Duration::from_millis(30));
    }
    Ok(())
}
