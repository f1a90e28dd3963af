//! The place among the tasks at work that an object holds, and gives back while it only waits.

use std::sync::{Arc, Mutex, PoisonError};

use cabotage_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ledger::{AtWork, Counted};

/// All places; clones are the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    at_work: AtWork,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _counted: Counted,
}

impl Places {
    /// So many, and where those that are taken are counted.
    pub(crate) fn new(number: usize, at_work: AtWork) -> Self {
        Self { free: Arc::new(Semaphore::new(number)), at_work }
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.at_work.count()
    }

    /// Waits for one.
    ///
    /// # Errors
    /// `Internal` when the places are closed, which nobody does.
    pub(crate) async fn take(&self) -> Result<Place> {
        let permit = Arc::clone(&self.free).acquire_owned().await;
        let permit = permit.map_err(|_| Error::new(ErrorKind::Internal, "the places were closed"))?;
        Ok(Place { _permit: permit, _counted: self.at_work.count_me() })
    }
}

/// The place of one object; clones are the same place.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    all: Places,
    held: Arc<Mutex<Option<Place>>>,
}

impl Slot {
    /// A place that is held.
    pub(crate) fn new(all: Places, place: Place) -> Self {
        Self { all, held: Arc::new(Mutex::new(Some(place))) }
    }

    /// For what isn't counted: it holds nothing, and takes nothing.
    pub(crate) fn uncounted() -> Self {
        Self { all: Places::new(1, AtWork::default()), held: Arc::default() }
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
        let place = self.all.take().await?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        Ok(())
    }
}
