//! Copies and renames of an object that others change meanwhile.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cabotage_bridge::Bridge;
use cabotage_core::{Attributes, Key, Operation, Payload, Storage, StorageExt as _, WriteOptions};
use cabotage_layers::{Effect, Fault, Faults, Rule};
use cabotage_memory::{MemoryStore, full_capabilities};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _};

/// A store that copies or doesn't; that operation waits. Time stands still until everybody waits, so what others do meanwhile
/// is done before it.
fn store(copies: bool, waits: Operation) -> (MemoryStore, Faults, Bridge) {
    let mut rules = full_capabilities();
    rules.copy_within = copies;
    let store = MemoryStore::new("copies").with_capabilities(rules);
    let faults = Faults::new([Rule::new(waits, Effect::Delay(Duration::from_secs(60)))]);
    let bridge = Bridge::new(Arc::new(Fault::new(Arc::new(store.clone()), faults.clone())));
    (store, faults, bridge)
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

async fn put(store: &MemoryStore, text: &'static str, owner: &str) {
    let metadata = [("owner".to_owned(), owner.to_owned())].into();
    let attributes = Attributes { metadata, ..Attributes::default() };
    let options = WriteOptions { attributes, ..WriteOptions::default() };
    store.write(&key("from"), Payload::from_bytes(text), options).await.unwrap();
}

/// The object changes between the look at its attributes and the read of its bytes.
#[tokio::test(start_paused = true)]
async fn a_copy_is_of_one_state() {
    let (store, _, bridge) = store(false, Operation::Read);
    put(&store, "old", "a").await;
    let (from, to) = (Path::from("from"), Path::from("to"));
    let (copied, ()) = tokio::join!(bridge.copy(&from, &to), put(&store, "new", "b"));
    assert!(matches!(copied, Err(Error::Precondition { .. })), "{copied:?}");
    assert!(store.find(&key("to"), cabotage_core::Detail::Basic).await.unwrap().is_none());
}

/// The object changes between the copy and the deletion: what was written then stays.
#[tokio::test(start_paused = true)]
async fn a_rename_deletes_no_other_state() {
    for copies in [true, false] {
        let (store, faults, bridge) = store(copies, Operation::Delete);
        put(&store, "old", "a").await;
        let (from, to) = (Path::from("from"), Path::from("to"));
        let (renamed, ()) = tokio::join!(bridge.rename(&from, &to), put(&store, "new", "b"));
        assert!(matches!(renamed, Err(Error::Precondition { .. })), "{renamed:?}");
        assert_eq!(store.read_all(&key("from"), 9).await.unwrap(), "new");
        assert_eq!(store.read_all(&key("to"), 9).await.unwrap(), "old");
        assert_eq!(faults.calls(Operation::Head), 1, "a rename looks once");
    }
}

/// What is too large to be held is read while it is written.
#[tokio::test(start_paused = true)]
async fn a_large_object_is_copied_where_nothing_is() {
    let (store, faults, bridge) = store(true, Operation::Abort);
    let content = Bytes::from(vec![7; (16 << 20) + 1]);
    store.put(&key("from"), content.clone()).await.unwrap();
    let (from, to) = (Path::from("from"), Path::from("to"));
    bridge.copy_if_not_exists(&from, &to).await.unwrap();
    assert_eq!(store.read_all(&key("to"), u64::MAX).await.unwrap(), content);
    assert_eq!((faults.calls(Operation::Read), faults.calls(Operation::Write)), (1, 1));
    let refused = bridge.copy_if_not_exists(&from, &to).await.unwrap_err();
    assert!(matches!(refused, Error::AlreadyExists { .. }), "{refused}");
}
