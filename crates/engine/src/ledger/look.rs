//! A look at a ledger from outside of its run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cabotage_core::{Result, Timestamp};
use rusqlite::{Connection, OpenFlags};

use super::error::{Failure, of_io};
use super::lock::{holder, private_new_file};
use super::{JobIdentity, schema, sql};
use crate::{DonePart, Intent, LedgerCounts, LoggedChange, OpenUpload, Row, RunRecord, Trouble};

const BUSY: Duration = Duration::from_secs(5);
const HELP_OLD: &str = "run `cabotage migrate` with this job's source and destination once (with --dry-run, if nothing is to \
     be moved): it converts the ledger";

/// Reads a ledger, also while a run goes on, without its lock and without changing it.
///
/// Every question blocks while SQLite reads: async code asks from a blocking thread. Each sees the file at one moment.
#[derive(Debug)]
pub struct LedgerReader {
    path: PathBuf,
    conn: Connection,
}

impl LedgerReader {
    /// Opens that file for reading.
    ///
    /// # Errors
    /// `InvalidConfig` when there is no such file; `LedgerConflict` when it is no ledger, or of another format;
    /// `LedgerCorrupt`.
    pub fn open(path: &Path) -> Result<Self> {
        let fail = |failure: Failure| failure.at(path);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)
            .and_then(|conn| {
                conn.busy_timeout(BUSY)?;
                conn.pragma_update(None, "trusted_schema", false)?;
                Ok(conn)
            })
            .map_err(|e| fail(Failure::of("opening the ledger", &e)))?;
        schema::check_version(&conn).map_err(fail)?;
        let version = schema::number(&conn, "user_version")
            .map_err(|e| fail(Failure::of("reading the ledger's version", &e)))?;
        if version < schema::VERSION {
            let text = format!("the ledger has format {version}, of an earlier version of this program");
            return Err(fail(Failure::conflict(text, HELP_OLD)));
        }
        Ok(Self { path: path.to_owned(), conn })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who holds the ledger, as told by itself (`process 12 on host, started …`); none when no run goes on.
    ///
    /// # Errors
    /// `InvalidConfig` when the lock file can't be read.
    pub fn holder(&self) -> Result<Option<String>> {
        let path = self.path.with_extension("lock");
        holder(&path).map_err(|error| of_io("reading the lock file", &path, error))
    }

    /// Whether that run goes on. A run that has neither ended nor goes on has died.
    ///
    /// # Errors
    /// As [`holder`](Self::holder).
    pub fn is_going_on(&self, run: &RunRecord) -> Result<bool> {
        if run.finished.is_some() {
            return Ok(false);
        }
        let process = format!("process {} on {},", run.pid, run.host);
        Ok(self.holder()?.is_some_and(|holder| holder.starts_with(&process)))
    }

    /// Which job it belongs to.
    ///
    /// # Errors
    /// `LedgerCorrupt`, and other failures of SQLite; so have all that follow.
    pub fn job(&self) -> Result<JobIdentity> {
        self.ask(sql::job)
    }

    /// As [`Ledger::rows_after`](crate::Ledger::rows_after).
    pub fn rows_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<Row>> {
        self.ask(|conn| sql::rows_after(conn, after, limit))
    }

    /// As [`Ledger::row`](crate::Ledger::row).
    pub fn row(&self, name: &str) -> Result<Option<Row>> {
        self.ask(|conn| sql::row(conn, name))
    }

    /// As [`Ledger::intents`](crate::Ledger::intents).
    pub fn intents(&self) -> Result<Vec<Intent>> {
        self.ask(sql::intents)
    }

    /// As [`Ledger::uploads`](crate::Ledger::uploads).
    pub fn uploads(&self) -> Result<Vec<OpenUpload>> {
        self.ask(sql::uploads)
    }

    /// As [`Ledger::parts`](crate::Ledger::parts).
    pub fn parts(&self, name: &str) -> Result<Vec<DonePart>> {
        self.ask(|conn| sql::parts(conn, name))
    }

    /// As [`Ledger::troubles_after`](crate::Ledger::troubles_after).
    pub fn troubles_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<Trouble>> {
        self.ask(|conn| sql::troubles_after(conn, after, limit))
    }

    /// The trouble of that name.
    pub fn trouble(&self, name: &str) -> Result<Option<Trouble>> {
        self.ask(|conn| sql::trouble(conn, name))
    }

    /// As [`Ledger::runs`](crate::Ledger::runs).
    pub fn runs(&self) -> Result<Vec<RunRecord>> {
        self.ask(sql::runs)
    }

    /// As [`Ledger::changes`](crate::Ledger::changes).
    pub fn changes(&self) -> Result<Vec<LoggedChange>> {
        self.ask(sql::changes)
    }

    /// As [`Ledger::closed`](crate::Ledger::closed).
    pub fn closed(&self) -> Result<Option<Timestamp>> {
        self.ask(sql::closed)
    }

    /// As [`Ledger::counts`](crate::Ledger::counts).
    pub fn counts(&self) -> Result<LedgerCounts> {
        self.ask(sql::counts)
    }

    /// Copies the ledger as it is at this moment into a new file for this user alone, also while a run goes on.
    ///
    /// # Errors
    /// `InvalidConfig` when there is such a file already, or it can't be made; `NoSpace`; `LedgerCorrupt`. What was begun
    /// is removed.
    pub fn backup(&self, file: &Path) -> Result<()> {
        private_new_file(file).map_err(|e| of_io("creating the backup", file, e))?;
        let copied = self
            .conn
            .execute("VACUUM INTO ?1", [file.to_string_lossy()])
            .map_err(|e| Failure::of("copying the ledger", &e).at(file))
            .and_then(|_| {
                let synced = std::fs::File::open(file).and_then(|file| file.sync_all());
                synced.map_err(|e| of_io("making the backup durable", file, e))
            });
        if copied.is_err() {
            let _ = std::fs::remove_file(file);
        }
        copied
    }

    fn ask<T>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        question(&self.conn).map_err(|e| Failure::of("reading the ledger", &e).at(&self.path))
    }
}
