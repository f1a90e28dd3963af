//! A job divided by names into shards that other processes can own whole.

mod make;
mod plan;
mod sketch;
mod tenure;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use cabotage_core::{Error, ErrorKind, Result};

use crate::join::Span;
use crate::{JobIdentity, Ledger};
pub use make::plan_shards;
pub use plan::{PlannedShard, ShardPlan};
pub(crate) use tenure::Tenure;

/// Which of how many: `2/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardNumber {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl FromStr for ShardNumber {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('/').and_then(|(number, of)| {
            let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
            (is_plain(number) && is_plain(of)).then_some(())?;
            Some(Self { number: number.parse().ok()?, of: of.parse().ok()? })
        });
        parts.filter(|shard| (1..=shard.of).contains(&shard.number)).ok_or_else(|| {
            Error::new(ErrorKind::InvalidConfig, format!("'{text}' is no shard"))
                .help("write its number, from 1, and how many there are: 1/4 to 4/4")
        })
    }
}

impl fmt::Display for ShardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// One shard of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    pub(crate) id: ShardId,
    pub(crate) span: Span,
    pub(crate) source: String,
}

impl Shard {
    /// Which one it is.
    #[must_use]
    pub fn number(&self) -> ShardNumber {
        self.id.number
    }

    /// Where its ledger is, or will be.
    #[must_use]
    pub fn ledger(&self, state_dir: &Path, job: &JobIdentity) -> PathBuf {
        Ledger::file(state_dir, &self.id.of_job(job))
    }

    /// Whether that name belongs to it.
    #[must_use]
    pub fn owns(&self, name: &str) -> bool {
        self.span.holds(name.as_bytes())
    }
}

/// Which shard of which plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShardId {
    pub number: ShardNumber,
    /// The beginning of the plan's digest.
    pub plan: String,
}

impl ShardId {
    /// The identity of the shard's own ledger.
    pub(crate) fn of_job(&self, job: &JobIdentity) -> JobIdentity {
        Tenure::Shard(self.clone()).of_job(job)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of plan {}", self.number, self.plan)
    }
}

impl Span {
    pub(crate) fn new(after: Option<&str>, through: Option<&str>) -> Self {
        Self { after: after.map(Arc::from), through: through.map(Arc::from) }
    }

    /// Whether these bytes are within it.
    pub(crate) fn holds(&self, name: &[u8]) -> bool {
        self.after.as_deref().is_none_or(|after| after.as_bytes() < name)
            && self.through.as_deref().is_none_or(|through| name <= through.as_bytes())
    }
}

#[cfg(test)]
mod tests;
