//! The migration: list, decide, transfer, verify, ledger, report; a file per stage, a type per arrow.
//!
//! [`run`] takes a [`Job`] and gives a [`Report`]. Data flows one way: the listings of both sides and the ledger are
//! merge-joined into candidates, each candidate becomes a decision, each decision that moves bytes becomes a task, and
//! every object ends as one [`Outcome`] in the tally.

mod acl_export;
mod advice;
mod archived_list;
mod attempts;
mod attributes;
mod attributes_only;
mod audit;
mod budget;
mod confirm;
mod content_sha256;
mod context;
mod cutover;
mod decide;
mod delete;
mod dispatch;
mod endpoints;
mod existing;
mod files;
mod guards;
mod insight;
mod invocation;
mod job;
mod join;
mod json;
mod keeping;
mod keys;
mod lanes;
mod ledger;
mod loss_policy;
mod manifest;
mod order;
mod outcome;
mod pace;
mod pass;
mod plan;
mod progress;
mod proof_of_attributes;
mod ranges;
mod recover;
mod remnants;
mod report;
mod report_cutover;
mod report_merged;
mod report_pass;
mod report_text;
mod report_uploads;
mod rules;
mod run;
mod run_log;
mod selection;
mod shards;
mod sidecar;
mod slot;
mod spans;
mod submission;
mod tally;
#[cfg(test)]
mod test_rows;
mod transfer;
mod trouble_log;
mod typed;
mod uploads;
mod verdict;
mod verify;
mod whole_file;
mod work;

pub use audit::{
    AttributeCheck, AttributeProof, Audit, AuditCounts, AuditOptions, AuditReport, ClassCount, Compared,
    DestinationContent, Finding, FindingKind, Proof, SampleTurn, Slices, SourceContent, audit,
};
pub use content_sha256::{ContentSha256, DigestForm, ToldSha256};
pub use cutover::{Cutover, cutover};
pub use delete::{DeletePolicy, Deletion};
pub use endpoints::{Endpoint, Endpoints, Limited};
pub use insight::Insight;
pub use invocation::Invocation;
pub use job::{Adopt, Job, Options, Overwrite, PartsDigest, Side, Stop, Verify};
pub use json::{json_file, json_line};
pub use keeping::remove_wholly;
pub use ledger::{
    Count, Divided, DonePart, FrozenJob, HashMark, Intent, JobChanges, JobEnd, JobIdentity, Ledger,
    LedgerCounts, LedgerJob, LedgerReader, LoggedChange, Merged, OpenUpload, Row, RunKind, RunRecord,
    ShardedJob, Trouble, free_space,
};
pub use loss_policy::{LossFate, LossPolicy};
pub use outcome::{Class, Outcome};
pub use pace::{Earlier, KeptProgress, Speed};
pub use pass::{Amount, Change, Pass};
pub use progress::{Event, Observer, Progress, Snapshot};
pub use remnants::Remnants;
pub use report::{Counts, Ending, FailureGroup, Guards, Levels, LossCount, Report};
pub use rules::LedgerOptions;
pub use run::run;
pub use selection::{KeysFile, Selection};
pub use shards::{PlannedShard, Shard, ShardNumber, ShardPlan, plan_shards};
pub use sidecar::Sidecars;
pub use typed::TypedCommand;
pub use uploads::UploadCounts;
pub use verdict::Verdict;
