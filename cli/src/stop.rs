//! SIGINT and SIGTERM.

use bintrail_engine::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Turns true at the first SIGINT or SIGTERM. A second one ends the process at once.
///
/// # Errors
/// When signals cannot be listened to.
pub fn listen() -> Result<watch::Receiver<bool>, Error> {
    let mut signals = Signals {
        interrupt: handle(SignalKind::interrupt())?,
        terminate: handle(SignalKind::terminate())?,
    };
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("stopping: what is under way is finished first");
        // Nobody listens when the command has ended by itself.
        let _ = sender.send(true);
        signals.next().await;
        std::process::exit(130);
    });
    Ok(receiver)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn handle(kind: SignalKind) -> Result<Signal, Error> {
    signal(kind).map_err(|error| Error::Usage(format!("cannot listen to signals: {error}")))
}
