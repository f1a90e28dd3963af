//! A look into a run: how much is under way at this moment.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::budget::Budget;
use crate::lanes::Lanes;
use crate::{Amount, Outcome};

/// What is under way at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insight {
    /// Bytes of the memory for bodies that are taken.
    pub memory_held: u64,
    /// How many there are.
    pub memory_total: u64,
    /// Objects at work.
    pub at_work: u64,
    /// Large objects that wait for a place.
    pub large_waiting: u64,
    /// Outcomes that are not yet counted.
    pub outcomes_waiting: u64,
}

/// What can be looked into. Asked from outside the run: be quick, never block.
pub(crate) trait Inside: fmt::Debug + Send + Sync {
    fn look(&self) -> Insight;
}

/// The inside of a migration.
#[derive(Debug)]
pub(crate) struct MigrationInside {
    pub memory: Budget,
    pub lanes: Lanes,
    /// Weak, since the tally ends when the last of its senders is gone.
    pub outcomes: mpsc::WeakSender<Outcome>,
}

impl Inside for MigrationInside {
    fn look(&self) -> Insight {
        let (large_waiting, at_work) = self.lanes.depths();
        let waiting = self.outcomes.upgrade().map(|queue| queue.max_capacity() - queue.capacity());
        let outcomes_waiting = waiting.and_then(|waiting| u64::try_from(waiting).ok()).unwrap_or_default();
        Insight { at_work, large_waiting, outcomes_waiting, ..self.memory.look() }
    }
}

impl Inside for Budget {
    fn look(&self) -> Insight {
        let (memory_held, memory_total) = self.held();
        Insight { memory_held, memory_total, ..Insight::default() }
    }
}

/// Objects and their bytes, counted from many tasks.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    objects: AtomicU64,
    bytes: AtomicU64,
}

impl Counted {
    pub(crate) fn add(&self, bytes: u64) {
        self.objects.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn amount(&self) -> Amount {
        Amount { objects: self.objects.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }
}
