//! Older versions: what a bucket keeps of objects beside the objects themselves.

use cabotage_core::Storage as _;
use cabotage_core::{ErrorKind, ListItem, ListScope, Operation, Remnant, RemnantKind, RemnantStream, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use http::Method;

use crate::store::S3Store;
use crate::xml::Element;

/// Lists older versions, those of deleted objects included, where the bucket keeps or has ever kept any. A delete marker
/// holds nothing and is none.
pub(crate) fn list(store: &S3Store, prefix: &str) -> RemnantStream {
    let (store, prefix) = (store.clone(), prefix.to_owned());
    let versions = async move {
        if !has_kept_versions(&store).await? {
            return Ok(futures::stream::empty().boxed());
        }
        let listed = store.list(ListScope { versions: true, ..ListScope::prefix(prefix) });
        let older = listed.try_filter_map(|item| async move {
            Ok(match item {
                ListItem::Version(info) => Some(Remnant { key: info.key, kind: RemnantKind::Version }),
                ListItem::Object(_) | ListItem::Prefix(_) | ListItem::BadKey(_) => None,
            })
        });
        Ok(older.boxed())
    };
    futures::stream::once(versions).try_flatten().boxed()
}

/// A bucket that never kept versions has no status; one that stopped to keep them is `Suspended` and holds those it has.
async fn has_kept_versions(store: &S3Store) -> Result<bool> {
    let call = store.client().bucket(Operation::List, Method::GET).flag("versioning");
    let has_status = |root: &Element<'_>| Ok(root.get("Status").is_some_and(|status| !status.is_empty()));
    match store.client().send_xml(call, "VersioningConfiguration", has_status).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(false),
        told => told,
    }
}
