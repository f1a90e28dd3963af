//! One part: read, hashed, sent, recorded.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cabotage_core::{
    Error, ErrorKind, PartInfo, PartSlot, Payload, ReadOptions, ReadRange, Result, Sha256, Upload,
};
use futures::TryStreamExt as _;

use super::chain::{Hashed, Turn, hash_part};
use super::marks::Marks;
use super::single::expect_length;
use super::{Prepared, source_changed};
use crate::DonePart;
use crate::context::Context;

/// What the parts of one upload share.
pub(super) struct Share {
    context: Context,
    prepared: Prepared,
    upload: Arc<dyn Upload>,
    /// Digests of parts that an earlier attempt sent.
    digests: BTreeMap<u32, Sha256>,
    marks: Mutex<Marks>,
}

impl Share {
    pub(super) fn new(
        context: &Context,
        prepared: &Prepared,
        upload: &Arc<dyn Upload>,
        hashed: u32,
        digests: BTreeMap<u32, Sha256>,
    ) -> Self {
        Self {
            context: context.clone(),
            prepared: prepared.clone(),
            upload: Arc::clone(upload),
            digests,
            marks: Mutex::new(Marks::from(hashed)),
        }
    }

    /// The digest of a part that an earlier attempt sent.
    pub(super) fn digest(&self, number: u32) -> Option<Sha256> {
        self.digests.get(&number).copied()
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part that the destination has.
#[derive(Debug)]
pub(super) struct Brought {
    pub info: PartInfo,
    pub sha256: Sha256,
}

/// A part to bring to the destination.
pub(super) struct Part {
    pub share: Arc<Share>,
    pub number: u32,
    pub range: Range<u64>,
    /// What the server holds already: then the part is read for the digest of the whole alone.
    pub held: Option<PartInfo>,
}

impl Part {
    /// Reads the range, then sends it, unless the server holds it, and adds it to the whole's digest, unless it is in it
    /// already; then records it.
    pub(super) async fn bring(self, turn: Option<Turn>) -> Result<Brought> {
        let Share { prepared, .. } = &*self.share;
        let chunks = self.read().await.map_err(|error| source_changed(error, prepared))?;
        let Hashed { sha256, whole } = hash_part(Arc::clone(&chunks), turn).await?;
        self.expect_same(sha256)?;
        let sent = self.send(Payload::Buffered { chunks: Arc::clone(&chunks), len: self.len(), sha256 });
        let (info, state) = tokio::try_join!(sent, whole.finish(chunks))?;
        self.record(&info, sha256, state).await?;
        Ok(Brought { info, sha256 })
    }

    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    async fn send(&self, payload: Payload) -> Result<PartInfo> {
        if let Some(held) = &self.held {
            return Ok(held.clone());
        }
        let slot = PartSlot { number: self.number, offset: self.range.start };
        let sent = self.share.upload.part(slot, payload).await;
        sent.map_err(|error| error.on(&self.share.prepared.destination_key))
    }

    /// What was sent of the part before must have had the same digest.
    fn expect_same(&self, sha256: Sha256) -> Result<()> {
        if self.share.digest(self.number).is_none_or(|before| before == sha256) {
            return Ok(());
        }
        let text = format!(
            "part {} has other bytes than when it was sent, though the source's ETag is the same; the object is sent anew",
            self.number
        );
        Err(Error::new(ErrorKind::SourceChanged, text).on(&self.share.prepared.source_key))
    }

    async fn read(&self) -> Result<Arc<[Bytes]>> {
        let Share { context, prepared, .. } = &*self.share;
        let range = ReadRange::Bounded { start: self.range.start, end: self.range.end };
        let options = ReadOptions::pinned(Some(range), prepared.source.etag.clone());
        let mut body = context.source.store.read(&prepared.source_key, options).await?;
        let mut chunks = Vec::new();
        let mut len = 0;
        while let Some(chunk) = body.stream.try_next().await? {
            len += chunk.len() as u64;
            context.progress.moved(chunk.len() as u64);
            chunks.push(chunk);
        }
        expect_length(len, self.len())?;
        Ok(chunks.into())
    }

    /// The server has the part, so the ledger may say so. `state` is that of the whole's digest after the part. At the end
    /// of the object it is not kept: it would hold the last bytes of the content, which have no place in a ledger.
    async fn record(&self, info: &PartInfo, sha256: Sha256, state: Option<Vec<u8>>) -> Result<()> {
        let is_hashed = state.is_some();
        let is_last = self.range.end == self.share.prepared.source.size;
        let state = state.filter(|_| !is_last);
        let mark = state.and_then(|state| self.share.marks().along_with(self.number, state));
        if self.held.is_none() || mark.is_some() {
            let done = DonePart { number: info.number, size: info.size, etag: info.etag.clone(), sha256 };
            self.share.context.ledger.part_done(&self.share.prepared.name, done, mark).await?;
        }
        if is_hashed {
            self.share.marks().recorded(self.number);
        }
        Ok(())
    }
}
