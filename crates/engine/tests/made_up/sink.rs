//! The destination: checks each body's digest as a server does, and keeps nothing of it but its length.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::{
    Access, Capabilities, DeleteOptions, Detail, Error, ErrorKind, Key, ListItem, ListScope, ListStream,
    ObjectBody, ObjectInfo, PartInfo, PartSlot, Payload, Probe, ReadOptions, Result, Sha256, Storage,
    StoreId, Support, Upload, UploadId, UploadInfo, Versioning, WriteOptions, Written, probe_digest,
};
use cabotage_memory::full_capabilities;
use futures::stream::{self, BoxStream, StreamExt as _};

use super::{info, no};

/// How long a server takes to answer: so long the body stays in the client's memory.
const ANSWER: Duration = Duration::from_millis(20);

type Objects = Arc<Mutex<BTreeMap<Key, ObjectInfo>>>;

#[derive(Debug)]
pub struct Sink {
    id: StoreId,
    capabilities: Capabilities,
    objects: Objects,
}

impl Sink {
    pub fn new() -> Self {
        Self { id: StoreId("sink:".into()), capabilities: full_capabilities(), objects: Objects::default() }
    }
}

/// Looks at the body and forgets it. Gives its length.
async fn receive(body: Payload) -> Result<u64> {
    let Payload::Buffered { chunks, len, sha256 } = body else { return no() };
    tokio::time::sleep(ANSWER).await;
    if Sha256::of_chunks(&chunks) != sha256 {
        return Err(Error::new(ErrorKind::DigestMismatch, "the body has another digest"));
    }
    Ok(len)
}

fn keep(objects: &Objects, key: &Key, size: u64) -> Written {
    let kept = info(key.clone(), size, "kept");
    let etag = kept.etag.clone();
    objects.lock().unwrap().insert(key.clone(), kept);
    Written { etag, version: None }
}

impl std::fmt::Display for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.id.0)
    }
}

#[async_trait]
impl Storage for Sink {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn id(&self) -> &StoreId {
        &self.id
    }

    fn list(&self, scope: ListScope) -> ListStream {
        let objects = self.objects.lock().unwrap();
        let listed =
            objects.values().filter(|info| scope.after.as_ref().is_none_or(|after| info.key > *after));
        let listed: Vec<_> = listed.cloned().map(|info| Ok(ListItem::Object(info))).collect();
        stream::iter(listed).boxed()
    }

    async fn head(&self, key: &Key, _: Detail) -> Result<ObjectInfo> {
        let found = self.objects.lock().unwrap().get(key).cloned();
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such object").on(key))
    }

    async fn read(&self, _: &Key, _: ReadOptions) -> Result<ObjectBody> {
        no()
    }

    async fn write(&self, key: &Key, body: Payload, _: WriteOptions) -> Result<Written> {
        Ok(keep(&self.objects, key, receive(body).await?))
    }

    async fn start_upload(&self, key: &Key, _: WriteOptions) -> Result<Arc<dyn Upload>> {
        let id = UploadId(key.as_str().into());
        Ok(Arc::new(Open { id, key: key.clone(), objects: Arc::clone(&self.objects) }))
    }

    async fn resume_upload(&self, _: &Key, _: &UploadId, _: WriteOptions) -> Result<Arc<dyn Upload>> {
        no()
    }

    fn list_uploads(&self, _: &str) -> BoxStream<'static, Result<UploadInfo>> {
        stream::empty().boxed()
    }

    async fn delete(&self, key: &Key, _: DeleteOptions) -> Result<()> {
        self.objects.lock().unwrap().remove(key);
        Ok(())
    }

    async fn delete_many(&self, _: Vec<Key>) -> Vec<(Key, Result<()>)> {
        Vec::new()
    }
}

#[async_trait]
impl Probe for Sink {
    async fn wrong_digest(&self, key: &Key) -> Result<Support> {
        probe_digest(self, key).await
    }

    async fn versioning(&self) -> Result<Versioning> {
        Ok(Versioning::Off)
    }

    async fn clock_skew(&self) -> Result<Option<i64>> {
        Ok(None)
    }

    fn right(&self, _: Access) -> &'static str {
        "any"
    }
}

#[derive(Debug)]
struct Open {
    id: UploadId,
    key: Key,
    objects: Objects,
}

#[async_trait]
impl Upload for Open {
    fn id(&self) -> &UploadId {
        &self.id
    }

    async fn parts(&self) -> Result<Vec<PartInfo>> {
        Ok(Vec::new())
    }

    async fn part(&self, slot: PartSlot, body: Payload) -> Result<PartInfo> {
        Ok(PartInfo { number: slot.number, size: receive(body).await?, etag: None })
    }

    async fn complete(&self, parts: &[PartInfo]) -> Result<Written> {
        Ok(keep(&self.objects, &self.key, parts.iter().map(|part| part.size).sum()))
    }

    async fn abort(&self) -> Result<()> {
        Ok(())
    }
}
