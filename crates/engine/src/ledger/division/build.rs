//! A ledger that is made of the rows of others, under the name that it has until it is whole.

use std::fs::File;
use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, Operation, Result};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::JobIdentity;
use crate::ledger::error::{Failure, of_io};
use crate::ledger::filesystem::{RESERVE, free_space};
use crate::ledger::former::{put_away_log, remove_log};
use crate::ledger::{schema, sql};

/// Removed unless it is finished.
pub(super) struct Building {
    path: PathBuf,
    new: PathBuf,
    conn: Option<Connection>,
}

/// A ledger that is whole and durable, and has not got its name yet.
pub(super) struct Built {
    path: PathBuf,
    new: PathBuf,
}

impl Building {
    /// Begins the ledger that will be in that file.
    pub(super) fn begin(path: &Path, job: &JobIdentity) -> Result<Self> {
        let (new, conn) = schema::begin(path, job)?;
        let building = Self { path: path.to_owned(), new, conn: Some(conn) };
        // Until it has its name it can be made anew: nothing of it has to outlive a crash.
        building.run("preparing the ledger", |conn| {
            conn.pragma_update_and_check(None, "journal_mode", "OFF", |row| row.get::<_, String>(0))?;
            conn.pragma_update(None, "synchronous", "OFF")?;
            conn.pragma_update(None, "cache_size", -16_384)
        })?;
        Ok(building)
    }

    /// Changes what is there.
    pub(super) fn run<T>(
        &self,
        doing: &str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let closed = || Error::new(ErrorKind::Internal, "the ledger is closed").during(Operation::Ledger);
        let conn = self.conn.as_ref().ok_or_else(closed)?;
        work(conn).map_err(|e| Failure::of(doing, &e).at(&self.new))
    }

    /// Changes what is there, in one transaction and with another ledger at hand under the name `other`.
    pub(super) fn run_beside(
        &self,
        other: &Path,
        work: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<()> {
        self.run("copying the ledger's rows", |conn| {
            conn.execute("ATTACH ?1 AS other", [other.to_string_lossy()])?;
            conn.execute_batch("BEGIN")?;
            work(conn)?;
            conn.execute_batch("COMMIT; DETACH other")
        })
    }

    pub(super) fn finish(mut self) -> Result<Built> {
        if let Some(conn) = self.conn.take() {
            conn.close().map_err(|(_, e)| Failure::of("closing the ledger", &e).at(&self.new))?;
        }
        let synced = File::open(&self.new).and_then(|file| file.sync_all());
        synced.map_err(|e| of_io("making the new ledger durable", &self.new, e))?;
        let built = Built { path: self.path.clone(), new: std::mem::take(&mut self.new) };
        Ok(built)
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        drop(self.conn.take());
        if !self.new.as_os_str().is_empty() {
            let _ = std::fs::remove_file(&self.new);
        }
    }
}

impl Built {
    /// Puts it in the place of the one that is there, if one is; whoever calls holds the locks. What ends the process here
    /// leaves the one or the other.
    pub(super) fn put_in_place(self) -> Result<()> {
        if self.path.exists() {
            put_away_log(&self.path)?;
            remove_log(&self.path);
        }
        schema::put_in_place(&self.new, &self.path)
    }
}

/// Changes whose names a ledger's are, in one transaction that is logged.
pub(super) fn mark(
    path: &Path,
    (before, now): (&JobIdentity, &JobIdentity),
    (what, plan): (&str, &str),
) -> Result<()> {
    let mut conn = schema::open_for_writing(path, before, before)?;
    let marking = |e: rusqlite::Error| Failure::of("marking the ledger", &e).at(path);
    let mut commit = || -> rusqlite::Result<()> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute("UPDATE job SET destination = ?1 WHERE id = 1", params![now.destination])?;
        sql::log_change(&tx, what, None, Some(plan))?;
        tx.commit()
    };
    commit().map_err(marking)?;
    conn.close().map_err(|(_, e)| marking(e))
}

/// Refuses to begin what the disk has no room for.
pub(super) fn check_room(state_dir: &Path, ledgers: &[&Path]) -> Result<()> {
    let size = |path: &&Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let needed = ledgers.iter().map(size).sum::<u64>().saturating_add(RESERVE);
    match free_space(state_dir).filter(|free| *free < needed) {
        None => Ok(()),
        Some(free) => {
            let text = format!(
                "a copy of the ledger's rows needs {} MiB, and the disk of the state folder has {} MiB left",
                needed >> 20,
                free >> 20
            );
            Err(Error::new(ErrorKind::NoSpace, text)
                .during(Operation::Ledger)
                .about(state_dir.to_string_lossy())
                .help("free some space and run again; nothing was changed"))
        }
    }
}

/// The columns of a table, with the run's number told by an expression.
pub(super) fn columns(conn: &Connection, table: &str, run: &str) -> rusqlite::Result<(String, String)> {
    let mut names = conn.prepare_cached("SELECT name FROM pragma_table_info(?1)")?;
    let names: Vec<String> = names.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let told = names.iter().map(|name| if name == "run" { run } else { name.as_str() });
    Ok((names.join(", "), told.collect::<Vec<_>>().join(", ")))
}
