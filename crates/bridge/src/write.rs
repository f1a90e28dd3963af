//! Writes, copies and deletes.

use std::sync::Arc;

use cabotage_core::{
    DeleteOptions, Detail, ETag, Payload, ReadOptions, Sha256, Storage, StorageExt as _, Support, WriteMode,
    WriteOptions, Written,
};
use futures::stream::{BoxStream, StreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyMode, Error, PutMode, PutOptions, PutPayload, PutResult, RenameTargetMode, Result, UpdateVersion,
};

use crate::attributes::write_options;
use crate::error::{core_error, create_error, update_error};
use crate::paths::{key_of, not_implemented};

/// Largest object that is read and written to copy it where the store has no copy that does.
const COPY_MAX: u64 = 256 << 20;

pub(crate) fn payload(given: &PutPayload) -> Payload {
    let chunks: Vec<_> = given.iter().cloned().collect();
    let sha256 = Sha256::of_chunks(&chunks);
    Payload::hashed(chunks, sha256)
}

pub(crate) fn put_result(written: Written) -> PutResult {
    PutResult { e_tag: written.etag.as_ref().map(ETag::quoted), version: written.version }
}

pub(crate) async fn put(
    store: &dyn Storage,
    path: &Path,
    given: PutPayload,
    options: PutOptions,
) -> Result<PutResult> {
    let key = key_of(path)?;
    let told: fn(_, &Path) -> Error = match options.mode {
        PutMode::Overwrite => core_error,
        PutMode::Create => create_error,
        PutMode::Update(_) => update_error,
    };
    let mode = mode(store, options.mode)?;
    let options = write_options(store.capabilities(), &options.attributes, &options.tags)?;
    let written = store.write(&key, payload(&given), WriteOptions { mode, ..options }).await;
    written.map(put_result).map_err(|error| told(error, path))
}

/// A condition that the store may ignore would lose somebody's write, so it is refused.
fn mode(store: &dyn Storage, mode: PutMode) -> Result<WriteMode> {
    let rules = store.capabilities().preconditions;
    match mode {
        PutMode::Overwrite => Ok(WriteMode::Replace),
        PutMode::Create if rules.create == Support::Enforced => Ok(WriteMode::Create),
        PutMode::Create => Err(not_implemented("put in the mode Create (not known to be enforced)")),
        PutMode::Update(_) if rules.if_match != Support::Enforced => {
            Err(not_implemented("put in the mode Update (not known to be enforced)"))
        }
        PutMode::Update(UpdateVersion { e_tag: Some(etag), .. }) => Ok(WriteMode::IfMatch(ETag::new(&etag))),
        PutMode::Update(_) => {
            let source = "an update needs the ETag of the state that it replaces".into();
            Err(Error::Generic { store: "cabotage", source })
        }
    }
}

pub(crate) async fn copy(store: &dyn Storage, from: &Path, to: &Path, mode: CopyMode) -> Result<()> {
    copy_state(store, from, None, to, mode).await
}

async fn copy_state(
    store: &dyn Storage,
    from: &Path,
    etag: Option<&ETag>,
    to: &Path,
    mode: CopyMode,
) -> Result<()> {
    let (source, target) = (key_of(from)?, key_of(to)?);
    if mode == CopyMode::Overwrite && store.capabilities().copy_within {
        let copied = store.copy_within(&source, etag, &target, WriteOptions::default()).await;
        return copied.map(drop).map_err(|error| core_error(error, from));
    }
    // Few servers guard the destination of a copy, and nothing declares which; of a write it is known.
    let mode =
        self::mode(store, if mode == CopyMode::Create { PutMode::Create } else { PutMode::Overwrite })?;
    let told: fn(_, &Path) -> Error = if mode == WriteMode::Create { create_error } else { core_error };
    let info = store.head(&source, Detail::WithTags).await.map_err(|error| core_error(error, from))?;
    if etag.is_some() && etag != info.etag.as_ref() {
        let source = "the object changed while it was renamed".into();
        return Err(Error::Precondition { path: from.to_string(), source });
    }
    // Of the state whose attributes go along.
    let pinned = ReadOptions::pinned(None, info.etag.clone());
    let bytes = store.read_all_with(&source, pinned, COPY_MAX).await;
    let bytes = bytes.map_err(|error| core_error(error, from))?;
    let attributes = info.attributes.unwrap_or_default();
    let options = WriteOptions { mode, attributes, ..WriteOptions::default() };
    let written = store.write(&target, Payload::from_bytes(bytes), options).await;
    written.map(drop).map_err(|error| told(error, to))
}

/// Copies the state that is there now and deletes no other.
pub(crate) async fn rename(
    store: &dyn Storage,
    from: &Path,
    to: &Path,
    mode: RenameTargetMode,
) -> Result<()> {
    let key = key_of(from)?;
    let info = store.head(&key, Detail::Basic).await.map_err(|error| core_error(error, from))?;
    let mode = match mode {
        RenameTargetMode::Overwrite if from == to => return Ok(()),
        RenameTargetMode::Overwrite => CopyMode::Overwrite,
        RenameTargetMode::Create => CopyMode::Create,
    };
    copy_state(store, from, info.etag.as_ref(), to, mode).await?;
    let options = DeleteOptions { if_match: info.etag, ..DeleteOptions::default() };
    store.delete(&key, options).await.map_err(|error| core_error(error, from))
}

/// As many at once as one request of the store deletes.
pub(crate) fn delete(
    store: Arc<dyn Storage>,
    locations: BoxStream<'static, Result<Path>>,
) -> BoxStream<'static, Result<Path>> {
    let at_once = store.capabilities().delete_many.clamp(100, 1000);
    let deleted = locations.chunks(at_once).then(move |paths| {
        let store = Arc::clone(&store);
        async move { futures::stream::iter(delete_some(store.as_ref(), paths).await) }
    });
    deleted.flatten().boxed()
}

async fn delete_some(store: &dyn Storage, paths: Vec<Result<Path>>) -> Vec<Result<Path>> {
    let keys: Vec<_> =
        paths.into_iter().map(|path| path.and_then(|path| Ok((key_of(&path)?, path)))).collect();
    let known = keys.iter().flatten().map(|(key, _)| key.clone()).collect();
    let mut results = store.delete_many(known).await.into_iter();
    let one = |(_, path): (_, Path)| match results.next() {
        Some((_, Ok(()))) => Ok(path),
        Some((_, Err(error))) => Err(core_error(error, &path)),
        None => Err(Error::Generic { store: "cabotage", source: "a deletion has no result".into() }),
    };
    let mut one = one;
    keys.into_iter().map(|key| key.and_then(&mut one)).collect()
}
