//! Keeps a job's whole ledger and those of its shards apart: each name belongs to one ledger.

use std::fs::File;
use std::path::Path;

use cabotage_core::{Error, ErrorKind, Operation, Result};

use super::found::Found;
use crate::ledger::error::of_io;
use crate::ledger::lock::private_file;
use crate::shards::{ShardId, Tenure};
use crate::{JobIdentity, Ledger};

pub(super) const HELP_MERGE: &str = "put its shards together with `cabotage ledger merge SOURCE DESTINATION --shard-plan FILE`, go on with \
     --shard and its plan, or name another folder with --state";
const HELP_WHOLE: &str = "go on without --shard, or name another folder with --state";

/// Holds off whoever opens, makes or marks a ledger of that job meanwhile, in that folder.
pub(super) fn lock(state_dir: &Path, whole: &JobIdentity) -> Result<File> {
    let path = Ledger::file(state_dir, whole).with_extension("division");
    let lock = private_file(&path).map_err(|e| of_io("opening the lock file", &path, e))?;
    lock.lock().map_err(|e| of_io("locking the ledgers of the job", &path, e))?;
    Ok(lock)
}

/// Refuses a ledger whose names belong to another one. The file is locked until it is dropped, so that of two ledgers that are
/// made at the same time the second sees the first.
///
/// # Errors
/// `InvalidConfig` naming the other ledger.
pub(in crate::ledger) fn check(state_dir: &Path, job: &JobIdentity) -> Result<File> {
    let (whole, ours) = Tenure::split(job);
    let lock = lock(state_dir, &whole)?;
    let found = Found::of(state_dir, &whole)?;
    match ours {
        Tenure::Shard(ours) => check_shard(&ours, Ledger::file(state_dir, job).exists(), &found),
        _ => check_whole(&found),
    }
    .map(|()| lock)
}

/// The whole job's ledger owns its names unless they were given to shards, or it was never made.
fn check_whole(found: &Found) -> Result<()> {
    match &found.whole {
        Some((path, Tenure::Divided(plan))) => {
            let text = match found.shards.iter().find(|shard| shard.id.plan == *plan) {
                Some(shard) => format!("this job is divided: {} has a ledger", shard.id),
                None => format!("this job is divided by plan {plan}"),
            };
            Err(refusal(text, path, HELP_MERGE))
        }
        Some(_) => Ok(()),
        None => match found.shards.first() {
            Some(shard) => {
                let text = format!("this job is divided: {} has a ledger", shard.id);
                Err(refusal(text, &shard.path, HELP_MERGE))
            }
            None => Ok(()),
        },
    }
}

fn check_shard(ours: &ShardId, exists: bool, found: &Found) -> Result<()> {
    if let Some((path, tenure)) = &found.whole {
        return match tenure {
            Tenure::Divided(plan) if *plan != ours.plan => Err(by_another_plan(plan, path)),
            Tenure::Divided(_) if exists => Ok(()),
            Tenure::Divided(_) => {
                let text = format!("the ledger of {ours} is missing: the job's was divided into it");
                Err(refusal(text, path, "put it back into the folder"))
            }
            _ => Err(refusal("the whole job has a ledger already".to_owned(), path, HELP_WHOLE)),
        };
    }
    match found.shards.iter().find(|theirs| theirs.id.plan != ours.plan) {
        Some(theirs) => Err(by_another_plan(&theirs.id.plan, &theirs.path)),
        None if found.merged.contains(ours) => {
            let text = format!("{ours} was put into the whole job's ledger, which is not there");
            Err(Error::new(ErrorKind::InvalidConfig, text)
                .during(Operation::Ledger)
                .help("put that ledger back into the folder and go on without --shard"))
        }
        None => Ok(()),
    }
}

pub(super) fn by_another_plan(plan: &str, path: &Path) -> Error {
    let help = "go on with that plan, put its shards together with `cabotage ledger merge`, or name another folder with --state";
    refusal(format!("this job is divided by another plan, {plan}"), path, help)
}

pub(super) fn refusal(text: String, path: &Path, help: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, text)
        .during(Operation::Ledger)
        .about(path.to_string_lossy())
        .help(help)
}
