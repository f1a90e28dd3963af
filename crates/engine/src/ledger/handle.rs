//! The handle that the engine holds.

use std::fs::DirBuilder;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use cabotage_core::{Error, ErrorKind, Operation, Result};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::at_work::AtWork;
use super::error::{Failure, of_io};
use super::lock::Lock;
use super::reader::{self, Query};
use super::space::Space;
use super::writer::{Change, Request, Writer};
use super::{JobIdentity, LedgerJob, division, filesystem, former, freeze, schema};

/// Requests that may wait; more callers wait for a place.
const QUEUE: usize = 4096;

/// A job's ledger. A cheap handle: clones share one writer and one reader.
///
/// Each change is durable (on disk, `fsync`ed) when its call returns; all changes that wait at one moment share one
/// transaction. A failed commit is told to every caller of that transaction, and none of it is in the file. Dropping
/// a call's future doesn't take the change back. SQLite never runs on the caller's thread, except in
/// [`open`](Self::open).
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    changes: Option<mpsc::Sender<Request>>,
    queries: Option<mpsc::Sender<Option<Query>>>,
    threads: Vec<JoinHandle<()>>,
    at_work: AtWork,
}

impl Drop for Shared {
    /// Waits until what was asked for is done and the lock is free, so that the same process can open it again.
    fn drop(&mut self) {
        self.queries = None;
        self.changes = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Ledger {
    /// Opens the job's ledger, creating it and its folder (for this user alone) where there is none, and locks it.
    ///
    /// Blocks while SQLite opens and checks the file (up to a second or so): async code calls it from a blocking
    /// thread. A file of up to 256 MiB is checked whole; damage in a larger one shows when it is read.
    ///
    /// # Errors
    /// `LedgerHeld` when another run has it open, naming that; `LedgerConflict` when it is of another job or a newer
    /// version; `LedgerCorrupt`; `NoSpace`; `InvalidConfig` when the folder can't be used.
    pub fn open(state_dir: &Path, job: &JobIdentity) -> Result<Self> {
        Self::open_checked(state_dir, job, job, |_| Ok(()))
    }

    /// Opens the job's ledger as [`open`](Self::open) does, and holds the run to the rules that were frozen by the first
    /// that wrote. A ledger under the former name gets the new one.
    ///
    /// Beside the ledger, what a run that doesn't write would be refused for if it wrote.
    ///
    /// # Errors
    /// As [`open`](Self::open), and `LedgerConflict` listing which rules or addresses differ and the flag that lets them.
    pub fn open_job(state_dir: &Path, job: &LedgerJob) -> Result<(Self, Vec<String>)> {
        let mut foreseen = Vec::new();
        let ledger = Self::open_checked(state_dir, &job.identity, &job.former, |conn| {
            if job.writes {
                freeze::hold(conn, &job.rules, job.allowed)
            } else {
                foreseen = freeze::foresee(conn, &job.rules)?;
                Ok(())
            }
        })?;
        Ok((ledger, foreseen))
    }

    fn open_checked(
        state_dir: &Path,
        job: &JobIdentity,
        former: &JobIdentity,
        check: impl FnOnce(&mut Connection) -> std::result::Result<(), Failure>,
    ) -> Result<Self> {
        create_folder(state_dir).map_err(|e| of_io("creating the state folder", state_dir, e))?;
        filesystem::refuse_network(state_dir)?;
        if let Some(free) = filesystem::free_space(state_dir).filter(|free| *free < filesystem::RESERVE) {
            return Err(filesystem::too_little(state_dir, free));
        }
        let path = Self::file(state_dir, job);
        let lock = Lock::take(&path.with_extension("lock"))?;
        let division = division::check(state_dir, job)?;
        former::take_over(&Self::file(state_dir, former), &path)?;
        let mut conn = schema::open_for_writing(&path, job, former)?;
        drop(division);
        check(&mut conn).map_err(|failure| failure.at(&path))?;
        let read_conn = schema::open_for_reading(&path)?;
        let (changes, requests) = mpsc::channel(QUEUE);
        let (queries, queue) = mpsc::channel(QUEUE);
        let folder = state_dir.to_owned();
        let space = Space::new(move || filesystem::free_space(&folder));
        let at_work = AtWork::default();
        let writer = Writer { conn, lock, path: path.clone(), requests, space, at_work: at_work.clone() };
        let threads = vec![
            spawn("ledger-reader", &path, move || reader::serve(read_conn, queue))?,
            spawn("ledger-writer", &path, move || writer.run())?,
        ];
        Ok(Self(Arc::new(Shared { path, changes: Some(changes), queries: Some(queries), threads, at_work })))
    }

    /// Puts the job's ledger aside, under a name that tells when, with what SQLite keeps beside it; nothing is deleted. None
    /// when there was no ledger.
    ///
    /// # Errors
    /// `LedgerHeld` when a run has it open; `InvalidConfig` when it can't be renamed, and when the job is divided into shards.
    pub fn set_aside(state_dir: &Path, job: &LedgerJob) -> Result<Option<PathBuf>> {
        if state_dir.exists() {
            division::check(state_dir, &job.identity)?;
        }
        let found = [&job.identity, &job.former].map(|identity| Self::file(state_dir, identity));
        found.iter().find(|path| path.exists()).map(|path| former::put_aside(path)).transpose()
    }

    /// Where the job's ledger is, or would be.
    #[must_use]
    pub fn file(state_dir: &Path, job: &JobIdentity) -> PathBuf {
        state_dir.join(format!("{}.sqlite", job.stem()))
    }

    /// The ledger's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Where the objects at work are counted: with many of them, a transaction waits a moment for more changes.
    pub(crate) fn at_work(&self) -> AtWork {
        self.0.at_work.clone()
    }

    /// Finishes what was asked for, moves the log into the file and releases the lock. Other handles fail from then on.
    ///
    /// # Errors
    /// `NoSpace` and other failures of SQLite; nothing that was recorded is lost by them.
    pub async fn close(self) -> Result<()> {
        if let Some(queries) = &self.0.queries {
            // The reader goes first, so that the writer is the last one and can tidy up.
            let _ = queries.send(None).await;
            queries.closed().await;
        }
        let (reply, done) = oneshot::channel();
        self.send(Request::Close(reply)).await?;
        done.await.map_err(|_| self.gone())?.map(|_| ())
    }

    pub(super) async fn change(&self, change: Change) -> Result<()> {
        self.apply(change).await.map(|_| ())
    }

    pub(super) async fn apply(&self, change: Change) -> Result<i64> {
        let (reply, done) = oneshot::channel();
        self.send(Request::Apply(change, reply)).await?;
        done.await.map_err(|_| self.gone())?
    }

    async fn send(&self, request: Request) -> Result<()> {
        let changes = self.0.changes.as_ref().ok_or_else(|| self.gone())?;
        changes.send(request).await.map_err(|_| self.gone())
    }

    pub(super) async fn ask<T, F>(&self, question: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let query: Query = Box::new(move |conn| drop(reply.send(question(conn))));
        let queries = self.0.queries.as_ref().ok_or_else(|| self.gone())?;
        queries.send(Some(query)).await.map_err(|_| self.gone())?;
        let result = answer.await.map_err(|_| self.gone())?;
        result.map_err(|e| Failure::of("reading the ledger", &e).at(self.path()))
    }

    pub(super) fn check_size(&self, size: u64) -> Result<()> {
        if i64::try_from(size).is_ok() {
            return Ok(());
        }
        Err(self.error(ErrorKind::TooLarge, format!("a size of {size} bytes can't be recorded")))
    }

    fn gone(&self) -> Error {
        self.error(ErrorKind::Internal, "the ledger is closed")
    }

    fn error(&self, kind: ErrorKind, message: impl AsRef<str>) -> Error {
        Error::new(kind, message).during(Operation::Ledger).about(self.path().to_string_lossy())
    }
}

fn spawn(name: &str, path: &Path, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|e| of_io("starting a thread", path, e))
}

/// Creates the folder and those above it; new ones are for this user alone.
pub(super) fn create_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}
