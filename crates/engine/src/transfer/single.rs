//! Objects that go in one request: held whole, hashed, written.

use cabotage_core::{
    Error, ErrorKind, ObjectBody, Payload, ReadOptions, Result, Sha256, Timestamp, WriteOptions,
};
use futures::TryStreamExt as _;

use super::{Prepared, Receipt, look_first, recognise, source_changed};
use crate::content_sha256::ContentHasher;
use crate::context::Context;
use crate::{ContentSha256, DigestForm, Intent};

/// What is sent, and its digest in the form that is recorded.
type Body = (Payload, ContentSha256);

/// Bodies above this are hashed off the network threads.
const HASH_INLINE_MAX: u64 = 256 << 10;

pub(super) async fn copy(
    context: &Context,
    prepared: &Prepared,
    body: Option<ObjectBody>,
) -> Result<Receipt> {
    let _held = context.memory.take(prepared.source.size).await?;
    let read = read(context, prepared, body).await;
    let (payload, sha256) = read.map_err(|error| source_changed(error, prepared))?;
    let intent = Intent {
        name: prepared.name.to_string(),
        source_etag: prepared.source.etag.clone(),
        size: prepared.source.size,
        sha256: Some(sha256),
        multipart: false,
        started: Timestamp::now(),
    };
    context.ledger.intend(intent).await?;
    match write(context, prepared, payload).await {
        Ok(written) => Ok(Receipt { sha256, written, found: false }),
        Err(error) if error.kind() == ErrorKind::PreconditionFailed => {
            recognise(context, prepared, sha256).await
        }
        Err(error) => Err(error.on(&prepared.destination_key)),
    }
}

/// Reads the object in the state that was listed, and hashes it.
async fn read(context: &Context, prepared: &Prepared, opened: Option<ObjectBody>) -> Result<Body> {
    let mut body = match opened {
        Some(body) => body,
        None => {
            let options = ReadOptions::pinned(None, prepared.source.etag.clone());
            context.source.store.read(&prepared.source_key, options).await?
        }
    };
    let mut chunks = Vec::new();
    let mut len = 0;
    while let Some(chunk) = body.stream.try_next().await? {
        len += chunk.len() as u64;
        context.progress.moved(chunk.len() as u64);
        chunks.push(chunk);
    }
    expect_length(len, prepared.source.size)?;
    hash(chunks, len, prepared.form).await
}

/// A body of another length than listed is never written.
pub(super) fn expect_length(found: u64, expected: u64) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Truncated, format!("{found} bytes arrived, {expected} were announced")))
}

/// Hashes chunks, on a thread of their own when they are many bytes. The server is told that of the bytes.
async fn hash(chunks: Vec<bytes::Bytes>, len: u64, form: DigestForm) -> Result<Body> {
    let work = move || {
        let bytes = Sha256::of_chunks(&chunks);
        let sha256 = match form {
            DigestForm::Whole => ContentSha256::whole(bytes),
            DigestForm::Composite { .. } => {
                let mut hasher = ContentHasher::new(form);
                chunks.iter().for_each(|chunk| hasher.update(chunk));
                hasher.finish()
            }
        };
        (Payload::hashed(chunks, bytes), sha256)
    };
    if len <= HASH_INLINE_MAX {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "hashing was cut off").caused_by(error))
}

async fn write(context: &Context, prepared: &Prepared, payload: Payload) -> Result<cabotage_core::Written> {
    if !context.is_guarded(&prepared.options.mode) {
        look_first(context, prepared).await?;
    }
    let mode = context.sendable(&prepared.options.mode);
    let options = WriteOptions { mode, ..prepared.options.clone() };
    context.destination.store.write(&prepared.destination_key, payload, options).await
}
