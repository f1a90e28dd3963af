//! One stored object.

use bytes::{Bytes, BytesMut};
use cabotage_core::{
    Attributes, ETag, Error, ErrorKind, Key, Metadata, ObjectForm, ObjectInfo, Payload, Result, Sha256,
    Support, Tier, Timestamp,
};
use futures::TryStreamExt as _;

use crate::capabilities::without_tags;

/// An object at rest. Cheap to clone but for its attributes.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub bytes: Bytes,
    pub etag: ETag,
    pub modified: Timestamp,
    pub attributes: Attributes,
    pub tier: Option<Tier>,
}

/// What a reply tells of attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    Nothing,
    AllButTags,
    All,
}

impl Object {
    /// What a reply tells of it.
    pub fn info(&self, key: &Key, told: Told) -> ObjectInfo {
        ObjectInfo {
            key: key.clone(),
            size: self.bytes.len() as u64,
            etag: Some(self.etag.clone()),
            version: None,
            modified: Some(self.modified),
            attributes: match told {
                Told::Nothing => None,
                Told::AllButTags => Some(without_tags(&self.attributes, false)),
                Told::All => Some(self.attributes.clone()),
            },
            tier: self.tier.clone(),
            digests: Vec::new(),
            form: ObjectForm::Plain,
            uncarried: Metadata::new(),
        }
    }
}

/// Takes a body whole and checks its length, and its digest where that is enforced.
///
/// # Errors
/// `TooLarge` past `limit`, before a byte is read; `Truncated`; `DigestMismatch`.
pub(crate) async fn receive(body: &Payload, limit: u64, digest: Support) -> Result<Bytes> {
    if body.len() > limit {
        let message = format!("{} bytes are more than the {limit} allowed at once", body.len());
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let mut all = BytesMut::new();
    let mut stream = body.open().await?;
    while let Some(chunk) = stream.try_next().await? {
        all.extend_from_slice(&chunk);
    }
    let bytes = all.freeze();
    if bytes.len() as u64 != body.len() {
        let message = format!("{} bytes came, {} were declared", bytes.len(), body.len());
        return Err(Error::new(ErrorKind::Truncated, message));
    }
    if let Payload::Buffered { sha256, .. } = body
        && digest == Support::Enforced
        && Sha256::of(&bytes) != *sha256
    {
        let message = "the bytes do not match the SHA-256 sent with them";
        return Err(Error::new(ErrorKind::DigestMismatch, message));
    }
    Ok(bytes)
}
