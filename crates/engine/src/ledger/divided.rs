//! Keeps a job's whole ledger and those of its shards apart: each name belongs to one ledger.

use std::fs::File;
use std::path::Path;

use cabotage_core::{Error, ErrorKind, Operation, Result};

use super::error::of_io;
use super::lock::private_file;
use super::{JobIdentity, Ledger, LedgerReader};
use crate::shards::ShardId;

/// Refuses a ledger beside one that owns some of its names. The file is locked until it is dropped, so that of two ledgers
/// that are made at the same time the second sees the first.
///
/// # Errors
/// `InvalidConfig` naming the other ledger.
pub(super) fn check(state_dir: &Path, job: &JobIdentity, exists: bool) -> Result<File> {
    let (whole, shard) = ShardId::split(job);
    let path = Ledger::file(state_dir, &whole).with_extension("division");
    let lock = private_file(&path).map_err(|e| of_io("opening the lock file", &path, e))?;
    lock.lock().map_err(|e| of_io("locking the ledgers of the job", &path, e))?;
    for other in others(state_dir, &whole)? {
        let (_, theirs) = ShardId::split(&other.job()?);
        let conflict = match (&shard, &theirs) {
            (None, Some(theirs)) if other.closed()?.is_none() => Some((
                format!("this job is divided: shard {} of plan {} has a ledger", theirs.number, theirs.plan),
                "go on with --shard and its plan, or name another folder with --state",
            )),
            (Some(_), None) if !exists => Some((
                "the whole job has a ledger already".to_owned(),
                "go on without --shard, or name another folder with --state",
            )),
            (Some(ours), Some(theirs))
                if !exists && ours.plan != theirs.plan && other.closed()?.is_none() =>
            {
                Some((
                    format!("this job is divided by another plan, {}", theirs.plan),
                    "go on with that plan, or name another folder with --state",
                ))
            }
            _ => None,
        };
        if let Some((text, help)) = conflict {
            return Err(Error::new(ErrorKind::InvalidConfig, text)
                .during(Operation::Ledger)
                .about(other.path().to_string_lossy())
                .help(help));
        }
    }
    Ok(lock)
}

/// Ledgers of the job in that folder. What can't be read is no ledger of a shard.
fn others(state_dir: &Path, whole: &JobIdentity) -> Result<Vec<LedgerReader>> {
    let entries =
        std::fs::read_dir(state_dir).map_err(|e| of_io("reading the state folder", state_dir, e))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let ledgers = files.filter(|path| path.extension().is_some_and(|extension| extension == "sqlite"));
    let readers = ledgers.filter_map(|path| LedgerReader::open(&path).ok());
    Ok(readers.filter(|ledger| ledger.job().is_ok_and(|job| ShardId::split(&job).0 == *whole)).collect())
}
