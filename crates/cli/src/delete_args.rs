//! Whether and how far to delete at the destination.

use cabotage_engine::DeletePolicy;
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct DeleteArgs {
    /// Delete at the destination what this job put there and the source no longer has; each is looked up at the source first
    #[arg(long)]
    delete: bool,
    /// Delete nothing when more objects than this would be deleted
    #[arg(long, value_name = "N", default_value_t = DeletePolicy::default().max, requires = "delete")]
    max_delete: u64,
    /// Delete nothing when the source has this much fewer objects or bytes than the ledger knows
    #[arg(long, value_name = "PERCENT", default_value_t = DeletePolicy::default().max_shrink,
          value_parser = clap::value_parser!(u32).range(0..=100), requires = "delete")]
    max_shrink: u32,
}

impl DeleteArgs {
    /// `None`: delete nothing.
    pub(crate) fn policy(&self) -> Option<DeletePolicy> {
        self.delete.then_some(DeletePolicy { max: self.max_delete, max_shrink: self.max_shrink })
    }
}
