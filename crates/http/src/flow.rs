//! How many requests may be in flight at once, for a server that asks to slow down.
//!
//! Nothing is bounded until it asks (429 or 503). Then half of what was in flight may be, and one more after as many
//! answers as may be in flight (additive increase, multiplicative decrease), until nothing is left to bound. One
//! halving for all that was under way when it asked: their answers say nothing of the new bound.
//!
//! A request counts until its reply's body has been read to its end or dropped, and while it waits out a `Retry-After`.
//! Whoever reads a body may be waiting for another request, so one request goes out even when bodies alone use up the
//! bound; the same holds for requests whose own bodies come from elsewhere.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cabotage_core::Traffic;
use http::StatusCode;
use tokio::sync::Notify;

/// Whether a request needs nothing but its server to come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Server,
    Others,
}

/// The flow to one endpoint; clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// In flight, by what they need.
    server: u32,
    others: u32,
    /// The most that were in flight.
    peak: u32,
    bound: Option<Bound>,
    /// How often the bound was halved.
    halvings: u64,
    traffic: Traffic,
}

/// How many may be in flight.
#[derive(Clone, Copy, Debug)]
struct Bound {
    limit: u32,
    /// Answers since it grew.
    answers: u32,
}

impl State {
    fn in_flight(&self) -> u32 {
        self.server + self.others
    }

    fn has_room(&self) -> bool {
        self.server == 0 || self.bound.is_none_or(|bound| self.in_flight() < bound.limit)
    }

    fn count(&mut self, need: Need) -> &mut u32 {
        match need {
            Need::Server => &mut self.server,
            Need::Others => &mut self.others,
        }
    }

    fn halve(&mut self) {
        let before = self.bound.map_or(self.in_flight(), |bound| bound.limit);
        let limit = (before / 2).max(1);
        self.bound = Some(Bound { limit, answers: 0 });
        self.halvings += 1;
        let lowest = self.traffic.lowest_limit.map_or(limit, |lowest| lowest.min(limit));
        self.traffic.lowest_limit = Some(lowest);
    }

    fn grow(&mut self) {
        let Some(bound) = &mut self.bound else { return };
        bound.answers += 1;
        if bound.answers >= bound.limit {
            *bound = Bound { limit: bound.limit + 1, answers: 0 };
        }
        if bound.limit >= self.peak {
            self.bound = None;
        }
    }
}

impl Flow {
    /// Waits until a request may be sent.
    pub(crate) async fn turn(&self, need: Need) -> Turn {
        let begun = Instant::now();
        let mut waited = false;
        loop {
            if let Some(turn) = self.try_turn(need, waited.then_some(begun)) {
                return turn;
            }
            waited = true;
            // A wake-up that comes before this is kept.
            self.0.room.notified().await;
        }
    }

    fn try_turn(&self, need: Need, since: Option<Instant>) -> Option<Turn> {
        let mut state = self.state();
        if !state.has_room() {
            return None;
        }
        *state.count(need) += 1;
        state.peak = state.peak.max(state.in_flight());
        if let Some(since) = since {
            let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            state.traffic.waited_millis = state.traffic.waited_millis.saturating_add(millis);
        }
        let turn = Turn { flow: self.clone(), need, halvings: state.halvings, asked_to_wait: false };
        let more = state.has_room();
        drop(state);
        if more {
            self.0.room.notify_one();
        }
        Some(turn)
    }

    /// Counts a request that is sent, or sent again.
    pub(crate) fn sent(&self, attempt: u32) {
        let traffic = &mut self.state().traffic;
        traffic.requests += 1;
        traffic.retries += u64::from(attempt > 1);
    }

    /// Counts credentials that were got anew.
    pub(crate) fn renewed(&self) {
        self.state().traffic.renewals += 1;
    }

    /// What has become of requests so far.
    pub(crate) fn traffic(&self) -> Traffic {
        let state = self.state();
        Traffic { limit: state.bound.map(|bound| bound.limit), ..state.traffic }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in flight; it counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    flow: Flow,
    need: Need,
    /// How often the bound had been halved when the turn began.
    halvings: u64,
    asked_to_wait: bool,
}

impl Turn {
    /// Takes note of the server's answer.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        let mut state = self.flow.state();
        let later = state.halvings == self.halvings;
        self.asked_to_wait = matches!(status.as_u16(), 429 | 503);
        if self.asked_to_wait {
            state.traffic.throttled += 1;
            if later {
                state.halve();
            }
        } else if later {
            state.grow();
            drop(state);
            self.flow.0.room.notify_one();
        }
    }

    /// From now on a body is read, as fast as its reader takes it.
    pub(crate) fn reading(mut self) -> Self {
        let mut state = self.flow.state();
        *state.count(self.need) -= 1;
        state.others += 1;
        drop(state);
        self.need = Need::Others;
        self.flow.0.room.notify_one();
        self
    }

    /// The turn, if the server asked to slow down: it is kept until the request may be sent again. Otherwise it ends.
    pub(crate) fn resting(self) -> Option<Self> {
        self.asked_to_wait.then_some(self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.flow.state().count(self.need) -= 1;
        self.flow.0.room.notify_one();
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
