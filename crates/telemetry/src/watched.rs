//! What is watched: a run, its two ends, its ledger's disk.

use std::path::PathBuf;
use std::sync::Arc;

use cabotage_core::Probe;
use cabotage_engine::{Progress, Side};

use crate::Pulse;

/// A run that is watched; cheap to clone.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The run's counters.
    pub progress: Arc<Progress>,
    /// Source and destination.
    pub ends: [WatchedEnd; 2],
    /// Where the ledger is.
    pub state_dir: PathBuf,
    /// When the run went on last.
    pub pulse: Pulse,
    /// The program's version.
    pub version: &'static str,
    /// What is done: `migrate`.
    pub verb: &'static str,
}

/// One end of a run that is watched.
#[derive(Clone, Debug)]
pub struct WatchedEnd {
    /// `source` or `destination`.
    pub name: &'static str,
    /// Tells of its requests.
    pub probe: Option<Arc<dyn Probe>>,
}

impl Watched {
    /// A run of that verb between those ends.
    #[must_use]
    pub fn new(
        verb: &'static str,
        version: &'static str,
        progress: Arc<Progress>,
        (source, destination): (&Side, &Side),
        state_dir: PathBuf,
    ) -> Self {
        let end = |name, side: &Side| WatchedEnd { name, probe: side.probe.clone() };
        let ends = [end("source", source), end("destination", destination)];
        Self { progress, ends, state_dir, pulse: Pulse::default(), version, verb }
    }

    /// A number that stays the same only while nothing happens: a request that is answered is something, whatever for, and so
    /// is the time for which a limit holds the run back.
    #[must_use]
    pub fn steps(&self) -> u64 {
        let requests = |end: &WatchedEnd| {
            let meter = end.probe.as_ref().and_then(|probe| probe.meter());
            meter.map_or(0, |meter| meter.answered())
        };
        let now = self.progress.snapshot();
        let held_back = [now.source_limits, now.destination_limits].into_iter().flatten();
        let held_back = held_back.map(|limited| limited.waited_millis);
        self.ends.iter().map(requests).chain(held_back).fold(self.progress.steps(), u64::wrapping_add)
    }

    /// Whether the run waits, rightly, for something that isn't in its hands: an end that is down, a server that asked to slow
    /// down, a reply to a request that is out. That one has a timeout of its own.
    #[must_use]
    pub fn waits(&self) -> bool {
        let snapshot = self.progress.snapshot();
        let waits = |end: &WatchedEnd| {
            let Some(probe) = &end.probe else { return false };
            let slowed = probe.traffic().is_some_and(|traffic| traffic.limit.is_some());
            slowed || probe.meter().is_some_and(|meter| meter.in_flight() > 0)
        };
        snapshot.source_down || snapshot.destination_down || self.ends.iter().any(waits)
    }
}
