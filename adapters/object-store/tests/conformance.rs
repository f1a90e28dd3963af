//! The conformance suite over stores that `object_store` has itself, and over the bridge: two translations that must cancel
//! out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::Arc;

use bytes::Bytes;
use cabotage_bridge::Bridge;
use cabotage_conformance::Outcome;
use cabotage_core::{
    Attributes, ByteStream, Detail, ErrorKind, Key, Payload, Storage, StorageExt as _, StoreId, WriteMode,
    WriteOptions,
};
use cabotage_memory::MemoryStore;
use cabotage_object_store::{FromObjectStore, Known};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

fn store(inner: impl ObjectStore, known: &Known) -> Arc<dyn Storage> {
    Arc::new(FromObjectStore::new(Arc::new(inner), StoreId("foreign".into()), known))
}

/// All trials; those named have to fail because a name is refused.
async fn conforms(store: Arc<dyn Storage>, deviations: &[&str]) {
    let (mut passed, mut wrong) = (0, Vec::new());
    for trial in cabotage_conformance::suite() {
        let name = trial.full_name();
        let listed = deviations.contains(&name.as_str());
        match (trial.run(Arc::clone(&store)).await, listed) {
            (Ok(Outcome::Skipped(_)), false) => {}
            (Err(failure), true) if failure.to_string().contains("key-rejected") => {}
            (Ok(Outcome::Passed), false) => passed += 1,
            (Ok(outcome), true) => wrong.push(format!("{name} is listed as a deviation: {outcome:?}")),
            (Err(failure), _) => wrong.push(format!("{name}: {failure}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(passed > 100, "only {passed} trials passed");
}

#[tokio::test]
async fn in_memory() {
    conforms(store(InMemory::new(), &Known::in_memory()), &[]).await;
}

/// They need an object `x` beside `x/y`, which a folder can't hold under these names: the later write is refused.
const FILE_AND_FOLDER: &[&str] = &[
    "keys::prefix_neighbours",
    "keys::file_and_folder",
    "keys::folder_and_file",
    "keys::the_whole_table",
    "listing::order",
    "listing::prefix_is_a_key",
    "listing::until",
    "listing::delimiter",
    "deletes::many_awkward",
    "cancellation::bulk_deletes",
];

#[tokio::test]
async fn local_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let inner = LocalFileSystem::new_with_prefix(folder.path()).unwrap().with_automatic_cleanup(true);
    conforms(store(inner, &Known::local_file_system()), FILE_AND_FOLDER).await;
}

#[tokio::test]
async fn the_bridge_and_back() {
    let inner = Bridge::new(Arc::new(MemoryStore::new("there-and-back")));
    conforms(store(inner, &Known::in_memory()), &[]).await;
}

/// In parts, since it is not in memory: whole or not at all.
#[tokio::test]
async fn a_large_body_is_streamed() {
    const LEN: u64 = (20 << 20) + 7;
    let store = store(InMemory::new(), &Known::in_memory());
    let key = Key::new("large").unwrap();
    let body = |held: u64| Payload::Replayable {
        len: LEN,
        open: Arc::new(move || {
            let chunk = Bytes::from(vec![7_u8; 1 << 20]);
            let chunks = (0..held.div_ceil(1 << 20)).map(move |i| {
                let left = usize::try_from(held - (i << 20)).unwrap();
                Ok(chunk.slice(..left.min(1 << 20)))
            });
            let stream: ByteStream = Box::pin(futures::stream::iter(chunks));
            Box::pin(async move { Ok(stream) })
        }),
    };
    let options = || WriteOptions {
        attributes: Attributes { metadata: [("a".into(), "b".into())].into(), ..Attributes::default() },
        ..WriteOptions::default()
    };
    for wrong in [LEN - 1, LEN + 1, 8 << 20] {
        let refused = store.write(&key, body(wrong), options()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Truncated, "{wrong}: {refused}");
        assert!(store.find(&key, Detail::Basic).await.unwrap().is_none());
    }
    let written = store.write(&key, body(LEN), options()).await.unwrap();
    let info = store.head(&key, Detail::Basic).await.unwrap();
    assert_eq!((info.size, &info.etag), (LEN, &written.etag));
    assert_eq!(info.attributes.unwrap().metadata["a"], "b");
    let conditional = WriteOptions { mode: WriteMode::Create, ..WriteOptions::default() };
    let refused = store.write(&Key::new("other").unwrap(), body(LEN), conditional).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
}
