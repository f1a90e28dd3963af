//! What a merger copies.

use rusqlite::{Connection, Result, params};

use super::build::columns;
use super::shard::{DIVIDED, NAMED, ShardLedger};
use crate::ledger::lock::host_name;
use crate::{Ending, LoggedChange, Report, RunKind, run_log};

/// The numbers that runs of shards have in the whole job's ledger.
pub(super) struct Numbers {
    /// That of the merger, which counts as a run: the latest.
    pub merger: i64,
}

impl Numbers {
    /// Runs follow those that are there, the oldest first.
    pub(super) fn of(conn: &Connection, shards: &[ShardLedger]) -> Result<Self> {
        conn.execute_batch(
            "CREATE TEMP TABLE number (shard INTEGER, was INTEGER, now INTEGER, PRIMARY KEY (shard, was)) WITHOUT ROWID",
        )?;
        let mut now: i64 = conn.query_row("SELECT coalesce(max(id), 0) FROM run", [], |row| row.get(0))?;
        let mut runs: Vec<_> = shards
            .iter()
            .flat_map(|ledger| {
                ledger.runs.iter().map(|(id, started)| (*started, ledger.shard.number().number, *id))
            })
            .collect();
        runs.sort_unstable();
        for (_, shard, was) in runs {
            now += 1;
            conn.prepare_cached("INSERT INTO number VALUES (?1, ?2, ?3)")?
                .execute(params![shard, was, now])?;
        }
        Ok(Self { merger: now + 1 })
    }
}

/// The runs and the log of the whole job's ledger, and its beginning. Its rows are the shards' by now.
pub(super) fn history(conn: &Connection) -> Result<()> {
    conn.execute(
        "UPDATE main.job SET (created, frozen, fingerprint) = (SELECT created, frozen, fingerprint FROM other.job)",
        [],
    )?;
    for table in ["run", "change"] {
        let (columns, told) = columns(conn, table, "run")?;
        conn.execute(
            &format!("INSERT INTO main.{table} ({columns}) SELECT {told} FROM other.{table} ORDER BY id"),
            [],
        )?;
    }
    Ok(())
}

/// All that a shard's ledger holds but its log. A row of a run before the division tells that run's number, with a minus sign.
///
/// Troubles of the shard's last run become the merger's, which is the run that people ask for.
pub(super) fn of_shard(conn: &Connection, ledger: &ShardLedger, numbers: &Numbers) -> Result<()> {
    let shard = ledger.shard.number().number;
    if ledger.rules.is_some() {
        conn.execute(
            "UPDATE main.job SET (frozen, fingerprint) = (SELECT frozen, fingerprint FROM other.job)",
            [],
        )?;
    }
    conn.execute("UPDATE main.job SET created = min(created, ?1)", [ledger.created])?;
    let (columns_of_runs, _) = columns(conn, "run", "run")?;
    let rest = columns_of_runs.strip_prefix("id, ").unwrap_or(&columns_of_runs);
    conn.execute(
        &format!(
            "INSERT INTO main.run (id, {rest}) SELECT (SELECT now FROM number WHERE shard = ?1 AND was = id), {rest} \
             FROM other.run"
        ),
        [shard],
    )?;
    let last = ledger.last.as_ref().map_or(0, |run| run.id);
    for table in NAMED {
        let number = "CASE WHEN run < 0 THEN -run ELSE coalesce((SELECT now FROM number WHERE shard = ?1 AND was = run), run) END";
        let number = match table {
            "trouble" => format!("CASE WHEN run = ?2 THEN ?3 ELSE {number} END"),
            _ => number.to_owned(),
        };
        let (columns, told) = columns(conn, table, &number)?;
        let sql = format!("INSERT INTO main.{table} ({columns}) SELECT {told} FROM other.{table}");
        let mut statement = conn.prepare(&sql)?;
        for (place, value) in [(1, i64::from(shard)), (2, last), (3, numbers.merger)] {
            if place <= statement.parameter_count() {
                statement.raw_bind_parameter(place, value)?;
            }
        }
        statement.raw_execute()?;
    }
    Ok(())
}

/// The logs of the shards, in the order of time.
pub(super) fn changes(conn: &Connection, shards: &[ShardLedger]) -> Result<()> {
    let mut all: Vec<&LoggedChange> =
        shards.iter().flat_map(|ledger| &ledger.changes).filter(|change| change.what != DIVIDED).collect();
    all.sort_by_key(|change| change.at);
    for LoggedChange { at, what, before, after } in all {
        conn.prepare_cached("INSERT INTO change (at, what, before, after) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![at.as_millisecond(), what, before, after])?;
    }
    Ok(())
}

/// The merger's record: from the beginning of the first of the shards' last runs to the end of the last. None where none ran.
pub(super) fn merger(
    conn: &Connection,
    shards: &[ShardLedger],
    numbers: &Numbers,
    report: Option<&Report>,
) -> Result<()> {
    let last: Vec<_> = shards.iter().filter_map(|ledger| ledger.last.as_ref()).collect();
    let Some(first) = last.first() else { return Ok(()) };
    let started = last.iter().map(|run| run.started.as_millisecond()).min();
    let finished = last.iter().filter_map(|run| run.finished).map(|at| at.as_millisecond()).max();
    // Without a report of each, nobody has seen all objects.
    let ending = report.map_or(Ending::Incomplete, |report| report.ending);
    let ends = first.command.rsplit_once(" (shard ").map_or(&*first.command, |(ends, _)| ends);
    conn.execute(
        "INSERT INTO run (id, program, command, started, finished, outcome, kind, host, pid, report) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            numbers.merger,
            env!("CARGO_PKG_VERSION"),
            format!("{ends} ({} shards)", shards.len()),
            started,
            finished,
            run_log::outcome(ending),
            RunKind::Merge.as_str(),
            host_name(),
            std::process::id(),
            report.map(|report| run_log::stored(report, report.stopped.clone())),
        ],
    )?;
    Ok(())
}
