//! Objects that go in parts: ranges read at once, each part hashed for itself and the whole in order.
//!
//! Memory is taken in the order of offsets, so the part whose turn it is to be hashed always holds its memory: the
//! chain can't starve. A part's memory is given back when it is both sent and hashed.

use std::sync::Arc;

use bytes::Bytes;
use cabotage_core::{
    Error, ErrorKind, PartInfo, PartSlot, ReadOptions, ReadRange, Result, Sha256, Sha256Hasher, Support,
    Timestamp, Upload, WriteMode, WriteOptions, Written,
};
use futures::TryStreamExt as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::single::{expect_length, hash};
use super::{Prepared, Receipt, look_first, recognise, source_changed};
use crate::context::Context;
use crate::plan::Cut;
use crate::recover::clear;
use crate::{Intent, OpenUpload};

pub(super) async fn copy(context: &Context, prepared: &Prepared, cut: Cut) -> Result<Receipt> {
    let store = &context.destination.store;
    clear(context, &prepared.name).await?;
    context.ledger.intend(intent(prepared, None)).await?;
    let enforced = store.capabilities().preconditions.complete == Support::Enforced;
    let mode = if enforced { prepared.options.mode.clone() } else { WriteMode::Replace };
    let options = WriteOptions { mode, ..prepared.options.clone() };
    let upload = store
        .start_upload(&prepared.destination_key, options)
        .await
        .map_err(|e| e.on(&prepared.destination_key))?;
    context.ledger.upload_started(open_upload(prepared, cut, upload.as_ref())).await?;
    let (error, sha256) = match fill(context, prepared, cut, &upload).await {
        Ok((parts, sha256)) => match complete(context, prepared, upload.as_ref(), &parts, enforced).await {
            Ok(written) => {
                context.ledger.upload_ended(&prepared.name).await?;
                return Ok(Receipt { sha256, written, found: false });
            }
            Err(error) => (error, Some(sha256)),
        },
        Err(error) => (error, None),
    };
    give_up(context, prepared, upload.as_ref(), &error).await?;
    match (error.kind(), sha256) {
        // Something is in its place: perhaps what a completion has left whose reply was lost.
        (ErrorKind::PreconditionFailed | ErrorKind::NotFound, Some(sha256)) => {
            recognise(context, prepared, sha256).await
        }
        _ => Err(error.on(&prepared.destination_key)),
    }
}

/// Aborts what can't be completed; a later run does it where this one can't.
async fn give_up(context: &Context, prepared: &Prepared, upload: &dyn Upload, error: &Error) -> Result<()> {
    tracing::debug!(%error, "giving up an upload");
    match upload.abort().await {
        Ok(()) => context.ledger.upload_ended(&prepared.name).await,
        Err(error) => {
            tracing::warn!(%error, "an upload could not be aborted; the next run tries again");
            Ok(())
        }
    }
}

/// Sends all parts; then the digest of the whole is in the ledger.
async fn fill(
    context: &Context,
    prepared: &Prepared,
    cut: Cut,
    upload: &Arc<dyn Upload>,
) -> Result<(Vec<PartInfo>, Sha256)> {
    let (parts, sha256) = send_parts(context, prepared, cut, upload).await?;
    context.ledger.intend(intent(prepared, Some(sha256))).await?;
    Ok((parts, sha256))
}

async fn complete(
    context: &Context,
    prepared: &Prepared,
    upload: &dyn Upload,
    parts: &[PartInfo],
    enforced: bool,
) -> Result<Written> {
    if !enforced {
        look_first(context, prepared).await?;
    }
    upload.complete(parts).await
}

fn open_upload(prepared: &Prepared, cut: Cut, upload: &dyn Upload) -> OpenUpload {
    OpenUpload {
        name: prepared.name.to_string(),
        id: upload.id().clone(),
        source_etag: prepared.source.etag.clone(),
        size: prepared.source.size,
        part_size: cut.part,
        options: prepared.options.attributes.digest(),
        started: Timestamp::now(),
        hashed: None,
    }
}

fn intent(prepared: &Prepared, sha256: Option<Sha256>) -> Intent {
    Intent {
        name: prepared.name.to_string(),
        source_etag: prepared.source.etag.clone(),
        size: prepared.source.size,
        sha256,
        multipart: true,
        started: Timestamp::now(),
    }
}

/// Sends all parts and hashes the whole. The first failure ends the others.
async fn send_parts(
    context: &Context,
    prepared: &Prepared,
    cut: Cut,
    upload: &Arc<dyn Upload>,
) -> Result<(Vec<PartInfo>, Sha256)> {
    let mut tasks = JoinSet::new();
    let mut parts = Vec::with_capacity(cut.count() as usize);
    let (first, mut turn) = oneshot::channel();
    let _ = first.send(Sha256Hasher::default());
    for number in 1..=cut.count() {
        while let Some(done) = tasks.try_join_next() {
            parts.push(joined(done)?);
        }
        let range = cut.range(number);
        let memory = context.memory.take(range.end - range.start).await?;
        let slot = Arc::clone(&context.parts).acquire_owned().await.map_err(closed)?;
        let (next, next_turn) = oneshot::channel();
        let part = Part {
            context: context.clone(),
            prepared: prepared.clone(),
            upload: Arc::clone(upload),
            number,
            range,
        };
        let my_turn = std::mem::replace(&mut turn, next_turn);
        tasks.spawn(async move {
            let _held = (memory, slot);
            part.send(my_turn, next).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        parts.push(joined(done)?);
    }
    parts.sort_unstable_by_key(|part| part.number);
    let hasher = turn.await.map_err(closed)?;
    Ok((parts, hasher.finish()))
}

fn joined(done: std::result::Result<Result<PartInfo>, tokio::task::JoinError>) -> Result<PartInfo> {
    done.map_err(|error| Error::new(ErrorKind::Internal, "a part's task ended early").caused_by(error))?
}

fn closed<E>(_: E) -> Error {
    Error::new(ErrorKind::Internal, "the chain of parts was cut")
}

struct Part {
    context: Context,
    prepared: Prepared,
    upload: Arc<dyn Upload>,
    number: u32,
    range: std::ops::Range<u64>,
}

impl Part {
    /// Reads the range, then sends it and adds it to the whole's digest at the same time.
    async fn send(
        self,
        turn: oneshot::Receiver<Sha256Hasher>,
        next: oneshot::Sender<Sha256Hasher>,
    ) -> Result<PartInfo> {
        let chunks = self.read().await.map_err(|error| source_changed(error, &self.prepared))?;
        let len = self.range.end - self.range.start;
        let payload = hash(chunks.clone(), len).await?;
        let slot = PartSlot { number: self.number, offset: self.range.start };
        let sent = async {
            self.upload.part(slot, payload).await.map_err(|error| error.on(&self.prepared.destination_key))
        };
        let hashed = add_to_whole(chunks, turn, next);
        let (part, ()) = tokio::try_join!(sent, hashed)?;
        Ok(part)
    }

    async fn read(&self) -> Result<Vec<Bytes>> {
        let range = ReadRange::Bounded { start: self.range.start, end: self.range.end };
        let options = ReadOptions::pinned(Some(range), self.prepared.source.etag.clone());
        let mut body = self.context.source.store.read(&self.prepared.source_key, options).await?;
        let mut chunks = Vec::new();
        let mut len = 0;
        while let Some(chunk) = body.stream.try_next().await? {
            len += chunk.len() as u64;
            self.context.progress.moved(chunk.len() as u64);
            chunks.push(chunk);
        }
        expect_length(len, self.range.end - self.range.start)?;
        Ok(chunks)
    }
}

/// Waits for its turn, takes the bytes into the digest of the whole, hands it on. Its turn never comes when an earlier
/// part has failed: that one tells why.
async fn add_to_whole(
    chunks: Vec<Bytes>,
    turn: oneshot::Receiver<Sha256Hasher>,
    next: oneshot::Sender<Sha256Hasher>,
) -> Result<()> {
    let Ok(mut hasher) = turn.await else { return Ok(()) };
    let work = move || {
        chunks.iter().for_each(|chunk| hasher.update(chunk));
        hasher
    };
    let hasher = tokio::task::spawn_blocking(work).await.map_err(closed)?;
    // The receiver is gone only when the whole transfer has failed.
    let _ = next.send(hasher);
    Ok(())
}
