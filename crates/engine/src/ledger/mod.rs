//! The ledger: what this job has done, on disk.
//!
//! One SQLite file per source–destination pair. An intent is recorded before a write, the outcome after it; only
//! then is an object done. No secret ever enters. The file's format is described in `LEDGER.md`.

mod at_work;
mod changes;
mod division;
mod error;
mod filesystem;
mod former;
mod freeze;
mod frozen;
mod handle;
mod lock;
mod look;
mod questions;
mod reader;
mod run_types;
mod schema;
mod space;
mod sql;
mod types;
mod writer;

pub(crate) use at_work::{AtWork, Counted};
pub use division::{Divided, Merged, ShardedJob};
pub use filesystem::free_space;
pub(crate) use filesystem::missing_for;
pub use frozen::{FrozenJob, JobChanges, JobEnd};
pub use handle::Ledger;
pub use look::LedgerReader;
pub(crate) use reader::row_stream;
pub use run_types::{Count, LedgerCounts, LoggedChange, RunKind, RunRecord};
pub use types::{DonePart, HashMark, Intent, JobIdentity, LedgerJob, OpenUpload, Row, Trouble};

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "ledger_model_tests.rs"]
mod model_tests;

#[cfg(test)]
#[path = "format_2_tests.rs"]
mod format_2_tests;
#[cfg(test)]
mod format_3_tests;

#[cfg(test)]
#[path = "durability_tests.rs"]
mod durability_tests;
