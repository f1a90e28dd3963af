//! The ledgers of all shards become the whole job's.

use std::path::PathBuf;

use cabotage_core::{Error, ErrorKind, Operation, Result};

use super::build::{Building, Built, check_room, mark};
use super::check::{self, by_another_plan, refusal};
use super::found::Found;
use super::rows::{self, Numbers};
use super::shard::{DIVIDED, ShardLedger, is_same};
use super::{ShardedJob, Step, bring};
use crate::ledger::error::Failure;
use crate::ledger::{LedgerReader, schema, sql};
use crate::report_merged::{self, ShardReport};
use crate::shards::Tenure;
use crate::{FrozenJob, Report, RunKind};

/// What the logs of both ledgers call a merger.
const MERGED: &str = "merged";

/// What a merger came to.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The whole job's ledger.
    pub ledger: PathBuf,
    /// How many shards are in it.
    pub shards: usize,
    /// The account of the shards' last runs as one, where each of them has one.
    pub report: Option<Report>,
    /// Whether it was done before, and this call only told so.
    pub before: bool,
}

pub(super) fn merge(job: &ShardedJob, from: &[PathBuf], step: Step<'_>) -> Result<Merged> {
    let _held = job.hold()?;
    let found = Found::of(&job.state_dir, &job.job)?;
    let plan = job.plan.name();
    match &found.whole {
        Some((_, Tenure::Divided(by))) if by == plan => {}
        Some((path, Tenure::Divided(by))) => return Err(by_another_plan(by, path)),
        Some(_) => return finish(job, from, &found),
        None => {
            if let Some(other) = found.shards.iter().find(|shard| shard.id.plan != plan) {
                return Err(by_another_plan(&other.id.plan, &other.path));
            }
        }
    }
    bring::bring(job, from)?;
    step("brought")?;
    let shards = look(job)?;
    check(job, &shards, found.whole.is_some())?;
    let (built, report) = build(job, &shards, found.whole.is_some())?;
    step("built")?;
    let division = check::lock(&job.state_dir, &job.job)?;
    built.put_in_place()?;
    step("placed")?;
    for ledger in &shards {
        mark_one(job, ledger.shard.id.clone(), &ledger.path, plan)?;
        step("marked")?;
    }
    drop(division);
    Ok(Merged { ledger: job.whole(), shards: shards.len(), report, before: false })
}

/// After a merger that was done before, perhaps up to some of its marks.
fn finish(job: &ShardedJob, from: &[PathBuf], found: &Found) -> Result<Merged> {
    let (whole, plan) = (job.whole(), job.plan.name());
    let ledger = LedgerReader::open(&whole)?;
    let latest = ledger.changes()?.into_iter().rfind(|change| [MERGED, DIVIDED].contains(&&*change.what));
    if latest.is_none_or(|latest| latest.what != MERGED || latest.after.as_deref() != Some(plan)) {
        let help = "there is nothing to merge: all names belong to it";
        return Err(refusal("the whole job has a ledger already".to_owned(), &whole, help));
    }
    check_unchanged(job, from)?;
    let run = ledger.runs()?.into_iter().rfind(|run| run.kind == RunKind::Merge);
    let report = run.as_ref().and_then(Report::of_run);
    let _division = check::lock(&job.state_dir, &job.job)?;
    mark_merged(job, found, plan)?;
    Ok(Merged { ledger: whole, shards: job.plan.shards().len(), report, before: true })
}

/// Refuses ledgers that went on elsewhere after they were merged: what they hold would be lost.
fn check_unchanged(job: &ShardedJob, from: &[PathBuf]) -> Result<()> {
    for shard in job.shards()? {
        let here = job.file(&shard);
        for there in bring::candidates(job, &shard, from) {
            let copy = bring::copy(job, &shard, &there)?;
            let same = here.exists() && is_same(&here, &copy)?;
            schema::beginning(&here)?;
            if !same {
                let text = format!("{} was merged already, and this ledger of it is another one", shard.id);
                return Err(refusal(
                    text,
                    &there,
                    "shards that were merged go on in the folder of the whole job's ledger",
                ));
            }
        }
    }
    Ok(())
}

fn look(job: &ShardedJob) -> Result<Vec<ShardLedger>> {
    let look = |shard: crate::shards::Shard| {
        let (path, identity) = (job.file(&shard), job.identity(&shard));
        if !path.exists() {
            let text = format!("{} has no ledger", shard.id);
            let help = "run it with --shard, or name the folder of its ledger with --from";
            return Err(refusal(text, &path, help));
        }
        ShardLedger::look(shard, &path, &identity)
    };
    job.shards()?.into_iter().map(look).collect()
}

fn check(job: &ShardedJob, shards: &[ShardLedger], whole: bool) -> Result<()> {
    for ledger in shards {
        ledger.check_ended()?;
        if ledger.comes_of_whole() && !whole {
            let text =
                format!("the ledger of {} was made of the whole job's, which is not there", ledger.shard.id);
            return Err(refusal(text, &ledger.path, "put that ledger back into the folder"));
        }
    }
    rules(shards)?;
    let (ledgers, old) = (shards.iter().map(|ledger| &*ledger.path), job.whole());
    check_room(&job.state_dir, &ledgers.chain([&*old]).collect::<Vec<_>>())
}

/// The rules of all shards, which have to be the same.
fn rules(shards: &[ShardLedger]) -> Result<Option<&FrozenJob>> {
    let mut known = shards.iter().filter_map(|ledger| Some((ledger, ledger.rules.as_ref()?)));
    let Some((first, rules)) = known.next() else { return Ok(None) };
    for (ledger, others) in known {
        let differences = rules.differences(others);
        if !differences.is_empty() {
            let text = format!(
                "{} was run under other rules than {}: {}",
                ledger.shard.id,
                first.shard.id,
                differences.join("; ")
            );
            return Err(Error::new(ErrorKind::LedgerConflict, text)
                .during(Operation::Ledger)
                .about(ledger.path.to_string_lossy())
                .help(
                    "run them all with the same options (--change-job lets a shard's change), then merge",
                ));
        }
    }
    Ok(Some(rules))
}

fn build(job: &ShardedJob, shards: &[ShardLedger], whole: bool) -> Result<(Built, Option<Report>)> {
    let path = job.whole();
    let building = Building::begin(&path, &job.job)?;
    if whole {
        let conn = schema::open_for_writing(&path, &job.divided(), &job.divided())?;
        conn.close().map_err(|(_, e)| Failure::of("reading the ledger", &e).at(&path))?;
        building.run_beside(&path, rows::history)?;
    }
    let numbers = building.run("numbering the runs", |conn| Numbers::of(conn, shards))?;
    for ledger in shards {
        building.run_beside(&ledger.path, |conn| rows::of_shard(conn, ledger, &numbers))?;
    }
    let reports: Option<Vec<_>> = shards
        .iter()
        .map(|ledger| ShardReport::of(ledger.shard.number(), ledger.last.as_ref(), ledger.killed))
        .collect();
    let report = reports.and_then(|reports| report_merged::merged(&reports)).map(|report| Report {
        run: Some(numbers.merger),
        ledger: Some(path.to_string_lossy().into_owned()),
        ..report
    });
    building.run("recording the merger", |conn| {
        rows::changes(conn, shards)?;
        rows::merger(conn, shards, &numbers, report.as_ref())?;
        sql::log_change(conn, MERGED, None, Some(job.plan.name()))
    })?;
    Ok((building.finish()?, report))
}

/// Marks all that is there of shards: what they held is the whole's.
pub(super) fn mark_merged(job: &ShardedJob, found: &Found, plan: &str) -> Result<()> {
    found.shards.iter().try_for_each(|shard| mark_one(job, shard.id.clone(), &shard.path, plan))
}

fn mark_one(job: &ShardedJob, id: crate::shards::ShardId, path: &std::path::Path, plan: &str) -> Result<()> {
    let before = Tenure::Shard(id.clone()).of_job(&job.job);
    mark(path, (&before, &Tenure::Merged(id).of_job(&job.job)), (MERGED, plan))
}
