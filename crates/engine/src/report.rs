//! The account of a run.

use std::collections::BTreeMap;

use cabotage_core::{ErrorKind, LossName, Support, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Class, Cutover, Deletion, Endpoints, Pass, Remnants, UploadCounts};

/// How a run ended, from best to worst; the command line maps it to an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Every selected object is at the destination at the demanded level.
    Complete,
    /// Finished, with some objects not at that level.
    Incomplete,
    /// Something read back differs from what was written.
    Mismatch,
    /// Ended at the time given, before all was done.
    TimeUp,
    /// Stopped by the user.
    Interrupted,
    /// Stopped by a failure that concerns more than one object.
    Stopped,
}

/// How many objects ended in each class. `listed` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Selected objects that the source's listing returned.
    pub listed: u64,
    /// See [`Class::Verified`], and so on.
    pub verified: u64,
    #[allow(missing_docs)]
    pub stored_unread: u64,
    #[allow(missing_docs)]
    pub skipped: u64,
    #[allow(missing_docs)]
    pub failed: u64,
    #[allow(missing_docs)]
    pub refused: u64,
    #[allow(missing_docs)]
    pub deferred: u64,
    #[allow(missing_docs)]
    pub conflicts: u64,
    #[allow(missing_docs)]
    pub vanished: u64,
    #[allow(missing_docs)]
    pub planned: u64,
    #[allow(missing_docs)]
    pub unfinished: u64,
}

impl Counts {
    pub(crate) fn of(&mut self, class: Class) -> &mut u64 {
        match class {
            Class::Verified => &mut self.verified,
            Class::StoredUnread => &mut self.stored_unread,
            Class::Skipped => &mut self.skipped,
            Class::Failed => &mut self.failed,
            Class::Refused => &mut self.refused,
            Class::Deferred => &mut self.deferred,
            Class::Conflict => &mut self.conflicts,
            Class::Vanished => &mut self.vanished,
            Class::Planned => &mut self.planned,
            Class::Unfinished => &mut self.unfinished,
        }
    }

    /// The sum of all classes; differs from `listed` only by a defect.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.verified
            + self.stored_unread
            + self.skipped
            + self.failed
            + self.refused
            + self.deferred
            + self.conflicts
            + self.vanished
            + self.planned
            + self.unfinished
    }
}

/// Proofs of the objects that are at the destination, skipped ones included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Levels {
    /// The destination's server checked every byte's digest.
    pub server_checked: u64,
    /// Read back and compared.
    pub read_back: u64,
    /// Adopted because sizes are equal.
    pub adopted_size: u64,
    /// Stored by a server that was not seen to check digests.
    pub stored_unread: u64,
}

/// Objects that lost something, by the loss's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossCount {
    /// Moved all the same.
    pub accepted: u64,
    /// Moved, and kept in a sidecar.
    pub sidecar: u64,
    /// Refused for it.
    pub refused: u64,
}

/// Failures of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// How many objects.
    pub count: u64,
    /// Up to three, as a human reads them (names escaped).
    #[serde(default)]
    pub examples: Vec<String>,
}

/// What the destination was seen to enforce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guards {
    /// Whether a body with a wrong digest was refused.
    pub digest: Support,
    /// Whether a create-only write was refused where an object was.
    pub create: Support,
    /// Whether a stale If-Match was refused and a current one taken.
    pub if_match: Support,
}

/// The account of a run. Serialised it is the file of `--report`; `Display` is the text at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Version of this format.
    pub format: u32,
    /// Number of the run in its ledger; none for a dry run of a new job.
    pub run: Option<i64>,
    /// The source for a human.
    pub source: String,
    /// The destination for a human.
    pub destination: String,
    /// One-way id of the SSE-C key with which the source is read; none without a key.
    pub source_sse_c_key: Option<String>,
    /// One-way id of the SSE-C key with which the destination encrypts; none without a key.
    pub destination_sse_c_key: Option<String>,
    /// When it began, UTC.
    pub started: Timestamp,
    /// When it ended, UTC.
    pub ended: Timestamp,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// How it ended.
    pub ending: Ending,
    /// What stopped it, if something did.
    pub stopped: Option<String>,
    /// Objects by class.
    pub objects: Counts,
    /// Bytes of the selected objects.
    pub bytes_listed: u64,
    /// Bytes of the objects copied in this run.
    pub bytes_copied: u64,
    /// Objects copied in this run.
    pub objects_copied: u64,
    /// Bytes of the objects that a dry run would copy.
    pub bytes_planned: u64,
    /// The selected objects by how they differ from what the ledger knew before.
    pub pass: Pass,
    /// What became of objects that the source no longer has; none without `--delete`.
    pub deletion: Option<Deletion>,
    /// What a cut-over's comparison found; none for other runs.
    pub cutover: Option<Cutover>,
    /// Proofs.
    pub levels: Levels,
    /// Losses by name.
    pub losses: BTreeMap<LossName, LossCount>,
    /// Failures, refusals and conflicts by kind.
    pub failures: BTreeMap<String, FailureGroup>,
    /// What the source keeps beside its objects and was not moved; none when it was not counted. It is counted in `losses`
    /// too.
    pub remnants: Option<Remnants>,
    /// What became of uploads in parts that were begun earlier.
    pub uploads: UploadCounts,
    /// Objects that the selection left out.
    pub excluded: u64,
    /// Objects in the ledger that the source no longer lists and the destination still had when it was listed.
    pub gone_from_source: u64,
    /// Objects at the destination that this job knows nothing of.
    pub destination_only: u64,
    /// Whether the source's listing was read to its end.
    pub listing_complete: bool,
    /// What the destination was seen to enforce; none when nothing was written.
    pub guards: Option<Guards>,
    /// Outages of the two ends, and their requests.
    pub endpoints: Endpoints,
    /// Where the ledger is.
    pub ledger: Option<String>,
    /// What to do next.
    #[serde(default)]
    pub next: Vec<String>,
}

impl Report {
    /// Seconds from start to end.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.ended.duration_since(self.started).as_secs_f64()
    }

    /// Objects that the source no longer has and the destination still has.
    #[must_use]
    pub fn left_behind(&self) -> u64 {
        let deleted = self.deletion.as_ref().map_or(0, |deletion| deletion.deleted.objects);
        self.gone_from_source.saturating_sub(deleted)
    }

    /// How many failures of that kind there were.
    #[must_use]
    pub fn failures_of(&self, kind: ErrorKind) -> u64 {
        self.failures.get(&kind.name()).map_or(0, |group| group.count)
    }
}
