//! What a destination keeps of what is removed: old versions, and objects under a lock.

use cabotage_core::{
    DeleteOptions, ETag, Error, ErrorKind, Key, ListItem, ListScope, ObjectLock, Probe, Result, Storage,
    Versioning,
};
use futures::TryStreamExt as _;

use crate::{Event, Observer, Side};

/// Warns of old versions and of a default retention, before anything is written.
///
/// # Errors
/// Those of asking; a missing right is none.
pub(crate) async fn warn(destination: &Side, observer: &dyn Observer) -> Result<()> {
    let Some(probe) = &destination.probe else { return Ok(()) };
    if probe.versioning().await? == Versioning::On {
        let text = "the destination keeps old versions: what is replaced or removed there stays, and counts, as an old version";
        observer.event(&Event::Warning(text.into()));
    }
    if let ObjectLock::On { default_retention: Some(retention) } = probe.object_lock().await? {
        observer.event(&Event::Warning(format!(
            "the destination locks each new object ({retention}): nothing that this run writes can be removed before \
             that ends, neither its probe objects nor what it refuses after writing"
        )));
    }
    Ok(())
}

/// Removes an object of one's own with all its versions. A version that the bucket refuses to let go is hidden; why, is
/// returned.
///
/// # Errors
/// Those of the delete of the object as such.
pub async fn remove_wholly(
    store: &dyn Storage,
    probe: Option<&dyn Probe>,
    key: &Key,
) -> Result<Option<Error>> {
    let versions = match probe {
        Some(probe) if matches!(probe.versioning().await, Ok(Versioning::On)) => {
            versions_of(store, key).await
        }
        _ => Vec::new(),
    };
    let mut kept = None;
    for version in &versions {
        let options = DeleteOptions { version: Some(version.clone()), ..DeleteOptions::default() };
        kept = store.delete(key, options).await.err().or(kept);
    }
    if versions.is_empty() || kept.is_some() {
        store.delete(key, DeleteOptions::default()).await?;
    }
    Ok(kept)
}

/// The ids of the key's versions; none where they can't be listed.
async fn versions_of(store: &dyn Storage, key: &Key) -> Vec<String> {
    let scope = ListScope { versions: true, ..ListScope::prefix(key.as_str()) };
    let listed: Result<Vec<ListItem>> = store.list(scope).try_collect().await;
    let items = listed.unwrap_or_else(|error| {
        tracing::debug!(%error, "versions can't be listed");
        Vec::new()
    });
    let version = |item| match item {
        ListItem::Object(info) | ListItem::Version(info) if info.key == *key => info.version,
        _ => None,
    };
    items.into_iter().filter_map(version).collect()
}

/// Removes what a write of this run has just made: that version for good, where there are versions and it isn't locked;
/// else the object, in that state alone.
///
/// # Errors
/// Those of the delete.
pub(crate) async fn remove_written(
    store: &dyn Storage,
    key: &Key,
    etag: ETag,
    version: Option<String>,
) -> Result<()> {
    if let Some(version) = version {
        let options = DeleteOptions { version: Some(version), ..DeleteOptions::default() };
        match store.delete(key, options).await {
            Err(error) if stays(&error) => {
                tracing::warn!(%error, "an object that was written and then refused stays as an old version");
            }
            done => return done,
        }
    }
    store.delete(key, DeleteOptions { if_match: Some(etag), ..DeleteOptions::default() }).await
}

/// Whether the version can't be removed and the object perhaps can.
fn stays(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported)
}
