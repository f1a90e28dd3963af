//! Scripted faults, for tests of what stands above a store.
//!
//! [`Faults`] is the script, [`Fault`] the store that plays it. Calls are counted per rule, so the same calls in the
//! same order meet the same faults; a rule that counts per key ([`Calls::OfKey`]) plays the same under any concurrency.

mod body;
mod store;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cabotage_core::{Error, ErrorKind, Operation, Result};

pub use store::Fault;

/// Which keys a rule is for. For listings it is the prefix asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyMatch {
    /// All.
    Any,
    /// That one.
    Exactly(String),
    /// Those that begin so.
    StartsWith(String),
    /// Those that hold this.
    Contains(String),
}

impl KeyMatch {
    fn matches(&self, key: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(name) => name == key,
            Self::StartsWith(start) => key.starts_with(start.as_str()),
            Self::Contains(part) => key.contains(part.as_str()),
        }
    }
}

/// Which of the matching calls a rule is for, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Each.
    Every,
    /// The nth of all that match the rule.
    OfAll(u64),
    /// The nth on each key.
    OfKey(u64),
    /// The nth of all that match the rule, and all after it.
    From(u64),
}

/// What happens. Places are bytes from the start of the body that is read or sent; in a listing they count items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing is done, the call fails.
    Fail(ErrorKind),
    /// It is done, and the call fails all the same: the reply was lost.
    FailAfter(ErrorKind),
    /// The body or listing ends there without an error, against the contract.
    TruncateBody(u64),
    /// The body or listing ends there with `Interrupted`.
    CutBody(u64),
    /// That byte arrives with all its bits turned over. A digest sent along stays that of the right bytes.
    FlipByte(u64),
    /// That byte is stored so, under the digest of the wrong bytes: a store that spoils what it accepts.
    StoreFlipped(u64),
    /// A write, part, completion or delete says that it was done, and is not.
    LieStored,
    /// After that many items the listing begins anew.
    ListAgain(u64),
    /// The call waits first.
    Delay(Duration),
}

/// When what happens.
#[derive(Clone, Debug)]
pub struct Rule {
    operation: Operation,
    keys: KeyMatch,
    calls: Calls,
    effect: Effect,
}

impl Rule {
    /// On every call of that operation, until narrowed down. Heads are [`Operation::Head`]; starting, resuming and
    /// listing uploads, and asking for their parts, are [`Operation::Upload`]. Each key of a `delete_many` is one call.
    #[must_use]
    pub fn new(operation: Operation, effect: Effect) -> Self {
        Self { operation, keys: KeyMatch::Any, calls: Calls::Every, effect }
    }

    /// Only on those keys.
    #[must_use]
    pub fn keys(mut self, keys: KeyMatch) -> Self {
        self.keys = keys;
        self
    }

    /// Only on those calls.
    #[must_use]
    pub fn calls(mut self, calls: Calls) -> Self {
        self.calls = calls;
        self
    }
}

#[derive(Debug, Default)]
struct Counts {
    /// Calls that matched a rule, by rule.
    rules: HashMap<usize, u64>,
    /// The same, by rule and key.
    keys: HashMap<(usize, String), u64>,
    operations: HashMap<Operation, u64>,
    log: Vec<(Operation, String)>,
    played: u64,
    /// With what every call fails now.
    down: Option<ErrorKind>,
}

/// A script and the count of what has been called. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Arc<[Rule]>,
    counts: Arc<Mutex<Counts>>,
}

impl Faults {
    /// Plays those rules; all that apply to a call are played, in order.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { rules: rules.into_iter().collect(), counts: Arc::default() }
    }

    /// How often the operation was called, whether with a fault or not.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> u64 {
        self.counts().operations.get(&operation).copied().unwrap_or(0)
    }

    /// How many faults were played: a test of a fault that never came proves nothing.
    #[must_use]
    pub fn played(&self) -> u64 {
        self.counts().played
    }

    /// Every call so far, in order, with its key (listings: the prefix).
    #[must_use]
    pub fn log(&self) -> Vec<(Operation, String)> {
        self.counts().log.clone()
    }

    /// From now on every call fails with that kind, whatever the rules say; listings on their way do too,
    /// and bodies break off.
    /// `None`: no longer.
    pub fn set_down(&self, kind: Option<ErrorKind>) {
        self.counts().down = kind;
    }

    fn down(&self) -> Option<ErrorKind> {
        self.counts().down
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the call and tells what is to happen.
    fn call(&self, operation: Operation, key: &str) -> Plan {
        let mut counts = self.counts();
        *counts.operations.entry(operation).or_default() += 1;
        counts.log.push((operation, key.to_owned()));
        let mut effects = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.operation != operation || !rule.keys.matches(key) {
                continue;
            }
            let of_all = *counts.rules.entry(index).and_modify(|n| *n += 1).or_insert(1);
            let of_key = *counts.keys.entry((index, key.to_owned())).and_modify(|n| *n += 1).or_insert(1);
            let meant = match rule.calls {
                Calls::Every => true,
                Calls::OfAll(n) => of_all == n,
                Calls::OfKey(n) => of_key == n,
                Calls::From(n) => of_all >= n,
            };
            if meant {
                counts.played += 1;
                effects.push(rule.effect.clone());
            }
        }
        if let Some(kind) = counts.down {
            effects.insert(0, Effect::Fail(kind));
        }
        Plan { operation, effects }
    }
}

/// What is to happen to one call.
#[derive(Debug)]
struct Plan {
    operation: Operation,
    effects: Vec<Effect>,
}

impl Plan {
    /// Waits and fails as planned, before anything is done.
    async fn before(&self) -> Result<()> {
        for effect in &self.effects {
            match effect {
                Effect::Delay(time) => tokio::time::sleep(*time).await,
                Effect::Fail(kind) => return Err(self.error(*kind)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Fails as planned, after it was done.
    fn after(&self) -> Result<()> {
        let lost = self.effects.iter().find_map(|effect| match effect {
            Effect::FailAfter(kind) => Some(*kind),
            _ => None,
        });
        lost.map_or(Ok(()), |kind| Err(self.error(kind)))
    }

    fn lies(&self) -> bool {
        self.effects.contains(&Effect::LieStored)
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, "a scripted fault").during(self.operation)
    }
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
