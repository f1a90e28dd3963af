//! What callers of a compute want, built on the contract.

use async_trait::async_trait;
use futures::TryStreamExt as _;

use super::{Compute, JobName, JobStatus};
use crate::{Error, ErrorKind, Result};

/// For every [`Compute`].
#[async_trait]
pub trait ComputeExt: Compute {
    /// Waits for the end of a job, and gives how it is then.
    ///
    /// # Errors
    /// Those of [`watch`](Compute::watch).
    async fn wait(&self, name: &JobName) -> Result<JobStatus> {
        let mut last = None;
        let mut changes = self.watch(name);
        while let Some(status) = changes.try_next().await? {
            last = Some(status);
        }
        last.filter(|status| status.phase().is_final()).ok_or_else(|| {
            Error::new(ErrorKind::Interrupted, "the watch ended before the job did").about(name.as_str())
        })
    }
}

impl<C: Compute + ?Sized> ComputeExt for C {}
