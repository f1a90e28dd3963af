//! Options of the operations.

use std::time::Duration;

use jiff::Timestamp;

use crate::{Attributes, ETag, Secret};

/// How much a head should tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What one request tells; tags may stay unknown.
    #[default]
    Basic,
    /// Tags too, at the price of a second request where the store needs one.
    WithTags,
}

/// Which bytes to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadRange {
    /// From `start` up to, not including, `end`; cut at the object's end. `start` at or past the end fails.
    Bounded {
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
    },
    /// From that byte to the end.
    From(u64),
    /// The last bytes, at most that many.
    Suffix(u64),
}

/// Options of a read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Only these bytes.
    pub range: Option<ReadRange>,
    /// Only this state of the object, else `PreconditionFailed`.
    pub if_match: Option<ETag>,
    /// Not this state, else `PreconditionFailed`.
    pub if_none_match: Option<ETag>,
    /// Only if written after, else `PreconditionFailed`.
    pub if_modified_since: Option<Timestamp>,
    /// Only if not written after, else `PreconditionFailed`.
    pub if_unmodified_since: Option<Timestamp>,
    /// That version.
    pub version: Option<String>,
}

impl ReadOptions {
    /// Those bytes of that state.
    #[must_use]
    pub fn pinned(range: Option<ReadRange>, etag: Option<ETag>) -> Self {
        Self { range, if_match: etag, ..Self::default() }
    }
}

/// What may be in the object's place before a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WriteMode {
    /// Nothing; else `PreconditionFailed`. Safe against a race only where
    /// [`Preconditions::create`](crate::Preconditions) is enforced.
    Create,
    /// Anything: the old object is replaced.
    #[default]
    Replace,
    /// Exactly that state; else `PreconditionFailed` (or `NotFound`).
    IfMatch(ETag),
}

/// Options of a write or an upload.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// What travels with the bytes. What the store can't hold is `Unsupported`, never dropped.
    pub attributes: Attributes,
    /// What may be in its place.
    pub mode: WriteMode,
    /// The store's own name of the tier; `None` takes the default.
    pub tier: Option<String>,
    /// The time to set where the store keeps one of its own (local files); elsewhere ignored.
    pub modified: Option<Timestamp>,
}

/// Options of a delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Only this state, else `PreconditionFailed`. A store that can't check it on the server compares a head first.
    pub if_match: Option<ETag>,
}

/// What a presigned URL is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresignMethod {
    /// Reading.
    Get,
    /// Writing.
    Put,
}

/// A URL that carries its own permission.
#[derive(Clone, Debug)]
pub struct Presigned {
    /// The URL: a secret while it lives.
    pub url: Secret,
    /// For how long, from now.
    pub expires_in: Duration,
}
