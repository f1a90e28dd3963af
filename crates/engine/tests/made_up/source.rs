//! The source: equal sizes, other bytes for each object.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cabotage_core::{
    Capabilities, DeleteOptions, Detail, Error, ErrorKind, Key, ListItem, ListScope, ListStream, ObjectBody,
    ObjectInfo, Payload, ReadOptions, Result, Storage, StoreId, Upload, UploadId, UploadInfo, WriteOptions,
    Written,
};
use cabotage_memory::full_capabilities;
use futures::stream::{self, BoxStream, StreamExt as _};

use super::{Alive, CHUNK, info, no};

/// So many objects of that size.
#[derive(Debug)]
pub struct MadeUp {
    id: StoreId,
    capabilities: Capabilities,
    objects: u64,
    size: u64,
    alive: Alive,
}

impl MadeUp {
    pub fn new(objects: u64, size: u64, alive: Alive) -> Self {
        Self { id: StoreId("made-up:".into()), capabilities: full_capabilities(), objects, size, alive }
    }

    fn info(&self, number: u64) -> Result<ObjectInfo> {
        Ok(info(Key::new(format!("scan-{number:04}.bin"))?, self.size, &format!("made-{number}")))
    }

    fn find(&self, key: &Key) -> Result<(u64, ObjectInfo)> {
        let number = key.as_str().strip_prefix("scan-").and_then(|rest| rest.strip_suffix(".bin"));
        match number.and_then(|number| number.parse().ok()).filter(|number| *number < self.objects) {
            Some(number) => Ok((number, self.info(number)?)),
            None => Err(Error::new(ErrorKind::NotFound, "no such object").on(key)),
        }
    }
}

/// The bytes of one chunk: each chunk of each object is another.
fn chunk(number: u64, offset: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![(number % 251) as u8; len as usize];
    let mark = (number << 48 | offset).to_le_bytes();
    let marked = bytes.len().min(mark.len());
    bytes[..marked].copy_from_slice(&mark[..marked]);
    bytes
}

impl std::fmt::Display for MadeUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.id.0)
    }
}

#[async_trait]
impl Storage for MadeUp {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn id(&self) -> &StoreId {
        &self.id
    }

    fn list(&self, _: ListScope) -> ListStream {
        let all: Vec<_> = (0..self.objects).map(|number| self.info(number).map(ListItem::Object)).collect();
        stream::iter(all).boxed()
    }

    async fn head(&self, key: &Key, _: Detail) -> Result<ObjectInfo> {
        Ok(self.find(key)?.1)
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        let (number, info) = self.find(key)?;
        options.check(&info)?;
        let range = options.range.map_or(Ok(0..self.size), |range| range.within(self.size))?;
        let (alive, end) = (self.alive.clone(), range.end);
        let starts = stream::iter((range.start..end).step_by(CHUNK as usize));
        let chunks = starts.then(move |start| {
            let alive = alive.clone();
            async move {
                // Where a network would let others run.
                tokio::task::yield_now().await;
                Ok::<Bytes, Error>(alive.count(chunk(number, start, CHUNK.min(end - start))))
            }
        });
        Ok(ObjectBody { info, range, stream: chunks.boxed() })
    }

    async fn write(&self, _: &Key, _: Payload, _: WriteOptions) -> Result<Written> {
        no()
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

    async fn delete(&self, _: &Key, _: DeleteOptions) -> Result<()> {
        no()
    }

    async fn delete_many(&self, _: Vec<Key>) -> Vec<(Key, Result<()>)> {
        Vec::new()
    }
}
