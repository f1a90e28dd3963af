//! Writes, copies and deletes.

use std::sync::Arc;

use cabotage_core::{
    DeleteOptions, Detail, ETag, ObjectInfo, Payload, Preconditions, ReadOptions, Sha256, Storage,
    StorageExt as _, Support, WriteMode, WriteOptions, Written,
};
use futures::FutureExt as _;
use futures::stream::{BoxStream, StreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyMode, Error, PutMode, PutOptions, PutPayload, PutResult, RenameTargetMode, Result, UpdateVersion,
};

use crate::attributes::write_options;
use crate::error::{core_error, create_error, update_error};
use crate::paths::{key_of, not_implemented};

/// Largest object that is held whole to copy it where the store has no copy that does.
const HELD_MAX: u64 = 16 << 20;

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
    rules: Preconditions,
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
    let mode = mode(rules, options.mode)?;
    let options = write_options(store.capabilities(), &options.attributes, &options.tags)?;
    let written = store.write(&key, payload(&given), WriteOptions { mode, ..options }).await;
    written.map(put_result).map_err(|error| told(error, path))
}

/// A condition that the store may ignore would lose somebody's write, so it is refused.
fn mode(rules: Preconditions, mode: PutMode) -> Result<WriteMode> {
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

pub(crate) async fn copy(
    store: &Arc<dyn Storage>,
    rules: Preconditions,
    from: &Path,
    to: &Path,
    mode: CopyMode,
) -> Result<()> {
    if within(store, mode) {
        return copy_within(store, from, None, to).await;
    }
    let info = head(store, from, Detail::WithTags).await?;
    through_client(store, rules, from, info, to, mode).await
}

/// Whether the store copies by itself. Few servers guard the destination of a copy, and nothing declares which; of a
/// write it is known.
fn within(store: &Arc<dyn Storage>, mode: CopyMode) -> bool {
    mode == CopyMode::Overwrite && store.capabilities().copy_within
}

async fn copy_within(store: &Arc<dyn Storage>, from: &Path, etag: Option<&ETag>, to: &Path) -> Result<()> {
    let copied = store.copy_within(&key_of(from)?, etag, &key_of(to)?, WriteOptions::default()).await;
    copied.map(drop).map_err(|error| core_error(error, from))
}

async fn head(store: &Arc<dyn Storage>, path: &Path, detail: Detail) -> Result<ObjectInfo> {
    store.head(&key_of(path)?, detail).await.map_err(|error| core_error(error, path))
}

/// Reads that state and writes it. A large body isn't held: the store is sent what is read.
async fn through_client(
    store: &Arc<dyn Storage>,
    rules: Preconditions,
    from: &Path,
    info: ObjectInfo,
    to: &Path,
    mode: CopyMode,
) -> Result<()> {
    let target = key_of(to)?;
    let (mode, told): (_, fn(_, &Path) -> Error) = match mode {
        CopyMode::Create => (self::mode(rules, PutMode::Create)?, create_error),
        CopyMode::Overwrite => (WriteMode::Replace, core_error),
    };
    // Of the state whose attributes go along.
    let pinned = ReadOptions::pinned(None, info.etag.clone());
    let body = if info.size <= HELD_MAX {
        let bytes = store.read_all_with(&info.key, pinned, HELD_MAX).await;
        Payload::from_bytes(bytes.map_err(|error| core_error(error, from))?)
    } else {
        reading(store, &info, pinned)
    };
    let options =
        WriteOptions { mode, attributes: info.attributes.unwrap_or_default(), ..WriteOptions::default() };
    let written = store.write(&target, body, options).await;
    written.map(drop).map_err(|error| told(error, to))
}

fn reading(store: &Arc<dyn Storage>, info: &ObjectInfo, pinned: ReadOptions) -> Payload {
    let (store, key) = (Arc::clone(store), info.key.clone());
    let open = move || {
        let (store, key, pinned) = (Arc::clone(&store), key.clone(), pinned.clone());
        async move { store.read(&key, pinned).await.map(|body| body.stream) }.boxed()
    };
    Payload::Replayable { len: info.size, open: Arc::new(open) }
}

/// Copies the state that is there now and deletes no other.
pub(crate) async fn rename(
    store: &Arc<dyn Storage>,
    rules: Preconditions,
    from: &Path,
    to: &Path,
    mode: RenameTargetMode,
) -> Result<()> {
    let mode = match mode {
        RenameTargetMode::Overwrite => CopyMode::Overwrite,
        RenameTargetMode::Create => CopyMode::Create,
    };
    let within = within(store, mode);
    let info = head(store, from, if within { Detail::Basic } else { Detail::WithTags }).await?;
    if from == to && mode == CopyMode::Overwrite {
        return Ok(());
    }
    let (key, etag) = (info.key.clone(), info.etag.clone());
    if within {
        copy_within(store, from, etag.as_ref(), to).await?;
    } else {
        through_client(store, rules, from, info, to, mode).await?;
    }
    let options = DeleteOptions { if_match: etag, ..DeleteOptions::default() };
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
    let mut one = |(_, path): (_, Path)| match results.next() {
        Some((_, Ok(()))) => Ok(path),
        Some((_, Err(error))) => Err(core_error(error, &path)),
        None => Err(Error::Generic { store: "cabotage", source: "a deletion has no result".into() }),
    };
    keys.into_iter().map(|key| key.and_then(&mut one)).collect()
}
