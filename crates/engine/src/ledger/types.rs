//! What the ledger holds.

use cabotage_core::{ETag, LossName, Sha256, Timestamp};

use crate::Verdict;

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
    pub sha256: Option<Sha256>,
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
    /// The run that did it.
    pub run: i64,
    /// When it was done; whole milliseconds are kept.
    pub finished: Timestamp,
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
    pub sha256: Option<Sha256>,
    /// Whether it goes in parts.
    pub multipart: bool,
    /// When it was begun; whole milliseconds are kept.
    pub started: Timestamp,
}
