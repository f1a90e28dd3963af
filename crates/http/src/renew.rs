//! Credentials that expire or are replaced while a client lives.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cabotage_core::{Error, ErrorKind, Result};
use tokio::sync::Mutex;

use crate::Service;

/// What came of getting credentials anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Others are at hand now.
    Renewed,
    /// Where they come from there are the same ones still, or none that can be read.
    Same,
    /// They were given once, and don't come from anywhere.
    Fixed,
}

/// A way to read something anew: a file, what a program prints.
#[derive(Clone)]
pub struct Renew<T>(Arc<dyn Fn() -> Result<T> + Send + Sync>);

impl<T: Send + 'static> Renew<T> {
    /// Reads by that function, which may block.
    pub fn new(read: impl Fn() -> Result<T> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Reads anew.
    ///
    /// # Errors
    /// Those of the function.
    pub async fn read(&self) -> Result<T> {
        let read = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || read()).await.map_err(|error| {
            Error::new(ErrorKind::Internal, "reading credentials anew broke off").caused_by(error)
        })?
    }
}

impl<T> fmt::Debug for Renew<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renew(…)")
    }
}

/// The credentials of one client: which they are, counted, and whether they were ever taken.
#[derive(Debug)]
pub(crate) struct Credentials {
    generation: AtomicU64,
    taken: AtomicBool,
    last: Mutex<Lookup>,
}

/// The last time that credentials were looked up.
#[derive(Clone, Copy, Debug)]
struct Lookup {
    outcome: Renewal,
    at: Option<Instant>,
}

/// How long no denial makes credentials be looked up again: most are for want of a right.
const PAUSE: Duration = Duration::from_secs(10);

impl Default for Credentials {
    fn default() -> Self {
        let last = Mutex::new(Lookup { outcome: Renewal::Fixed, at: None });
        Self { generation: AtomicU64::new(0), taken: AtomicBool::new(false), last }
    }
}

impl Credentials {
    /// Those that the next request is signed with.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The server took them.
    pub(crate) fn taken(&self) {
        self.taken.store(true, Ordering::Relaxed);
    }

    /// Gets new ones after those of that generation were refused, once for all that were refused with them.
    ///
    /// A denial may be a right that is missing: it is looked into only where the server took the credentials before, and
    /// not again and again.
    pub(crate) async fn renew(
        &self,
        service: &dyn Service,
        (refusal, refused): (&Error, u64),
        renewed: impl Fn(),
    ) -> Renewal {
        let denied = refusal.kind() == ErrorKind::PermissionDenied;
        let mut last = self.last.lock().await;
        if self.generation() != refused {
            return last.outcome;
        }
        let lately = last.at.is_some_and(|at| at.elapsed() < PAUSE);
        if denied && (lately || !self.taken.load(Ordering::Relaxed)) {
            return Renewal::Same;
        }
        let outcome = service.refresh().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "credentials were refused, and new ones can't be read");
            Renewal::Same
        });
        tracing::debug!(?outcome, "credentials were refused and looked up anew");
        *last = Lookup { outcome, at: Some(Instant::now()) };
        self.generation.fetch_add(1, Ordering::Release);
        if outcome == Renewal::Renewed {
            renewed();
        }
        outcome
    }

    /// The refusal, as what it means now that new credentials don't help.
    ///
    /// What worked before and is refused now has expired or was replaced. Where it may still be renewed, that is
    /// `CredentialsExpired`: worth waiting for. Otherwise `Unauthenticated`.
    pub(crate) fn refusal(&self, error: Error, renewal: Renewal) -> Error {
        if error.kind() == ErrorKind::PermissionDenied {
            return error;
        }
        let expired = error.kind() == ErrorKind::CredentialsExpired || self.taken.load(Ordering::Relaxed);
        match renewal {
            Renewal::Renewed | Renewal::Same if expired => error.into_kind(ErrorKind::CredentialsExpired),
            Renewal::Fixed if expired => error.into_kind(ErrorKind::Unauthenticated).with(
                "credentials",
                "expired or replaced; given once, so a run can't get new ones by itself: start again with new ones, or \
                 give them by a file, a profile or a process",
            ),
            _ => error,
        }
    }
}
