//! What can be seen of a run while it goes on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cabotage_core::{ErrorKind, Throttle};
use serde::{Deserialize, Serialize};

use crate::endpoints::End;
use crate::insight::{Counted, Inside, Insight};
use crate::{Amount, Class, Compared, FindingKind, Limited};

/// Counters of one run, read at any moment. Each is monotonic; together they are no snapshot.
#[derive(Debug, Default)]
pub struct Progress {
    listed: AtomicU64,
    listed_bytes: AtomicU64,
    done: AtomicU64,
    done_bytes: AtomicU64,
    moved_bytes: AtomicU64,
    trouble: AtomicU64,
    listing_done: AtomicBool,
    source_down: AtomicBool,
    destination_down: AtomicBool,
    /// Those of source and destination.
    throttles: OnceLock<[Throttle; 2]>,
    /// Of each class, by its place in [`Class::ALL`].
    classes: [Counted; Class::ALL.len()],
    copied: Counted,
    /// Of each result of a comparison, by its place in [`Compared::ALL`].
    compared: [Counted; Compared::ALL.len()],
    /// Names that came out of the listings, with something to do or not.
    seen: AtomicU64,
    inside: Mutex<Option<Arc<dyn Inside>>>,
}

/// One reading of [`Progress`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Objects listed at the source and selected.
    pub listed: u64,
    /// Their bytes.
    pub listed_bytes: u64,
    /// Objects with an outcome.
    pub done: u64,
    /// Their bytes.
    pub done_bytes: u64,
    /// Bytes read from the source so far, retries included.
    pub moved_bytes: u64,
    /// Objects failed, refused or in conflict.
    pub trouble: u64,
    /// Whether `listed` is final.
    pub listing_done: bool,
    /// Whether the source doesn't answer, and is waited for.
    pub source_down: bool,
    /// Whether the destination doesn't.
    pub destination_down: bool,
    /// To which limits the source is kept.
    #[serde(default)]
    pub source_limits: Option<Limited>,
    /// To which the destination is.
    #[serde(default)]
    pub destination_limits: Option<Limited>,
}

impl Progress {
    /// Reads all counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let limited =
            |end: usize| self.throttles.get().and_then(|throttles| Limited::of(throttles.get(end)?));
        Snapshot {
            listed: get(&self.listed),
            listed_bytes: get(&self.listed_bytes),
            done: get(&self.done),
            done_bytes: get(&self.done_bytes),
            moved_bytes: get(&self.moved_bytes),
            trouble: get(&self.trouble),
            listing_done: self.listing_done.load(Ordering::Relaxed),
            source_down: self.source_down.load(Ordering::Relaxed),
            destination_down: self.destination_down.load(Ordering::Relaxed),
            source_limits: limited(0),
            destination_limits: limited(1),
        }
    }

    /// How many objects ended in which class so far, and their bytes, as the report will tell. A comparison has no classes.
    #[must_use]
    pub fn classes(&self) -> [(Class, Amount); Class::ALL.len()] {
        std::array::from_fn(|place| {
            (Class::ALL[place], self.classes.get(place).map(Counted::amount).unwrap_or_default())
        })
    }

    /// The objects whose bytes were copied so far, and these bytes.
    #[must_use]
    pub fn copied(&self) -> Amount {
        self.copied.amount()
    }

    /// What a comparison found so far: names, and their bytes at the source.
    #[must_use]
    pub fn compared_so_far(&self) -> [(Compared, Amount); Compared::ALL.len()] {
        std::array::from_fn(|place| {
            (Compared::ALL[place], self.compared.get(place).map(Counted::amount).unwrap_or_default())
        })
    }

    /// What is under way at this moment; none before the run has begun its work.
    #[must_use]
    pub fn insight(&self) -> Option<Insight> {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner).clone();
        inside.map(|inside| inside.look())
    }

    /// A number that stays the same only while nothing goes on: every step of the run adds to it.
    #[must_use]
    pub fn steps(&self) -> u64 {
        [&self.listed, &self.done, &self.moved_bytes, &self.seen]
            .iter()
            .map(|counter| counter.load(Ordering::Relaxed))
            .fold(u64::from(self.listing_done.load(Ordering::Relaxed)), u64::wrapping_add)
    }

    /// Where to look for what is under way; the latest counts.
    pub(crate) fn open_inside(&self, inside: Arc<dyn Inside>) {
        *self.inside.lock().unwrap_or_else(PoisonError::into_inner) = Some(inside);
    }

    pub(crate) fn seen(&self) {
        self.seen.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, class: Class, bytes: u64, copied: bool) {
        if let Some(counted) = self.classes.get(class as usize) {
            counted.add(bytes);
        }
        if copied {
            self.copied.add(bytes);
        }
        self.done(bytes, class.is_trouble());
    }

    pub(crate) fn compared(&self, result: Compared, bytes: u64) {
        if let Some(counted) = self.compared.get(result as usize) {
            counted.add(bytes);
        }
        self.done(bytes, result == Compared::Different);
    }

    pub(crate) fn listed(&self, bytes: u64) {
        self.listed.fetch_add(1, Ordering::Relaxed);
        self.listed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn moved(&self, bytes: u64) {
        self.moved_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn done(&self, bytes: u64, trouble: bool) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.trouble.fetch_add(u64::from(trouble), Ordering::Relaxed);
    }

    pub(crate) fn set_down(&self, end: End, down: bool) {
        let of_end = match end {
            End::Source => &self.source_down,
            End::Destination => &self.destination_down,
        };
        of_end.store(down, Ordering::Relaxed);
    }

    /// What source and destination are kept to; told once.
    pub(crate) fn limit(&self, throttles: [Throttle; 2]) {
        let _ = self.throttles.set(throttles);
    }

    pub(crate) fn listing_done(&self) {
        self.listing_done.store(true, Ordering::Relaxed);
    }
}

/// Something to tell the user while the run goes on. Texts are escaped for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An object that failed, was refused or is in conflict.
    Trouble {
        /// Its relative name, escaped.
        name: String,
        /// What became of it.
        class: Class,
        /// The failure's kind, if it was one.
        kind: Option<ErrorKind>,
        /// What happened and what to do.
        text: String,
    },
    /// A difference or a doubt that a comparison found.
    Finding {
        /// The object's relative name, escaped.
        name: String,
        /// Of which kind.
        kind: FindingKind,
        /// What exactly.
        text: String,
    },
    /// A fact about the run: what the destination enforces, what was recovered, what was left behind.
    Note(String),
    /// A [`Note`](Self::Note) that asks for attention.
    Warning(String),
}

/// Watches a run. Called from its tasks: be quick, never block.
pub trait Observer: Send + Sync {
    /// Takes an event.
    fn event(&self, event: &Event);
}

/// Watches nothing.
impl Observer for () {
    fn event(&self, _: &Event) {}
}
