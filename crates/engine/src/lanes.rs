//! Places among the objects at work, given out so that neither large nor small objects wait for the others' end.
//!
//! An object is large when it takes more than its share of the memory for bodies: so many of them couldn't be at work at
//! once anyway. At most half of the places are theirs. One that waits for a place of theirs lets those listed after it go
//! before it, so the dispatcher never stands still for it, as long as not too many wait.

use std::sync::Arc;

use cabotage_core::{Error, ErrorKind, Result};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::Options;
use crate::ledger::AtWork;
use crate::slot::{Place, Places, Slot};

/// How many large objects may wait, decided and not begun.
const QUEUE: usize = 1_000;

/// The places of a run; clones are the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    all: Places,
    /// Those that large objects may have, of all.
    large: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// The largest that isn't large, in bytes.
    share: u64,
}

/// Leave to become a task.
#[derive(Debug)]
pub(crate) enum Leave {
    /// It has its place.
    Small(Place),
    /// It is in the queue for one.
    Large(OwnedSemaphorePermit),
}

impl Leave {
    /// Whether it has no place yet.
    pub(crate) fn is_queued(&self) -> bool {
        matches!(self, Self::Large(_))
    }
}

/// What an object at work holds, up to its end.
#[derive(Debug)]
pub(crate) struct Begun {
    pub slot: Slot,
    _large: Option<OwnedSemaphorePermit>,
}

impl Lanes {
    pub(crate) fn new(options: &Options, at_work: AtWork) -> Self {
        let places = options.concurrency;
        let share = options.memory / u64::try_from(places).unwrap_or(u64::MAX).max(1);
        Self {
            all: Places::new(places, at_work),
            large: Arc::new(Semaphore::new((places / 2).max(1))),
            queue: Arc::new(Semaphore::new(QUEUE)),
            share,
        }
    }

    /// How many large objects wait, and how many of all sizes are at work.
    pub(crate) fn depths(&self) -> (u64, u64) {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let waiting = QUEUE.saturating_sub(self.queue.available_permits());
        (number(waiting), number(self.all.taken()))
    }

    /// Waits until an object of that size may become a task.
    ///
    /// # Errors
    /// `Internal` when the places are closed, which nobody does.
    pub(crate) async fn admit(&self, size: u64) -> Result<Leave> {
        if size > self.share {
            return Ok(Leave::Large(take(&self.queue).await?));
        }
        Ok(Leave::Small(self.all.take().await?))
    }

    /// Waits until the task may begin.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub(crate) async fn begin(&self, leave: Leave) -> Result<Begun> {
        let (place, large) = match leave {
            Leave::Small(place) => (place, None),
            Leave::Large(_queued) => {
                let large = take(&self.large).await?;
                (self.all.take().await?, Some(large))
            }
        };
        Ok(Begun { slot: Slot::new(self.all.clone(), place), _large: large })
    }
}

async fn take(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    let closed = |_: AcquireError| Error::new(ErrorKind::Internal, "the places were closed");
    Arc::clone(places).acquire_owned().await.map_err(closed)
}
