//! How fast a store may be used: requests and bytes a second.
//!
//! Pure bookkeeping without a clock: who sends tells the time, and is told when to go on. Each reservation follows the
//! one before, so all who wait get their turn in order. A reservation that isn't used is lost, which is at most a piece
//! of a body or one request.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// What was left unused may be caught up on for so long, and no longer: a second's worth never goes out at once.
const BURST: Duration = Duration::from_millis(250);
/// The most bytes that may be caught up on.
const BURST_BYTES: u64 = 4 << 20;
/// So many pieces a second, so that many bodies at once all move.
const PIECES_PER_SECOND: u64 = 16;
const SMALLEST_PIECE: u64 = 1024;

/// How much a second; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Bytes of bodies, both ways together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Requests of any kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
    /// Requests that only read: GET and HEAD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads: Option<u32>,
    /// All others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes: Option<u32>,
}

impl Rates {
    /// The least bytes a second that can be asked for. With less, servers take a body for dead.
    pub const BYTES_MIN: u64 = 16 * 1024;

    /// Whether nothing is limited.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Rates {
    /// `200 MiB/s, 300 requests/s`; nothing where nothing is limited.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = [(self.requests, "requests/s"), (self.reads, "reads/s"), (self.writes, "writes/s")];
        let requests = requests.into_iter().filter_map(|(rate, unit)| Some(format!("{} {unit}", rate?)));
        let all: Vec<_> = self.bytes.map(bytes_per_second).into_iter().chain(requests).collect();
        f.write_str(&all.join(", "))
    }
}

/// Exact: in the largest unit that divides it.
fn bytes_per_second(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("MB", 1_000_000), ("kB", 1_000)];
    let fitting = units.into_iter().find(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size));
    let (unit, size) = fitting.unwrap_or(("B", 1));
    format!("{} {unit}/s", bytes / size)
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// It reads.
    Read,
    /// It changes something.
    Write,
}

/// Keeps one end to its [`Rates`]. Clones are the same one; the default limits nothing, and costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Throttle(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    rates: Rates,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: Lane,
    requests: Lane,
    reads: Lane,
    writes: Lane,
    /// Time for which at least one waited, up to `waiting_until`.
    waited: Duration,
    waiting_until: Option<Instant>,
}

/// What has been given out of one rate.
#[derive(Debug, Default)]
struct Lane {
    /// When all of it is used up by the rate.
    paid: Option<Instant>,
}

impl Lane {
    /// Takes so much, and tells from when on it may be used: when all before it is paid for.
    fn take(&mut self, amount: u64, rate: u64, burst: Duration, now: Instant) -> Instant {
        let earliest = now.checked_sub(burst).unwrap_or(now);
        let begin = self.paid.map_or(now, |paid| paid.max(earliest));
        self.paid = begin.checked_add(span(amount, rate)).or(self.paid);
        begin.max(now)
    }
}

/// How long it takes; a nanosecond too much rather than too little.
fn span(amount: u64, rate: u64) -> Duration {
    let nanos = (u128::from(amount) * 1_000_000_000).div_ceil(u128::from(rate.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl Throttle {
    /// Keeps to those rates.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        Self((!rates.is_none()).then(|| Arc::new(Inner { rates, state: Mutex::default() })))
    }

    /// What it keeps to.
    #[must_use]
    pub fn rates(&self) -> Rates {
        self.0.as_ref().map(|inner| inner.rates).unwrap_or_default()
    }

    /// Takes a request, and tells when it may be sent; `None`: now.
    #[must_use]
    pub fn request(&self, kind: RequestKind, now: Instant) -> Option<Instant> {
        let Inner { rates, .. } = self.0.as_deref()?;
        let state = &mut *self.state()?;
        let (rate, lane) = match kind {
            RequestKind::Read => (rates.reads, &mut state.reads),
            RequestKind::Write => (rates.writes, &mut state.writes),
        };
        let mut at = now;
        for (rate, lane) in [(rates.requests, &mut state.requests), (rate, lane)] {
            let Some(rate) = rate else { continue };
            at = at.max(lane.take(1, rate.into(), BURST, now));
        }
        state.wait_until(at, now)
    }

    /// Takes bytes of a body, and tells when they may move; `None`: now.
    #[must_use]
    pub fn bytes(&self, count: u64, now: Instant) -> Option<Instant> {
        let rate = self.0.as_deref()?.rates.bytes?;
        let state = &mut *self.state()?;
        let burst = BURST.min(span(BURST_BYTES, rate));
        let at = state.bytes.take(count, rate, burst, now);
        state.wait_until(at, now)
    }

    /// How many bytes of a body to move at once, at most `most`; small where the rate is low.
    #[must_use]
    pub fn piece(&self, most: usize) -> usize {
        let rate = self.rates().bytes.unwrap_or(u64::MAX);
        let piece = (rate / PIECES_PER_SECOND).max(SMALLEST_PIECE);
        usize::try_from(piece).unwrap_or(usize::MAX).min(most)
    }

    /// For how long so far something waited for its turn.
    #[must_use]
    pub fn waited(&self, now: Instant) -> Duration {
        let Some(state) = self.state() else { return Duration::ZERO };
        let ahead = state.waiting_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        state.waited.saturating_sub(ahead)
    }

    fn state(&self) -> Option<MutexGuard<'_, State>> {
        let inner = self.0.as_deref()?;
        Some(inner.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Notes the wait. Those that wait at the same time count once.
    fn wait_until(&mut self, at: Instant, now: Instant) -> Option<Instant> {
        if at <= now {
            return None;
        }
        let counted = self.waiting_until.map_or(now, |until| until.max(now));
        self.waited += at.saturating_duration_since(counted);
        self.waiting_until = Some(counted.max(at));
        Some(at)
    }
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
