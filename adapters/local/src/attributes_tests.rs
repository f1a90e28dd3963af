use std::fs;

use cabotage_core::{
    DeleteOptions, Detail, ErrorKind as K, ListItem, ListScope, Payload, Storage as _, StorageExt as _, Tags,
    Timestamp, WriteOptions,
};
use futures::TryStreamExt as _;

use super::*;
use crate::store::tests::*;

#[tokio::test]
async fn attributes_inside_and_beside_the_file() {
    let large = Attributes { metadata: [("big".into(), "x".repeat(100_000))].into(), ..attributes() };
    for (folder, kept, small) in [
        (folder().await, attributes(), true),
        (folder().await, large, false),
        (without_xattrs().await, attributes(), true),
    ] {
        let inside = small && folder.has_xattrs();
        let store = &folder.store;
        let modified = Some(Timestamp::new(1_000_000_000, 123_000_000).unwrap());
        let options = || WriteOptions { modified, ..with_attributes(kept.clone()) };
        store.write(&key("d/k"), Payload::from_bytes("x"), options()).await.unwrap();
        assert_eq!(read_attributes(store, "d/k").await, kept);
        assert_eq!(store.head(&key("d/k"), Detail::Basic).await.unwrap().modified, modified);
        assert_eq!(folder.root().join(".cabotage/attributes").exists(), !inside);
        let items: Vec<ListItem> = store.list(ListScope::default()).try_collect().await.unwrap();
        assert!(matches!(&items[..], [ListItem::Object(info)] if info.attributes.as_ref() == Some(&kept)));

        store.write(&key("d/k"), Payload::from_bytes("y"), options()).await.unwrap();
        assert_eq!(read_attributes(store, "d/k").await, kept, "same size and time, replaced");
        store.copy_within(&key("d/k"), None, &key("copy"), WriteOptions::default()).await.unwrap();
        assert_eq!(read_attributes(store, "copy").await, kept);
        assert_eq!(store.read_all(&key("copy"), 9).await.unwrap(), "y");
        store.delete(&key("copy"), DeleteOptions::default()).await.unwrap();

        store.put(&key("d/k"), "plain".into()).await.unwrap();
        assert_eq!(read_attributes(store, "d/k").await.metadata, Default::default());
        assert_eq!(folder.files(), ["d", "d/k"]);
    }
}

#[tokio::test]
async fn attributes_are_replaced_alone() {
    let large =
        Attributes { metadata: [("big".into(), "x".repeat(100_000))].into(), ..Attributes::default() };
    for folder in [folder().await, without_xattrs().await] {
        let store = &folder.store;
        let written =
            store.write(&key("k"), Payload::from_bytes("x"), with_attributes(attributes())).await.unwrap();
        let before = store.head(&key("k"), Detail::Basic).await.unwrap();
        let mut etag = written.etag.unwrap();
        for wanted in [large.clone(), Attributes::default(), large.clone(), attributes()] {
            let changed = store.set_attributes(&key("k"), &wanted, Some(&etag)).await.unwrap().etag.unwrap();
            assert_ne!(changed, etag, "any change changes the ETag");
            assert_eq!(
                kind(store.set_attributes(&key("k"), &wanted, Some(&etag)).await),
                K::PreconditionFailed
            );
            etag = changed;
            let info = store.head(&key("k"), Detail::Basic).await.unwrap();
            let tags = attributes().tags;
            assert_eq!(info.attributes, Some(Attributes { tags, ..wanted }), "unknown tags stay");
            assert_eq!((info.modified, info.etag.as_ref()), (before.modified, Some(&etag)));
        }
        let untagged = Attributes { tags: Some(Tags::new()), ..Attributes::default() };
        store.set_attributes(&key("k"), &untagged, None).await.unwrap();
        assert_eq!(read_attributes(store, "k").await, untagged);
        assert_eq!(folder.files(), ["k"]);
        assert_eq!(kind(store.set_attributes(&key("none"), &untagged, None).await), K::NotFound);
    }
}

#[tokio::test]
async fn damaged_attributes_are_an_error_of_that_object_alone() {
    let folder = folder().await;
    folder.store.write(&key("k"), Payload::from_bytes("x"), with_attributes(attributes())).await.unwrap();
    if !folder.has_xattrs() {
        return;
    }
    let file = fs::File::open(folder.root().join("k")).unwrap();
    rustix::fs::fsetxattr(&file, "user.cabotage", b"{", rustix::fs::XattrFlags::empty()).unwrap();
    assert_eq!(kind(folder.store.head(&key("k"), Detail::Basic).await), K::Protocol);
    assert_eq!(listed(&folder.store, ListScope::default()).await, ["k"]);
}
