//! Uploads in parts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use cabotage_core::{
    Capabilities, ETag, Error, ErrorKind, Key, Operation, PartInfo, PartSlot, Payload, Result, Support,
    Timestamp, Upload, UploadId, UploadInfo, WriteMode, WriteOptions, Written,
};

use crate::state::{OpenUpload, StoredPart};
use crate::store::MemoryStore;

/// A handle on an open upload. Attributes are those with which it was started, the mode that of the handle.
struct MemoryUpload {
    store: MemoryStore,
    key: Key,
    id: UploadId,
    mode: WriteMode,
}

pub(crate) fn start(store: &MemoryStore, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
    let object = store.draft(key, &options)?;
    let started = Timestamp::now();
    let open = OpenUpload { key: key.clone(), object, started, parts: BTreeMap::new() };
    let mut state = store.state();
    let id = UploadId(state.next_tag());
    state.uploads.insert(id.0.clone(), open);
    Ok(Arc::new(MemoryUpload { store: store.clone(), key: key.clone(), id, mode: options.mode }))
}

pub(crate) fn resume(
    store: &MemoryStore,
    key: &Key,
    id: &UploadId,
    options: WriteOptions,
) -> Result<Arc<dyn Upload>> {
    if store.state().uploads.get(&id.0).is_none_or(|open| open.key != *key) {
        return Err(unknown());
    }
    let (store, key, id) = (store.clone(), key.clone(), id.clone());
    Ok(Arc::new(MemoryUpload { store, key, id, mode: options.mode }))
}

/// Open uploads under the prefix, by key.
pub(crate) fn list(store: &MemoryStore, prefix: &str) -> Vec<Result<UploadInfo>> {
    let state = store.state();
    let mut found: Vec<UploadInfo> = state
        .uploads
        .iter()
        .filter(|(_, open)| open.key.as_str().starts_with(prefix))
        .map(|(id, open)| UploadInfo {
            key: open.key.clone(),
            id: UploadId(id.clone()),
            started: Some(open.started),
        })
        .collect();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    found.into_iter().map(Ok).collect()
}

fn unknown() -> Error {
    Error::new(ErrorKind::NotFound, "the store doesn't know this upload (any more)")
}

impl MemoryUpload {
    async fn store_part(&self, slot: PartSlot, body: &Payload) -> Result<PartInfo> {
        let limits = self.store.rules().limits;
        if slot.number == 0 || slot.number > limits.parts_max {
            let message = format!("part {} is none of 1 to {}", slot.number, limits.parts_max);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let bytes = self.store.receive(body, limits.part_max).await?;
        let mut state = self.store.state();
        let etag = ETag::new(&state.next_tag());
        let info = PartInfo { number: slot.number, size: bytes.len() as u64, etag: Some(etag) };
        let open = state.uploads.get_mut(&self.id.0).ok_or_else(unknown)?;
        let part = StoredPart { info: info.clone(), offset: slot.offset, bytes };
        open.parts.insert(slot.number, part);
        Ok(info)
    }

    fn complete_now(&self, parts: &[PartInfo]) -> Result<Written> {
        let rules = self.store.rules();
        let mut state = self.store.state();
        let open = state.uploads.get(&self.id.0).ok_or_else(unknown)?;
        let mut object = open.object.clone();
        object.bytes = join(open, parts, rules)?;
        let etag = state.put(&self.key, object, &self.mode, self.support())?;
        state.uploads.remove(&self.id.0);
        Ok(Written { etag: Some(etag), version: None })
    }

    /// A plain replacement needs nothing of the store.
    fn support(&self) -> Support {
        self.store.rules().preconditions.complete
    }
}

/// The parts named, one after the other, each checked against what was sent.
fn join(open: &OpenUpload, parts: &[PartInfo], rules: &Capabilities) -> Result<Bytes> {
    let mut all = BytesMut::new();
    for (number, asked) in (1..).zip(parts) {
        if asked.number != number {
            let message = format!("part {} follows part {}", asked.number, number - 1);
            return Err(Error::new(ErrorKind::Internal, message));
        }
        let Some(part) = open.parts.get(&number).filter(|part| part.info == *asked) else {
            let message = format!("part {number} is not held as it was named");
            return Err(Error::new(ErrorKind::PreconditionFailed, message));
        };
        if part.offset != all.len() as u64 {
            let message = format!("part {number} was sent for byte {}, not {}", part.offset, all.len());
            return Err(Error::new(ErrorKind::Internal, message));
        }
        if number as usize != parts.len() && part.info.size < rules.limits.part_min {
            let message = format!("part {number} has fewer than {} bytes", rules.limits.part_min);
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        all.extend_from_slice(&part.bytes);
    }
    if all.len() as u64 > rules.limits.object_max {
        let message = format!("more than the {} bytes allowed for an object", rules.limits.object_max);
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    Ok(all.freeze())
}

impl fmt::Debug for MemoryUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryUpload({} of {:?})", self.id.0, self.key)
    }
}

#[async_trait]
impl Upload for MemoryUpload {
    fn id(&self) -> &UploadId {
        &self.id
    }

    async fn parts(&self) -> Result<Vec<PartInfo>> {
        let state = self.store.state();
        let found = state.uploads.get(&self.id.0).ok_or_else(unknown);
        found
            .map(|open| open.parts.values().map(|part| part.info.clone()).collect())
            .map_err(|error| error.during(Operation::Upload).on(&self.key))
    }

    async fn part(&self, slot: PartSlot, body: Payload) -> Result<PartInfo> {
        let sent = self.store_part(slot, &body).await;
        sent.map_err(|error| error.during(Operation::WritePart).on(&self.key))
    }

    async fn complete(&self, parts: &[PartInfo]) -> Result<Written> {
        self.complete_now(parts).map_err(|error| error.during(Operation::Complete).on(&self.key))
    }

    async fn abort(&self) -> Result<()> {
        self.store.state().uploads.remove(&self.id.0);
        Ok(())
    }
}
