//! How often something is tried, and how long is waited between.

use std::time::Duration;

use cabotage_core::{Disposition, Error, Result, Scope, disposition};

/// Attempts at an object or at a single call, the first included.
pub(crate) const ATTEMPTS: u32 = 3;

/// Waits before the next attempt, longer each time.
pub(crate) async fn back_off(attempt: u32) {
    let ceiling = 500 * 2_u64.pow(attempt);
    tokio::time::sleep(Duration::from_millis(rand::random_range(ceiling / 2..=ceiling))).await;
}

/// Whether the same call may succeed when it is made again.
pub(crate) fn is_passing(error: &Error) -> bool {
    disposition(error.kind(), Scope::Object) == Disposition::Retry
}

/// Calls again after a failure in passing.
///
/// # Errors
/// That of the last attempt, and at once what another attempt can't mend.
pub(crate) async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut attempt = 1;
    loop {
        match call().await {
            Err(error) if attempt < ATTEMPTS && is_passing(&error) => {
                tracing::debug!(%error, attempt, "trying again");
                back_off(attempt).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use cabotage_core::ErrorKind;

    use super::*;

    async fn calls_until(kind: ErrorKind, succeeds_at: u32) -> (u32, bool) {
        let calls = Cell::new(0);
        let result = patiently(|| {
            calls.set(calls.get() + 1);
            let done = calls.get() >= succeeds_at;
            async move { if done { Ok(()) } else { Err(Error::new(kind, "x")) } }
        });
        let done = result.await.is_ok();
        (calls.get(), done)
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_passes_is_tried_again() {
        assert_eq!(calls_until(ErrorKind::Timeout, 1).await, (1, true));
        assert_eq!(calls_until(ErrorKind::Timeout, 3).await, (3, true));
        assert_eq!(calls_until(ErrorKind::Timeout, 4).await, (3, false));
        assert_eq!(calls_until(ErrorKind::PermissionDenied, 2).await, (1, false));
    }
}
