//! What may differ from earlier runs of the job.

use cabotage_engine::{JobChanges, LedgerOptions};
use clap::Args;

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct LedgerFlags {
    /// Go on with other filters, accepted losses, times or keys than in earlier runs of this job
    #[arg(long)]
    change_job: bool,
    /// Go on although a server has another address than in earlier runs of this job
    #[arg(long)]
    endpoint_moved: bool,
}

impl LedgerFlags {
    pub(crate) fn options(self) -> LedgerOptions {
        LedgerOptions {
            allowed: JobChanges { change_job: self.change_job, endpoint_moved: self.endpoint_moved },
            ..LedgerOptions::default()
        }
    }
}
