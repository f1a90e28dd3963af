//! One trial of the suite.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::Bench;
use crate::check::Verdict;
use crate::{Failure, Outcome};

/// A trial that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(300);

type Body = Arc<dyn Fn(Arc<Bench>) -> BoxFuture<'static, Verdict> + Send + Sync>;

/// One thing that a compute has to do.
#[derive(Clone)]
pub struct ComputeTrial {
    /// What it is about: `submitting`, `tasks`, `endings`, `logs`.
    pub group: &'static str,
    /// Its name within the group.
    pub name: &'static str,
    body: Body,
}

impl ComputeTrial {
    pub(super) fn new<F>(group: &'static str, name: &'static str, body: F) -> Self
    where
        F: Fn(Arc<Bench>) -> BoxFuture<'static, Verdict> + Send + Sync + 'static,
    {
        Self { group, name, body: Arc::new(body) }
    }

    /// `group::name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.group, self.name)
    }

    /// Tries it, then cancels and removes the jobs that it made. Needs a Tokio runtime with time.
    ///
    /// # Errors
    /// What the compute did wrong; also when it hangs, or a job of the trial can't be removed.
    pub async fn run(&self, bench: Bench) -> Result<Outcome, Failure> {
        let bench = Arc::new(bench);
        let hangs = || Failure::new(format!("no end after {} s", LIMIT.as_secs()));
        let tried = tokio::time::timeout(LIMIT, (self.body)(Arc::clone(&bench))).await;
        let cleaned = tokio::time::timeout(LIMIT, bench.clean()).await;
        let outcome = tried.map_err(|_| hangs())??;
        cleaned
            .map_err(|_| hangs().within("cleaning up"))?
            .map_err(|failure| failure.within("cleaning up"))?;
        Ok(outcome)
    }
}

impl fmt::Debug for ComputeTrial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ComputeTrial({})", self.full_name())
    }
}

/// A group's trials, each an async function of the same name.
macro_rules! compute_trials {
    ($group:literal: $($name:ident),+ $(,)?) => {
        vec![$(super::ComputeTrial::new($group, stringify!($name), |bench| Box::pin($name(bench)))),+]
    };
}
pub(super) use compute_trials;
