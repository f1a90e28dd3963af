//! Bytes of bodies in memory.

use std::sync::Arc;

use cabotage_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit stands for.
const UNIT: u64 = 4096;
/// The part of the whole that is kept for small bodies, and the largest of these as a part of it.
const RESERVE: u32 = 16;

/// A budget of bytes, given out in the order of asking. A small body doesn't wait behind large ones: where there is no room
/// for it at once, it takes of what is kept for such.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    general: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    /// Of both.
    all: u32,
    total: u32,
    small: u32,
}

impl Budget {
    /// A budget of that many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let all = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        let reserve = all / RESERVE;
        let total = all - reserve;
        let semaphore = |permits: u32| Arc::new(Semaphore::new(permits as usize));
        Self { general: semaphore(total), reserve: semaphore(reserve), all, total, small: reserve / RESERVE }
    }

    /// Bytes that are taken, and all there are.
    pub(crate) fn held(&self) -> (u64, u64) {
        let free = self.general.available_permits() + self.reserve.available_permits();
        let total = UNIT * u64::from(self.all);
        let free = UNIT.saturating_mul(u64::try_from(free).unwrap_or(u64::MAX));
        (total.saturating_sub(free), total)
    }

    /// Waits for that many bytes; a wish for more than there are waits for all.
    ///
    /// # Errors
    /// `Internal` when the budget is closed, which nobody does.
    pub(crate) async fn take(&self, bytes: u64) -> Result<OwnedSemaphorePermit> {
        let permits = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.total);
        let pool = if permits <= self.small {
            // Who waits is served first, so this overtakes nobody.
            if let Ok(taken) = Arc::clone(&self.general).try_acquire_many_owned(permits) {
                return Ok(taken);
            }
            &self.reserve
        } else {
            &self.general
        };
        let closed = |_| Error::new(ErrorKind::Internal, "the memory budget was closed");
        Arc::clone(pool).acquire_many_owned(permits).await.map_err(closed)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_small_body_waits_for_no_large_one_and_takes_nothing_from_it() {
        let budget = Budget::new(256 * MIB);
        let mut held: Vec<_> = (0..14).map(|_| budget.take(16 * MIB).now_or_never().unwrap()).collect();
        let mut waiting = Box::pin(budget.take(100 * MIB));
        assert!(waiting.as_mut().now_or_never().is_none());
        let smalls: Vec<_> = (0..16).map(|_| budget.take(MIB).now_or_never().unwrap()).collect();
        assert!(budget.take(MIB).now_or_never().is_none(), "the reserve is used up");
        assert!(budget.take(2 * MIB).now_or_never().is_none(), "larger ones wait in order");
        held.truncate(8);
        assert!(waiting.as_mut().now_or_never().is_some());
        drop(smalls);
        assert_eq!(budget.held(), (8 * 16 * MIB, 256 * MIB), "those that wait no longer hold nothing");
    }

    #[test]
    fn no_more_than_there_is() {
        let budget = Budget::new(16 * MIB);
        let all = budget.take(u64::MAX).now_or_never().unwrap();
        assert!(budget.take(MIB).now_or_never().is_none());
        drop(all);
        assert!(budget.take(8 * MIB).now_or_never().is_some(), "half of it is the largest body");
        let tiny = Budget::new(1);
        assert!(tiny.take(1).now_or_never().is_some());
    }
}
