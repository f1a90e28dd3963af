//! Listings. Paths know folders only, so what begins with the prefix is picked from the folder around it.

use std::collections::BTreeSet;
use std::sync::Arc;

use cabotage_core::{Error, ErrorKind, Key, ListItem, ListOrder, ListScope, ListStream, Operation, Result};
use futures::stream::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use crate::error::core_error;
use crate::paths::{info, parse};

pub(crate) fn list(store: &Arc<dyn ObjectStore>, order: ListOrder, scope: ListScope) -> ListStream {
    let Some(folder) = folder(&scope.prefix) else {
        return futures::stream::empty().boxed();
    };
    let listed = match scope.delimiter.as_deref() {
        Some("/") => grouped(Arc::clone(store), folder, scope),
        Some(delimiter) if !delimiter.is_empty() => {
            let message = format!("only '/' can be the delimiter of a listing here, not '{delimiter}'");
            futures::stream::iter([Err(Error::new(ErrorKind::Unsupported, message))]).boxed()
        }
        _ => objects(store, order, &folder, scope),
    };
    listed.map_err(|error| error.during(Operation::List)).boxed()
}

/// The folder that all keys with that prefix are in; `None` where there can be no such key.
fn folder(prefix: &str) -> Option<Path> {
    match prefix.rsplit_once('/') {
        None => Some(Path::ROOT),
        Some((folder, _)) => parse(folder),
    }
}

fn objects(store: &Arc<dyn ObjectStore>, order: ListOrder, folder: &Path, scope: ListScope) -> ListStream {
    let folder = Some(folder).filter(|folder| !folder.is_root());
    let metas = match scope.after.as_ref().and_then(|after| parse(after.as_str())) {
        Some(after) if order != ListOrder::None => store.list_with_offset(folder, &after),
        _ => store.list(folder),
    };
    let items = metas.map(|meta| item(&meta.map_err(|error| core_error(&error))?));
    let until = scope.until.clone().filter(|_| order == ListOrder::Bytes);
    let before = items.try_take_while(move |(key, _)| {
        let before = until.as_ref().is_none_or(|until| key < until);
        async move { Ok(before) }
    });
    before
        .try_filter_map(move |(key, item)| {
            let found = wanted(&scope, order, &key).then_some(item);
            async move { Ok(found) }
        })
        .boxed()
}

fn item(meta: &ObjectMeta) -> Result<(Key, ListItem)> {
    let key = Key::new(meta.location.as_ref())?;
    Ok((key.clone(), ListItem::Object(info(key, meta))))
}

fn wanted(scope: &ListScope, order: ListOrder, key: &Key) -> bool {
    let after = |after: &Key| match order {
        ListOrder::Utf16 => key.as_str().encode_utf16().gt(after.as_str().encode_utf16()),
        ListOrder::Bytes | ListOrder::None => key > after,
    };
    key.as_str().starts_with(&scope.prefix)
        && scope.after.as_ref().is_none_or(after)
        && scope.until.as_ref().is_none_or(|until| key < until)
}

/// One folder, whole: `object_store` tells it so.
fn grouped(store: Arc<dyn ObjectStore>, folder: Path, scope: ListScope) -> ListStream {
    let items = async move {
        let folder = Some(&folder).filter(|folder| !folder.is_root());
        let told = store.list_with_delimiter(folder).await.map_err(|error| core_error(&error))?;
        let mut items: Vec<(Key, ListItem)> = told.objects.iter().map(item).collect::<Result<_>>()?;
        let groups: BTreeSet<Path> = told.common_prefixes.into_iter().collect();
        for group in groups {
            let key = Key::new(format!("{group}/"))?;
            items.push((key.clone(), ListItem::Prefix(key)));
        }
        items.retain(|(key, _)| wanted(&scope, ListOrder::Bytes, key));
        items.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok::<_, Error>(futures::stream::iter(items.into_iter().map(|(_, item)| Ok(item))))
    };
    futures::stream::once(items).try_flatten().boxed()
}
