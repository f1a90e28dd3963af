//! Ctrl-C and SIGTERM while a run goes on.

use cabotage_core::{Error, ErrorKind, Result};
use cabotage_engine::Stop;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit_code::Exit;
use crate::progress::Reporter;

/// Listens from when it is made.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// # Errors
    /// `Internal` when the system doesn't allow it.
    pub(crate) fn new() -> Result<Self> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Error::new(ErrorKind::Internal, format!("signals can't be listened to: {error}"))
            })
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for what comes before the run; a signal ends it.
    ///
    /// # Errors
    /// Those of the future; `Cancelled` on a signal.
    pub(crate) async fn or_interrupted<T>(&mut self, future: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            result = future => result,
            () = self.next() => Err(Error::new(ErrorKind::Cancelled, "interrupted before anything was written")),
        }
    }

    /// The first signal drains the run, the second stops it at once, the third ends the process.
    pub(crate) async fn pass_on(mut self, stop: &Stop, reporter: &Reporter) {
        self.next().await;
        reporter.say("stopping: what is in flight is finished first; press Ctrl-C again to stop at once");
        stop.drain.cancel();
        self.next().await;
        reporter.say("stopping at once; the next run finishes or removes what was begun");
        stop.drain.cancel();
        stop.abort.cancel();
        self.next().await;
        std::process::exit(i32::from(u8::from(Exit::Interrupted)));
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
