//! What follows from a failure: decided in one place.

use crate::ErrorKind;

/// What a failure was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One object.
    Object,
    /// The store as a whole: opening, listing, probing.
    Store,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Try again, up to the attempts allowed; then the object fails.
    Retry,
    /// Read the source anew, once; then the object waits for the next pass.
    RetryOnce,
    /// This object fails; the run goes on.
    FailObject,
    /// Not failed: put off until the object is restored.
    Defer,
    /// Nothing is wrong with the object: the endpoint is down for all.
    PauseEndpoint,
    /// Nothing can go on.
    StopRun,
}

/// What to do about a failure of that kind.
///
/// | disposition | kinds |
/// |---|---|
/// | Retry | Throttled, Unavailable, Timeout, Interrupted, Truncated, DigestMismatch, Protocol |
/// | RetryOnce | SourceChanged |
/// | FailObject | NotFound, PreconditionFailed, DestinationConflict, KeyRejected, TooLarge, Unsupported, PermissionDenied and VerifyMismatch of an object |
/// | Defer | Archived |
/// | PauseEndpoint | Unreachable, AccountDenied, CredentialsExpired (new ones were asked for already) |
/// | StopRun | Unauthenticated, BucketNotFound, InvalidConfig, Ledger…, NoSpace, ListingBroken, Cancelled, Internal, and every FailObject kind when the store as a whole is meant |
#[must_use]
pub fn disposition(kind: ErrorKind, scope: Scope) -> Disposition {
    use ErrorKind as K;
    match kind {
        K::Throttled
        | K::Unavailable
        | K::Timeout
        | K::Interrupted
        | K::Truncated
        | K::DigestMismatch
        | K::Protocol => Disposition::Retry,
        K::SourceChanged => Disposition::RetryOnce,
        K::Unreachable | K::AccountDenied | K::CredentialsExpired => Disposition::PauseEndpoint,
        K::Archived if scope == Scope::Object => Disposition::Defer,
        K::NotFound
        | K::PreconditionFailed
        | K::DestinationConflict
        | K::KeyRejected
        | K::TooLarge
        | K::Unsupported
        | K::PermissionDenied
        | K::VerifyMismatch
            if scope == Scope::Object =>
        {
            Disposition::FailObject
        }
        _ => Disposition::StopRun,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ErrorKind as K;

    #[test]
    fn table() {
        for (kind, object, store) in [
            (K::Throttled, Disposition::Retry, Disposition::Retry),
            (K::Interrupted, Disposition::Retry, Disposition::Retry),
            (K::DigestMismatch, Disposition::Retry, Disposition::Retry),
            (K::SourceChanged, Disposition::RetryOnce, Disposition::RetryOnce),
            (K::NotFound, Disposition::FailObject, Disposition::StopRun),
            (K::PermissionDenied, Disposition::FailObject, Disposition::StopRun),
            (K::KeyRejected, Disposition::FailObject, Disposition::StopRun),
            (K::VerifyMismatch, Disposition::FailObject, Disposition::StopRun),
            (K::Archived, Disposition::Defer, Disposition::StopRun),
            (K::Unreachable, Disposition::PauseEndpoint, Disposition::PauseEndpoint),
            (K::AccountDenied, Disposition::PauseEndpoint, Disposition::PauseEndpoint),
            (K::CredentialsExpired, Disposition::PauseEndpoint, Disposition::PauseEndpoint),
            (K::Unauthenticated, Disposition::StopRun, Disposition::StopRun),
            (K::BucketNotFound, Disposition::StopRun, Disposition::StopRun),
            (K::NoSpace, Disposition::StopRun, Disposition::StopRun),
            (K::ListingBroken, Disposition::StopRun, Disposition::StopRun),
            (K::LedgerHeld, Disposition::StopRun, Disposition::StopRun),
            (K::Internal, Disposition::StopRun, Disposition::StopRun),
        ] {
            assert_eq!(disposition(kind, Scope::Object), object, "{kind:?}");
            assert_eq!(disposition(kind, Scope::Store), store, "{kind:?}");
        }
    }
}
