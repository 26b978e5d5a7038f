//! What keeps a stream going: again and again a session, from the checkpoint, until told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::StreamOptions;
use super::patience::{Backoff, Patience, Told};
use super::resume::Hole;
use super::session::Session;
use crate::error::Error;
use crate::index::Index;
use crate::index::record::Checkpoint;
use crate::source::connection::ConnectOptions;

/// Gives up on damaged events after this many attempts to read them.
const MAX_DAMAGED: u32 = 5;

/// Gives up on a place that the source does not have after this many attempts: between the look at what it has
/// and the dump, it may have purged.
const MAX_MISPLACED: u32 = 3;

/// How long the index may take to note an error. The log has it in any case.
const NOTE: Duration = Duration::from_secs(5);

/// What outlives a session.
pub(super) struct Link<'a> {
    pub(super) options: &'a StreamOptions,
    pub(super) index: &'a Index,
    /// The hosts that the source may be on.
    pub(super) hosts: Vec<ConnectOptions>,
    pub(super) patience: Arc<Patience>,
    /// The checkpoint is still to be forgotten.
    pub(super) reset: bool,
    /// The one that was there when a session began that forgets it. It is kept until another takes its
    /// place, so that a crash before then loses nothing.
    pub(super) forgotten: Option<Option<Checkpoint>>,
    /// What is gone from the source's binary logs where the session before has stopped: it is to be recorded and
    /// passed over.
    pub(super) hole: Option<Hole>,
    /// The source in the index that this stream writes for.
    pub(super) attached: Option<u32>,
    /// What is only said once has been said.
    pub(super) introduced: bool,
    /// The source itself closed the connection, and did not say why.
    pub(super) hung_up: bool,
    /// What the last session ended with has been said often enough, and so has that another begins.
    pub(super) quiet: bool,
}

impl<'a> Link<'a> {
    fn new(options: &'a StreamOptions, index: &'a Index) -> Self {
        Self {
            options,
            index,
            hosts: options.source.on_each(&options.more_hosts),
            patience: Arc::new(Patience::new(options.write_timeout)),
            reset: options.reset,
            forgotten: None,
            hole: None,
            attached: None,
            introduced: false,
            hung_up: false,
            quiet: false,
        }
    }

    /// Sessions on one host, up to the end of one that ends otherwise than at a hole.
    async fn session(
        &mut self,
        host: &ConnectOptions,
        stop: &mut watch::Receiver<bool>,
        began: &mut Option<Instant>,
    ) -> Result<(), Error> {
        let patience = Arc::clone(&self.patience);
        loop {
            let strained = patience.is_strained();
            let opened = tokio::select! {
                opened = Session::open(self, host) => opened,
                // A source or an index that hangs must not keep a stream from stopping.
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            };
            if !strained && !matches!(opened, Err(Error::Index(_))) {
                patience.rewarded();
            }
            let (session, frames) = opened?;
            *began = Some(Instant::now());
            self.hole = session.run(frames, stop).await?;
            if self.hole.is_none() {
                return Ok(());
            }
        }
    }
}

/// Failures in a row of which each alone may pass, but not all of them.
#[derive(Debug, Default)]
struct Strikes {
    damaged: u32,
    misplaced: u32,
}

impl Strikes {
    /// May the stream go on after this failure?
    fn allow(&mut self, error: &Error) -> bool {
        let one_more = |is: bool, count: u32| if is { count.saturating_add(1) } else { 0 };
        let misplaced = matches!(error, Error::Place { .. });
        self.misplaced = one_more(misplaced, self.misplaced);
        self.damaged = one_more(matches!(error, Error::Binlog { .. }), self.damaged);
        if misplaced {
            self.misplaced < MAX_MISPLACED
        } else {
            error.may_pass() && self.damaged < MAX_DAMAGED
        }
    }
}

/// The attempts since the last session that ran, or since the last wait.
#[derive(Debug, Default)]
struct Round {
    /// Hosts that failed.
    failed: usize,
    /// One of the failures is waited out.
    hopeful: bool,
    /// One of the hosts refuses the user.
    refused: bool,
    /// The first one that will not pass by itself.
    worst: Option<Error>,
}

pub(super) async fn keep_streaming(
    options: &StreamOptions,
    index: &Index,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), Error> {
    let mut link = Link::new(options, index);
    let session = async |link: &mut Link<'_>, host: &_, stop: &mut _, began: &mut _| {
        link.session(host, stop, began).await
    };
    go_on(&mut link, stop, session).await?;
    if let Some(source_id) = link.attached {
        // It was told to end: that is no crash. It may fail.
        let _ = timeout(NOTE, index.save_starts(source_id, &[])).await;
    }
    Ok(())
}

/// Has `session` run again and again.
async fn go_on<'a>(
    link: &mut Link<'a>,
    stop: &mut watch::Receiver<bool>,
    mut session: impl AsyncFnMut(
        &mut Link<'a>,
        &ConnectOptions,
        &mut watch::Receiver<bool>,
        &mut Option<Instant>,
    ) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut streamed = false;
    let mut backoff = Backoff::new();
    let mut refused = Backoff::refused();
    let mut told = Told::default();
    let mut strikes = Strikes::default();
    let mut round = Round::default();
    let mut hosts = (0..link.hosts.len()).cycle();
    let mut at = hosts.next().unwrap_or(0);
    loop {
        let Some(host) = link.hosts.get(at).cloned() else {
            return Err(Error::Internal(
                "there is no host to stream from".to_owned(),
            ));
        };
        let mut began = None;
        let Err(error) = session(link, &host, stop, &mut began).await else {
            link.options.vitals.stopped();
            return Ok(());
        };
        let error = link.patience.judge(error);
        link.options.vitals.broke_off(&error);
        if let Some(began) = began {
            streamed = true;
            round = Round::default();
            refused.ran(began.elapsed());
            if backoff.ran(began.elapsed()) {
                told.forget();
            }
        }
        let of_source = error.is_of_source();
        link.hung_up = began.is_some() && error.is_hang_up();
        if of_source {
            // While it waits for the source, it does not wait for the index.
            link.patience.rewarded();
            at = hosts.next().unwrap_or(0);
        }
        if let Some(source_id) = link.attached
            && error.can_be_noted()
        {
            let error = error.to_string();
            tokio::select! {
                // It may fail too.
                _ = timeout(NOTE, link.index.save_error(source_id, Some(&error))) => {}
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            }
        }
        round.failed = round.failed.saturating_add(1);
        let times = told.again(&error.to_string());
        link.quiet = times.is_none();
        let may_pass = strikes.allow(&error);
        // One that has streamed had what it needs, and somebody may give it back.
        let waits = may_pass || streamed && error.is_refusal();
        round.refused |= error.is_refusal();
        if of_source && round.failed < link.hosts.len() {
            if let Some(times) = times {
                tracing::warn!(%error, times, "the next host of --source-dsn is tried");
            }
            round.hopeful |= waits;
            if !may_pass {
                round.worst.get_or_insert(error);
            }
            continue;
        }
        // Nothing is wrong with a source that is slow to commit.
        let patient = streamed || matches!(error, Error::Pending { .. });
        if !patient || !(waits || of_source && round.hopeful) {
            return Err(if may_pass {
                round.worst.unwrap_or(error)
            } else {
                error
            });
        }
        let wait = if round.refused {
            refused.wait()
        } else {
            backoff.wait()
        };
        if let Some(times) = times {
            let wait_seconds = (wait.as_secs_f64() * 10.0).round() / 10.0;
            tracing::warn!(
                %error, times, wait_seconds,
                "the stream broke off; it goes on from its checkpoint"
            );
        }
        round = Round::default();
        let until = Instant::now() + wait;
        let until = link
            .patience
            .deadline()
            .map_or(until, |deadline| deadline.min(until));
        tokio::select! {
            () = sleep_until(until) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use bintrail_proto::response::ServerError;
    use tokio::net::TcpListener;
    use tokio::time::sleep;

    use super::*;
    use crate::dsn::IndexDsn;
    use crate::filter::Filter;
    use crate::secret::Secret;
    use crate::source::connection::Connection;
    use crate::source::server::source_error;
    use crate::telemetry::Vitals;

    /// A stream from this port, and the directory of its index.
    fn stream_from(port: u16) -> (PathBuf, StreamOptions) {
        let directory = std::env::temp_dir().join(format!("bintrail-link-{port}"));
        std::fs::create_dir(&directory).unwrap();
        let options = StreamOptions {
            index: IndexDsn::Sqlite(directory.join("index.db")),
            source: ConnectOptions::new("127.0.0.1", port, "u", Secret::default()),
            more_hosts: Vec::new(),
            server_id: None,
            filter: Filter::new(&[], &[]),
            batch_size: 1,
            memory: 64,
            checkpoint: Duration::from_secs(1),
            start: None,
            reset: false,
            write_timeout: Some(Duration::from_secs(5)),
            refuse_gaps: false,
            gap_timeout: Duration::from_secs(5),
            vitals: Arc::new(Vitals::new("link", Duration::from_secs(1))),
        };
        (directory, options)
    }

    /// A source that refuses the user eight times: at the start, and behind a session that ran.
    #[tokio::test(start_paused = true)]
    async fn a_user_that_is_refused_knocks_gently_and_does_not_give_up() {
        let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (directory, options) = stream_from(held.local_addr().unwrap().port());
        let index = Index::open(&options.index, true).await.unwrap();
        for (streams, attempts) in [(false, 1), (true, 8)] {
            let mut link = Link::new(&options, &index);
            let (_stopper, mut stop) = watch::channel(false);
            let mut knocks = Vec::new();
            let mut streams = streams;
            let session = async |_: &mut Link<'_>,
                                 host: &ConnectOptions,
                                 _: &mut watch::Receiver<bool>,
                                 began: &mut Option<Instant>| {
                if std::mem::take(&mut streams) {
                    *began = Some(Instant::now());
                    let lost = std::io::ErrorKind::UnexpectedEof.into();
                    return Err(source_error(host, crate::source::Error::Lost(lost)));
                }
                if knocks.len() == 8 {
                    return Ok(());
                }
                knocks.push(Instant::now());
                let refusal = ServerError {
                    code: 1045,
                    sql_state: String::new(),
                    message: "Access denied".to_owned(),
                };
                let error = crate::source::Error::AccessDenied(refusal);
                Err(source_error(host, error))
            };
            let ended = go_on(&mut link, &mut stop, session).await;
            assert_eq!(knocks.len(), attempts);
            assert_eq!(
                ended.is_err_and(|error| error.exit_code() == 11),
                attempts == 1
            );
            for (last, next) in knocks.iter().zip(&knocks[1..]) {
                let wait = *next - *last;
                let gentle = Duration::from_secs(10)..=Duration::from_secs(61);
                assert!(gentle.contains(&wait), "{wait:?}");
            }
        }
        index.close().await.unwrap();
        std::fs::remove_dir_all(directory).unwrap();
    }

    /// A source from which nothing comes for three minutes, though its machine takes every connection.
    #[tokio::test(start_paused = true)]
    async fn a_black_hole_of_three_minutes_is_outlasted() {
        let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (directory, options) = stream_from(hole.local_addr().unwrap().port());
        let index = Index::open(&options.index, true).await.unwrap();
        let mut link = Link::new(&options, &index);
        let (stopper, mut stop) = watch::channel(false);
        let opened = Instant::now();
        let falls = opened + Duration::from_secs(60);
        let clears = falls + Duration::from_secs(180);
        let (mut attempts, mut told, mut back) = (0, 0, None);
        let session = async |link: &mut Link<'_>,
                             host: &ConnectOptions,
                             stop: &mut watch::Receiver<bool>,
                             began: &mut Option<Instant>| {
            if Instant::now() < falls {
                *began = Some(Instant::now());
                sleep_until(falls).await;
                let silent = Duration::from_secs(15);
                sleep(silent).await;
                let error = crate::source::Error::Silent { after: silent };
                return Err(source_error(host, error));
            }
            if Instant::now() < clears {
                attempts += 1;
                told += u32::from(!link.quiet);
                let error = Connection::connect(host).await.unwrap_err();
                assert!(
                    error.to_string().contains("the handshake in 10s"),
                    "{error}"
                );
                return Err(source_error(host, error));
            }
            *began = Some(Instant::now());
            back = Some(Instant::now());
            stopper.send(true).unwrap();
            stop.wait_for(|stop| *stop).await.unwrap();
            Ok(())
        };
        go_on(&mut link, &mut stop, session).await.unwrap();
        // Each attempt lasts ten seconds, and the waits between them grow to thirty.
        assert!((5..=9).contains(&attempts), "{attempts} attempts");
        assert!((3..=5).contains(&told), "{told} of {attempts} said");
        let late = back.unwrap() - clears;
        assert!(late <= Duration::from_secs(40), "{late:?} late");
        index.close().await.unwrap();
        std::fs::remove_dir_all(directory).unwrap();
    }
}
