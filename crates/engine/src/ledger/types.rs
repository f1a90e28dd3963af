//! What the ledger holds.

use cabotage_core::{ETag, LossName, Sha256, Timestamp, UploadId};

use super::{FrozenJob, JobChanges};
use crate::{Class, ContentSha256, Verdict};

/// Which job a ledger belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobIdentity {
    /// The source: its store's identity and the prefix, canonical, without secrets.
    pub source: String,
    /// The destination, likewise.
    pub destination: String,
}

impl JobIdentity {
    /// The stem of the ledger's file name: 16 hexadecimal digits of the SHA-256 of both texts with a NUL between.
    #[must_use]
    pub fn stem(&self) -> String {
        let both = format!("{}\0{}", self.source, self.destination);
        let mut hex = Sha256::of(both.as_bytes()).to_hex();
        hex.truncate(16);
        hex
    }
}

/// A job as its ledger is opened for it.
#[derive(Clone, Debug)]
pub struct LedgerJob {
    /// By which the ledger is found.
    pub identity: JobIdentity,
    /// By which versions before format 2 found it, where that differs.
    pub former: JobIdentity,
    /// Its rules.
    pub rules: FrozenJob,
    /// Which changes of the rules are allowed.
    pub allowed: JobChanges,
    /// Whether the run writes: only such a run freezes the rules, and is refused when they differ.
    pub writes: bool,
}

/// An object that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name relative to the job's prefixes; may be empty.
    pub name: String,
    /// Its ETag at the source when it was read.
    pub source_etag: Option<ETag>,
    /// When it was last written at the source, to the nanosecond.
    pub source_modified: Option<Timestamp>,
    /// Its length in bytes, at most 2⁶³−1.
    pub size: u64,
    /// SHA-256 of its content, where it was computed.
    pub sha256: Option<ContentSha256>,
    /// Its ETag at the destination after the write.
    pub destination_etag: Option<ETag>,
    /// Its version at the destination, where the store keeps versions.
    pub destination_version: Option<String>,
    /// Digest of the source's attributes (see [`cabotage_core::Attributes::digest`]), where they were all known.
    pub attributes: Option<Sha256>,
    /// How well its arrival is proven.
    pub verdict: Verdict,
    /// What it lost on the way.
    pub losses: Vec<LossName>,
    /// Whether a sidecar keeps them.
    pub in_sidecar: bool,
    /// The run that did it.
    pub run: i64,
    /// When it was done; whole milliseconds are kept.
    pub finished: Timestamp,
    /// Attempts that it took in that run, from 1.
    pub attempts: u32,
    /// When the first of them began; whole milliseconds are kept. Rows of format 1 tell when they were done.
    pub started: Timestamp,
    /// Digest of the attributes as the destination told them after the write, where it did.
    pub destination_attributes: Option<Sha256>,
}

/// A write that was begun. Left over, it marks an object at the destination as perhaps this job's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The object's name relative to the job's prefixes; may be empty.
    pub name: String,
    /// Its ETag at the source.
    pub source_etag: Option<ETag>,
    /// Its length in bytes, at most 2⁶³−1.
    pub size: u64,
    /// SHA-256 of its content: known before a single write, and before an upload in parts is completed.
    pub sha256: Option<ContentSha256>,
    /// Whether it goes in parts.
    pub multipart: bool,
    /// When it was begun; whole milliseconds are kept. Before an upload is started: by the destination's clock.
    pub started: Timestamp,
}

/// The latest trouble with an object that is not done: failed, refused, in conflict, deferred, vanished, unfinished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The object's name relative to the job's prefixes; may be empty.
    pub name: String,
    /// What became of it.
    pub class: Class,
    /// Name of the failure's [`ErrorKind`](cabotage_core::ErrorKind); empty where there was no failure.
    pub kind: String,
    /// What happened and what to do, for a human.
    pub message: String,
    /// What it would have lost.
    pub losses: Vec<LossName>,
    /// Its length in bytes, at most 2⁶³−1.
    pub size: u64,
    /// Its ETag at the source.
    pub source_etag: Option<ETag>,
    /// Attempts that were made; 0 when it was decided without one.
    pub attempts: u32,
    /// The run in which it happened.
    pub run: i64,
    /// When; whole milliseconds are kept.
    pub at: Timestamp,
}

/// An upload in parts that was started and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUpload {
    /// The object's name relative to the job's prefixes; may be empty.
    pub name: String,
    /// The destination's id of it.
    pub id: UploadId,
    /// The object's ETag at the source.
    pub source_etag: Option<ETag>,
    /// The object's length in bytes, at most 2⁶³−1.
    pub size: u64,
    /// Length of each part but the last. 0 where format 1 started it.
    pub part_size: u64,
    /// Digest of what the upload was started with. Zeros where format 1 started it.
    pub options: Sha256,
    /// When it was started; whole milliseconds are kept.
    pub started: Timestamp,
    /// How far the digest of the whole has got.
    pub hashed: Option<HashMark>,
}

/// The digest of an object's first parts, to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashMark {
    /// Parts 1 to this are in it.
    pub parts: u32,
    /// The inner state of SHA-256 after them.
    pub state: Vec<u8>,
}

/// A part that the destination has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DonePart {
    /// From 1.
    pub number: u32,
    /// Its length in bytes.
    pub size: u64,
    /// What the destination returned for it.
    pub etag: Option<ETag>,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
}
