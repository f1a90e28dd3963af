//! One part: read, hashed, sent, recorded.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cabotage_core::{
    Error, ErrorKind, PartInfo, PartSlot, Payload, ReadOptions, ReadRange, Result, Sha256, Sha256Hasher,
    Upload,
};
use futures::TryStreamExt as _;
use tokio::sync::oneshot;

use super::marks::Marks;
use super::single::{expect_length, hash};
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

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part's place in the chain that computes the digest of the whole.
pub(super) struct Turn {
    pub mine: oneshot::Receiver<Sha256Hasher>,
    pub next: oneshot::Sender<Sha256Hasher>,
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
    /// already, at the same time; then records it.
    pub(super) async fn bring(self, turn: Option<Turn>) -> Result<PartInfo> {
        let Share { prepared, upload, .. } = &*self.share;
        let chunks = self.read().await.map_err(|error| source_changed(error, prepared))?;
        let payload = hash(chunks.clone(), self.range.end - self.range.start).await?;
        let sha256 = self.checked(&payload)?;
        let slot = PartSlot { number: self.number, offset: self.range.start };
        let sent = async {
            match &self.held {
                Some(held) => Ok(held.clone()),
                None => upload.part(slot, payload).await.map_err(|error| error.on(&prepared.destination_key)),
            }
        };
        let hashed = async {
            match turn {
                Some(turn) => add_to_whole(chunks, turn).await,
                None => Ok(None),
            }
        };
        let (info, state) = tokio::try_join!(sent, hashed)?;
        self.record(&info, sha256, state).await?;
        Ok(info)
    }

    /// The part's digest: what was sent of it before must have had the same.
    fn checked(&self, payload: &Payload) -> Result<Sha256> {
        let Payload::Buffered { sha256, .. } = payload else {
            return Err(Error::new(ErrorKind::Internal, "a part is always buffered"));
        };
        if self.share.digests.get(&self.number).is_some_and(|before| before != sha256) {
            let text = format!(
                "part {} has other bytes than when it was sent, though the source's ETag is the same; the object is sent anew",
                self.number
            );
            return Err(Error::new(ErrorKind::SourceChanged, text).on(&self.share.prepared.source_key));
        }
        Ok(*sha256)
    }

    async fn read(&self) -> Result<Vec<Bytes>> {
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
        expect_length(len, self.range.end - self.range.start)?;
        Ok(chunks)
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

/// Waits for its turn, takes the bytes into the digest of the whole, hands it on, and gives its state. Its turn never comes
/// when an earlier part has failed: that one tells why.
async fn add_to_whole(chunks: Vec<Bytes>, turn: Turn) -> Result<Option<Vec<u8>>> {
    let Ok(mut hasher) = turn.mine.await else { return Ok(None) };
    let work = move || {
        chunks.iter().for_each(|chunk| hasher.update(chunk));
        hasher
    };
    let hasher = tokio::task::spawn_blocking(work).await.map_err(closed)?;
    let state = hasher.state();
    // The receiver is gone only when the whole transfer has failed.
    let _ = turn.next.send(hasher);
    Ok(Some(state))
}

pub(super) fn closed<E>(_: E) -> Error {
    Error::new(ErrorKind::Internal, "the chain of parts was cut")
}
