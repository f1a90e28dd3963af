//! The store.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, Detail, ETag, Error, ErrorKind, Key, ListScope, ListStream,
    ObjectBody, Operation, Payload, PresignMethod, Presigned, ReadOptions, Result, Storage, StoreId, Support,
    Tags, TierClass, Timestamp, Upload, UploadId, UploadInfo, WriteMode, WriteOptions, Written,
};
use futures::stream::{BoxStream, StreamExt as _};

use crate::capabilities::{full_capabilities, kept, tier};
use crate::object::{Object, Told, receive};
use crate::state::State;
use crate::{list, upload};

/// Longest piece of a body that a read hands out.
const CHUNK: usize = 256 * 1024;

/// A bucket in memory. Clones share the objects.
#[derive(Clone)]
pub struct MemoryStore {
    name: Arc<str>,
    id: StoreId,
    capabilities: Arc<Capabilities>,
    state: Arc<Mutex<State>>,
}

impl MemoryStore {
    /// An empty bucket of that name, with [`full_capabilities`]. The name alone makes its [`StoreId`], so buckets that
    /// meet need different names.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let capabilities = Arc::new(full_capabilities());
        let state = State::new(capabilities.list_order);
        let id = StoreId(format!("memory:{name}"));
        Self { name: name.into(), id, capabilities, state: Arc::new(Mutex::new(state)) }
    }

    /// The same bucket under other rules, which it keeps from now on: limits, names, listing order, preconditions and
    /// digests that are enforced, ignored or rejected. Clones made before keep their rules for what they write.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.state().reorder(capabilities.list_order);
        self.capabilities = Arc::new(capabilities);
        self
    }

    /// Replaces an object's tags and nothing else, ETag and time included, as Azure's Set Blob Tags does. Without effect
    /// where there is no such object.
    pub fn retag(&self, key: &Key, tags: Tags) {
        self.state().retag(key, tags);
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rules(&self) -> &Capabilities {
        &self.capabilities
    }

    /// An object as it would be stored, but for its bytes and its ETag.
    pub(crate) fn draft(&self, key: &Key, options: &WriteOptions) -> Result<Object> {
        self.capabilities.accepts(key)?;
        let modified = options.modified.filter(|_| self.capabilities.keeps_modified);
        Ok(Object {
            bytes: Bytes::new(),
            etag: ETag::new(""),
            modified: modified.unwrap_or_else(Timestamp::now),
            attributes: kept(&self.capabilities, &options.attributes)?,
            tier: tier(&self.capabilities, options.tier.as_deref())?,
        })
    }

    pub(crate) async fn receive(&self, body: &Payload, limit: u64) -> Result<Bytes> {
        receive(body, limit, self.capabilities.digest).await
    }

    fn single_support(&self, mode: &WriteMode) -> Support {
        match mode {
            WriteMode::Create => self.capabilities.preconditions.create,
            WriteMode::Replace | WriteMode::IfMatch(_) => self.capabilities.preconditions.if_match,
        }
    }

    async fn write_whole(&self, key: &Key, body: &Payload, options: &WriteOptions) -> Result<Written> {
        let mut object = self.draft(key, options)?;
        object.bytes = self.receive(body, self.capabilities.limits.single_max).await?;
        let etag = self.state().put(key, object, &options.mode, self.single_support(&options.mode))?;
        Ok(Written { etag: Some(etag), version: None })
    }

    fn read_now(&self, key: &Key, options: &ReadOptions) -> Result<ObjectBody> {
        self.capabilities.accepts(key)?;
        if options.version.is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "this store keeps no versions"));
        }
        let object = self.state().get(key)?.clone();
        let told = if self.capabilities.list_tags { Told::All } else { Told::AllButTags };
        let info = object.info(key, told);
        options.check(&info)?;
        if object.tier.as_ref().is_some_and(|tier| tier.class == TierClass::Archive) {
            return Err(Error::new(ErrorKind::Archived, "the object is archived").help("restore it first"));
        }
        let range = match options.range {
            Some(range) => range.within(info.size)?,
            None => 0..info.size,
        };
        let stream = pieces(&object.bytes, &range)?;
        Ok(ObjectBody { info, range, stream: futures::stream::iter(stream).boxed() })
    }

    fn copy_now(
        &self,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        options: &WriteOptions,
    ) -> Result<Written> {
        let mut copy = self.draft(to, options)?;
        let mut state = self.state();
        let source = state.get(from)?;
        if let Some(etag) = from_etag {
            source.expect_etag(etag)?;
        }
        copy.bytes = source.bytes.clone();
        if options.attributes == Attributes::default() {
            copy.attributes = source.attributes.clone();
        }
        let etag = state.put(to, copy, &options.mode, self.single_support(&options.mode))?;
        Ok(Written { etag: Some(etag), version: None })
    }

    fn set_attributes_now(
        &self,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        let fresh = kept(&self.capabilities, attributes)?;
        let mut state = self.state();
        let mut object = state.get(key)?.clone();
        if let Some(etag) = if_match {
            object.expect_etag(etag)?;
        }
        let tags = if attributes.tags.is_some() { fresh.tags } else { object.attributes.tags };
        object.attributes = Attributes { tags, ..fresh };
        let etag = state.put(key, object, &WriteMode::Replace, Support::Enforced)?;
        Ok(Written { etag: Some(etag), version: None })
    }

    fn can(&self, has: bool, what: &str) -> Result<()> {
        if has {
            return Ok(());
        }
        Err(self.unable(what))
    }

    fn unable(&self, what: &str) -> Error {
        Error::new(ErrorKind::Unsupported, format!("{self} doesn't support {what}"))
    }
}

/// The bytes of the range, in pieces.
fn pieces(bytes: &Bytes, range: &std::ops::Range<u64>) -> Result<Vec<Result<Bytes>>> {
    let place = |at: u64| {
        usize::try_from(at).map_err(|_| Error::new(ErrorKind::Internal, "a place past the address space"))
    };
    let mut rest = bytes.slice(place(range.start)?..place(range.end)?);
    let mut out = Vec::new();
    while !rest.is_empty() {
        out.push(Ok(rest.split_to(CHUNK.min(rest.len()))));
    }
    Ok(out)
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({})", self.name)
    }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory://{}", self.name)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for MemoryStore {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn id(&self) -> &StoreId {
        &self.id
    }

    fn list(&self, scope: ListScope) -> ListStream {
        list::list(self, scope)
    }

    async fn head(&self, key: &Key, detail: Detail) -> Result<cabotage_core::ObjectInfo> {
        let told = if detail == Detail::WithTags || self.capabilities.list_tags {
            Told::All
        } else {
            Told::AllButTags
        };
        let found = self.capabilities.accepts(key).and_then(|()| Ok(self.state().get(key)?.info(key, told)));
        found.map_err(|error| error.during(Operation::Head).on(key))
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        self.read_now(key, &options).map_err(|error| error.during(Operation::Read).on(key))
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        self.write_whole(key, &body, &options).await.map_err(|error| error.during(Operation::Write).on(key))
    }

    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        self.can(self.capabilities.uploads, "uploads")
            .and_then(|()| upload::start(self, key, options))
            .map_err(|error| error.during(Operation::Upload).on(key))
    }

    async fn resume_upload(
        &self,
        key: &Key,
        id: &UploadId,
        options: WriteOptions,
    ) -> Result<Arc<dyn Upload>> {
        upload::resume(self, key, id, options).map_err(|error| error.during(Operation::Upload).on(key))
    }

    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        futures::stream::iter(upload::list(self, prefix)).boxed()
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.state().delete(key, &options).map_err(|error| error.during(Operation::Delete).on(key))
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        let mut state = self.state();
        keys.into_iter()
            .map(|key| {
                let done = state
                    .delete(&key, &DeleteOptions::default())
                    .map_err(|error| error.during(Operation::Delete).on(&key));
                (key, done)
            })
            .collect()
    }

    /// The source's attributes are kept, unless `options` brings others.
    async fn copy_within(
        &self,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        options: WriteOptions,
    ) -> Result<Written> {
        self.can(self.capabilities.copy_within, "copying within the store")
            .and_then(|()| self.copy_now(from, from_etag, to, &options))
            .map_err(|error| error.during(Operation::Copy).on(from))
    }

    /// Gives the object a new ETag. Unknown tags leave the tags alone.
    async fn set_attributes(
        &self,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        self.can(self.capabilities.set_attributes, "setting attributes alone")
            .and_then(|()| self.set_attributes_now(key, attributes, if_match))
            .map_err(|error| error.during(Operation::SetAttributes).on(key))
    }

    async fn presign(&self, key: &Key, _method: PresignMethod, _expires_in: Duration) -> Result<Presigned> {
        Err(self.unable("presigning").during(Operation::Presign).on(key))
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
