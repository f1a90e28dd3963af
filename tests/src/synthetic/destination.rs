//! The destination: checks what is written against the formulas, and keeps one bit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cabotage_core::{
    Access, Capabilities, DeleteOptions, Detail, Error, ErrorKind, Key, ListItem, ListScope, ListStream,
    ObjectBody, ObjectInfo, Payload, Probe, ReadOptions, Result, Sha256, Storage, StoreId, Support, Upload,
    UploadId, UploadInfo, Versioning, WriteMode, WriteOptions, Written, probe_digest,
};
use cabotage_memory::{MemoryStore, full_capabilities};
use futures::stream::{self, BoxStream, StreamExt as _};

use super::{Namespace, no};

/// A destination for one namespace: nothing but its objects, byte for byte, is taken.
#[derive(Clone, Debug)]
pub struct Destination {
    id: StoreId,
    namespace: Namespace,
    capabilities: Capabilities,
    /// A bit for each object that is there.
    there: Arc<[AtomicU64]>,
    /// Names outside the namespace: what the run asks its questions with.
    aside: MemoryStore,
}

impl Destination {
    /// With nothing in it.
    #[must_use]
    pub fn empty(namespace: Namespace) -> Self {
        Self::of(namespace, 0)
    }

    /// With all of the namespace in it.
    #[must_use]
    pub fn full(namespace: Namespace) -> Self {
        Self::of(namespace, u64::MAX)
    }

    fn of(namespace: Namespace, word: u64) -> Self {
        let capabilities = Capabilities { list_attributes: false, list_tags: false, ..full_capabilities() };
        let there = (0..namespace.objects().div_ceil(64)).map(|_| AtomicU64::new(word)).collect();
        let id = StoreId("synthetic:destination".into());
        Self { id, namespace, capabilities, there, aside: MemoryStore::new("aside") }
    }

    /// How many objects of the namespace are there.
    #[must_use]
    pub fn count(&self) -> u64 {
        (0..self.namespace.objects()).filter(|i| self.holds(*i)).count() as u64
    }

    /// Whether something else is there.
    pub async fn has_strays(&self) -> bool {
        self.aside.list(ListScope::default()).next().await.is_some()
    }

    fn holds(&self, i: u64) -> bool {
        self.there[(i / 64) as usize].load(Ordering::Relaxed) >> (i % 64) & 1 == 1
    }

    /// Sets the bit; whether it was set.
    fn put(&self, i: u64) -> bool {
        let bit = 1 << (i % 64);
        self.there[(i / 64) as usize].fetch_or(bit, Ordering::Relaxed) & bit != 0
    }

    fn receive(&self, i: u64, body: &Payload, options: &WriteOptions) -> Result<Written> {
        let Payload::Buffered { chunks, sha256, .. } = body else { return no() };
        if Sha256::of_chunks(chunks) != *sha256 {
            return Err(Error::new(ErrorKind::DigestMismatch, "the body has another digest"));
        }
        let attributes = self.namespace.attributes(i);
        if *sha256 != Sha256::of(&self.namespace.content(i)) || options.attributes != attributes {
            return Err(Error::new(ErrorKind::Protocol, "the source has something else under that name"));
        }
        if options.mode == WriteMode::Create && self.holds(i) {
            return Err(Error::new(ErrorKind::PreconditionFailed, "there is an object already"));
        }
        self.put(i);
        Ok(Written { etag: self.namespace.at_destination(i)?.etag, version: None })
    }

    /// The object's number if it is there, none for a name outside the namespace.
    fn find(&self, key: &Key) -> Result<Option<u64>> {
        match self.namespace.find(key.as_str()) {
            Some(i) if !self.holds(i) => Err(Error::new(ErrorKind::NotFound, "no such object").on(key)),
            found => Ok(found),
        }
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.id.0)
    }
}

#[async_trait]
impl Storage for Destination {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn id(&self) -> &StoreId {
        &self.id
    }

    fn list(&self, scope: ListScope) -> ListStream {
        let this = self.clone();
        let first = scope.after.as_ref().map_or(0, |after| self.namespace.up_to(after.as_str()));
        let numbers = (first..self.namespace.objects()).filter(move |i| this.holds(*i));
        let namespace = self.namespace;
        let items = numbers.map(move |i| namespace.at_destination(i));
        let is_before = move |item: &Result<ObjectInfo>| match (item, &scope.until) {
            (Ok(info), Some(until)) => info.key < *until,
            _ => true,
        };
        stream::iter(items.take_while(is_before).map(|item| item.map(ListItem::Object))).boxed()
    }

    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo> {
        let Some(i) = self.find(key)? else { return self.aside.head(key, detail).await };
        Ok(ObjectInfo { attributes: Some(self.namespace.attributes(i)), ..self.namespace.at_destination(i)? })
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        if self.find(key)?.is_some() { no() } else { self.aside.read(key, options).await }
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        match self.namespace.find(key.as_str()) {
            Some(i) => self.receive(i, &body, &options).map_err(|error| error.on(key)),
            None => self.aside.write(key, body, options).await,
        }
    }

    async fn start_upload(&self, _: &Key, _: WriteOptions) -> Result<Arc<dyn Upload>> {
        no()
    }

    async fn resume_upload(&self, _: &Key, _: &UploadId, _: WriteOptions) -> Result<Arc<dyn Upload>> {
        no()
    }

    fn list_uploads(&self, _: &str) -> BoxStream<'static, Result<UploadInfo>> {
        stream::empty().boxed()
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        if self.find(key)?.is_some() { no() } else { self.aside.delete(key, options).await }
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        self.aside.delete_many(keys).await
    }
}

#[async_trait]
impl Probe for Destination {
    async fn wrong_digest(&self, key: &Key) -> Result<Support> {
        probe_digest(self, key).await
    }

    async fn versioning(&self) -> Result<Versioning> {
        Ok(Versioning::Off)
    }

    async fn clock_skew(&self) -> Result<Option<i64>> {
        Ok(None)
    }

    fn right(&self, access: Access) -> &'static str {
        self.aside.right(access)
    }
}
