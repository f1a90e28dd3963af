//! A job's ledger is divided into those of shards, and put together again.
//!
//! Each name has one owner at any time. It is told by the whole job's ledger alone: one that is there and is not marked as divided
//! owns all names, else the shards' ledgers own them. So ownership passes in one step each way: a whole ledger is divided when
//! that mark is committed, after the shards' ledgers are in their places; shards are merged when the new whole ledger gets its
//! name. Whatever ends the process, the same command ends well. Shards that were merged are marked as such afterwards, so that they
//! own nothing even where the whole ledger is put aside.

mod bring;
mod build;
mod check;
mod divide;
mod found;
mod merge;
mod rows;
mod shard;

use std::path::PathBuf;

use cabotage_core::Result;

use super::lock::Lock;
use super::{JobIdentity, Ledger, filesystem};
use crate::shards::{Shard, ShardNumber, Tenure};
use crate::{ShardPlan, Side};

pub(super) use check::check;
pub use divide::Divided;
pub use merge::Merged;

/// A job, and a plan by which it is divided into shards.
///
/// Its functions block while SQLite copies rows (some seconds for each million), in memory that doesn't grow with
/// their number: async code calls them from a blocking thread.
#[derive(Clone, Debug)]
pub struct ShardedJob {
    state_dir: PathBuf,
    job: JobIdentity,
    former: JobIdentity,
    plan: ShardPlan,
}

/// Called between the steps of a division or a merger. Tests end the process there.
type Step<'a> = &'a mut dyn FnMut(&str) -> Result<()>;

impl ShardedJob {
    /// The job between these two ends, with its ledgers in that folder.
    ///
    /// # Errors
    /// `InvalidConfig` when the plan was made for another source.
    pub fn new(state_dir: PathBuf, source: &Side, destination: &Side, plan: ShardPlan) -> Result<Self> {
        plan.check(source)?;
        let (job, former) =
            (JobIdentity::between(source, destination), JobIdentity::former(source, destination));
        Ok(Self { state_dir, job, former, plan })
    }

    /// Gives the names of the whole job's ledger to the shards of the plan: each gets a ledger with the rows that are its own.
    /// Does nothing where there is no ledger yet, and where that plan divides it already.
    ///
    /// # Errors
    /// `LedgerHeld` when a run goes on; `InvalidConfig` when another plan divides the job; `LedgerConflict` when a cut-over has
    /// closed it; `NoSpace`; `LedgerCorrupt`.
    pub fn divide(&self) -> Result<Divided> {
        divide::divide(self, &mut |_| Ok(()))
    }

    /// Puts the ledgers of all shards of the plan together as the whole job's, which owns all names from then on. Where that
    /// is done already it only tells so.
    ///
    /// A ledger that is not in the job's folder is looked for in those of `from`, and copied.
    ///
    /// # Errors
    /// `InvalidConfig` when a shard's ledger is missing, is of another plan, holds names that aren't the shard's, or when the
    /// shard was not run to an end; `LedgerConflict` when the shards were run under different rules, and when a ledger is of
    /// another job; `LedgerHeld` when a run goes on; `NoSpace`; `LedgerCorrupt`.
    pub fn merge(&self, from: &[PathBuf]) -> Result<Merged> {
        merge::merge(self, from, &mut |_| Ok(()))
    }

    fn whole(&self) -> PathBuf {
        Ledger::file(&self.state_dir, &self.job)
    }

    fn shards(&self) -> Result<Vec<Shard>> {
        let of = u32::try_from(self.plan.shards().len()).unwrap_or(u32::MAX);
        (1..=of).map(|number| self.plan.shard(ShardNumber { number, of })).collect()
    }

    fn identity(&self, shard: &Shard) -> JobIdentity {
        shard.id.of_job(&self.job)
    }

    fn file(&self, shard: &Shard) -> PathBuf {
        Ledger::file(&self.state_dir, &self.identity(shard))
    }

    fn divided(&self) -> JobIdentity {
        Tenure::Divided(self.plan.name().to_owned()).of_job(&self.job)
    }

    /// Keeps every run off the ledgers until it is dropped.
    fn hold(&self) -> Result<Vec<Lock>> {
        super::handle::create_folder(&self.state_dir)
            .map_err(|e| super::error::of_io("creating the state folder", &self.state_dir, e))?;
        filesystem::refuse_network(&self.state_dir)?;
        let mut locks = vec![Lock::take(&self.whole().with_extension("lock"))?];
        for shard in self.shards()? {
            let lock = Lock::take(&self.file(&shard).with_extension("lock"));
            locks.push(lock.map_err(|error| error.with("shard", shard.number().to_string()))?);
        }
        Ok(locks)
    }
}

#[cfg(test)]
mod tests;
