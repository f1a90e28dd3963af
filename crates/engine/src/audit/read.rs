//! Contents, read whole in the state that was listed, and the objects as heads tell them.

use cabotage_core::{Detail, Error, ErrorKind, Key, ObjectInfo, Result, StorageExt as _};

use super::compare::Read;
use super::context::{Context, changed_meanwhile};
use crate::transfer::hash_at;
use crate::{ContentSha256, DigestForm, Row, Side};

/// Memory that a body on its way takes: what transport and hash hold at once.
const WINDOW: u64 = 1 << 20;

/// Reads both ends as far as the levels ask for it, and hashes them in the form in which the ledger has the digest.
///
/// # Errors
/// `SourceChanged`, `PreconditionFailed` when an end is no longer in the state that was listed; those of reading.
pub(super) async fn read(
    context: &Context,
    name: &str,
    source: &ObjectInfo,
    destination: &ObjectInfo,
    row: Option<&Row>,
) -> Result<Read> {
    let form = ContentSha256::form_of(row.and_then(|row| row.sha256));
    let at_source = async {
        if !context.reads_source() {
            return Ok(None);
        }
        let hashed = hash(context, &context.source, name, source, form).await;
        hashed.map(Some).map_err(|error| match error.kind() {
            ErrorKind::PreconditionFailed | ErrorKind::NotFound => source_changed(&source.key),
            _ => error,
        })
    };
    let at_destination = async {
        if !context.reads_destination(name) {
            return Ok(None);
        }
        let hashed = hash(context, &context.destination, name, destination, form).await;
        hashed.map(Some).map_err(|error| match error.kind() {
            ErrorKind::PreconditionFailed => changed_meanwhile("the destination's object", &destination.key),
            _ => error,
        })
    };
    let (source, destination) = tokio::try_join!(at_source, at_destination)?;
    Ok(Read { source, destination })
}

pub(super) fn source_changed(key: &Key) -> Error {
    Error::new(ErrorKind::SourceChanged, "the source's object changed while it was compared").on(key)
}

async fn hash(
    context: &Context,
    side: &Side,
    name: &str,
    listed: &ObjectInfo,
    form: DigestForm,
) -> Result<ContentSha256> {
    let _held = context.memory.take(WINDOW.min(listed.size)).await?;
    let key = Context::key(side, name)?;
    let sha256 = hash_at(side.store.as_ref(), &key, listed.etag.clone(), listed.size, form)
        .await
        .map_err(|error| error.on(&key))?;
    context.progress.moved(listed.size);
    Ok(sha256)
}

/// Why a difference at hand may be none: the source has moved on since it was listed.
///
/// # Errors
/// Those of a head.
pub(super) async fn source_moved_on(context: &Context, listed: &ObjectInfo) -> Result<bool> {
    let now =
        context.source.store.find(&listed.key, Detail::Basic).await.map_err(|error| error.on(&listed.key))?;
    Ok(now.is_none_or(|now| now.etag != listed.etag || now.size != listed.size))
}

/// Whether the object that the destination didn't list is there.
///
/// # Errors
/// Those of a head.
pub(super) async fn is_there(context: &Context, name: &str) -> Result<bool> {
    let key = Context::key(&context.destination, name)?;
    if context.destination.store.capabilities().accepts(&key).is_err() {
        return Ok(false);
    }
    let found = context.destination.store.find(&key, Detail::Basic).await.map_err(|error| error.on(&key))?;
    Ok(found.is_some())
}

/// Why an object is missing, as far as the ledger tells.
pub(super) fn why_missing(row: Option<&Row>) -> &'static str {
    if row.is_some() {
        "the ledger says that it was written; the destination doesn't have it"
    } else {
        "never moved by this ledger's job; the destination doesn't have it"
    }
}
