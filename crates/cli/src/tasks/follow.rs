//! Follows the tasks of a job to their end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cabotage_core::compute::{Compute, JobName, JobStatus};
use cabotage_core::{Error, ErrorKind, Result};
use cabotage_engine::Snapshot;
use futures::TryStreamExt as _;

use super::readings::Readings;
use crate::progress::Reporter;
use crate::run_job::never;
use crate::signals::Signals;

/// How long the tasks may take to end by themselves: a run finishes what is in flight within 30 seconds.
pub(crate) const GRACE: Duration = Duration::from_secs(60);
/// How often the ledgers of the tasks are read.
const LOOK: Duration = Duration::from_secs(2);

/// How it came to an end.
#[derive(Debug)]
pub(crate) enum Followed {
    /// All tasks have ended.
    Ended(JobStatus),
    /// Somebody wants them to end.
    Interrupted,
}

/// Waits for the end of all tasks, and tells how far they are meanwhile.
///
/// # Errors
/// Those of the compute.
pub(crate) async fn follow(
    compute: &dyn Compute,
    name: &JobName,
    readings: Readings,
    signals: &mut Signals,
    reporter: &Reporter,
) -> Result<Followed> {
    let last = Arc::new(Mutex::new(Snapshot::default()));
    let (shown, kept) = (Arc::clone(&last), last);
    tokio::select! {
        ended = watch(compute, name, reporter) => ended.map(Followed::Ended),
        () = signals.next() => Ok(Followed::Interrupted),
        () = keep_reading(readings, kept) => Err(never()),
        () = reporter.follow_readings(move || *shown.lock().unwrap_or_else(PoisonError::into_inner)) => Err(never()),
    }
}

/// Ends the tasks.
///
/// # Errors
/// Those of the compute; `Cancelled` when that isn't waited for.
pub(crate) async fn end(
    compute: &dyn Compute,
    name: &JobName,
    signals: &mut Signals,
    reporter: &Reporter,
) -> Result<JobStatus> {
    reporter
        .say("stopping: the tasks finish what is in flight first; press Ctrl-C again to leave them to it");
    tokio::select! {
        ended = compute.cancel(name, GRACE) => ended?,
        () = signals.next() => {
            let text = "interrupted; the tasks end by themselves within a minute";
            return Err(Error::new(ErrorKind::Cancelled, text).help("the same command goes on then"));
        }
    }
    compute.inspect(name).await
}

async fn watch(compute: &dyn Compute, name: &JobName, reporter: &Reporter) -> Result<JobStatus> {
    let mut attempts = Vec::new();
    let mut last = None;
    let mut changes = compute.watch(name);
    while let Some(status) = changes.try_next().await? {
        attempts.resize(status.tasks.len(), 1);
        for (task, told) in status.tasks.iter().zip(&mut attempts) {
            if task.attempts > *told {
                *told = task.attempts;
                reporter.warn(&format!(
                    "task {} of {} was cut off and goes on where it was (attempt {})",
                    task.index + 1,
                    status.tasks.len(),
                    task.attempts
                ));
            }
        }
        last = Some(status);
    }
    last.filter(|status| status.phase().is_final())
        .ok_or_else(|| Error::new(ErrorKind::Interrupted, "the tasks can't be followed any more"))
}

async fn keep_reading(readings: Readings, last: Arc<Mutex<Snapshot>>) {
    let readings = Arc::new(readings);
    loop {
        tokio::time::sleep(LOOK).await;
        let reading = Arc::clone(&readings);
        if let Ok(snapshot) = tokio::task::spawn_blocking(move || reading.sum()).await {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
        }
    }
}
