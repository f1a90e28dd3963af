//! The supervisor's process.

use std::path::Path;

use cabotage_core::Result;
use rustix::process::{set_child_subreaper, setsid};

use crate::error::of_io;
use crate::folder::JobFolder;
use crate::supervisor::Supervisor;

/// Runs a job to its end: what the command of [`ProcessConfig::supervisor`](crate::ProcessConfig::supervisor) has to do with
/// the path that it is given last. Its standard input is the job's lock. Blocks; must not be called inside of a Tokio
/// runtime.
///
/// # Errors
/// What kept it from running the job, as `NotFound` for a path that is no job's.
pub fn supervise(folder: &Path) -> Result<()> {
    // A session of its own, so that the end of the submitter's terminal isn't its end.
    let _ = setsid();
    set_child_subreaper(rustix::process::getpid().into())
        .map_err(|error| of_io("what its tasks leave behind can't be watched", error.into()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| of_io("no runtime", error))?;
    runtime.block_on(async { Supervisor::take_up(JobFolder::at(folder)).await?.run().await })
}
