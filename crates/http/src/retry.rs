//! When a request is sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cabotage_core::{Disposition, Error, ErrorKind, Scope, Timestamp, disposition};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use rand::Rng as _;

use crate::RetryPolicy;
use crate::date::header_date;

/// Longest wait that a server can ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How often an endpoint that can't be reached, or doesn't answer in time, is tried for one request.
const FEW: u32 = 3;

/// Whether a failed attempt may be followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// No.
    Never,
    /// A few quick ones.
    Few,
    /// As the policy says.
    Yes,
    /// Once, after new credentials.
    Refresh,
    /// Once, signed by the server's clock, which is known now.
    Redated,
}

/// A failed attempt.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) again: Again,
    pub(crate) wait: Option<Duration>,
}

impl Failure {
    /// A failure that another attempt can't mend.
    pub(crate) fn fatal(error: Error) -> Self {
        Self { error, again: Again::Never, wait: None }
    }

    /// A failure told by the server.
    ///
    /// A digest that didn't match isn't sent again from here: the same bytes would go out.
    pub(crate) fn reply(error: Error, headers: &HeaderMap) -> Self {
        let again = match error.kind() {
            // Ceph denies a withdrawn key what it would deny for want of a right.
            ErrorKind::CredentialsExpired | ErrorKind::Unauthenticated | ErrorKind::PermissionDenied => {
                Again::Refresh
            }
            ErrorKind::DigestMismatch => Again::Never,
            ErrorKind::Unreachable => Again::Few,
            kind if disposition(kind, Scope::Object) == Disposition::Retry => Again::Yes,
            _ => Again::Never,
        };
        Self { error, again, wait: retry_after(headers) }
    }

    /// A failure of which only the status arrived: what it was stood in the body.
    pub(crate) fn cut_short(error: Error, status: StatusCode) -> Self {
        Self { error: error.with("status", status.as_str()), again: Again::Yes, wait: None }
    }

    /// Whether the server surely did nothing.
    pub(crate) fn is_not_taken(&self) -> bool {
        matches!(self.error.kind(), ErrorKind::Unreachable | ErrorKind::Throttled)
    }
}

/// The wait that the server asks for: seconds or a date (RFC 9110, 10.2.3), a minute at most.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<u64>().ok();
    let wait = match seconds {
        Some(seconds) => Duration::from_secs(seconds),
        None => {
            let until = header_date(headers, RETRY_AFTER)?;
            let now = header_date(headers, http::header::DATE).unwrap_or_else(Timestamp::now);
            Duration::try_from(until.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// How long to wait after the attempt of that number (from 1), or `None` to give up.
pub(crate) fn wait(policy: &RetryPolicy, failure: &Failure, attempt: u32) -> Option<Duration> {
    let (attempts, cap) = match failure.again {
        Again::Never | Again::Refresh | Again::Redated => return None,
        Again::Few => (policy.attempts.min(FEW), policy.cap.min(Duration::from_secs(1))),
        Again::Yes => (policy.attempts, policy.cap),
    };
    if attempt >= attempts {
        return None;
    }
    let longest = policy.base.saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX)).min(cap);
    let jittered = longest.mul_f64(rand::rng().random::<f64>());
    Some(jittered.max(failure.wait.unwrap_or_default()))
}

/// What a client may still spend on retries: when most requests fail, retries would make it worse.
#[derive(Clone)]
pub(crate) struct Budget(Arc<AtomicU32>);

impl Budget {
    /// A retry costs 10, a success gives 1 back: in the long run at most one retry for ten successes.
    const FULL: u32 = 5_000;
    const COST: u32 = 10;

    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU32::new(Self::FULL)))
    }

    /// Takes the price of one retry, if it is there.
    pub(crate) fn take(&self) -> bool {
        let spend = |left: u32| left.checked_sub(Self::COST);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }

    /// Gives back after a success.
    pub(crate) fn earn(&self) {
        let earn = |left: u32| (left < Self::FULL).then_some(left + 1);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, earn);
    }
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
