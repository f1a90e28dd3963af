//! Vocabulary and contracts of Cabotage.
//!
//! Everything else in the workspace depends on this crate and this crate depends on nothing of it: no I/O, no
//! runtime, no vendor crate. An adapter author implements [`Storage`] (and, for a destination that should be
//! trusted, [`Probe`]); a caller uses [`StorageExt`].
//!
//! [`compute`] holds the contract of what runs jobs beside the data.

#![deny(missing_docs)]

mod access_entry;
mod attributes;
mod body;
mod capabilities;
pub mod compute;
mod digest;
mod display;
mod disposition;
mod error;
mod etag;
mod ext;
mod json;
mod key;
mod list;
mod loss;
mod meter;
mod object;
mod options;
mod page_guard;
mod probe;
mod ranges;
mod remnant;
mod secret;
mod storage;
mod throttle;
mod upload;

pub use access_entry::{AccessEntry, AccessStream};
pub use attributes::{Attributes, ContentHeaders, Metadata, Tags};
pub use body::{ByteStream, ObjectBody, Payload, PayloadSource};
pub use capabilities::{
    Capabilities, KeyRules, Limits, ListOrder, MetadataNames, MetadataRules, Preconditions, Support,
    TagRules, TierRules,
};
pub use digest::{Algorithm, Digest, DigestScope, Md5, Md5Hasher, Sha256, Sha256Hasher};
pub use display::{display_key, display_text};
pub use disposition::{Disposition, Scope, disposition};
pub use error::{Error, ErrorKind, Operation, Result};
pub use etag::ETag;
pub use ext::StorageExt;
pub use json::printable_json;
pub use key::{Key, RawKey};
pub use list::{ListItem, ListScope, ListStream};
pub use loss::{Loss, LossName};
pub use meter::{Latencies, RequestEnd, RequestMeter};
pub use object::{ObjectForm, ObjectInfo, Tier, TierClass};
pub use options::{
    DeleteOptions, Detail, PresignMethod, Presigned, ReadOptions, ReadRange, WriteMode, WriteOptions,
};
pub use page_guard::PageGuard;
pub use probe::{Access, ObjectLock, Probe, Traffic, Versioning, probe_digest, settle_digest_probe};
pub use ranges::RangesOptions;
pub use remnant::{Remnant, RemnantKind, RemnantStream};
pub use secret::Secret;
pub use storage::{Storage, StoreId, StorePlace};
pub use throttle::{Rates, RequestKind, Throttle};
pub use upload::{PartInfo, PartSlot, Upload, UploadId, UploadInfo, Written};

/// A moment in time, always UTC.
pub use jiff::Timestamp;
