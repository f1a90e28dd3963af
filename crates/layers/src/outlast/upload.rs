//! Uploads whose calls outlast an outage.

use std::sync::Arc;

use async_trait::async_trait;
use cabotage_core::{Operation, PartInfo, PartSlot, Payload, Result, Upload, UploadId, Written};

use super::Line;

impl Line {
    pub(super) fn upload(&self, inner: Arc<dyn Upload>) -> Arc<dyn Upload> {
        Arc::new(OutlastingUpload { inner, line: self.clone() })
    }
}

#[derive(Debug)]
struct OutlastingUpload {
    inner: Arc<dyn Upload>,
    line: Line,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for OutlastingUpload {
    fn id(&self) -> &UploadId {
        self.inner.id()
    }

    async fn parts(&self) -> Result<Vec<PartInfo>> {
        self.line.call(Operation::Upload, || self.inner.parts()).await
    }

    async fn part(&self, slot: PartSlot, body: Payload) -> Result<PartInfo> {
        self.line.call(Operation::WritePart, || self.inner.part(slot, body.clone())).await
    }

    async fn complete(&self, parts: &[PartInfo]) -> Result<Written> {
        self.line.call(Operation::Complete, || self.inner.complete(parts)).await
    }

    async fn abort(&self) -> Result<()> {
        self.line.call(Operation::Abort, || self.inner.abort()).await
    }
}
