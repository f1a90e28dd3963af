//! An upload below the sky.

use std::sync::Arc;

use async_trait::async_trait;
use cabotage_core::{
    Key, Operation, PartInfo, PartSlot, Payload, Result, Upload, UploadId, WriteMode, Written,
};

use crate::lies::with_noise;
use crate::sky::Counted;
use crate::store::SkyStore;

#[derive(Debug)]
pub struct SkyUpload {
    store: SkyStore,
    key: Key,
    inner: Arc<dyn Upload>,
    mode: WriteMode,
}

impl SkyUpload {
    pub fn shared(store: &SkyStore, key: &Key, inner: Arc<dyn Upload>, mode: WriteMode) -> Arc<dyn Upload> {
        Arc::new(Self { store: store.clone(), key: key.clone(), inner, mode })
    }
}

#[async_trait]
impl Upload for SkyUpload {
    fn id(&self) -> &UploadId {
        self.inner.id()
    }

    async fn parts(&self) -> Result<Vec<PartInfo>> {
        let luck = self.store.begin(Operation::Upload, self.key.as_str()).await?;
        let parts = self.inner.parts().await;
        self.store.sky.finish(luck, Operation::Upload, parts).await
    }

    async fn part(&self, slot: PartSlot, body: Payload) -> Result<PartInfo> {
        let _counting = self.store.sky.count(Counted::Parts, 1);
        let place = format!("{}#{}", self.key.as_str(), slot.number);
        let mut luck = self.store.begin(Operation::WritePart, &place).await?;
        let (body, noisy) = with_noise(body, &mut luck).await?;
        let part = self.inner.part(slot, body).await;
        if noisy && part.is_ok() {
            self.store.sky.books().noisy.insert(self.inner.id().0.clone());
        }
        self.store.sky.finish(luck, Operation::WritePart, part).await
    }

    async fn complete(&self, parts: &[PartInfo]) -> Result<Written> {
        let mut luck = self.store.begin(Operation::Complete, self.key.as_str()).await?;
        let inner = self.inner.as_ref();
        let written = self.store.complete_somehow(&self.key, inner, parts, &self.mode, &mut luck).await;
        self.store.sky.finish(luck, Operation::Complete, written).await
    }

    async fn abort(&self) -> Result<()> {
        let luck = self.store.begin_with_upload(Operation::Abort, self.key.as_str()).await?;
        let aborted = self.inner.abort().await;
        self.store.sky.finish(luck, Operation::Abort, aborted).await
    }
}
