//! What the ledger holds of runs, and what it counts.

use cabotage_core::Timestamp;

use crate::{Class, Verdict};

/// What a run is for. Names are stable: ledgers hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum RunKind {
    /// Moves what is new or changed.
    #[default]
    Pass,
    /// Decides and reports, writes nothing.
    DryRun,
    /// Tries some names once more.
    Retry,
    /// The final pass, which closes the job.
    Cutover,
    /// Compares both ends.
    Verify,
    /// Makes the ledger anew from both ends.
    Rebuild,
    /// Puts the last runs of all shards together as one.
    Merge,
}

impl RunKind {
    /// Every kind there is.
    pub const ALL: [Self; 7] =
        [Self::Pass, Self::DryRun, Self::Retry, Self::Cutover, Self::Verify, Self::Rebuild, Self::Merge];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::DryRun => "dry-run",
            Self::Retry => "retry",
            Self::Cutover => "cutover",
            Self::Verify => "verify",
            Self::Rebuild => "rebuild",
            Self::Merge => "merge",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One run of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// Its number, from 1.
    pub id: i64,
    /// What it was for.
    pub kind: RunKind,
    /// Version of the program.
    pub program: String,
    /// From where to where, for a human.
    pub command: String,
    /// JSON of what may differ from run to run of one job; empty in runs of format 1.
    pub settings: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; none while it goes on, and when it died.
    pub finished: Option<Timestamp>,
    /// How it ended: the name of an [`Ending`](crate::Ending), or `stopped`.
    pub outcome: Option<String>,
    /// The machine on which it ran; empty in runs of format 1.
    pub host: String,
    /// Its process id there; 0 in runs of format 1.
    pub pid: u32,
    /// JSON of a [`Snapshot`](crate::Snapshot), renewed every few seconds.
    pub progress: Option<String>,
    /// When that was taken.
    pub progress_at: Option<Timestamp>,
    /// JSON of its [`Report`](crate::Report), without names of objects.
    pub report: Option<String>,
}

impl RunRecord {
    /// The submission that it is an attempt of, if it is of one; see [`Options::attempt_of`](crate::Options::attempt_of).
    #[must_use]
    pub fn attempt_of(&self) -> Option<String> {
        let settings: serde_json::Value = serde_json::from_str(&self.settings).ok()?;
        Some(settings.get("attempt_of")?.as_str()?.to_owned())
    }
}

/// A change that somebody asked for, or that a run found and logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedChange {
    /// When.
    pub at: Timestamp,
    /// What changed: `settings`, `job`, `endpoint`, `closed`, `reopened`.
    pub what: String,
    /// How it was.
    pub before: Option<String>,
    /// How it is from then on.
    pub after: Option<String>,
}

/// What the ledger holds, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerCounts {
    /// Objects that are done, by proof, from the weakest.
    pub objects: Vec<(Verdict, Count)>,
    /// Troubles by class and kind of failure.
    pub troubles: Vec<(Class, String, Count)>,
    /// Uploads that were started and not ended.
    pub uploads: u64,
    /// Writes whose outcome is not known.
    pub intents: u64,
}

/// So many objects with so many bytes in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for kind in RunKind::ALL {
            assert_eq!(RunKind::from_name(kind.as_str()), Some(kind));
        }
        assert_eq!(RunKind::from_name("walk"), None);
    }
}
