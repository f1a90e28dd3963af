//! The contract.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{ComputeCapabilities, JobName, JobSpec, JobStatus, LogOptions, LogStream};
use crate::Result;

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The job is new, and its tasks are being started.
    New,
    /// The same job was submitted before; nothing was started.
    Known,
}

/// Somewhere that jobs run.
///
/// A job lives on after the program that submitted it: whoever opens the same compute can inspect, watch, cancel and remove
/// it. All methods may be called from several programs at once.
#[async_trait]
pub trait Compute: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// What it can give a job.
    fn capabilities(&self) -> &ComputeCapabilities;

    /// Starts a job. Idempotent on the name: the same job again changes nothing, so a submission whose answer was lost is
    /// simply repeated. Dropping the future leaves the whole job or none.
    ///
    /// # Errors
    /// `JobConflict` when another job has that name, `InvalidConfig` and `Unsupported` as
    /// [`accepts`](ComputeCapabilities::accepts). A command that doesn't exist is no error here: its tasks fail.
    async fn submit(&self, spec: &JobSpec) -> Result<Submitted>;

    /// How the job is.
    ///
    /// # Errors
    /// `NotFound` when there is no such job.
    async fn inspect(&self, name: &JobName) -> Result<JobStatus>;

    /// How the job is, then each change that is seen, until its end, which is the last item. Changes that follow each other
    /// quickly may come as one. A watch that broke is simply begun again: it starts with how the job is by then.
    ///
    /// # Errors
    /// `NotFound` when there is no such job, or it is removed meanwhile. Nothing follows an error.
    fn watch(&self, name: &JobName) -> BoxStream<'static, Result<JobStatus>>;

    /// What a task has printed, in all its attempts, oldest first.
    ///
    /// # Errors
    /// `NotFound` when there is no such job or task.
    fn logs(&self, name: &JobName, task: u32, options: LogOptions) -> LogStream;

    /// Ends the job: its tasks are asked to end (SIGTERM, where there are signals), and made to when `grace` is over. Returns
    /// when nothing of the job runs any more, not even what its tasks have started. No error for a job that has ended.
    ///
    /// # Errors
    /// `NotFound` when there is no such job; `Timeout` when something could not be ended.
    async fn cancel(&self, name: &JobName, grace: Duration) -> Result<()>;

    /// Forgets a job that has ended, with its logs; its name is free then.
    ///
    /// # Errors
    /// `NotFound` when there is no such job, `JobConflict` while it runs.
    async fn remove(&self, name: &JobName) -> Result<()>;
}
