//! The task behind an `ObjectWriter`: it outlives the writer for as long as it takes to leave nothing behind.

use std::sync::Arc;

use bytes::Bytes;
use cabotage_core::{
    Detail, Error, ErrorKind, Key, PartInfo, PartSlot, Payload, Result, Storage, StorageExt as _, Support,
    Upload, WriteMode, Written,
};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc::Receiver;

use crate::WriterOptions;

/// What the writer hands over.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A full part; more follows.
    Part(Bytes),
    /// The last bytes: commit.
    Last(Bytes),
}

pub(crate) async fn run(
    store: Arc<dyn Storage>,
    key: Key,
    options: WriterOptions,
    mut pieces: Receiver<Piece>,
) -> Result<Written> {
    let first = match pieces.recv().await {
        None => return Err(dropped()),
        Some(Piece::Last(bytes)) => {
            return store.write(&key, payload(bytes).await?, options.write).await;
        }
        Some(Piece::Part(bytes)) => bytes,
    };
    let upload = store.start_upload(&key, options.write.clone()).await?;
    let written = match parts(&*store, &*upload, first, pieces, options.in_flight).await {
        Ok(parts) => match check_mode(&*store, &key, &options.write.mode).await {
            Ok(()) => upload.complete(&parts).await,
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    if written.is_err() {
        // What failed first is told; an upload that can't be aborted is found by `list_uploads`.
        let _ = upload.abort().await;
    }
    written
}

async fn parts(
    store: &dyn Storage,
    upload: &dyn Upload,
    first: Bytes,
    pieces: Receiver<Piece>,
    in_flight: usize,
) -> Result<Vec<PartInfo>> {
    let most = store.capabilities().limits.parts_max;
    let numbered = futures::stream::try_unfold(
        (Some(Piece::Part(first)), pieces, PartSlot { number: 1, offset: 0 }, false),
        |(waiting, mut pieces, slot, ended)| async move {
            if ended {
                return Ok(None);
            }
            let piece = match waiting {
                Some(piece) => piece,
                None => pieces.recv().await.ok_or_else(dropped)?,
            };
            let (bytes, ended) = match piece {
                Piece::Part(bytes) => (bytes, false),
                Piece::Last(bytes) => (bytes, true),
            };
            let next = PartSlot { number: slot.number + 1, offset: slot.offset + bytes.len() as u64 };
            Ok(Some(((slot, bytes), (None, pieces, next, ended))))
        },
    );
    let mut parts: Vec<PartInfo> = numbered
        .map(|numbered| async move {
            let (slot, bytes) = numbered?;
            if slot.number > most {
                return Err(too_many(most));
            }
            upload.part(slot, payload(bytes).await?).await
        })
        .buffer_unordered(in_flight.max(1))
        .try_collect()
        .await?;
    parts.sort_by_key(|part| part.number);
    Ok(parts)
}

/// Where the store doesn't check the mode on completing an upload, it is looked at just before.
async fn check_mode(store: &dyn Storage, key: &Key, mode: &WriteMode) -> Result<()> {
    if *mode == WriteMode::Replace || store.capabilities().preconditions.complete == Support::Enforced {
        return Ok(());
    }
    let found = store.find(key, Detail::Basic).await?;
    let fits = match (mode, &found) {
        (WriteMode::Create, found) => found.is_none(),
        (WriteMode::IfMatch(etag), Some(info)) => info.etag.as_ref() == Some(etag),
        (WriteMode::IfMatch(_), None) => false,
        (WriteMode::Replace, _) => true,
    };
    if fits {
        return Ok(());
    }
    let text = "what is in the object's place is not what the write was to replace";
    Err(Error::new(ErrorKind::PreconditionFailed, text).on(key))
}

/// Hashed off the runtime's threads.
async fn payload(bytes: Bytes) -> Result<Payload> {
    tokio::task::spawn_blocking(move || Payload::from_bytes(bytes))
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "a part could not be hashed").caused_by(error))
}

fn dropped() -> Error {
    Error::new(ErrorKind::Interrupted, "the writer was dropped before it was shut down")
}

fn too_many(most: u32) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("the object needs more than the {most} parts that the store takes"),
    )
    .help("write it with a larger part_size")
}
