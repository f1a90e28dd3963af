use cabotage_core::{ErrorKind, PartSlot, StorageExt as _, WriteMode};
use cabotage_memory::{MemoryStore, full_capabilities};
use futures::TryStreamExt as _;

use super::*;

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

async fn filled() -> (MemoryStore, Prefix) {
    let memory = MemoryStore::new("t");
    for name in ["data", "data-2/a", "data/", "data/a", "data/b/c", "e"] {
        memory.put(&key(name), name.to_owned().into()).await.unwrap();
    }
    (memory.clone(), Prefix::new(Arc::new(memory), "data/"))
}

async fn names(store: &Prefix, scope: ListScope) -> Vec<String> {
    let items: Vec<ListItem> = store.list(scope).try_collect().await.unwrap();
    let name = |item: ListItem| match item {
        ListItem::Object(info) | ListItem::Version(info) => info.key.as_str().to_owned(),
        ListItem::Prefix(prefix) => format!("[{}]", prefix.as_str()),
        ListItem::BadKey(raw) => format!("bad {}", raw.display()),
    };
    items.into_iter().map(name).collect()
}

#[tokio::test]
async fn only_keys_under_the_prefix_are_there() {
    let (memory, store) = filled().await;
    assert_eq!(names(&store, ListScope::default()).await, ["bad data/", "a", "b/c"]);
    assert_eq!(names(&store, ListScope::prefix("b")).await, ["b/c"]);
    let folded = ListScope { delimiter: Some("/".into()), after: Some(key("a")), ..ListScope::default() };
    assert_eq!(names(&store, folded).await, ["[b/]"]);
    let until = ListScope { until: Some(key("b")), ..ListScope::prefix("a") };
    assert_eq!(names(&store, until).await, ["a"]);

    assert_eq!(store.head(&key("a"), Detail::Basic).await.unwrap().key, key("a"));
    assert_eq!(store.read(&key("b/c"), ReadOptions::default()).await.unwrap().info.key, key("b/c"));
    assert_eq!(store.read_all(&key("b/c"), 99).await.unwrap(), "data/b/c");
    let outside = store.head(&key("e"), Detail::Basic).await.unwrap_err();
    assert_eq!(outside.kind(), ErrorKind::NotFound);
    store.put(&key("../x"), "x".into()).await.unwrap();
    assert_eq!(memory.read_all(&key("data/../x"), 9).await.unwrap(), "x");
}

#[tokio::test]
async fn changes_stay_under_the_prefix() {
    let (memory, store) = filled().await;
    store.copy_within(&key("a"), None, &key("n"), WriteOptions::default()).await.unwrap();
    assert_eq!(memory.read_all(&key("data/n"), 99).await.unwrap(), "data/a");
    store.set_attributes(&key("n"), &Attributes::default(), None).await.unwrap();
    store.delete(&key("n"), DeleteOptions::default()).await.unwrap();
    let done = store.delete_many(vec![key("a"), key("e")]).await;
    assert_eq!(done.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a", "e"]);
    assert!(memory.head(&key("e"), Detail::Basic).await.is_ok());
    assert!(memory.head(&key("data/a"), Detail::Basic).await.is_err());

    let options = WriteOptions { mode: WriteMode::Create, ..WriteOptions::default() };
    let upload = store.start_upload(&key("u"), options.clone()).await.unwrap();
    let open: Vec<UploadInfo> = store.list_uploads("u").try_collect().await.unwrap();
    assert_eq!((&open[0].key, &open[0].id), (&key("u"), upload.id()));
    let resumed = store.resume_upload(&key("u"), upload.id(), options).await.unwrap();
    let part = resumed.part(PartSlot { number: 1, offset: 0 }, Payload::from_bytes("up")).await.unwrap();
    resumed.complete(&[part]).await.unwrap();
    assert_eq!(memory.read_all(&key("data/u"), 9).await.unwrap(), "up");
}

#[test]
fn limits_of_names_shrink() {
    let mut capabilities = full_capabilities();
    capabilities.keys.max_bytes = Some(8);
    let memory = MemoryStore::new("t").with_capabilities(capabilities);
    let store = Prefix::new(Arc::new(memory), "data/");
    assert!(store.capabilities().accepts(&key("abc")).is_ok());
    assert!(store.capabilities().accepts(&key("abcd")).is_err());
    assert_eq!((store.id().0.as_str(), store.to_string().as_str()), ("memory:t/data/", "memory://t/data/"));
}
