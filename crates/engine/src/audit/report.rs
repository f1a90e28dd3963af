//! The account of a comparison.

use std::collections::BTreeMap;

use cabotage_core::{LossName, Timestamp};
use serde::Serialize;

use super::options::{AttributeCheck, DestinationContent, SourceContent};
use super::proof::{AttributeProof, FindingKind, Proof};
use crate::typed::or_same;
use crate::{Ending, Endpoints, FailureGroup, TypedCommand};

/// How many objects came out how. `listed` is the sum of the next three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditCounts {
    /// Selected objects that the source's listing returned and that were compared.
    pub listed: u64,
    /// Content proven equal at the level asked for, attributes equal as far as they were compared.
    pub proven: u64,
    /// The ends differ.
    pub different: u64,
    /// No difference was found, and not all was proven.
    pub not_proven: u64,
    /// Objects that only the destination has and this job wrote.
    pub extra_ours: u64,
    /// Objects that only the destination has and this job didn't write.
    pub extra_foreign: u64,
}

/// Objects of one class and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// How many.
    pub objects: u64,
    /// Their bytes at the source.
    pub bytes: u64,
}

/// Which part of the names was read at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SampleTurn {
    /// The turn, from 1.
    pub number: u32,
    /// So many turns read every object once.
    pub of: u32,
}

/// The account of a comparison. Serialised it is the file of `--report`; `Display` is the text at the end.
#[derive(Clone, Debug, Serialize)]
pub struct AuditReport {
    /// Version of this format.
    pub format: u32,
    /// Number of the run in the ledger.
    pub run: i64,
    /// The source for a human.
    pub source: String,
    /// The destination for a human.
    pub destination: String,
    /// When it began, UTC.
    pub started: Timestamp,
    /// When it ended, UTC.
    pub ended: Timestamp,
    /// How it ended.
    pub ending: Ending,
    /// What stopped it, if something did.
    pub stopped: Option<String>,
    /// How the source's content was known.
    pub source_content: SourceContent,
    /// How the destination's content was known.
    pub destination_content: DestinationContent,
    /// Which part was read of a sample.
    pub sample: Option<SampleTurn>,
    /// How attributes were known.
    pub attributes: AttributeCheck,
    /// Objects by result.
    pub objects: AuditCounts,
    /// Bytes of the objects listed at the source.
    pub bytes_listed: u64,
    /// Bytes read at both ends.
    pub bytes_read: u64,
    /// What was proven of contents, for objects without a difference in them.
    pub proofs: BTreeMap<Proof, ClassCount>,
    /// How attributes were compared.
    pub attribute_proofs: BTreeMap<AttributeProof, ClassCount>,
    /// Findings by kind, with up to three examples each (names escaped).
    pub findings: BTreeMap<FindingKind, FailureGroup>,
    /// Pairs of objects that have each other's content, with up to three examples (names escaped).
    pub swapped: FailureGroup,
    /// Losses that are no difference, since they were accepted when the object was written or are now; in objects.
    pub losses: BTreeMap<LossName, u64>,
    /// Whether objects that only the destination has count as a difference.
    pub allow_extra: bool,
    /// Objects that the selection left out, at either end.
    pub excluded: u64,
    /// Objects of the ledger that neither end has any more.
    pub gone: u64,
    /// Whether both listings were read to their ends.
    pub listing_complete: bool,
    /// What became of the two ends' endpoints.
    pub endpoints: Endpoints,
    /// What this comparison can't find.
    pub limits: Vec<String>,
    /// Where the ledger is.
    pub ledger: String,
    /// What to do next.
    pub next: Vec<String>,
}

impl AuditReport {
    /// How many findings of that kind there are.
    #[must_use]
    pub fn found(&self, kind: FindingKind) -> u64 {
        self.findings.get(&kind).map_or(0, |group| group.count)
    }

    /// How many objects were proven so.
    #[must_use]
    pub fn proven_by(&self, proof: Proof) -> u64 {
        self.proofs.get(&proof).map_or(0, |count| count.objects)
    }

    /// How it ended, as the ledger names it.
    pub(super) fn outcome(&self) -> String {
        let name = serde_json::to_value(self.ending).ok();
        name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// As the ledger keeps it: JSON without names of objects.
    pub(super) fn stored(&self) -> String {
        let nameless = |group: &FailureGroup| FailureGroup { count: group.count, examples: Vec::new() };
        let findings = self.findings.iter().map(|(kind, group)| (*kind, nameless(group))).collect();
        let stopped = self.stopped.as_ref().map(|_| "stopped".to_owned());
        let swapped = nameless(&self.swapped);
        let report = Self { findings, swapped, stopped, next: Vec::new(), ..self.clone() };
        serde_json::to_string(&report).unwrap_or_default()
    }

    /// Says what was not looked for, and what to do next.
    pub(super) fn with_advice(mut self, command: Option<&TypedCommand>) -> Self {
        let reads_all = self.destination_content == DestinationContent::Read;
        if !reads_all {
            self.limits.push(
                "bytes that rot at the destination under an unchanged ETag: only reading finds them (--destination-content read or sample:P%)"
                    .into(),
            );
        }
        if self.source_content == SourceContent::Ledger {
            self.limits.push(
                "bytes that were already wrong when the ledger's SHA-256 was computed, or have rotten at the source under an unchanged ETag: only --source-content read finds them"
                    .into(),
            );
        }
        if self.attributes == AttributeCheck::Listing {
            self.limits.push(
                "attributes that a listing doesn't tell (--attributes head asks for each object)".into(),
            );
        }
        let command = or_same(command);
        if matches!(self.ending, Ending::Stopped | Ending::Interrupted | Ending::TimeUp) {
            self.next.push(format!("to compare all of it: {command}"));
        }
        if self.found(FindingKind::SourceChanged) > 0 || self.found(FindingKind::Missing) > 0 {
            self.next.push(
                "to move what is new, changed or missing: cabotage migrate with the same places".into(),
            );
        }
        if self.found(FindingKind::ContentDiffers) + self.found(FindingKind::SizeDiffers) > 0 {
            self.next.push(
                "objects of another content or size: look at both ends first; to copy one anew, remove it at the destination, then \
                 cabotage migrate with the same places"
                    .into(),
            );
        }
        if self.found(FindingKind::EtagChanged) > 0 && !reads_all {
            self.next.push(format!("to see whether what was written anew has the same content: {command} --destination-content read"));
        }
        if self.found(FindingKind::Extra) > 0 && !self.allow_extra {
            self.next
                .push("objects that only the destination has are no difference with --allow-extra".into());
        }
        if let Some(turn) = self.sample.filter(|turn| turn.number < turn.of) {
            self.next.push(format!("to read the next slice, {} of {}: {command}", turn.number + 1, turn.of));
        }
        self
    }
}
