//! Which ledgers of a job are in a folder.

use std::path::{Path, PathBuf};

use cabotage_core::Result;

use crate::ledger::error::of_io;
use crate::shards::{ShardId, Tenure};
use crate::{JobIdentity, Ledger, LedgerReader};

/// The ledgers of one job. What can't be read is none of a shard.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Where it is, whether or not it can be read.
    pub whole: Option<(PathBuf, Tenure)>,
    /// Those that were not merged.
    pub shards: Vec<FoundShard>,
    pub merged: Vec<ShardId>,
}

#[derive(Debug)]
pub(super) struct FoundShard {
    pub id: ShardId,
    pub path: PathBuf,
}

impl Found {
    pub(super) fn of(state_dir: &Path, whole: &JobIdentity) -> Result<Self> {
        let path = Ledger::file(state_dir, whole);
        let mut found = Self::default();
        if path.exists() {
            let told = LedgerReader::open(&path).and_then(|ledger| ledger.job());
            // One that can't be read is refused, or converted, when it is opened.
            let tenure = told.map_or(Tenure::Whole, |job| Tenure::split(&job).1);
            found.whole = Some((path, tenure));
        }
        let entries =
            std::fs::read_dir(state_dir).map_err(|e| of_io("reading the state folder", state_dir, e))?;
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        for path in files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "sqlite")) {
            let Ok(job) = LedgerReader::open(&path).and_then(|ledger| ledger.job()) else { continue };
            match Tenure::split(&job) {
                (job, Tenure::Shard(id)) if job == *whole => found.shards.push(FoundShard { id, path }),
                (job, Tenure::Merged(id)) if job == *whole => found.merged.push(id),
                _ => {}
            }
        }
        Ok(found)
    }
}
