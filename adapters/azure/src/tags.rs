//! The right to read tags: what is known of it.

use std::sync::atomic::{AtomicU8, Ordering};

/// What is known of the right to read tags. It is learned once and kept.
#[derive(Debug, Default)]
pub(crate) struct TagAccess(AtomicU8);

impl TagAccess {
    const READABLE: u8 = 1;
    const DENIED: u8 = 2;
    const NONE: u8 = 3;

    /// Whether it makes sense to ask for them.
    pub(crate) fn wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed) < Self::DENIED
    }

    /// Whether they can be read.
    pub(crate) fn known(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::READABLE
    }

    /// Whether the account has no tags at all.
    pub(crate) fn none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::NONE
    }

    pub(crate) fn readable(&self) {
        self.0.store(Self::READABLE, Ordering::Relaxed);
    }

    pub(crate) fn denied(&self) {
        self.0.store(Self::DENIED, Ordering::Relaxed);
    }

    pub(crate) fn absent(&self) {
        self.0.store(Self::NONE, Ordering::Relaxed);
    }
}
