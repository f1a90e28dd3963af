//! Uploads that were started and not completed, found by their blocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use cabotage_core::{ErrorKind, ListItem, ObjectInfo, Operation, PageGuard, Result, UploadInfo};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};

use crate::blocks::{Blocks, read_block_name};
use crate::list::{PAGE_BLOBS, PageRequest};
use crate::store::Inner;

/// Uploads under the prefix. Only those of blobs that don't exist yet are found: a listing tells of uncommitted blocks
/// only where nothing is committed.
pub(crate) fn list(inner: &Arc<Inner>, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
    let start = (inner.clone(), prefix.to_owned(), Some(String::new()), PageGuard::default());
    futures::stream::try_unfold(start, |(inner, prefix, marker, mut guard)| async move {
        let Some(marker) = marker else { return Ok(None) };
        let request = PageRequest {
            prefix: &prefix,
            delimiter: None,
            marker: Some(marker.as_str()).filter(|marker| !marker.is_empty()),
            from: None,
            include: "uncommittedblobs",
            most: PAGE_BLOBS,
        };
        let page = inner.page(&request).await?;
        guard.check(page.items.len(), page.next.as_ref())?;
        let mut found = Vec::new();
        for item in page.items {
            if let ListItem::Object(info) = item {
                found.extend(uploads_of(&inner, &info).await?);
            }
        }
        Ok(Some((found, (inner, prefix, page.next, guard))))
    })
    .map_ok(|found| futures::stream::iter(found).map(Ok))
    .try_flatten()
    .map_err(|error: cabotage_core::Error| error.during(Operation::Upload))
    .boxed()
}

/// A blob that is not committed is listed with a length of 0 and without an MD5.
async fn uploads_of(inner: &Inner, info: &ObjectInfo) -> Result<Vec<UploadInfo>> {
    if info.size > 0 || !info.digests.is_empty() {
        return Ok(Vec::new());
    }
    let blocks = match inner.blocks(&info.key, Blocks::Uncommitted).await {
        Ok(list) => list.blocks,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.on(&info.key)),
    };
    let mut found = BTreeMap::new();
    for (name, _) in blocks {
        if let Some((id, _)) = read_block_name(&name) {
            let upload = UploadInfo { key: info.key.clone(), id: id.clone(), started: info.modified };
            found.insert(id.0, upload);
        }
    }
    Ok(found.into_values().collect())
}
