//! Bodies that are not in memory: sent in parts, of which two are held at once.

use bytes::{Bytes, BytesMut};
use cabotage_core::{ByteStream, Error, ErrorKind, Payload, Result};
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{
    Attributes, MultipartUpload, ObjectStore, PutMultipartOptions, PutPayload, PutResult, UploadPart,
};

use crate::error::core_error;

/// Up to here a body is read into memory and sent at once.
pub(crate) const AT_ONCE: u64 = 16 << 20;
/// Most stores take 10,000 parts, all of one size but for the last.
const PARTS: u64 = 9_000;
const PART: u64 = 8 << 20;

pub(crate) async fn send(
    store: &dyn ObjectStore,
    path: &Path,
    attributes: Attributes,
    body: &Payload,
) -> Result<PutResult> {
    let stream = body.open().await?;
    let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
    let started = store.put_multipart_opts(path, options).await;
    let mut upload = started.map_err(|error| core_error(&error))?;
    match fill(upload.as_mut(), stream, body.len()).await {
        Ok(written) => Ok(written),
        Err(error) => {
            // What failed is told; what is left of the upload is the store's to expire.
            let _ = upload.abort().await;
            Err(error)
        }
    }
}

async fn fill(upload: &mut dyn MultipartUpload, stream: ByteStream, len: u64) -> Result<PutResult> {
    let size = usize::try_from(len.div_ceil(PARTS).max(PART)).unwrap_or(usize::MAX);
    let mut parts = Parts { stream, rest: Bytes::new(), left: len };
    let mut flying: Option<UploadPart> = None;
    while let Some(part) = parts.next(size).await? {
        let sent = upload.put_part(part);
        if let Some(before) = flying.replace(sent) {
            before.await.map_err(|error| core_error(&error))?;
        }
    }
    if let Some(last) = flying {
        last.await.map_err(|error| core_error(&error))?;
    }
    upload.complete().await.map_err(|error| core_error(&error))
}

/// A body cut into parts, and checked for its length.
struct Parts {
    stream: ByteStream,
    rest: Bytes,
    left: u64,
}

impl Parts {
    async fn next(&mut self, size: usize) -> Result<Option<PutPayload>> {
        let mut part = BytesMut::new();
        while part.len() < size {
            if self.rest.is_empty() {
                match self.stream.try_next().await? {
                    Some(chunk) => self.rest = chunk,
                    None => break,
                }
            }
            let cut = self.rest.len().min(size - part.len());
            part.extend_from_slice(&self.rest.split_to(cut));
        }
        let sent = part.len() as u64;
        if sent > self.left || (sent < self.left && part.len() < size) {
            return Err(Error::new(ErrorKind::Truncated, "the body has another length than was declared"));
        }
        self.left -= sent;
        Ok((sent > 0).then(|| PutPayload::from(part.freeze())))
    }
}

/// A small body, whole.
pub(crate) async fn whole(body: &Payload) -> Result<PutPayload> {
    let chunks: Vec<Bytes> = match body {
        Payload::Buffered { chunks, .. } => chunks.to_vec(),
        Payload::Replayable { .. } => body.open().await?.try_collect().await?,
    };
    let payload: PutPayload = chunks.into_iter().collect();
    if payload.content_length() as u64 == body.len() {
        return Ok(payload);
    }
    Err(Error::new(ErrorKind::Truncated, "the body has another length than was declared"))
}
