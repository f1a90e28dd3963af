//! Holds a run to the rules of its job.

use cabotage_core::display_text;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::error::Failure;
use super::{FrozenJob, JobChanges, sql};

const HELP_CHANGED: &str = "give the same options as before, or add --change-job to go on with the new ones, which is logged; \
     for a job of its own, name another folder with --state";
const HELP_MOVED: &str = "if it is the same bucket or account at a new address, add --endpoint-moved, which is logged; if it \
     is another one, name another folder with --state";
const HELP_UNREADABLE: &str = "use the version of this program that wrote it, or a newer one";

/// Compares the job with the frozen one; freezes it where there is none.
///
/// # Errors
/// `LedgerConflict` listing what differs and is not allowed to.
pub(super) fn hold(
    conn: &mut Connection,
    job: &FrozenJob,
    allowed: JobChanges,
) -> std::result::Result<(), Failure> {
    let Some(before) = stored(conn)? else {
        return change(conn, job, &[]).map_err(|e| Failure::of("recording the job", &e));
    };
    let (differences, moved) = (before.differences(job), before.moved(job));
    if !differences.is_empty() && !allowed.change_job {
        let text = format!("this ledger's job has other rules: {}", listed(&differences));
        return Err(Failure::conflict(text, HELP_CHANGED));
    }
    if !moved.is_empty() && !allowed.endpoint_moved {
        let text = format!("a server's address differs from that of earlier runs: {}", listed(&moved));
        return Err(Failure::conflict(text, HELP_MOVED));
    }
    let mut logged = Vec::new();
    if !differences.is_empty() {
        logged.push(("job", listed(&differences)));
    }
    if !moved.is_empty() {
        logged.push(("endpoint", listed(&moved)));
    }
    if logged.is_empty() {
        return Ok(());
    }
    change(conn, job, &logged).map_err(|e| Failure::of("recording the job", &e))
}

/// What a run that writes would be refused for.
///
/// # Errors
/// Those of reading the ledger.
pub(super) fn foresee(conn: &Connection, job: &FrozenJob) -> std::result::Result<Vec<String>, Failure> {
    let Some(before) = stored(conn)? else { return Ok(Vec::new()) };
    let mut all = before.differences(job);
    all.extend(before.moved(job));
    Ok(all.iter().map(|text| display_text(text)).collect())
}

/// The rules as they were frozen.
pub(super) fn stored(conn: &Connection) -> std::result::Result<Option<FrozenJob>, Failure> {
    let json: Option<String> = conn
        .query_row("SELECT frozen FROM job WHERE id = 1", [], |row| row.get(0))
        .optional()
        .map_err(|e| Failure::of("reading the ledger's job", &e))?
        .flatten();
    json.map(|json| {
        serde_json::from_str(&json).map_err(|error| {
            Failure::conflict(format!("the ledger's job can't be understood: {error}"), HELP_UNREADABLE)
        })
    })
    .transpose()
}

fn change(conn: &mut Connection, job: &FrozenJob, logged: &[(&str, String)]) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before: Option<String> = tx.query_row("SELECT frozen FROM job WHERE id = 1", [], |row| row.get(0))?;
    for (what, text) in logged {
        sql::log_change(&tx, what, Some(text), None)?;
    }
    let json = job.to_json();
    sql::log_change(&tx, "frozen", before.as_deref(), Some(&json))?;
    tx.execute(
        "UPDATE job SET frozen = ?1, fingerprint = ?2 WHERE id = 1",
        params![json, &job.fingerprint().0[..]],
    )?;
    tx.commit()
}

fn listed(texts: &[String]) -> String {
    display_text(&texts.join("; "))
}
