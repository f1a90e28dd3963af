//! The whole job's ledger is given to shards.

use std::path::Path;

use cabotage_core::{Error, ErrorKind, Operation, Result};
use rusqlite::{Connection, params_from_iter};

use super::build::{Building, Built, check_room, columns, mark};
use super::check::{self, by_another_plan};
use super::found::Found;
use super::merge::mark_merged;
use super::shard::{DIVIDED, NAMED};
use super::{ShardedJob, Step};
use crate::Ledger;
use crate::ledger::error::Failure;
use crate::ledger::{former, schema, sql};
use crate::shards::{Shard, Tenure};

/// What a division came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divided {
    /// The shards have their ledgers, and own their names.
    Now,
    /// That plan divides the job already.
    Before,
    /// The whole job has no ledger: each shard's begins empty.
    NoLedger,
}

pub(super) fn divide(job: &ShardedJob, step: Step<'_>) -> Result<Divided> {
    let _held = job.hold()?;
    former::take_over(&Ledger::file(&job.state_dir, &job.former), &job.whole())?;
    let found = Found::of(&job.state_dir, &job.job)?;
    let plan = job.plan.name();
    match &found.whole {
        Some((_, Tenure::Divided(by))) if by == plan => return Ok(Divided::Before),
        Some((path, Tenure::Divided(by))) => return Err(by_another_plan(by, path)),
        Some(_) => {}
        None => {
            let other = found.shards.iter().find(|shard| shard.id.plan != plan);
            return other
                .map_or(Ok(Divided::NoLedger), |shard| Err(by_another_plan(&shard.id.plan, &shard.path)));
        }
    }
    let whole = job.whole();
    check_whole(&whole, job)?;
    check_room(&job.state_dir, &[&whole])?;
    // What is there of shards is older than the whole: from a merger or a division that was cut off.
    mark_merged(job, &found, plan)?;
    let mut built = Vec::new();
    for shard in job.shards()? {
        built.push(build(job, &whole, &shard)?);
        step("built")?;
    }
    for ledger in built {
        ledger.put_in_place()?;
        step("placed")?;
    }
    let _division = check::lock(&job.state_dir, &job.job)?;
    mark(&whole, (&job.job, &job.divided()), (DIVIDED, plan))?;
    step("divided")?;
    Ok(Divided::Now)
}

/// Converts the ledger if it is of an older format, and refuses one that is closed.
fn check_whole(path: &Path, job: &ShardedJob) -> Result<()> {
    let conn = schema::open_for_writing(path, &job.job, &job.former)?;
    let reading = |e: rusqlite::Error| Failure::of("reading the ledger", &e).at(path);
    let closed = sql::closed(&conn).map_err(reading)?;
    conn.close().map_err(|(_, e)| reading(e))?;
    match closed {
        None => Ok(()),
        Some(_) => {
            Err(Error::new(ErrorKind::LedgerConflict, "a cut-over has closed this job: it is not divided")
                .during(Operation::Ledger)
                .about(path.to_string_lossy())
                .help("go on with it as a whole, by --reopen"))
        }
    }
}

/// A ledger with the shard's rows. Its runs are its own; those of the whole are told by negative numbers.
fn build(job: &ShardedJob, whole: &Path, shard: &Shard) -> Result<Built> {
    let building = Building::begin(&job.file(shard), &job.identity(shard))?;
    building.run_beside(whole, |conn| {
        conn.execute(
            "UPDATE main.job SET (created, frozen, fingerprint) = (SELECT created, frozen, fingerprint FROM other.job)",
            [],
        )?;
        for table in NAMED {
            take(conn, table, shard)?;
        }
        sql::log_change(conn, DIVIDED, None, Some(job.plan.name()))
    })?;
    building.finish()
}

fn take(conn: &Connection, table: &str, shard: &Shard) -> rusqlite::Result<()> {
    let (columns, told) = columns(conn, table, "-run")?;
    // SQLite finds the ends of a range only where they are told apart.
    let ends = [("name > ?", &shard.span.after), ("name <= ?", &shard.span.through)];
    let told_ends = ends.into_iter().filter_map(|(test, end)| Some((test, end.as_deref()?.as_bytes())));
    let (mut tests, bounds): (Vec<_>, Vec<_>) = told_ends.unzip();
    tests.push("true");
    let range = tests.join(" AND ");
    conn.execute(
        &format!("INSERT INTO main.{table} ({columns}) SELECT {told} FROM other.{table} WHERE {range}"),
        params_from_iter(bounds),
    )
    .map(|_| ())
}
