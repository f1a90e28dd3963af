//! Uploads in parts.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{ETag, Key, Payload, Result};

/// A store's name for an open upload. Ledgers keep it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct UploadId(pub String);

/// Which part is being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartSlot {
    /// From 1, without gaps in the completed object.
    pub number: u32,
    /// The first byte's place in the object. Stores that write in place need it.
    pub offset: u64,
}

/// A part that the store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// Its number, from 1.
    pub number: u32,
    /// Its length in bytes.
    pub size: u64,
    /// What the store called it (S3: ETag; Azure: block id).
    pub etag: Option<ETag>,
}

/// An upload that was started and neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadInfo {
    /// The object it will become.
    pub key: Key,
    /// Its id.
    pub id: UploadId,
    /// When it was started, where the store says.
    pub started: Option<Timestamp>,
}

/// What a finished write tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The new object's ETag.
    pub etag: Option<ETag>,
    /// Its version, where the store keeps versions.
    pub version: Option<String>,
}

/// An upload in parts. Parts may be sent at once and in any order.
///
/// Nothing is visible under the key before [`complete`](Self::complete) succeeds. Dropping this aborts nothing:
/// the id was recorded before the first part, and the next run finishes or aborts it.
#[async_trait]
pub trait Upload: Send + Sync + fmt::Debug {
    /// Its id, to be recorded before the first part is sent.
    fn id(&self) -> &UploadId;

    /// The parts that the store holds, by number.
    async fn parts(&self) -> Result<Vec<PartInfo>>;

    /// Sends a part, checked by the server as a single write is. Sending a number again replaces that part.
    async fn part(&self, slot: PartSlot, body: Payload) -> Result<PartInfo>;

    /// Makes the object from those parts, ordered by number, under the mode with which the upload was started.
    ///
    /// # Errors
    /// `PreconditionFailed` where the mode is enforced on completion (see
    /// [`Preconditions::complete`](crate::Preconditions)); a caller heads the key first where it is not.
    async fn complete(&self, parts: &[PartInfo]) -> Result<Written>;

    /// Forgets the upload and its parts; without error when the store doesn't know it any more.
    async fn abort(&self) -> Result<()>;
}
