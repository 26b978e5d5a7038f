//! A stream under torture: its links, and who starts it again when it ends.

use std::collections::BTreeSet;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use bintrail_testkit::Result;
use bintrail_testkit::proxy::{Break, Proxy};

use super::Tally;
use crate::support::Stream;

/// A stream that has just begun may end for what a stream that runs has to wait out.
const YOUNG: Duration = Duration::from_secs(25);

/// The pause before a stream that ended is started again.
const RESTART: Duration = Duration::from_millis(700);

/// Exit codes that a fault explains, for a while.
#[derive(Debug)]
pub(super) struct Excuse {
    pub(super) codes: &'static [i32],
    /// Only in a stream that has not streamed yet.
    pub(super) young: bool,
    /// While the fault lasts, and for a while behind it.
    pub(super) until: Option<Instant>,
}

pub(super) struct Subject {
    pub(super) stream: Stream,
    pub(super) source: Proxy,
    /// Of an index on a server.
    pub(super) index: Option<Proxy>,
    started: Instant,
    again: Option<Instant>,
    /// Events of its index that were compared before.
    pub(super) compared: u64,
}

impl Subject {
    pub(super) fn new(stream: Stream, source: Proxy, index: Option<Proxy>) -> Subject {
        let stream = stream.through(&source, index.as_ref());
        let mut subject = Subject {
            stream,
            source,
            index,
            started: Instant::now(),
            again: None,
            compared: 0,
        };
        subject.start();
        subject
    }

    pub(super) fn start(&mut self) {
        self.stream.start();
        self.started = Instant::now();
        self.again = None;
    }

    pub(super) fn links(&self) -> impl Iterator<Item = &Proxy> {
        [Some(&self.source), self.index.as_ref()]
            .into_iter()
            .flatten()
    }

    /// Kills it, and starts it again. Its host goes with its connections.
    pub(super) fn kill(&mut self) {
        if self.again.is_none() && self.stream.ended().is_none() {
            self.stream.kill();
        }
        for link in self.links() {
            link.break_all(Break::Reset);
            link.heal();
        }
        self.start();
    }

    /// SIGTERM, which it has to follow; and starts it again.
    pub(super) fn terminate(&mut self, excuses: &[Excuse], tally: &mut Tally) -> Result<()> {
        if self.again.is_none() {
            let status = self.stream.ask_to_stop();
            self.judge(status, true, excuses, tally)?;
        }
        self.start();
        Ok(())
    }

    /// Starts it again if it ended, and fails if no fault explains that it did.
    pub(super) fn watch(&mut self, excuses: &[Excuse], tally: &mut Tally) -> Result<()> {
        match self.again {
            Some(again) if again <= Instant::now() => self.start(),
            Some(_) => {}
            None => {
                if let Some(status) = self.stream.ended() {
                    if status.success() {
                        return Err(format!("{} ended by itself", self.stream.name).into());
                    }
                    self.judge(status, false, excuses, tally)?;
                    self.again = Some(Instant::now() + RESTART);
                }
            }
        }
        Ok(())
    }

    fn judge(
        &self,
        status: ExitStatus,
        told: bool,
        excuses: &[Excuse],
        tally: &mut Tally,
    ) -> Result<()> {
        let log = self.stream.new_log();
        // Told to stop before it listens to signals.
        if status.success() || status.code().is_none() && log.is_empty() {
            return Ok(());
        }
        let code = status.code().unwrap_or(-1);
        // One that is told to stop cannot wait for what is away.
        let young = told || self.started.elapsed() < YOUNG && !log.contains("broke off");
        let now = Instant::now();
        let excused: BTreeSet<i32> = excuses
            .iter()
            .filter(|excuse| excuse.until.is_none_or(|until| now < until))
            .filter(|excuse| young || !excuse.young)
            .flat_map(|excuse| excuse.codes.iter().copied())
            .collect();
        if !excused.contains(&code) {
            let age = self.started.elapsed().as_secs_f32();
            return Err(format!(
                "{} ended with {status} after {age} s, and no fault explains it (young: {young}, excused: {excused:?})\n{log}",
                self.stream.name
            )
            .into());
        }
        *tally.exits.entry(code).or_default() += 1;
        Ok(())
    }
}
