//! `object_store`'s own integration tests, over memory and a folder.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::Arc;

use cabotage_bridge::Bridge;
use cabotage_core::{Key, Preconditions, Storage, StorageExt as _, Support};
use cabotage_local::{LocalConfig, LocalStore};
use cabotage_memory::{MemoryStore, full_capabilities};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Error, GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, integration};

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

/// The tests on real servers have stores that declare something else than they do.
#[tokio::test]
async fn conditions_are_proven() {
    let name = Path::from("conditions-are-tried-here");
    for support in [Support::Enforced, Support::Ignored] {
        let mut rules = full_capabilities();
        rules.preconditions = Preconditions { create: support, if_match: support, complete: support };
        let store = MemoryStore::new("proven").with_capabilities(rules);
        let bridge = Bridge::proven(Arc::new(store), &name).await.unwrap();
        assert!(bridge.list(None).next().await.is_none(), "nothing is left of the trial");
        bridge.put(&name, "x".into()).await.unwrap();
        let refused = bridge.put_opts(&name, "y".into(), PutMode::Create.into()).await.unwrap_err();
        let enforced = matches!(refused, Error::AlreadyExists { .. });
        assert_eq!(enforced, support == Support::Enforced, "{refused}");
    }
}

#[tokio::test]
async fn conditions_are_tried_under_a_free_name_only() {
    let store = MemoryStore::new("taken");
    store.put(&Key::new("taken").unwrap(), "x".into()).await.unwrap();
    let refused = Bridge::proven(Arc::new(store.clone()), &Path::from("taken")).await.unwrap_err();
    assert!(matches!(refused, Error::AlreadyExists { .. }), "{refused}");
    assert_eq!(store.read_all(&Key::new("taken").unwrap(), 9).await.unwrap(), "x");
}
