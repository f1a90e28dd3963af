//! What a coordinator keeps beside the ledgers: its lock, the plan, and what it has submitted.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, Result, Timestamp, display_text};
use cabotage_engine::{ShardPlan, json_file};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The files of one job, held by this process alone.
#[derive(Debug)]
pub(crate) struct TaskFiles {
    folder: PathBuf,
    stem: String,
    _lock: File,
}

/// What was submitted, and is not dealt with yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Submission {
    /// Another for each submission; by it the runs of its tasks are found in their ledgers.
    pub id: String,
    /// What is moved and how: who comes back with other words wants another job.
    pub words: Vec<String>,
    /// Whether it was told to end, or its end was told.
    pub over: bool,
}

impl Submission {
    pub(crate) fn new(words: Vec<String>) -> Self {
        Self { id: format!("{}-{:08x}", Timestamp::now(), rand::random::<u32>()), words, over: false }
    }
}

impl TaskFiles {
    /// Takes the job for this process until it is dropped.
    ///
    /// # Errors
    /// `LedgerHeld` when another coordinator has it; `InvalidConfig` when the folder can't be used.
    pub(crate) fn take(folder: &Path, stem: &str) -> Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| failed("the state folder can't be made", folder, &error))?;
        let path = folder.join(format!("{stem}.tasks-lock"));
        let mut lock = private(&path, false).map_err(|error| failed("it can't be opened", &path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(&path, &mut lock)),
            Err(TryLockError::Error(error)) => return Err(failed("it can't be locked", &path, &error)),
        }
        let holder = format!("process {}, since {:.0}", std::process::id(), Timestamp::now());
        let told =
            lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(holder.as_bytes()));
        told.map_err(|error| failed("it can't be written", &path, &error))?;
        Ok(Self { folder: folder.to_owned(), stem: stem.to_owned(), _lock: lock })
    }

    pub(crate) fn plan_path(&self) -> PathBuf {
        self.folder.join(format!("{}.plan.json", self.stem))
    }

    fn submission_path(&self) -> PathBuf {
        self.folder.join(format!("{}.tasks.json", self.stem))
    }

    /// The plan of a job that isn't merged yet.
    pub(crate) fn plan(&self) -> Result<Option<ShardPlan>> {
        let path = self.plan_path();
        let Some(text) = read(&path)? else { return Ok(None) };
        ShardPlan::parse(&text).map(Some).map_err(|error| error.about(path.to_string_lossy()))
    }

    pub(crate) fn keep_plan(&self, plan: &ShardPlan) -> Result<()> {
        replace(&self.plan_path(), plan)
    }

    pub(crate) fn forget_plan(&self) -> Result<()> {
        remove(&self.plan_path())
    }

    pub(crate) fn submission(&self) -> Result<Option<Submission>> {
        parsed(&self.submission_path())
    }

    pub(crate) fn keep_submission(&self, submission: &Submission) -> Result<()> {
        replace(&self.submission_path(), submission)
    }

    pub(crate) fn forget_submission(&self) -> Result<()> {
        remove(&self.submission_path())
    }
}

fn parsed<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(text) = read(path)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, format!("it can't be read: {error}"))
            .about(path.to_string_lossy())
            .help("remove it, once no task of the job runs any more (see `cabotage job status`)")
    })
}

fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("it can't be read", path, &error)),
    }
}

/// Whole or not at all, and on the disk before it goes on.
fn replace(path: &Path, value: &impl Serialize) -> Result<()> {
    let draft = path.with_extension("new");
    let write = |text: &str| {
        let mut file = private(&draft, true)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    write(&json_file(value)?).map_err(|error| failed("it can't be written", path, &error))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("it can't be removed", path, &error))
        }
        _ => Ok(()),
    }
}

fn private(path: &Path, anew: bool) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(anew).mode(0o600).open(path)
}

fn held(path: &Path, lock: &mut File) -> Error {
    let mut holder = String::new();
    let _ = lock.take(200).read_to_string(&mut holder);
    let text = format!("the tasks of this job are followed already: {}", display_text(&holder));
    Error::new(ErrorKind::LedgerHeld, text)
        .about(path.to_string_lossy())
        .help("wait until it has ended, or stop it; two can't move the same job")
}

/// A file that can't be read or written is the user's to mend; a full disk is told as such.
pub(super) fn failed(doing: &str, path: &Path, error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull => ErrorKind::NoSpace,
        _ => ErrorKind::InvalidConfig,
    };
    Error::new(kind, format!("{doing}: {error}")).about(path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_what_is_kept_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let files = TaskFiles::take(&state, "abc").unwrap();
        let second = TaskFiles::take(&state, "abc").unwrap_err();
        assert_eq!(second.kind(), ErrorKind::LedgerHeld);
        assert!(second.to_string().contains(&format!("process {}", std::process::id())), "{second}");
        TaskFiles::take(&state, "other").unwrap();
        assert_eq!((files.plan().unwrap(), files.submission().unwrap()), (None, None));
        let submission = Submission::new(vec!["a b".into()]);
        files.keep_submission(&submission).unwrap();
        drop(files);
        let files = TaskFiles::take(&state, "abc").unwrap();
        assert_eq!(files.submission().unwrap(), Some(submission));
        files.forget_submission().unwrap();
        files.forget_submission().unwrap();
        assert_eq!(files.submission().unwrap(), None);
    }
}
