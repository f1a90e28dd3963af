//! The place among the tasks at work that an object holds, and gives back while it only waits.

use std::sync::{Arc, Mutex, PoisonError};

use cabotage_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The place of one object; clones are the same place.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    all: Arc<Semaphore>,
    held: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Slot {
    /// A place that is held.
    pub(crate) fn new(all: Arc<Semaphore>, permit: OwnedSemaphorePermit) -> Self {
        Self { all, held: Arc::new(Mutex::new(Some(permit))) }
    }

    /// For what isn't counted: it holds nothing, and takes nothing.
    pub(crate) fn uncounted() -> Self {
        Self { all: Arc::new(Semaphore::new(1)), held: Arc::default() }
    }

    /// Lets another object begin.
    pub(crate) fn give_back(&self) {
        drop(self.held.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Waits for a place, unless one is held.
    ///
    /// # Errors
    /// `Internal` at the end of the run.
    pub(crate) async fn take(&self) -> Result<()> {
        if self.held.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let permit = Arc::clone(&self.all).acquire_owned().await;
        let permit = permit.map_err(|_| Error::new(ErrorKind::Internal, "the slots were closed"))?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
        Ok(())
    }
}
