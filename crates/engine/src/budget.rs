//! Bytes of bodies in memory.

use std::sync::Arc;

use cabotage_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit stands for.
const UNIT: u64 = 4096;

/// A budget of bytes, given out in the order of asking.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    permits: Arc<Semaphore>,
    total: u32,
}

impl Budget {
    /// A budget of that many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let total = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        Self { permits: Arc::new(Semaphore::new(total as usize)), total }
    }

    /// Waits for that many bytes; a larger wish than the whole budget waits for all of it.
    ///
    /// # Errors
    /// `Internal` when the budget is closed, which nobody does.
    pub(crate) async fn take(&self, bytes: u64) -> Result<OwnedSemaphorePermit> {
        let permits = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.total);
        let closed = |_| Error::new(ErrorKind::Internal, "the memory budget was closed");
        Arc::clone(&self.permits).acquire_many_owned(permits).await.map_err(closed)
    }
}
