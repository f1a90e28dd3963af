//! The store that plays a script.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, Detail, ETag, Key, ListScope, ListStream, ObjectBody,
    ObjectInfo, Operation, PartInfo, PartSlot, Payload, PresignMethod, Presigned, ReadOptions, Result,
    Storage, StoreId, Upload, UploadId, UploadInfo, WriteOptions, Written,
};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};

use super::{Faults, Plan};

/// The ETag of what was said to be stored and is not.
const LIE: &str = "never-stored";

/// A store that fails as its script says.
#[derive(Debug)]
pub struct Fault {
    inner: Arc<dyn Storage>,
    faults: Faults,
}

impl Fault {
    /// Plays the script on that store. Keep a clone of `faults` to ask for counts.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>, faults: Faults) -> Self {
        Self { inner, faults }
    }

    fn plan(&self, operation: Operation, key: &Key) -> Plan {
        self.faults.call(operation, key.as_str())
    }

    fn upload(&self, key: &Key, inner: Arc<dyn Upload>) -> Arc<dyn Upload> {
        Arc::new(FaultyUpload { inner, faults: self.faults.clone(), key: key.clone() })
    }
}

fn lie() -> Written {
    Written { etag: Some(ETag::new(LIE)), version: None }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Delays and fails the start of a stream as planned.
fn late<T: Send + 'static>(
    plan: Plan,
    stream: BoxStream<'static, Result<T>>,
) -> BoxStream<'static, Result<T>> {
    futures::stream::once(async move { plan.before().await.map(|()| stream) }).try_flatten().boxed()
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for Fault {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn id(&self) -> &StoreId {
        self.inner.id()
    }

    fn list(&self, scope: ListScope) -> ListStream {
        let plan = self.faults.call(Operation::List, &scope.prefix);
        let listing = self.inner.list(scope.clone());
        let listing = plan.spoil_listing(listing, || self.inner.list(scope.clone()));
        self.faults.interrupt(Operation::List, late(plan, listing))
    }

    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo> {
        let plan = self.plan(Operation::Head, key);
        plan.before().await?;
        let info = self.inner.head(key, detail).await?;
        plan.after().map(|()| info)
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        let plan = self.plan(Operation::Read, key);
        plan.before().await?;
        let ObjectBody { info, range, stream } = self.inner.read(key, options).await?;
        plan.after()?;
        Ok(ObjectBody { info, range, stream: self.faults.interrupt(Operation::Read, plan.spoil(stream)) })
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        let plan = self.plan(Operation::Write, key);
        plan.before().await?;
        if plan.lies() {
            return Ok(lie());
        }
        let body = plan.spoil_payload(body).await?;
        let written = self.inner.write(key, body, options).await?;
        plan.after().map(|()| written)
    }

    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        let plan = self.plan(Operation::Upload, key);
        plan.before().await?;
        let upload = self.inner.start_upload(key, options).await?;
        plan.after().map(|()| self.upload(key, upload))
    }

    async fn resume_upload(
        &self,
        key: &Key,
        id: &UploadId,
        options: WriteOptions,
    ) -> Result<Arc<dyn Upload>> {
        let plan = self.plan(Operation::Upload, key);
        plan.before().await?;
        let upload = self.inner.resume_upload(key, id, options).await?;
        plan.after().map(|()| self.upload(key, upload))
    }

    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        late(self.faults.call(Operation::Upload, prefix), self.inner.list_uploads(prefix))
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        let plan = self.plan(Operation::Delete, key);
        plan.before().await?;
        if plan.lies() {
            return Ok(());
        }
        self.inner.delete(key, options).await?;
        plan.after()
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        let mut done = Vec::with_capacity(keys.len());
        for key in keys {
            let deleted = self.delete(&key, DeleteOptions::default()).await;
            done.push((key, deleted));
        }
        done
    }

    async fn copy_within(
        &self,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        options: WriteOptions,
    ) -> Result<Written> {
        let plan = self.plan(Operation::Copy, from);
        plan.before().await?;
        if plan.lies() {
            return Ok(lie());
        }
        let written = self.inner.copy_within(from, from_etag, to, options).await?;
        plan.after().map(|()| written)
    }

    async fn set_attributes(
        &self,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        let plan = self.plan(Operation::SetAttributes, key);
        plan.before().await?;
        if plan.lies() {
            return Ok(lie());
        }
        let written = self.inner.set_attributes(key, attributes, if_match).await?;
        plan.after().map(|()| written)
    }

    async fn presign(&self, key: &Key, method: PresignMethod, expires_in: Duration) -> Result<Presigned> {
        self.plan(Operation::Presign, key).before().await?;
        self.inner.presign(key, method, expires_in).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Arc<dyn Upload>,
    faults: Faults,
    key: Key,
}

impl FaultyUpload {
    fn plan(&self, operation: Operation) -> Plan {
        self.faults.call(operation, self.key.as_str())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for FaultyUpload {
    fn id(&self) -> &UploadId {
        self.inner.id()
    }

    async fn parts(&self) -> Result<Vec<PartInfo>> {
        self.plan(Operation::Upload).before().await?;
        self.inner.parts().await
    }

    async fn part(&self, slot: PartSlot, body: Payload) -> Result<PartInfo> {
        let plan = self.plan(Operation::WritePart);
        plan.before().await?;
        if plan.lies() {
            return Ok(PartInfo { number: slot.number, size: body.len(), etag: lie().etag });
        }
        let body = plan.spoil_payload(body).await?;
        let part = self.inner.part(slot, body).await?;
        plan.after().map(|()| part)
    }

    async fn complete(&self, parts: &[PartInfo]) -> Result<Written> {
        let plan = self.plan(Operation::Complete);
        plan.before().await?;
        if plan.lies() {
            return Ok(lie());
        }
        let written = self.inner.complete(parts).await?;
        plan.after().map(|()| written)
    }

    async fn abort(&self) -> Result<()> {
        let plan = self.plan(Operation::Abort);
        plan.before().await?;
        self.inner.abort().await?;
        plan.after()
    }
}
