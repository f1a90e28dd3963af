//! Uploads in parts.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cabotage_core::{ErrorKind, PartInfo, PartSlot, Payload, Upload};
use futures::FutureExt as _;
use object_store::path::Path;
use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use crate::error::core_error;
use crate::write::{payload, put_result};

/// Numbers and places follow from the order of the calls, whatever the order in which parts arrive.
#[derive(Debug)]
pub(crate) struct Parts {
    path: Path,
    upload: Arc<dyn Upload>,
    asked: u32,
    offset: u64,
    sent: Arc<Mutex<Vec<PartInfo>>>,
}

impl Parts {
    pub(crate) fn new(path: Path, upload: Arc<dyn Upload>) -> Self {
        Self { path, upload, asked: 0, offset: 0, sent: Arc::default() }
    }

    fn send(&mut self, body: Payload) -> UploadPart {
        self.asked += 1;
        let slot = PartSlot { number: self.asked, offset: self.offset };
        self.offset += body.len();
        let (upload, sent, path) = (Arc::clone(&self.upload), Arc::clone(&self.sent), self.path.clone());
        async move {
            let part = upload.part(slot, body).await.map_err(|error| core_error(error, &path))?;
            sent.lock().unwrap_or_else(PoisonError::into_inner).push(part);
            Ok(())
        }
        .boxed()
    }
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.send(payload(&data))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        if self.asked == 0 {
            // An upload needs a part.
            self.send(payload(&PutPayload::default())).await?;
        }
        let mut parts = self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        parts.sort_by_key(|part| part.number);
        if parts.len() != usize::try_from(self.asked).unwrap_or(usize::MAX) {
            let source =
                format!("{} of {} parts arrived: abort the upload, or send it anew", parts.len(), self.asked);
            return Err(Error::Generic { store: "cabotage", source: source.into() });
        }
        let written = self.upload.complete(&parts).await;
        written.map(put_result).map_err(|error| match error.kind() {
            // The upload is gone, not the object.
            ErrorKind::NotFound => Error::Generic { store: "cabotage", source: Box::new(error) },
            _ => core_error(error, &self.path),
        })
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await.map_err(|error| core_error(error, &self.path))
    }
}
