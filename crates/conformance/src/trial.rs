//! One trial of the suite.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cabotage_core::Storage;
use futures::future::BoxFuture;

use crate::check::Verdict;
use crate::{Failure, HttpClient, Outcome, Place};

/// A trial that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(300);

type Body = Arc<dyn Fn(Arc<Place>) -> BoxFuture<'static, Verdict> + Send + Sync>;

/// One thing that a store has to do.
#[derive(Clone)]
pub struct Trial {
    /// What it is about: `keys`, `listing`, `reads` …
    pub group: &'static str,
    /// Its name within the group; both are stable, since lists of deviations hold them.
    pub name: String,
    body: Body,
}

impl Trial {
    pub(crate) fn new<F>(group: &'static str, name: impl Into<String>, body: F) -> Self
    where
        F: Fn(Arc<Place>) -> BoxFuture<'static, Verdict> + Send + Sync + 'static,
    {
        Self { group, name: name.into(), body: Arc::new(body) }
    }

    /// `group::name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.group, self.name)
    }

    /// Tries it on the store, under a prefix of its own, and removes what it left there. Needs a tokio runtime with
    /// time.
    ///
    /// # Errors
    /// What the store did wrong; also when it hangs, or when what a passed trial made can't be removed.
    pub async fn run(&self, store: Arc<dyn Storage>) -> Result<Outcome, Failure> {
        self.run_with(store, None).await
    }

    /// [`run`](Self::run), with a client for the trials that use presigned URLs; without one they are skipped.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub async fn run_with(
        &self,
        store: Arc<dyn Storage>,
        http: Option<HttpClient>,
    ) -> Result<Outcome, Failure> {
        let place = Arc::new(Place::new(store, http));
        let tried = tokio::time::timeout(LIMIT, (self.body)(Arc::clone(&place))).await;
        let cleaned = tokio::time::timeout(LIMIT, place.clean()).await;
        let hangs = || Failure::new(format!("no end after {} s", LIMIT.as_secs()));
        let outcome = tried.map_err(|_| hangs())??;
        cleaned
            .map_err(|_| hangs().within("cleaning up"))?
            .map_err(|failure| failure.within("cleaning up"))?;
        Ok(outcome)
    }
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trial({})", self.full_name())
    }
}

/// A group's trials, each an async function of the same name.
macro_rules! trials {
    ($group:literal: $($name:ident),+ $(,)?) => {
        vec![$($crate::Trial::new($group, stringify!($name), |place| Box::pin($name(place)))),+]
    };
}
