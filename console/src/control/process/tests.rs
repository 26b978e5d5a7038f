use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::control::definition::{Definition, Parameters};
use crate::control::seal::Seal;
use crate::store::{Act, Password};

/// A console's directory, with a program in the place of `bintrail`.
struct Place {
    path: PathBuf,
    streams: Arc<Streams>,
}

impl Place {
    fn new(script: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bintrail-processes-{}-{next}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        let program = path.join("bintrail");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let store = Arc::new(crate::store::tests::store());
        let streams = Streams {
            seal: Seal::open(&path.join("key"), &store).unwrap(),
            store,
            index: vec![(
                "BINTRAIL_INDEX_DSN".to_owned(),
                bintrail_engine::secret::Secret::new("sqlite:/x"),
            )],
            index_file: None,
            program,
            dir: path.clone(),
            passwords: path.clone(),
        };
        let place = Self {
            path,
            streams: Arc::new(streams),
        };
        let definition = Definition {
            name: "Shop".to_owned(),
            host: "db".to_owned(),
            port: 3306,
            user: "u".to_owned(),
            parameters: Parameters::default(),
        };
        let sealed = place.streams.seal.seal("shop", "s3cret").unwrap();
        place
            .streams
            .store
            .add_server("shop", &definition, &Password::Sealed(sealed), &act())
            .unwrap();
        place
    }

    fn server(&self) -> Server {
        self.streams.store.server("shop").unwrap().unwrap()
    }

    fn want(&self, supervisor: &Processes, wanted: bool) {
        self.streams.store.want("shop", wanted, &act()).unwrap();
        supervisor.apply(&self.server(), wanted).unwrap();
    }

    fn change(&self, supervisor: &Processes, batch_size: u64) {
        let was = self.server();
        let mut definition = was.definition.clone();
        definition.parameters.batch_size = Some(batch_size);
        self.streams
            .store
            .change_server(&was, &definition, &was.password, &act())
            .unwrap();
        supervisor.apply(&self.server(), false).unwrap();
    }

    /// Waits until it is so.
    fn until(&self, supervisor: &Processes, is: impl Fn(&Sight) -> bool) -> Sight {
        for _ in 0..1_200 {
            let sight = supervisor.look(&self.server()).unwrap();
            if is(&sight) {
                return sight;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("{:?}", supervisor.look(&self.server()));
    }

    fn read(&self, name: &str) -> String {
        let path = self.path.join("shop").join(name);
        for _ in 0..400 {
            match std::fs::read_to_string(&path) {
                Ok(text) if !text.is_empty() => return text,
                _ => std::thread::sleep(Duration::from_millis(25)),
            }
        }
        panic!("{}", path.display());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn act() -> Act {
    Act::new("operator", [127, 0, 0, 1].into(), "test")
}

const RUNS: &str = "env > env.$$; echo \"$@\" > args; mv env.$$ env; exec sleep 1000";

#[test]
fn a_stream_is_started_changed_and_ended() {
    let place = Place::new(RUNS);
    let supervisor = Processes::start(Arc::clone(&place.streams)).unwrap();
    assert_eq!(
        supervisor.look(&place.server()).unwrap().state,
        StreamState::Stopped
    );
    place.want(&supervisor, true);
    let first = place.until(&supervisor, |sight| sight.state == StreamState::Running);
    assert!(first.since.is_some() && first.restarts == 0);
    let environment = place.read("env");
    assert_eq!(place.read("args"), "stream\n");
    assert!(environment.contains("BINTRAIL_SOURCE_DSN=mysql://u:s3cret@db:3306/\n"));
    assert!(environment.contains("BINTRAIL_INDEX_DSN=sqlite:/x\n"));
    // Its parameters are another's: it is another process, and no failure.
    std::fs::remove_file(place.path.join("shop/env")).unwrap();
    place.change(&supervisor, 7);
    let second = place.until(&supervisor, |sight| {
        sight.state == StreamState::Running && sight.pid != first.pid
    });
    assert_eq!(second.restarts, 0);
    assert!(place.read("env").contains("BINTRAIL_BATCH_SIZE=7\n"));
    place.want(&supervisor, false);
    let last = place.until(&supervisor, |sight| sight.state == StreamState::Stopped);
    assert_eq!((last.pid, last.last_error), (None, None));
    assert_eq!(last.last_exit.as_deref(), Some("signal 15 ended it"));
    assert!(Identity::of(second.pid.unwrap()).is_none());
}

#[test]
fn a_stream_outlives_its_console_and_is_found_again() {
    let place = Place::new(RUNS);
    let first = {
        let supervisor = Processes::start(Arc::clone(&place.streams)).unwrap();
        place.want(&supervisor, true);
        place.until(&supervisor, |sight| sight.state == StreamState::Running)
    };
    let supervisor = Processes::start(Arc::clone(&place.streams)).unwrap();
    let again = supervisor.look(&place.server()).unwrap();
    assert_eq!(
        (again.state, again.pid, again.since),
        (StreamState::Running, first.pid, first.since)
    );
    // One that ends meanwhile is started again, and one that is not wanted any more ends.
    assert!(
        Identity::of(first.pid.unwrap())
            .unwrap()
            .signal(Signal::KILL)
    );
    let next = place.until(&supervisor, |sight| {
        sight.state == StreamState::Running && sight.pid != first.pid
    });
    drop(supervisor);
    place.streams.store.want("shop", false, &act()).unwrap();
    let supervisor = Processes::start(Arc::clone(&place.streams)).unwrap();
    place.until(&supervisor, |sight| sight.state == StreamState::Stopped);
    assert!(Identity::of(next.pid.unwrap()).is_none());
}

#[test]
fn one_that_keeps_ending_is_a_crash_loop() {
    let place = Place::new("echo run >> runs; echo 'bintrail: it is broken' >&2; exit 1");
    let supervisor = Processes::start(Arc::clone(&place.streams)).unwrap();
    place.want(&supervisor, true);
    let sight = place.until(&supervisor, |sight| {
        sight.state == StreamState::CrashLooping
    });
    assert_eq!(sight.last_exit.as_deref(), Some("it ended with 1"));
    assert_eq!(sight.last_error.as_deref(), Some("it is broken"));
    assert!(place.read("runs").lines().count() >= 3 && sight.restarts >= 3);
    // Another console knows it, too.
    assert!(place.streams.store.attempts("shop").unwrap().fails >= CRASHES);
    place.want(&supervisor, false);
    place.until(&supervisor, |sight| sight.state == StreamState::Stopped);
}

#[test]
fn what_no_restart_mends_is_not_started_again_until_it_changes() {
    let place = Place::new("echo run >> runs; echo 'bintrail: wrong password' >&2; exit 11");
    let supervisor = Processes::start(Arc::clone(&place.streams)).unwrap();
    let runs = |count: usize| {
        let sight = place.until(&supervisor, |sight| {
            sight.state == StreamState::Failed && place.read("runs").lines().count() == count
        });
        assert_eq!(sight.last_error.as_deref(), Some("wrong password"));
        assert_eq!(sight.restarts, 0);
    };
    place.want(&supervisor, true);
    runs(1);
    place.want(&supervisor, true);
    runs(2);
    place.change(&supervisor, 9);
    runs(3);
}

#[test]
fn one_that_is_killed_is_started_again() {
    let place = Place::new(RUNS);
    let supervisor = Processes::start(Arc::clone(&place.streams)).unwrap();
    place.want(&supervisor, true);
    let first = place.until(&supervisor, |sight| sight.state == StreamState::Running);
    assert!(
        Identity::of(first.pid.unwrap())
            .unwrap()
            .signal(Signal::KILL)
    );
    let second = place.until(&supervisor, |sight| {
        sight.state == StreamState::Running && sight.pid != first.pid
    });
    assert_eq!(
        (second.restarts, second.last_exit.as_deref()),
        (1, Some("signal 9 ended it"))
    );
    place.want(&supervisor, false);
    place.until(&supervisor, |sight| sight.state == StreamState::Stopped);
}

#[test]
fn pauses_grow_to_a_minute() {
    let seconds: Vec<u64> = (0..9).map(|fails| pause(fails).as_secs()).collect();
    assert_eq!(seconds, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
}
