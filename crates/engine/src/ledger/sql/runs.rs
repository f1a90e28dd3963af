//! Runs, the job as a whole, and the log of changes.

use cabotage_core::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Result, Row as SqlRow, params};

use super::values::{maybe_moment_at, moment_at, unreadable};
use crate::invocation::tuning;
use crate::{JobIdentity, LoggedChange, RunKind, RunRecord};

const COLUMNS: &str = "id, kind, program, command, settings, started, finished, outcome, host, pid, progress, \
     progress_at, report";

/// Settings other than those of the run before are logged.
pub(in crate::ledger) fn start_run(
    conn: &Connection,
    kind: RunKind,
    command: &str,
    settings: &str,
    host: &str,
) -> Result<i64> {
    let before: Option<String> = conn
        .query_row("SELECT settings FROM run WHERE settings <> '' ORDER BY id DESC LIMIT 1", [], |row| {
            row.get(0)
        })
        .optional()?;
    let same =
        |before: &str| before == settings || tuning(before).is_some_and(|was| tuning(settings) == Some(was));
    if before.as_deref().is_some_and(|before| !same(before)) {
        log_change(conn, "settings", before.as_deref(), Some(settings))?;
    }
    conn.prepare_cached(
        "INSERT INTO run (program, command, started, kind, settings, host, pid) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        env!("CARGO_PKG_VERSION"),
        command,
        now(),
        kind.as_str(),
        settings,
        host,
        std::process::id()
    ])?;
    Ok(conn.last_insert_rowid())
}

pub(in crate::ledger) fn finish_run(
    conn: &Connection,
    run: i64,
    outcome: &str,
    report: Option<&str>,
) -> Result<()> {
    conn.prepare_cached("UPDATE run SET finished = ?2, outcome = ?3, report = ?4 WHERE id = ?1")?
        .execute(params![run, now(), outcome, report])
        .map(|_| ())
}

pub(in crate::ledger) fn save_progress(conn: &Connection, run: i64, progress: &str) -> Result<()> {
    conn.prepare_cached("UPDATE run SET progress = ?2, progress_at = ?3 WHERE id = ?1")?
        .execute(params![run, progress, now()])
        .map(|_| ())
}

pub(in crate::ledger) fn runs(conn: &Connection) -> Result<Vec<RunRecord>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM run ORDER BY id"))?.query_map([], run_of)?.collect()
}

pub(in crate::ledger) fn last_run(conn: &Connection) -> Result<Option<RunRecord>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM run ORDER BY id DESC LIMIT 1"))?
        .query_row([], run_of)
        .optional()
}

pub(in crate::ledger) fn job(conn: &Connection) -> Result<JobIdentity> {
    conn.query_row("SELECT source, destination FROM job WHERE id = 1", [], |row| {
        Ok(JobIdentity { source: row.get(0)?, destination: row.get(1)? })
    })
}

pub(in crate::ledger) fn closed(conn: &Connection) -> Result<Option<Timestamp>> {
    conn.query_row("SELECT closed FROM job WHERE id = 1", [], |row| maybe_moment_at(row, 0))
}

/// Without effect on a job that is closed already.
pub(in crate::ledger) fn close_job(conn: &Connection) -> Result<()> {
    let closed = conn.execute("UPDATE job SET closed = ?1 WHERE id = 1 AND closed IS NULL", [now()])?;
    if closed > 0 { log_change(conn, "closed", None, None) } else { Ok(()) }
}

/// Without effect on a job that is open.
pub(in crate::ledger) fn reopen_job(conn: &Connection) -> Result<()> {
    let reopened = conn.execute("UPDATE job SET closed = NULL WHERE id = 1 AND closed IS NOT NULL", [])?;
    if reopened > 0 { log_change(conn, "reopened", None, None) } else { Ok(()) }
}

pub(in crate::ledger) fn log_change(
    conn: &Connection,
    what: &str,
    before: Option<&str>,
    after: Option<&str>,
) -> Result<()> {
    conn.prepare_cached("INSERT INTO change (at, what, before, after) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![now(), what, before, after])
        .map(|_| ())
}

pub(in crate::ledger) fn changes(conn: &Connection) -> Result<Vec<LoggedChange>> {
    conn.prepare_cached("SELECT at, what, before, after FROM change ORDER BY id")?
        .query_map([], |row| {
            Ok(LoggedChange {
                at: moment_at(row, 0)?,
                what: row.get(1)?,
                before: row.get(2)?,
                after: row.get(3)?,
            })
        })?
        .collect()
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

fn run_of(row: &SqlRow<'_>) -> Result<RunRecord> {
    let kind: String = row.get(1)?;
    Ok(RunRecord {
        id: row.get(0)?,
        kind: RunKind::from_name(&kind)
            .ok_or_else(|| unreadable(1, Type::Text, format!("no kind of run is named '{kind}'")))?,
        program: row.get(2)?,
        command: row.get(3)?,
        settings: row.get(4)?,
        started: moment_at(row, 5)?,
        finished: maybe_moment_at(row, 6)?,
        outcome: row.get(7)?,
        host: row.get(8)?,
        pid: row.get(9)?,
        progress: row.get(10)?,
        progress_at: maybe_moment_at(row, 11)?,
        report: row.get(12)?,
    })
}
