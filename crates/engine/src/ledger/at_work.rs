//! How many objects are at work: so many callers of the ledger may be about to change it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The count; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct AtWork(Arc<AtomicUsize>);

/// One that is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(AtWork);

impl AtWork {
    pub(crate) fn count_me(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_counted_no_longer() {
        let all = AtWork::default();
        let (one, two) = (all.count_me(), all.count_me());
        assert_eq!(all.count(), 2);
        drop(one);
        assert_eq!(all.count(), 1);
        drop(two);
        assert_eq!(all.count(), 0);
    }
}
