//! A bound on the requests in flight.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, Detail, ETag, Error, ErrorKind, Key, ListScope, ListStream,
    ObjectBody, ObjectInfo, PartInfo, PartSlot, Payload, PresignMethod, Presigned, ReadOptions, Result,
    Storage, StoreId, Upload, UploadId, UploadInfo, WriteOptions, Written,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lets at most that many requests be in flight at once; further ones wait their turn.
///
/// A body counts until it is read to its end or dropped, so who waits for a second request while holding a body needs
/// a limit of more than the bodies held. A listing counts while it waits for an item, a bulk delete as one.
#[derive(Debug)]
pub struct Limit {
    inner: Arc<dyn Storage>,
    turns: Turns,
}

/// Hands out turns.
#[derive(Clone, Debug)]
struct Turns(Arc<Semaphore>);

impl Turns {
    async fn take(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.map_err(|error| {
            Error::new(ErrorKind::Internal, "the limit of requests was closed").caused_by(error)
        })
    }

    /// The stream, each item of which takes a turn.
    fn pace<T: Send + 'static>(
        &self,
        stream: BoxStream<'static, Result<T>>,
    ) -> BoxStream<'static, Result<T>> {
        futures::stream::unfold((self.clone(), stream), |(turns, mut stream)| async move {
            let item = match turns.take().await {
                Ok(_turn) => stream.next().await?,
                Err(error) => Err(error),
            };
            Some((item, (turns, stream)))
        })
        .boxed()
    }
}

impl Limit {
    /// Bounds the requests to that store; `max` is at least 1.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>, max: usize) -> Self {
        Self { inner, turns: Turns(Arc::new(Semaphore::new(max.clamp(1, Semaphore::MAX_PERMITS)))) }
    }

    fn upload(&self, inner: Arc<dyn Upload>) -> Arc<dyn Upload> {
        Arc::new(LimitedUpload { inner, turns: self.turns.clone() })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for Limit {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn id(&self) -> &StoreId {
        self.inner.id()
    }

    fn list(&self, scope: ListScope) -> ListStream {
        self.turns.pace(self.inner.list(scope))
    }

    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo> {
        let _turn = self.turns.take().await?;
        self.inner.head(key, detail).await
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        let turn = self.turns.take().await?;
        let ObjectBody { info, range, stream } = self.inner.read(key, options).await?;
        let stream = futures::stream::unfold((turn, stream), |(turn, mut stream)| async move {
            let chunk = stream.next().await?;
            Some((chunk, (turn, stream)))
        });
        Ok(ObjectBody { info, range, stream: stream.boxed() })
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        let _turn = self.turns.take().await?;
        self.inner.write(key, body, options).await
    }

    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        let _turn = self.turns.take().await?;
        Ok(self.upload(self.inner.start_upload(key, options).await?))
    }

    async fn resume_upload(
        &self,
        key: &Key,
        id: &UploadId,
        options: WriteOptions,
    ) -> Result<Arc<dyn Upload>> {
        let _turn = self.turns.take().await?;
        Ok(self.upload(self.inner.resume_upload(key, id, options).await?))
    }

    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        self.turns.pace(self.inner.list_uploads(prefix))
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        let _turn = self.turns.take().await?;
        self.inner.delete(key, options).await
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        let _turn = self.turns.take().await;
        self.inner.delete_many(keys).await
    }

    async fn copy_within(
        &self,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        options: WriteOptions,
    ) -> Result<Written> {
        let _turn = self.turns.take().await?;
        self.inner.copy_within(from, from_etag, to, options).await
    }

    async fn set_attributes(
        &self,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        let _turn = self.turns.take().await?;
        self.inner.set_attributes(key, attributes, if_match).await
    }

    async fn presign(&self, key: &Key, method: PresignMethod, expires_in: Duration) -> Result<Presigned> {
        self.inner.presign(key, method, expires_in).await
    }
}

#[derive(Debug)]
struct LimitedUpload {
    inner: Arc<dyn Upload>,
    turns: Turns,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for LimitedUpload {
    fn id(&self) -> &UploadId {
        self.inner.id()
    }

    async fn parts(&self) -> Result<Vec<PartInfo>> {
        let _turn = self.turns.take().await?;
        self.inner.parts().await
    }

    async fn part(&self, slot: PartSlot, body: Payload) -> Result<PartInfo> {
        let _turn = self.turns.take().await?;
        self.inner.part(slot, body).await
    }

    async fn complete(&self, parts: &[PartInfo]) -> Result<Written> {
        let _turn = self.turns.take().await?;
        self.inner.complete(parts).await
    }

    async fn abort(&self) -> Result<()> {
        let _turn = self.turns.take().await?;
        self.inner.abort().await
    }
}

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;
