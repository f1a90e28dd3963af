//! Chance, all of it from the seed.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// A source of chance for one decision, or for one call of a store.
///
/// What a call meets depends on the seed, the run, the operation, the key and how often that was asked before, not on
/// what other objects do at the same time: the ledger's threads may reorder those from one replay to the next.
pub struct Dice(StdRng);

impl Dice {
    pub fn new(seed: u64, place: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        (seed, place).hash(&mut hasher);
        Self(StdRng::seed_from_u64(hasher.finish()))
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.0.random_bool(probability)
    }

    /// From 0 up to, not including, `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0.random_range(0..end.max(1))
    }

    pub fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.0.random_range(range)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.0.random_range(0..from.len())]
    }
}
