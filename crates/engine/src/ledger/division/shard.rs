//! A shard's ledger, before it is put into the whole job's.

use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, Operation, Result, Timestamp, display_key};
use rusqlite::{Connection, params};

use super::check::refusal;
use crate::guards::PROBE_NAME;
use crate::ledger::error::Failure;
use crate::ledger::{freeze, schema, sql};
use crate::report_merged::Killed;
use crate::shards::Shard;
use crate::{FrozenJob, JobIdentity, LoggedChange, RunRecord, Verdict};

/// Every table that holds names.
pub(super) const NAMED: [&str; 5] = ["object", "trouble", "intent", "upload", "part"];
/// What the log of a shard's ledger calls its making.
pub(super) const DIVIDED: &str = "divided";

/// What its merger has to know of it.
#[derive(Debug)]
pub(super) struct ShardLedger {
    pub shard: Shard,
    pub path: PathBuf,
    /// Without progress, reports and settings; of the last run, with all.
    pub runs: Vec<(i64, i64)>,
    pub last: Option<RunRecord>,
    /// What runs that were killed just before the last one, which went on for them, had done.
    pub killed: Option<Killed>,
    pub rules: Option<FrozenJob>,
    pub changes: Vec<LoggedChange>,
    pub created: i64,
}

impl ShardLedger {
    /// Opens the ledger for writing once, so that what a run that died has left in SQLite's log is in the file.
    ///
    /// # Errors
    /// `LedgerConflict` when it is not that shard's; `InvalidConfig` when it holds others' names; `LedgerCorrupt`.
    pub(super) fn look(shard: Shard, path: &Path, identity: &JobIdentity) -> Result<Self> {
        let conn = schema::open_for_writing(path, identity, identity)?;
        let rules = freeze::stored(&conn).map_err(|failure| failure.at(path))?;
        let reading = |e: rusqlite::Error| Failure::of("reading the ledger", &e).at(path);
        check_names(&conn, &shard, path)?;
        let all = runs(&conn).map_err(reading)?;
        let changes = sql::changes(&conn).map_err(reading)?;
        let last = sql::last_run(&conn).map_err(reading)?;
        let killed = killed(&conn, &all, comes_of_whole(&changes)).map_err(reading)?;
        let killed = killed.map(|killed| {
            if last.as_ref().is_some_and(|last| last.attempt_of().is_some()) {
                killed.counted()
            } else {
                killed
            }
        });
        let look = Self {
            runs: all.iter().map(|run| (run.id, run.started)).collect(),
            last,
            changes,
            created: created(&conn).map_err(reading)?,
            killed,
            rules,
            shard,
            path: path.to_owned(),
        };
        conn.close().map_err(|(_, e)| reading(e))?;
        Ok(look)
    }

    /// Whether it was made of the whole job's ledger.
    pub(super) fn comes_of_whole(&self) -> bool {
        comes_of_whole(&self.changes)
    }

    /// Refuses a shard of which nobody knows how its last run ended.
    pub(super) fn check_ended(&self) -> Result<()> {
        let text = match &self.last {
            Some(run) if run.finished.is_some() => return Ok(()),
            None if self.comes_of_whole() => return Ok(()),
            Some(run) => {
                format!("the last run of {} (number {}) did not end: it was killed", self.shard.id, run.id)
            }
            None => format!("{} was never run", self.shard.id),
        };
        Err(refusal(text, &self.path, "run that shard again until it has ended, then merge"))
    }
}

/// Whether two files are the same ledger at the same moment.
pub(super) fn is_same(one: &Path, other: &Path) -> Result<bool> {
    let print = |path: &Path| -> Result<_> {
        let conn = crate::LedgerReader::open(path)?;
        let runs = conn.runs()?.into_iter().map(|run| (run.id, run.started, run.finished));
        let whole = (conn.job()?.whole(), runs.collect::<Vec<_>>(), conn.counts()?);
        Ok(whole)
    };
    Ok(print(one)? == print(other)?)
}

fn comes_of_whole(changes: &[LoggedChange]) -> bool {
    changes.iter().any(|change| change.what == DIVIDED)
}

fn check_names(conn: &Connection, shard: &Shard, path: &Path) -> Result<()> {
    for table in NAMED {
        // Of a probe that died nothing but its intent is left, in whichever shard's ledger.
        let sql = format!("SELECT min(name), max(name) FROM {table} WHERE substr(name, 1, length(?1)) <> ?1");
        let ends = conn.query_row(&sql, params![PROBE_NAME.as_bytes()], |row| {
            Ok([row.get::<_, Option<Vec<u8>>>(0)?, row.get(1)?])
        });
        let ends = ends.map_err(|e| Failure::of("reading the ledger", &e).at(path))?;
        if let Some(name) = ends.iter().flatten().find(|name| !shard.span.holds(name)) {
            let name = display_key(&String::from_utf8_lossy(name));
            let text = format!("the ledger of {} has the name {name}, which is another shard's", shard.id);
            return Err(Error::new(ErrorKind::LedgerCorrupt, text)
                .during(Operation::Ledger)
                .about(path.to_string_lossy())
                .help("give the plan with which the shard was run; if it is this one, restore the file from a backup"));
        }
    }
    Ok(())
}

struct Run {
    id: i64,
    started: i64,
    ended: bool,
    dry: bool,
}

fn runs(conn: &Connection) -> rusqlite::Result<Vec<Run>> {
    conn.prepare("SELECT id, started, finished IS NOT NULL, kind = 'dry-run' FROM run ORDER BY id")?
        .query_map([], |row| {
            Ok(Run { id: row.get(0)?, started: row.get(1)?, ended: row.get(2)?, dry: row.get(3)? })
        })?
        .collect()
}

/// What is proven and was done by those runs.
fn killed(conn: &Connection, all: &[Run], comes_of_whole: bool) -> rusqlite::Result<Option<Killed>> {
    let before = all.len().saturating_sub(1);
    let first = all.iter().take(before).rposition(|run| run.ended).map_or(0, |ended| ended + 1);
    let (Some(run), Some(last)) = (all[..before].get(first), all.last()) else { return Ok(None) };
    let sql = "SELECT count(*), coalesce(sum(size), 0) FROM object WHERE run BETWEEN ?1 AND ?2 AND verdict IN (?3, ?4)";
    let proven = [Verdict::ServerChecked, Verdict::ReadBack].map(Verdict::as_str);
    conn.query_row(sql, params![run.id, last.id - 1, proven[0], proven[1]], |row| {
        Ok(Some(Killed {
            objects: row.get::<_, i64>(0)?.unsigned_abs(),
            bytes: row.get::<_, i64>(1)?.unsigned_abs(),
            started: timestamp(run.started),
            first: !comes_of_whole && all[..first].iter().all(|run| run.dry),
        }))
    })
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn created(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT created FROM job WHERE id = 1", params![], |row| row.get(0))
}
