//! What is known of an object.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Attributes, Digest, ETag, Key, Metadata};

/// What a listing, a head or a read tells of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectInfo {
    /// Its name.
    pub key: Key,
    /// Its length in bytes, as stored (never after decoding).
    pub size: u64,
    /// Its ETag.
    pub etag: Option<ETag>,
    /// The version's id, where the store keeps versions.
    pub version: Option<String>,
    /// When it was last written, by the store's clock; for local files the file's mtime.
    pub modified: Option<Timestamp>,
    /// Headers, metadata and tags. `None`: this reply doesn't tell (S3 listings), so ask with a head.
    pub attributes: Option<Attributes>,
    /// Its storage tier or class.
    pub tier: Option<Tier>,
    /// Digests that the store publishes.
    pub digests: Vec<Digest>,
    /// What kind of object it is.
    pub form: ObjectForm,
    /// Headers that it has and that this contract doesn't carry (`expires`), with their values: each is a `header-dropped`
    /// wherever the object moves.
    pub uncarried: Metadata,
}

impl ObjectInfo {
    /// An object of which only name and size are known.
    #[must_use]
    pub fn new(key: Key, size: u64) -> Self {
        Self {
            key,
            size,
            etag: None,
            version: None,
            modified: None,
            attributes: None,
            tier: None,
            digests: Vec::new(),
            form: ObjectForm::Plain,
            uncarried: Metadata::new(),
        }
    }
}

/// What kind of object the store says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ObjectForm {
    /// An ordinary object; on Azure a block blob.
    #[default]
    Plain,
    /// An Azure append blob.
    AppendBlob,
    /// An Azure page blob.
    PageBlob,
    /// A folder's stub (Azure: metadata `hdi_isfolder=true`).
    FolderStub,
}

/// A storage tier or class under the store's own name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tier {
    /// The name as the store has it: `Hot`, `STANDARD`, `GLACIER`.
    pub name: String,
    /// What it means for a reader.
    pub class: TierClass,
}

/// What a tier means for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TierClass {
    /// The store's default class, readable at once (Azure `Hot`, S3 `STANDARD`).
    Default,
    /// Readable at once, at another price (Azure `Cool`, S3 `STANDARD_IA`).
    Infrequent,
    /// Not readable until it is restored (Azure `Archive`, S3 `GLACIER`).
    Archive,
}
