//! Listings. A name that no path can carry is left out and counted, never the end of a listing.

use std::sync::Arc;

use cabotage_core::{Key, ListItem, ListScope, Storage};
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, Result};

use crate::error::core_error;
use crate::paths::{LeftOut, folder, meta};

pub(crate) fn objects(
    store: &dyn Storage,
    left_out: &Arc<LeftOut>,
    prefix: Option<&Path>,
    offset: Option<&Path>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let order = store.capabilities().list_order;
    let after = offset.filter(|offset| order.goes_on_as_bytes_after(offset.as_ref()));
    let after = after.and_then(|offset| Key::new(offset.as_ref()).ok());
    let scope = ListScope { after, ..ListScope::prefix(folder(prefix)) };
    let (root, offset) = (prefix.cloned().unwrap_or_default(), offset.cloned());
    let left_out = Arc::clone(left_out);
    let told = store.list(scope).map(move |item| match item {
        Ok(ListItem::Object(info)) => {
            let path = left_out.path_of(info.key.as_str());
            let path = path.filter(|path| offset.as_ref().is_none_or(|offset| path > offset));
            Ok(path.map(|path| meta(path, &info)))
        }
        Ok(ListItem::BadKey(raw)) => {
            left_out.add(&raw.display());
            Ok(None)
        }
        Ok(_) => Ok(None),
        Err(error) => Err(core_error(error, &root)),
    });
    told.try_filter_map(|found| async move { Ok(found) }).fuse().boxed()
}

pub(crate) async fn folder_of(
    store: &dyn Storage,
    left_out: &LeftOut,
    prefix: Option<&Path>,
) -> Result<ListResult> {
    let scope = ListScope { delimiter: Some("/".into()), ..ListScope::prefix(folder(prefix)) };
    let mut items = store.list(scope);
    let mut result = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
    let root = prefix.cloned().unwrap_or_default();
    while let Some(item) = items.try_next().await.map_err(|error| core_error(error, &root))? {
        match item {
            ListItem::Object(info) => {
                let path = left_out.path_of(info.key.as_str());
                result.objects.extend(path.map(|path| meta(path, &info)));
            }
            ListItem::Prefix(key) => {
                let name = key.as_str();
                result.common_prefixes.extend(left_out.path_of(name.strip_suffix('/').unwrap_or(name)));
            }
            ListItem::BadKey(raw) => left_out.add(&raw.display()),
            ListItem::Version(_) => {}
        }
    }
    Ok(result)
}
