//! The handle that the engine holds.

use std::fs::DirBuilder;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use cabotage_core::{Error, ErrorKind, Operation, Result, UploadId};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::{Failure, of_io};
use super::lock::Lock;
use super::reader::{self, Query};
use super::writer::{Change, Request, Writer};
use super::{Intent, JobIdentity, Row, schema, sql};

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
        create_folder(state_dir).map_err(|e| of_io("creating the state folder", state_dir, e))?;
        let path = Self::file(state_dir, job);
        let lock = Lock::take(&path.with_extension("lock"))?;
        let conn = schema::open_for_writing(&path, job)?;
        let read_conn = schema::open_for_reading(&path)?;
        let (changes, requests) = mpsc::channel(QUEUE);
        let (queries, queue) = mpsc::channel(QUEUE);
        let writer = Writer { conn, lock, path: path.clone(), requests };
        let threads = vec![
            spawn("ledger-reader", &path, move || reader::serve(read_conn, queue))?,
            spawn("ledger-writer", &path, move || writer.run())?,
        ];
        Ok(Self(Arc::new(Shared { path, changes: Some(changes), queries: Some(queries), threads })))
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

    /// Up to `limit` rows by the bytes of their names, from the first after that name (exclusive).
    ///
    /// # Errors
    /// `LedgerCorrupt` when the file is damaged, and other failures of SQLite.
    pub async fn rows_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<Row>> {
        let after = after.map(str::to_owned);
        self.ask(move |conn| sql::rows_after(conn, after.as_deref(), limit)).await
    }

    /// The row of that name.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn row(&self, name: &str) -> Result<Option<Row>> {
        let name = name.to_owned();
        self.ask(move |conn| sql::row(conn, &name)).await
    }

    /// All intents, by name. At the start of a run: those left by a run that died.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn intents(&self) -> Result<Vec<Intent>> {
        self.ask(sql::intents).await
    }

    /// All uploads that were started and not ended, by name.
    ///
    /// # Errors
    /// As [`rows_after`](Self::rows_after).
    pub async fn uploads(&self) -> Result<Vec<(String, UploadId)>> {
        self.ask(sql::uploads).await
    }

    /// Records that a write begins; replaces an older intent of that name.
    ///
    /// # Errors
    /// `TooLarge` for a size above 2⁶³−1, else as every change: `NoSpace`, `LedgerCorrupt`, `LedgerHeld` when another
    /// program writes to the file for long.
    pub async fn intend(&self, intent: Intent) -> Result<()> {
        self.check_size(intent.size)?;
        self.change(Change::Intend(intent)).await
    }

    /// Records that an object is done, and forgets its intent in the same transaction.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn record(&self, row: Row) -> Result<()> {
        self.check_size(row.size)?;
        self.change(Change::Record(row)).await
    }

    /// Forgets an intent: nothing was written. Without effect when there is none.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn drop_intent(&self, name: &str) -> Result<()> {
        self.change(Change::DropIntent(name.to_owned())).await
    }

    /// Records an upload, to be called before its first part is sent; replaces an older one of that name.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn upload_started(&self, name: &str, id: &UploadId) -> Result<()> {
        self.change(Change::UploadStarted(name.to_owned(), id.clone())).await
    }

    /// Forgets an upload: it was completed or aborted. Without effect when there is none.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn upload_ended(&self, name: &str) -> Result<()> {
        self.change(Change::UploadEnded(name.to_owned())).await
    }

    /// Records that a run begins and gives its number, from 1. The command's text must hold no secret.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn start_run(&self, command: &str) -> Result<i64> {
        self.apply(Change::StartRun(command.to_owned())).await
    }

    /// Records how a run ended.
    ///
    /// # Errors
    /// As [`intend`](Self::intend).
    pub async fn finish_run(&self, run: i64, outcome: &str) -> Result<()> {
        self.change(Change::FinishRun(run, outcome.to_owned())).await
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

    async fn change(&self, change: Change) -> Result<()> {
        self.apply(change).await.map(|_| ())
    }

    async fn apply(&self, change: Change) -> Result<i64> {
        let (reply, done) = oneshot::channel();
        self.send(Request::Apply(change, reply)).await?;
        done.await.map_err(|_| self.gone())?
    }

    async fn send(&self, request: Request) -> Result<()> {
        let changes = self.0.changes.as_ref().ok_or_else(|| self.gone())?;
        changes.send(request).await.map_err(|_| self.gone())
    }

    async fn ask<T, F>(&self, question: F) -> Result<T>
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

    fn check_size(&self, size: u64) -> Result<()> {
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
fn create_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}
