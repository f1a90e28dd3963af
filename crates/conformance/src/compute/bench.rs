//! Where a trial works: a compute, with names of its own for its jobs.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cabotage_core::compute::{Compute, ComputeExt as _, JobName, JobSpec, JobStatus, LogOptions, TaskPhase};
use cabotage_core::{ErrorKind, Result};
use futures::TryStreamExt as _;

use crate::Failure;
use crate::place::random_name;

/// How a trial comes to a compute: each call opens it anew, as another program would.
pub type Opens = Arc<dyn Fn() -> Arc<dyn Compute> + Send + Sync>;

/// A compute under trial.
pub struct Bench {
    /// The compute.
    pub compute: Arc<dyn Compute>,
    opens: Opens,
    image: Option<String>,
    made: Mutex<Vec<JobName>>,
}

impl Bench {
    /// A compute, by what opens it; and the image with a shell that its tasks run in, where they need one.
    #[must_use]
    pub fn new(opens: Opens, image: Option<String>) -> Self {
        Self { compute: opens(), opens, image, made: Mutex::default() }
    }

    /// The same compute, opened anew.
    pub(super) fn another(&self) -> Arc<dyn Compute> {
        (self.opens)()
    }

    /// A job that runs a script, under a new name.
    pub(super) fn script(&self, script: &str) -> Result<JobSpec> {
        self.job(["sh", "-c", script])
    }

    pub(super) fn job<const N: usize>(&self, command: [&str; N]) -> Result<JobSpec> {
        let name = JobName::new(format!("trial-{}", random_name()))?;
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        Ok(JobSpec { image: self.image.clone(), ..JobSpec::new(name, command) })
    }

    /// Runs a job to its end.
    pub(super) async fn run(&self, spec: &JobSpec) -> Result<JobStatus> {
        self.compute.submit(spec).await?;
        self.compute.wait(&spec.name).await
    }

    /// What a task printed, line by line.
    pub(super) async fn printed(&self, name: &JobName, task: u32) -> Result<Vec<String>> {
        let lines: Vec<_> = self.compute.logs(name, task, LogOptions::default()).try_collect().await?;
        Ok(lines.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect())
    }

    /// Waits until so many tasks run.
    pub(super) async fn until_running(&self, name: &JobName, tasks: usize) -> Result<JobStatus, Failure> {
        let mut changes = self.compute.watch(name);
        while let Some(status) = changes.try_next().await? {
            if status.count(TaskPhase::Running) >= tasks {
                return Ok(status);
            }
        }
        Err(Failure::new(format!("the job ended before {tasks} of its tasks ran at once")))
    }

    /// Waits until a task has printed a line.
    pub(super) async fn until_printed(&self, name: &JobName, task: u32, line: &str) -> Result<(), Failure> {
        let mut lines = self.compute.logs(name, task, LogOptions { follow: true, since: None });
        while let Some(found) = lines.try_next().await? {
            if found.text == line.as_bytes() {
                return Ok(());
            }
        }
        Err(Failure::new(format!("task {task} ended without printing {line:?}")))
    }

    pub(super) async fn clean(&self) -> Result<(), Failure> {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for name in made {
            let gone = async {
                self.compute.cancel(&name, Duration::ZERO).await?;
                self.compute.remove(&name).await
            };
            match gone.await {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bench({})", self.compute)
    }
}
