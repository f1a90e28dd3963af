//! `object_store`'s own integration tests, over memory and a folder.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::Arc;

use cabotage_bridge::Bridge;
use cabotage_core::{Key, Storage, StorageExt as _};
use cabotage_local::{LocalConfig, LocalStore};
use cabotage_memory::MemoryStore;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error, GetOptions, ObjectStore, ObjectStoreExt as _, integration};

/// All of the module but for `multipart`, which is of a trait that the bridge hasn't: `MultipartStore`.
async fn whole_module(store: &Bridge) {
    integration::put_get_delete_list(store).await;
    integration::list_with_offset_exclusivity(store).await;
    integration::get_opts(store).await;
    integration::put_opts(store, true).await;
    integration::list_uses_directories_correctly(store).await;
    integration::list_with_delimiter(store).await;
    integration::rename_and_copy(store).await;
    integration::copy_if_not_exists(store).await;
    integration::copy_rename_nonexistent_object(store).await;
    integration::put_get_attributes(store).await;
    integration::multipart_race_condition(store, true).await;
    integration::multipart_out_of_order(store).await;
    integration::list_paginated(store, store).await;
    let missing = integration::get_nonexistent_object(store, None).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
}

/// Needs an empty store.
async fn both(fresh: impl AsyncFn() -> Arc<dyn Storage>) {
    integration::stream_get(&Bridge::new(fresh().await)).await;
    whole_module(&Bridge::new(fresh().await)).await;
}

#[tokio::test]
async fn memory() {
    both(async || Arc::new(MemoryStore::new("bridge")) as Arc<dyn Storage>).await;
}

#[tokio::test]
async fn local() {
    let folders = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicU32::new(0);
    both(async || {
        let name = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
        let config = LocalConfig { root: folders.path().join(name), create: true, ..Default::default() };
        Arc::new(LocalStore::open(config).await.unwrap()) as Arc<dyn Storage>
    })
    .await;
}

#[tokio::test]
async fn names_without_a_path_are_left_out_and_counted() {
    let store = MemoryStore::new("names");
    for name in ["a/b", "a//b", "a/", "/a", "a/../c", "a\tb", "c"] {
        store.put(&Key::new(name).unwrap(), "x".into()).await.unwrap();
    }
    let bridge = Bridge::new(Arc::new(store));
    let listed: Vec<_> =
        bridge.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    assert_eq!(listed, ["a/b", "c"]);
    assert_eq!(bridge.left_out(), 5);
    let folder = bridge.list_with_delimiter(None).await.unwrap();
    assert_eq!(folder.common_prefixes, [Path::from("a")]);
    assert_eq!(folder.objects.len(), 1);
}

#[tokio::test]
async fn conditions_in_every_form() {
    let bridge = Bridge::new(Arc::new(MemoryStore::new("conditions")));
    let path = Path::from("k");
    let etag = bridge.put(&path, "x".into()).await.unwrap().e_tag.unwrap();
    let list = format!("\"other\", {etag}");
    let asked = async |options: GetOptions| bridge.get_opts(&path, options).await.map(drop);
    asked(GetOptions::new().with_if_match(Some(list.clone()))).await.unwrap();
    asked(GetOptions::new().with_if_match(Some("*"))).await.unwrap();
    asked(GetOptions::new().with_if_match(Some(etag.trim_matches('"')))).await.unwrap();
    for options in
        [GetOptions::new().with_if_none_match(Some(list)), GetOptions::new().with_if_none_match(Some("*"))]
    {
        let refused = asked(options).await.unwrap_err();
        assert!(matches!(refused, Error::NotModified { .. }), "{refused}");
    }
    // An impossible range is no failed condition.
    let refused = asked(GetOptions::new().with_range(Some(5..9))).await.unwrap_err();
    assert!(matches!(refused, Error::Generic { .. }), "{refused}");
}

#[tokio::test]
async fn renamed_to_itself_an_object_stays() {
    let bridge = Bridge::new(Arc::new(MemoryStore::new("self")));
    let path = Path::from("k");
    bridge.put(&path, "x".into()).await.unwrap();
    bridge.rename(&path, &path).await.unwrap();
    assert_eq!(bridge.get(&path).await.unwrap().bytes().await.unwrap(), "x");
    let refused = bridge.rename_if_not_exists(&path, &path).await.unwrap_err();
    assert!(matches!(refused, Error::AlreadyExists { .. }), "{refused}");
}
