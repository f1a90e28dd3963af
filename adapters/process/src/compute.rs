//! The client of the jobs in a folder.

use std::fmt;
use std::fs::File;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::compute::{
    Compute, ComputeCapabilities, JobName, JobSpec, JobStatus, LogOptions, LogStream, Submitted,
};
use cabotage_core::{Error, ErrorKind, Operation, Result};
use futures::stream::BoxStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::capabilities::capabilities;
use crate::config::ProcessConfig;
use crate::error::{cut_off, of_io};
use crate::folder::{CancelRequest, JobFolder};
use crate::processes::MARK;
use crate::{follow, supervisor};

/// What ending a job may take beyond the grace of its tasks.
const ENDING: Duration = Duration::from_secs(60);
/// How often it is looked whether a job has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Jobs as child processes of this machine. A cheap handle.
#[derive(Clone, Debug)]
pub struct ProcessCompute(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: ProcessConfig,
    capabilities: ComputeCapabilities,
}

impl ProcessCompute {
    /// Opens the folder of the jobs; there need be none yet.
    #[must_use]
    pub fn open(config: ProcessConfig) -> Self {
        Self(Arc::new(Inner { config, capabilities: capabilities() }))
    }

    /// Runs blocking work on the folder of the jobs.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ProcessConfig) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&inner.config)).await.map_err(cut_off)?
    }

    pub(crate) async fn folder(&self, name: &JobName) -> Result<JobFolder> {
        let name = name.clone();
        self.blocking(move |config| JobFolder::of(&config.folder, &name)).await
    }

    /// How a job is. One whose supervisor is dead is given another.
    pub(crate) async fn look(&self, name: &JobName) -> Result<JobStatus> {
        let folder = self.folder(name).await?;
        let status = status(&folder).await?;
        if !status.phase().is_final() {
            self.supervise(&folder).await?;
        }
        Ok(status)
    }

    /// Starts the job's supervisor, unless it has one.
    async fn supervise(&self, folder: &JobFolder) -> Result<()> {
        match lock(folder).await? {
            // Another may have run it to its end just now.
            Some(lock) if !status(folder).await?.phase().is_final() => self.start_supervisor(folder, lock),
            _ => Ok(()),
        }
    }

    /// The lock goes to the supervisor as its standard input.
    fn start_supervisor(&self, folder: &JobFolder, lock: File) -> Result<()> {
        let words = &self.0.config.supervisor;
        let program = words.first().ok_or_else(|| {
            Error::new(ErrorKind::InvalidConfig, "no command for the supervisor of jobs")
                .during(Operation::Job)
        })?;
        let failed = |error| of_io("its supervisor can't be started", error);
        let errors = folder.supervisor_log().map_err(failed)?;
        let mut command = Command::new(program);
        command.args(&words[1..]).arg(folder.path()).env_remove(MARK).current_dir("/");
        command.stdin(Stdio::from(lock)).stdout(Stdio::null()).stderr(Stdio::from(errors));
        command.spawn().map(drop).map_err(failed)
    }

    /// Waits until the job has ended and its supervisor is gone; ends it itself where there is none.
    async fn wait_for_end(folder: &JobFolder, within: Duration) -> Result<()> {
        let end = Instant::now() + within;
        while Instant::now() < end {
            let held = lock(folder).await?;
            if held.is_some() && is_over(folder).await? {
                return Ok(());
            }
            drop(held);
            sleep(LOOK).await;
        }
        Err(Error::new(ErrorKind::Timeout, "not all that it runs could be ended").during(Operation::Job))
    }
}

/// Whether nothing of a job without a supervisor runs any more; ends what does.
async fn is_over(folder: &JobFolder) -> Result<bool> {
    Ok(status(folder).await?.phase().is_final() || supervisor::end_orphans(folder).await?)
}

/// Runs blocking work on a job's folder.
async fn on_thread<T: Send + 'static>(
    folder: &JobFolder,
    work: impl FnOnce(&JobFolder) -> Result<T> + Send + 'static,
) -> Result<T> {
    let folder = folder.clone();
    tokio::task::spawn_blocking(move || work(&folder)).await.map_err(cut_off)?
}

async fn status(folder: &JobFolder) -> Result<JobStatus> {
    on_thread(folder, JobFolder::status).await
}

async fn lock(folder: &JobFolder) -> Result<Option<File>> {
    on_thread(folder, JobFolder::try_lock).await
}

impl fmt::Display for ProcessCompute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "processes of this machine, jobs in {}", self.0.config.folder.display())
    }
}

#[async_trait]
impl Compute for ProcessCompute {
    fn capabilities(&self) -> &ComputeCapabilities {
        &self.0.capabilities
    }

    async fn submit(&self, spec: &JobSpec) -> Result<Submitted> {
        self.0.capabilities.accepts(spec)?;
        let wanted = spec.clone();
        let created = self.blocking(move |config| JobFolder::create(&config.folder, &wanted)).await?;
        let folder = match created {
            Some(folder) => {
                self.supervise(&folder).await.map_err(|error| error.about(spec.name.as_str()))?;
                return Ok(Submitted::New);
            }
            None => self.folder(&spec.name).await?,
        };
        let known = on_thread(&folder, JobFolder::submission).await?;
        if known.spec != *spec {
            return Err(Error::new(ErrorKind::JobConflict, "another job has this name")
                .during(Operation::Job)
                .about(spec.name.as_str())
                .help("take another name, or remove that job once it has ended"));
        }
        self.look(&spec.name).await?;
        Ok(Submitted::Known)
    }

    async fn inspect(&self, name: &JobName) -> Result<JobStatus> {
        self.look(name).await
    }

    fn watch(&self, name: &JobName) -> BoxStream<'static, Result<JobStatus>> {
        follow::watch(self.clone(), name.clone())
    }

    fn logs(&self, name: &JobName, task: u32, options: LogOptions) -> LogStream {
        follow::logs(self.clone(), name.clone(), task, options)
    }

    async fn cancel(&self, name: &JobName, grace: Duration) -> Result<()> {
        let folder = self.folder(name).await?;
        if !status(&folder).await?.phase().is_final() {
            let request =
                CancelRequest { grace_millis: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX) };
            on_thread(&folder, move |folder| folder.request_cancel(request)).await?;
        }
        Self::wait_for_end(&folder, grace.saturating_add(ENDING))
            .await
            .map_err(|error| error.about(name.as_str()))
    }

    async fn remove(&self, name: &JobName) -> Result<()> {
        let folder = self.folder(name).await?;
        if !status(&folder).await?.phase().is_final() {
            return Err(Error::new(ErrorKind::JobConflict, "it is still running")
                .during(Operation::Job)
                .about(name.as_str())
                .help("cancel it first, or wait for its end"));
        }
        Self::wait_for_end(&folder, ENDING).await.map_err(|error| error.about(name.as_str()))?;
        self.blocking(move |config| folder.remove(&config.folder)).await
    }
}
