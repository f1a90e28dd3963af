//! A job's folder. Blocking: callers on a runtime use a thread for it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use cabotage_core::Result;
use cabotage_core::compute::{JobName, JobSpec, JobStatus, TaskStatus};
use jiff::Timestamp;
use rand::Rng as _;
use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{no_such_job, of_io};

/// The folder of one job.
#[derive(Clone, Debug)]
pub(crate) struct JobFolder(PathBuf);

/// That a job is to end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct CancelRequest {
    pub grace_millis: u64,
}

/// What was submitted, and the mark of all that is started for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Submission {
    pub id: String,
    pub spec: JobSpec,
}

impl JobFolder {
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// That of a job.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub(crate) fn of(root: &Path, name: &JobName) -> Result<Self> {
        let folder = Self(jobs(root).join(name.as_str()));
        if folder.0.join("spec.json").exists() { Ok(folder) } else { Err(no_such_job(name)) }
    }

    /// Creates that of a new job, whole or not at all; none when the name is taken.
    pub(crate) fn create(root: &Path, spec: &JobSpec) -> Result<Option<Self>> {
        let failed = |error| of_io("the folder of the jobs can't be written", error);
        private_folder(&jobs(root)).map_err(failed)?;
        let draft = root.join(format!("new-{}", random_name()));
        let made = Self::fill(&draft, spec).and_then(|()| {
            match fs::rename(&draft, jobs(root).join(spec.name.as_str())) {
                Ok(()) => Ok(true),
                Err(error) if is_taken(&error) => Ok(false),
                Err(error) => Err(error),
            }
        });
        if !matches!(made, Ok(true)) {
            let _ = fs::remove_dir_all(&draft);
        }
        Ok(made.map_err(failed)?.then(|| Self(jobs(root).join(spec.name.as_str()))))
    }

    fn fill(draft: &Path, spec: &JobSpec) -> io::Result<()> {
        private_folder(draft)?;
        for folder in ["logs", "work"] {
            private_folder(&draft.join(folder))?;
        }
        let status = JobStatus {
            name: spec.name.clone(),
            submitted: Timestamp::now(),
            tasks: (0..spec.tasks).map(TaskStatus::waiting).collect(),
        };
        replace(&draft.join("status.json"), &status)?;
        replace(&draft.join("spec.json"), &Submission { id: random_name(), spec: spec.clone() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn submission(&self) -> Result<Submission> {
        self.read("spec.json")
    }

    pub(crate) fn status(&self) -> Result<JobStatus> {
        self.read("status.json")
    }

    pub(crate) fn save_status(&self, status: &JobStatus) -> Result<()> {
        replace(&self.0.join("status.json"), status)
            .map_err(|error| of_io("its state can't be written", error))
    }

    pub(crate) fn cancel_request(&self) -> Option<CancelRequest> {
        self.read("cancel.json").ok()
    }

    pub(crate) fn request_cancel(&self, request: CancelRequest) -> Result<()> {
        replace(&self.0.join("cancel.json"), &request)
            .map_err(|error| of_io("its end can't be asked for", error))
    }

    pub(crate) fn log(&self, task: u32) -> PathBuf {
        self.0.join("logs").join(format!("{task}.log"))
    }

    /// The working directory of a task, created.
    pub(crate) fn work(&self, task: u32) -> io::Result<PathBuf> {
        let folder = self.0.join("work").join(task.to_string());
        private_folder(&folder)?;
        Ok(folder)
    }

    /// The lock, when nobody holds it: who has it is the supervisor.
    pub(crate) fn try_lock(&self) -> Result<Option<File>> {
        let failed = |error| of_io("its lock can't be taken", error);
        let open = private_file().truncate(false).write(true).read(true).open(self.0.join("lock"));
        let file = open.map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => Ok(None),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Where the supervisor says what went wrong with itself.
    pub(crate) fn supervisor_log(&self) -> io::Result<File> {
        private_file().append(true).open(self.0.join("supervisor.log"))
    }

    /// Removes it, its name first.
    pub(crate) fn remove(self, root: &Path) -> Result<()> {
        let failed = |error| of_io("it can't be removed", error);
        let gone = root.join(format!("gone-{}", random_name()));
        fs::rename(&self.0, &gone).map_err(failed)?;
        fs::remove_dir_all(&gone).map_err(failed)
    }

    fn read<T: DeserializeOwned>(&self, file: &str) -> Result<T> {
        let doing = format!("{file} of its folder can't be read");
        let bytes = fs::read(self.0.join(file)).map_err(|error| of_io(&doing, error))?;
        serde_json::from_slice(&bytes).map_err(|error| of_io(&doing, io::Error::other(error)))
    }
}

fn jobs(root: &Path) -> PathBuf {
    root.join("jobs")
}

fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// What opens a file for this user alone, creating it: jobs hold secrets, and the folder above may have been made by another.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

/// Whether a folder is there already under the name that was wanted.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

fn replace(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let draft = path.with_extension(format!("{}.new", random_name()));
    let mut file = private_file().truncate(true).write(true).open(&draft)?;
    file.write_all(&serde_json::to_vec(value).map_err(io::Error::other)?)?;
    file.sync_data()?;
    fs::rename(&draft, path)
}

fn random_name() -> String {
    format!("{:016x}", rand::rng().random::<u64>())
}
