//! A store that nothing is ever written to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, Detail, ETag, Error, ErrorKind, Key, ListScope, ListStream,
    ObjectBody, ObjectInfo, Operation, Payload, PresignMethod, Presigned, ReadOptions, Result, Storage,
    StoreId, Upload, UploadId, UploadInfo, WriteOptions, Written,
};
use futures::stream::BoxStream;

/// Refuses every method that changes something, before anything is sent: `Internal`, since a write to a store opened
/// so is a defect of the caller and stops the run.
#[derive(Debug)]
pub struct ReadOnly(Arc<dyn Storage>);

impl ReadOnly {
    /// Guards that store.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        Self(inner)
    }
}

fn refused(operation: Operation, key: &Key) -> Error {
    Error::new(ErrorKind::Internal, "the store is opened read-only").during(operation).on(key)
}

impl fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for ReadOnly {
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
        self.0.read(key, options).await
    }

    async fn write(&self, key: &Key, _: Payload, _: WriteOptions) -> Result<Written> {
        Err(refused(Operation::Write, key))
    }

    async fn start_upload(&self, key: &Key, _: WriteOptions) -> Result<Arc<dyn Upload>> {
        Err(refused(Operation::Upload, key))
    }

    async fn resume_upload(&self, key: &Key, _: &UploadId, _: WriteOptions) -> Result<Arc<dyn Upload>> {
        Err(refused(Operation::Upload, key))
    }

    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        self.0.list_uploads(prefix)
    }

    async fn delete(&self, key: &Key, _: DeleteOptions) -> Result<()> {
        Err(refused(Operation::Delete, key))
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        keys.into_iter()
            .map(|key| {
                let error = refused(Operation::Delete, &key);
                (key, Err(error))
            })
            .collect()
    }

    async fn copy_within(&self, _: &Key, _: Option<&ETag>, to: &Key, _: WriteOptions) -> Result<Written> {
        Err(refused(Operation::Copy, to))
    }

    async fn set_attributes(&self, key: &Key, _: &Attributes, _: Option<&ETag>) -> Result<Written> {
        Err(refused(Operation::SetAttributes, key))
    }

    async fn presign(&self, key: &Key, method: PresignMethod, expires_in: Duration) -> Result<Presigned> {
        match method {
            PresignMethod::Get => self.0.presign(key, method, expires_in).await,
            PresignMethod::Put => Err(refused(Operation::Presign, key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use cabotage_core::StorageExt as _;
    use cabotage_memory::MemoryStore;
    use futures::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn everything_that_changes_something_is_refused() {
        let memory = MemoryStore::new("t");
        let key = Key::new("k").unwrap();
        memory.put(&key, "x".into()).await.unwrap();
        let before = memory.head(&key, Detail::WithTags).await.unwrap();
        let guarded = ReadOnly::new(Arc::new(memory.clone()));
        let options = WriteOptions::default;
        let body = Payload::from_bytes("y");
        let id = UploadId("u".into());
        let refusals = [
            guarded.write(&key, body, options()).await.err(),
            guarded.start_upload(&key, options()).await.err(),
            guarded.resume_upload(&key, &id, options()).await.err(),
            guarded.delete(&key, DeleteOptions::default()).await.err(),
            guarded.delete_many(vec![key.clone()]).await.remove(0).1.err(),
            guarded.copy_within(&key, None, &key, options()).await.err(),
            guarded.set_attributes(&key, &Attributes::default(), None).await.err(),
            guarded.presign(&key, PresignMethod::Put, Duration::from_secs(1)).await.err(),
        ];
        for refusal in refusals {
            let error = refusal.expect("refused");
            assert_eq!(error.kind(), ErrorKind::Internal);
            assert!(error.to_string().contains("read-only"), "{error}");
        }
        assert_eq!(guarded.head(&key, Detail::WithTags).await.unwrap(), before);
        assert_eq!(guarded.read_all(&key, 9).await.unwrap(), "x");
        let listed: Vec<_> = guarded.list(ListScope::default()).try_collect().await.unwrap();
        assert_eq!(listed.len(), 1);
        assert!(memory.list_uploads("").try_collect::<Vec<_>>().await.unwrap().is_empty());
    }
}
