//! Whether an endpoint answers, and who may find out.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cabotage_core::{Disposition, Error, ErrorKind, Result, Scope, disposition};
use tokio::sync::{Mutex as Turns, OwnedMutexGuard, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Line;
use crate::resume_body::random_part;

/// Waits between two tries: the first, and the longest; each is twice the one before, and random down to its half.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often in a row a call that is alone is tried while too many fail, before its failure is taken for its own.
const ALONE: u32 = 3;
/// How many of the latest calls are looked at, and how many failures among them close the gate.
const RECENT: usize = 20;
const TOO_MANY: usize = 10;

/// Is told of an endpoint's outages, and words the error that ends one. Called from tasks: be quick, never block.
pub trait OutageWatch: Send + Sync {
    /// The endpoint doesn't answer; calls wait from now on.
    fn down(&self, reason: &Error);
    /// It answers again, after so long.
    fn up(&self, lasted: Duration);
    /// What calls fail with once the longest outage is over. The kind is one that
    /// [`disposition`] calls `PauseEndpoint`; `last` is the latest failure's text.
    fn over(&self, kind: ErrorKind, last: &str) -> Error;
}

/// How often an endpoint was down, and for how long in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outages {
    /// Outages that began.
    pub count: u64,
    /// Their time, that of one which goes on included.
    pub time: Duration,
}

/// Whether one endpoint answers. Clones are the same gate.
///
/// It is **up** until a call fails as only an endpoint that is down for all does (refused, unresolvable, a firewall), or
/// half of the latest 20 calls fail for reasons that are not their objects'; after a single such failure (a timeout, a
/// broken connection, 5xx, credentials that are refused) a small question is asked, and the gate closes when that fails too. While it is **down** calls
/// wait; one at a time asks the question, under growing waits (1 s to 60 s), and when it is answered tries its own call,
/// whose success opens the gate. After the longest outage allowed it is **over**: calls fail at once.
///
/// An endpoint that has never answered is taken for a wrong address, and isn't waited for.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    longest: Duration,
    ended: CancellationToken,
    watch: Arc<dyn OutageWatch>,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    turn: Arc<Turns<()>>,
    calls: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the endpoint has answered once.
    known: bool,
    /// Whether it has answered a listing.
    listed: bool,
    phase: Phase,
    /// Whether each of the latest calls failed.
    recent: VecDeque<bool>,
    past: Outages,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Up,
    Down(Outage),
    Over {
        kind: ErrorKind,
        last: String,
    },
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    cause: Cause,
    tries: u32,
    kind: ErrorKind,
    last: String,
    /// Which call was let through last, and how often in a row.
    tried: (u64, u32),
}

/// Why the gate closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The endpoint answers nothing.
    Silent,
    /// Too many calls failed, whatever it answers to a small question.
    Failing,
}

/// What a failure says of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// It answered.
    Answer,
    /// It may be down.
    Suspect,
    /// It is down.
    Down,
}

fn sign(kind: ErrorKind) -> Sign {
    use ErrorKind::{CredentialsExpired, Interrupted, Throttled, Timeout, Unavailable};
    match kind {
        // One request may be refused for what it is; a small question tells.
        CredentialsExpired => Sign::Suspect,
        kind if disposition(kind, Scope::Store) == Disposition::PauseEndpoint => Sign::Down,
        Throttled | Unavailable | Timeout | Interrupted => Sign::Suspect,
        _ => Sign::Answer,
    }
}

/// Whether it failed because the endpoint does nothing for anyone, or not for these credentials.
pub(super) fn is_outage(error: &Error) -> bool {
    disposition(error.kind(), Scope::Store) == Disposition::PauseEndpoint
}

/// A call that may be sent. Dropping it leaves the gate as it is.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// Which call it is.
    call: u64,
    /// Held by the one that is let through to try.
    trial: Option<OwnedMutexGuard<()>>,
}

impl Gate {
    /// A gate that is up. Outages last at most `longest` (0: nothing is waited for); waiting ends with `Cancelled` when
    /// `ended` is cancelled.
    #[must_use]
    pub fn new(longest: Duration, ended: CancellationToken, watch: Arc<dyn OutageWatch>) -> Self {
        let (changed, _) = watch::channel(());
        let (state, turn) = (Mutex::default(), Arc::default());
        Self(Arc::new(Inner { longest, ended, watch, state, changed, turn, calls: AtomicU64::new(0) }))
    }

    /// The outages so far.
    #[must_use]
    pub fn outages(&self) -> Outages {
        let state = self.state();
        let mut outages = state.past;
        if let Phase::Down(outage) = &state.phase {
            outages.time += outage.since.elapsed();
        }
        outages
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a listing that was answered.
    pub(super) fn listed(&self) {
        self.state().listed = true;
    }

    pub(super) fn has_listed(&self) -> bool {
        self.state().listed
    }

    /// Waits until a call may be sent.
    ///
    /// # Errors
    /// `Cancelled` when the run ends; that of [`OutageWatch::over`].
    pub(super) async fn enter(&self, line: &Line) -> Result<Pass> {
        let call = self.0.calls.fetch_add(1, Ordering::Relaxed);
        self.enter_again(call, line).await
    }

    async fn enter_again(&self, call: u64, line: &Line) -> Result<Pass> {
        loop {
            let mut changed = self.0.changed.subscribe();
            match &self.state().phase {
                Phase::Up => return Ok(Pass { call, trial: None }),
                Phase::Over { kind, last } => return Err(self.0.watch.over(*kind, last)),
                Phase::Down(_) => {}
            }
            let turn = tokio::select! {
                biased;
                () = self.0.ended.cancelled() => return Err(cancelled()),
                _ = changed.changed() => continue,
                turn = Arc::clone(&self.0.turn).lock_owned() => turn,
            };
            let answered = tokio::select! {
                biased;
                () = self.0.ended.cancelled() => return Err(cancelled()),
                answered = self.find_out(line) => answered,
            };
            if answered {
                return Ok(Pass { call, trial: Some(turn) });
            }
        }
    }

    /// Asks until there is an answer; false when the outage has ended otherwise.
    async fn find_out(&self, line: &Line) -> bool {
        while let Some((next, end)) = self.next_try() {
            sleep_until(next.min(end)).await;
            if Instant::now() >= end {
                self.give_up();
                return false;
            }
            let asked = tokio::time::timeout_at(end, line.ask()).await;
            match asked {
                Ok(Err(error)) if sign(error.kind()) != Sign::Answer => self.note_silence(&error),
                Ok(_) => return true,
                Err(_) => self.give_up(),
            }
        }
        false
    }

    /// When to ask again, and when the outage is over; none when it has ended.
    fn next_try(&self) -> Option<(Instant, Instant)> {
        let mut state = self.state();
        let Phase::Down(outage) = &mut state.phase else { return None };
        let wait = FIRST_WAIT.saturating_mul(1 << outage.tries.min(10)).min(LONGEST_WAIT);
        outage.tries += 1;
        let wait = wait / 2 + random_part(wait / 2);
        Some((Instant::now() + wait, outage.since + self.0.longest))
    }

    fn note_silence(&self, error: &Error) {
        if let Phase::Down(outage) = &mut self.state().phase {
            outage.last = error.to_string();
            outage.kind = pausing(error.kind());
        }
    }

    /// Takes note of an answer. That to a call which was let through alone opens the gate.
    pub(super) fn answered(&self, pass: Pass) {
        let lasted = {
            let mut state = self.state();
            state.known = true;
            note(&mut state.recent, false);
            match &state.phase {
                Phase::Down(outage) if pass.trial.is_some() => {
                    let lasted = outage.since.elapsed();
                    // Calls of another kind may still fail: one more closes the gate again.
                    let doubt = if outage.cause == Cause::Failing { TOO_MANY - 1 } else { 0 };
                    state.recent = std::iter::repeat_n(true, doubt).collect();
                    state.phase = Phase::Up;
                    state.past.time += lasted;
                    lasted
                }
                _ => return,
            }
        };
        drop(pass);
        self.0.watch.up(lasted);
        self.0.changed.send_replace(());
    }

    /// Takes note of a failure. Where it is the endpoint's, waits until the call may be sent again, and gives the failure
    /// back.
    ///
    /// # Errors
    /// The failure itself where it is for the caller to deal with, and those of [`enter`](Self::enter).
    pub(super) async fn failed(&self, pass: Pass, error: Error, line: &Line) -> Result<(Pass, Error)> {
        let sign = sign(error.kind());
        if sign == Sign::Answer {
            self.answered(pass);
            return Err(error);
        }
        if self.0.longest.is_zero() || !self.state().known {
            return Err(error);
        }
        let closed = match (sign, &pass.trial) {
            (Sign::Down, _) => self.close(&error, Cause::Silent),
            (_, Some(_)) => self.keeps_failing(pass.call),
            (_, None) => self.too_many() && self.close(&error, Cause::Failing),
        };
        if closed {
            let call = pass.call;
            drop(pass);
            return Ok((self.enter_again(call, line).await?, error));
        }
        if pass.trial.is_some() {
            // It answered the question, and this call's failure is its own.
            self.answered(pass);
            return Err(error);
        }
        self.suspect(pass.call, error, line).await
    }

    /// Asks whether the endpoint answers after a failure that may have been the call's own.
    async fn suspect(&self, call: u64, error: Error, line: &Line) -> Result<(Pass, Error)> {
        let mut changed = self.0.changed.subscribe();
        if self.is_up() {
            let asking = async {
                let _turn = self.0.turn.lock().await;
                if self.is_up() { line.ask().await.map_err(|asked| sign(asked.kind())) } else { Ok(()) }
            };
            let asked = tokio::select! {
                biased;
                () = self.0.ended.cancelled() => return Err(error),
                _ = changed.changed() => Ok(()),
                asked = asking => asked,
            };
            match asked {
                Err(Sign::Down | Sign::Suspect) => drop(self.close(&error, Cause::Silent)),
                _ if self.is_up() => return Err(error),
                _ => {}
            }
        }
        Ok((self.enter_again(call, line).await?, error))
    }

    fn is_up(&self) -> bool {
        matches!(self.state().phase, Phase::Up)
    }

    /// Whether calls fail though the endpoint answers, and the one that was let through may not be the only one.
    fn keeps_failing(&self, call: u64) -> bool {
        let mut state = self.state();
        let Phase::Down(outage) = &mut state.phase else { return false };
        outage.tried = if outage.tried.0 == call { (call, outage.tried.1 + 1) } else { (call, 1) };
        outage.cause == Cause::Failing && outage.tried.1 < ALONE
    }

    /// Whether too many of the latest calls failed, this one included.
    fn too_many(&self) -> bool {
        let mut state = self.state();
        note(&mut state.recent, true);
        state.recent.iter().filter(|failed| **failed).count() >= TOO_MANY
    }

    /// Closes the gate, unless it is closed; true when it is now.
    fn close(&self, error: &Error, cause: Cause) -> bool {
        {
            let mut state = self.state();
            if !matches!(state.phase, Phase::Up) {
                return true;
            }
            let (kind, last) = (pausing(error.kind()), error.to_string());
            let since = Instant::now();
            state.phase = Phase::Down(Outage { since, cause, tries: 0, kind, last, tried: (u64::MAX, 0) });
            state.past.count += 1;
        }
        self.0.watch.down(error);
        self.0.changed.send_replace(());
        true
    }

    fn give_up(&self) {
        {
            let mut state = self.state();
            let Phase::Down(outage) = &mut state.phase else { return };
            let (kind, last) = (outage.kind, std::mem::take(&mut outage.last));
            let lasted = outage.since.elapsed();
            state.past.time += lasted;
            state.phase = Phase::Over { kind, last };
        }
        self.0.changed.send_replace(());
    }
}

/// A kind that pauses an endpoint.
fn pausing(kind: ErrorKind) -> ErrorKind {
    match disposition(kind, Scope::Store) {
        Disposition::PauseEndpoint => kind,
        _ => ErrorKind::Unreachable,
    }
}

fn note(recent: &mut VecDeque<bool>, failed: bool) {
    recent.push_back(failed);
    if recent.len() > RECENT {
        recent.pop_front();
    }
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the run ended while the endpoint did not answer")
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("longest", &self.0.longest)
            .field("state", &*self.state())
            .finish_non_exhaustive()
    }
}
