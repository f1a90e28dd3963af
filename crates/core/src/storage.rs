//! The contract of a store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::{
    Attributes, Capabilities, DeleteOptions, Detail, ETag, Error, ErrorKind, Key, ListScope, ListStream,
    ObjectBody, ObjectInfo, Operation, Payload, PresignMethod, Presigned, ReadOptions, Result, Upload,
    UploadId, UploadInfo, WriteOptions, Written,
};

/// What tells two stores apart: the same id means the same keys. `local:/data`, `s3:host:443/bucket`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(pub String);

/// Which store it is, apart from the address of its server: `s3/bucket` at `host:443`, `azure/account/container` at
/// `account.blob.core.windows.net`. Nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePlace {
    /// What stays the same when the server gets another address.
    pub identity: String,
    /// The address; empty where there is none.
    pub endpoint: String,
}

impl StorePlace {
    /// A store that can't move without becoming another: a folder.
    #[must_use]
    pub fn unmoving(id: &StoreId) -> Self {
        Self { identity: id.0.clone(), endpoint: String::new() }
    }
}

/// One bucket, container or folder: what an adapter implements. What has a default here may be left out by a store that can't do
/// it, and says so in its [`Capabilities`]: uploads in parts, copies, attributes alone, presigned URLs. Callers use [`StorageExt`](crate::StorageExt) too.
///
/// - **Atomic**: dropping a `write` or `complete` future leaves the old object or the new one, never part of one.
/// - **Faithful**: an adapter never drops, renames or normalises; what it can't hold is `Unsupported` (attributes)
///   or `KeyRejected` (names). A body is returned as stored: never decoded, never shortened.
/// - **Checked**: a body's digest goes with it, and the store refuses what doesn't match (`DigestMismatch`), unless
///   [`Capabilities::digest`] says otherwise.
/// - **Order** of listings is [`Capabilities::list_order`].
/// - **Errors** carry operation and key; kinds are those of [`ErrorKind`]: a missing object is `NotFound`, a missing
///   bucket `BucketNotFound`, a wrong key or signature `Unauthenticated`, a missing right `PermissionDenied`.
/// - **Retries** of single requests are the adapter's, of bodies and objects the caller's.
///
/// `Display` gives the store's location for a human, without secrets. Every wrapper denies
/// `clippy::missing_trait_methods`.
#[async_trait]
pub trait Storage: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// What this store can do and hold; the same from opening to the end.
    fn capabilities(&self) -> &Capabilities;

    /// Which store this is.
    fn id(&self) -> &StoreId;

    /// Lists lazily, page by page.
    fn list(&self, scope: ListScope) -> ListStream;

    /// What is known of an object. `attributes` is always told; tags are with [`Detail::WithTags`], unless the right is
    /// missing (then `None`).
    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo>;

    /// Reads a body or a range of it. An empty object has an empty body for no range, and fails for `Bounded`/`From(0)`
    /// with `PreconditionFailed`, as any range that starts at or past the end does.
    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody>;

    /// Writes an object whole.
    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written>;

    /// Starts an upload in parts.
    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        let _ = options;
        Err(unsupported("uploads in parts").during(Operation::Upload).on(key))
    }

    /// Goes on with an upload that was started before, by this process or another.
    ///
    /// # Errors
    /// `NotFound` when the store doesn't know it any more, here or at the next call on the upload.
    async fn resume_upload(
        &self,
        key: &Key,
        id: &UploadId,
        options: WriteOptions,
    ) -> Result<Arc<dyn Upload>> {
        let _ = (id, options);
        Err(unsupported("uploads in parts").during(Operation::Upload).on(key))
    }

    /// Uploads that are open under the prefix.
    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        let _ = prefix;
        Box::pin(futures::stream::empty())
    }

    /// Deletes an object. A missing one is no error, unless `if_match` is set (then `NotFound` or
    /// `PreconditionFailed`).
    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()>;

    /// Deletes many, at any number; results in the order of the keys. One by one, unless the store has something better.
    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        let mut done = Vec::with_capacity(keys.len());
        for key in keys {
            let deleted = self.delete(&key, DeleteOptions::default()).await;
            done.push((key, deleted));
        }
        done
    }

    /// Copies an object within the store, with its attributes, without moving bytes through the caller.
    async fn copy_within(
        &self,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        options: WriteOptions,
    ) -> Result<Written> {
        let _ = (from_etag, to, options);
        Err(unsupported("copying within the store").during(Operation::Copy).on(from))
    }

    /// Replaces an object's attributes without writing its body, only in the state `if_match`.
    async fn set_attributes(
        &self,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        let _ = (attributes, if_match);
        Err(unsupported("setting attributes alone").during(Operation::SetAttributes).on(key))
    }

    /// A URL that lets its holder read or write the object until it expires. `Unsupported` for a life that is shorter than a
    /// second, or longer than the store allows: it is never shortened.
    async fn presign(&self, key: &Key, method: PresignMethod, expires_in: Duration) -> Result<Presigned> {
        let _ = (method, expires_in);
        Err(unsupported("presigning").during(Operation::Presign).on(key))
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("this store doesn't support {what}"))
}
