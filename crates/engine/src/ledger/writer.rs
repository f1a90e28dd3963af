//! The one thread that changes the ledger: all changes that wait go in one transaction.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use cabotage_core::{Error, Result};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::at_work::AtWork;
use super::error::Failure;
use super::lock::{Lock, host_name};
use super::space::Space;
use super::sql;
use crate::{DonePart, HashMark, Intent, OpenUpload, Row, RunKind, Trouble};

/// Most changes of one transaction.
const GROUP: usize = 4096;
/// A transaction costs a sync of the disk, however few changes it has. So it waits for more, until there is one for so many
/// objects at work, and at most so many times so long. Few objects at work never wait: they would do it for each other.
const SHARE: usize = 3;
const LINGER: Duration = Duration::from_millis(1);
const LINGERS: u32 = 4;

/// One change.
#[derive(Debug)]
pub(super) enum Change {
    Intend(Intent),
    Record(Row),
    DropIntent(String),
    Forget(String),
    UploadStarted(OpenUpload),
    PartDone(String, DonePart, Option<HashMark>),
    UploadEnded(String),
    Troubles(Vec<Trouble>, Vec<String>),
    ForgetTroublesBefore(i64),
    StartRun(RunKind, String, String),
    SaveProgress(i64, String),
    FinishRun(i64, String, Option<String>),
    CloseJob,
    ReopenJob,
}

/// Where to tell that a change is durable; the number is that of a started run, else 0.
pub(super) type Reply = oneshot::Sender<Result<i64>>;

/// What is asked of the writer.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "all but one are changes")]
pub(super) enum Request {
    Apply(Change, Reply),
    Close(Reply),
}

/// The writer: owns the connection and the lock.
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) lock: Lock,
    pub(super) path: PathBuf,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) space: Space,
    pub(super) at_work: AtWork,
}

impl Writer {
    /// Serves until it is told to close or nobody can ask any more; then gives the lock back.
    pub(super) fn run(mut self) {
        let mut closing = None;
        let mut group = Vec::new();
        while let Some(first) = self.requests.blocking_recv() {
            self.take(first, &mut group, &mut closing);
            self.take_waiting(&mut group, &mut closing);
            self.linger(&mut group, &mut closing);
            self.commit(&mut group);
        }
        self.finish(closing);
    }

    /// Waits a moment for those who are about to ask.
    fn linger(&mut self, group: &mut Vec<(Change, Reply)>, closing: &mut Option<Reply>) {
        let enough = self.at_work.count() / SHARE;
        for _ in 0..LINGERS {
            if group.len() >= enough || closing.is_some() {
                return;
            }
            thread::sleep(LINGER);
            self.take_waiting(group, closing);
        }
    }

    fn take_waiting(&mut self, group: &mut Vec<(Change, Reply)>, closing: &mut Option<Reply>) {
        while group.len() < GROUP
            && let Ok(next) = self.requests.try_recv()
        {
            self.take(next, group, closing);
        }
    }

    /// Puts a change into the group; after a request to close, no new requests come in.
    fn take(&mut self, request: Request, group: &mut Vec<(Change, Reply)>, closing: &mut Option<Reply>) {
        match request {
            Request::Apply(change, reply) => match self.space.refuse(&change, &self.path) {
                Some(error) => drop(reply.send(Err(error))),
                None => group.push((change, reply)),
            },
            Request::Close(reply) => {
                self.requests.close();
                *closing = Some(reply);
            }
        }
    }

    /// Makes the group durable and tells every caller; a failure is that of every caller, and nothing of the group
    /// is in the file.
    fn commit(&mut self, group: &mut Vec<(Change, Reply)>) {
        if group.is_empty() {
            return;
        }
        match apply(&mut self.conn, group) {
            Ok(numbers) => {
                for ((_, reply), number) in group.drain(..).zip(numbers) {
                    let _ = reply.send(Ok(number));
                }
            }
            Err(error) => {
                let failure = Failure::of("recording in the ledger", &error);
                for (_, reply) in group.drain(..) {
                    let _ = reply.send(Err(failure.at(&self.path)));
                }
            }
        }
    }

    /// Moves the log into the file, closes it and releases the lock, in this order.
    fn finish(self, closing: Option<Reply>) {
        let Self { conn, lock, path, requests: _, space: _, at_work: _ } = self;
        let checkpoint = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let closed = checkpoint.and_then(|()| conn.close().map_err(|(_, error)| error));
        drop(lock);
        let result =
            closed.map(|()| 0).map_err(|e| -> Error { Failure::of("closing the ledger", &e).at(&path) });
        match closing {
            Some(reply) => drop(reply.send(result)),
            None => {
                if let Err(error) = result {
                    tracing::warn!(%error, "the ledger was not closed cleanly; nothing recorded is lost");
                }
            }
        }
    }
}

/// One transaction of all the changes; gives each one's number.
fn apply(conn: &mut Connection, group: &[(Change, Reply)]) -> rusqlite::Result<Vec<i64>> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let numbers = group.iter().map(|(change, _)| apply_one(&tx, change)).collect::<rusqlite::Result<_>>()?;
    tx.commit()?;
    Ok(numbers)
}

fn apply_one(conn: &Connection, change: &Change) -> rusqlite::Result<i64> {
    match change {
        Change::Intend(intent) => sql::put_intent(conn, intent)?,
        Change::Record(row) => {
            sql::put_row(conn, row)?;
            sql::drop_intent(conn, &row.name)?;
            sql::drop_trouble(conn, &row.name)?;
        }
        Change::DropIntent(name) => sql::drop_intent(conn, name)?,
        Change::Forget(name) => {
            sql::drop_row(conn, name)?;
            sql::drop_trouble(conn, name)?;
        }
        Change::UploadStarted(upload) => sql::put_upload(conn, upload)?,
        Change::PartDone(name, part, mark) => {
            sql::put_part(conn, name, part)?;
            mark.as_ref().map_or(Ok(()), |mark| sql::put_mark(conn, name, mark))?;
        }
        Change::UploadEnded(name) => sql::drop_upload(conn, name)?,
        Change::Troubles(found, settled) => {
            settled.iter().try_for_each(|name| sql::drop_trouble(conn, name))?;
            found.iter().try_for_each(|trouble| sql::put_trouble(conn, trouble))?;
        }
        Change::ForgetTroublesBefore(run) => sql::drop_troubles_before(conn, *run)?,
        Change::StartRun(kind, command, settings) => {
            return sql::start_run(conn, *kind, command, settings, &host_name());
        }
        Change::SaveProgress(run, progress) => sql::save_progress(conn, *run, progress)?,
        Change::FinishRun(run, outcome, report) => {
            sql::finish_run(conn, *run, outcome, report.as_deref())?;
        }
        Change::CloseJob => sql::close_job(conn)?,
        Change::ReopenJob => sql::reopen_job(conn)?,
    }
    Ok(0)
}
