use std::future::Future;

use cabotage_core::{
    ErrorKind as K, ListItem, ListOrder, MetadataNames, PartInfo, PartSlot, Probe as _, ReadRange, Sha256,
    StorageExt as _, Tags,
};
use futures::TryStreamExt as _;

use super::*;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn place(at: u64) -> usize {
    usize::try_from(at).unwrap()
}

fn with(change: impl FnOnce(&mut Capabilities)) -> MemoryStore {
    let mut capabilities = full_capabilities();
    change(&mut capabilities);
    MemoryStore::new("t").with_capabilities(capabilities)
}

fn mode(mode: WriteMode) -> WriteOptions {
    WriteOptions { mode, ..WriteOptions::default() }
}

fn kind<T: fmt::Debug>(result: Result<T>) -> K {
    result.unwrap_err().kind()
}

async fn names(store: &MemoryStore, scope: ListScope) -> Vec<String> {
    let items: Vec<ListItem> = store.list(scope).try_collect().await.unwrap();
    let name = |item: ListItem| match item {
        ListItem::Object(info) => info.key.as_str().to_owned(),
        ListItem::Prefix(prefix) => format!("[{}]", prefix.as_str()),
        other => format!("{other:?}"),
    };
    items.into_iter().map(name).collect()
}

#[test]
fn what_is_written_comes_back() {
    run(async {
        let store = MemoryStore::new("t");
        let attributes = Attributes {
            metadata: [("Owner".into(), "x".into())].into(),
            tags: Some([("a".into(), "b".into())].into()),
            ..Attributes::default()
        };
        let modified = Some(Timestamp::from_second(1_000).unwrap());
        let options = WriteOptions { attributes: attributes.clone(), modified, ..WriteOptions::default() };
        let written = store.write(&key("../k"), Payload::from_bytes("hello"), options).await.unwrap();
        let info = store.head(&key("../k"), Detail::Basic).await.unwrap();
        assert_eq!((info.size, info.etag, info.modified), (5, written.etag, modified));
        assert_eq!(info.attributes, Some(attributes));
        assert_eq!(store.read_all(&key("../k"), 5).await.unwrap(), "hello");
        assert_eq!(kind(store.head(&key("k"), Detail::Basic).await), K::NotFound);
    });
}

#[test]
fn preconditions_are_kept_or_ignored_as_declared() {
    run(async {
        let store = MemoryStore::new("t");
        let body = || Payload::from_bytes("x");
        let absent = mode(WriteMode::IfMatch(ETag::new("z")));
        assert_eq!(kind(store.write(&key("k"), body(), absent).await), K::NotFound);
        let first = store.write(&key("k"), body(), mode(WriteMode::Create)).await.unwrap().etag.unwrap();
        assert_eq!(
            kind(store.write(&key("k"), body(), mode(WriteMode::Create)).await),
            K::PreconditionFailed
        );
        let pinned = || mode(WriteMode::IfMatch(first.clone()));
        let second = store.write(&key("k"), body(), pinned()).await.unwrap().etag.unwrap();
        assert_ne!(first, second, "the same bytes, another state");
        assert_eq!(kind(store.write(&key("k"), body(), pinned()).await), K::PreconditionFailed);
        let stale = ReadOptions::pinned(None, Some(first.clone()));
        assert_eq!(kind(store.read(&key("k"), stale).await), K::PreconditionFailed);
        let stale = DeleteOptions { if_match: Some(first), ..DeleteOptions::default() };
        assert_eq!(kind(store.delete(&key("k"), stale).await), K::PreconditionFailed);

        let lax = with(|c| c.preconditions.create = Support::Ignored);
        lax.put(&key("k"), "x".into()).await.unwrap();
        lax.write(&key("k"), body(), mode(WriteMode::Create)).await.unwrap();
        let strict = with(|c| c.preconditions.create = Support::Rejected);
        assert_eq!(kind(strict.write(&key("k"), body(), mode(WriteMode::Create)).await), K::Unsupported);
    });
}

#[test]
fn a_wrong_digest_is_refused_where_it_is_enforced() {
    run(async {
        let store = MemoryStore::new("t");
        let wrong = Payload::hashed(vec!["x".into()], Sha256::of(b"y"));
        assert_eq!(
            kind(store.write(&key("k"), wrong.clone(), WriteOptions::default()).await),
            K::DigestMismatch
        );
        assert_eq!(kind(store.head(&key("k"), Detail::Basic).await), K::NotFound);
        assert_eq!(store.wrong_digest(&key("p")).await.unwrap(), Support::Enforced);
        let lax = with(|c| c.digest = Support::Ignored);
        lax.write(&key("k"), wrong, WriteOptions::default()).await.unwrap();
        assert_eq!(lax.wrong_digest(&key("p")).await.unwrap(), Support::Ignored);
        assert_eq!(names(&lax, ListScope::default()).await, ["k"]);
    });
}

#[test]
fn ranges() {
    run(async {
        let store = MemoryStore::new("t");
        let all: Vec<u8> = (0..=255).cycle().take(2 * CHUNK + 7).collect();
        store.put(&key("k"), all.clone().into()).await.unwrap();
        let size = all.len() as u64;
        for (range, meant) in [
            (ReadRange::Bounded { start: 3, end: size + 9 }, 3..size),
            (ReadRange::Suffix(5), size - 5..size),
            (ReadRange::From(300_000), 300_000..size),
        ] {
            let body = store.read(&key("k"), ReadOptions::pinned(Some(range), None)).await.unwrap();
            assert_eq!(body.range, meant);
            assert_eq!(body.info.size, size);
            let bytes: Vec<Bytes> = body.stream.try_collect().await.unwrap();
            assert_eq!(bytes.concat(), all[place(meant.start)..place(meant.end)]);
        }
        store.put(&key("empty"), Bytes::new()).await.unwrap();
        assert_eq!(store.read_all(&key("empty"), 0).await.unwrap(), "");
        let range = ReadOptions::pinned(Some(ReadRange::From(0)), None);
        assert_eq!(kind(store.read(&key("empty"), range).await), K::PreconditionFailed);
    });
}

#[test]
fn listing_with_every_bound() {
    run(async {
        let store = MemoryStore::new("t");
        for name in ["a", "a-", "a/", "a/b", "a/c/d", "a0", "b", "é"] {
            store.put(&key(name), Bytes::new()).await.unwrap();
        }
        let scope = ListScope::default;
        let some = |name: &str| Some(key(name));
        let slash = Some("/".to_owned());
        for (scope, meant) in [
            (scope(), vec!["a", "a-", "a/", "a/b", "a/c/d", "a0", "b", "é"]),
            (ListScope::prefix("a/"), vec!["a/", "a/b", "a/c/d"]),
            (ListScope { delimiter: slash.clone(), ..scope() }, vec!["a", "a-", "[a/]", "a0", "b", "é"]),
            (ListScope { delimiter: slash, ..ListScope::prefix("a/") }, vec!["a/", "a/b", "[a/c/]"]),
            (ListScope { after: some("a/b"), until: some("b"), ..scope() }, vec!["a/c/d", "a0"]),
            (ListScope { after: some("a-"), ..ListScope::prefix("a/") }, vec!["a/", "a/b", "a/c/d"]),
            (ListScope { after: some("b"), ..ListScope::prefix("a/") }, vec![]),
        ] {
            assert_eq!(names(&store, scope.clone()).await, meant, "{scope:?}");
        }
    });
}

#[test]
fn long_listings_are_whole_and_in_the_declared_order() {
    run(async {
        for order in [ListOrder::Bytes, ListOrder::Utf16, ListOrder::None] {
            let store = with(|c| c.list_order = order);
            let mut meant: Vec<String> = (0..1_000).map(|n| format!("k{n}")).collect();
            meant.extend(["k\u{ff5e}".to_owned(), "k\u{1f600}".to_owned()]);
            for name in &meant {
                store.put(&key(name), Bytes::new()).await.unwrap();
            }
            let found = names(&store, ListScope::prefix("k")).await;
            match order {
                ListOrder::Utf16 => meant.sort_by_key(|name| name.encode_utf16().collect::<Vec<_>>()),
                ListOrder::Bytes => meant.sort(),
                ListOrder::None => assert!(!found.is_sorted()),
            }
            let halfway = ListScope { after: Some(key(&found[400])), ..ListScope::prefix("k") };
            assert_eq!(names(&store, halfway).await, found[401..], "{order:?}");
            let (mut sorted, mut all) = (found.clone(), meant.clone());
            sorted.sort();
            all.sort();
            assert_eq!(sorted, all, "{order:?}");
            if order != ListOrder::None {
                assert_eq!(found, meant, "{order:?}");
            }
        }
    });
}

#[test]
fn a_listing_reads_pages_as_it_goes() {
    run(async {
        let store = MemoryStore::new("t");
        for n in 0..300 {
            store.put(&key(&format!("k{n:03}")), Bytes::new()).await.unwrap();
        }
        let mut listing = store.list(ListScope::default());
        listing.try_next().await.unwrap().unwrap();
        store.delete(&key("k299"), DeleteOptions::default()).await.unwrap();
        store.put(&key("z"), Bytes::new()).await.unwrap();
        let rest: Vec<ListItem> = listing.try_collect().await.unwrap();
        assert_eq!(rest.len(), 299);
        assert!(matches!(rest.last(), Some(ListItem::Object(info)) if info.key == key("z")));
    });
}

fn slot(number: u32, offset: u64) -> PartSlot {
    PartSlot { number, offset }
}

#[test]
fn uploads_in_parts() {
    run(async {
        let store = with(|c| c.limits.part_min = 2);
        let upload = store.start_upload(&key("a/k"), mode(WriteMode::Create)).await.unwrap();
        let two = upload.part(slot(2, 3), Payload::from_bytes("d")).await.unwrap();
        upload.part(slot(1, 0), Payload::from_bytes("old")).await.unwrap();
        let one = upload.part(slot(1, 0), Payload::from_bytes("abc")).await.unwrap();
        assert_eq!(upload.parts().await.unwrap(), [one.clone(), two.clone()]);
        assert_eq!(kind(store.head(&key("a/k"), Detail::Basic).await), K::NotFound);
        let open: Vec<UploadInfo> = store.list_uploads("a/").try_collect().await.unwrap();
        assert_eq!(open[0].id, *upload.id());
        assert!(store.list_uploads("b").try_collect::<Vec<_>>().await.unwrap().is_empty());

        let resumed = store.resume_upload(&key("a/k"), upload.id(), mode(WriteMode::Create)).await.unwrap();
        let stale = PartInfo { etag: Some(ETag::new("old")), ..one.clone() };
        assert_eq!(kind(resumed.complete(&[stale, two.clone()]).await), K::PreconditionFailed);
        assert_eq!(kind(resumed.complete(&[two.clone(), one.clone()]).await), K::Internal);
        let written = resumed.complete(&[one.clone(), two.clone()]).await.unwrap();
        assert_eq!(store.read_all(&key("a/k"), 9).await.unwrap(), "abcd");
        assert_eq!(store.head(&key("a/k"), Detail::Basic).await.unwrap().etag, written.etag);
        assert_eq!(kind(upload.complete(&[one, two]).await), K::NotFound);
        upload.abort().await.unwrap();
        let gone = store.resume_upload(&key("a/k"), upload.id(), WriteOptions::default()).await;
        assert_eq!(kind(gone), K::NotFound);
    });
}

#[test]
fn parts_have_limits() {
    run(async {
        let store = with(|c| {
            c.limits.part_min = 2;
            c.limits.part_max = 3;
            c.limits.parts_max = 2;
            c.limits.single_max = 4;
            c.limits.object_max = 5;
        });
        let upload = store.start_upload(&key("k"), mode(WriteMode::Create)).await.unwrap();
        let send =
            |number, offset, text: &'static str| upload.part(slot(number, offset), Payload::from_bytes(text));
        assert_eq!(kind(send(1, 0, "abcd").await), K::TooLarge);
        assert_eq!(kind(send(3, 0, "ab").await), K::TooLarge);
        assert_eq!(kind(send(0, 0, "ab").await), K::TooLarge);
        let small = [send(1, 0, "a").await.unwrap(), send(2, 1, "bc").await.unwrap()];
        assert_eq!(kind(upload.complete(&small).await), K::Unsupported);
        let large = [send(1, 0, "abc").await.unwrap(), send(2, 3, "def").await.unwrap()];
        assert_eq!(kind(upload.complete(&large).await), K::TooLarge);
        let gap = [send(1, 0, "abc").await.unwrap(), send(2, 4, "d").await.unwrap()];
        assert_eq!(kind(upload.complete(&gap).await), K::Internal);
        let good = [send(1, 0, "abc").await.unwrap(), send(2, 3, "d").await.unwrap()];
        store.put(&key("k"), "x".into()).await.unwrap();
        assert_eq!(kind(upload.complete(&good).await), K::PreconditionFailed);
        store.delete(&key("k"), DeleteOptions::default()).await.unwrap();
        upload.complete(&good).await.unwrap();
        assert_eq!(kind(store.put(&key("big"), "abcde".into()).await), K::TooLarge);
    });
}

#[test]
fn copies_and_attributes() {
    run(async {
        let store = MemoryStore::new("t");
        let tagged = Attributes { tags: Some([("a".into(), "b".into())].into()), ..Attributes::default() };
        let options = WriteOptions { attributes: tagged.clone(), ..WriteOptions::default() };
        let etag = store.write(&key("k"), Payload::from_bytes("x"), options).await.unwrap().etag.unwrap();
        store.copy_within(&key("k"), Some(&etag), &key("c"), WriteOptions::default()).await.unwrap();
        let copy = store.head(&key("c"), Detail::WithTags).await.unwrap();
        assert_eq!(copy.attributes, Some(tagged.clone()));
        let typed = Attributes {
            headers: cabotage_core::ContentHeaders {
                content_type: Some("text/plain".into()),
                ..Default::default()
            },
            ..Attributes::default()
        };
        let changed = store.set_attributes(&key("k"), &typed, Some(&etag)).await.unwrap().etag.unwrap();
        assert_ne!(etag, changed);
        let info = store.head(&key("k"), Detail::WithTags).await.unwrap();
        assert_eq!(info.attributes, Some(Attributes { tags: tagged.tags, ..typed.clone() }));
        assert_eq!(kind(store.set_attributes(&key("k"), &typed, Some(&etag)).await), K::PreconditionFailed);
        let copied = store.copy_within(&key("k"), Some(&etag), &key("c"), WriteOptions::default()).await;
        assert_eq!(kind(copied), K::PreconditionFailed);
        assert_eq!(
            kind(store.presign(&key("k"), PresignMethod::Get, Duration::from_secs(1)).await),
            K::Unsupported
        );
    });
}

#[test]
fn attributes_fare_as_declared() {
    run(async {
        let named = |name: &str| WriteOptions {
            attributes: Attributes {
                metadata: [(name.to_owned(), "v".to_owned())].into(),
                ..Attributes::default()
            },
            ..WriteOptions::default()
        };
        let ceph = with(|c| c.metadata.names = MetadataNames::LowerCaseHyphen);
        ceph.write(&key("k"), Payload::from_bytes("x"), named("Owner_Id")).await.unwrap();
        let kept = ceph.head(&key("k"), Detail::Basic).await.unwrap().attributes.unwrap().metadata;
        assert_eq!(kept.into_keys().collect::<Vec<_>>(), ["owner-id"]);
        assert_eq!(kind(ceph.write(&key("k"), Payload::from_bytes("x"), named("a b")).await), K::Unsupported);

        let bare = with(|c| {
            c.tags.max = 0;
            c.list_tags = false;
        });
        let tags = Attributes { tags: Some([("a".into(), "b".into())].into()), ..Attributes::default() };
        let tagged = WriteOptions { attributes: tags, ..WriteOptions::default() };
        assert_eq!(kind(bare.write(&key("k"), Payload::from_bytes("x"), tagged).await), K::Unsupported);
        bare.put(&key("k"), "x".into()).await.unwrap();
        let basic = bare.head(&key("k"), Detail::Basic).await.unwrap();
        assert_eq!(basic.attributes.unwrap().tags, None);
        let full = bare.head(&key("k"), Detail::WithTags).await.unwrap();
        assert_eq!(full.attributes.unwrap().tags, Some(Tags::new()));
        let tiered = WriteOptions { tier: Some("HOT".into()), ..WriteOptions::default() };
        assert_eq!(kind(bare.write(&key("k"), Payload::from_bytes("x"), tiered).await), K::Unsupported);
    });
}

#[test]
fn archived_objects_are_not_read() {
    run(async {
        let store = with(|c| c.tiers.known = [("Archive".to_owned(), TierClass::Archive)].into());
        let options = WriteOptions { tier: Some("Archive".into()), ..WriteOptions::default() };
        store.write(&key("k"), Payload::from_bytes("x"), options).await.unwrap();
        assert_eq!(kind(store.read_all(&key("k"), 9).await), K::Archived);
        assert_eq!(store.head(&key("k"), Detail::Basic).await.unwrap().tier.unwrap().name, "Archive");
    });
}

#[test]
fn names_that_the_rules_refuse() {
    run(async {
        let store = with(|c| c.keys.refuses_dot_segments = true);
        assert_eq!(kind(store.put(&key("a/../b"), "x".into()).await), K::KeyRejected);
        assert_eq!(kind(store.read_all(&key("a/../b"), 9).await), K::KeyRejected);
    });
}

#[test]
fn a_body_of_another_length_than_declared_is_refused() {
    run(async {
        let store = MemoryStore::new("t");
        let short: cabotage_core::PayloadSource = Arc::new(|| {
            let chunks: Vec<Result<Bytes>> = vec![Ok(Bytes::from_static(b"abc"))];
            Box::pin(async { Ok(futures::stream::iter(chunks).boxed()) })
        });
        for len in [2, 4] {
            let body = Payload::Replayable { len, open: short.clone() };
            assert_eq!(kind(store.write(&key("k"), body, WriteOptions::default()).await), K::Truncated);
        }
        assert!(names(&store, ListScope::default()).await.is_empty());
        let body = Payload::Replayable { len: 3, open: short };
        store.write(&key("k"), body, WriteOptions::default()).await.unwrap();
        let deleted = store.delete_many(vec![key("none"), key("k")]).await;
        assert!(deleted.iter().all(|(_, done)| done.is_ok()));
        assert!(names(&store, ListScope::default()).await.is_empty());
    });
}
