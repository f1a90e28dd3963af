//! Uploads in blocks: Put Block, Put Block List.
//!
//! The service knows no uploads, only blocks that are not committed. An upload's id is random, and each of its blocks
//! is named `<id>-<number>`, so that blocks of several uploads of one blob are told apart. All names are equally long,
//! as the service demands of one blob's blocks. Blocks that are never committed expire after a week.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cabotage_core::{
    ETag, Error, ErrorKind, Key, Operation, PartInfo, PartSlot, Payload, Result, Upload, UploadId,
    WriteOptions, Written,
};
use cabotage_http::CallBody;
use http::Method;
use http::header::HeaderValue;

use crate::attributes::{check_options, write_headers};
use crate::blocks::{Blocks, ID_BYTES, block_name, is_id, read_block_name};
use crate::body::{md5_of, md5_text};
use crate::capabilities::BLOCKS;
use crate::store::Inner;
use crate::wire::{CONTENT_MD5, written};

pub(crate) struct AzureUpload {
    inner: Arc<Inner>,
    key: Key,
    id: UploadId,
    options: WriteOptions,
    /// Whether it was started before, so that it must have blocks.
    resumed: bool,
}

pub(crate) fn start(inner: &Arc<Inner>, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
    let id = UploadId(hex::encode(rand::random::<[u8; ID_BYTES]>()));
    open(inner, key, id, options, false)
}

pub(crate) fn resume(
    inner: &Arc<Inner>,
    key: &Key,
    id: &UploadId,
    options: WriteOptions,
) -> Result<Arc<dyn Upload>> {
    if !is_id(&id.0) {
        return Err(unknown());
    }
    open(inner, key, id.clone(), options, true)
}

fn open(
    inner: &Arc<Inner>,
    key: &Key,
    id: UploadId,
    options: WriteOptions,
    resumed: bool,
) -> Result<Arc<dyn Upload>> {
    inner.capabilities.accepts(key)?;
    check_options(&inner.capabilities, &options)?;
    Ok(Arc::new(AzureUpload { inner: inner.clone(), key: key.clone(), id, options, resumed }))
}

fn unknown() -> Error {
    Error::new(ErrorKind::NotFound, "the service holds no blocks of this upload (any more)")
        .help("blocks that are not committed expire after a week, and when the blob is written otherwise")
}

impl AzureUpload {
    async fn held(&self) -> Result<Vec<PartInfo>> {
        let found = match self.inner.blocks(&self.key, Blocks::Uncommitted).await {
            Ok(list) => list.blocks,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut parts: Vec<PartInfo> = found
            .into_iter()
            .filter_map(|(name, size)| {
                let (id, number) = read_block_name(&name)?;
                (id == self.id).then(|| PartInfo { number, size, etag: Some(ETag::new(&name)) })
            })
            .collect();
        parts.sort_by_key(|part| part.number);
        if parts.is_empty() && self.resumed { Err(unknown()) } else { Ok(parts) }
    }

    async fn put(&self, slot: PartSlot, body: Payload) -> Result<PartInfo> {
        let (size, most) = (body.len(), self.inner.capabilities.limits.part_max);
        if slot.number == 0 || slot.number > BLOCKS {
            let message = format!("part {} is none of 1 to {BLOCKS}", slot.number);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        if size > most {
            let message = format!("a part of {size} bytes, at most {most} are allowed");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let name = block_name(&self.id, slot.number);
        let call = self
            .inner
            .wire
            .blob_call(Operation::WritePart, Method::PUT, &self.key)
            .query("comp", "block")
            .query("blockid", &name)
            .text_header(CONTENT_MD5.as_str(), &md5_text(md5_of(&body).await?))?
            .body(body);
        self.inner.wire.send(call).await.map_err(foreign_blocks)?;
        Ok(PartInfo { number: slot.number, size, etag: Some(ETag::new(&name)) })
    }

    async fn commit(&self, parts: &[PartInfo]) -> Result<Written> {
        let names = self.names(parts)?;
        let list: String = names.iter().map(|name| format!("<Uncommitted>{name}</Uncommitted>")).collect();
        let document = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{list}</BlockList>");
        let md5 = md5_of(&Payload::from_bytes(document.clone())).await?;
        let call = self
            .inner
            .wire
            .blob_call(Operation::Complete, Method::PUT, &self.key)
            .query("comp", "blocklist")
            .header(http::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"))
            .text_header(CONTENT_MD5.as_str(), &md5_text(md5))?
            .body(CallBody::from(document));
        let failure = match self.inner.wire.send(write_headers(call, &self.options)?).await {
            Ok(reply) => return Ok(written(&reply.headers)),
            Err(failure) => failure,
        };
        // A commit whose reply was lost and that was sent again finds its blocks committed: they are ours alone.
        if matches!(failure.kind(), ErrorKind::PreconditionFailed | ErrorKind::Unsupported)
            && let Some(etag) = self.committed(&names).await
        {
            return Ok(Written { etag: Some(etag), version: None });
        }
        Err(gone(failure))
    }

    /// The blocks' names, each checked against the one that sending the part told.
    fn names(&self, parts: &[PartInfo]) -> Result<Vec<String>> {
        let named = |part: &PartInfo| {
            let name = block_name(&self.id, part.number);
            match &part.etag {
                Some(etag) if etag.bare() != name => {
                    let message = format!("part {} is not held as it was named", part.number);
                    Err(Error::new(ErrorKind::PreconditionFailed, message))
                }
                _ => Ok(name),
            }
        };
        parts.iter().map(named).collect()
    }

    /// The blob's ETag, if it consists of exactly those blocks.
    async fn committed(&self, names: &[String]) -> Option<ETag> {
        let list = self.inner.blocks(&self.key, Blocks::Committed).await.ok()?;
        let same = !names.is_empty() && list.blocks.iter().map(|(name, _)| name).eq(names);
        list.etag.filter(|_| same)
    }
}

/// Blocks of other tools that wait under the same name have names of another length.
fn foreign_blocks(error: Error) -> Error {
    if error.fact("code") != Some("InvalidBlobOrBlock") {
        return error;
    }
    error
        .into_kind(ErrorKind::DestinationConflict)
        .help("another tool left blocks under this name: they expire after a week, or go when the blob is written whole")
}

/// Blocks that were to be there are not.
fn gone(error: Error) -> Error {
    if error.fact("code") != Some("InvalidBlockList") {
        return error;
    }
    error
        .into_kind(ErrorKind::NotFound)
        .help("blocks of this upload have expired, or the blob was written otherwise")
}

impl fmt::Debug for AzureUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AzureUpload({} of {:?})", self.id.0, self.key)
    }
}

#[async_trait]
impl Upload for AzureUpload {
    fn id(&self) -> &UploadId {
        &self.id
    }

    async fn parts(&self) -> Result<Vec<PartInfo>> {
        self.held().await.map_err(|error| error.during(Operation::Upload).on(&self.key))
    }

    async fn part(&self, slot: PartSlot, body: Payload) -> Result<PartInfo> {
        self.put(slot, body).await.map_err(|error| error.during(Operation::WritePart).on(&self.key))
    }

    async fn complete(&self, parts: &[PartInfo]) -> Result<Written> {
        self.commit(parts).await.map_err(|error| error.during(Operation::Complete).on(&self.key))
    }

    /// Does nothing: the service can't delete blocks that are not committed. They are never visible and expire after a
    /// week; till then, [`list_uploads`](cabotage_core::Storage::list_uploads) tells of them. Writing an empty blob over
    /// them and deleting it would discard them, but also those of others, and would show an empty blob meanwhile.
    async fn abort(&self) -> Result<()> {
        Ok(())
    }
}
