//! A store that breaks down while it is read.

use std::fmt;
use std::sync::Arc;

use cabotage_core::{
    Capabilities, DeleteOptions, Detail, Key, ListScope, ListStream, ObjectBody, ObjectInfo, Payload,
    ReadOptions, Result, Storage, StoreId, Upload, UploadId, UploadInfo, WriteOptions, Written,
};
use cabotage_memory::MemoryStore;
use futures::stream::BoxStream;

/// Panics when that key is read.
#[derive(Debug)]
pub struct Panics(pub MemoryStore, pub &'static str);

impl fmt::Display for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait::async_trait]
impl Storage for Panics {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }
    fn id(&self) -> &StoreId {
        self.0.id()
    }
    fn list(&self, scope: ListScope) -> ListStream {
        self.0.list(scope)
    }
    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo> {
        self.0.head(key, detail).await
    }
    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        assert_ne!(key.as_str(), self.1, "a scripted panic");
        self.0.read(key, options).await
    }
    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        self.0.write(key, body, options).await
    }
    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        self.0.start_upload(key, options).await
    }
    async fn resume_upload(&self, key: &Key, id: &UploadId, o: WriteOptions) -> Result<Arc<dyn Upload>> {
        self.0.resume_upload(key, id, o).await
    }
    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        self.0.list_uploads(prefix)
    }
    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.0.delete(key, options).await
    }
    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        self.0.delete_many(keys).await
    }
}
