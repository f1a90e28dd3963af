//! Waiting for a throttle. No timeout runs meanwhile: who waits here has nothing to hope for from the server.

use cabotage_core::{RequestKind, Throttle};
use http::Method;
use tokio::time::{Instant, sleep_until};

/// Waits until a request may be sent.
pub(crate) async fn request(throttle: &Throttle, method: &Method) {
    let kind = if method.is_safe() { RequestKind::Read } else { RequestKind::Write };
    if let Some(at) = throttle.request(kind, Instant::now().into_std()) {
        sleep_until(Instant::from_std(at)).await;
    }
}

/// Waits until so many bytes of a body may move.
pub(crate) async fn bytes(throttle: &Throttle, count: u64) {
    if let Some(at) = throttle.bytes(count, Instant::now().into_std()) {
        sleep_until(Instant::from_std(at)).await;
    }
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
