//! Ledgers of shards that were made on other machines.

use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, Operation, Result};

use super::ShardedJob;
use super::check::refusal;
use super::shard::is_same;
use crate::LedgerReader;
use crate::ledger::error::of_io;
use crate::ledger::former::{beside, put_away_log};
use crate::ledger::lock::{holder, private_file};
use crate::ledger::schema;
use crate::shards::{Shard, Tenure};

/// Copies each shard's ledger that is in one of those folders into the job's. They are only read.
///
/// # Errors
/// `InvalidConfig` when a folder can't be read, and when a shard has two ledgers that differ; `LedgerHeld` when a run goes
/// on there; `NoSpace`.
pub(super) fn bring(job: &ShardedJob, from: &[PathBuf]) -> Result<()> {
    for folder in from {
        std::fs::read_dir(folder).map_err(|e| of_io("reading the folder of --from", folder, e))?;
    }
    for shard in job.shards()? {
        for there in candidates(job, &shard, from) {
            let (here, new) = (job.file(&shard), copy(job, &shard, &there)?);
            if !here.exists() {
                schema::put_in_place(&new, &here)?;
            } else if !is_same(&here, &new)? {
                schema::beginning(&here)?;
                let text = format!("{} has two ledgers that differ: {} too", shard.id, here.display());
                return Err(refusal(
                    text,
                    &there,
                    "put the one that isn't right elsewhere: a shard has one owner",
                ));
            }
            schema::beginning(&here)?;
        }
    }
    Ok(())
}

/// Where the shard has a ledger among those folders.
pub(super) fn candidates(job: &ShardedJob, shard: &Shard, from: &[PathBuf]) -> Vec<PathBuf> {
    let name = job.file(shard);
    let in_folders = from.iter().filter_map(|folder| Some(folder.join(name.file_name()?)));
    in_folders.filter(|path| path.exists()).collect()
}

/// Takes SQLite's log along, which is there when the last run was killed. A folder that can't be written doesn't let SQLite in.
pub(super) fn copy(job: &ShardedJob, shard: &Shard, there: &Path) -> Result<PathBuf> {
    let held = holder(&there.with_extension("lock"));
    if let Some(who) = held.map_err(|e| of_io("reading the lock file", there, e))? {
        let text = format!("the run of {} goes on: {who}", shard.id);
        return Err(Error::new(ErrorKind::LedgerHeld, text)
            .during(Operation::Ledger)
            .about(there.to_string_lossy())
            .help("wait until it has ended"));
    }
    let new = schema::beginning(&job.file(shard))?;
    for side in ["-wal", ""] {
        let from = beside(there, side);
        if from.exists() {
            copy_file(&from, &beside(&new, side)).map_err(|e| of_io("copying the ledger", &from, e))?;
        }
    }
    let checked = put_away_log(&new).and_then(|()| check_job(job, shard, &new));
    checked
        .map(|()| new.clone())
        .inspect_err(|_| drop(schema::beginning(&job.file(shard))))
        .map_err(|error| error.with("ledger", there.to_string_lossy()))
}

fn check_job(job: &ShardedJob, shard: &Shard, new: &Path) -> Result<()> {
    let found = LedgerReader::open(new)?.job()?;
    if found == job.identity(shard) {
        return Ok(());
    }
    let text = match Tenure::split(&found) {
        (whole, Tenure::Merged(id)) if whole == job.job && id == shard.id => {
            format!("{id} was put into another ledger of the whole job")
        }
        _ => format!("the file is the ledger of another job: from {} to {}", found.source, found.destination),
    };
    Err(Error::new(ErrorKind::LedgerConflict, text)
        .during(Operation::Ledger)
        .help("name the folder with the ledger that the shard's run has made"))
}

fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut file = private_file(to)?;
    std::io::copy(&mut std::fs::File::open(from)?, &mut file)?;
    file.sync_all()
}
