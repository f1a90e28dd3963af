//! Against a real Azurite, given by AZURITE_CONNECTION_STRING; without one nothing is tested here.

use bytes::Bytes;
use cabotage_core::{
    ErrorKind as K, ListItem, ObjectForm, PartSlot, Probe as _, ReadRange, Secret, StorageExt as _, Support,
    Tags, TierClass, Timestamp, WriteMode,
};
use cabotage_http::HttpConfig;
use futures::TryStreamExt as _;

use super::*;
use crate::config::AzureCredentials;

fn connection() -> Option<Secret> {
    let text = std::env::var("AZURITE_CONNECTION_STRING").ok();
    if text.is_none() {
        eprintln!("skipped: AZURITE_CONNECTION_STRING isn't set");
    }
    text.map(Secret::new)
}

async fn open_with(
    credentials: AzureCredentials,
    container: &str,
    endpoint: Option<String>,
) -> Result<AzureStore> {
    let mut http = HttpConfig::default();
    http.retry.attempts = 2;
    AzureStore::open(AzureConfig {
        container: container.into(),
        account: None,
        endpoint,
        credentials,
        renew: None,
        http,
    })
    .await
}

async fn open() -> Option<AzureStore> {
    let credentials = AzureCredentials::ConnectionString(connection()?);
    let container = format!("cabotage-{:016x}", rand::random::<u64>());
    let store = open_with(credentials, &container, None).await.unwrap();
    assert!(store.create_container().await.unwrap());
    assert!(!store.create_container().await.unwrap());
    // Opened before the container was there, it could not learn that tags are listed.
    let again = AzureCredentials::ConnectionString(connection()?);
    Some(open_with(again, &container, None).await.unwrap())
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn kind<T: fmt::Debug>(result: Result<T>) -> K {
    result.unwrap_err().kind()
}

async fn all(store: &AzureStore, scope: ListScope) -> Vec<ListItem> {
    store.list(scope).try_collect().await.unwrap()
}

async fn names(store: &AzureStore, scope: ListScope) -> Vec<String> {
    all(store, scope)
        .await
        .into_iter()
        .map(|item| match item {
            ListItem::Object(info) => info.key.as_str().to_owned(),
            ListItem::Prefix(key) => format!("[{}]", key.as_str()),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// Names that tempt a client or a server to change them.
const HOSTILE: [&str; 30] = [
    "c",
    "a/../c",
    "a/./c",
    "../other/k",
    "./c",
    "..",
    ".",
    "a//b",
    "a/b",
    "/a/b",
    "//",
    "a/",
    "a",
    "a/.",
    "a/..",
    "%2F",
    "%252F",
    "a%2Fb",
    "a+b",
    "a b",
    "a%20b",
    "a?b#c&d=e",
    "😀",
    "～",
    "é",
    "e\u{301}",
    "~",
    "a:b*|\"<>'",
    " a",
    "a ",
];

#[tokio::test]
async fn no_name_touches_another_blob() {
    let Some(store) = open().await else { return };
    for name in HOSTILE {
        store.put(&key(name), Bytes::from(name)).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let mut expected: Vec<String> = HOSTILE.map(str::to_owned).to_vec();
    expected.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    assert_eq!(names(&store, ListScope::default()).await, expected, "all are there, in UTF-16 order");
    for name in HOSTILE {
        assert_eq!(store.read_all(&key(name), 100).await.unwrap(), name, "{name}");
        assert_eq!(store.head(&key(name), Detail::Basic).await.unwrap().size, name.len() as u64);
    }
    for (at, name) in HOSTILE.iter().enumerate() {
        store.delete(&key(name), DeleteOptions::default()).await.unwrap();
        assert_eq!(names(&store, ListScope::default()).await.len(), HOSTILE.len() - at - 1, "{name}");
    }
    for refused in ["back\\slash", "a\nb", "\u{1}", "\u{ffff}", &"x".repeat(1025)] {
        assert_eq!(kind(store.put(&key(refused), Bytes::new()).await), K::KeyRejected, "{refused:?}");
    }
    assert_eq!(names(&store, ListScope::default()).await.len(), 0, "what was refused was not written");
}

fn attributes() -> Attributes {
    let mut attributes = Attributes::default();
    attributes.headers.content_type = Some("text/plain;  charset=x".into());
    attributes.headers.content_encoding = Some("gzip".into());
    attributes.headers.content_language = Some("fr, en".into());
    attributes.headers.content_disposition = Some("attachment; filename=\"a  b.txt\"".into());
    attributes.headers.cache_control = Some("no-store,  max-age=0".into());
    let metadata = [("a1", "1"), ("a_b", "2"), ("a", "in  side"), ("_x", "3"), ("ab", "sig=ok")];
    attributes.metadata = metadata.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
    attributes.tags = Some([("a b".to_owned(), "c+d/e:f=g".to_owned()), ("k".into(), String::new())].into());
    attributes
}

#[tokio::test]
async fn attributes_come_back() {
    let Some(store) = open().await else { return };
    let options =
        WriteOptions { attributes: attributes(), tier: Some("Cool".into()), ..WriteOptions::default() };
    store.write(&key("k"), Payload::from_bytes("not gzip"), options).await.unwrap();
    let head = store.head(&key("k"), Detail::WithTags).await.unwrap();
    assert_eq!(head.attributes.as_ref(), Some(&attributes()));
    assert_eq!(head.tier.as_ref().unwrap().class, TierClass::Infrequent);
    assert_eq!(head.digests.len(), 1);
    assert_eq!(head.form, ObjectForm::Plain);
    assert_eq!(store.read_all(&key("k"), 100).await.unwrap(), "not gzip");
    let listed = all(&store, ListScope::default()).await;
    let ListItem::Object(listed) = &listed[0] else { panic!() };
    assert_eq!((listed.attributes.as_ref(), &listed.etag), (Some(&attributes()), &head.etag));
    assert_eq!((&listed.digests, &listed.tier, listed.modified), (&head.digests, &head.tier, head.modified));

    let mut fewer = Attributes { tags: Some(Tags::new()), ..Attributes::default() };
    fewer.headers.content_type = Some("a/b".into());
    assert_eq!(
        kind(store.set_attributes(&key("k"), &fewer, Some(&ETag::new("0x1"))).await),
        K::PreconditionFailed
    );
    let set = store.set_attributes(&key("k"), &fewer, head.etag.as_ref()).await.unwrap();
    let after = store.head(&key("k"), Detail::WithTags).await.unwrap();
    assert_eq!((after.attributes, after.etag), (Some(fewer), set.etag));
    assert_eq!(after.digests, head.digests, "the stored MD5 stays");
}

#[tokio::test]
async fn ranges_and_conditions() {
    let Some(store) = open().await else { return };
    let written = store.put(&key("k"), Bytes::from_static(b"0123456789")).await.unwrap();
    store.put(&key("empty"), Bytes::new()).await.unwrap();
    let bounded = |start, end| ReadRange::Bounded { start, end };
    for (range, expected) in [
        (bounded(2, 5), "234"),
        (bounded(8, 100), "89"),
        (ReadRange::From(7), "789"),
        (ReadRange::Suffix(3), "789"),
        (ReadRange::Suffix(100), "0123456789"),
    ] {
        let body =
            store.read(&key("k"), ReadOptions::pinned(Some(range), written.etag.clone())).await.unwrap();
        assert_eq!(body.info.size, 10);
        assert_eq!(body.info.digests.len(), 1, "the whole blob's MD5 comes with a range");
        let bytes: Vec<Bytes> = body.stream.try_collect().await.unwrap();
        assert_eq!(bytes.concat(), expected.as_bytes(), "{range:?}");
    }
    for (name, range) in [
        ("k", bounded(10, 11)),
        ("k", bounded(5, 5)),
        ("k", ReadRange::From(10)),
        ("empty", bounded(0, 1)),
        ("empty", ReadRange::From(0)),
        ("empty", ReadRange::Suffix(1)),
    ] {
        let read = store.read(&key(name), ReadOptions::pinned(Some(range), None)).await;
        assert_eq!(kind(read), K::PreconditionFailed, "{name} {range:?}");
    }
    let now = Timestamp::from_second(written_at(&store).await).unwrap();
    let hour = jiff::SignedDuration::from_hours(1);
    for options in [
        ReadOptions { if_match: Some(ETag::new("0x1")), ..Default::default() },
        ReadOptions { if_none_match: written.etag.clone(), ..Default::default() },
        ReadOptions { if_modified_since: Some(now + hour), ..Default::default() },
        ReadOptions { if_unmodified_since: Some(now - hour), ..Default::default() },
    ] {
        assert_eq!(kind(store.read(&key("k"), options.clone()).await), K::PreconditionFailed, "{options:?}");
    }
    assert_eq!(kind(store.read(&key("none"), ReadOptions::default()).await), K::NotFound);
    assert_eq!(kind(store.head(&key("none"), Detail::Basic).await), K::NotFound);
    assert_eq!(store.read_all(&key("empty"), 1).await.unwrap(), "");
}

async fn written_at(store: &AzureStore) -> i64 {
    store.head(&key("k"), Detail::Basic).await.unwrap().modified.unwrap().as_second()
}

#[tokio::test]
async fn writes_are_conditional_and_checked() {
    let Some(store) = open().await else { return };
    let mode = |mode| WriteOptions { mode, ..WriteOptions::default() };
    let body = || Payload::from_bytes("x");
    let first = store.write(&key("k"), body(), mode(WriteMode::Create)).await.unwrap();
    assert_eq!(kind(store.write(&key("k"), body(), mode(WriteMode::Create)).await), K::PreconditionFailed);
    let stale = mode(WriteMode::IfMatch(ETag::new("0x1")));
    assert_eq!(kind(store.write(&key("k"), body(), stale).await), K::PreconditionFailed);
    store.write(&key("k"), body(), mode(WriteMode::IfMatch(first.etag.clone().unwrap()))).await.unwrap();
    let delete = DeleteOptions { if_match: first.etag, ..DeleteOptions::default() };
    assert_eq!(kind(store.delete(&key("k"), delete).await), K::PreconditionFailed);
    assert_eq!(store.wrong_digest(&key("probe")).await.unwrap(), Support::Enforced);
    assert_eq!(store.wrong_digest(&key("k")).await.unwrap(), Support::Enforced);
    assert_eq!(names(&store, ListScope::default()).await, ["k"]);
    assert!(store.clock_skew().await.unwrap().is_some());
    let keys: Vec<Key> = (0..40).map(|n| key(&format!("d/{n}"))).collect();
    for key in &keys[..20] {
        store.put(key, Bytes::new()).await.unwrap();
    }
    let done = store.delete_many(keys.clone()).await;
    assert!(done.iter().map(|(key, _)| key).eq(&keys) && done.iter().all(|(_, done)| done.is_ok()));
    assert_eq!(names(&store, ListScope::default()).await, ["k"]);
}

#[tokio::test]
async fn an_archived_blob_says_so() {
    let Some(store) = open().await else { return };
    let options = WriteOptions { tier: Some("Archive".into()), ..WriteOptions::default() };
    store.write(&key("k"), Payload::from_bytes("x"), options).await.unwrap();
    assert_eq!(kind(store.read(&key("k"), ReadOptions::default()).await), K::Archived);
    assert_eq!(store.head(&key("k"), Detail::Basic).await.unwrap().tier.unwrap().class, TierClass::Archive);
}

#[tokio::test]
async fn scopes_of_listings() {
    let Some(store) = open().await else { return };
    for name in ["a", "d/1", "d/2", "d/e/3", "d2", "z", "～", "😀"] {
        store.put(&key(name), Bytes::new()).await.unwrap();
    }
    let scope = |prefix: &str, delimiter: Option<&str>, after: Option<&str>, until: Option<&str>| ListScope {
        prefix: prefix.into(),
        delimiter: delimiter.map(str::to_owned),
        after: after.map(key),
        until: until.map(key),
        versions: false,
    };
    for (scope, expected) in [
        (scope("", None, None, None), vec!["a", "d/1", "d/2", "d/e/3", "d2", "z", "😀", "～"]),
        (scope("d", None, None, None), vec!["d/1", "d/2", "d/e/3", "d2"]),
        (scope("", Some("/"), None, None), vec!["a", "d2", "z", "😀", "～", "[d/]"]),
        (scope("d/", Some("/"), None, None), vec!["d/1", "d/2", "[d/e/]"]),
        (scope("", Some("/"), Some("d/1"), Some("z")), vec!["[d/]", "d2"]),
        (scope("", None, Some("d/2"), None), vec!["d/e/3", "d2", "z", "😀", "～"]),
        (scope("", None, Some("z"), Some("😀")), vec!["～"]),
        (scope("", None, Some("d2"), Some("zz")), vec!["z"]),
        (scope("none", None, None, None), vec![]),
    ] {
        let mut found = names(&store, scope.clone()).await;
        // Azurite tells groups after the blobs of a page.
        if scope.after.is_none() && scope.delimiter.is_some() {
            found.sort_by_key(|name| name.starts_with('['));
        }
        assert_eq!(found, expected, "{scope:?}");
    }
}

#[tokio::test]
async fn uploads() {
    let Some(store) = open().await else { return };
    let options =
        WriteOptions { attributes: attributes(), mode: WriteMode::Create, ..WriteOptions::default() };
    let upload = store.start_upload(&key("u/k"), options.clone()).await.unwrap();
    assert_eq!(upload.parts().await.unwrap(), []);
    let mut parts = Vec::new();
    for (number, text) in [(2, "def"), (1, "no"), (1, "abc")] {
        let slot = PartSlot { number, offset: u64::from(number - 1) * 3 };
        parts.push(upload.part(slot, Payload::from_bytes(text)).await.unwrap());
    }
    let parts = [parts[2].clone(), parts[0].clone()];
    let mut lied = parts.clone();
    lied[1].etag = Some(ETag::new("x"));
    assert_eq!(kind(upload.complete(&lied).await), K::PreconditionFailed);
    assert_eq!(upload.parts().await.unwrap(), parts);
    assert_eq!(names(&store, ListScope::default()).await.len(), 0, "nothing is visible");
    let open: Vec<UploadInfo> = store.list_uploads("u/").try_collect().await.unwrap();
    assert_eq!((open.len(), &open[0].key, &open[0].id), (1, &key("u/k"), upload.id()));
    let resumed = store.resume_upload(&key("u/k"), upload.id(), options.clone()).await.unwrap();
    assert_eq!(resumed.parts().await.unwrap(), parts);
    let done = resumed.complete(&parts).await.unwrap();
    let head = store.head(&key("u/k"), Detail::WithTags).await.unwrap();
    assert_eq!((head.etag, head.attributes, head.size), (done.etag.clone(), Some(attributes()), 6));
    assert_eq!(store.read_all(&key("u/k"), 10).await.unwrap(), "abcdef");
    assert_eq!(
        resumed.complete(&parts).await.unwrap().etag,
        done.etag,
        "a commit that was not heard is found done"
    );
    assert_eq!(kind(resumed.parts().await), K::NotFound);

    let other = store.start_upload(&key("u/k"), options.clone()).await.unwrap();
    let slot = PartSlot { number: 1, offset: 0 };
    let part = other.part(slot, Payload::from_bytes("x")).await.unwrap();
    assert_eq!(
        kind(other.complete(&[part]).await),
        K::PreconditionFailed,
        "create is enforced on completion"
    );
    assert_eq!(store.read_all(&key("u/k"), 10).await.unwrap(), "abcdef");
    other.abort().await.unwrap();

    let unknown = cabotage_core::UploadId("0".repeat(32));
    assert_eq!(
        kind(store.resume_upload(&key("x"), &unknown, options.clone()).await.unwrap().parts().await),
        K::NotFound
    );
    let lie = Payload::hashed(vec![Bytes::from_static(b"x")], cabotage_core::Sha256::of(b"y"));
    assert_eq!(kind(other.part(slot, lie).await), K::DigestMismatch);
}

#[tokio::test]
async fn copies() {
    let Some(store) = open().await else { return };
    let options = WriteOptions { attributes: attributes(), ..WriteOptions::default() };
    let source = store.write(&key("a//b ?"), Payload::from_bytes("x"), options).await.unwrap();
    let plain = WriteOptions::default();
    let done =
        store.copy_within(&key("a//b ?"), source.etag.as_ref(), &key("to"), plain.clone()).await.unwrap();
    let head = store.head(&key("to"), Detail::WithTags).await.unwrap();
    assert_eq!((head.attributes, head.etag), (Some(attributes()), done.etag));
    let stale = ETag::new("0x1");
    let copied = store.copy_within(&key("a//b ?"), Some(&stale), &key("t2"), plain.clone()).await;
    assert_eq!(kind(copied), K::PreconditionFailed);
    let create = WriteOptions { mode: WriteMode::Create, ..plain.clone() };
    assert_eq!(
        kind(store.copy_within(&key("a//b ?"), None, &key("to"), create).await),
        K::PreconditionFailed
    );
    assert_eq!(kind(store.copy_within(&key("none"), None, &key("t2"), plain.clone()).await), K::NotFound);
    store.put(&key("x/../a"), Bytes::from_static(b"y")).await.unwrap();
    assert_eq!(kind(store.copy_within(&key("x/../a"), None, &key("t2"), plain).await), K::Unsupported);
    let mut others = WriteOptions::default();
    others.attributes.headers.content_type = Some("a/b".into());
    others.attributes.tags = Some(Tags::new());
    store.copy_within(&key("a//b ?"), None, &key("to"), others.clone()).await.unwrap();
    let head = store.head(&key("to"), Detail::WithTags).await.unwrap();
    assert_eq!(head.attributes, Some(others.attributes));
}

#[tokio::test]
async fn failures_have_their_kinds_and_hide_secrets() {
    let Some(text) = connection() else { return };
    let whole = AzureCredentials::ConnectionString(text.clone());
    let missing = open_with(whole, "cabotage-missing", None).await.unwrap();
    assert_eq!(kind(missing.head(&key("k"), Detail::Basic).await), K::BucketNotFound);
    assert_eq!(kind(missing.put(&key("k"), Bytes::new()).await), K::BucketNotFound);
    assert_eq!(kind(missing.list(ListScope::default()).try_collect::<Vec<_>>().await), K::BucketNotFound);
    let endpoint = missing.0.wire.http().endpoint().to_string();

    let wrong = AzureCredentials::SharedKey { key: Secret::new("aHVzaA==") };
    let store = open_with(wrong, "cabotage-missing", Some(endpoint.clone())).await.unwrap();
    let error = store.head(&key("k"), Detail::Basic).await.unwrap_err();
    assert_eq!(error.kind(), K::Unauthenticated);
    assert!(!format!("{error} {error:?} {store:?} {store}").contains("aHVzaA"), "{error:?}");

    let sas = AzureCredentials::Sas(Secret::new("?sv=2025-11-05&se=2030-01-01&sig=hushhush"));
    let store = open_with(sas, "cabotage-missing", Some(endpoint)).await.unwrap();
    for error in [
        store.head(&key("k"), Detail::Basic).await.unwrap_err(),
        store.put(&key("k"), Bytes::new()).await.unwrap_err(),
        store.list(ListScope::default()).try_collect::<Vec<_>>().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), K::Unauthenticated, "{error}");
        assert!(!format!("{error} {error:?} {store:?} {store}").contains("hushhush"), "{error:?}");
    }
}

#[tokio::test]
async fn a_signed_url_opens_one_blob() {
    let Some(store) = open().await else { return };
    for name in ["a//b", "a/b", "q ?é/../x"] {
        store.put(&key(name), Bytes::from(name)).await.unwrap();
    }
    for name in ["a//b", "q ?é/../x"] {
        let signed = store.presign(&key(name), PresignMethod::Get, Duration::from_secs(600)).await.unwrap();
        assert!(!format!("{signed:?}").contains("sig="));
        let (_, sas) = signed.url.reveal().split_once('?').unwrap();
        let endpoint = Some(store.0.wire.http().endpoint().to_string());
        let sas = AzureCredentials::Sas(Secret::new(sas));
        let lent = open_with(sas, store.0.wire.container(), endpoint).await.unwrap();
        assert!(!lent.capabilities().list_tags && !lent.capabilities().presign);
        // A store that could not ask what the server is keeps to the stricter rules.
        if !name.contains("..") {
            assert_eq!(lent.read_all(&key(name), 100).await.unwrap(), name);
        }
        assert!(matches!(
            kind(lent.read_all(&key("a/b"), 100).await),
            K::Unauthenticated | K::PermissionDenied
        ));
        assert_eq!(kind(lent.head(&key("x/../y"), Detail::Basic).await), K::KeyRejected);
    }
}

/// A store that may do what the letters say, in the whole container.
async fn lent(store: &AzureStore, permissions: &str) -> AzureStore {
    use crate::auth::Pass;
    let Pass::Key(account_key) = store.0.wire.pass().await.unwrap() else { panic!() };
    let container = store.0.wire.container().to_owned();
    let signature = reqsign_azure_storage::ServiceSharedAccessSignature::new(
        store.0.wire.account().to_owned(),
        account_key.reveal().to_owned(),
        reqsign_azure_storage::ServiceSasResource::Container { container: container.clone() },
        permissions.to_owned(),
        reqsign_core::time::Timestamp::now() + Duration::from_secs(600),
    );
    let pairs = signature.token().unwrap();
    let query: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", cabotage_http::encode_component(value)))
        .collect();
    let endpoint = Some(store.0.wire.http().endpoint().to_string());
    open_with(AzureCredentials::Sas(Secret::new(query.join("&"))), &container, endpoint).await.unwrap()
}

#[tokio::test]
async fn rights_that_are_missing() {
    let Some(store) = open().await else { return };
    let options = WriteOptions { attributes: attributes(), ..WriteOptions::default() };
    store.write(&key("k"), Payload::from_bytes("x"), options.clone()).await.unwrap();
    let reader = lent(&store, "rl").await;
    assert_eq!(reader.read_all(&key("k"), 10).await.unwrap(), "x");
    assert_eq!(names(&reader, ListScope::default()).await, ["k"]);
    assert_eq!(kind(reader.put(&key("k"), Bytes::new()).await), K::PermissionDenied);
    assert_eq!(kind(reader.delete(&key("k"), DeleteOptions::default()).await), K::PermissionDenied);
    assert_eq!(
        kind(
            reader
                .start_upload(&key("k"), options)
                .await
                .unwrap()
                .part(PartSlot { number: 1, offset: 0 }, Payload::from_bytes("x"))
                .await
        ),
        K::PermissionDenied
    );
    let info = reader.head(&key("k"), Detail::WithTags).await.unwrap();
    assert_eq!(info.attributes.unwrap().tags, None);
    let ListItem::Object(listed) = all(&reader, ListScope::default()).await.remove(0) else { panic!() };
    assert_eq!(listed.attributes, Some(attributes()), "Azurite lists tags without the right to read them");
    let writer = lent(&store, "cw").await;
    writer.put(&key("w"), Bytes::new()).await.unwrap();
    assert_eq!(kind(writer.read_all(&key("w"), 1).await), K::PermissionDenied);
    assert_eq!(kind(writer.list(ListScope::default()).try_collect::<Vec<_>>().await), K::PermissionDenied);
    let full = lent(&store, "racwdlt").await;
    full.copy_within(&key("k"), None, &key("copy"), WriteOptions::default()).await.unwrap();
    assert_eq!(store.head(&key("copy"), Detail::WithTags).await.unwrap().attributes, Some(attributes()));
}
