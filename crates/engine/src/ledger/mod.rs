//! The ledger: what this job has done, on disk.
//!
//! One SQLite file per source–destination pair. An intent is recorded before a write, the outcome after it; only
//! then is an object done. No secret ever enters. The file's format is described in `LEDGER.md`.

mod error;
mod handle;
mod lock;
mod reader;
mod schema;
mod sql;
mod types;
mod writer;

pub use handle::Ledger;
pub(crate) use reader::row_stream;
pub use types::{Intent, JobIdentity, Row};

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "ledger_model_tests.rs"]
mod model_tests;
