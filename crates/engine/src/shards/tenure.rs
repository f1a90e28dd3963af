//! Whose the names of a ledger are, as its identity tells.

use super::ShardId;
use crate::JobIdentity;

/// What a ledger is to its job. It stands behind the job's own destination, which ends in a slash, so that whoever doesn't
/// know of it takes the ledger for another job's and leaves it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tenure {
    /// The job's one ledger: all names are its own.
    Whole,
    /// The job's one ledger, while the shards of that plan own the names.
    Divided(String),
    /// A shard's ledger, which owns the shard's names unless there is a [`Whole`](Self::Whole) one.
    Shard(ShardId),
    /// A shard's ledger that was put into the whole job's: nothing is its own any more.
    Merged(ShardId),
}

impl Tenure {
    /// The identity of such a ledger of that job.
    pub(crate) fn of_job(&self, job: &JobIdentity) -> JobIdentity {
        let mark = match self {
            Self::Whole => return job.clone(),
            Self::Divided(plan) => format!("divided by plan {plan}"),
            Self::Shard(id) => id.to_string(),
            Self::Merged(id) => format!("{id}, merged"),
        };
        JobIdentity { source: job.source.clone(), destination: format!("{} ({mark})", job.destination) }
    }

    /// The job that a ledger belongs to, and what it is to it.
    pub(crate) fn split(identity: &JobIdentity) -> (JobIdentity, Self) {
        let marked = identity.destination.strip_suffix(')').and_then(|text| text.rsplit_once(" ("));
        match marked.and_then(|(job, mark)| Some((job, Self::parse(mark)?))) {
            Some((job, tenure)) => {
                (JobIdentity { source: identity.source.clone(), destination: job.to_owned() }, tenure)
            }
            None => (identity.clone(), Self::Whole),
        }
    }

    fn parse(mark: &str) -> Option<Self> {
        if let Some(plan) = mark.strip_prefix("divided by plan ") {
            return Some(Self::Divided(plan.to_owned()));
        }
        let (mark, merged) = match mark.strip_suffix(", merged") {
            Some(mark) => (mark, true),
            None => (mark, false),
        };
        let (number, plan) = mark.strip_prefix("shard ")?.split_once(" of plan ")?;
        let id = ShardId { number: number.parse().ok()?, plan: plan.to_owned() };
        Some(if merged { Self::Merged(id) } else { Self::Shard(id) })
    }
}

impl JobIdentity {
    /// The job as a whole: that of a shard's ledger names the shard too, and that of a divided job's the plan.
    #[must_use]
    pub fn whole(&self) -> Self {
        Tenure::split(self).0
    }

    /// Whether it is that of a shard's ledger that was put into the whole job's: what it holds is there.
    #[must_use]
    pub fn is_merged(&self) -> bool {
        matches!(Tenure::split(self).1, Tenure::Merged(_))
    }
}
